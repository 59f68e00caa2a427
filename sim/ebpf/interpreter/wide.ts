/** 64-bit arithmetic on pairs of 32-bit halves, where it takes more than a line. All results are signed halves. */

/** The upper 32 bits of the unsigned product of two 32-bit numbers. */
export function multiplyHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  // Each partial product is below 2^32, each sum below 2^53.
  const middle = ah * bl + ((al * bl) >>> 16);
  const cross = al * bh + (middle % 0x1_0000);
  return (ah * bh + Math.floor(middle / 0x1_0000) + Math.floor(cross / 0x1_0000)) | 0;
}

/** Takes the result of the last division: halves cannot be returned in pairs without an object. */
export const quotient: { low: number; high: number } = { low: 0, high: 0 };

/**
 * 64-bit division or remainder as eBPF defines it (RFC 9669 §4.1): by zero the quotient is 0 and the remainder
 * the dividend; the smallest number by −1 is itself, with remainder 0. Leaves the result in `quotient`.
 */
export function divide(
  aLow: number,
  aHigh: number,
  bLow: number,
  bHigh: number,
  signed: boolean,
  remainder: boolean,
): void {
  if ((bLow | bHigh) === 0) {
    quotient.low = remainder ? aLow : 0;
    quotient.high = remainder ? aHigh : 0;
    return;
  }
  if ((aHigh | bHigh) === 0) {
    const a = aLow >>> 0;
    const b = bLow >>> 0;
    quotient.low = (remainder ? a % b : Math.floor(a / b)) | 0;
    quotient.high = 0;
    return;
  }
  let a = (BigInt(aHigh) << 32n) | BigInt(aLow >>> 0);
  let b = (BigInt(bHigh) << 32n) | BigInt(bLow >>> 0);
  if (!signed) {
    a = BigInt.asUintN(64, a);
    b = BigInt.asUintN(64, b);
  }
  const result = remainder ? a % b : a / b;
  quotient.low = Number(BigInt.asIntN(32, result));
  quotient.high = Number(BigInt.asIntN(32, result >> 32n));
}

/** 32-bit division or remainder, by the same rules. */
export function divide32(a: number, b: number, signed: boolean, remainder: boolean): number {
  if (b === 0) return remainder ? a : 0;
  if (signed) return remainder ? (a % b) | 0 : (a / b) | 0;
  const dividend = a >>> 0;
  const divisor = b >>> 0;
  return (remainder ? dividend % divisor : Math.floor(dividend / divisor)) | 0;
}

/** The bytes of a 32-bit number in reverse order. */
export function swap32(value: number): number {
  return (
    ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)
  );
}
