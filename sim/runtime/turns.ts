/** Whoever computes for long lets timers, signals and messages have their turn: what never waits would starve them. */

const TURN_EVERY_MS = 25;

/** A browser has timeouts alone. */
const nextTurn: (then: () => void) => unknown = globalThis.setImmediate ?? setTimeout;

/** When others had their last turn: of a process, whoever computes in it. */
let last = performance.now();

/** Waits only where others have not had a turn for a while. */
export async function letOthersTurn(): Promise<void> {
  if (performance.now() - last < TURN_EVERY_MS) return;
  await new Promise<void>((resolve) => nextTurn(resolve));
  last = performance.now();
}
