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
  /** What it sends, whichever helper does: `an event to map rb`. Runs show it; absent: it is told by its helper. */
  readonly sends?: string;
  /** The block of a record that is reserved, and not yet sent or given back. */
  readonly record?: number;
}

/** What becomes of a record: it takes the place that was reserved for it, as its reader finds it there. */
export function settleRecord(
  state: { acts: readonly Act[] },
  record: number,
  become: Pick<Act, 'helper' | 'shape' | 'terms' | 'sends'>,
): void {
  state.acts = state.acts.map((act) => (act.record === record ? { on: act.on, ...become } : act));
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
