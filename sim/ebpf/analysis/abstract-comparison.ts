/** What a comparison tells on each of its two ways. */
import {
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JNE,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_X,
  CLASS_MASK,
  type Instructions,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import type { AbstractState } from './abstract-state.ts';
import { DATA_ID, isConstant, isPacket, KIND, notNull, scalar, type Value } from './abstract-value.ts';

const OPPOSITE: ReadonlyMap<number, number> = new Map([
  [BPF_JEQ, BPF_JNE],
  [BPF_JNE, BPF_JEQ],
  [BPF_JGT, BPF_JLE],
  [BPF_JLE, BPF_JGT],
  [BPF_JGE, BPF_JLT],
  [BPF_JLT, BPF_JGE],
  [BPF_JSGT, BPF_JSLE],
  [BPF_JSLE, BPF_JSGT],
  [BPF_JSGE, BPF_JSLT],
  [BPF_JSLT, BPF_JSGE],
]);

const MIRRORED: ReadonlyMap<number, number> = new Map([
  [BPF_JEQ, BPF_JEQ],
  [BPF_JNE, BPF_JNE],
  [BPF_JGT, BPF_JLT],
  [BPF_JLT, BPF_JGT],
  [BPF_JGE, BPF_JLE],
  [BPF_JLE, BPF_JGE],
  [BPF_JSGT, BPF_JSLT],
  [BPF_JSLT, BPF_JSGT],
  [BPF_JSGE, BPF_JSLE],
  [BPF_JSLE, BPF_JSGE],
]);

/** Draws conclusions from the jump at `slot` having been taken, or not, into `state`. */
export function applyComparison(
  state: AbstractState,
  instructions: Instructions,
  slot: number,
  taken: boolean,
): void {
  const opcode = instructions.opcode[slot]!;
  const operation = opcode & OPERATION_MASK;
  const relation = taken ? operation : OPPOSITE.get(operation);
  if (relation === undefined || !MIRRORED.has(relation)) return;
  const wide = (opcode & CLASS_MASK) === BPF_JMP;
  const imm = instructions.imm[slot]!;
  const fromRegister = (opcode & SOURCE_MASK) === BPF_X;
  const a = state.registers[instructions.dst[slot]!]!;
  const constant = wide || imm >= 0 ? imm : imm + 2 ** 32;
  const b = fromRegister ? state.registers[instructions.src[slot]!]! : scalar(constant, constant);
  const equal = relation === BPF_JEQ;
  if (equal) forgetUnknown(state);
  if (wide) {
    concludeNull(state, a, b, relation);
    concludeNull(state, b, a, relation);
    concludeRange(state, a, b, relation);
    concludeRange(state, b, a, MIRRORED.get(relation)!);
  }
  if (a.kind !== KIND.scalar || b.kind !== KIND.scalar) return;
  narrowInterval(state, instructions.dst[slot]!, a, b, relation, wide);
  if (fromRegister) narrowInterval(state, instructions.src[slot]!, b, a, MIRRORED.get(relation)!, wide);
}

/** Equal to something known, a number becomes known to the kernel's verifier, and with it what was copied from it. */
function forgetUnknown(state: AbstractState): void {
  state.replace((one) => (one.kind === KIND.scalar && one.unknown ? { ...one, unknown: false } : one));
}

function concludeNull(state: AbstractState, pointer: Value, zero: Value, relation: number): void {
  if (!pointer.nullable || !isConstant(zero) || zero.min !== 0) return;
  if (relation !== BPF_JEQ && relation !== BPF_JNE) return;
  const { id } = pointer;
  state.replace((one) => {
    if (!one.nullable || one.id !== id) return one;
    return relation === BPF_JEQ ? scalar(0, 0) : notNull(one);
  });
}

/** A packet pointer turned out not to be above the end (for metadata: above the packet's first byte). */
function concludeRange(state: AbstractState, pointer: Value, bound: Value, relation: number): void {
  if (!isPacket(pointer) || (relation !== BPF_JLE && relation !== BPF_JLT)) return;
  const isBound =
    pointer.kind === KIND.packet
      ? bound.kind === KIND.packetEnd
      : bound.kind === KIND.packet && bound.id === DATA_ID && bound.min === 0;
  if (!isBound) return;
  const covered = pointer.min + (relation === BPF_JLT ? 1 : 0);
  const { min, max } = state.range(pointer);
  if (covered > 0) {
    state.ranges.set(pointer.id, { min: Math.max(min, covered), max: Math.max(max, covered) });
  }
}

function narrowInterval(
  state: AbstractState,
  register: number,
  a: Value,
  b: Value,
  relation: number,
  wide: boolean,
): void {
  const limit = wide ? Infinity : 2 ** 32 - 1;
  // A 32-bit comparison says nothing of a number that may be wider.
  if (!wide && (a.min < 0 || a.max > limit || b.min < 0 || b.max > limit)) return;
  let { min, max } = a;
  switch (relation) {
    case BPF_JEQ:
      min = Math.max(min, b.min);
      max = Math.min(max, b.max);
      break;
    case BPF_JNE:
      if (b.min === b.max && min === b.min) min++;
      else if (b.min === b.max && max === b.min) max--;
      break;
    case BPF_JLT:
    case BPF_JLE:
      // Below a number that is not negative, nothing is negative when compared unsigned.
      if (b.min < 0) return;
      min = Math.max(min, 0);
      max = Math.min(max, relation === BPF_JLT ? b.max - 1 : b.max);
      break;
    case BPF_JGT:
    case BPF_JGE:
      // Negative numbers are above everything when compared unsigned.
      if (b.min < 0 || a.min < 0) return;
      min = Math.max(min, relation === BPF_JGT ? b.min + 1 : b.min);
      break;
    case BPF_JSLT:
    case BPF_JSLE:
      if (!wide && (a.max >= 2 ** 31 || b.max >= 2 ** 31)) return;
      max = Math.min(max, relation === BPF_JSLT ? b.max - 1 : b.max);
      break;
    case BPF_JSGT:
    case BPF_JSGE:
      if (!wide && (a.max >= 2 ** 31 || b.max >= 2 ** 31)) return;
      min = Math.max(min, relation === BPF_JSGT ? b.min + 1 : b.min);
      break;
    default:
      return;
  }
  // An empty interval: no packet takes this way.
  if (min > max || (min === a.min && max === a.max)) return;
  const { id } = a;
  const change = (one: Value): Value =>
    one.kind === KIND.scalar && one.id === id ? scalar(min, max, one.unknown, id) : one;
  if (id === 0) state.registers[register] = scalar(min, max, a.unknown);
  else state.replace(change);
}
