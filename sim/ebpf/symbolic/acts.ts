/**
 * What a path does that neither its action, nor its frame, its context or its maps show: what helpers tell the kernel about the
 * frame, and what leaves at once. Two programs do the same where they do it in the same order.
 */
import type { Leaves } from '../helpers/helper.ts';
import type { Term } from './term.ts';

export interface Act {
  /** Its name, and the flags that make it an act where it is none without them. */
  readonly helper: string;
  /** Where it leaves something: acts on different things may change places. `shared`: what keeps other CPUs out meanwhile. */
  readonly on: Leaves | 'shared';
  /** Acts of other shapes have nothing that could be compared. */
  readonly shape: string;
  readonly terms: readonly Term[];
  /** What it sends, whichever helper does: `an event to map rb`. Runs show it; absent: it is told by its helper. */
  readonly sends?: string;
  /** What it does, where that is no call: `changes map hits atomically`. */
  readonly does?: string;
  /** The block of a record that is reserved, and not yet sent or given back. */
  readonly record?: number;
}

/** Takes a lock, or changes at once what other CPUs may change as well: one after the other, no packet shows it. */
export function noteShared(state: { acts: readonly Act[] }, helper: string, does?: string): void {
  const act = { helper, on: 'shared', shape: '', terms: [] } as const;
  state.acts = [...state.acts, does === undefined ? act : { ...act, does }];
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
