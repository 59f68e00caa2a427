import { describe, expect, it } from 'vitest';
import { EINVAL, ENOENT } from '../../runtime/errno.ts';
import { LinearMemory } from '../memory.ts';
import { testMap } from '../test-support/assemble.ts';
import { jhash } from './bloom-filter-map.ts';
import { createMap } from './create-map.ts';

describe('jhash', () => {
  it.each([
    [0, 0],
    [1, 7],
    [12, 1],
    [13, 0xffff_ffff],
    [24, 5],
    [31, 2],
  ])('of %i bytes differs with each of them and with its start', (size, seed) => {
    const view = new DataView(Uint8Array.from({ length: size + 8 }, (_, index) => index * 37 + 1).buffer);
    const before = jhash(view, 4, size, seed);
    expect(before).toBe(before >>> 0);
    expect(jhash(view, 4, size, seed + 1)).not.toBe(before);
    for (let at = 4; at < 4 + size; at++) {
      view.setUint8(at, view.getUint8(at) ^ 0x10);
      expect(jhash(view, 4, size, seed)).not.toBe(before);
      view.setUint8(at, view.getUint8(at) ^ 0x10);
    }
    view.setUint8(3, 99);
    view.setUint8(4 + size, 99);
    expect(jhash(view, 4, size, seed)).toBe(before);
  });
});

describe('a Bloom filter', () => {
  const memory = new LinearMemory();
  const filter = createMap(
    memory,
    testMap('f', 'BLOOM_FILTER', { keySize: 0, valueSize: 4, maxEntries: 100 }),
    0,
  );
  const at = memory.allocate(8);
  const push = (value: number, flags = 0): number => {
    memory.setU32(at, value);
    return filter.push(at, flags);
  };
  const peek = (value: number): number => {
    memory.setU32(at, value);
    return filter.peek(at);
  };

  it('has what was pushed, takes few others for it, and is empty again when it is cleared', () => {
    for (let value = 0; value < 100; value++) expect(push(value)).toBe(0);
    for (let value = 0; value < 100; value++) expect(peek(value)).toBe(0);
    const others = Array.from({ length: 1000 }, (_, index) => peek(1000 + index));
    const taken = others.filter((result) => result === 0).length;
    expect(taken).toBeLessThan(60);
    expect(new Set(others)).toEqual(new Set(taken === 0 ? [-ENOENT] : [0, -ENOENT]));
    filter.clear();
    expect(peek(0)).toBe(-ENOENT);
  });

  it('knows no flags, and leaves the value that it is asked for alone', () => {
    expect([push(1, 1), push(1, 2)]).toEqual([-EINVAL, -EINVAL]);
    peek(0x1234_5678);
    expect(memory.u32(at)).toBe(0x1234_5678);
  });
});
