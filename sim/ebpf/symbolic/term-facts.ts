/** What is certain of a term's bits and size, from what is certain of its operands. */
import { allOnes, bitLength, isConst, signed, type Term } from './term.ts';

export interface Facts {
  readonly ones: bigint;
  readonly maybe: bigint;
  readonly min: bigint;
  readonly max: bigint;
}

type Parts = Pick<Term, 'operation' | 'width' | 'operands' | 'value' | 'factors' | 'low'>;

export function factsOf(parts: Parts): Facts {
  const all = allOnes(parts.width);
  const known = bitsOf(parts, all);
  const range = rangeOf(parts, all);
  // Each says something of the other: the largest number has no bits above its highest, bits bound the number.
  const maybe = known.maybe & allOnes(bitLength(range.max < all ? range.max : all));
  const min = known.ones > range.min ? known.ones : range.min;
  const max = maybe < range.max ? maybe : range.max;
  return { ones: known.ones & maybe, maybe, min, max: max < min ? min : max };
}

function bitsOf(
  { operation, width, operands, value, factors, low }: Parts,
  all: bigint,
): Pick<Facts, 'ones' | 'maybe'> {
  const [a, b, c] = operands;
  switch (operation) {
    case 'const':
      return { ones: value, maybe: value };
    case 'and':
      return { ones: a!.ones & b!.ones, maybe: a!.maybe & b!.maybe };
    case 'or':
      return { ones: a!.ones | b!.ones, maybe: a!.maybe | b!.maybe };
    case 'xor': {
      const certain = (a!.ones | (a!.maybe ^ all)) & (b!.ones | (b!.maybe ^ all));
      const ones = (a!.ones ^ b!.ones) & certain;
      return { ones, maybe: ones | (all & ~certain) };
    }
    case 'concat': {
      let ones = 0n;
      let maybe = 0n;
      for (const one of operands) {
        ones = (ones << BigInt(one.width)) | one.ones;
        maybe = (maybe << BigInt(one.width)) | one.maybe;
      }
      return { ones, maybe };
    }
    case 'extract':
      return { ones: (a!.ones >> BigInt(low)) & all, maybe: (a!.maybe >> BigInt(low)) & all };
    case 'ite':
      return { ones: b!.ones & c!.ones, maybe: b!.maybe | c!.maybe };
    case 'sext': {
      const sign = 1n << BigInt(a!.width - 1);
      const above = all & ~allOnes(a!.width);
      return {
        ones: a!.ones | ((a!.ones & sign) !== 0n ? above : 0n),
        maybe: a!.maybe | ((a!.maybe & sign) !== 0n ? above : 0n),
      };
    }
    case 'sum': {
      // Trailing zeros that all parts share stay.
      let zeros = trailingZeros(value, width);
      for (const [index, one] of operands.entries()) {
        const parts = trailingZeros(one.maybe, width);
        const factor = trailingZeros(factors[index]!, width);
        zeros = Math.min(zeros, parts + factor);
      }
      return { ones: 0n, maybe: all & ~allOnes(Math.min(zeros, width)) };
    }
    default:
      return { ones: 0n, maybe: all };
  }
}

function trailingZeros(value: bigint, width: number): number {
  if (value === 0n) return width;
  let count = 0;
  while (((value >> BigInt(count)) & 1n) === 0n) count++;
  return count;
}

function rangeOf(
  { operation, width, operands, value, factors, low }: Parts,
  all: bigint,
): Pick<Facts, 'min' | 'max'> {
  const [a, b, c] = operands;
  const whole = { min: 0n, max: all };
  switch (operation) {
    case 'const':
      return { min: value, max: value };
    case 'sum': {
      const { least, most } = sumRange(width, value, factors, operands, asItIs);
      // Modulo 2^width: certain where both ends lie in the same round.
      const round = least >> BigInt(width);
      if (round !== most >> BigInt(width)) return whole;
      const start = round << BigInt(width);
      return { min: least - start, max: most - start };
    }
    case 'mul':
      return a!.max * b!.max > all ? whole : { min: a!.min * b!.min, max: a!.max * b!.max };
    case 'udiv':
      return {
        min: b!.max === 0n || b!.min === 0n ? 0n : a!.min / b!.max,
        max: b!.min === 0n ? a!.max : a!.max / b!.min,
      };
    case 'urem':
      return { min: 0n, max: b!.min > 0n && b!.max - 1n < a!.max ? b!.max - 1n : a!.max };
    case 'lshr':
      return { min: 0n, max: a!.max };
    case 'concat': {
      let min = 0n;
      let max = 0n;
      for (const one of operands) {
        min = (min << BigInt(one.width)) | one.min;
        max = (max << BigInt(one.width)) | one.max;
      }
      return { min, max };
    }
    case 'extract': {
      // The upper part of a number keeps its order.
      if (low + width < bitLength(a!.max)) return whole;
      return { min: a!.min >> BigInt(low), max: a!.max >> BigInt(low) };
    }
    case 'sext':
      return a!.max >> BigInt(a!.width - 1) === 0n ? { min: a!.min, max: a!.max } : whole;
    case 'ite':
      return { min: b!.min < c!.min ? b!.min : c!.min, max: b!.max > c!.max ? b!.max : c!.max };
    default:
      return whole;
  }
}

export interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

/** What is certain of a term on every path. */
export function asItIs(term: Term): Range {
  return term;
}

/**
 * Between which integers a sum lies before it is cut to its width; factors count as signed numbers.
 * @param rangeOf what is known of a term: of operands, and of those that two operands are halves of
 */
export function sumRange(
  width: number,
  value: bigint,
  factors: readonly bigint[],
  operands: readonly Term[],
  rangeOf: (term: Term) => Range,
): { readonly least: bigint; readonly most: bigint } {
  let least = signed(width, value);
  let most = least;
  const add = (factor: bigint, { min, max }: Range): void => {
    least += factor * (factor < 0n ? max : min);
    most += factor * (factor < 0n ? min : max);
  };
  const halves = halvesAmong(factors, operands, rangeOf);
  for (const [index, one] of operands.entries()) {
    if (halves === undefined || !halves.at.includes(index)) add(signed(width, factors[index]!), rangeOf(one));
  }
  if (halves !== undefined) add(signed(width, factors[halves.at[0]]!), halves.range);
  return { least, most };
}

/**
 * Two operands that are the lower and the upper bits of one number, as a checksum is folded: `(s & 0xffff) + (s >> 16)` is
 * less than both could be by themselves. What was folded twice has 16 bits for certain.
 */
function halvesAmong(
  factors: readonly bigint[],
  operands: readonly Term[],
  rangeOf: (term: Term) => Range,
): { readonly at: readonly [number, number]; readonly range: Range } | undefined {
  for (const [upper, one] of operands.entries()) {
    const high = withoutZeros(one);
    if (high.operation !== 'extract' || high.low === 0) continue;
    const whole = high.operands[0]!;
    const lower = operands.findIndex((other, index) => {
      const low = withoutZeros(other);
      const isLower = low.operation === 'extract' && low.low === 0 && low.width === high.low;
      return isLower && low.operands[0] === whole && factors[index] === factors[upper];
    });
    if (lower < 0) continue;
    const range = rangeOf(whole);
    if (bitLength(range.max) > high.low + high.width) continue;
    const folded = foldedRange(range, high.low);
    const [a, b] = [rangeOf(operands[lower]!), rangeOf(one)];
    return { at: [lower, upper], range: narrower(folded, { min: a.min + b.min, max: a.max + b.max }) };
  }
  return undefined;
}

/** What the lower `bits` of a number and the rest of it come to together, where the number lies in a range. */
function foldedRange({ min, max }: Range, bits: number): Range {
  const all = allOnes(bits);
  const [first, last] = [min >> BigInt(bits), max >> BigInt(bits)];
  const [least, most] = [first + (min & all), last + (max & all)];
  if (first === last) return { min: least, max: most };
  // From one multiple to the next it grows by one each: least on a multiple, most before one.
  const onMultiple = first + 1n;
  const beforeMultiple = last - 1n + all;
  return {
    min: onMultiple < least ? onMultiple : least,
    max: beforeMultiple > most ? beforeMultiple : most,
  };
}

function narrower(one: Range, other: Range): Range {
  return {
    min: one.min > other.min ? one.min : other.min,
    max: one.max < other.max ? one.max : other.max,
  };
}

/** A term without zeros above it. */
function withoutZeros(term: Term): Term {
  const [zeros, rest] = term.operands;
  const isExtended = term.operation === 'concat' && term.operands.length === 2 && isConst(zeros!);
  return isExtended && zeros!.value === 0n ? rest! : term;
}
