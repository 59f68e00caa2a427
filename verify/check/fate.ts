/** What becomes of a packet, as far as it says how a program takes it: other packets are held against it. */
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { type MapSnapshot, sameContents } from '../../sim/runtime/map-snapshot.ts';
import type { World } from '../../sim/runtime/world.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import type { CaseRunner } from './probe.ts';

export interface Fate {
  readonly outcome: Outcome;
  readonly isChanged: boolean;
  /** What maps hold then. */
  readonly maps: readonly MapSnapshot[];
  /** The number that was tried, in the forms in which a program keeps it: as `leavesSameMaps` takes it. */
  readonly tried?: readonly Uint8Array[];
}

/**
 * @param tried the number, or the part of an address, for which this packet is held against others; default: none
 * @returns undefined where the packet does not run to its end
 */
export async function fateOf(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  tried?: ArrayLike<number>,
): Promise<Fate | undefined> {
  const ran = await runner.run(world, [stimulus]);
  if (ran === undefined) return undefined;
  const outcome = outcomeAt(ran.output, 0);
  if (outcome.status !== 'ran') return undefined;
  return {
    outcome,
    isChanged: !equalWhole(outcome.packet, stimulus.packet),
    maps: ran.maps ?? [],
    ...(tried === undefined ? {} : { tried: formsOf(tried) }),
  };
}

/** As it lies in the packet, and in the machine's order. */
function formsOf(tried: ArrayLike<number>): Uint8Array[] {
  const own = Uint8Array.from(tried);
  return [own, own.toReversed()];
}

/** Does the same become of two packets? */
export type IsSame = (one: Fate, other: Fate) => boolean;

/** The same action and target, and both changed, or neither? */
export function isSameFate(one: Fate, other: Fate): boolean {
  return (
    one.outcome.action === other.outcome.action &&
    one.outcome.redirect === other.outcome.redirect &&
    one.isChanged === other.isChanged
  );
}

/**
 * Do maps hold the same, too? That a program keeps the very number that was tried, as in an entry for the time of a run, says
 * nothing of what it does with it.
 */
export function leavesSameMaps(one: Fate, other: Fate): boolean {
  return one.maps.every((map, index) => {
    const second = other.maps[index]!;
    return sameContents(map, second) || areSameButForTried(map, second, one.tried ?? [], other.tried ?? []);
  });
}

/** The same, and with the same in maps? */
export function isSameWithMaps(one: Fate, other: Fate): boolean {
  return isSameFate(one, other) && leavesSameMaps(one, other);
}

/** By what becomes of the packet; else by what maps hold then. */
export const BY_FATE_THEN_MAPS: readonly IsSame[] = [isSameFate, isSameWithMaps];

function areSameButForTried(
  one: MapSnapshot,
  other: MapSnapshot,
  tried: readonly Uint8Array[],
  others: readonly Uint8Array[],
): boolean {
  if (tried.length === 0 || one.count !== other.count || !equalWhole(one.keys, other.keys)) return false;
  for (let row = 0; row < one.count; row++)
    if (!isSameButForTried(one.value(row), other.value(row), tried, others)) return false;
  return true;
}

function isSameButForTried(
  one: Uint8Array,
  other: Uint8Array,
  tried: readonly Uint8Array[],
  others: readonly Uint8Array[],
): boolean {
  const isAt = (bytes: Uint8Array, number: Uint8Array, at: number): boolean =>
    number.every((byte, index) => bytes[at + index] === byte);
  for (let at = 0; at < one.length; at++) {
    if (one[at] === other[at]) continue;
    // Of two numbers, those bytes differ that are not the same by chance.
    const end = tried.flatMap((number, form) =>
      Array.from({ length: number.length }, (_, index) => at - index)
        .filter((from) => from >= 0 && isAt(one, number, from) && isAt(other, others[form]!, from))
        .map((from) => from + number.length),
    );
    if (end.length === 0) return false;
    at = Math.max(...end) - 1;
  }
  return true;
}
