/** `xdpsim diff`: which packets two builds of a program treat differently. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { casesFromCapture } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { runningKernel } from '../../kernel/libbpf/kernel-facts.ts';
import { packageFile } from '../../kernel/package-file.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { mergedHints, type NamedWorld } from '../../sim/runtime/program.ts';
import { worldsOf } from '../../verify/batch-plan.ts';
import { type DiffOptions, type DiffReport, diff } from '../../verify/diff/diff.ts';
import type { BuildPair } from '../../verify/diff/pair.ts';
import { type AgainstProof, proveAgainst } from '../../verify/prove/against/against.ts';
import { createZ3Solver, endZ3 } from '../../verify/prove/z3-solver.ts';
import { totalPackets } from '../../verify/run.ts';
import { cflagsOption } from '../compile/settings.ts';
import { type Build, resolveBuilds } from '../diff/builds.ts';
import type { Compared, ComparedProgram } from '../diff/compared.ts';
import { changedDeclarations } from '../diff/declarations.ts';
import { isIdentical, type ProgramPair, pairPrograms } from '../diff/pairs.ts';
import { diffToJson } from '../diff/report-json.ts';
import { differingLines, mapLines, sameLine } from '../diff/report-text.ts';
import { saveExamples } from '../diff/save.ts';
import { createEngineAs, versionOption } from '../engines.ts';
import { EXIT } from '../failure.ts';
import { AS_KERNEL_HELP, parseKernelVersion } from '../input/kernel-version.ts';
import { assumedSizes } from '../input/max-entries.ts';
import { announceMemory } from '../input/memory.ts';
import { freshSeed, parseCount, parseDirectory, repeated } from '../input/options.ts';
import { casesForProgram } from '../input/program-cases.ts';
import { runsOption, seedOption, shrinkTimeOption, timeOption } from '../input/run-options.ts';
import {
  aimOption,
  mapOption,
  maxEntriesOption,
  type PlacedProgram,
  placePrograms,
  surroundingsOf,
  type WorldOptions,
  worldOption,
} from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson, reportLine } from '../output.ts';
import { showSuspects, wordsOf } from '../prove/against.ts';
import { interruptible } from '../prove/interruptible.ts';
import { count, createTerminal, type Terminal } from '../terminal.ts';

/** Milliseconds that a proof may take where no packet differs, and one question to the solver. */
const PROVE_TIME = 20_000;
const SOLVER_TIME = 15_000;
/** The solver's own steps for one question, some seconds on any machine: they, and not its load, decide what is proved. */
const SOLVER_STEPS = 5_000_000;

interface Options extends WorldOptions {
  readonly flags: readonly string[];
  readonly asKernel?: KernelVersion;
  readonly clang: readonly string[];
  readonly cflags: readonly string[];
  readonly runs?: number;
  readonly time?: number;
  readonly seed?: string;
  readonly packets: readonly string[];
  readonly sweeps: boolean;
  readonly prove: boolean;
  readonly maxClasses: number;
  readonly shrinkTime: number;
  readonly report?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

export function registerDiff(program: Command): void {
  program
    .command('diff')
    .description('show which packets two builds of a program treat differently, and what decides it')
    .argument('<old>', 'an object or C source FILE[:FUNCTION], or a built-in program')
    .argument(
      '[new]',
      'the build to compare it with; left out where --flags or --clang make several of one source',
    )
    .option(
      '--flags <flags>',
      'compile the source with these flags; give it once for each build',
      repeated,
      [],
    )
    .option('--clang <command>', 'the compiler; given more than once, a build with each', repeated, [])
    .addOption(cflagsOption())
    .addOption(runsOption(20000))
    .addOption(timeOption())
    .addOption(seedOption())
    .option('--packets <file>', 'captures and saved cases to run first; may be repeated', repeated, [])
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(aimOption())
    .option('--as-kernel <version>', AS_KERNEL_HELP, parseKernelVersion)
    .option('--no-sweeps', 'do not sweep the words that the builds rewrite')
    .option('--no-prove', 'where nothing differs, do not try to prove that nothing can')
    .option(
      '--max-classes <n>',
      'stop looking for more classes after this many',
      parseCount('--max-classes'),
      20,
    )
    .addOption(shrinkTimeOption('an example', 10))
    .option('--report <dir>', 'save each class’s example there', parseDirectory('--report'))
    .addOption(new Option('--json', 'print one JSON document'))
    .option('--no-color', 'no colours')
    .action(run);
}

async function run(old: string, next: string | undefined, options: Options): Promise<void> {
  const builds = await resolveBuilds(next === undefined ? [old] : [old, next], options);
  const placed = placedBuilds(builds, options);
  const seed = options.seed ?? freshSeed();
  const terminal = createTerminal(options);
  const interrupt = onInterrupt();
  const [first, ...others] = placed;
  const all: Compared[] = [];
  for (const other of others) {
    if (interrupt.signal.aborted) break;
    const compared = await compare(first!, other, options, seed, interrupt.signal, terminal);
    all.push(compared);
    if (options.json !== true) print(compared, seed, terminal);
  }
  // No signal gets its usual meaning back: it would cut off the report, which may wait for whoever reads it.
  const isInterrupted = interrupt.signal.aborted;
  if (options.json === true) printJson(diffToJson(seed, all));
  else if (isInterrupted) terminal.print('Interrupted: this is what was found so far.');
  process.exitCode = isInterrupted ? EXIT.interrupted : exitCodeOf(all);
}

function print(compared: Compared, seed: string, terminal: Terminal): void {
  if (compared.verdict === 'same') {
    terminal.print(sameLine(compared, seed));
    for (const line of mapLines(compared, terminal)) terminal.print(line);
  } else for (const line of differingLines(compared, seed, terminal)) terminal.print(line);
}

function exitCodeOf(all: readonly Compared[]): number {
  if (all.some(({ verdict }) => verdict === 'differs')) return EXIT.found;
  const failures = all.flatMap(({ programs }) => programs.flatMap(({ report }) => report?.failure ?? []));
  if (failures.some(({ kind }) => kind === 'internal')) return EXIT.defect;
  if (failures.some(({ kind }) => kind === 'input')) return EXIT.input;
  return failures.length > 0 ? EXIT.environment : EXIT.agreed;
}

/** Both builds in the surroundings that the user describes. What is wrong there is said before anything runs. */
function placedBuilds(builds: readonly Build[], options: Options): Build[] {
  const programs = builds.flatMap((build) => build.programs.map(({ program }) => program));
  const placed = placePrograms(programs, surroundingsOf(options));
  const sized = placed.map(({ program }) => program);
  for (const line of assumedSizes(sized)) reportLine(line);
  announceMemory(sized);
  const next = placed[Symbol.iterator]();
  return builds.map((build) => ({
    ...build,
    programs: build.programs.map((one) => {
      const { program, inWorld } = next.next().value as PlacedProgram;
      const worlds = (one.worlds.length > 0 ? one.worlds : worldsOf(program)).map(({ name, world }) => ({
        name,
        world: inWorld(world),
      }));
      return { program, worlds, hints: mergedHints(one.hints ?? {}, program.hints ?? {}) };
    }),
  }));
}

async function compare(
  old: Build,
  next: Build,
  options: Options,
  seed: string,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<Compared> {
  const { pairs, unpaired } = pairPrograms(old, next);
  const programs: ComparedProgram[] = [];
  for (const pair of pairs) {
    if (signal.aborted) break;
    programs.push(await comparePair(pair, options, seed, signal, terminal));
  }
  const verdicts = new Set(programs.map(({ verdict }) => verdict));
  const differs = unpaired.length > 0 || verdicts.has('differs');
  return {
    ...{ old: old.label, new: next.label, unpaired, programs },
    maps: changedDeclarations(old, next),
    verdict: differs ? 'differs' : verdicts.has('failed') ? 'failed' : 'same',
  };
}

async function comparePair(
  { name, old, new: next }: ProgramPair,
  options: Options,
  seed: string,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<ComparedProgram> {
  const pair = { old: old.program, new: next.program };
  const words = wordsOf(pair, options.asKernel);
  if (isIdentical(pair)) return { name, verdict: 'identical instructions', saved: [], words };
  const hints = mergedHints(old.hints ?? {}, next.hints ?? {});
  const worlds = [...new Map([...old.worlds, ...next.worlds].map((world) => [world.name, world])).values()];
  const report = await diff({
    pair,
    engine: createEngineAs('wasm', options.asKernel),
    vm: { kernel: runningKernel, ...versionOption(options.asKernel) },
    kernel: createEngineAs('testrun', options.asKernel),
    seed,
    runs: totalPackets({
      ...(options.runs === undefined ? {} : { runs: options.runs }),
      ...(options.time === undefined ? {} : { seconds: options.time }),
    }),
    ...(options.time === undefined ? {} : { seconds: options.time }),
    worlds,
    cases: casesOf(pair, options.packets, worlds),
    source: new PacketGenerator(hints, [pair.old.entries[0]!.hook]),
    sweeps: options.sweeps,
    maxClasses: options.maxClasses,
    shrinkSeconds: options.shrinkTime,
    signal,
    onProgress: (packets, classes) =>
      terminal.progress(() => `${name}: ${count(packets)} packets, ${classes} classes`),
  });
  terminal.clearProgress();
  const verdict = report.classes.length > 0 ? 'differs' : report.failure === undefined ? 'same' : 'failed';
  if (verdict === 'same' && options.prove && !signal.aborted) {
    const proved = await proveSame(pair, worlds, options.asKernel, signal, terminal);
    const differs = (proved?.report?.classes.length ?? 0) > 0;
    if (proved !== undefined && !differs)
      return { name, verdict, report, proof: proved.proof, saved: [], words };
    if (proved?.report !== undefined) {
      const shown = {
        ...proved.report,
        packets: report.packets,
        swept: report.swept,
        coverage: report.coverage,
      };
      const saved = await saveExamples(shown, options.report);
      return {
        name,
        verdict: 'differs',
        report: shown,
        proof: proved.proof,
        isProofs: true,
        saved,
        words,
      };
    }
  }
  const saved = await saveExamples(report, options.report);
  return { name, verdict, report, saved, words };
}

/** Where no packet showed a difference: is there none? Undefined: it cannot be tried here. */
async function proveSame(
  pair: BuildPair,
  worlds: readonly NamedWorld[],
  asKernel: KernelVersion | undefined,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<{ readonly proof: AgainstProof; readonly report?: DiffReport } | undefined> {
  // Read-only data is part of what is proved: one proof for each would be needed.
  const globals = new Set(worlds.map(({ world }) => world.globals));
  const [only] = globals;
  if (globals.size > 1) return undefined;
  const solver = await createZ3Solver({ timeout: SOLVER_TIME, steps: SOLVER_STEPS });
  if (solver === undefined) return undefined;
  try {
    const proof = await proveAgainst(pair, {
      solver: interruptible(solver, signal),
      ...versionOption(asKernel),
      time: PROVE_TIME,
      stopped: () => signal.aborted,
      ...(only === undefined ? {} : { globals: only }),
      onProgress: ({ paths }) =>
        terminal.progress(() => `proving that nothing differs: ${count(paths)} paths`),
    });
    terminal.clearProgress();
    if (proof.suspects.length === 0) return { proof };
    const { report } = await showSuspects(pair, proof, asKernel, signal);
    return { proof, report };
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  } finally {
    await endZ3();
  }
}

/** Captures of real traffic, and what the user names before these. */
async function* casesOf(
  pair: BuildPair,
  files: readonly string[],
  worlds: readonly NamedWorld[],
): NonNullable<DiffOptions['cases']> & AsyncGenerator {
  const world = worlds[0]?.world ?? {};
  const { name: program } = pair.old;
  for (const file of files) yield* casesForProgram(file, [pair.old, pair.new], { program, world });
  const folder = packageFile('corpus/captures');
  const own = readdirSync(folder).filter((name) => /\.pcap(ng)?$/.test(name));
  for (const name of own.sort()) {
    yield* casesFromCapture(join(folder, name), { program, world });
  }
}
