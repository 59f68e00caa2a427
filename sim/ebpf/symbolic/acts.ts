/**
 * What a path does that neither its action, nor its frame, its context or its maps show: what helpers tell the kernel about the
 * frame, and what leaves at once. Two programs do the same where they do it in the same order.
 */
import type { Leaves } from '../helpers/helper.ts';
import type { Term } from './term.ts';

export interface Act {
  /** Its name, and the flags that make it an act where it is none without them. */
  readonly helper: string;
  /** Where it leaves something: acts on different things may change places. */
  readonly on: Leaves;
  /** Acts of other shapes have nothing that could be compared. */
  readonly shape: string;
  readonly terms: readonly Term[];
}

/** @param state the path */
export function noteAct(
  state: { acts: readonly Act[] },
  helper: string,
  on: Leaves,
  terms: readonly Term[],
  shape: string = String(terms.length),
): void {
  state.acts = [...state.acts, { helper, on, shape, terms }];
}
