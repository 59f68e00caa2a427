/**
 * Expressions: how a value was computed from the inputs of a run. Values are unsigned 64-bit numbers; an operand that
 * depends on no input is a number by itself.
 */
import type { InputField } from './inputs.ts';

export type BinaryOperation =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'sar';

interface Node {
  /** The value in the run that was traced. */
  readonly value: bigint;
  /** Nodes in it, shared ones counted each time: a bound on the work of readers. */
  readonly size: number;
}

export interface Input extends Node {
  readonly op: 'input';
  readonly field: InputField;
}

/** Both operands are cut to `bits` first, and so is the result. */
export interface Binary extends Node {
  readonly op: 'binary';
  readonly operation: BinaryOperation;
  readonly bits: 32 | 64;
  readonly a: Operand;
  readonly b: Operand;
}

/** The lowest `bits` bits in the other byte order. */
export interface Swap extends Node {
  readonly op: 'swap';
  readonly bits: 16 | 32 | 64;
  readonly of: Operand;
}

/** The lowest `bits` bits: extended with zeros, or with the sign to `to` bits. */
export interface Cut extends Node {
  readonly op: 'cut';
  readonly bits: number;
  readonly signedTo: 0 | 32 | 64;
  readonly of: Operand;
}

/** Bytes side by side, the lowest first. */
export interface Bytes extends Node {
  readonly op: 'bytes';
  readonly parts: readonly Operand[];
}

/** Byte `index` of a value, 0 being the lowest. */
export interface ByteOf extends Node {
  readonly op: 'byte';
  readonly index: number;
  readonly of: Expression;
}

/** `bpf_csum_diff`: the ones' complement sum of words that come, of words that go, and of a start. */
export interface Checksum extends Node {
  readonly op: 'checksum';
  readonly from: readonly Operand[];
  readonly to: readonly Operand[];
  readonly start: Operand;
}

export type Expression = Input | Binary | Swap | Cut | Bytes | ByteOf | Checksum;
export type Operand = Expression | bigint;

/** Larger ones are taken for what they were in the run: nobody could solve them. */
const MAX_SIZE = 600;

const MASK64 = 0xffff_ffff_ffff_ffffn;
const MASK32 = 0xffff_ffffn;

export function tracedValue(operand: Operand): bigint {
  return typeof operand === 'bigint' ? operand : operand.value;
}

/** Nodes, shared ones counted each time. */
export function sizeOf(operand: Operand): number {
  return typeof operand === 'bigint' ? 0 : operand.size;
}

export function input(field: InputField, value: bigint): Input {
  return { op: 'input', field, value, size: 1 };
}

export function binary(operation: BinaryOperation, bits: 32 | 64, a: Operand, b: Operand): Operand {
  const value = compute(operation, bits, tracedValue(a), tracedValue(b));
  const size = 1 + sizeOf(a) + sizeOf(b);
  if (size === 1 || size > MAX_SIZE) return value;
  // To the left and back again, as compilers cut a register: the upper bits are gone.
  if (operation === 'shr' && typeof b === 'bigint' && typeof a !== 'bigint' && a.op === 'binary') {
    const shift = b & BigInt(bits - 1);
    const isCut = a.operation === 'shl' && a.bits === bits && a.b === b;
    if (isCut) return cut(a.a, bits - Number(shift));
  }
  if (operation === 'sub') {
    const remainder = remainderOf(bits, a, b);
    if (remainder !== undefined) return remainder;
  }
  return { op: 'binary', operation, bits, a, b, value, size };
}

/** `x - x / c * c`, as compilers write `x % c`: the value that is left can be solved for, the difference cannot. */
function remainderOf(bits: 32 | 64, a: Operand, product: Operand): Operand | undefined {
  if (typeof product === 'bigint' || product.op !== 'binary' || product.operation !== 'mul') return undefined;
  const { a: quotient, b: factor } = product;
  if (typeof quotient === 'bigint' || quotient.op !== 'binary' || quotient.operation !== 'div')
    return undefined;
  const isSame = quotient.a === a && quotient.b === factor && typeof factor === 'bigint';
  // What 32 bits cut off is in the difference of 64, and a product may have lost bits.
  const isWhole =
    (product.bits === bits && quotient.bits === bits) ||
    (typeof a !== 'bigint' && widthOf(a) <= Math.min(bits, product.bits, quotient.bits));
  return isSame && isWhole && factor !== 0n ? binary('mod', quotient.bits, a, factor) : undefined;
}

export function swap(bits: 16 | 32 | 64, of: Operand): Operand {
  const value = swapped(tracedValue(of), bits);
  if (typeof of === 'bigint') return value;
  return { op: 'swap', bits, of, value, size: 1 + of.size };
}

export function cut(of: Operand, bits: number, signedTo: 0 | 32 | 64 = 0): Operand {
  const value = cutValue(tracedValue(of), bits, signedTo);
  if (typeof of === 'bigint') return value;
  // Nothing is lost: shorter expressions are easier to solve.
  if (signedTo === 0 && widthOf(of) <= bits) return of;
  return { op: 'cut', bits, signedTo, of, value, size: 1 + of.size };
}

/** @param parts the lowest first */
export function bytes(parts: readonly Operand[]): Operand {
  const first = parts[0]!;
  if (parts.every((part) => typeof part === 'bigint')) return joined(parts);
  if (typeof first !== 'bigint' && first.op === 'byte' && first.index === 0) {
    const whole = first.of;
    const same = parts.every(
      (part, index) =>
        typeof part !== 'bigint' && part.op === 'byte' && part.of === whole && part.index === index,
    );
    if (same) return cut(whole, 8 * parts.length);
  }
  const size = parts.reduce<number>((sum, part) => sum + sizeOf(part), 1);
  if (parts.length === 1 && typeof first !== 'bigint') return first;
  return { op: 'bytes', parts, value: joined(parts), size };
}

export function byteOf(of: Operand, index: number): Operand {
  const value = (tracedValue(of) >> BigInt(8 * index)) & 0xffn;
  if (typeof of === 'bigint') return value;
  if (of.op === 'bytes') return of.parts[index] ?? 0n;
  if (index === 0 && widthOf(of) <= 8) return of;
  if (of.op === 'binary') {
    const part = partOf(of, index);
    if (part !== undefined) return part;
  }
  return { op: 'byte', index, of, value, size: 1 + of.size };
}

/** The byte of one operand that is this byte of the whole: where bytes were put side by side by shifts. */
function partOf({ operation, bits, a, b }: Binary, index: number): Operand | undefined {
  if (8 * index >= bits) return 0n;
  const mask = 0xffn << BigInt(8 * index);
  if (operation === 'or' || operation === 'add' || operation === 'xor') {
    const left = possibleBits(a);
    const right = possibleBits(b);
    if ((left & right) !== 0n) return undefined;
    if ((left & mask) === 0n) return byteOf(b, index);
    return (right & mask) === 0n ? byteOf(a, index) : undefined;
  }
  if (typeof b !== 'bigint') return undefined;
  if (operation === 'and') {
    if ((b & mask) === mask) return byteOf(a, index);
    return (b & mask) === 0n ? 0n : undefined;
  }
  const shift = b & BigInt(bits - 1);
  if (shift % 8n !== 0n) return undefined;
  const by = Number(shift / 8n);
  if (operation === 'shl') return index < by ? 0n : byteOf(a, index - by);
  if (operation === 'shr') return 8 * (index + by) >= bits ? 0n : byteOf(a, index + by);
  return undefined;
}

/** Bits that may be set. */
export function possibleBits(operand: Operand): bigint {
  if (typeof operand === 'bigint') return operand;
  if (operand.op === 'binary' && typeof operand.b === 'bigint') {
    const mask = operand.bits === 32 ? MASK32 : MASK64;
    const shift = operand.b & BigInt(operand.bits - 1);
    if (operand.operation === 'shl') return (possibleBits(operand.a) << shift) & mask;
    if (operand.operation === 'shr') return (possibleBits(operand.a) & mask) >> shift;
    if (operand.operation === 'and') return possibleBits(operand.a) & operand.b & mask;
  }
  if (operand.op === 'binary' && operand.operation === 'or')
    return possibleBits(operand.a) | possibleBits(operand.b);
  return (1n << BigInt(widthOf(operand))) - 1n;
}

export function checksum(from: readonly Operand[], to: readonly Operand[], start: Operand): Operand {
  const value = sum(from.map(tracedValue), to.map(tracedValue), tracedValue(start));
  const all = [...from, ...to, start];
  const size = all.reduce<number>((total, part) => total + sizeOf(part), 1);
  if (size === 1 || size > 4 * MAX_SIZE) return value;
  return { op: 'checksum', from, to, start, value, size };
}

/** Inputs that are bytes. */
const BYTES_OF_INPUT: ReadonlySet<InputField['kind']> = new Set(['packet', 'map', 'stack']);

/** How many of the lowest bits may be set. */
export function widthOf(operand: Operand): number {
  if (typeof operand === 'bigint') return operand.toString(2).length;
  switch (operand.op) {
    case 'input':
      return BYTES_OF_INPUT.has(operand.field.kind) ? 8 : 64;
    case 'bytes':
      return 8 * operand.parts.length;
    case 'byte':
      return 8;
    case 'swap':
      return operand.bits;
    case 'cut':
      return operand.signedTo === 0 ? operand.bits : operand.signedTo;
    case 'checksum':
      return 32;
    default:
      return widthOfBinary(operand);
  }
}

function widthOfBinary({ operation, bits, a, b }: Binary): number {
  if (operation === 'and') return Math.min(bits, widthOf(a), widthOf(b));
  if (operation === 'or' || operation === 'xor') return Math.min(bits, Math.max(widthOf(a), widthOf(b)));
  if (typeof b !== 'bigint') return bits;
  const shift = Number(b & BigInt(bits - 1));
  if (operation === 'shl') return Math.min(bits, widthOf(a) + shift);
  if (operation === 'shr') return Math.max(1, Math.min(bits, widthOf(a)) - shift);
  return bits;
}

/** The inputs that an operand depends on, each once, in the order in which they are met. */
export function fieldsOf(operand: Operand, into: Set<InputField> = new Set()): Set<InputField> {
  const seen = new Set<Expression>();
  const visit = (one: Operand): void => {
    if (typeof one === 'bigint' || seen.has(one)) return;
    seen.add(one);
    switch (one.op) {
      case 'input':
        into.add(one.field);
        return;
      case 'binary':
        visit(one.a);
        visit(one.b);
        return;
      case 'bytes':
        one.parts.forEach(visit);
        return;
      case 'checksum':
        one.from.forEach(visit);
        one.to.forEach(visit);
        visit(one.start);
        return;
      default:
        visit(one.of);
    }
  };
  visit(operand);
  return into;
}

/** Values of some inputs; the others are what they were in the run. */
export type Assignment = ReadonlyMap<InputField, bigint>;

/** What an operand would be with other inputs. */
export function evaluate(operand: Operand, assignment: Assignment): bigint {
  const known = new Map<Expression, bigint>();
  const visit = (one: Operand): bigint => {
    if (typeof one === 'bigint') return one;
    const before = known.get(one);
    if (before !== undefined) return before;
    const value = step(one);
    known.set(one, value);
    return value;
  };
  const step = (one: Expression): bigint => {
    switch (one.op) {
      case 'input':
        return assignment.get(one.field) ?? one.value;
      case 'binary':
        return compute(one.operation, one.bits, visit(one.a), visit(one.b));
      case 'swap':
        return swapped(visit(one.of), one.bits);
      case 'cut':
        return cutValue(visit(one.of), one.bits, one.signedTo);
      case 'bytes':
        return joined(one.parts.map(visit));
      case 'byte':
        return (visit(one.of) >> BigInt(8 * one.index)) & 0xffn;
      case 'checksum':
        return sum(one.from.map(visit), one.to.map(visit), visit(one.start));
    }
  };
  return visit(operand);
}

/** Arithmetic as RFC 9669 §4.1 defines it; division by zero is 0, and its remainder the dividend. */
export function compute(operation: BinaryOperation, bits: 32 | 64, a: bigint, b: bigint): bigint {
  const mask = bits === 32 ? MASK32 : MASK64;
  const x = a & mask;
  const y = b & mask;
  switch (operation) {
    case 'add':
      return (x + y) & mask;
    case 'sub':
      return (x - y) & mask;
    case 'mul':
      return (x * y) & mask;
    case 'div':
      return y === 0n ? 0n : x / y;
    case 'mod':
      return y === 0n ? x : x % y;
    case 'and':
      return x & y;
    case 'or':
      return x | y;
    case 'xor':
      return x ^ y;
    case 'shl':
      return (x << (y & BigInt(bits - 1))) & mask;
    case 'shr':
      return x >> (y & BigInt(bits - 1));
    case 'sar':
      return (BigInt.asIntN(bits, x) >> (y & BigInt(bits - 1))) & mask;
  }
}

export function swapped(value: bigint, bits: 16 | 32 | 64): bigint {
  let result = 0n;
  for (let at = 0; at < bits; at += 8) result = (result << 8n) | ((value >> BigInt(at)) & 0xffn);
  return result;
}

function cutValue(value: bigint, bits: number, signedTo: 0 | 32 | 64): bigint {
  if (signedTo === 0) return BigInt.asUintN(bits, value);
  return BigInt.asUintN(signedTo, BigInt.asIntN(bits, value));
}

function joined(parts: readonly Operand[]): bigint {
  let result = 0n;
  for (let index = parts.length - 1; index >= 0; index--)
    result = (result << 8n) | (tracedValue(parts[index]!) & 0xffn);
  return result;
}

/** Folded to 16 bits, as the kernel does since 6.13 (net/core/filter.c, `bpf_csum_diff`). */
function sum(from: readonly bigint[], to: readonly bigint[], start: bigint): bigint {
  let total = start & MASK32;
  for (let at = 0; at < from.length; at += 2)
    total += 0xffffn - ((from[at]! | ((from[at + 1] ?? 0n) << 8n)) & 0xffffn);
  for (let at = 0; at < to.length; at += 2) total += (to[at]! | ((to[at + 1] ?? 0n) << 8n)) & 0xffffn;
  while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n);
  return total;
}
