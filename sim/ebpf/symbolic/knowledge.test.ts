import { expect, it } from 'vitest';
import { Knowledge } from './knowledge.ts';
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
