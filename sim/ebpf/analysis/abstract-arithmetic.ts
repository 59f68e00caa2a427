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
  ANY,
  isConstant,
  isMovable,
  isPacket,
  KIND,
  packetPointer,
  SCALAR,
  SOME_SCALAR,
  scalar,
  type Value,
  withId,
  withOffset,
} from './abstract-value.ts';

const U32: number = 2 ** 32 - 1;
/** No number added to a packet pointer at once is above this, so that no sum of them wraps around. */
const MAX_STEP: number = U32;

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
    registers[dst] = swapped(registers[dst]!, imm, !wide && (opcode & SOURCE_MASK) === BPF_TO_LE);
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
  if (wide) registers[dst] = compute(operation, a, b, offset !== 0, 64);
  else registers[dst] = narrow(compute(operation, narrow(a), narrow(b), offset !== 0, 32));
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

function moved(b: Value, wide: boolean, bits: number): Value {
  if (bits === 0) return wide ? b : narrow(b);
  const limit = 2 ** (bits - 1);
  const fits = b.kind === KIND.scalar && b.min >= -limit && b.max < limit;
  const extended = fits ? withId(b, 0) : scalar(-limit, limit - 1, isUnknown(b));
  return wide ? extended : narrow(extended);
}

/** The lower 32 bits, zero-extended. */
export function narrow(one: Value): Value {
  if (one.kind === KIND.scalar && one.min >= 0 && one.max <= U32) return one;
  if (isConstant(one) && Number.isFinite(one.min)) {
    const low = Number(BigInt.asUintN(32, BigInt(one.min)));
    return scalar(low, low);
  }
  return scalar(0, U32, isUnknown(one));
}

function isUnknown(one: Value): boolean {
  return one.kind === KIND.scalar && one.unknown;
}

function swapped(one: Value, bits: number, truncates: boolean): Value {
  if (bits === 64) return truncates ? one : unknownOr(one);
  const limit = 2 ** bits - 1;
  if (truncates && one.kind === KIND.scalar && one.min >= 0 && one.max <= limit) return one;
  return scalar(0, limit, isUnknown(one));
}

function unknownOr(one: Value): Value {
  return isUnknown(one) ? SCALAR : SOME_SCALAR;
}

function sum(state: AbstractState, a: Value, b: Value, id: number): Value {
  if (a.kind === KIND.scalar && b.kind === KIND.scalar) {
    return scalar(plus(a.min, b.min, a, b), plus(a.max, b.max, a, b), a.unknown || b.unknown);
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
    return scalar(plus(a.min, -b.max, a, b), plus(a.max, -b.min, a, b), a.unknown || b.unknown);
  }
  if (b.kind === KIND.scalar && isMovable(a)) {
    return movePointer(state, a, scalar(-b.max, -b.min, b.unknown), id);
  }
  return isUncertain(a) || isUncertain(b) ? ANY : SCALAR;
}

/** A bound of a sum; NaN (nothing is known) where 64 bits may not hold it. */
function plus(x: number, y: number, a: Value, b: Value): number {
  if (isZero(a)) return y;
  if (isZero(b)) return x;
  const bounded =
    Number.isFinite(a.min) && Number.isFinite(a.max) && Number.isFinite(b.min) && Number.isFinite(b.max);
  return bounded ? x + y : Number.NaN;
}

function isZero(one: Value): boolean {
  return one.min === 0 && one.max === 0;
}

function movePointer(state: AbstractState, pointer: Value, by: Value, id: number): Value {
  if (isPacket(pointer)) {
    if (by.min === by.max) return withOffset(pointer, pointer.min + by.min, pointer.max + by.max);
    // Only a base that is not below the packet's begin is of use.
    if (by.min < 0 || by.max > MAX_STEP) return ANY;
    // To the kernel's verifier it may still be a constant, to the interpreter 0: then what was proven still holds.
    const kept = by.unknown ? (by.min === 0 ? state.range(pointer).max : 0) : Infinity;
    state.retire(id);
    if (kept > 0) state.ranges.set(id, { min: 0, max: kept });
    return packetPointer(pointer.kind, id, pointer.min);
  }
  const min = pointer.min + by.min;
  const max = pointer.max + by.max;
  if (!Number.isFinite(min) || !Number.isFinite(max)) return ANY;
  return withOffset(pointer, min, max);
}

/** Everything but additions, moves and byte swaps. Of 32-bit operations, operands are zero-extended. */
function compute(operation: number, a: Value, b: Value, signed: boolean, bits: number): Value {
  const unknown = isUnknown(a) || isUnknown(b);
  const none = unknown ? SCALAR : SOME_SCALAR;
  if (a.kind !== KIND.scalar || b.kind !== KIND.scalar) {
    return a.kind === KIND.any || b.kind === KIND.any ? ANY : SOME_SCALAR;
  }
  const positive = a.min >= 0 && b.min >= 0;
  const finite =
    Number.isFinite(a.min) && Number.isFinite(a.max) && Number.isFinite(b.min) && Number.isFinite(b.max);
  switch (operation) {
    case BPF_ADD:
      return scalar(a.min + b.min, a.max + b.max, unknown);
    case BPF_SUB:
      return scalar(a.min - b.max, a.max - b.min, unknown);
    case BPF_MUL:
      return positive && finite ? scalar(a.min * b.min, a.max * b.max, unknown) : none;
    case BPF_AND:
      if (a.min < 0 && b.min < 0) return none;
      return scalar(0, Math.min(a.min < 0 ? Infinity : a.max, b.min < 0 ? Infinity : b.max), unknown);
    case BPF_OR:
    case BPF_XOR:
      if (!positive || !finite) return none;
      return scalar(operation === BPF_OR ? Math.max(a.min, b.min) : 0, mask(Math.max(a.max, b.max)), unknown);
    case BPF_LSH:
      if (!positive || !finite || b.min !== b.max || b.max >= bits) return none;
      return scalar(a.min * 2 ** b.min, a.max * 2 ** b.min, unknown);
    case BPF_RSH:
      return shiftedRight(a, b, unknown, bits, none);
    case BPF_ARSH:
      if (!positive || !finite || (bits === 32 && a.max >= 2 ** 31) || b.max >= bits) return none;
      return scalar(Math.floor(a.min / 2 ** b.max), Math.floor(a.max / 2 ** b.min), unknown);
    case BPF_DIV:
      // By 0 it gives 0.
      return positive && !signed ? scalar(0, a.max, unknown) : none;
    case BPF_MOD:
      if (!positive || signed) return none;
      return scalar(0, b.min > 0 ? Math.min(a.max, b.max - 1) : a.max, unknown);
    default:
      return none;
  }
}

function shiftedRight(a: Value, b: Value, unknown: boolean, bits: number, none: Value): Value {
  if (b.min !== b.max || b.min < 0 || b.max >= bits) return none;
  if (a.min >= 0 && Number.isFinite(a.max)) {
    return scalar(Math.floor(a.min / 2 ** b.min), Math.floor(a.max / 2 ** b.min), unknown);
  }
  return b.min > 0 ? scalar(0, 2 ** (bits - b.min) - 1, unknown) : none;
}

/** The largest number with as many bits. */
function mask(most: number): number {
  let limit = 1;
  while (limit <= most) limit *= 2;
  return limit - 1;
}
