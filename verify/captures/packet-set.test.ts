import { describe, expect, it } from 'vitest';
import { PacketSet } from './packet-set.ts';

describe('a set of packet numbers', () => {
  it('holds what was added, counted once, and none of its neighbours', () => {
    const numbers = [0, 1, 7, 8, 32_767, 32_768, 65_543, 5_000_000_000];
    const set = new PacketSet();
    expect(set.has(0)).toBe(false);
    for (const number of [...numbers, ...numbers]) set.add(number);
    expect(set.size).toBe(numbers.length);
    for (const number of numbers) expect(set.has(number)).toBe(true);
    for (const number of [2, 6, 9, 15, 16, 32_766, 32_769, 65_536, 65_535, 65_544, 5_000_000_001])
      expect(set.has(number)).toBe(false);
  });
});
