/** Fields laid out, read and written as bits of one long number. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOf, layOut, maskOf, type Place, readNumber, readWord, writeNumber } from './place.ts';

/** Widths that fill whole bytes, in words of at most 32 bits. */
const widths = fc
  .array(
    fc.constantFrom<number[]>(
      [8],
      [16],
      [24],
      [32],
      [1, 7],
      [3, 1, 12],
      [4, 4],
      [2, 6],
      [1, 1, 14, 8],
      [20, 3, 1],
      [10, 22],
      [1, 31],
      [31, 1],
      [5, 11, 16],
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((words) => words.flat());

const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);

describe('fields of any widths', () => {
  it('lie one behind the other, the first in the highest bits', () => {
    fc.assert(
      fc.property(
        widths,
        fc.nat(3),
        fc.infiniteStream(fc.constantFrom(0, 1, 0x55, 0x80, 0xff)),
        (all, start, stream) => {
          const places = layOut(all, start);
          const total = all.reduce((sum, bits) => sum + bits, 0);
          expect(endOf(places, start)).toBe(start + total / 8);
          const bytes = Uint8Array.from({ length: start + total / 8 }, () => stream.next().value as number);
          let left = BigInt(total);
          for (const [index, bits] of all.entries()) {
            left -= BigInt(bits);
            const value = Number((numberOf(bytes) >> left) & ((1n << BigInt(bits)) - 1n));
            expect(readNumber(bytes, 0, places[index]!)).toBe(value);
          }
        },
      ),
    );
  });

  it('are written without anything beside them, the low bits of a number', () => {
    fc.assert(
      fc.property(
        widths,
        fc.nat(20),
        fc.constantFrom(0x00, 0xff),
        fc.constantFrom(0, 1, 0x1234_5678, 0xffff_ffff),
        (all, which, fill, value) => {
          const index = which % all.length;
          const place = layOut(all)[index]!;
          const bits = all[index]!;
          const total = all.reduce((sum, one) => sum + one, 0);
          const bytes = new Uint8Array(total / 8 + 4).fill(fill);
          writeNumber(bytes, 2, place, value);
          const behind = BigInt(all.slice(index + 1).reduce((sum, one) => sum + one, 0) + 16);
          const mask = ((1n << BigInt(bits)) - 1n) << behind;
          const before = numberOf(new Uint8Array(bytes.length).fill(fill));
          expect(numberOf(bytes)).toBe((before & ~mask) | ((BigInt(value) << behind) & mask));
        },
      ),
    );
  });

  it('have masks in their words', () => {
    expect(layOut([1, 1, 1, 13]).map(maskOf)).toEqual([0x8000, 0x4000, 0x2000, 0x1fff]);
    expect(layOut([4, 8, 20]).map(maskOf)).toEqual([0xf000_0000, 0x0ff0_0000, 0x000f_ffff]);
    expect(layOut([32]).map(maskOf)).toEqual([0xffff_ffff]);
  });
});

describe('a declaration that is wrong', () => {
  it('has bit fields that fill no bytes, or share more than four', () => {
    expect(() => layOut([4])).toThrow('the last 4 bits of a header fill no byte');
    expect(() => layOut([8, 3, 6])).toThrow('the last 9 bits of a header fill no byte');
    expect(() => layOut([1, 32])).toThrow('bit fields of 33 bits share a word: 32 are possible');
    expect(() => layOut([1, 31, 4, 4])).not.toThrow();
    expect(layOut([])).toEqual([]);
    expect([endOf([]), endOf([], 5)]).toEqual([0, 5]);
  });

  it('has numbers of more than four bytes', () => {
    const wide: Place = { at: 0, size: 6, shift: 0, bits: 48 };
    const bytes = new Uint8Array(8);
    expect(() => readWord(bytes, 0, 6)).toThrow('a field of 6 bytes is no number');
    expect(() => readNumber(bytes, 0, wide)).toThrow('a field of 6 bytes is no number');
    expect(() => writeNumber(bytes, 0, wide, 1)).toThrow('a field of 6 bytes is no number');
  });
});
