/**
 * What the compiler knows of a register before a program runs: a verifier in miniature.
 *
 * Numbers are intervals of the signed 64-bit value; a bound is exact below 2^53 and ±Infinity beyond. Pointers
 * say what they point into and how far from its begin. Values are immutable.
 */

export const KIND = {
  /** Anything: two paths met that disagree, or it was lost sight of. */
  any: 0,
  /** Never written. */
  unset: 1,
  scalar: 2,
  context: 3,
  /** Into this function's frame; offsets count from r10, so they are negative. */
  stack: 4,
  packet: 5,
  packetMeta: 6,
  packetEnd: 7,
  /** To a map itself. */
  map: 8,
  mapValue: 9,
  /** Memory of known size that a helper handed out. */
  sample: 10,
  /** The address of a function; `map` is its first slot. */
  function: 11,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Value {
  readonly kind: Kind;
  /** Scalars: the interval. Pointers: the interval of the offset. */
  readonly min: number;
  readonly max: number;
  /**
   * Scalars: copies of each other share it (0: no copies). Packets: the base that offsets count from. Nullable
   * pointers: results of the same call.
   */
  readonly id: number;
  /** Maps and values: the map's index; samples: bytes. */
  readonly map: number;
  /** Not compared with null yet. */
  readonly nullable: boolean;
  /** Nullable pointers: the lookup cannot have failed, though the program has yet to compare. */
  readonly certain: boolean;
  /**
   * Scalars: bits that the kernel's verifier certainly does not know either, so that adding the number to a packet
   * pointer begins anew; 0: it may know all of them. `SOMEWHERE`: one or the other bit.
   */
  readonly unknown: bigint;
}

/** Every bit of a number. */
export const ALL_BITS: bigint = (1n << 64n) - 1n;
/** Some bit, but it cannot be said which. */
export const SOMEWHERE: bigint = 1n << 64n;

function value(
  kind: Kind,
  min: number,
  max: number,
  id: number,
  map: number,
  nullable: boolean,
  certain: boolean = false,
  unknown: bigint = 0n,
): Value {
  return { kind, min, max, id, map, nullable, certain, unknown };
}

export const ANY: Value = value(KIND.any, 0, 0, 0, -1, false);
export const UNSET: Value = value(KIND.unset, 0, 0, 0, -1, false);
export const CONTEXT: Value = value(KIND.context, 0, 0, 0, -1, false);
export const PACKET_END: Value = value(KIND.packetEnd, 0, 0, 0, -1, false);
/** A number of which nothing is known. */
export const SCALAR: Value = value(KIND.scalar, -Infinity, Infinity, 0, -1, false, false, ALL_BITS);
/** The same, but it may be one that the kernel's verifier knows. */
export const SOME_SCALAR: Value = value(KIND.scalar, -Infinity, Infinity, 0, -1, false);

/** Bases of packet pointers: what the context gives. */
export const DATA_ID = 0;
export const META_ID: number = -1;
/** Stands for all bases that nothing points into any more. */
export const UNUSED_ID: number = -2;
/**
 * Ids of values: of instructions (slot + 1); of packet pointers to which an instruction added what the verifier may
 * know, so that to the verifier they may share their base with others; of functions' arguments; of places where paths
 * meet.
 */
export const DOUBTFUL_IDS = 1_000_000;
export const ARGUMENT_IDS = 2_000_000;
export const MEETING_IDS = 3_000_000_000;
/** Ids for each function and each meeting. */
export const PLACES = 1024;

/** Is it a base that a function is entered with, or finds in the context? */
export function isGivenBase(id: number): boolean {
  return id <= 0 || (id >= ARGUMENT_IDS && id < MEETING_IDS);
}

/** Is it another base to the kernel's verifier, too? */
export function isOwnBase(id: number): boolean {
  return id < DOUBTFUL_IDS;
}

export function scalar(min: number, max: number, unknown: bigint = 0n, id: number = 0): Value {
  if (Number.isNaN(min) || Number.isNaN(max)) {
    return value(KIND.scalar, -Infinity, Infinity, 0, -1, false, false, unknown);
  }
  return value(KIND.scalar, lowest(min), highest(max), id, -1, false, false, clipped(min, max, unknown));
}

/** Without the bits that all numbers of an interval share: the kernel's verifier knows them (`tnum_range`). */
function clipped(min: number, max: number, unknown: bigint): bigint {
  if (min === max || unknown === 0n) return 0n;
  if (!Number.isFinite(min) || !Number.isFinite(max)) return unknown;
  if (min < 0) return max < 0 ? SOMEWHERE : unknown;
  const left = unknown & LOWER_BITS[differingBits(min, max)]!;
  return left === 0n ? SOMEWHERE : left;
}

/** By a number of bits: those, and `SOMEWHERE`. */
const LOWER_BITS: readonly bigint[] = Array.from(
  { length: 65 },
  (_, bits) => ((1n << BigInt(bits)) - 1n) | SOMEWHERE,
);

/** How many bits two numbers have below the highest one that is not the same; both from 0 to 2^53. */
function differingBits(a: number, b: number): number {
  const high = Math.floor(a / 2 ** 32) ^ Math.floor(b / 2 ** 32);
  return high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(a ^ b);
}

/** Of `bits` bits, from memory that the verifier knows nothing of. */
export function loaded(bits: number, signed: boolean, unknown: boolean): Value {
  if (bits === 64) return unknown ? SCALAR : SOME_SCALAR;
  const limit = 2 ** bits;
  const mask = unknown ? (1n << BigInt(bits)) - 1n : 0n;
  return signed ? scalar(-limit / 2, limit / 2 - 1, mask) : scalar(0, limit - 1, mask);
}

function lowest(bound: number): number {
  return bound < Number.MIN_SAFE_INTEGER ? -Infinity : Math.min(bound, Number.MAX_SAFE_INTEGER);
}

function highest(bound: number): number {
  return bound > Number.MAX_SAFE_INTEGER ? Infinity : Math.max(bound, Number.MIN_SAFE_INTEGER);
}

export function stackPointer(min: number, max: number): Value {
  return value(KIND.stack, min, max, 0, -1, false);
}

export function packetPointer(kind: Kind, id: number, offset: number): Value {
  return value(kind, offset, offset, id, -1, false);
}

export function contextPointer(offset: number): Value {
  return offset === 0 ? CONTEXT : value(KIND.context, offset, offset, 0, -1, false);
}

/** @param map index in the object; -1: some map, known only at run time */
export function mapPointer(map: number, id: number = 0): Value {
  return value(KIND.map, 0, 0, id, map, id !== 0);
}

/**
 * @param id not 0: it may be null
 * @param certain though it is not
 */
export function mapValue(map: number, offset: number, id: number, certain: boolean = false): Value {
  return value(KIND.mapValue, offset, offset, id, map, id !== 0, certain);
}

export function samplePointer(size: number, id: number): Value {
  return value(KIND.sample, 0, 0, id, size, true);
}

export function functionPointer(slot: number): Value {
  return value(KIND.function, 0, 0, 0, slot, false);
}

export function withOffset(pointer: Value, min: number, max: number): Value {
  return { ...pointer, min, max };
}

export function withId(one: Value, id: number): Value {
  return { ...one, id };
}

export function notNull(pointer: Value): Value {
  return { ...pointer, nullable: false, certain: false, id: 0 };
}

export function isPacket(one: Value): boolean {
  return one.kind === KIND.packet || one.kind === KIND.packetMeta;
}

/** A pointer into memory at an offset that may change. */
export function isMovable(one: Value): boolean {
  return (
    one.kind === KIND.stack ||
    one.kind === KIND.packet ||
    one.kind === KIND.packetMeta ||
    ((one.kind === KIND.mapValue || one.kind === KIND.sample) && !one.nullable) ||
    one.kind === KIND.context
  );
}

export function isConstant(one: Value): boolean {
  return one.kind === KIND.scalar && one.min === one.max;
}

export function sameValue(a: Value, b: Value): boolean {
  return (
    a === b ||
    (a.kind === b.kind &&
      a.min === b.min &&
      a.max === b.max &&
      a.id === b.id &&
      a.map === b.map &&
      a.nullable === b.nullable &&
      a.certain === b.certain &&
      a.unknown === b.unknown)
  );
}
