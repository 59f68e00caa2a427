import { describe, expect, it } from 'vitest';
import { testObject } from '../test-support/assemble.ts';
import { dictionaryOf } from './dictionary.ts';
import { dictionaryHints } from './dictionary-hints.ts';

const HEAD = 'r2 = *(u32 *)(r1 + 4)\nr1 = *(u32 *)(r1 + 0)\nr0 = 2\nr3 = r1\nr3 += 54\nif r3 > r2 goto out\n';

/** The entries of a program that has 54 bytes of the packet in r1, as `offset:bytes`. */
function entries(body: string): string[] {
  const found = dictionaryOf(testObject({ main: `${HEAD}${body}\nout:\nexit` }));
  return found.map(({ bytes, offset }) => `${offset ?? '*'}:${Buffer.from(bytes).toString('hex')}`);
}

describe('the dictionary of an object', () => {
  it('has constants in the order of the packet, with their offset', () => {
    expect(entries('r4 = *(u16 *)(r1 + 36)\nif r4 == 1928 goto out')).toEqual(['36:8807']);
    expect(entries('r4 = *(u32 *)(r1 + 26)\nr4 = be32 r4\nif w4 == 0x0a000001 goto out')).toEqual([
      '26:0a000001',
    ]);
  });

  it('undoes masks and shifts', () => {
    expect(entries('r4 = *(u16 *)(r1 + 14)\nr4 = be16 r4\nr4 &= 0xfff\nif r4 == 1234 goto out')).toEqual([
      '14:04d2',
    ]);
    expect(entries('r4 = *(u8 *)(r1 + 14)\nr4 >>= 4\nif r4 == 4 goto out')).toEqual(['14:40']);
  });

  it('puts bytes together that are compared one after the other', () => {
    const found = entries(
      'r4 = *(u8 *)(r1 + 50)\nif r4 != 71 goto out\nr4 = *(u8 *)(r1 + 51)\nif r4 != 69 goto out\nr4 = *(u8 *)(r1 + 52)\nif r4 != 84 goto out',
    );
    expect(found).toContain('50:474554');
  });

  it('has what lies beside a border', () => {
    expect(entries('r4 = *(u8 *)(r1 + 22)\nif r4 > 64 goto out')).toEqual(['22:40', '22:41', '22:3f']);
  });

  it('knows nothing of values that come from elsewhere', () => {
    expect(entries('r4 = 5\nif r4 == 7 goto out')).toEqual([]);
  });

  it('turns into hints by size', () => {
    const hints = dictionaryHints([
      { bytes: Uint8Array.from([0x87, 0x07]), offset: 36 },
      { bytes: Uint8Array.from([203, 0, 113, 7]) },
    ]);
    expect(hints.ports).toEqual([34567]);
    expect(hints.addresses).toEqual(['203.0.113.7']);
    expect(hints.contents).toHaveLength(2);
  });
});
