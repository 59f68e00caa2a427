/** `xdpsim check`: the gate before deploy. */
import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { RunOptions } from '../../verify/explain/command.ts';
import { isNamed } from '../../verify/invariants/rules.ts';
import { Baseline, readBaseline, writeBaseline } from '../check/baseline.ts';
import { type JudgedProgram, judge, withNotJudged } from '../check/judged.ts';
import { type OutputOptions, requireOutputs, writeOutputs } from '../check/outputs.ts';
import {
  baselinePath,
  type CheckOptions,
  type CheckPlan,
  type CompiledPlan,
  plansOf,
} from '../check/plans.ts';
import { repeatWords } from '../check/repeat-words.ts';
import { githubLines } from '../check/report-github.ts';
import { checkReportJson } from '../check/report-json.ts';
import { acceptedLines, checkedLines, leftLine, verdictLine } from '../check/report-text.ts';
import { checkAll, programsOf } from '../check/run.ts';
import { isOn } from '../check/scope.ts';
import { exitCodeOfCheck, overallVerdict } from '../check/verdict.ts';
import { watchFiles } from '../check/watch-files.ts';
import { cflagsOption, clangOption, useCompiler } from '../compile/settings.ts';
import { findConfig, type LoadedConfig, loadConfig } from '../config/load.ts';
import { EXIT, inputFailure, reportError, toFailure } from '../failure.ts';
import { parseKernelVersion } from '../input/kernel-version.ts';
import { assumedSizes } from '../input/max-entries.ts';
import { announceMemory } from '../input/memory.ts';
import { freshSeed, parseDirectory, parseOutput, parsePercent, repeated } from '../input/options.ts';
import {
  ENTERED,
  isFileName,
  type NotTested,
  notTested,
  parseObjectName,
  requireNames,
} from '../input/program-source.ts';
import { isThere } from '../input/read-file.ts';
import { filesOf } from '../input/read-object.ts';
import { runsOption, seedOption, shrinkTimeOption, timeOption } from '../input/run-options.ts';
import { toldApart } from '../input/told-apart.ts';
import {
  aimOption,
  mapOption,
  maxEntriesOption,
  type PlacedProgram,
  worldOption,
} from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { clearScreen, printJson, reportLine } from '../output.ts';
import { count, createTerminal, rate, type Terminal } from '../terminal.ts';

interface Options extends CheckOptions, OutputOptions {
  readonly verbose?: boolean;
  readonly config?: string | false;
  readonly baseline?: string;
  readonly updateBaseline?: boolean;
  readonly watch?: boolean;
  readonly color: boolean;
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('is an object safe to deploy? no model needed: PASS (0), FAIL (1) or INCOMPLETE (4)')
    .argument(
      '[object...]',
      'objects or C sources FILE[:FUNCTION], or built-in programs; default: those of the configuration file',
    )
    .option('--off <invariant>', 'do not judge it (checksum/other-zero), or its group (ttl)', repeated, [])
    .option('--only <invariant>', 'judge only this one or this group; may be repeated', repeated, [])
    .addOption(runsOption(40000))
    .addOption(timeOption())
    .addOption(seedOption())
    .option('--no-sweeps', 'do not sweep the words that the program rewrites')
    .option(
      '--as-kernel <versions>',
      'kernels, like 6.1,6.12, as which the machine is to do the same',
      parseKernelVersions,
      [],
    )
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(aimOption())
    .option(
      '--min-coverage <percent>',
      'INCOMPLETE unless packets reached this share of branches and instructions (default: 80)',
      parsePercent('--min-coverage'),
    )
    .option('--strict', 'warnings fail the check, too')
    .addOption(shrinkTimeOption('a packet', 3))
    .option('--verbose', 'explain notes, too, and list everything that was not reached')
    .option('--json', 'print one JSON document')
    .option('--junit <file>', 'write a JUnit report', parseOutput('--junit'))
    .option('--sarif <file>', 'write SARIF 2.1.0, for code scanning', parseOutput('--sarif'))
    .addOption(
      new Option('--github', 'print workflow commands, which GitHub shows on the lines').conflicts('json'),
    )
    .option(
      '--config <file>',
      'the configuration file (default: xdpsim.config.json, .jsonc, .js, .mjs, .ts or .mts here)',
    )
    .option('--no-config', 'without the configuration file')
    .option(
      '--baseline <file>',
      'accepted findings (default: xdpsim.baseline.json)',
      parseOutput('--baseline'),
    )
    .option('--update-baseline', 'accept all errors and warnings that are found')
    .addOption(
      new Option(
        '--watch',
        'check again whenever a source, what it includes, or the configuration changes',
      ).conflicts(['json', 'junit', 'sarif', 'github', 'updateBaseline']),
    )
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option(
      '--report <dir>',
      'where cases are saved (default: corpus/regressions)',
      parseDirectory('--report'),
    )
    .option('--no-color', 'no colours')
    .action(run);
}

function parseKernelVersions(text: string, before: readonly KernelVersion[]): readonly KernelVersion[] {
  return [...before, ...text.split(',').map((one) => parseKernelVersion(one.trim()))];
}

async function run(names: readonly string[], options: Options): Promise<void> {
  await requireOutputs(options);
  if (options.watch === true) return watch(names, options);
  const interrupt = onInterrupt();
  const prepared = await prepare(names, options);
  const { baseline, baselineFile, seed } = prepared;
  const terminal = createTerminal(options);
  const quiet = options.json === true;
  if (!quiet) {
    terminal.print(`seed ${seed}`);
    const notes = [
      ...assumedSizes(prepared.programs),
      ...prepared.left.map((one) => leftLine('Not checked', one)),
    ];
    for (const line of notes) terminal.print(terminal.style('yellow', line));
  }
  const judged = await checkPrepared(prepared, interrupt.signal, terminal, (one, plan) => {
    if (!quiet) printJudged(one, plan, options, terminal);
  });
  // No signal gets its usual meaning back: it would cut off the report, which may wait for whoever reads it.
  const isInterrupted = interrupt.signal.aborted;
  const all = judged.map(({ checked }) => checked);
  if (quiet) printJson(checkReportJson(all, seed, isInterrupted, judged, prepared.left));
  else if (isInterrupted)
    terminal.print(terminal.style('yellow', 'Interrupted: this is what was done until then.'));
  if (options.github === true) for (const line of githubLines(judged)) terminal.print(line);
  const code = exitCodeOfCheck(all, isInterrupted);
  const isUsersWill =
    interrupt.cause !== undefined && !(interrupt.cause === 'output closed' && code === EXIT.found);
  process.exitCode = isUsersWill ? EXIT.interrupted : code;
  // What a new baseline accepts is no failure, so that the code may be another yet.
  const isFound = process.exitCode === EXIT.found && options.updateBaseline !== true;
  await writeOutputs(judged, seed, { interrupted: isInterrupted, isFound }, options);
  if (options.updateBaseline !== true) {
    for (const { invariant, file, line } of isInterrupted ? [] : baseline.gone(judged)) {
      const place = line === undefined ? (file ?? '') : `${file}:${line}`;
      reportLine(
        `${baselineFile}: ${invariant} at ${place} is no longer found; --update-baseline removes it`,
      );
    }
    return;
  }
  if (isInterrupted) {
    reportLine(`${baselineFile}: not changed, since the run was interrupted`);
    return;
  }
  const updated = baseline.updated(judged);
  await writeBaseline(baselineFile, updated);
  // What is accepted now is no failure any more.
  const accepting = new Baseline(updated.findings, dirname(baselineFile));
  const again = judged.map(({ program, original, thresholds, isJudged: isOn }) =>
    judge(program, original, { reasonFor: accepting.reasonsFor(program), thresholds, isOn }),
  );
  const after = again.map(({ checked }) => checked);
  const { length } = updated.findings;
  const { verdict } = overallVerdict(after, false);
  reportLine(`${baselineFile}: ${length} accepted finding${length === 1 ? '' : 's'}; with them: ${verdict}`);
  process.exitCode = exitCodeOfCheck(after, false);
}

interface Prepared {
  readonly loaded: LoadedConfig | undefined;
  readonly jobs: readonly { readonly compiled: CompiledPlan; readonly placed: readonly PlacedProgram[] }[];
  readonly programs: readonly Program[];
  /** Functions of the objects that are not checked by themselves. */
  readonly left: readonly NotTested[];
  readonly baseline: Baseline;
  readonly baselineFile: string;
  readonly seed: string;
}

/** Reads, compiles and places everything: what is wrong with one of the programs is said before any is checked. */
async function prepare(names: readonly string[], options: Options): Promise<Prepared> {
  const loaded = await loadConfig(options.config);
  const plans = plansOf(names, options, loaded);
  const baselineFile = baselinePath(options.baseline, loaded);
  // One that the command line names is there, or is to be written; the one that a configuration names may come later.
  if (options.baseline !== undefined && options.updateBaseline !== true && !isThere(baselineFile))
    throw inputFailure(`${baselineFile}: no such file`, 'xdpsim check --update-baseline writes it.');
  const baseline = readBaseline(baselineFile);
  const resolved: Prepared['jobs'][number][] = [];
  const left: NotTested[] = [];
  for (const compiled of plans) {
    useCompiler(compiled.compiler);
    resolved.push({ compiled, placed: await programsOf(compiled.plan) });
    left.push(...notTested(compiled.asked, ENTERED));
  }
  const programs = toldApart(resolved.flatMap(({ placed }) => placed.map(({ program }) => program)));
  let at = 0;
  const jobs = resolved.map(({ compiled, placed }) => ({
    compiled,
    placed: placed.map((one) => ({ ...one, program: programs[at++]! })),
  }));
  announceMemory(programs);
  return { loaded, jobs, programs, left, baseline, baselineFile, seed: plans[0]!.plan.seed };
}

async function checkPrepared(
  { jobs, baseline }: Prepared,
  signal: AbortSignal,
  terminal: Terminal,
  onJudged: (judged: JudgedProgram, plan: CheckPlan) => void,
): Promise<JudgedProgram[]> {
  const judged: JudgedProgram[] = [];
  for (const { compiled, placed } of jobs) {
    const { plan, notJudged } = compiled;
    await checkAll(plan, placed, {
      signal,
      onProgress: ({ program, phase, packets, seconds, divergences }) => {
        const found = divergences === 0 ? '' : `, ${divergences} found`;
        terminal.progress(() => `${program}: ${phase}: ${count(packets)}, ${rate(packets, seconds)}${found}`);
      },
      onChecked: (checked, program) => {
        terminal.clearProgress();
        const one = judge(program, withNotJudged(checked, notJudged), {
          reasonFor: baseline.reasonsFor(program),
          thresholds: plan.thresholds,
          isOn: (id) => isJudgedBy(plan, id),
        });
        judged.push(one);
        onJudged(one, plan);
      },
    });
  }
  return judged;
}

/** Other kernels are looked at only where some are named. */
function isJudgedBy(plan: CheckPlan, invariant: string): boolean {
  return isOn(plan, invariant) && (plan.asKernels.length > 0 || !isNamed(invariant, 'kernel-version'));
}

function printJudged(one: JudgedProgram, plan: CheckPlan, options: Options, terminal: Terminal): void {
  terminal.print();
  const text = { verbose: options.verbose === true, run: runOptions(plan, options) };
  for (const line of checkedLines(one.checked, one.program, text, terminal)) terminal.print(line);
  for (const line of acceptedLines(one)) terminal.print(line);
  terminal.print(verdictLine(one.checked, terminal));
}

/** `--watch`: a quick check at once, whose verdict comes while you look, then the whole one, until something changes. */
async function watch(names: readonly string[], options: Options): Promise<void> {
  requireNames(names);
  const terminal = createTerminal(options);
  const interrupt = onInterrupt();
  const seed = options.seed ?? freshSeed();
  const quick: Options = {
    ...options,
    ...{
      seed,
      sweeps: false,
      runs: Math.min(options.runs ?? QUICK_RUNS, QUICK_RUNS),
      shrinkTime: 0.5,
      effort: QUICK_EFFORT,
    },
  };
  await watchFiles({
    signal: interrupt.signal,
    files: () => watchedFiles(names, options),
    onChange: async (signal, since) => {
      clearScreen();
      const seconds = (): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
      try {
        const prepared = await prepare(names, quick);
        const show =
          (own: Options) =>
          (one: JudgedProgram, plan: CheckPlan): void => {
            // Of a round that was overtaken nothing is shown.
            if (!signal.aborted) printJudged(one, plan, own, terminal);
          };
        const first = await checkPrepared(prepared, signal, terminal, show(quick));
        if (signal.aborted) return;
        const verdict = overallVerdict(
          first.map(({ checked }) => checked),
          false,
        );
        terminal.print();
        terminal.print(`Quick check: ${verdict.verdict.toUpperCase()} after ${seconds()}`);
        if (verdict.verdict === 'fail') return;
        terminal.print('The whole check goes on …');
        const whole = await checkPrepared(
          await prepare(names, { ...options, seed }),
          signal,
          terminal,
          show(options),
        );
        if (signal.aborted) return;
        const final = overallVerdict(
          whole.map(({ checked }) => checked),
          false,
        );
        terminal.print();
        terminal.print(`Whole check: ${final.verdict.toUpperCase()} after ${seconds()}`);
      } catch (error) {
        // What can be put right by the next save is shown, and waited for.
        if (toFailure(error)?.exitCode !== EXIT.input) throw error;
        reportError(error);
      }
    },
    onWait: (missing) => terminal.print(terminal.style('dim', waitingLine(missing, names))),
  });
  interrupt.release();
  process.exitCode = EXIT.interrupted;
}

/** @param names as the user gave them: files that are read only where they are there, as a baseline is, are not named */
function waitingLine(missing: readonly string[], names: readonly string[]): string {
  const named = names.map((name) => parseObjectName(name).path);
  const absent = [...new Set(named)].filter((path) => isFileName(path) && missing.includes(resolve(path)));
  const what = absent.length === 0 ? '' : `${absent.join(' and ')} to be there, and for `;
  return `Waiting for ${what}changes; Ctrl-C ends it.`;
}

/** A verdict on so many packets comes within two seconds for most programs. */
const QUICK_RUNS = 4000;
const QUICK_EFFORT = 200_000;

/** Sources with what they include, the worlds and maps around them, the configuration and the accepted findings. */
async function watchedFiles(names: readonly string[], options: Options): Promise<string[]> {
  const beside = [options.world, ...options.map.map((text) => text.slice(text.indexOf('=') + 1))];
  const config = options.config === false ? undefined : (options.config ?? findConfig('.'));
  const files = [
    ...names,
    ...beside.filter((one) => one !== undefined),
    ...(config === undefined ? [] : [config]),
  ];
  try {
    const loaded = await loadConfig(options.config);
    for (const { plan } of plansOf(names, { ...options, seed: 'watch' }, loaded)) {
      const { world, map } = plan.surroundings;
      files.push(...plan.programs, ...(world === undefined ? [] : [world]));
      files.push(...map.map((text) => text.slice(text.indexOf('=') + 1)));
    }
    files.push(baselinePath(options.baseline, loaded));
  } catch {
    // What is wrong with the configuration is said when it is read to check.
  }
  return files.flatMap((file) => filesOf(parseObjectName(file).path));
}

/** What the command that repeats a finding needs besides the program. */
function runOptions(plan: CheckPlan, { report, config }: Options): RunOptions {
  return {
    command: 'check',
    engines: [],
    seed: plan.seed,
    words: repeatWords(plan, { report, config }),
    ...(plan.runs === undefined ? {} : { runs: plan.runs }),
    timed: plan.seconds !== undefined,
  };
}
