/**
 * Terms: what a symbolic reader knows of a value, as a directed acyclic graph of bit vectors in which equal terms are the
 * same object.
 *
 * A term has a width from 1 to 64 bits (wider ones appear between bytes and words only); conditions are terms of one bit.
 * Besides its operands each knows which of its bits are certain and between which two numbers it lies, so that most
 * comparisons are decided when they are made. `TermPool` (`term-pool.ts`) is the only maker of terms: it brings them
 * into one form, so that what is equal is mostly the same object.
 */

export type TermOperation =
  /** `value`. */
  | 'const'
  /** An unknown, by `name`. */
  | 'var'
  /** `value` + Σ `factors[i]` × `operands[i]`, modulo 2^width; operands in order of their ids. */
  | 'sum'
  | 'mul'
  /** As eBPF divides: by 0 gives 0. */
  | 'udiv'
  /** As eBPF divides: by 0 leaves the dividend. */
  | 'urem'
  | 'sdiv'
  | 'srem'
  | 'and'
  | 'or'
  | 'xor'
  /** By the second operand modulo the width, a power of two. */
  | 'shl'
  | 'lshr'
  | 'ashr'
  /** Operands side by side, the most significant first. */
  | 'concat'
  /** Bits `low` to `low + width − 1` of the operand. */
  | 'extract'
  /** The operand with its sign extended. */
  | 'sext'
  /** The second operand where the first is 1, else the third. */
  | 'ite'
  | 'eq'
  | 'ult'
  | 'slt';

export interface Term {
  /** Counts the terms of a pool: operands come before what is made of them. */
  readonly id: number;
  readonly operation: TermOperation;
  /** Bits. */
  readonly width: number;
  readonly operands: readonly Term[];
  /** Of `const` and `sum`; 0n otherwise. */
  readonly value: bigint;
  /** Of `sum`: one for each operand, from 1 to 2^width − 1. */
  readonly factors: readonly bigint[];
  /** Of `extract`. */
  readonly low: number;
  /** Of `var`. */
  readonly name: string;
  /** Bits that are 1 for certain, and bits that may be 1. */
  readonly ones: bigint;
  readonly maybe: bigint;
  /** The least and the largest value, unsigned. */
  readonly min: bigint;
  readonly max: bigint;
  /** Terms one inside the other, this one included: whoever goes through a term goes so far down. */
  readonly depth: number;
}

/** What unknowns are worth: those that are absent are 0. */
export type Assignment = ReadonlyMap<Term, bigint>;

/** All bits of a width. */
export function allOnes(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

/** How many bits a number takes; 0 for 0. */
export function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** A number of `width` bits as a signed one. */
export function signed(width: number, value: bigint): bigint {
  return BigInt.asIntN(width, value);
}

export function isConst(term: Term): boolean {
  return term.operation === 'const';
}

/** The unknowns in a term. Sets are remembered: terms share most of theirs. */
export function unknownsOf(term: Term): ReadonlySet<Term> {
  const known = unknowns.get(term);
  if (known !== undefined) return known;
  let found: ReadonlySet<Term>;
  if (term.operation === 'var') found = new Set([term]);
  else if (term.operands.length === 1) found = unknownsOf(term.operands[0]!);
  else {
    const all = new Set<Term>();
    for (const operand of term.operands) for (const one of unknownsOf(operand)) all.add(one);
    found = all;
  }
  unknowns.set(term, found);
  return found;
}

const unknowns = new WeakMap<Term, ReadonlySet<Term>>();

/** How many terms a term is written out, where each stands for itself wherever it occurs: far more than there are. */
function writtenSize(term: Term): number {
  if (term.operands.length === 0) return 1;
  const known = sizes.get(term);
  if (known !== undefined) return known;
  let size = 1;
  for (const operand of term.operands) size += writtenSize(operand);
  sizes.set(term, size);
  return size;
}

const sizes = new WeakMap<Term, number>();

/** Is a term made of more than so many different ones, itself included? */
export function hasMoreTerms(term: Term, most: number): boolean {
  if (writtenSize(term) <= most) return false;
  const found = new Set([term]);
  // A set hands out what is added to it meanwhile, too.
  for (const one of found) {
    for (const operand of one.operands) found.add(operand);
    if (found.size > most) return true;
  }
  return false;
}

/** A term as text, for messages and tests: `(ult (sum len 14) 0x20)`. */
export function termText(term: Term): string {
  switch (term.operation) {
    case 'const':
      return `0x${term.value.toString(16)}:${term.width}`;
    case 'var':
      return term.name;
    case 'extract':
      return `${termText(term.operands[0]!)}[${term.low + term.width - 1}:${term.low}]`;
    case 'sum': {
      const parts = term.operands.map((one, index) => {
        const factor = signed(term.width, term.factors[index]!);
        return factor === 1n ? termText(one) : `${factor}*${termText(one)}`;
      });
      if (term.value !== 0n) parts.push(`${signed(term.width, term.value)}`);
      return `(${parts.join(' + ')}):${term.width}`;
    }
    default:
      return `(${term.operation} ${term.operands.map(termText).join(' ')})`;
  }
}
