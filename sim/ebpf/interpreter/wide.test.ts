import fc from 'fast-check';
import { expect, it } from 'vitest';
import { divide, divide32, multiplyHigh, quotient, swap32 } from './wide.ts';

const corner = fc.constantFrom(0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0x1_0000, 0xffff, 2);
const half = fc.oneof(corner, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));

const join = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

it('multiplies two 32-bit numbers as big integers do', () => {
  fc.assert(
    fc.property(half, half, (a, b) => {
      const product = BigInt(a >>> 0) * BigInt(b >>> 0);
      expect(multiplyHigh(a, b)).toBe(Number(BigInt.asIntN(32, product >> 32n)));
    }),
    { numRuns: 2000 },
  );
});

it('divides 64-bit numbers as big integers do, and by zero as RFC 9669 §4.1 says', () => {
  fc.assert(
    fc.property(half, half, half, half, fc.boolean(), fc.boolean(), (al, ah, bl, bh, signed, remainder) => {
      divide(al, ah, bl, bh, signed, remainder);
      const a = signed ? join(al, ah) : BigInt.asUintN(64, join(al, ah));
      const b = signed ? join(bl, bh) : BigInt.asUintN(64, join(bl, bh));
      let expected: bigint;
      if (b === 0n) expected = remainder ? a : 0n;
      else expected = remainder ? a % b : a / b;
      expect(join(quotient.low, quotient.high)).toBe(BigInt.asIntN(64, expected));
    }),
    { numRuns: 2000 },
  );
});

it('gives the smallest number divided by -1 as itself, with remainder 0', () => {
  divide(0, -0x8000_0000, -1, -1, true, false);
  expect([quotient.low, quotient.high]).toEqual([0, -0x8000_0000]);
  divide(0, -0x8000_0000, -1, -1, true, true);
  expect([quotient.low, quotient.high]).toEqual([0, 0]);
  expect(divide32(-0x8000_0000, -1, true, false)).toBe(-0x8000_0000);
  expect(Math.abs(divide32(-0x8000_0000, -1, true, true))).toBe(0);
});

it('divides 32-bit numbers signed and unsigned', () => {
  expect(divide32(-7, 2, true, false)).toBe(-3);
  expect(divide32(-7, 2, true, true)).toBe(-1);
  expect(divide32(-7, 2, false, false)).toBe(0x7fff_fffc);
  expect(divide32(-7, 0, false, true)).toBe(-7);
});

it('swaps the bytes of a word', () => {
  expect(swap32(0x0102_0304)).toBe(0x0403_0201);
  expect(swap32(0xff)).toBe(-0x100_0000);
});
