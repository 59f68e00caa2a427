/** The smallest corpus that still reaches everything: greedy set cover. */
import type { World } from '../../sim/runtime/world.ts';
import type { Case } from './case.ts';

export interface MinimizeOptions {
  /** Ends the reading of cases early: the choice is made among those that were read. */
  readonly signal?: AbortSignal;
  /** Called after each case. */
  readonly onProgress?: (done: number, of: number) => void;
}

export interface KeptCase {
  readonly case: Case;
  /** What no other kept case reaches; never empty. */
  readonly alone: readonly string[];
}

export interface Minimized {
  readonly kept: readonly KeptCase[];
  /** How many cases were read: all, unless the signal came. */
  readonly read: number;
}

/** `minimizeCases` without the reasons. */
export async function minimize(
  cases: readonly Case[],
  keep: (value: Case) => Promise<ReadonlySet<string>>,
): Promise<Case[]> {
  return (await minimizeCases(cases, keep)).kept.map((one) => one.case);
}

/**
 * Chooses cases that together reach what all of them reach, and none of which could be left out.
 *
 * Greedy: again and again the case that adds the most; of equals the one with fewer packets, then fewer bytes, then
 * the earlier one. At most ln(n)+1 times as many as the best choice has (Chvátal 1979). The order of the cases does
 * not change, and the same input gives the same choice.
 * @param keep what a case reaches (branches taken, lines run): called once for each case, one after the other. A
 *   case that reaches nothing is left out. The same set for two cases spares comparing them.
 */
export async function minimizeCases(
  cases: readonly Case[],
  keep: (value: Case) => Promise<ReadonlySet<string>>,
  { signal, onProgress }: MinimizeOptions = {},
): Promise<Minimized> {
  // Of cases that reach the very same, the cheapest alone can be chosen.
  const cheapest = new Map<ReadonlySet<string>, Candidate>();
  let read = 0;
  for (const [index, value] of cases.entries()) {
    if (signal?.aborted === true) break;
    const reached = await keep(value);
    const candidate = { index, reached, cost: costOf(value) };
    const known = cheapest.get(reached);
    if (known === undefined || byCost(candidate, known) < 0) cheapest.set(reached, candidate);
    read++;
    onProgress?.(read, cases.length);
  }
  const chosen = withoutNeedless(greedyCover([...cheapest.values()]));
  const times = timesReached(chosen);
  const kept = chosen
    .sort((left, right) => left.index - right.index)
    .map(({ index, reached }) => ({
      case: cases[index]!,
      alone: [...reached].filter((point) => times.get(point) === 1),
    }));
  return { kept, read };
}

interface Candidate {
  readonly index: number;
  readonly reached: ReadonlySet<string>;
  readonly cost: readonly [packets: number, bytes: number];
}

function greedyCover(candidates: readonly Candidate[]): Candidate[] {
  const covered = new Set<string>();
  const chosen: Candidate[] = [];
  // What a case adds only ever shrinks, so an old figure is an upper bound: bucket by it, look again when reached.
  const buckets = new Map<number, Candidate[]>();
  const put = (gain: number, candidate: Candidate): void => {
    const bucket = buckets.get(gain);
    if (bucket === undefined) buckets.set(gain, [candidate]);
    else bucket.push(candidate);
  };
  let highest = 0;
  for (const candidate of candidates) {
    put(candidate.reached.size, candidate);
    highest = Math.max(highest, candidate.reached.size);
  }
  for (let gain = highest; gain > 0; gain--) {
    // Nothing is added to this bucket from here on: figures only fall.
    for (const candidate of (buckets.get(gain) ?? []).sort(byCost)) {
      const now = countNew(candidate.reached, covered);
      if (now < gain) {
        put(now, candidate);
        continue;
      }
      chosen.push(candidate);
      for (const point of candidate.reached) covered.add(point);
    }
    buckets.delete(gain);
  }
  return chosen;
}

/** Leaves out what others made needless; the earliest choices first, since most was added after them. */
function withoutNeedless(chosen: readonly Candidate[]): Candidate[] {
  const times = timesReached(chosen);
  return chosen.filter(({ reached }) => {
    for (const point of reached) if (times.get(point) === 1) return true;
    for (const point of reached) times.set(point, times.get(point)! - 1);
    return false;
  });
}

function timesReached(chosen: readonly Candidate[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { reached } of chosen) {
    for (const point of reached) times.set(point, (times.get(point) ?? 0) + 1);
  }
  return times;
}

function countNew(reached: ReadonlySet<string>, covered: ReadonlySet<string>): number {
  let count = 0;
  for (const point of reached) if (!covered.has(point)) count++;
  return count;
}

function byCost(left: Candidate, right: Candidate): number {
  return left.cost[0] - right.cost[0] || left.cost[1] - right.cost[1] || left.index - right.index;
}

/** Bytes of packets, and of what the world puts into maps: both go into the file. */
function costOf({ stimuli, world }: Case): [packets: number, bytes: number] {
  const bytes = stimuli.reduce((size, { packet }) => size + packet.length, worldBytes(world));
  return [stimuli.length, bytes];
}

const sizes = new WeakMap<World, number>();

/** Thousands of cases share a world. */
function worldBytes(world: World): number {
  let size = sizes.get(world);
  if (size === undefined) {
    size = 0;
    for (const entries of Object.values(world.maps ?? {})) {
      for (const { key, value } of entries) size += key.length + value.length;
    }
    sizes.set(world, size);
  }
  return size;
}
