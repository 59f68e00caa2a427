/** How far numbers are from a comparison that does not hold: what a search should make smaller where there is nothing to solve. */
import { type Comparison, holds } from './flow-trace.ts';

/** By how much a number would have to change for the comparison to hold; 0: it does. Numbers go round, as those of the machine do. */
export function distanceTo(comparison: Comparison, bits: 32 | 64, x: bigint, y: bigint): number {
  if (holds(comparison, bits, x, y)) return 0;
  const round = 1n << BigInt(bits);
  const a = BigInt.asUintN(bits, x);
  const b = BigInt.asUintN(bits, y);
  const up = BigInt.asUintN(bits, b - a);
  const down = round - up;
  switch (comparison) {
    case 'eq':
      return Number(least(up, down));
    case 'ne':
    case 'set':
      return 1;
    case 'clear':
      return onesOf(a & b);
    // Below the border, or beyond the far end of the numbers: a range is compared as a difference that is small enough.
    case 'lt':
      return Number(least(down + 1n, round - a));
    case 'le':
      return Number(least(down, round - a));
    case 'gt':
      return Number(up + 1n);
    case 'ge':
      return Number(up);
    default: {
      const border = BigInt.asIntN(bits, y) - BigInt.asIntN(bits, x);
      const gap = Number(border < 0n ? -border : border);
      return comparison === 'sgt' || comparison === 'slt' ? gap + 1 : gap;
    }
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function onesOf(bits: bigint): number {
  return bits.toString(2).replaceAll('0', '').length;
}
