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

type CallDifference = Omit<ActDifference, 'isSeen'> & {
  /** Is it about what is sent, which runs show? */
  readonly isSent?: boolean;
};

/** Acts on one of these may change places with those on another. A copy takes along whatever was told of the frame before. */
const KINDS = ['outside', 'trace', 'frame', 'tunnel', 'socket', 'shared'] as const;
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
      const own = acts.filter(
        ({ on }) => on === kind || (on === 'copy' && kind !== 'trace' && kind !== 'shared'),
      );
      if (kind === 'shared') return own.sort((one, other) => (one.helper < other.helper ? -1 : 1));
      return isDropped && OF_FRAME.some((one) => one === kind)
        ? own.slice(0, own.findLastIndex(isCopy) + 1)
        : own;
    });
    return sequenceDifferences(pool, a!, b!).map(({ isSent, ...one }) => ({
      ...one,
      isSeen: kind === 'trace' || isSent === true,
    }));
  });
}

function isCopy({ on }: Act): boolean {
  return on === 'copy';
}

function sequenceDifferences(pool: TermPool, old: readonly Act[], next: readonly Act[]): CallDifference[] {
  const calls = orderDifference(old, next);
  if (calls !== undefined) return [{ ...calls, condition: pool.true, isCertain: true }];
  return old.flatMap((act, at): CallDifference[] => {
    const other = next[at]!;
    const isSent = act.sends !== undefined;
    const what = isSent
      ? `${act.sends}, in what it says`
      : `the builds call ${act.helper} with other arguments`;
    if (act.shape !== other.shape || act.terms.length !== other.terms.length)
      return [{ what, condition: pool.true, isCertain: isSent, isSent }];
    const isSame = pool.all(act.terms.map((term, index) => pool.equal(term, other.terms[index]!)));
    return isSame === pool.true ? [] : [{ what, condition: pool.not(isSame), isCertain: true, isSent }];
  });
}

/** How the calls differ, whatever their arguments; undefined: they do not. */
function orderDifference(
  old: readonly Act[],
  next: readonly Act[],
): Pick<CallDifference, 'what' | 'isSent'> | undefined {
  const at = old.findIndex(({ helper }, index) => next[index]?.helper !== helper);
  if (at < 0 && old.length === next.length) return undefined;
  const acts = new Map([...old, ...next].map((act) => [act.helper, act]));
  const counts = [...acts.values()].map((act) => ({
    act,
    ...{ mine: countOf(old, act.helper), theirs: countOf(next, act.helper) },
  }));
  const only = counts.filter(({ mine, theirs }) => mine !== theirs);
  if (only.length === 0) return { what: `the builds ${verbs([...acts.values()])} in another order` };
  const isSent = only.some(({ act }) => act.sends !== undefined);
  const [lost, made] = [only.find((one) => one.theirs === 0), only.find((one) => one.mine === 0)];
  if (lost !== undefined && made !== undefined)
    return { what: `the old build ${verb(lost.act)}, the new one ${verb(made.act)}`, isSent };
  const { act, mine, theirs } = only[0]!;
  if (mine === 0 || theirs === 0)
    return { what: `only the ${theirs === 0 ? 'old' : 'new'} build ${verb(act)}`, isSent };
  return { what: `the old build ${verb(act)} ${times(mine)}, the new one ${times(theirs)}`, isSent };
}

/** `calls bpf_send_signal`, `sends an event to map rb`. */
function verb({ helper, sends, does }: Act): string {
  if (does !== undefined) return does;
  return sends === undefined ? `calls ${helper}` : `sends ${sends}`;
}

function verbs(acts: readonly Act[]): string {
  const called = acts.filter(({ sends }) => sends === undefined).map(({ helper }) => helper);
  const sent = acts.flatMap(({ sends }) => sends ?? []);
  const parts = [
    ...(called.length === 0 ? [] : [`call ${called.join(', ')}`]),
    ...(sent.length === 0 ? [] : [`send ${sent.join(', ')}`]),
  ];
  return parts.join(' and ');
}

function countOf(acts: readonly Act[], helper: string): number {
  return acts.filter((one) => one.helper === helper).length;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
