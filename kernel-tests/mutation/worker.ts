/** Runs in vitest's workers before each test file: makes the switch, before sources ask it. */
import fc from 'fast-check';
import { inject } from 'vitest';
import { theSwitch } from './switch.ts';

declare module 'vitest' {
  interface ProvidedContext {
    mutation: Task;
  }
}

/** A test file, and the mutants that it is tried with. */
export interface Task {
  /** Of all mutants; their numbers are below it. */
  readonly count: number;
  /** In milliseconds: what is left of each mutant's time. */
  readonly left: Readonly<Record<number, number>>;
  /** Lines of JSON (`Event`) are added to it. */
  readonly events: string;
  /** What is running: overwritten with each run of a test. */
  readonly current: string;
  /** Tests that are not run again, since they were before a mutant ended the process. */
  readonly done: readonly string[];
  /** This mutant is in from the start, in a process of its own, and each test is run once. */
  readonly fresh?: number;
}

export type Event =
  | {
      readonly event: 'killed' | 'doubtful' | 'reached' | 'late';
      readonly id: number;
      readonly test: string;
      readonly ms?: number;
    }
  /** Spent on a mutant that the test did not notice. */
  | { readonly event: 'spent'; readonly id: number; readonly ms: number }
  | { readonly event: 'done' | 'fails'; readonly test: string; readonly ms: number }
  | { readonly event: 'end' };

const { count, fresh } = inject('mutation');
const theOne = theSwitch(count);
if (fresh !== undefined && theOne.active !== fresh) theOne.put(fresh, 10_000_000);
// The smallest counterexample is of no interest here.
fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true });
