/** What two paths do that no outcome shows, held against each other: the same helpers, with the same arguments, in the same order. */

import type { Leaves } from '../../../sim/ebpf/helpers/helper.ts';
import type { Act } from '../../../sim/ebpf/symbolic/acts.ts';
import type { Term } from '../../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../../sim/ebpf/symbolic/term-pool.ts';

export interface ActDifference {
  /** A sentence: "only the old build calls bpf_send_signal". */
  readonly what: string;
  readonly condition: Term;
  /** Does the condition say all? Else nobody knows whether they differ. */
  readonly isCertain: boolean;
  /** Does a run show it? */
  readonly isSeen: boolean;
}

type CallDifference = Omit<ActDifference, 'isSeen'>;

/** Acts on one of these may change places with those on another. A copy takes along whatever was told of the frame before. */
const KINDS = ['outside', 'trace', 'frame', 'tunnel', 'socket'] as const;
/** What nobody gets where the frame is dropped. */
const OF_FRAME: readonly Leaves[] = ['frame', 'tunnel', 'socket'];

/** @param isDropped whether nobody gets the frame, and what is known of it */
export function actDifferences(
  pool: TermPool,
  old: readonly Act[],
  next: readonly Act[],
  isDropped: boolean,
): ActDifference[] {
  return KINDS.flatMap((kind) => {
    const [a, b] = [old, next].map((acts) => {
      const own = acts.filter(({ on }) => on === kind || (on === 'copy' && kind !== 'trace'));
      return isDropped && OF_FRAME.includes(kind) ? own.slice(0, own.findLastIndex(isCopy) + 1) : own;
    });
    return sequenceDifferences(pool, a!, b!).map((one) => ({ ...one, isSeen: kind === 'trace' }));
  });
}

function isCopy({ on }: Act): boolean {
  return on === 'copy';
}

function sequenceDifferences(pool: TermPool, old: readonly Act[], next: readonly Act[]): CallDifference[] {
  const calls = orderDifference(old, next);
  if (calls !== undefined) return [{ what: calls, condition: pool.true, isCertain: true }];
  return old.flatMap((act, at): CallDifference[] => {
    const other = next[at]!;
    const what = `the builds call ${act.helper} with other arguments`;
    if (act.shape !== other.shape || act.terms.length !== other.terms.length)
      return [{ what, condition: pool.true, isCertain: false }];
    const isSame = pool.all(act.terms.map((term, index) => pool.equal(term, other.terms[index]!)));
    return isSame === pool.true ? [] : [{ what, condition: pool.not(isSame), isCertain: true }];
  });
}

/** How the helpers differ that are called, whatever their arguments; undefined: they do not. */
function orderDifference(old: readonly Act[], next: readonly Act[]): string | undefined {
  const at = old.findIndex(({ helper }, index) => next[index]?.helper !== helper);
  if (at < 0 && old.length === next.length) return undefined;
  const names = new Set([...old, ...next].map(({ helper }) => helper));
  const counts = [...names].map((helper) => ({
    helper,
    ...{ mine: countOf(old, helper), theirs: countOf(next, helper) },
  }));
  const only = counts.filter(({ mine, theirs }) => mine !== theirs);
  if (only.length === 0) return `the builds call ${[...names].join(', ')} in another order`;
  const [lost, made] = [only.find((one) => one.theirs === 0), only.find((one) => one.mine === 0)];
  if (lost !== undefined && made !== undefined)
    return `the old build calls ${lost.helper}, the new one ${made.helper}`;
  const { helper, mine, theirs } = only[0]!;
  if (mine === 0 || theirs === 0) return `only the ${theirs === 0 ? 'old' : 'new'} build calls ${helper}`;
  return `the old build calls ${helper} ${times(mine)}, the new one ${times(theirs)}`;
}

function countOf(acts: readonly Act[], helper: string): number {
  return acts.filter((one) => one.helper === helper).length;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
