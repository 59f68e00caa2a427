/** `xdpsim check`: the gate before deploy. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { RunOptions } from '../../verify/explain/command.ts';
import type { CheckPlan } from '../check/plan.ts';
import { checkReportJson } from '../check/report-json.ts';
import { checkedLines, verdictLine } from '../check/report-text.ts';
import { checkAll, programsOf } from '../check/run.ts';
import { exitCodeOfCheck } from '../check/verdict.ts';
import { EXIT } from '../failure.ts';
import { parseKernelVersion } from '../input/kernel-version.ts';
import { assumedSizes } from '../input/max-entries.ts';
import { announceMemory } from '../input/memory.ts';
import {
  freshSeed,
  parseCount,
  parseDuration,
  parseDurationOrOff,
  parseOutput,
  parsePercent,
  repeated,
} from '../input/options.ts';
import {
  aimOption,
  mapOption,
  maxEntriesOption,
  surroundingsOf,
  type WorldOptions,
  worldOption,
  worldWords,
} from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson } from '../output.ts';
import { count, createTerminal, rate } from '../terminal.ts';

interface Options extends WorldOptions {
  readonly runs?: number;
  readonly time?: number;
  readonly seed?: string;
  readonly off: readonly string[];
  readonly only: readonly string[];
  readonly asKernel: readonly KernelVersion[];
  readonly sweeps: boolean;
  readonly shrinkTime: number;
  readonly minCoverage?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly report?: string;
  readonly color: boolean;
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('is an object safe to deploy? no model needed: PASS (0), FAIL (1) or INCOMPLETE (4)')
    .argument('[object...]', 'objects FILE.o[:FUNCTION], or built-in programs')
    .option('--off <invariant>', 'do not judge it (checksum/other-zero), or its group (ttl)', repeated, [])
    .option('--only <invariant>', 'judge only this one or this group; may be repeated', repeated, [])
    .option('--runs <n>', 'packets to generate for each program (default: 40000)', parseCount('--runs'))
    .option('--time <time>', 'how long to generate for each program, like 60s', parseDuration('--time'))
    .option('--seed <seed>', 'any text; the same seed gives the same packets')
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
      'INCOMPLETE unless packets reached this share of the branches (default: 80)',
      parsePercent('--min-coverage'),
    )
    .option(
      '--shrink-time <time>',
      'stop making a packet smaller after this long; 0: do not shrink',
      parseDurationOrOff('--shrink-time'),
      3,
    )
    .option('--verbose', 'explain notes, too, and list everything that was not reached')
    .option('--json', 'print one JSON document')
    .option('--report <dir>', 'where cases are saved (default: corpus/regressions)', parseOutput('--report'))
    .option('--no-color', 'no colours')
    .action(run);
}

function parseKernelVersions(text: string, before: readonly KernelVersion[]): readonly KernelVersion[] {
  return [...before, ...text.split(',').map((one) => parseKernelVersion(one.trim()))];
}

async function run(names: readonly string[], options: Options): Promise<void> {
  const plan = planOf(names, options);
  const interrupt = onInterrupt();
  const placed = await programsOf(plan);
  const programs = placed.map(({ program }) => program);
  const terminal = createTerminal(options);
  announceMemory(programs);
  const quiet = options.json === true;
  if (!quiet) {
    terminal.print(`seed ${plan.seed}`);
    for (const line of assumedSizes(programs)) terminal.print(terminal.style('yellow', line));
  }
  const all = await checkAll(plan, placed, {
    signal: interrupt.signal,
    onProgress: ({ program, phase, packets, seconds, divergences }) => {
      const found = divergences === 0 ? '' : `, ${divergences} found`;
      terminal.progress(() => `${program}: ${phase}: ${count(packets)}, ${rate(packets, seconds)}${found}`);
    },
    onChecked: (checked, program) => {
      terminal.clearProgress();
      if (quiet) return;
      terminal.print();
      const text = { verbose: options.verbose === true, run: runOptions(plan, options) };
      for (const line of checkedLines(checked, program, text, terminal)) terminal.print(line);
      terminal.print(verdictLine(checked, terminal));
    },
  });
  interrupt.release();
  const isInterrupted = interrupt.signal.aborted;
  if (quiet) printJson(checkReportJson(all, plan.seed, isInterrupted));
  else if (isInterrupted)
    terminal.print(terminal.style('yellow', 'Interrupted: this is what was done until then.'));
  const code = exitCodeOfCheck(all, isInterrupted);
  const isUsersWill =
    interrupt.cause !== undefined && !(interrupt.cause === 'output closed' && code === EXIT.found);
  process.exitCode = isUsersWill ? EXIT.interrupted : code;
}

function planOf(programs: readonly string[], options: Options): CheckPlan {
  const { runs, time, asKernel, off, only, sweeps, shrinkTime, minCoverage, report } = options;
  return {
    programs,
    surroundings: surroundingsOf(options),
    seed: options.seed ?? freshSeed(),
    asKernels: asKernel,
    off,
    only,
    sweeps,
    shrinkSeconds: shrinkTime,
    directory: resolve(report ?? 'corpus/regressions'),
    ...(runs === undefined ? {} : { runs }),
    ...(time === undefined ? {} : { seconds: time }),
    ...(minCoverage === undefined ? {} : { minCoverage }),
  };
}

/** What the command that repeats a finding needs besides the program. */
function runOptions(plan: CheckPlan, { report }: Options): RunOptions {
  return {
    command: 'check',
    engines: [],
    seed: plan.seed,
    words: [
      ...worldWords(plan.surroundings),
      ...plan.off.flatMap((name) => ['--off', name]),
      ...plan.only.flatMap((name) => ['--only', name]),
      ...(report === undefined ? [] : ['--report', report]),
    ],
    ...(plan.runs === undefined ? {} : { runs: plan.runs }),
    timed: plan.seconds !== undefined,
  };
}
