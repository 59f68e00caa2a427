/** `xdpsim lab run`: one scenario, in the simulated network, in the kernel, or in both and compared. */

import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { versionOf } from '../../kernel/kernel-version.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { runInKernel } from '../../kernel/scenario/run.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { compareRuns, type ScenarioDifference } from '../../sim/network/compare.ts';
import { unexpected } from '../../sim/network/path.ts';
import { type Runs, runsToJson, stepText } from '../../sim/network/render.ts';
import { simulate } from '../../sim/network/run.ts';
import type { Scenario } from '../../sim/network/scenario.ts';
import { parseScenario } from '../../sim/network/scenario-json.ts';
import { programByName } from '../../sim/programs/index.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { versionOption } from '../engines.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { parseKernelVersion } from '../input/kernel-version.ts';
import { announceObjectMemory } from '../input/memory.ts';
import { isThere, readText } from '../input/read-file.ts';
import { readObject } from '../input/read-object.ts';
import { printJson } from '../output.ts';
import { createTerminal, type Terminal, table } from '../terminal.ts';

interface RunOptions {
  readonly in: 'sim' | 'kernel' | 'both';
  readonly engine: 'vm' | 'model';
  readonly asKernel?: KernelVersion;
  readonly json?: boolean;
  readonly color: boolean;
}

export function registerLabRun(lab: Command): void {
  lab
    .command('run')
    .description('run a scenario: a network, its programs, and what is sent through it')
    .argument('[scenario]', 'a JSON file, or the name of a built-in scenario; without it, they are listed')
    .addOption(
      new Option(
        '--in <where>',
        'in the simulated network (needs no root), in the kernel, or in both and compared',
      )
        .choices(['sim', 'kernel', 'both'])
        .default('sim'),
    )
    .addOption(
      new Option(
        '--engine <name>',
        'what runs the programs in the simulation: the compiled object, or the model',
      )
        .choices(['vm', 'model'])
        .default('vm'),
    )
    .option('--as-kernel <version>', 'let the simulation do what Linux <version> does', parseKernelVersion)
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .action(async (scenario: string | undefined, options: RunOptions) => {
      process.exitCode = scenario === undefined ? list(options) : await run(scenario, options);
    });
}

async function run(name: string, options: RunOptions): Promise<number> {
  if (options.asKernel !== undefined && options.in !== 'sim' && options.asKernel !== versionOf()) {
    throw inputFailure(
      `--as-kernel ${options.asKernel} is for the simulation: the kernel here is Linux ${versionOf()}`,
      'Use --in sim, or leave --as-kernel out.',
    );
  }
  const path = scenarioPath(name);
  const scenario = parseScenario(readText(path), path);
  const objects = objectsOf(scenario, dirname(resolve(path)));
  for (const [object, bytes] of objects) announceObjectMemory(object, bytes);
  const engine =
    options.engine === 'model'
      ? createModelEngine(versionOption(options.asKernel))
      : createVmEngine(versionOption(options.asKernel));
  const runs: Runs = {
    ...(options.in === 'kernel' ? {} : { sim: await simulate(scenario, engine, objects) }),
    ...(options.in === 'sim' ? {} : { kernel: runInKernel(scenario, objects) }),
  };
  const difference =
    runs.sim === undefined || runs.kernel === undefined
      ? undefined
      : compareRuns(scenario, runs.sim, runs.kernel);
  const complaints = [...expectationsOf(scenario, runs), ...faultsOf(runs)];
  if (options.json === true) {
    printJson(runsToJson(scenario, runs, difference, complaints), 2);
  } else {
    print(scenario, runs, difference, complaints, createTerminal(options));
  }
  if (difference !== undefined || complaints.length > 0) return EXIT.found;
  return isIdle(scenario, runs) ? EXIT.incomplete : EXIT.agreed;
}

/** Did nothing happen that could be judged: no frame, no program, no expectation? */
function isIdle(scenario: Scenario, runs: Runs): boolean {
  const hasActed = Object.values(runs).some((run) =>
    run.steps.some(({ path, events }) => path.length > 0 || events.some(({ kind }) => kind === 'program')),
  );
  return !hasActed && scenario.steps.every(({ expect }) => expect === undefined);
}

/** What steps state of their paths, where it is not so. */
function expectationsOf(scenario: Scenario, runs: Runs): string[] {
  return Object.entries(runs).flatMap(([where, run]) =>
    scenario.steps.flatMap(({ name, expect }, index) => {
      const problem = expect === undefined ? undefined : unexpected(expect, run.steps[index]!.path);
      return problem === undefined ? [] : [`${where}, step ${index + 1} (${name}): ${problem}`];
    }),
  );
}

/** Programs that the machine stopped, since they did what the verifier forbids or it cannot do. */
function faultsOf({ sim }: Runs): string[] {
  return (sim?.steps ?? []).flatMap(({ events }, index) =>
    events.flatMap((event) =>
      event.kind === 'program' && event.fault !== undefined
        ? [`sim, step ${index + 1}: ${event.function} is stopped: ${event.fault}`]
        : [],
    ),
  );
}

function print(
  scenario: Scenario,
  runs: Runs,
  difference: ScenarioDifference | undefined,
  complaints: readonly string[],
  terminal: Terminal,
): void {
  // The simulation says more: what the kernel did is shown where it stands alone, or differs.
  const shown = runs.sim ?? runs.kernel!;
  terminal.print(`${terminal.style('bold', scenario.name)}: ${scenario.description}`);
  for (const [index, step] of scenario.steps.entries()) {
    terminal.print();
    terminal.print(terminal.style('bold', `${index + 1}. ${step.name}`));
    for (const line of stepText(shown.steps[index]!)) terminal.print(`   ${line}`);
    if (difference?.step === index && runs.kernel !== undefined) {
      terminal.print('   in the kernel:');
      for (const line of stepText(runs.kernel.steps[index]!)) terminal.print(`   ${line}`);
    }
  }
  terminal.print();
  for (const complaint of complaints) terminal.print(terminal.style('red', `not as expected: ${complaint}`));
  if (difference !== undefined) {
    const step = difference.step === undefined ? 'at the end' : `step ${difference.step + 1}`;
    terminal.print(terminal.style('red', `sim and kernel differ, ${step}: ${difference.summary}`));
    for (const line of difference.details) terminal.print(`  ${line}`);
  } else if (isIdle(scenario, runs)) {
    if (complaints.length === 0)
      terminal.print(terminal.style('yellow', 'nothing was sent: nothing was checked'));
  } else if (runs.sim !== undefined && runs.kernel !== undefined) {
    const hops = runs.sim.steps.reduce((sum, step) => sum + step.path.length, 0);
    terminal.print(
      terminal.style('green', `sim and kernel agree: ${hops} hops, byte for byte, all verdicts, all maps`),
    );
    terminal.print('not compared: IPv4 identifications that a stack chooses, trace lines, time');
  }
}

function list(options: RunOptions): number {
  const folder = packageFile('corpus/scenarios');
  const scenarios = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => parseScenario(readText(join(folder, file)), file));
  if (options.json === true) {
    const rows = scenarios.map(({ name, description }) => ({ name, description }));
    printJson({ version: 1, scenarios: rows }, 2);
    return EXIT.agreed;
  }
  const terminal = createTerminal(options);
  for (const line of table(scenarios.map(({ name, description }) => [name, description])))
    terminal.print(line);
  return EXIT.agreed;
}

function scenarioPath(name: string): string {
  if (isThere(name)) return name;
  const builtIn = packageFile(`corpus/scenarios/${name}.json`);
  if (/^[\w-]+$/.test(name) && isThere(builtIn)) return builtIn;
  throw inputFailure(
    `“${name}” is neither a file nor a built-in scenario`,
    'xdpsim lab run lists the built-in scenarios.',
  );
}

/** The compiled objects by the names that the scenario calls them: built-in ones, or paths relative to its file. */
function objectsOf(scenario: Scenario, folder: string): Map<string, Uint8Array> {
  const names = new Set(scenario.namespaces.flatMap(({ programs }) => programs.map(({ object }) => object)));
  return new Map(
    [...names].map((name) => {
      const builtIn = programByName(name) !== undefined;
      const path = builtIn ? packageFile(`bpf/built/${name}.o`) : resolve(folder, name);
      return [name, readObject(path)];
    }),
  );
}
