/** Suites that try many of a kind try a part of them; `npm run thorough` tries all, with more packets. */

/** `XDPSIM_THOROUGH=1`: as long as it takes. */
export const isThorough: boolean = process.env.XDPSIM_THOROUGH === '1';

/** Every so many of them, from the place `from` on; all where it is thorough. */
export function part<T>(items: readonly T[], every: number, from: number = 0): readonly T[] {
  return isThorough ? items : items.filter((_, index) => index % every === from % every);
}

/** The first of each kind; all where it is thorough. */
export function oneOfEach<T>(items: readonly T[], kindOf: (item: T) => string): readonly T[] {
  if (isThorough) return items;
  return [...new Map([...items].reverse().map((item) => [kindOf(item), item])).values()].reverse();
}

/** How many packets, worlds or rounds. */
export function amount(inSuite: number, thorough: number): number {
  return isThorough ? thorough : inSuite;
}
