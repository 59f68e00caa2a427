/**
 * Tries of prefixes on a path (kernel/bpf/lpm_trie.c): a lookup finds the longest prefix that covers its key, an update or a
 * deletion means one prefix. So what the path knows of one key may say what it finds under another.
 */
import { type MapEntryState, NotFollowed, type PathState } from './path-state.ts';
import type { Term } from './term.ts';

/** Bytes of the length before the address. */
const LENGTH_SIZE = 4;

/** How many bits of the address count. */
export function prefixLength({ pool }: PathState, key: readonly Term[]): Term {
  return pool.concat(key.slice(0, LENGTH_SIZE).reverse());
}

/** Bits in the address of a key. */
export function addressBits(key: readonly Term[]): number {
  return (key.length - LENGTH_SIZE) * 8;
}

/** Which bits of a byte of the address count. */
function maskAt({ pool, knowledge }: PathState, length: Term, at: number): Term {
  const known = knowledge.only(length);
  if (known !== undefined) {
    const bits = Math.min(8, Math.max(0, Number(known) - at * 8));
    return pool.constant(8, 0xff & (0xff00 >> bits));
  }
  let mask = pool.constant(8, 0);
  for (let bit = 0; bit < 8; bit++) {
    const counts = pool.less(pool.constant(32, at * 8 + bit), length);
    mask = pool.or(mask, pool.ite(counts, pool.constant(8, 0x80 >> bit), pool.constant(8, 0)));
  }
  return mask;
}

/** Does one prefix cover another, or is it the same? A condition. */
export function covers(state: PathState, shorter: readonly Term[], longer: readonly Term[]): Term {
  const { pool } = state;
  const length = prefixLength(state, shorter);
  const isLonger = pool.less(prefixLength(state, longer), length);
  if (isLonger === pool.true) return pool.false;
  const address = longer.slice(LENGTH_SIZE);
  const same = shorter.slice(LENGTH_SIZE).map((byte, at) => {
    const mask = maskAt(state, length, at);
    return pool.equal(pool.and(byte, mask), pool.and(address[at]!, mask));
  });
  return pool.and(pool.not(isLonger), pool.all(same));
}

/** Are they the same prefix? A condition. */
export function isSamePrefix(state: PathState, one: readonly Term[], other: readonly Term[]): Term {
  return state.pool.and(covers(state, one, other), covers(state, other, one));
}

/**
 * Whether a prefix that the path asks for now, for the first time, was there, where others say it; undefined: they do not.
 * @param isExact of an update or a deletion: is it just this prefix?
 * @throws {Split} where the path does not know which covers which
 */
export function thereByOthers(
  state: PathState,
  others: readonly MapEntryState[],
  key: readonly Term[],
  isExact: boolean,
): Term | undefined {
  const { pool } = state;
  if (!isExact) requireUnchanged(state, others, key);
  let found: Term | undefined;
  for (const other of others) {
    if (state.decide(other.wasThere)) {
      if (!isExact && state.decide(covers(state, other.key, key))) found = pool.true;
    } else if (other.isExact !== true && state.decide(covers(state, key, other.key))) found = pool.false;
  }
  return found;
}

/**
 * An entry that the path has asked for before is asked for again.
 * @throws {NotFollowed} where what was found before does not say whether just this prefix is there, or what else a lookup finds
 */
export function requireKnown(
  state: PathState,
  entry: MapEntryState,
  others: readonly MapEntryState[],
  isExact: boolean,
): void {
  const isThere = state.decide(entry.isThere);
  if (!isExact) {
    if (entry.isExact === true && !isThere)
      throw new NotFollowed('a lookup of a prefix that is not there, below others that may be');
    const besides = others.filter((one) => one !== entry);
    requireUnchanged(state, besides, entry.key);
  } else if (entry.isExact !== true && isThere && state.decide(entry.wasThere))
    throw new NotFollowed('a change of a prefix that was looked up, and may be found by a shorter one');
}

/** What a lookup finds beside changed prefixes, is theirs, or that of others behind them. */
function requireUnchanged(state: PathState, others: readonly MapEntryState[], key: readonly Term[]): void {
  for (const other of others) {
    if (isChanged(state, other) && state.decide(isRelated(state, other.key, key)))
      throw new NotFollowed(
        'a lookup beside a prefix that the program has changed, and that covers it or is covered',
      );
  }
}

function isRelated(state: PathState, one: readonly Term[], other: readonly Term[]): Term {
  return state.pool.or(covers(state, one, other), covers(state, other, one));
}

/** Did the path put it in, take it out, or write into its value? */
function isChanged(state: PathState, { isThere, wasThere, block }: MapEntryState): boolean {
  const isWritten = state.blocks[block]!.memory.written().length > 0;
  return isWritten || isThere !== state.knowledge.settle(wasThere);
}

/**
 * Entries that may be the one that a lookup of a key finds: those found under prefixes that cover it, or are covered.
 * @throws {Split} where the path does not know which covers which
 */
export function mayBeSame(
  state: PathState,
  others: readonly MapEntryState[],
  key: readonly Term[],
): readonly MapEntryState[] {
  return others.filter((one) => state.decide(one.isThere) && state.decide(isRelated(state, one.key, key)));
}

/** What is written under one key is read under the other then: that is not followed. */
export function keepUnwritten(state: PathState, entries: readonly MapEntryState[]): void {
  for (const { block } of entries) state.blocks[block] = { ...state.blocks[block]!, mayBeAnother: true };
}
