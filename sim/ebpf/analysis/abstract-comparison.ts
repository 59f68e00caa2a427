/** What a comparison tells on each of its two ways, and whether a way can be taken at all. */
import {
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JNE,
  BPF_JSET,
  BPF_X,
  CLASS_MASK,
  type Instructions,
  MAX_BPF_STACK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import type { AbstractState } from './abstract-state.ts';
import {
  DATA_ID,
  isConstant,
  isOwnBase,
  isPacket,
  KIND,
  META_ID,
  notNull,
  scalar,
  type Value,
} from './abstract-value.ts';
import { MIRRORED, maskable, OPPOSITE, satisfying } from './relation.ts';

/** Intervals as small as this the kernel's verifier may know better, down to one number. */
const FEW = 8;
/** `BPF_MAX_VAR_OFF`: no pointer that is not null is moved so far that it wraps around to null. */
const FAR: number = 2 ** 29;

/**
 * Draws conclusions from the jump at `slot` having been taken, or not, into `state`.
 * @returns false where it cannot be: no input leads this way
 */
export function applyComparison(
  state: AbstractState,
  instructions: Instructions,
  slot: number,
  taken: boolean,
): boolean {
  const opcode = instructions.opcode[slot]!;
  const operation = opcode & OPERATION_MASK;
  const wide = (opcode & CLASS_MASK) === BPF_JMP;
  const imm = instructions.imm[slot]!;
  const fromRegister = (opcode & SOURCE_MASK) === BPF_X;
  const [left, right] = [instructions.dst[slot]!, instructions.src[slot]!];
  const a = state.registers[left]!;
  const b = fromRegister ? state.registers[right]! : scalar(imm, imm);
  if (operation === BPF_JSET) {
    if (a.kind !== KIND.scalar || b.kind !== KIND.scalar) return true;
    concludeBits(state, a, b);
    return maskable(a, b, taken, wide);
  }
  const relation = taken ? operation : OPPOSITE.get(operation);
  // `may_goto`: either way.
  if (relation === undefined || !MIRRORED.has(relation)) return true;
  const mirrored = MIRRORED.get(relation)!;
  if (relation === BPF_JEQ) forgetUnknown(state);
  if (wide) {
    if (isContradiction(state, a, b, relation) || isContradiction(state, b, a, mirrored)) return false;
    concludeNull(state, a, b, relation);
    concludeNull(state, b, a, relation);
    concludeRange(state, a, b, relation);
    concludeRange(state, b, a, mirrored);
  }
  if (a.kind !== KIND.scalar || b.kind !== KIND.scalar) return true;
  const possible = narrowInterval(state, left, a, b, relation, wide);
  // The two may be copies of each other; each is narrowed by what the other was before.
  if (possible && fromRegister) narrowInterval(state, right, b, a, mirrored, wide);
  return possible;
}

/** Equal to something known, a number becomes known to the kernel's verifier, and with it what was copied from it. */
function forgetUnknown(state: AbstractState): void {
  state.replace((one) => (one.kind === KIND.scalar && one.unknown !== 0n ? { ...one, unknown: 0n } : one));
}

/** The bits that were asked for may be known now, and those of copies. */
function concludeBits(state: AbstractState, a: Value, b: Value): void {
  const { id, unknown } = a;
  if (unknown === 0n) return;
  const rest = isConstant(b) && Number.isFinite(b.min) ? unknown & ~BigInt.asUintN(64, BigInt(b.min)) : 0n;
  if (rest === 0n || id === 0) forgetUnknown(state);
  else state.replace((one) => (one.kind === KIND.scalar && one.id === id ? { ...one, unknown: rest } : one));
}

/** Is a pointer on the wrong side of null, or of the packet's end, for all that was compared before? */
function isContradiction(state: AbstractState, pointer: Value, other: Value, relation: number): boolean {
  if (isConstant(other) && other.min === 0) return relation === BPF_JEQ && isNeverNull(pointer);
  if (!isBound(pointer, other)) return false;
  const { min } = state.range(pointer);
  // What was never compared reaches no further than to the packet's begin.
  const reach = min > 0 || (pointer.id === DATA_ID && pointer.kind === KIND.packet) ? min : -Infinity;
  if (relation === BPF_JGT) return pointer.min <= reach;
  return relation === BPF_JGE && pointer.min < reach;
}

function isNeverNull(one: Value): boolean {
  switch (one.kind) {
    case KIND.mapValue:
    case KIND.sample:
      return (!one.nullable || one.certain) && one.min >= 0 && one.max < FAR;
    case KIND.packet:
    case KIND.packetMeta:
      return one.min >= 0 && one.max < FAR;
    case KIND.context:
    case KIND.packetEnd:
      return one.min === 0 && one.max === 0;
    case KIND.stack:
      return one.min >= -MAX_BPF_STACK && one.max <= 0;
    case KIND.map:
      return !one.nullable;
    default:
      return false;
  }
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

/** Is `bound` what a packet pointer is measured by: the end, or for metadata the packet's first byte? */
function isBound(pointer: Value, bound: Value): boolean {
  if (pointer.kind === KIND.packet) return bound.kind === KIND.packetEnd;
  return (
    pointer.kind === KIND.packetMeta &&
    bound.kind === KIND.packet &&
    bound.id === DATA_ID &&
    bound.min === 0 &&
    bound.max === 0
  );
}

/** A packet pointer turned out not to be above the end (for metadata: above the packet's first byte). */
function concludeRange(state: AbstractState, pointer: Value, bound: Value, relation: number): void {
  if (relation !== BPF_JLE && relation !== BPF_JLT) return;
  // Who knows which pointer was compared with what?
  const mayBeBound = bound.kind === KIND.any || bound.kind === KIND.packetEnd || bound.kind === KIND.packet;
  if (pointer.kind === KIND.any ? mayBeBound : isPacket(pointer) && bound.kind === KIND.any)
    state.open = true;
  if (!isPacket(pointer) || !isBound(pointer, bound)) return;
  // To the kernel's verifier it may share its base with others, which then reach as far.
  if (!isOwnBase(pointer.id)) state.open = true;
  const covered = pointer.min + (relation === BPF_JLT ? 1 : 0);
  const { min, max } = state.ranges.get(pointer.id) ?? { min: 0, max: 0 };
  if (covered > 0) {
    state.setRange(pointer.id, { min: Math.max(min, covered), max: Math.max(max, covered) });
  }
  reachOfOrigin(state, pointer.id, covered);
}

/** What lies behind a base lies further behind the one that it was moved from. */
function reachOfOrigin(state: AbstractState, id: number, covered: number): void {
  const origin = state.origins?.get(id);
  if (origin === undefined) return;
  const reach = covered + origin.least;
  const { min, max } = state.ranges.get(origin.of) ?? { min: 0, max: 0 };
  if (reach > min) state.setRange(origin.of, { min: reach, max: Math.max(max, reach) });
  reachOfOrigin(state, origin.of, reach);
}

/** @returns false where no number of `a` stands in the relation to one of `b` */
function narrowInterval(
  state: AbstractState,
  register: number,
  a: Value,
  b: Value,
  relation: number,
  wide: boolean,
): boolean {
  const held = satisfying(relation, a, b, wide);
  if (held === undefined) return false;
  const { min, max } = held;
  // The verifier follows halves, bits and signs by themselves: where little is left, or a half was compared of which
  // the interval tells nothing, it may know the number, and with it what was computed from it.
  const isHalf = a.min >= 0 && a.max < 2 ** 32;
  if (max - min < FEW || (!wide && !isHalf && relation !== BPF_JNE)) forgetUnknown(state);
  if (min === a.min && max === a.max) return true;
  const { id } = a;
  const change = (one: Value): Value =>
    one.kind === KIND.scalar && one.id === id ? scalar(min, max, one.unknown, id) : one;
  if (id === 0) state.registers[register] = change(state.registers[register]!);
  else state.replace(change);
  const { adjusted } = state;
  if (adjusted !== undefined && adjusted.id === id && adjusted.bytes > 0 && min === 0 && max === 0) {
    // It succeeded: so many bytes of metadata are there.
    state.setRange(META_ID, { min: adjusted.bytes, max: adjusted.bytes });
  }
  return true;
}
