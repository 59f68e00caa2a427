import { expect, it } from 'vitest';
import { chunk } from './chunks.ts';

it('divides a run without gaps, in pieces that grow to a bound', () => {
  const pieces = Array.from({ length: 80 }, (_, index) => chunk(index));
  expect(pieces[0]).toEqual({ from: 0, to: 1, step: 1 });
  for (const [index, { from, to }] of pieces.entries()) {
    if (index > 0) expect(from).toBe(pieces[index - 1]!.to);
    expect(to - from).toBeGreaterThanOrEqual(1);
    expect(to - from).toBeLessThanOrEqual(16);
  }
  expect(pieces.at(-1)!.to - pieces.at(-1)!.from).toBe(16);
});
