import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as bytes from './bytes.ts';
import { u8, u16, u32 } from './test-support/arbitraries.ts';

describe('words', () => {
  it('are read and written as DataView does, at any alignment', () => {
    const data = new Uint8Array(17);
    const view = new DataView(data.buffer);
    fc.assert(
      fc.property(u32, u16, u8, fc.nat(8), (value, half, fill, at) => {
        data.fill(fill);
        bytes.writeU32(data, at, value);
        expect([view.getUint32(at), bytes.readU32(data, at)]).toEqual([value, value]);
        bytes.writeU32le(data, at, value);
        expect([view.getUint32(at, true), bytes.readU32le(data, at)]).toEqual([value, value]);
        expect([bytes.readU64(data, at), bytes.readU64le(data, at)]).toEqual([
          view.getBigUint64(at),
          view.getBigUint64(at, true),
        ]);
        const wide = (BigInt(value) << 32n) | BigInt(half);
        bytes.writeU64le(data, at, wide);
        expect(view.getBigUint64(at, true)).toBe(wide);
        data.fill(fill, at + 4);
        bytes.writeU16(data, at, half);
        expect([view.getUint16(at), bytes.readU16(data, at)]).toEqual([half, half]);
        bytes.writeU16le(data, at, half);
        expect([view.getUint16(at, true), bytes.readU16le(data, at)]).toEqual([half, half]);
        bytes.writeU24(data, at, value);
        expect(bytes.readU24(data, at)).toBe(value & 0xffffff);
        expect(data[at + 8]).toBe(fill);
      }),
    );
  });
});

describe('ranges', () => {
  it('are swapped, compared, copied and found to be zero', () => {
    const data = Uint8Array.of(1, 2, 3, 4, 0, 0);
    bytes.swap(data, 0, 2, 2);
    expect([...data]).toEqual([3, 4, 1, 2, 0, 0]);
    bytes.copy(data, 0, data, 4, 2);
    expect(bytes.equal(data, 0, data, 4, 2)).toBe(true);
    expect(bytes.equal(data, 0, data, 2, 2)).toBe(false);
    expect([bytes.isZero(new Uint8Array(3), 0, 3), bytes.isZero(data, 0, 1)]).toEqual([true, false]);
  });
});

describe('copyWords', () => {
  it('copies exactly the bytes asked for, from any place to any', () => {
    const pattern = Uint8Array.from({ length: 40 }, (_, index) => index + 1);
    for (let length = 0; length <= 18; length++) {
      for (const [fromAt, toAt] of [
        [0, 0],
        [1, 2],
        [3, 5],
      ] as const) {
        const to = new Uint8Array(40);
        bytes.copyWords(new DataView(pattern.buffer), fromAt, new DataView(to.buffer), toAt, length);
        const expected = new Uint8Array(40);
        expected.set(pattern.subarray(fromAt, fromAt + length), toAt);
        expect(to).toEqual(expected);
      }
    }
  });
});

describe('equalWords', () => {
  it('sees every byte of both, and none beside them', () => {
    const pattern = Uint8Array.from({ length: 60 }, (_, index) => index + 1);
    for (let length = 0; length <= 50; length++) {
      const other = new Uint8Array(64);
      other.set(pattern.subarray(2, 2 + length), 5);
      const same = (): boolean =>
        bytes.equalWords(new DataView(pattern.buffer), 2, new DataView(other.buffer), 5, length);
      expect(same()).toBe(true);
      for (let at = 0; at < length; at++) {
        other[5 + at]! ^= 0x80;
        expect(same()).toBe(false);
        other[5 + at]! ^= 0x80;
      }
    }
  });
});

describe('hexadecimal', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        expect(bytes.fromHex(bytes.toHex(data))).toEqual(data);
      }),
    );
  });

  it('takes white space and a leading 0x, and names the digit that is none', () => {
    expect(bytes.toHex(bytes.fromHex(' 0x01 aB\n cd'))).toBe('01abcd');
    expect(() => bytes.fromHex('01x2')).toThrow('digit 3');
    expect(() => bytes.fromHex('012')).toThrow('odd');
  });
});
