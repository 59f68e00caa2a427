/** What a symbolic reader wants of a solver of bit-vector formulas; who has one hands it in. */
import type { Term } from './term.ts';

export type SolverAnswer =
  /** What the unknowns of the conditions may be; absent ones do not matter. */
  | { readonly status: 'satisfiable'; readonly values: ReadonlyMap<Term, bigint> }
  | { readonly status: 'unsatisfiable' }
  /** It did not find out. */
  | { readonly status: 'unknown'; readonly reason: string };

export interface Solver {
  /**
   * Can all conditions hold at once?
   * @param most milliseconds that there are for the answer, if fewer than the solver would take
   */
  check(conditions: readonly Term[], most?: number): Promise<SolverAnswer>;
}

/** Finds out nothing: for what cheap means decide. */
export const NO_SOLVER: Solver = {
  check: () => Promise.resolve({ status: 'unknown', reason: 'no solver' }),
};

/** Why paths, conditions and properties are not known: their time is over. */
export const TIME_UP = 'the time was up';
