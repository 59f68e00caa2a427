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
}

/** @returns undefined where the packet does not run to its end */
export async function fateOf(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
): Promise<Fate | undefined> {
  const ran = await runner.run(world, [stimulus]);
  if (ran === undefined) return undefined;
  const outcome = outcomeAt(ran.output, 0);
  if (outcome.status !== 'ran') return undefined;
  return { outcome, isChanged: !equalWhole(outcome.packet, stimulus.packet), maps: ran.maps ?? [] };
}

/** The same action and target, and both changed, or neither? */
export function isSameFate(one: Fate, other: Fate): boolean {
  return (
    one.outcome.action === other.outcome.action &&
    one.outcome.redirect === other.outcome.redirect &&
    one.isChanged === other.isChanged
  );
}

/** Do maps hold the same, too? */
export function leavesSameMaps(one: Fate, other: Fate): boolean {
  return one.maps.every((map, index) => sameContents(map, other.maps[index]!));
}
