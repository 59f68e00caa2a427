/** What the compiler knows at one place of a function: registers, stack slots, and how far packets were compared. */
import { MAX_BPF_STACK, REGISTER_COUNT } from '../instruction.ts';
import {
  ANY,
  isPacket,
  KIND,
  packetPointer,
  SCALAR,
  SOME_SCALAR,
  sameValue,
  scalar,
  UNSET,
  type Value,
  withId,
  withOffset,
} from './abstract-value.ts';

/** Of one base of packet pointers: bytes from it that certainly, and that at the most, were compared with the end. */
export interface PacketRange {
  readonly min: number;
  readonly max: number;
}

export const NO_RANGE: PacketRange = { min: 0, max: 0 };

export const SLOT_COUNT: number = MAX_BPF_STACK / 8;

const NO_SLOTS: readonly Value[] = new Array<Value>(SLOT_COUNT).fill(ANY);

export class AbstractState {
  readonly registers: Value[];
  readonly ranges: Map<number, PacketRange>;
  /** Most states have the slots of the one before: they share them until one of them writes. */
  #slots: readonly Value[];

  constructor(registers: Value[], slots: readonly Value[], ranges: Map<number, PacketRange>) {
    this.registers = registers;
    this.#slots = slots;
    this.ranges = ranges;
  }

  static atEntry(): AbstractState {
    return new AbstractState(new Array<Value>(REGISTER_COUNT).fill(UNSET), NO_SLOTS, new Map());
  }

  copy(): AbstractState {
    return new AbstractState(this.registers.slice(), this.#slots, new Map(this.ranges));
  }

  /** What each aligned eight bytes of the frame hold, from the lowest; `ANY` where they were not stored as one. */
  get slots(): readonly Value[] {
    return this.#slots;
  }

  /** Sets the slots from `first` to before `end`. */
  setSlots(first: number, end: number, to: Value): void {
    this.#slots = this.#slots.with(first, to);
    if (end > first + 1) this.#slots = (this.#slots as Value[]).fill(to, first, end);
  }

  range(pointer: Value): PacketRange {
    return this.ranges.get(pointer.id) ?? NO_RANGE;
  }

  /** Applies `change` to every register and stack slot; most stay as they are. */
  replace(change: (one: Value) => Value): void {
    const { registers } = this;
    for (let index = 0; index < registers.length; index++) registers[index] = change(registers[index]!);
    if (this.#slots === NO_SLOTS) return;
    for (let index = 0; index < SLOT_COUNT; index++) {
      const before = this.#slots[index]!;
      if (before === ANY) continue;
      const after = change(before);
      if (after !== before) this.#slots = this.#slots.with(index, after);
    }
  }

  forgetSlots(): void {
    this.#slots = NO_SLOTS;
  }

  /**
   * The packet was moved, or may have been.
   * @param become what pointers into it are now: numbers where it certainly was, else anything
   */
  forgetPackets(become: Value): void {
    this.replace((one) => (isPacket(one) || one.kind === KIND.packetEnd ? become : one));
    this.ranges.clear();
  }

  /** Before an instruction hands `id` out again: who still holds it is forgotten. */
  retire(id: number): void {
    this.replace((one) => {
      if (one.id !== id) return one;
      if (one.kind === KIND.scalar) return withId(one, 0);
      return one.kind === KIND.any || one.kind === KIND.unset ? one : ANY;
    });
    this.ranges.delete(id);
  }
}

/**
 * What is known where two paths meet.
 * @param base ids for values that differ are `base` + the register's or slot's number
 * @param widen give intervals up that still grow: this is a loop
 */
export function joinStates(a: AbstractState, b: AbstractState, base: number, widen: boolean): AbstractState {
  const ranges = new Map<number, PacketRange>();
  for (const [id, one] of a.ranges) {
    const other = b.ranges.get(id) ?? NO_RANGE;
    const range = { min: Math.min(one.min, other.min), max: Math.max(one.max, other.max) };
    if (range.max > 0) ranges.set(id, range);
  }
  for (const [id, other] of b.ranges) {
    if (!a.ranges.has(id) && other.max > 0) ranges.set(id, { min: 0, max: other.max });
  }
  const join = (one: Value, other: Value, place: number): Value => {
    if (one === other) return one;
    if (isPacket(one) && one.kind === other.kind) {
      return joinPackets(a, b, one, other, base + place, ranges);
    }
    return joinValues(one, other, base + place, widen);
  };
  const registers = a.registers.map((one, index) => join(one, b.registers[index]!, index));
  const slots =
    a.slots === b.slots
      ? a.slots
      : a.slots.map((one, index) => join(one, b.slots[index]!, REGISTER_COUNT + index));
  if (widen) widenRanges(a.ranges, ranges);
  return new AbstractState(registers, slots, ranges);
}

function widenRanges(before: ReadonlyMap<number, PacketRange>, ranges: Map<number, PacketRange>): void {
  for (const [id, range] of ranges) {
    const old = before.get(id) ?? NO_RANGE;
    ranges.set(id, {
      min: range.min < old.min ? 0 : range.min,
      max: range.max > old.max ? Infinity : range.max,
    });
  }
}

/** Two packet pointers: a base of its own, from which what both sides have proven still counts. */
function joinPackets(
  a: AbstractState,
  b: AbstractState,
  one: Value,
  other: Value,
  id: number,
  ranges: Map<number, PacketRange>,
): Value {
  if (one.id === other.id && one.min === other.min) return one;
  const offset = Math.min(one.min, other.min);
  // Below its base a pointer proves nothing.
  if (offset < 0) return ANY;
  const left = a.range(one);
  const right = b.range(other);
  ranges.set(id, {
    min: Math.max(0, Math.min(left.min - one.min, right.min - other.min) + offset),
    max: Math.max(left.max - one.min, right.max - other.min) + offset,
  });
  return packetPointer(one.kind, id, offset);
}

function joinValues(one: Value, other: Value, id: number, widen: boolean): Value {
  if (sameValue(one, other)) return one;
  if (one.kind !== other.kind) return joinWithNull(one, other, id) ?? joinWithNull(other, one, id) ?? ANY;
  const min = lower(one.min, other.min, widen);
  const max = upper(one.max, other.max, widen);
  switch (one.kind) {
    case KIND.scalar: {
      const unknown = one.unknown && other.unknown;
      if (min === -Infinity && max === Infinity) return unknown ? SCALAR : SOME_SCALAR;
      return scalar(min, max, unknown);
    }
    case KIND.stack:
      return Number.isFinite(min) && Number.isFinite(max) ? withOffset(one, min, max) : ANY;
    case KIND.mapValue:
    case KIND.sample: {
      if (one.map !== other.map || !Number.isFinite(min) || !Number.isFinite(max)) return ANY;
      const nullable = one.nullable || other.nullable;
      const shared = one.nullable && other.nullable && one.id === other.id;
      return { ...one, min, max, nullable, id: nullable ? (shared ? one.id : id) : 0 };
    }
    default:
      return ANY;
  }
}

/** The null that a pointer starts with, and the pointer: a pointer that may be null. */
function joinWithNull(pointer: Value, zero: Value, id: number): Value | undefined {
  if (pointer.kind !== KIND.mapValue || pointer.min !== 0 || pointer.max !== 0) return undefined;
  if (zero.kind !== KIND.scalar || zero.min !== 0 || zero.max !== 0) return undefined;
  return { ...pointer, nullable: true, id };
}

function lower(before: number, now: number, widen: boolean): number {
  if (now >= before) return before;
  return widen ? (now >= 0 ? 0 : -Infinity) : now;
}

function upper(before: number, now: number, widen: boolean): number {
  if (now <= before) return before;
  return widen ? Infinity : now;
}

export function sameState(a: AbstractState, b: AbstractState): boolean {
  for (let index = 0; index < a.registers.length; index++) {
    if (!sameValue(a.registers[index]!, b.registers[index]!)) return false;
  }
  for (let index = 0; a.slots !== b.slots && index < SLOT_COUNT; index++) {
    if (!sameValue(a.slots[index]!, b.slots[index]!)) return false;
  }
  if (a.ranges.size !== b.ranges.size) return false;
  for (const [id, one] of a.ranges) {
    const other = b.ranges.get(id);
    if (other === undefined || other.min !== one.min || other.max !== one.max) return false;
  }
  return true;
}
