/** Whoever computes for long lets timers, signals and messages have their turn: what never waits would starve them. */
import { setImmediate as nextTurn } from 'node:timers/promises';

const TURN_EVERY_MS = 25;

/** When others had their last turn: of a process, whoever computes in it. */
let last = performance.now();

/** Waits only where others have not had a turn for a while. */
export async function letOthersTurn(): Promise<void> {
  if (performance.now() - last < TURN_EVERY_MS) return;
  await nextTurn();
  last = performance.now();
}
