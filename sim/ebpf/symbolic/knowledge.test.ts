import { expect, it } from 'vitest';
import { Knowledge } from './knowledge.ts';
import type { Term } from './term.ts';
import { TermPool } from './term-pool.ts';

it('knows of a frame what its header’s length, bounded in other widths, says of it', () => {
  const pool = new TermPool();
  const knowledge = new Knowledge(pool);
  const frame = pool.unknown(16, 'length');
  const total = pool.concat([pool.unknown(8, 'p16'), pool.unknown(8, 'p17')]);
  const atLeast = (width: number, term: typeof total, least: number): void => {
    knowledge.add(pool.not(pool.less(term, pool.constant(width, least))), undefined);
  };
  atLeast(16, total, 20);
  const payload = pool.addConst(pool.zeroExtend(64, total), -20);
  knowledge.add(pool.less(payload, pool.constant(64, 65)), undefined);
  expect(knowledge.range(total)).toEqual({ min: 20n, max: 84n });
  const end = pool.addConst(pool.zeroExtend(33, pool.addConst(pool.zeroExtend(32, total), -20)), 34);
  knowledge.add(pool.not(pool.less(pool.zeroExtend(33, frame), end)), undefined);
  atLeast(64, payload, 12);
  expect(knowledge.range(frame).min).toBe(46n);
});

it('knows how large a folded sum is of what the sum, or its upper part, is bounded by', () => {
  const pool = new TermPool();
  const sum = pool.unknown(32, 'sum');
  const [low, high] = [pool.extract(sum, 0, 16), pool.extract(sum, 16, 16)];
  const folded = pool.add(pool.zeroExtend(32, low), pool.zeroExtend(32, high));
  const knowing = (...conditions: Term[]): Knowledge => {
    const knowledge = new Knowledge(pool);
    for (const one of conditions) knowledge.add(one, undefined);
    return knowledge;
  };
  expect(knowing().range(folded)).toEqual({ min: 0n, max: 0x1fffen });
  const carries = pool.not(pool.less(sum, pool.constant(32, 0x10000)));
  const two = pool.less(sum, pool.constant(32, 0x1_ffff));
  expect(knowing(two).range(folded)).toEqual({ min: 0n, max: 0xffffn });
  // It carries once for certain: at least that one is there.
  expect(knowing(two, carries).range(folded)).toEqual({ min: 1n, max: 0xffffn });
  expect(knowing(pool.equal(high, pool.constant(16, 0))).range(folded)).toEqual({ min: 0n, max: 0xffffn });
});

it('bounds a sum by what reaches up to its highest bit that may be set', () => {
  const pool = new TermPool();
  const words = ['a', 'b', 'c'].map((name) => pool.zeroExtend(64, pool.unknown(16, name)));
  const sum = words.reduce((all, one) => pool.add(all, one));
  const knowledge = new Knowledge(pool);
  knowledge.add(pool.equal(pool.extract(sum, 16, 2), pool.constant(2, 0)), undefined);
  expect(knowledge.range(sum)).toEqual({ min: 0n, max: 0xffffn });
  // What leaves a bit above open says nothing of the whole.
  const other = new Knowledge(pool);
  other.add(pool.equal(pool.extract(sum, 16, 1), pool.constant(1, 0)), undefined);
  expect(other.range(sum).max).toBe(0x2fffdn);
});

it('knows a condition again of which only a part is left', () => {
  const pool = new TermPool();
  const knowledge = new Knowledge(pool);
  const [isTagged, low, high] = [pool.unknown(1, 'tagged'), pool.unknown(8, 'low'), pool.unknown(8, 'high')];
  const [a, b] = [pool.equal(low, pool.constant(8, 42)), pool.equal(high, pool.constant(8, 0))];
  for (const condition of [
    pool.and(pool.and(isTagged, a), pool.and(isTagged, b)),
    pool.or(pool.and(isTagged, a), pool.and(isTagged, b)),
    pool.xor(pool.and(isTagged, a), pool.and(isTagged, b)),
    pool.ite(pool.and(isTagged, a), pool.and(isTagged, b), pool.false),
  ]) {
    const path = knowledge.copy();
    path.add(isTagged, undefined);
    const left = path.settle(condition);
    expect(left.operation).not.toBe('const');
    // What is asked is what is added, and then it is not asked again.
    path.add(pool.not(left), undefined);
    expect(path.settle(condition)).toBe(pool.false);
  }
});

/** What a table answers when its answer is looked up again, `rounds` times: each element is a choice about the one before. */
function lookedUp(pool: TermPool, rounds: number): Term {
  let state: Term = pool.constant(8, 0);
  for (let round = 0; round < rounds; round++) {
    const byte = pool.unknown(8, `p${round}`);
    const index = pool.and(pool.xor(state, byte), pool.constant(8, 7));
    const isElement = (number: number): Term => pool.equal(index, pool.constant(8, number));
    const rest = pool.ite(isElement(1), pool.constant(8, 6), pool.xor(byte, state));
    state = pool.ite(isElement(0), pool.constant(8, 3), rest);
  }
  return state;
}

it('goes through a table that is looked up with what it answered once for each of its terms', () => {
  const pool = new TermPool();
  const knowledge = new Knowledge(pool);
  const state = lookedUp(pool, 40);
  const isThree = pool.equal(state, pool.constant(8, 3));
  expect(knowledge.settle(isThree)).toBe(isThree);
  knowledge.add(isThree, undefined);
  expect(knowledge.range(lookedUp(pool, 39))).toEqual({ min: 0n, max: 255n });
}, 5_000);

it('forgets what followed before it knew more', () => {
  const pool = new TermPool();
  const knowledge = new Knowledge(pool);
  const byte = pool.unknown(8, 'byte');
  const isSmall = pool.less(byte, pool.constant(8, 10));
  const choice = pool.ite(isSmall, pool.constant(8, 1), pool.constant(8, 9));
  const isNine = pool.equal(pool.addConst(choice, 1), pool.constant(8, 10));
  expect(knowledge.range(choice)).toEqual({ min: 1n, max: 9n });
  const before = knowledge.copy();
  knowledge.add(pool.not(isSmall), undefined);
  expect(knowledge.range(choice)).toEqual({ min: 9n, max: 9n });
  expect(knowledge.settle(isNine)).toBe(pool.true);
  expect(before.range(choice)).toEqual({ min: 1n, max: 9n });
});
