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
