/** What the alternatives in the sources ask (`schemata.ts`): one object for each process that runs tests. */

/** Passes of all loops that no test needs while a mutant is in, beyond what it needs without. */
const ENDLESS = 20_000_000;

export class Switch {
  /** The mutant that is in; -1 for none. */
  active = -1;
  /** By mutant: whether its place was reached since this was cleared. */
  readonly reached: Uint8Array;
  passes = 0;
  #most = Number.POSITIVE_INFINITY;

  constructor(count: number) {
    this.reached = new Uint8Array(count);
  }

  readonly ask = (id: number): boolean => {
    this.reached[id] = 1;
    return id === this.active;
  };

  pass(): void {
    if (++this.passes > this.most) throw new Error('endless loop');
  }

  get most(): number {
    return this.#most;
  }

  /** @param passes what the same tests need without a mutant */
  put(id: number, passes: number): void {
    this.active = id;
    this.reached[id] = 0;
    this.passes = 0;
    this.#most = 20 * passes + ENDLESS;
  }

  take(): void {
    this.active = -1;
    this.passes = 0;
    this.#most = Number.POSITIVE_INFINITY;
  }
}

interface Globals {
  __mutation?: Switch;
  __mutant?: Switch['ask'];
}

/** The process's switch; made by the first who asks. */
export function theSwitch(count: number): Switch {
  const globals = globalThis as Globals;
  if (globals.__mutation === undefined) {
    globals.__mutation = new Switch(count);
    globals.__mutant = globals.__mutation.ask;
  }
  return globals.__mutation;
}
