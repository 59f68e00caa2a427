/** `xdpsim verify`: engines side by side on saved and generated cases. */

import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { ENGINE_NAMES } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { RunOptions } from '../../verify/explain/command.ts';
import { explain } from '../../verify/explain/explain.ts';
import type { Oracle } from '../../verify/judging.ts';
import type { Progress } from '../../verify/run.ts';
import type { Requirements } from '../../verify/verdict.ts';
import { cflagsOption, clangOption, compilerSettings } from '../compile/settings.ts';
import { type ChosenEngines, chooseEngines, engineNames, versionOption } from '../engines.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { requireOnly } from '../input/given-options.ts';
import { AS_KERNEL_HELP, parseKernelVersion } from '../input/kernel-version.ts';
import { assumedSizes } from '../input/max-entries.ts';
import { announceMemory } from '../input/memory.ts';
import {
  freshSeed,
  parseCount,
  parseDirectory,
  parseDuration,
  parseOutput,
  parsePercent,
  repeated,
} from '../input/options.ts';
import { runsOption, seedOption, shrinkTimeOption, timeOption } from '../input/run-options.ts';
import {
  aimOption,
  mapOption,
  maxEntriesOption,
  surroundingsOf,
  type WorldOptions,
  worldOption,
  worldWords,
} from '../input/world-options.ts';
import { type InterruptCause, onInterrupt } from '../interrupt.ts';
import { outputSettled, printJson, reportLine, reportLines } from '../output.ts';
import { type ReportFile, requireReportFiles, writeReportFiles } from '../report-files.ts';
import { count, createTerminal, rate, type Terminal } from '../terminal.ts';
import { coverageFile } from '../verify/coverage-file.ts';
import type { VerifyPlan } from '../verify/plan.ts';
import { Verifier } from '../verify/programs.ts';
import { closingLines } from '../verify/report-closing.ts';
import { toJunit } from '../verify/report-junit.ts';
import { detailLines, furtherLines, notTestedLines, programLine } from '../verify/report-text.ts';
import { runsHere } from '../verify/runs-here.ts';
import { exitCodeOf, type Tested, tested, testedToJson } from '../verify/tested.ts';
import { LONG_RUN, MAX_WORKERS, usualWorkers } from '../verify/worker-count.ts';

interface Options extends WorldOptions {
  readonly packets: readonly string[];
  readonly engines?: string;
  readonly live?: boolean;
  readonly asKernel?: KernelVersion;
  readonly runs?: number;
  readonly time?: number;
  readonly guide: boolean;
  readonly prove?: number | true;
  readonly seed?: string;
  readonly object?: string;
  readonly coverage?: string;
  readonly workers?: number;
  readonly maxDivergences: number;
  readonly oracle: Oracle;
  readonly shrinkTime: number;
  readonly require: readonly string[];
  readonly minCoverage?: number;
  readonly mutants?: number | true;
  readonly minScore?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly junit?: string;
  readonly report?: string;
  readonly color: boolean;
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('compare programs with their models and with the kernel, on saved and generated packets')
    .argument(
      '[program...]',
      'built-in programs, objects or C sources FILE[:FUNCTION], or modules that define a program; default: all built-in ones',
    )
    .option(
      '--engines <list>',
      `${ENGINE_NAMES.join(', ')}; default: all that run here without touching the network`,
    )
    .option('--live', 'test on live veth traffic, too')
    .option('--as-kernel <version>', AS_KERNEL_HELP, parseKernelVersion)
    .addOption(runsOption(20000))
    .addOption(timeOption())
    .addOption(seedOption())
    .option('--no-guide', 'generate without looking for uncovered branches first')
    .option(
      '--prove [time]',
      'follow each program’s paths first, for at most so long (default: 20s): a packet for each runs before all others, and what no input reaches leaves the coverage (needs the package z3-solver)',
      parseDuration('--prove'),
    )
    .option('--object <file>', 'FILE[:FUNCTION] to test instead of the program’s own object')
    .option(
      '--workers <n>',
      `worker processes; results are the same for any number (default: none for a short run of built-in programs, else one, and one per core for more than ${count(LONG_RUN)} packets)`,
      parseCount('--workers'),
    )
    .option(
      '--max-divergences <n>',
      'stop testing a program after this many',
      parseCount('--max-divergences'),
      1,
    )
    .addOption(shrinkTimeOption('a divergence', 10))
    .option(
      '--coverage <file>',
      'write what the packets reached, in lcov’s format: for genhtml and editors',
      parseOutput('--coverage'),
    )
    .addOption(
      new Option('--oracle <what>', 'what to check in frames besides comparing engines')
        .choices(['off', 'checksums', 'all'])
        .default('all'),
    )
    .option('--require <engine>', 'exit with 4 unless this engine ran every program', repeated, [])
    .option(
      '--min-coverage <percent>',
      'exit with 4 unless packets reached this share of branches and instructions',
      parsePercent('--min-coverage'),
    )
    .option(
      '--mutants [n]',
      'change one instruction at a time and count the changes that model and packets notice; n: at most so many of each program',
      parseCount('--mutants'),
    )
    .option(
      '--min-score <percent>',
      'with --mutants: exit with 4 unless this share of them is noticed',
      parsePercent('--min-score'),
    )
    .option('--verbose', 'list everything that was not compared or not reached')
    .option('--json', 'print one JSON document')
    .option('--junit <file>', 'write a JUnit report', parseOutput('--junit'))
    .option(
      '--report <dir>',
      'where divergences are saved (default: corpus/regressions)',
      parseDirectory('--report'),
    )
    .option(
      '--packets <file>',
      'a capture whose packets run first, and are changed; may be repeated',
      repeated,
      [],
    )
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(aimOption())
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option('--no-color', 'no colours')
    .action(run);
}

/** What counts with `--mutants`: they run in the machine, against the model, and are all that is reported. */
const OF_MUTANTS: readonly string[] = [
  ...['runs', 'time', 'seed', 'guide', 'object', 'minScore', 'verbose', 'json', 'report', 'color'],
  ...['world', 'map', 'maxEntries', 'aim', 'cflags', 'clang'],
];

async function run(names: readonly string[], options: Options, command: Command): Promise<void> {
  if (options.mutants !== undefined) requireOnly(command, '--mutants', OF_MUTANTS);
  else if (options.minScore !== undefined)
    throw inputFailure('--min-score is a share of mutants: give --mutants, too');
  const plan = planOf(names, options);
  if (options.mutants !== undefined) {
    const { scoreMutants } = await import('../verify/mutants.ts');
    process.exitCode = await scoreMutants(plan, { ...options, mutants: options.mutants });
    return;
  }
  await verifyPlan(plan, options);
}

function planOf(names: readonly string[], options: Options): VerifyPlan {
  return {
    programs: names,
    compiler: compilerSettings(),
    live: options.live === true,
    ...versionOption(options.asKernel),
    surroundings: surroundingsOf(options),
    guided: options.guide,
    packets: options.packets,
    seed: options.seed ?? freshSeed(),
    oracle: options.oracle,
    maxDivergences: options.maxDivergences,
    shrinkSeconds: options.shrinkTime,
    directory: resolve(options.report ?? 'corpus/regressions'),
    ...(options.object === undefined ? {} : { object: options.object }),
    ...(options.engines === undefined ? {} : { engines: options.engines }),
    ...(options.runs === undefined ? {} : { runs: options.runs }),
    ...(options.time === undefined ? {} : { seconds: options.time }),
  };
}

/** One program after the other, each printed when it is done, and what is said of all at the end. */
async function verifyPlan(plan: VerifyPlan, options: Options): Promise<void> {
  // What is wrong with the command line is said before anything else.
  const required = requirementsOf(options);
  const chosen = chooseEngines(plan.engines, plan.live, plan.asKernel);
  const workers = options.workers ?? (runsHere(plan) ? 'here' : usualWorkers(plan));
  if (workers !== 'here') requireSensible(workers);
  await requireReportFiles([options.coverage, options.junit]);
  const interrupt = onInterrupt(async () => {
    verifier.kill();
    await verifier.close();
  });
  const verifier = new Verifier(plan, workers, interrupt.signal);
  const prove = options.prove === undefined ? undefined : await import('../prove/aid.ts');
  const proofs = await prove?.startProofs('--prove', options.prove!, interrupt.signal);
  const { programs, left, warnings } = await verifier.open();
  for (const text of warnings) reportLines(text);
  const terminal = createTerminal(options);
  const quiet = options.json === true;
  const assumed = assumedSizes(programs);
  announceMemory(programs);
  if (!quiet) printHeader(plan, enginesOf(chosen, programs), assumed, terminal);

  const start = performance.now();
  const all: Tested[] = [];
  const width = Math.max(
    ...[...programs.map(({ name }) => name), ...left.map(({ program }) => program)].map(
      ({ length }) => length,
    ),
  );
  for (const [index, program] of programs.entries()) {
    if (interrupt.signal.aborted) break;
    const watch = {
      signal: interrupt.signal,
      onProgress: (progress: Progress) => terminal.progress(() => progressLine(progress)),
    };
    const aid = await proofs?.aid(program, { terminal });
    const report = await verifier.verify(index, program, watch, prove?.casesOfAid(aid));
    terminal.clearProgress();
    const one = { ...tested(program, report, required, aid), oracle: plan.oracle };
    all.push(one);
    if (!quiet) printProgram(one, width, options, runOptions(one, options, plan), terminal);
  }
  await verifier.close();
  await proofs?.end();
  await outputSettled();
  interrupt.release();
  const unstarted = programs
    .slice(all.length)
    .map(({ name }) => ({ program: name, reason: 'interrupted before' }));
  const notTested = [...left, ...unstarted];
  if (quiet) printDocument(plan, all, notTested, assumed);
  else {
    for (const line of notTestedLines(notTested, width, terminal)) terminal.print(line);
    terminal.print();
    const closing = {
      seed: plan.seed,
      seconds: (performance.now() - start) / 1000,
      verbose: options.verbose === true,
      interrupted: interrupt.signal.aborted,
    };
    for (const line of closingLines(all, closing, terminal)) terminal.print(line);
  }
  process.exitCode = exitCodeAfter(interrupt.cause, exitCodeOf(all));
  await writeReports(programs, all, options, plan.seed);
}

function requirementsOf({ require, minCoverage }: Options): Requirements {
  return { engines: engineNames(require), ...(minCoverage === undefined ? {} : { minCoverage }) };
}

function printHeader(
  plan: VerifyPlan,
  engines: string,
  assumed: readonly string[],
  terminal: Terminal,
): void {
  const kernel = plan.asKernel === undefined ? '' : `, as Linux ${plan.asKernel}`;
  terminal.print(`seed ${plan.seed}, engines ${engines}${kernel}`);
  for (const line of assumed) terminal.print(terminal.style('yellow', line));
  terminal.print();
}

/** `--json`. */
function printDocument(
  plan: VerifyPlan,
  all: readonly Tested[],
  notTested: readonly unknown[],
  assumed: readonly string[],
): void {
  printJson({
    version: 1,
    seed: plan.seed,
    ...versionOption(plan.asKernel),
    programs: all.map(testedToJson),
    notTested,
    assumed,
  });
}

/** `--coverage` and `--junit`. */
function writeReports(
  programs: readonly Program[],
  all: readonly Tested[],
  { coverage, junit }: Options,
  seed: string,
): Promise<void> {
  const files: ReportFile[] = [
    [
      coverage,
      () =>
        coverageFile(
          programs,
          all.map(({ report }) => report),
        ),
    ],
    [junit, () => toJunit(all, seed)],
  ];
  return writeReportFiles(files, process.exitCode === EXIT.found);
}

/** Those that the header names. A model runs where some program has one. */
function enginesOf({ engines }: ChosenEngines, programs: readonly Program[]): string {
  const hasModel = programs.some(({ definition }) => definition !== undefined);
  const names = engines.map((engine) => engine.name);
  return names.filter((name) => name !== 'model' || hasModel).join(', ');
}

/** A reader that has gone does not make a finding undone; a signal says that the user knows it is not all. */
function exitCodeAfter(cause: InterruptCause | undefined, code: number): number {
  if (cause === undefined || (cause === 'output closed' && code === EXIT.found)) return code;
  return EXIT.interrupted;
}

/** Each worker is a process of its own. */
function requireSensible(workers: number): void {
  if (workers > MAX_WORKERS) {
    throw inputFailure(
      `--workers takes at most ${MAX_WORKERS}, not ${workers}: each is a process of its own, with about 80 MB of memory`,
      `this machine has ${availableParallelism()} cores; more workers than cores make nothing faster`,
    );
  }
  if (workers > availableParallelism()) {
    reportLine(
      `xdpsim: ${workers} workers on ${availableParallelism()} cores make nothing faster; the results are the same`,
    );
  }
}

function progressLine({ program, packets, total, seconds, divergences, shrinking }: Progress): string {
  const speed = rate(packets, seconds);
  const left = Number.isFinite(total) ? ` of ${count(total)}, ${timeLeft(packets, total, seconds)} left` : '';
  const found = divergences === 0 ? '' : `, ${divergences} found`;
  return `${program}: ${count(packets)}${left}, ${speed}${found}${shrinking ? ', shrinking' : ''}`;
}

function timeLeft(packets: number, total: number, seconds: number): string {
  if (packets === 0) return 'some time';
  return `${Math.max(0, Math.ceil((seconds / packets) * (total - packets)))} s`;
}

/** What the command that repeats a finding needs besides the program. */
function runOptions({ report }: Tested, options: Options, plan: VerifyPlan): RunOptions {
  const { maxDivergences, report: directory, oracle } = options;
  return {
    engines: report.engines.filter(({ status }) => status !== 'skipped').map(({ name }) => name),
    words: [
      ...worldWords(options),
      ...options.packets.flatMap((file) => ['--packets', file]),
      ...(options.guide ? [] : ['--no-guide']),
      ...(options.prove === undefined
        ? []
        : ['--prove', ...(options.prove === true ? [] : [`${options.prove}s`])]),
      ...(oracle === 'all' ? [] : ['--oracle', oracle]),
      ...(maxDivergences === 1 ? [] : ['--max-divergences', String(maxDivergences)]),
      ...(directory === undefined ? [] : ['--report', directory]),
    ],
    seed: plan.seed,
    ...versionOption(plan.asKernel),
    ...(plan.runs === undefined ? {} : { runs: plan.runs }),
    timed: plan.seconds !== undefined,
  };
}

function printProgram(
  one: Tested,
  width: number,
  { verbose = false }: Options,
  run: RunOptions,
  terminal: Terminal,
): void {
  terminal.print(programLine(one, width, terminal));
  for (const line of detailLines(one, verbose, terminal)) terminal.print(line);
  for (const divergence of one.report.divergences) {
    terminal.print();
    for (const line of explain(one.program, divergence, { style: terminal.style, run }))
      terminal.print(`  ${line}`);
    terminal.print();
  }
  for (const line of furtherLines(one)) terminal.print(line);
}
