/** How many instructions each packet of a batch may take, where packets before it have used up what they might. */
import { PATIENT_RUNS, SHORT_BUDGET } from './limits.ts';

/**
 * A program that loops for ever does so on thousands of packets. The first few of a batch show it with the whole budget; those behind
 * them get less, so that the batch ends. It counts within a batch only, so that a run comes to the same with any number of workers.
 */
export class BatchBudget {
  readonly #full: number;
  #usedUp = 0;

  /** @param full instructions that a run may execute */
  constructor(full: number) {
    this.#full = full;
  }

  /** A batch begins. */
  begin(): void {
    this.#usedUp = 0;
  }

  /** A run was stopped since it had used up all that it might. */
  note(): void {
    this.#usedUp++;
  }

  /** What the next run may execute. */
  get next(): number {
    return this.#usedUp < PATIENT_RUNS ? this.#full : Math.min(this.#full, SHORT_BUDGET);
  }
}
