/** Suites that try many of a kind try a part of them in `npm test`; `npm run thorough` tries all, with more packets. */

/** `XDPSIM_THOROUGH=1`: as long as it takes. */
export const isThorough: boolean = process.env.XDPSIM_THOROUGH === '1';

/** Every so many of them, from the place `from` on; all where it is thorough. */
export function part<T>(items: readonly T[], every: number, from: number = 0): readonly T[] {
  return isThorough ? items : items.filter((_, index) => index % every === from % every);
}

/** How many packets, worlds or rounds. */
export function amount(inSuite: number, thorough: number): number {
  return isThorough ? thorough : inSuite;
}
