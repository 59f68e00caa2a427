/**
 * How long a process that was asked to end is waited for: not long where it says nothing, as it loops, and longer where it
 * shows that it is about to end. Time in which it waits for a processor is no fault of its own, and does not count.
 */
import { readFileSync } from 'node:fs';

/** Milliseconds without a sign of life: more than anything computes at a stretch. */
export const SILENCE = 1_000;
/** Milliseconds in all, for a report of what was done. */
export const REPORT = 10_000;
/** Milliseconds in all, however busy the machine is. */
export const WHATEVER_COMES = 30_000;

export class Patience {
  readonly #now: () => number;
  readonly #waited: () => number;
  readonly #start: number;
  readonly #startWaited: number;
  #lastSign = 0;

  /** @param waited for how many milliseconds the process has waited for a processor, all in all */
  constructor(waited: () => number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#waited = waited;
    this.#start = now();
    this.#startWaited = waited();
  }

  /** It is alive. */
  sign(): void {
    this.#lastSign = this.#own;
  }

  get isOver(): boolean {
    const own = this.#own;
    return own - this.#lastSign >= SILENCE || own >= REPORT || this.#now() - this.#start >= WHATEVER_COMES;
  }

  /** Milliseconds since the start that were the process's own. */
  get #own(): number {
    return this.#now() - this.#start - (this.#waited() - this.#startWaited);
  }
}

/** For how many milliseconds a process has waited for a processor; 0 where the system does not tell. */
export function waitedForProcessor(pid: number): number {
  try {
    const [, waited = '0'] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waited) / 1e6;
  } catch {
    return 0;
  }
}
