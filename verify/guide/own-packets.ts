/** Packets of the user's in a run: the packets of batches are made of them, as they are or changed, like guided cases. */

import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { hintsOf, type NamedWorld, type Program } from '../../sim/runtime/program.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import type { Guidance } from './guide.ts';
import type { Sequence } from './traced-runs.ts';

/** So many, spread over all of them, are changed: more would leave little room for guided ones. */
const MAX_CHANGED = 512;

/** A choice of packets, evenly spread, the first among them. */
export function sampled<T>(all: readonly T[], most: number = MAX_CHANGED): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]!);
}

/**
 * Guidance with packets of the user's among its cases, in each of the worlds.
 * @param guidance what was found by coverage; undefined: nothing was looked for
 */
export function withOwnPackets(
  program: Program,
  guidance: Guidance | undefined,
  packets: readonly Stimulus[],
  worlds: readonly NamedWorld[],
): Guidance {
  return withCases(
    program,
    guidance,
    worlds.flatMap(({ world }) => sampled(packets).map((stimulus) => ({ world, stimuli: [stimulus] }))),
  );
}

/**
 * Guidance with further cases among its own, for the generator to change: packets that are known to go a path, say.
 * @param guidance what was found by coverage; undefined: nothing was looked for
 */
export function withCases(
  program: Program,
  guidance: Guidance | undefined,
  cases: readonly Sequence[],
): Guidance {
  const none: Guidance = {
    cases: [],
    branches: { reached: 0, total: 0 },
    missing: [],
    hints: hintsOf(program),
    runs: 0,
    instructions: 0,
    share: 0,
  };
  const base = guidance ?? none;
  return { ...base, cases: [...base.cases, ...cases.map((one) => ({ ...one, reached: [] }))] };
}

/**
 * Cases whose worlds are the run's own, or each other's, where they say the same: a run tells worlds apart by what they
 * are, and has room for a few.
 */
export function inSharedWorlds(cases: readonly Sequence[], worlds: readonly NamedWorld[]): Sequence[] {
  const byText = new Map(worlds.map(({ world }) => [JSON.stringify(worldToJson(world)), world]));
  return cases.map(({ world, stimuli }) => {
    const text = JSON.stringify(worldToJson(world));
    const shared = byText.get(text) ?? world;
    byText.set(text, shared);
    return { world: shared, stimuli };
  });
}
