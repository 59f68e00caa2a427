/**
 * Worlds for programs without a definition in which clock and chance decide: with a clock that stands still a rate
 * limiter never refills, and with one seed a sampler draws the same numbers in every batch.
 */
import { calledHelpers } from '../sim/ebpf/called-helpers.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';

/** `bpf_ktime_get_ns`, `…_boot_ns`, `…_coarse_ns`, `…_tai_ns`, `bpf_jiffies64`, and `bpf_get_prandom_u32`. */
const CLOCK_AND_CHANCE: readonly number[] = [5, 125, 160, 208, 118, 7];

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
    return loadObject(object).programs.some(({ instructions }) => {
      const called = calledHelpers(instructions);
      return CLOCK_AND_CHANCE.some((helper) => called.has(helper));
    });
  } catch {
    // An object that does not load fails where it is run, with the reason.
    return false;
  }
}
