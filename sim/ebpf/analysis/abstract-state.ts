/** What the compiler knows at one place of a function: registers, stack slots, and how far packets were compared. */
import { MAX_BPF_STACK, REGISTER_COUNT } from '../instruction.ts';
import {
  ANY,
  isGivenBase,
  isOwnBase,
  isPacket,
  KIND,
  packetPointer,
  SOMEWHERE,
  sameValue,
  scalar,
  UNSET,
  UNUSED_ID,
  type Value,
  withId,
  withOffset,
} from './abstract-value.ts';

/** Of one base of packet pointers: bytes from it that certainly, and that at the most, were compared with the end. */
export interface PacketRange {
  readonly min: number;
  readonly max: number;
}

const NO_RANGE: PacketRange = { min: 0, max: 0 };

/** Bases of packet pointers from which on it is looked which of them are used. */
const MANY_BASES = 24;

/** A base of packet pointers, and how far from it at least another one lies. */
export interface Origin {
  readonly of: number;
  readonly least: number;
}

/** What a store left in the frame: as many bytes, and the value that it stored. */
export interface Cell {
  readonly size: number;
  readonly value: Value;
}

type Cells = ReadonlyMap<number, Cell>;
type Ranges = ReadonlyMap<number, PacketRange>;

const NO_CELLS: Cells = new Map();
const NO_RANGES: Ranges = new Map();

export class AbstractState {
  readonly registers: Value[];
  /** May the kernel's verifier have concluded of any packet pointer how far it reaches? Then none certainly lacks it. */
  open: boolean;
  /**
   * What the kernel's verifier does not conclude, for those who ask where inputs may lead; undefined: nobody does.
   * Packet bases: which base they were moved from, and by how much at least.
   */
  origins: ReadonlyMap<number, Origin> | undefined;
  /** A call of `bpf_xdp_adjust_meta` whose result has yet to be looked at: its id, and the bytes that there are then. */
  adjusted: { readonly id: number; readonly bytes: number } | undefined;
  /** The frame's bytes that certainly were written: bit 0 is the lowest. */
  written: bigint = 0n;
  /** Most states have the cells and ranges of the one before: they share them until one of them writes. */
  #cells: Cells;
  #ranges: Ranges;

  constructor(registers: Value[], cells: Cells, ranges: Ranges, open: boolean) {
    this.registers = registers;
    this.#cells = cells;
    this.#ranges = ranges;
    this.open = open;
  }

  static atEntry(): AbstractState {
    return new AbstractState(new Array<Value>(REGISTER_COUNT).fill(UNSET), NO_CELLS, NO_RANGES, false);
  }

  copy(): AbstractState {
    const copy = new AbstractState(this.registers.slice(), this.#cells, this.#ranges, this.open);
    copy.written = this.written;
    copy.origins = this.origins;
    copy.adjusted = this.adjusted;
    return copy;
  }

  /** What the frame is known to hold, by offset from r10. Cells do not overlap. */
  get cells(): Cells {
    return this.#cells;
  }

  /** How far packet pointers reach, by their bases. */
  get ranges(): Ranges {
    return this.#ranges;
  }

  setRange(id: number, range: PacketRange): void {
    this.forgetUnused();
    this.#ranges = new Map(this.#ranges).set(id, range);
  }

  /**
   * Where there are many bases, those are forgotten that nothing points into any more: a checksum over a packet, unrolled, has one for
   * each word, and every meeting of ways would go through all of them. How far the furthest of them reached is kept.
   */
  forgetUnused(): void {
    if (this.#ranges.size < MANY_BASES && (this.origins?.size ?? 0) < MANY_BASES) return;
    const used = this.#usedBases();
    const isUsed = (id: number): boolean => isGivenBase(id) || used.has(id);
    const ranges = new Map<number, PacketRange>();
    let furthest = 0;
    for (const [id, range] of this.#ranges) {
      if (isUsed(id)) ranges.set(id, range);
      else furthest = Math.max(furthest, range.max);
    }
    const { max } = ranges.get(UNUSED_ID) ?? NO_RANGE;
    if (furthest > max) ranges.set(UNUSED_ID, { min: 0, max: furthest });
    if (ranges.size < this.#ranges.size) this.#ranges = ranges;
    if (this.origins !== undefined) this.origins = new Map([...this.origins].filter(([id]) => isUsed(id)));
  }

  /** Of the pointers in registers and cells, and of what they were moved from. */
  #usedBases(): ReadonlySet<number> {
    const used = new Set<number>();
    const use = (id: number): void => {
      if (used.has(id)) return;
      used.add(id);
      const origin = this.origins?.get(id);
      if (origin !== undefined) use(origin.of);
    };
    for (const one of this.registers) if (isPacket(one)) use(one.id);
    for (const { value } of this.#cells.values()) if (isPacket(value)) use(value.id);
    return used;
  }

  /** Notes that bytes of the frame are written for certain, whatever with; what lies outside of it does not count. */
  initialise(offset: number, size: number): void {
    const first = Math.max(offset, -MAX_BPF_STACK);
    this.written |= frameBits(first, Math.min(offset + size, 0) - first);
  }

  /** May the program read bytes here that it never wrote? */
  mayBeUnwritten(offset: number, size: number): boolean {
    // Outside of the frame, as far as that may be.
    if (!(offset >= -MAX_BPF_STACK && offset + size <= 0)) return true;
    const bits = frameBits(offset, size);
    return (this.written & bits) !== bits;
  }

  /** Notes a store of `size` bytes at `offset` from r10; `undefined`: of something. */
  store(offset: number, size: number, stored: Value | undefined): void {
    const cells = new Map(this.#cells);
    for (let at = offset - 7; at < offset + size; at++) {
      const cell = cells.get(at);
      if (cell !== undefined && at + cell.size > offset) cells.delete(at);
    }
    if (stored !== undefined) cells.set(offset, { size, value: stored });
    this.#cells = cells;
  }

  range(pointer: Value): PacketRange {
    const range = this.ranges.get(pointer.id) ?? NO_RANGE;
    return this.open || !isOwnBase(pointer.id) ? { min: range.min, max: Infinity } : range;
  }

  /** Applies `change` to every register and cell; most stay as they are. */
  replace(change: (one: Value) => Value): void {
    const { registers } = this;
    for (let index = 0; index < registers.length; index++) registers[index] = change(registers[index]!);
    let cells: Map<number, Cell> | undefined;
    for (const [at, { size, value }] of this.#cells) {
      const after = change(value);
      if (after === value) continue;
      cells ??= new Map(this.#cells);
      cells.set(at, { size, value: after });
    }
    if (cells !== undefined) this.#cells = cells;
  }

  forgetCells(): void {
    this.#cells = NO_CELLS;
  }

  /**
   * The packet was moved, or may have been.
   * @param become what pointers into it are now: numbers where it certainly was, else anything
   */
  forgetPackets(become: Value): void {
    this.replace((one) => (isPacket(one) || one.kind === KIND.packetEnd ? become : one));
    this.#ranges = NO_RANGES;
    if (this.origins !== undefined) this.origins = new Map();
  }

  /** Before an instruction hands `id` out again: who still holds it is forgotten. */
  retire(id: number): void {
    this.replace((one) => {
      if (one.id !== id) return one;
      if (one.kind === KIND.scalar) return withId(one, 0);
      return one.kind === KIND.any || one.kind === KIND.unset ? one : ANY;
    });
    if (this.#ranges.has(id)) {
      const ranges = new Map(this.#ranges);
      ranges.delete(id);
      this.#ranges = ranges;
    }
    if (this.origins === undefined) return;
    this.origins = new Map([...this.origins].filter(([own, origin]) => own !== id && origin.of !== id));
  }
}

/** Of bytes that lie in the frame. */
function frameBits(offset: number, size: number): bigint {
  return size <= 0 ? 0n : ((1n << BigInt(size)) - 1n) << BigInt(offset + MAX_BPF_STACK);
}

/**
 * What is known where two paths meet.
 * @param base ids for values that differ are `base` + the register's or slot's number
 * @param widen give intervals up that still grow: this is a loop
 */
export function joinStates(a: AbstractState, b: AbstractState, base: number, widen: boolean): AbstractState {
  const ranges = new JoinedRanges(a.ranges, b.ranges);
  const join = (one: Value, other: Value, place: number): Value => {
    if (one === other) return one;
    if (isPacket(one) && one.kind === other.kind) {
      return joinPackets(a, b, one, other, base + place, ranges);
    }
    return joinValues(one, other, base + place, widen);
  };
  const registers = a.registers.map((one, index) => join(one, b.registers[index]!, index));
  const cells = a.cells === b.cells ? a.cells : joinCells(a.cells, b.cells, join);
  if (widen) ranges.widen(a.ranges);
  const joined = new AbstractState(registers, cells, ranges.all, a.open || b.open);
  joined.written = a.written & b.written;
  joined.origins = a.origins === b.origins ? a.origins : sharedOrigins(a.origins, b.origins);
  if (a.adjusted === b.adjusted) joined.adjusted = a.adjusted;
  joined.forgetUnused();
  return joined;
}

/** How far packets reach on either of two ways. Most know the same of that, and share it. */
class JoinedRanges {
  readonly #shared: Ranges;
  #own: Map<number, PacketRange> | undefined;

  constructor(a: Ranges, b: Ranges) {
    this.#shared = a;
    if (!sameRanges(a, b)) this.#own = unitedRanges(a, b);
  }

  get all(): Ranges {
    return this.#own ?? this.#shared;
  }

  set(id: number, range: PacketRange): void {
    this.#own ??= new Map(this.#shared);
    // What reaches nowhere is left out.
    if (range.max > 0) this.#own.set(id, range);
    else this.#own.delete(id);
  }

  /** Gives up what still grows. */
  widen(before: Ranges): void {
    if (this.all === before) return;
    for (const [id, range] of this.all) {
      const old = before.get(id) ?? NO_RANGE;
      if (range.min >= old.min && range.max <= old.max) continue;
      const min = range.min < old.min ? 0 : range.min;
      this.set(id, { min, max: range.max > old.max ? Infinity : range.max });
    }
  }
}

function unitedRanges(a: Ranges, b: Ranges): Map<number, PacketRange> {
  const ranges = new Map(a);
  // While code is cold, a loop makes an object for each entry.
  a.forEach((one, id) => {
    const other = b.get(id) ?? NO_RANGE;
    if (other.min < one.min || other.max > one.max)
      ranges.set(id, { min: Math.min(one.min, other.min), max: Math.max(one.max, other.max) });
  });
  b.forEach(({ max }, id) => {
    if (!a.has(id)) ranges.set(id, { min: 0, max });
  });
  return ranges;
}

function sameOrigins(a: AbstractState['origins'], b: AbstractState['origins']): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.size !== b.size) return false;
  for (const [id, { of, least }] of a) {
    const other = b.get(id);
    if (other?.of !== of || other.least !== least) return false;
  }
  return true;
}

function sharedOrigins(a: AbstractState['origins'], b: AbstractState['origins']): AbstractState['origins'] {
  if (a === undefined || b === undefined) return undefined;
  if (sameOrigins(a, b)) return a;
  return new Map([...a].filter(([id, one]) => b.get(id)?.of === one.of && b.get(id)?.least === one.least));
}

/** A cell that only one side has may hold anything. */
function joinCells(a: Cells, b: Cells, join: (one: Value, other: Value, place: number) => Value): Cells {
  const cells = new Map<number, Cell>();
  for (const [at, { size, value }] of a) {
    const other = b.get(at);
    if (other?.size !== size) continue;
    cells.set(at, { size, value: join(value, other.value, REGISTER_COUNT - at) });
  }
  return cells;
}

/** Two packet pointers: a base of its own, from which what both sides have proven still counts. */
function joinPackets(
  a: AbstractState,
  b: AbstractState,
  one: Value,
  other: Value,
  id: number,
  ranges: JoinedRanges,
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
      const either = one.unknown & other.unknown;
      // Not the same bit on both paths, but some on each.
      const some = one.unknown !== 0n && other.unknown !== 0n ? SOMEWHERE : 0n;
      return scalar(min, max, either === 0n ? some : either);
    }
    case KIND.stack:
      return Number.isFinite(min) && Number.isFinite(max) ? withOffset(one, min, max) : ANY;
    case KIND.mapValue:
    case KIND.sample: {
      if (one.map !== other.map || !Number.isFinite(min) || !Number.isFinite(max)) return ANY;
      const nullable = one.nullable || other.nullable;
      const shared = one.nullable && other.nullable && one.id === other.id;
      const certain = nullable && (one.certain || !one.nullable) && (other.certain || !other.nullable);
      return { ...one, min, max, nullable, certain, id: nullable ? (shared ? one.id : id) : 0 };
    }
    default:
      return ANY;
  }
}

/** The null that a pointer starts with, and the pointer: a pointer that may be null. */
function joinWithNull(pointer: Value, zero: Value, id: number): Value | undefined {
  if (pointer.kind !== KIND.mapValue || pointer.min !== 0 || pointer.max !== 0) return undefined;
  if (zero.kind !== KIND.scalar || zero.min !== 0 || zero.max !== 0) return undefined;
  return { ...pointer, nullable: true, certain: false, id };
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
  if (!sameOrigins(a.origins, b.origins)) return false;
  if (a.adjusted?.id !== b.adjusted?.id || a.adjusted?.bytes !== b.adjusted?.bytes) return false;
  if (a.open !== b.open || a.written !== b.written || !sameCells(a.cells, b.cells)) return false;
  return sameRanges(a.ranges, b.ranges);
}

function sameRanges(a: Ranges, b: Ranges): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [id, one] of a) {
    const other = b.get(id);
    if (other === undefined || other.min !== one.min || other.max !== one.max) return false;
  }
  return true;
}

function sameCells(a: Cells, b: Cells): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [at, { size, value }] of a) {
    const other = b.get(at);
    if (other?.size !== size || !sameValue(value, other.value)) return false;
  }
  return true;
}
