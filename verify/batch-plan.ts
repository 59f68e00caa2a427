/** Which packets batch k of a run has, and in which world: a matter of k alone, whatever engines or workers run it. */
import {
  type LimitsByHook,
  LONG_FRAMES,
  liveLimits,
  NO_LIMITS,
  TEST_RUN_LIMITS,
} from '../corpus/generate/packet-limits.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';
import { worldsOfObject } from './clock-worlds.ts';

/**
 * Packets in a batch: enough that what is done once a batch costs little per packet, and few enough that a short
 * run sees all of a program's worlds.
 */
export const BATCH_SIZE = 2048;

/** Every so many batches, one has frames of any length, for the engines that take them; the first comes early. */
const UNBOUNDED_EVERY = 16;
const UNBOUNDED_AT = 5;

export interface BatchPlan {
  readonly number: number;
  /** Index of the first packet in the run. */
  readonly first: number;
  readonly count: number;
  readonly world: NamedWorld;
  readonly limits: LimitsByHook;
}

/** A part of a run: batches `from`, `from + step`, … below `to`. */
export interface BatchRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

export const ALL_BATCHES: BatchRange = { from: 0, to: Number.POSITIVE_INFINITY, step: 1 };

/**
 * The batches of a part of a run of `runs` packets.
 * @param runs may be infinite, for runs that end by time
 * @param worlds distributed over the batches; at least one
 */
export function* planBatches(
  program: Program,
  runs: number,
  range: BatchRange = ALL_BATCHES,
  size: number = BATCH_SIZE,
  worlds: readonly NamedWorld[] = worldsOf(program),
): Generator<BatchPlan, void, void> {
  // Every other batch keeps to what a wire can bring, whether or not frames go live in this run.
  const live = liveLimits(program);
  // For a program that takes frames in several buffers, the other half brings them, from the first batch on.
  const frags = program.entries.every((entry) => entry.frags === true);
  const usual = frags ? [LONG_FRAMES, live] : [live, TEST_RUN_LIMITS];
  for (let number = range.from; number < range.to && number * size < runs; number += range.step) {
    const turn = Math.floor(number / UNBOUNDED_EVERY);
    const unbounded = number % UNBOUNDED_EVERY === UNBOUNDED_AT;
    yield {
      number,
      first: number * size,
      count: Math.min(size, runs - number * size),
      // Shifted by one each turn, so that the unbounded batches see every world, too.
      world: worlds[(number + turn) % worlds.length]!,
      limits: unbounded ? NO_LIMITS : usual[number % 2]!,
    };
  }
}

/** The program's worlds; those of a program without a definition vary clock and chance where it depends on them. */
export function worldsOf(program: Program): readonly NamedWorld[] {
  const worlds = program.definition?.worlds ?? [];
  return worlds.length > 0 ? worlds : worldsOfObject(program);
}
