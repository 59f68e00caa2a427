/** `xdpsim prove`: every path of a program, its branches decided, its checksums right for all packets. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { DEFAULT_LIMITS } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { RunOptions } from '../../verify/explain/command.ts';
import { isKnownRule, isNamed } from '../../verify/invariants/rules.ts';
import type { Property } from '../../verify/prove/property.ts';
import { PROOF_TIME, type ProgramProof, proveProgram } from '../../verify/prove/prove.ts';
import { showRefutation } from '../../verify/prove/show-refutation.ts';
import { endZ3 } from '../../verify/prove/z3-solver.ts';
import { leftLine } from '../check/report-text.ts';
import { notJudged } from '../check/scope.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { createEngineAs, versionOption } from '../engines.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { requireOnly } from '../input/given-options.ts';
import { AS_KERNEL_HELP, parseKernelVersion } from '../input/kernel-version.ts';
import { withMaxEntries } from '../input/max-entries.ts';
import { MANY, parseCount, parseDirectory, parseDuration, repeated } from '../input/options.ts';
import { ENTERED, notTested, resolvePrograms } from '../input/program-source.ts';
import { toldApart } from '../input/told-apart.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson } from '../output.ts';
import { type AgainstReport, against } from '../prove/against.ts';
import { againstVerdict, proveAgainstJson } from '../prove/against-json.ts';
import { againstLines } from '../prove/against-text.ts';
import { interruptible } from '../prove/interruptible.ts';
import { type ProveReport, type ProveVerdict, reportOf } from '../prove/report.ts';
import { overallVerdict, proveReportJson } from '../prove/report-json.ts';
import { proveLines } from '../prove/report-text.ts';
import { saveRefutations } from '../prove/save.ts';
import { requireSolver } from '../prove/solver.ts';
import { count, createTerminal } from '../terminal.ts';

interface Options {
  readonly against?: string;
  readonly time: number;
  readonly paths: number;
  readonly maxLength: number;
  readonly solverTime: number;
  readonly maxEntries: readonly string[];
  readonly asKernel?: KernelVersion;
  readonly off: readonly string[];
  readonly allPaths?: boolean;
  readonly json?: boolean;
  readonly report?: string;
  readonly color: boolean;
}

/** How long a packet that refutes something is made smaller. */
const SHRINK_SECONDS = 3;
/** Frames that are longer make formulas that nobody solves. */
const LONGEST = 1514;

export function registerProve(program: Command): void {
  program
    .command('prove')
    .description(
      'follow every path of an object: branches reached or unreachable, checksums right for all packets',
    )
    .argument('[object...]', 'objects or C sources FILE[:FUNCTION], or built-in programs')
    .option(
      '--against <object>',
      'another build: prove that it treats all packets alike, or show one that it does not',
    )
    .option(
      '--time <time>',
      'how long for each program, all in all, like 60s',
      parseDuration('--time'),
      PROOF_TIME / 1000,
    )
    .option('--paths <n>', 'paths to follow at the most', parseCount('--paths', MANY), 20_000)
    .option('--max-length <n>', 'frames have at most this many bytes', parseCount('--max-length'), 128)
    .option(
      '--solver-time <time>',
      'how long for one question to the solver',
      parseDuration('--solver-time'),
      5,
    )
    .option(
      '--max-entries <name=n>',
      'the size of a map, as a loader sets it: in place of what it declares, or where it leaves that to its loader',
      repeated,
      [],
    )
    .option('--as-kernel <version>', AS_KERNEL_HELP, parseKernelVersion)
    .option('--off <invariant>', 'leave this property out (ttl/step), or its group (reply)', repeated, [])
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option('--all-paths', 'print the whole tree of paths')
    .option('--json', 'print one JSON document')
    .option(
      '--report <dir>',
      'where packets that refute something are saved (default: corpus/regressions)',
      parseDirectory('--report'),
    )
    .option('--no-color', 'no colours')
    .action(run);
}

/** What counts with `--against`: nothing is judged there but whether both builds do the same. */
const OF_AGAINST: readonly string[] = [
  ...['time', 'paths', 'maxLength', 'solverTime', 'maxEntries', 'asKernel'],
  ...['cflags', 'clang', 'json', 'report', 'color'],
];

async function run(names: readonly string[], options: Options, command: Command): Promise<void> {
  if (options.against !== undefined) requireOnly(command, '--against', OF_AGAINST);
  if (names.length === 0) {
    throw inputFailure('no program given: name an object, OBJECT[:FUNCTION], or a built-in program');
  }
  if (options.maxLength > LONGEST || options.maxLength < 14) {
    throw inputFailure(`--max-length must be from 14 to ${LONGEST} bytes, not ${options.maxLength}`);
  }
  for (const name of options.off) {
    if (!isProvable(name))
      throw inputFailure(`--off: there is no property “${name}”; docs/prove.md lists them`);
  }
  const isOn = (id: string): boolean => !options.off.some((name) => isNamed(id, name));
  if (options.against !== undefined) {
    await runAgainst(names, options.against, options);
    return;
  }
  const interrupt = onInterrupt();
  const named = toldApart(await resolvePrograms(names, undefined, undefined, ENTERED));
  const programs = withMaxEntries(named, options.maxEntries).flatMap(byEntry);
  const solver = await requireSolver('prove', { timeout: options.solverTime * 1000 });
  const terminal = createTerminal(options);
  const quiet = options.json === true;
  const reports: ProveReport[] = [];
  try {
    for (const program of programs) {
      if (interrupt.signal.aborted) break;
      const proved = await proveProgram(program, {
        solver: interruptible(solver, interrupt.signal),
        limits: { ...DEFAULT_LIMITS, longest: options.maxLength },
        paths: options.paths,
        time: options.time * 1000,
        isOn,
        ...versionOption(options.asKernel),
        stopped: () => interrupt.signal.aborted,
        onProgress: ({ paths, waiting, reached }) =>
          terminal.progress(
            () =>
              `${program.name}: ${count(paths)} paths, ${count(reached)} ways reached, ${count(waiting)} waiting`,
          ),
      });
      const proof = await shownProof(program, proved, options.asKernel, interrupt.signal);
      terminal.clearProgress();
      const saved = await saveRefutations(resolve(options.report ?? 'corpus/regressions'), program, proof);
      const report = reportOf(program, proof, saved);
      reports.push(report);
      if (quiet) continue;
      const shown = { allPaths: options.allPaths === true, run: runOptions(options, command) };
      for (const line of proveLines(report, shown, terminal)) terminal.print(line);
    }
  } finally {
    await endZ3();
  }
  // No signal gets its usual meaning back: it would cut off the report, which may wait for whoever reads it.
  const isInterrupted = interrupt.signal.aborted;
  const { verdict, reason } = overallVerdict(reports, isInterrupted);
  const left = notJudged({ off: options.off, only: [] });
  const others = notTested(names, ENTERED);
  if (quiet) printJson(proveReportJson(reports, isInterrupted, left, others));
  else {
    for (const other of others) terminal.print(terminal.style('yellow', leftLine('Not proved', other)));
    for (const line of left) terminal.print(terminal.style('yellow', `Not proved: ${line}`));
    terminal.print(`${verdict.toUpperCase()}: ${reason}`);
  }
  process.exitCode = exitCodeOf(verdict, isInterrupted);
}

/** For the command that repeats a finding: the options given without which it might not be found. */
function runOptions(options: Options, command: Command): RunOptions {
  const given = (name: keyof Options, ...words: string[]): string[] =>
    command.getOptionValueSource(name) === 'cli' ? words : [];
  const { asKernel, report } = options;
  return {
    command: 'prove',
    engines: [],
    words: [
      ...given('time', '--time', `${options.time}s`),
      ...given('paths', '--paths', String(options.paths)),
      ...given('maxLength', '--max-length', String(options.maxLength)),
      ...given('solverTime', '--solver-time', `${options.solverTime}s`),
      ...options.off.flatMap((name) => ['--off', name]),
      ...(report === undefined ? [] : ['--report', report]),
    ],
    ...(asKernel === undefined ? {} : { asKernel }),
  };
}

/** Has machine and kernel run what refutes something, and what is to blame for it looked up. */
async function shownProof(
  program: Program,
  proof: ProgramProof,
  asKernel: KernelVersion | undefined,
  signal: AbortSignal,
): Promise<ProgramProof> {
  if (!proof.properties.some(({ status }) => status === 'refuted')) return proof;
  const kernel = createEngineAs('testrun', asKernel);
  const isThere = kernel.availability(program).available;
  const properties: Property[] = [];
  for (const property of proof.properties) {
    properties.push(
      signal.aborted
        ? property
        : await showRefutation(property, {
            ...{ program, machine: createEngineAs('vm', asKernel), shrinkSeconds: SHRINK_SECONDS, signal },
            ...(isThere ? { kernel } : {}),
          }),
    );
  }
  return { ...proof, properties };
}

async function runAgainst(names: readonly string[], other: string, options: Options): Promise<void> {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0)
    throw inputFailure(
      `--against compares two builds: name one object besides ${other}, not ${names.length}`,
    );
  const interrupt = onInterrupt();
  const terminal = createTerminal(options);
  const solver = await requireSolver('prove', { timeout: options.solverTime * 1000 });
  let report: AgainstReport;
  try {
    report = await against(name, other, {
      solver: interruptible(solver, interrupt.signal),
      ...{ time: options.time, paths: options.paths, maxLength: options.maxLength },
      asKernel: options.asKernel,
      ...{ maxEntries: options.maxEntries, report: options.report, terminal, signal: interrupt.signal },
    });
  } finally {
    await endZ3();
  }
  // No signal gets its usual meaning back: it would cut off the report, which may wait for whoever reads it.
  const isInterrupted = interrupt.signal.aborted;
  const { verdict, reason } = againstVerdict(report, isInterrupted);
  if (options.json === true) printJson(proveAgainstJson(report, isInterrupted));
  else {
    for (const line of againstLines(report, terminal)) terminal.print(line);
    terminal.print(`${verdict.toUpperCase()}: ${reason}`);
  }
  process.exitCode = exitCodeOf(verdict, isInterrupted);
}

function exitCodeOf(verdict: ProveVerdict, isInterrupted: boolean): number {
  const code = { pass: EXIT.agreed, fail: EXIT.found, incomplete: EXIT.incomplete }[verdict];
  return isInterrupted && verdict !== 'fail' ? EXIT.interrupted : code;
}

/** Names of properties: those of invariants, and the checksum of each layer. */
function isProvable(name: string): boolean {
  return isKnownRule(name) || /^checksum\/(other|ipv4|icmp|icmpv6|tcp|udp|udplite|sctp|dccp)$/.test(name);
}

/** One program for each of its entries. */
function byEntry(program: Program): Program[] {
  if (program.entries.length === 1) return [program];
  const functions = new Set<string>();
  return program.entries.flatMap((entry) => {
    if (functions.has(entry.function)) return [];
    functions.add(entry.function);
    const { objectPath, commandLine = [] } = program;
    return [
      {
        ...{ ...program, name: `${program.name}:${entry.function}`, entries: [entry] },
        commandLine: [`${objectPath ?? program.name}:${entry.function}`, ...commandLine.slice(1)],
      },
    ];
  });
}
