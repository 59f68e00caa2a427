/** What arithmetic does to abstract values: intervals of numbers, offsets of pointers. */
import {
  BPF_ADD,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_END,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_TO_LE,
  BPF_X,
  BPF_XOR,
  CLASS_MASK,
  type Instructions,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import type { AbstractState } from './abstract-state.ts';
import {
  ALL_BITS,
  ANY,
  DOUBTFUL_IDS,
  isConstant,
  isMovable,
  isPacket,
  KIND,
  packetPointer,
  SOME_SCALAR,
  SOMEWHERE,
  scalar,
  type Value,
  withId,
  withOffset,
} from './abstract-value.ts';
import { unknownBits } from './unknown-bits.ts';

const U32: number = 2 ** 32 - 1;
/** No number added to a packet pointer at once is above this, so that no sum of them wraps around. */
const MAX_STEP: number = U32;
const SIGN: number = 2 ** 63;

/** Applies the arithmetic instruction at `slot` to the registers. `id` is the instruction's own id for new values. */
export function applyArithmetic(
  state: AbstractState,
  instructions: Instructions,
  slot: number,
  id: number,
): void {
  const { registers } = state;
  const opcode = instructions.opcode[slot]!;
  const dst = instructions.dst[slot]!;
  const operation = opcode & OPERATION_MASK;
  const wide = (opcode & CLASS_MASK) === BPF_ALU64;
  const offset = instructions.offset[slot]!;
  const imm = instructions.imm[slot]!;
  if (operation === BPF_END) {
    registers[dst] = converted(registers[dst]!, imm, !wide && (opcode & SOURCE_MASK) === BPF_TO_LE);
    return;
  }
  const source = instructions.src[slot]!;
  const fromRegister = (opcode & SOURCE_MASK) === BPF_X && operation !== BPF_NEG;
  if (operation === BPF_MOV && wide && offset === 0 && fromRegister) {
    registers[dst] = copyOf(state, source, id);
    return;
  }
  const b = fromRegister ? registers[source]! : scalar(imm, imm);
  if (operation === BPF_MOV) {
    registers[dst] = moved(b, wide, offset);
    return;
  }
  const a = registers[dst]!;
  if (wide && (operation === BPF_ADD || operation === BPF_SUB)) {
    registers[dst] = operation === BPF_ADD ? sum(state, a, b, id) : difference(state, a, b, id);
    return;
  }
  registers[dst] = computed(operation, a, b, offset !== 0, wide ? 64 : 32);
}

/** A copy; scalars are given a common id, so that a comparison of one tells of the other. */
function copyOf(state: AbstractState, source: number, id: number): Value {
  const { registers } = state;
  const one = registers[source]!;
  if (one.kind !== KIND.scalar || one.id !== 0 || isConstant(one)) return one;
  state.retire(id);
  const shared = withId(registers[source]!, id);
  registers[source] = shared;
  return shared;
}

/** `BPF_MOV`, which may extend the sign of the lowest `bits` bits. */
export function moved(b: Value, wide: boolean, bits: number): Value {
  if (bits === 0) return wide ? b : narrow(b);
  const extended = signExtended(b, bits);
  return wide ? extended : narrow(extended);
}

function signExtended(b: Value, bits: number): Value {
  const limit = 2 ** (bits - 1);
  if (b.kind === KIND.scalar && b.min >= -limit && b.max < limit) return withId(b, 0);
  const mask = b.unknown & ((1n << BigInt(bits)) - 1n);
  return window(b, -limit, 2 ** bits, mask) ?? scalar(-limit, limit - 1, mask);
}

/** The lower 32 bits, zero-extended. */
export function narrow(one: Value): Value {
  if (one.kind === KIND.scalar && one.min >= 0 && one.max <= U32) return one;
  const mask = one.unknown & 0xffff_ffffn;
  return window(one, 0, U32 + 1, mask) ?? scalar(0, U32, mask);
}

/** An interval moved by a multiple of `size` into the `size` numbers from `low` on; undefined: it spans a border. */
function window(one: Value, low: number, size: number, unknown: bigint): Value | undefined {
  if (one.kind !== KIND.scalar || !Number.isFinite(one.min) || !Number.isFinite(one.max)) return undefined;
  const turns = Math.floor((one.min - low) / size);
  if (turns !== Math.floor((one.max - low) / size)) return undefined;
  return scalar(one.min - turns * size, one.max - turns * size, unknown);
}

/** `BPF_END`: the lowest `bits` bits, in their order or reversed. */
export function converted(one: Value, bits: number, keepsOrder: boolean): Value {
  if (keepsOrder) {
    if (bits === 64) return one;
    const limit = 2 ** bits;
    if (one.kind === KIND.scalar && one.min >= 0 && one.max < limit) return one;
    const mask = one.unknown & (BigInt(limit) - 1n);
    return window(one, 0, limit, mask) ?? scalar(0, limit - 1, mask);
  }
  if (isKnown(one)) return number(reversed(BigInt.asUintN(bits, BigInt(one.min)), bits));
  // Of a number of which some bit is unknown, some bit of the reverse is.
  const low = bits === 64 ? one.unknown : one.unknown & ((1n << BigInt(bits)) - 1n);
  const mask = low === 0n ? 0n : SOMEWHERE;
  return bits === 64 ? scalar(-Infinity, Infinity, mask) : scalar(0, 2 ** bits - 1, mask);
}

function reversed(value: bigint, bits: number): bigint {
  let result = 0n;
  for (let rest = value, done = 0; done < bits; done += 8, rest >>= 8n)
    result = (result << 8n) | (rest & 0xffn);
  return result;
}

/** A constant of 64 bits, given unsigned or signed, as far as the bounds of intervals can say it. */
function number(value: bigint): Value {
  const signed = Number(BigInt.asIntN(64, value));
  return Number.isSafeInteger(signed) ? scalar(signed, signed) : SOME_SCALAR;
}

function isKnown(one: Value): boolean {
  return isConstant(one) && Number.isFinite(one.min);
}

function sum(state: AbstractState, a: Value, b: Value, id: number): Value {
  if (a.kind === KIND.scalar && b.kind === KIND.scalar) {
    return scalar(plus(a.min, b.min, a, b), plus(a.max, b.max, a, b), unknownBits(BPF_ADD, a, b, 64));
  }
  if (b.kind === KIND.scalar && isMovable(a)) return movePointer(state, a, b, id);
  if (a.kind === KIND.scalar && isMovable(b)) return movePointer(state, b, a, id);
  return isUncertain(a) || isUncertain(b) ? ANY : SOME_SCALAR;
}

/** May it be a pointer that can be moved, for all that is known? A lookup in an array may be known not to fail. */
function isUncertain(one: Value): boolean {
  return one.kind === KIND.any || one.nullable;
}

function difference(state: AbstractState, a: Value, b: Value, id: number): Value {
  if (a.kind === KIND.scalar && b.kind === KIND.scalar) {
    return scalar(plus(a.min, -b.max, a, b), plus(a.max, -b.min, a, b), unknownBits(BPF_SUB, a, b, 64));
  }
  if (b.kind === KIND.scalar && isMovable(a)) {
    return movePointer(state, a, scalar(-b.max, -b.min, b.unknown === 0n ? 0n : SOMEWHERE), id);
  }
  if (isUncertain(a) || isUncertain(b)) return ANY;
  return scalar(-Infinity, Infinity, ALL_BITS);
}

/** A bound of a sum; NaN (nothing is known) where 64 bits may not hold it. */
function plus(x: number, y: number, a: Value, b: Value): number {
  if (isZero(a)) return y;
  if (isZero(b)) return x;
  return isBounded(a) && isBounded(b) ? x + y : Number.NaN;
}

function isZero(one: Value): boolean {
  return one.min === 0 && one.max === 0;
}

function isBounded(one: Value): boolean {
  return Number.isFinite(one.min) && Number.isFinite(one.max);
}

function movePointer(state: AbstractState, pointer: Value, by: Value, id: number): Value {
  if (isPacket(pointer)) {
    if (by.min === by.max) return withOffset(pointer, pointer.min + by.min, pointer.max + by.max);
    // Only a base that is not below the packet's begin is of use.
    if (by.min < 0 || by.max > MAX_STEP) return ANY;
    const base = by.unknown === 0n ? DOUBTFUL_IDS + id : id;
    state.retire(base);
    if (state.origins !== undefined && base !== pointer.id) {
      state.origins = new Map(state.origins).set(base, { of: pointer.id, least: by.min });
    }
    return packetPointer(pointer.kind, base, pointer.min);
  }
  const min = pointer.min + by.min;
  const max = pointer.max + by.max;
  if (!Number.isFinite(min) || !Number.isFinite(max)) return ANY;
  return withOffset(pointer, min, max);
}

/** Everything but moves, byte swaps, and 64-bit sums, which may have pointers in them. */
export function computed(operation: number, a: Value, b: Value, signed: boolean, bits: 32 | 64): Value {
  if (bits === 32) return narrow(compute(operation, narrow(a), narrow(b), signed, 32));
  if (a.kind !== KIND.scalar || b.kind !== KIND.scalar) {
    return a.kind === KIND.any || b.kind === KIND.any ? ANY : SOME_SCALAR;
  }
  return compute(operation, a, b, signed, 64);
}

/** Of 32-bit operations, operands are zero-extended, and of the result the lower half counts. */
function compute(operation: number, a: Value, b: Value, signed: boolean, bits: 32 | 64): Value {
  if (isKnown(a) && isKnown(b)) {
    return number(calculate(operation, BigInt(a.min), BigInt(b.min), signed, bits));
  }
  const unknown = unknownBits(operation, a, b, bits);
  const [min, max] = interval(operation, a, b, signed, bits);
  // What 64 bits cannot hold wraps around.
  const fits = (min >= -SIGN || min === -Infinity) && (max < SIGN || max === Infinity);
  return fits ? scalar(min, max, unknown) : scalar(-Infinity, Infinity, unknown);
}

type Interval = readonly [min: number, max: number];

const ALL: Interval = [-Infinity, Infinity];

/** The numbers that may come out, before they wrap around; `ALL` where nothing can be said. */
function interval(operation: number, a: Value, b: Value, signed: boolean, bits: 32 | 64): Interval {
  const positive = a.min >= 0 && b.min >= 0;
  switch (operation) {
    case BPF_ADD:
      return isBounded(a) && isBounded(b) ? [a.min + b.min, a.max + b.max] : ALL;
    case BPF_SUB:
      return isBounded(a) && isBounded(b) ? [a.min - b.max, a.max - b.min] : ALL;
    case BPF_NEG:
      return isBounded(a) ? [-a.max, -a.min] : ALL;
    case BPF_MUL:
      return positive && isBounded(a) && isBounded(b) ? [a.min * b.min, a.max * b.max] : ALL;
    case BPF_AND:
      if (a.min < 0 && b.min < 0) return ALL;
      return [0, Math.min(a.min < 0 ? Infinity : a.max, b.min < 0 ? Infinity : b.max)];
    case BPF_OR:
      return positive && isBounded(a) && isBounded(b)
        ? [Math.max(a.min, b.min), mask(Math.max(a.max, b.max))]
        : ALL;
    case BPF_XOR:
      return positive && isBounded(a) && isBounded(b) ? [0, mask(Math.max(a.max, b.max))] : ALL;
    case BPF_LSH:
      return positive && isBounded(a) && isCount(b, bits) ? [a.min * 2 ** b.min, a.max * 2 ** b.min] : ALL;
    case BPF_RSH:
      return shiftedRight(a, b, bits);
    case BPF_ARSH:
      return signShiftedRight(a, b, bits);
    case BPF_DIV:
      // By 0 it gives 0.
      if (!positive || signed) return ALL;
      if (!isConstant(b) || !isBounded(a)) return [0, a.max];
      return b.min === 0 ? [0, 0] : [Math.floor(a.min / b.min), Math.floor(a.max / b.min)];
    case BPF_MOD:
      // By 0 it gives the dividend.
      if (signed || b.min < 0) return ALL;
      if (a.min >= 0 && a.max < b.min) return [a.min, a.max];
      if (b.min > 0) return [0, Math.min(a.min < 0 ? Infinity : a.max, b.max - 1)];
      return a.min >= 0 ? [0, a.max] : ALL;
    default:
      return ALL;
  }
}

function isCount(b: Value, bits: number): boolean {
  return isConstant(b) && b.min >= 0 && b.min < bits;
}

function shiftedRight(a: Value, b: Value, bits: number): Interval {
  if (!isCount(b, bits)) return a.min >= 0 ? [0, a.max] : ALL;
  if (b.min === 0) return [a.min, a.max];
  if (a.min >= 0) return [Math.floor(a.min / 2 ** b.min), shiftedBound(a.max, b.min)];
  return [0, 2 ** (bits - b.min) - 1];
}

function signShiftedRight(a: Value, b: Value, bits: number): Interval {
  if (bits === 64) {
    if (isCount(b, bits) && b.min > 0) {
      return [Math.floor(Math.max(a.min, -SIGN) / 2 ** b.min), shiftedBound(a.max, b.min)];
    }
    // Towards 0 or −1, but not beyond.
    return [Math.min(a.min, 0), Math.max(a.max, -1)];
  }
  // The sign is that of 32 bits.
  const half = 2 ** 31;
  if (a.max < half) return shiftedRight(a, b, bits);
  if (a.min < half || !isCount(b, bits)) return ALL;
  return [Math.floor((a.min - 2 * half) / 2 ** b.min), Math.floor((a.max - 2 * half) / 2 ** b.min)];
}

/** The upper bound of a number that is shifted right; the largest there is has 63 bits. */
function shiftedBound(max: number, count: number): number {
  return max === Infinity ? 2 ** (63 - count) - 1 : Math.floor(max / 2 ** count);
}

/** The largest number with as many bits. */
function mask(most: number): number {
  let limit = 1;
  while (limit <= most) limit *= 2;
  return limit - 1;
}

/** The operation itself, on numbers (RFC 9669 §4.1). */
function calculate(operation: number, x: bigint, y: bigint, signed: boolean, bits: 32 | 64): bigint {
  const unsigned = (value: bigint): bigint => BigInt.asUintN(bits, value);
  const [a, b] = [unsigned(x), unsigned(y)];
  const [signedA, signedB] = [BigInt.asIntN(bits, x), BigInt.asIntN(bits, y)];
  const count = b & BigInt(bits - 1);
  switch (operation) {
    case BPF_ADD:
      return unsigned(a + b);
    case BPF_SUB:
      return unsigned(a - b);
    case BPF_MUL:
      return unsigned(a * b);
    case BPF_DIV:
      if (b === 0n) return 0n;
      return unsigned(signed ? signedA / signedB : a / b);
    case BPF_MOD:
      if (b === 0n) return a;
      return unsigned(signed ? signedA % signedB : a % b);
    case BPF_OR:
      return a | b;
    case BPF_AND:
      return a & b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return unsigned(a << count);
    case BPF_RSH:
      return a >> count;
    case BPF_ARSH:
      return unsigned(signedA >> count);
    case BPF_NEG:
      return unsigned(-a);
    default:
      throw new RangeError(`no operation ${operation}`);
  }
}
