/**
 * Undoes what was computed from inputs, step by step: byte order, masks, shifts, sums, products with odd numbers. Of an operation on two
 * values that hang on inputs, one stays as it was and the other is chosen.
 */
import {
  type Assignment,
  compute,
  type Expression,
  evaluate,
  type Operand,
  possibleBits,
  swapped,
  tracedValue,
} from './expression.ts';
import { bitsOf, type InputField } from './inputs.ts';

const MASK64 = 0xffff_ffff_ffff_ffffn;

/** Ways to one value; so many are enough. */
const MAX_SOLUTIONS = 6;

/** Nodes that one value is undone through: each quotient inside another doubles the ways down. */
const MOST_UNDONE = 3_000;

/** Shifts by so many bits less one are tried together with other values. */
const MOST_SHIFTS = 8;

/** Values of inputs with which an operand would be `target`, of which the lowest `bits` bits count. */
export function invert(operand: Operand, target: bigint, bits: number = 64): Assignment[] {
  const found: Assignment[] = [];
  const effort = { left: MOST_UNDONE };
  const add = (assignment: Assignment): void => {
    if (BigInt.asUintN(bits, evaluate(operand, assignment)) !== BigInt.asUintN(bits, target)) return;
    found.push(assignment);
    if (found.length === MAX_SOLUTIONS) effort.left = 0;
  };
  undo(operand, BigInt.asUintN(bits, target), bits, add, effort);
  return found;
}

type Found = (assignment: Assignment) => void;

/** Nodes that may still be gone through. */
interface Effort {
  left: number;
}

/** @param bits how many of the lowest bits of the value are asked for; the others stay as they were, where there are any */
function undo(operand: Operand, wanted: bigint, bits: number, found: Found, effort: Effort): void {
  if (typeof operand === 'bigint' || effort.left <= 0) return;
  effort.left--;
  const target = bits >= 64 ? wanted & MASK64 : merge(operand.value, wanted, bits);
  if (target === operand.value) {
    found(new Map());
    return;
  }
  if (operand.op === 'binary') {
    undoBinary(operand, target, Math.min(bits, operand.bits), found, effort);
    return;
  }
  switch (operand.op) {
    case 'input': {
      const limit = bitsOf(operand.field);
      const value = target >> BigInt(limit) === 0n ? target : undefined;
      if (value !== undefined) found(new Map([[operand.field, value]]));
      return;
    }
    case 'swap':
      if (target >> BigInt(operand.bits) !== 0n) return;
      undo(operand.of, swapped(target, operand.bits), operand.bits, found, effort);
      return;
    case 'cut':
      if (operand.signedTo === 0 && target >> BigInt(operand.bits) !== 0n) return;
      undo(operand.of, BigInt.asUintN(operand.bits, target), operand.bits, found, effort);
      return;
    case 'byte': {
      const shift = BigInt(8 * operand.index);
      if (target > 0xffn) return;
      undo(operand.of, (operand.of.value & ~(0xffn << shift)) | (target << shift), 64, found, effort);
      return;
    }
    case 'bytes':
      undoBytes(operand.parts, target, found, effort);
      return;
    case 'checksum':
      for (const part of [...operand.to].reverse()) undoWithin(operand, part, target, found);
      return;
  }
}

/** The value with its lowest bits replaced. */
function merge(value: bigint, low: bigint, bits: number): bigint {
  const mask = (1n << BigInt(bits)) - 1n;
  return (value & ~mask & MASK64) | (low & mask);
}

function undoBytes(parts: readonly Operand[], target: bigint, found: Found, effort: Effort): void {
  if (target >> BigInt(8 * parts.length) !== 0n) return;
  const all = new Map<InputField, bigint>();
  for (const [index, part] of parts.entries()) {
    const byte = (target >> BigInt(8 * index)) & 0xffn;
    if (tracedValue(part) === byte) continue;
    let first: Assignment | undefined;
    undo(part, byte, 64, (one) => (first ??= one), effort);
    if (first === undefined) return;
    for (const [field, value] of first) all.set(field, value);
  }
  found(all);
}

/** One part of a sum is chosen byte by byte until the sum is right. */
function undoWithin(whole: Expression, part: Operand, target: bigint, found: Found): void {
  if (typeof part === 'bigint' || part.op !== 'input') return;
  for (let value = 0n; value < 256n; value++) {
    const one = new Map([[part.field, value]]);
    if (evaluate(whole, one) === target) {
      found(one);
      return;
    }
  }
}

/**
 * What the low bits of sums, products and logic are depends on the same low bits of the operands alone: the others are not
 * asked for.
 */
function undoBinary(
  node: Extract<Expression, { op: 'binary' }>,
  target: bigint,
  bits: number,
  found: Found,
  effort: Effort,
): void {
  const { operation, a, b } = node;
  const mask = (1n << BigInt(node.bits)) - 1n;
  if (target > mask) return;
  const x = tracedValue(a) & mask;
  const y = tracedValue(b) & mask;
  const left = (value: bigint): void => undo(a, value & mask, bits, found, effort);
  const right = (value: bigint): void => undo(b, value & mask, bits, found, effort);
  switch (operation) {
    case 'add':
      left(target - y);
      right(target - x);
      return;
    case 'sub':
      left(target + y);
      right(x - target);
      return;
    case 'xor':
      left(target ^ y);
      right(target ^ x);
      return;
    case 'and':
      if (typeof b === 'bigint') {
        if ((target & ~y) === 0n) left((x & ~y) | target);
        return;
      }
      left((x & ~y) | target);
      right((y & ~x) | target);
      return;
    case 'or':
      undoOr(node, target, x, y, found, effort);
      return;
    case 'shl': {
      const shift = y & BigInt(node.bits - 1);
      const isWhole = (target & ((1n << shift) - 1n)) === 0n;
      if (shift < bits && isWhole) undo(a, target >> shift, bits - Number(shift), found, effort);
      for (const other of otherShifts(node, x, shift, target)) right(other);
      undoBothOfShift(node, target, bits, found, effort);
      return;
    }
    case 'shr':
    case 'sar': {
      const shift = y & BigInt(node.bits - 1);
      const wide = Math.min(node.bits, bits + Number(shift));
      undo(a, ((target << shift) | (x & ((1n << shift) - 1n))) & mask, wide, found, effort);
      for (const other of otherShifts(node, x, shift, target)) right(other);
      return;
    }
    case 'mul':
      undoProduct(y, target, bits, left);
      if (typeof b !== 'bigint') undoProduct(x, target, bits, right);
      return;
    case 'div':
      if (y !== 0n) undo(a, target * y + (x % y), node.bits, found, effort);
      if (y !== 0n) undo(a, target * y, node.bits, found, effort);
      return;
    case 'mod':
      if (y !== 0n && target < y) {
        undo(a, x - (x % y) + target, node.bits, found, effort);
        undo(a, target, node.bits, found, effort);
      }
  }
}

/** By how much else the left side would have to be shifted for the target: 1 << 5 for a bit of a window, say. */
function otherShifts(
  { operation, bits, b }: Extract<Expression, { op: 'binary' }>,
  x: bigint,
  shift: bigint,
  target: bigint,
): bigint[] {
  if (typeof b === 'bigint') return [];
  const all = Array.from({ length: bits }, (_, other) => BigInt(other));
  return all.filter((other) => other !== shift && compute(operation, bits, x, other) === target);
}

/** The value and by how much it is shifted at once: a window of bits that has to move by one, and to hold others. */
function undoBothOfShift(
  { bits: width, a, b }: Extract<Expression, { op: 'binary' }>,
  target: bigint,
  bits: number,
  found: Found,
  effort: Effort,
): void {
  if (typeof a === 'bigint' || typeof b === 'bigint' || target === 0n) return;
  for (let shift = 0; shift < Math.min(bits, width, MOST_SHIFTS); shift++) {
    if ((target >> BigInt(shift)) << BigInt(shift) !== target) return;
    let value: Assignment | undefined;
    let by: Assignment | undefined;
    undo(a, target >> BigInt(shift), bits - shift, (one) => (value ??= one), effort);
    undo(b, BigInt(shift), width, (one) => (by ??= one), effort);
    if (value !== undefined && by !== undefined) found(new Map([...value, ...by]));
  }
}

function undoOr(
  node: Extract<Expression, { op: 'binary' }>,
  target: bigint,
  x: bigint,
  y: bigint,
  found: Found,
  effort: Effort,
): void {
  const { a, b } = node;
  if (typeof a === 'bigint' || typeof b === 'bigint') {
    const constant = typeof a === 'bigint' ? x : y;
    const [rest, value] = typeof a === 'bigint' ? [b, y] : [a, x];
    if ((constant & ~target) === 0n)
      undo(rest, (target & ~constant) | (value & constant), node.bits, found, effort);
    return;
  }
  // Two halves put together: each gets its bits, where they do not overlap.
  const left = possibleBits(a);
  const rightMask = possibleBits(b);
  if ((left & rightMask) !== 0n || (target & ~(left | rightMask)) !== 0n) {
    // One of them adds what the other has not, where that has no bit too many.
    if ((y & ~target) === 0n) undo(a, (target & ~y) | (x & y), node.bits, found, effort);
    if ((x & ~target) === 0n) undo(b, (target & ~x) | (x & y), node.bits, found, effort);
    undo(a, target, node.bits, found, effort);
    return;
  }
  let first: Assignment | undefined;
  let second: Assignment | undefined;
  undo(a, target & left, node.bits, (one) => (first ??= one), effort);
  undo(b, target & rightMask, node.bits, (one) => (second ??= one), effort);
  if (first !== undefined && second !== undefined) found(new Map([...first, ...second]));
}

/** @param bits how many bits of the product are asked for */
function undoProduct(factor: bigint, target: bigint, bits: number, found: (value: bigint) => void): void {
  const modulus = 1n << BigInt(bits);
  const low = target % modulus;
  if (factor % modulus === 0n) return;
  if ((factor & 1n) === 1n) found((low * inverseOf(factor)) % modulus);
  else if (low % factor === 0n) found(low / factor);
}

/** Of an odd number, modulo 2^64: each round of Newton's method doubles the bits that are right. */
function inverseOf(odd: bigint): bigint {
  let inverse = odd;
  for (let round = 0; round < 6; round++) inverse = (inverse * (2n - odd * inverse)) & MASK64;
  return inverse;
}
