/** What is tried for a term, against all that it is for each number that its inputs may be. */
import { expect, it } from 'vitest';
import { candidates, MOST_CANDIDATES } from './candidates.ts';
import { Evaluator } from './evaluate.ts';
import type { Term } from './term.ts';
import { TermPool } from './term-pool.ts';

const pool = new TermPool();
const x = pool.unknown(8, 'x');
const wide = pool.zeroExtend(32, x);
const times = (factor: bigint, constant: bigint): Term => pool.sum(32, constant, [[wide, factor]]);

const TERMS: Readonly<Record<string, Term>> = {
  x: wide,
  'x | 5': pool.or(wide, pool.constant(32, 5)),
  'x & 0xf0': pool.and(wide, pool.constant(32, 0xf0)),
  'x << 2': pool.shiftLeft(wide, 2),
  '4x + 3': times(4n, 3n),
  '6x + 1': times(6n, 1n),
  '8(x & 0x3c) + 5': pool.sum(32, 5n, [[pool.and(wide, pool.constant(32, 0x3c)), 8n]]),
  '4x - 16': times(4n, 0xffff_fff0n),
  '0x1000x + 7': times(0x1000n, 7n),
};

for (const [name, term] of Object.entries(TERMS)) {
  it(`tries all that ${name} may be between any bounds`, () => {
    const all = Array.from({ length: 256 }, (_, value) =>
      new Evaluator(new Map([[x, BigInt(value)]])).value(term),
    );
    for (const [low, high] of [
      [0, 255],
      [1, 9],
      [7, 8],
      [100, 131],
      [13, 13],
    ] as const) {
      for (const beside of [-3n, -1n, 0n, 1n, 2n]) {
        const [a, b] = [all[low]!, all[high]!];
        const [min, max] = [(a < b ? a : b) + beside, (a < b ? b : a) + beside];
        if (min < 0n) continue;
        const tried = candidates(term, min, max);
        // What is not small enough to be tried is left to others; it must not be tried in part.
        if (tried === undefined) {
          expect(max - min).toBeGreaterThan(MOST_CANDIDATES);
          continue;
        }
        const missed = all.filter((one) => one >= min && one <= max && !tried.includes(one));
        expect({ min, max, missed }).toEqual({ min, max, missed: [] });
        expect(tried.every((one) => one >= min && one <= max)).toBe(true);
      }
    }
  });
}

it('tries no number that the fixed bits rule out, and skips what no multiple is', () => {
  expect(candidates(TERMS['x | 5']!, 0n, 16n)).toEqual([5n, 7n, 13n, 15n]);
  expect(candidates(TERMS['x << 2']!, 5n, 17n)).toEqual([8n, 12n, 16n]);
  expect(candidates(TERMS['4x + 3']!, 6n, 16n)).toEqual([7n, 11n, 15n]);
  expect(candidates(TERMS['0x1000x + 7']!, 0n, 0xf_ffffn)).toHaveLength(256);
});

it('tries as many as are allowed, and not one more step', () => {
  const term = pool.unknown(32, 'y');
  expect(candidates(term, 10n, 10n + MOST_CANDIDATES)).toHaveLength(Number(MOST_CANDIDATES) + 1);
  expect(candidates(term, 10n, 11n + MOST_CANDIDATES)).toBeUndefined();
});
