/** What an attack counts. All but `tries` should be zero. */
import { appendFileSync } from 'node:fs';

export const FAULTS = ['crashes', 'hangs', 'slow', 'left behind', 'lost', 'undocumented codes'] as const;
export type Fault = (typeof FAULTS)[number];

export class Tally {
  readonly name: string;
  readonly faults: Record<Fault, number> = {
    crashes: 0,
    hangs: 0,
    slow: 0,
    'left behind': 0,
    lost: 0,
    'undocumented codes': 0,
  };
  tries = 0;
  /** Milliseconds from a signal to the end, the longest. */
  longest = 0;
  readonly #log: string;

  /** @param log file to which each fault is written, with what repeats it */
  constructor(name: string, log: string) {
    this.name = name;
    this.#log = log;
  }

  fault(fault: Fault, what: string): void {
    this.faults[fault]++;
    appendFileSync(this.#log, `${this.name}: ${fault}: ${what}\n`);
  }

  get isClean(): boolean {
    return FAULTS.every((fault) => this.faults[fault] === 0);
  }
}

/** What the command may end with; 70 is a defect, which counts as a crash. */
export const DOCUMENTED: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 130]);
