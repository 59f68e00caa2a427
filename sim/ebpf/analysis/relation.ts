/**
 * Comparisons of numbers of which only intervals are known: can one come true, and what does that tell of its sides?
 *
 * Intervals are of signed 64-bit numbers; a comparison may look at them as unsigned, or at the lower halves only. So
 * an interval is cut where that view jumps, and each piece compared with each of the other side's.
 */
import {
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JNE,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
} from '../instruction.ts';

export interface Interval {
  readonly min: number;
  readonly max: number;
}

/** Part of an interval, as a comparison sees it. */
interface Piece {
  /** Of two pieces with different ranks, all of the higher is above all of the lower. */
  readonly rank: number;
  readonly min: number;
  readonly max: number;
  /** What was added to the numbers; undefined: the piece stands for numbers that lie elsewhere. */
  readonly shift: number | undefined;
}

const HALF: number = 2 ** 31;
const WHOLE: number = 2 ** 32;

/** What holds where a comparison does not. */
export const OPPOSITE: ReadonlyMap<number, number> = new Map([
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

/** The same relation with the sides exchanged. */
export const MIRRORED: ReadonlyMap<number, number> = new Map([
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

/**
 * The part of `a` for which `a relation b` can be true for some number of `b`.
 * @param relation one of `MIRRORED`
 * @param wide are all 64 bits compared, or the lower 32?
 * @returns undefined where it cannot be true
 */
export function satisfying(relation: number, a: Interval, b: Interval, wide: boolean): Interval | undefined {
  const signed =
    relation === BPF_JSGT || relation === BPF_JSGE || relation === BPF_JSLT || relation === BPF_JSLE;
  // As a rule numbers are what the comparison takes them for.
  if (isInView(a, wide, signed) && isInView(b, wide, signed)) return within(relation, a, b);
  const right = pieces(b, wide, signed);
  let min = Infinity;
  let max = -Infinity;
  for (const piece of pieces(a, wide, signed)) {
    const held = unite(right.map((other) => restrict(relation, piece, other)));
    if (held === undefined) continue;
    if (piece.shift === undefined) return a;
    min = Math.min(min, held.min - piece.shift);
    max = Math.max(max, held.max - piece.shift);
  }
  return min > max ? undefined : { min, max };
}

/** Does the comparison see all of the interval's numbers as they are, so that there is nothing to cut? */
function isInView({ min, max }: Interval, wide: boolean, signed: boolean): boolean {
  if (wide) return signed || min >= 0;
  const low = signed ? -HALF : 0;
  return min >= low && max < low + WHOLE;
}

function unite(parts: readonly (Interval | undefined)[]): Interval | undefined {
  let min = Infinity;
  let max = -Infinity;
  for (const part of parts) {
    if (part === undefined) continue;
    min = Math.min(min, part.min);
    max = Math.max(max, part.max);
  }
  return min > max ? undefined : { min, max };
}

function pieces({ min, max }: Interval, wide: boolean, signed: boolean): Piece[] {
  if (!wide) return halves(min, max, signed);
  if (signed || min >= 0) return [{ rank: 0, min, max, shift: 0 }];
  // Unsigned, negative numbers are above the others, in their order.
  if (max < 0) return [{ rank: 1, min, max, shift: 0 }];
  return [
    { rank: 0, min: 0, max, shift: 0 },
    { rank: 1, min, max: -1, shift: 0 },
  ];
}

/** The lower 32 bits. */
function halves(min: number, max: number, signed: boolean): Piece[] {
  const low = signed ? -HALF : 0;
  if (!Number.isFinite(min) || !Number.isFinite(max) || max - min >= WHOLE) {
    return [{ rank: 0, min: low, max: low + WHOLE - 1, shift: undefined }];
  }
  const parts: Piece[] = [];
  for (let from = min; from <= max; ) {
    const turns = Math.floor((from - low) / WHOLE);
    const to = Math.min(max, low + (turns + 1) * WHOLE - 1);
    const shift = -turns * WHOLE;
    parts.push({ rank: 0, min: from + shift, max: to + shift, shift });
    from = to + 1;
  }
  return parts;
}

/** What of `a` stands in the relation to some number of `b`. */
function restrict(relation: number, a: Piece, b: Piece): Interval | undefined {
  if (a.rank === b.rank) return within(relation, a, b);
  switch (relation) {
    case BPF_JEQ:
      return undefined;
    case BPF_JNE:
      return a;
    case BPF_JGT:
    case BPF_JSGT:
    case BPF_JGE:
    case BPF_JSGE:
      return a.rank > b.rank ? a : undefined;
    default:
      return a.rank < b.rank ? a : undefined;
  }
}

/** The same of numbers that are compared as they are. */
function within(relation: number, a: Interval, b: Interval): Interval | undefined {
  switch (relation) {
    case BPF_JEQ:
      return between(Math.max(a.min, b.min), Math.min(a.max, b.max));
    case BPF_JNE:
      // Only a single number can be excluded, and only at an end.
      if (b.min !== b.max) return a;
      return between(a.min === b.min ? a.min + 1 : a.min, a.max === b.min ? a.max - 1 : a.max);
    case BPF_JGT:
    case BPF_JSGT:
      return between(Math.max(a.min, b.min + 1), a.max);
    case BPF_JGE:
    case BPF_JSGE:
      return between(Math.max(a.min, b.min), a.max);
    case BPF_JLT:
    case BPF_JSLT:
      return between(a.min, Math.min(a.max, b.max - 1));
    default:
      return between(a.min, Math.min(a.max, b.max));
  }
}

function between(min: number, max: number): Interval | undefined {
  return min > max ? undefined : { min, max };
}

/** Can `a & b` have a bit set (`some`), or have none? Only what is plain is answered with no. */
export function maskable(a: Interval, b: Interval, some: boolean, wide: boolean): boolean {
  const known = (one: Interval): boolean => one.min === one.max && Number.isFinite(one.min);
  const bits = wide ? 64 : 32;
  const unsigned = (one: Interval): bigint => BigInt.asUintN(bits, BigInt(one.min));
  if (known(a) && known(b)) return ((unsigned(a) & unsigned(b)) !== 0n) === some;
  if (!some) return true;
  const [constant, other] = known(b) ? [b, a] : [a, b];
  if (!known(constant) || other.min < 0 || !Number.isFinite(other.max)) return true;
  let reach = 1n;
  while (reach <= BigInt(other.max)) reach <<= 1n;
  return (unsigned(constant) & (reach - 1n)) !== 0n;
}
