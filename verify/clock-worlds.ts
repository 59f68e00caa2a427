/**
 * Worlds for programs without a definition in which clock and chance decide: with a clock that stands still a rate
 * limiter never refills, and with one seed a sampler draws the same numbers in every batch.
 */
import { dependsOn } from '../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';

const EMPTY: readonly NamedWorld[] = [{ name: 'empty', world: {} }];

/** An hour: no kernel that runs programs has been up for less than a moment. */
const START = 3_600_000_000_000n;

/** From a full line rate to a trickle. */
const CLOCK_WORLDS: readonly NamedWorld[] = [
  { name: 'a packet each microsecond', world: { time: START, tick: 1_000n, randomSeed: 1 } },
  { name: 'a packet each millisecond', world: { time: START, tick: 1_000_000n, randomSeed: 2 } },
  { name: 'a packet each 60 milliseconds', world: { time: START, tick: 60_000_000n, randomSeed: 3 } },
  { name: 'a clock that stands still', world: { time: START, randomSeed: 4 } },
];

const known = new WeakMap<Uint8Array, readonly NamedWorld[]>();

/** The worlds that a program without a definition is run in. */
export function worldsOfObject({ object }: Program): readonly NamedWorld[] {
  if (object === undefined) return EMPTY;
  let worlds = known.get(object);
  if (worlds === undefined) {
    worlds = dependsOnClock(object) ? CLOCK_WORLDS : EMPTY;
    known.set(object, worlds);
  }
  return worlds;
}

function dependsOnClock(object: Uint8Array): boolean {
  try {
    return dependsOn(linkedObject(object), ['clock', 'chance']);
  } catch {
    // An object that does not load fails where it is run, with the reason.
    return false;
  }
}
