/**
 * How a check divides the time that it may take: no part of it begins with more than its share of what is left, and what one
 * part leaves is the others'. Who was given no time has no end.
 */
export class TimeBudget {
  readonly #now: () => number;
  readonly #end: number;
  #until: number;

  /** @param seconds from now on; undefined: without end @param now in milliseconds */
  constructor(seconds?: number, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#end = seconds === undefined ? Number.POSITIVE_INFINITY : now() + seconds * 1000;
    this.#until = this.#end;
  }

  /** Has somebody said how long it may take? */
  get isLimited(): boolean {
    return this.#end !== Number.POSITIVE_INFINITY;
  }

  /** What begins now may take this part of the time that is left. @param part 1: all of it */
  allot(part: number): void {
    if (!this.isLimited) return;
    const now = this.#now();
    this.#until = now + Math.max(0, this.#end - now) * part;
  }

  /** Seconds of the part that was allotted; infinite where nobody has said. */
  get left(): number {
    return Math.max(0, this.#until - this.#now()) / 1000;
  }

  /** Is the part that was allotted over? */
  get isOver(): boolean {
    return this.left === 0;
  }
}
