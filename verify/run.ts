/**
 * The spine: cases go through every engine, outcomes are compared, and what differs is saved, shrunk and kept.
 *
 *     corpus fills a PacketBatch ─► each engine's run fills an OutcomeBatch ─► compare ─► (agree: next batch)
 *                                                                                   └► save ─► shrink ─► explain
 */

import type { SavedCase } from '../corpus/cases/case.ts';
import { nameOfExample } from '../corpus/cases/kept.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { isKernel } from '../sim/engines/register.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';
import { ALL_BATCHES, type BatchRange } from './batch-plan.ts';
import { BatchRunner, type PacketSource, type RunnerOptions } from './batch-runner.ts';
import { Collector, type Progress } from './collector.ts';
import type { Guidance } from './guide/guide.ts';
import { guidedCases } from './guide/guided-run.ts';
import { type Investigation, investigate } from './investigate.ts';
import type { Judging, Oracle } from './judging.ts';
import { withNeighbours } from './neighbours.ts';
import type { Divergence, ProgramReport, Saved } from './report.ts';
import type { Found } from './segment.ts';
import type { ShrinkOptions } from './shrink.ts';

export type { PacketSource } from './batch-runner.ts';
export type { Progress } from './collector.ts';

export interface VerifyOptions {
  readonly program: Program;
  /** In any order. Those that cannot run here are reported as skipped. */
  readonly engines: readonly Engine[];
  readonly seed: string;
  /** Replayed before anything is generated. */
  readonly cases?: Iterable<SavedCase> | AsyncIterable<SavedCase>;
  /** How many packets are generated; default 20 000, or without end where `seconds` is given. */
  readonly runs?: number;
  /** After how long to stop. */
  readonly seconds?: number;
  /** Which batches of the run: a share of it. Default: all. */
  readonly range?: BatchRange;
  readonly batchSize?: number;
  /** Default: the generator with the program's hints. */
  readonly source?: PacketSource;
  /** Worlds of generated packets; default: those of the program's definition. */
  readonly worlds?: readonly NamedWorld[];
  /** Worlds that somebody has stated; default: `worlds`. */
  readonly stated?: readonly NamedWorld[];
  /** Kept cases to run, and to make packets of (`guide`). */
  readonly guidance?: Guidance;
  /** Is asked about every divergence that it has no part in: the interpreter. */
  readonly witness?: Engine;
  /** Runs programs in the kernel: is asked about what the machine stops where none of the engines does. */
  readonly kernel?: Engine;
  /** What is judged of frames that leave the program; default: all. */
  readonly oracle?: Oracle | Judging;
  /** Is shown what became of every case, before the next one overwrites it. */
  readonly observe?: NonNullable<RunnerOptions['observe']>;
  /** After how many divergences to stop; default 1. */
  readonly maxDivergences?: number;
  /** Are findings that take a guess (`Found.isByGuess`) notes, of which as many again have room? Default: no. */
  readonly notesGuesses?: boolean;
  /** How to shrink, or false: not at all. */
  readonly shrink?: Omit<ShrinkOptions, 'signal' | 'onSmaller'> | false;
  /** Tells findings of one kind apart; default: they are one. */
  readonly places?: Places;
  /** Functions of the same object that are tested by themselves in the same run: what is theirs is reported there. */
  readonly testedApart?: ReadonlySet<string>;
  /** Ends the run early; the report is complete for what was done. */
  readonly signal?: AbortSignal;
  /**
   * Saves a divergence, at once when it is found and again whenever it got smaller (`file` then says where it is). A
   * divergence that cannot be saved is reported all the same, with what this says, or throws.
   */
  readonly save?: (divergence: Divergence) => Promise<Saved>;
  /** Called a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Where a program is to blame: two faults that break the same are two findings where they lie in two places. Finding out
 * takes a run of the interpreter, so that only the first few sightings of each kind are asked about.
 */
export interface Places {
  /** @returns undefined where nobody knows */
  placeOf(found: Found): Promise<string | undefined>;
  /** What tells findings of one kind and place apart, as far as it is known before they are looked into; undefined where they are one. */
  causeOf?(found: Found): string | undefined;
  /** Enters a finding. @returns whether it shows nothing new: such a one is kept as it was met, and not made small */
  isKnown(found: Found): Promise<boolean>;
  /** Has making it small led away from its place, to what was known before? */
  hasStrayed(found: Found, small: Investigation): boolean;
}

type OnSmaller = Parameters<Parameters<Collector['take']>[1]>[1];

/** Of each kind that are asked about. */
const SIGHTINGS = 8;

const DEFAULT_RUNS = 20_000;

/** How many packets a run has: infinitely many where time alone decides. */
export function totalPackets({ runs, seconds }: { runs?: number; seconds?: number }): number {
  return runs ?? (seconds === undefined ? DEFAULT_RUNS : Number.POSITIVE_INFINITY);
}

/** Holds the engines against each other on the saved cases, then on generated ones, in this thread. */
export async function verify(options: VerifyOptions): Promise<ProgramReport> {
  const { shrink, signal, maxDivergences = 1 } = options;
  const total = totalPackets(options);
  const { places } = options;
  const collector = new Collector({ ...options, total, maxDivergences });
  const kernel = options.kernel ?? options.engines.find(({ name }) => isKernel(name));
  const asked = kernel === undefined ? {} : { kernel };
  const sightings = places === undefined ? {} : { sightings: SIGHTINGS };
  const runner = new BatchRunner({
    ...options,
    ...asked,
    ...sightings,
    total,
    isOver: () => collector.isOver(),
  });
  const lookAt = (found: Found, isSmall: boolean, onSmaller: OnSmaller): Promise<Investigation> =>
    investigate(found, {
      program: options.program,
      engines: runner.engines,
      onSmaller,
      ...asked,
      ...(options.oracle === undefined ? {} : { oracle: options.oracle }),
      ...(shrink === false || isSmall
        ? { shrink: false }
        : { shrink: { ...shrink, ...(signal === undefined ? {} : { signal }) } }),
      ...(options.witness === undefined ? {} : { witness: options.witness }),
    });
  const look: Parameters<typeof collector.take>[1] = async (met, onSmaller) => {
    // What is known of a line is known by its cause.
    const found =
      places === undefined ? met : await withNeighbours(met, { ...options, engines: runner.engines });
    const isKnown = (await places?.isKnown(found)) === true;
    const small = await lookAt(found, isKnown, onSmaller);
    return !isKnown && places?.hasStrayed(found, small) === true ? lookAt(found, true, onSmaller) : small;
  };
  try {
    for await (const segment of runner.replay(options.cases ?? [])) await collector.take(segment, look);
    if (options.guidance !== undefined)
      for await (const segment of runner.replay(guidedCases(options.program, options.guidance)))
        await collector.take(segment, look);
    for await (const segment of runner.run(options.range ?? ALL_BATCHES)) await collector.take(segment, look);
  } finally {
    await runner.close();
  }
  // Closing may fail, too.
  await collector.take(await runner.finish(), look);
  return collector.report();
}

/** The packets of the program's examples as cases: one each, since what came before would have a part in what they show. */
export function exampleCases(program: Program): SavedCase[] {
  return heldExamples(program).map(({ path, case: one }) => ({ path, case: one }));
}

/** The same with what must come of them, which a run then holds every engine to. */
export function heldExamples(program: Program): SavedCase[] {
  const definition = program.definition;
  if (definition === undefined) return [];
  return definition.examples.map((example) => ({
    path: nameOfExample(example.name),
    example,
    case: {
      program: program.name,
      world:
        (definition.worlds.find((world) => world.name === example.world) ?? definition.worlds[0])?.world ??
        {},
      stimuli: [example.stimulus],
    },
  }));
}
