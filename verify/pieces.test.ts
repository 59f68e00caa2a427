import { describe, expect, it } from 'vitest';
import { ALL_BATCHES, BATCH_SIZE, type BatchRange } from './batch-plan.ts';
import { Pieces } from './pieces.ts';

function all(packets: number, runners: number): BatchRange[] {
  const pieces = new Pieces(packets, runners);
  const list: BatchRange[] = [];
  for (let piece = pieces.at(0); piece !== undefined; piece = pieces.at(list.length)) list.push(piece);
  return list;
}

const sizes = (pieces: readonly BatchRange[]): number[] => pieces.map(({ from, to }) => to - from);

describe('pieces of a run', () => {
  it.each([1, 2, 100, 2000, 100_001, 2_000_000, 50_000_000])(
    'follow each other without gaps up to the end: %d packets',
    (packets) => {
      for (const runners of [2, 3, 16, 64]) {
        const pieces = all(packets, runners);
        expect(pieces[0]!.from).toBe(0);
        for (const [index, { from, to }] of pieces.entries()) {
          if (index > 0) expect(from).toBe(pieces[index - 1]!.to);
          expect(to - from).toBeGreaterThanOrEqual(1);
          expect(to - from).toBeLessThanOrEqual(32);
        }
        expect(pieces.at(-1)!.to).toBe(Math.ceil(packets / BATCH_SIZE));
      }
    },
  );

  it('are small at first, large in the middle, and small at the end', () => {
    const some = sizes(all(2_000_000, 2));
    expect(some.slice(0, 9)).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 4]);
    expect(some.filter((size) => size === 32).length).toBeGreaterThan(20);
    expect(some.slice(-3)).toEqual([1, 1, 1]);
    expect(some.length).toBeLessThan(65);
  });

  it('leave something for every runner at the end', () => {
    const pieces = all(2_000_000, 16);
    const batches = pieces.at(-1)!.to;
    for (const { from, to } of pieces)
      expect(to - from).toBeLessThanOrEqual(Math.ceil((batches - from) / 32));
  });

  it('go on for ever where time decides', () => {
    const pieces = new Pieces(Number.POSITIVE_INFINITY, 2);
    expect(sizes([pieces.at(20)!, pieces.at(500)!])).toEqual([32, 32]);
    expect(pieces.at(500)).toEqual(pieces.at(500));
    expect(pieces.at(501)!.from).toBe(pieces.at(500)!.to);
  });

  it('are one for a single runner', () => {
    expect(all(5000, 1)).toEqual([ALL_BATCHES]);
    expect(all(Number.POSITIVE_INFINITY, 1)).toEqual([ALL_BATCHES]);
  });
});
