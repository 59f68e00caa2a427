/**
 * What a path knows: the conditions that led into it, and what follows from them without a solver: conditions that are
 * settled, and between which numbers terms lie.
 */
import { allOnes, bitLength, isConst, type Term } from './term.ts';
import { type Range, sumRange } from './term-facts.ts';
import type { TermPool } from './term-pool.ts';

/** Where a condition was met: a jump of a program, or a rule of the machine's that asked. */
export interface Origin {
  /** Index of the program in the object. */
  readonly program: number;
  readonly slot: number;
}

export interface Constraint {
  readonly condition: Term;
  readonly origin: Origin | undefined;
}

interface Derived extends Range {
  /** How far down it was looked for: who wants it from further down looks anew. */
  readonly depth: number;
}

/** How far down a term its range is looked for; conditions of choices are settled from wherever they are met. */
const RANGE_DEPTH = 12;

export class Knowledge {
  readonly pool: TermPool;
  /** In the order in which they were met. */
  readonly constraints: Constraint[];
  readonly #settled: Map<Term, boolean>;
  readonly #ranges: Map<Term, Range>;
  /** What was said to be a number besides. */
  readonly #fixed: (readonly [term: Term, value: bigint])[];
  /** Comparisons of two terms, and whether they hold. */
  readonly #relations: Map<Term, boolean>;
  /**
   * What follows from what is known, until something is added: terms share most of their parts, so that who goes through one
   * without remembering goes a number of ways that doubles with each choice inside another.
   */
  readonly #followed = { settled: new Map<Term, Term>(), ranges: new Map<Term, Derived>() };

  constructor(pool: TermPool, from?: Knowledge) {
    this.pool = pool;
    this.constraints = from === undefined ? [] : [...from.constraints];
    this.#settled = new Map(from === undefined ? [] : from.#settled);
    this.#ranges = new Map(from === undefined ? [] : from.#ranges);
    this.#relations = new Map(from === undefined ? [] : from.#relations);
    this.#fixed = from === undefined ? [] : [...from.#fixed];
  }

  copy(): Knowledge {
    return new Knowledge(this.pool, this);
  }

  /** Takes a condition for true. */
  add(condition: Term, origin: Origin | undefined): void {
    if (isConst(condition) && condition.value === 1n) return;
    this.constraints.push({ condition, origin });
    this.#conclude(condition, true);
    // What relates two terms says more once one of them is known better.
    for (const [relation, holds] of this.#relations) this.#conclude(relation, holds);
  }

  /** Remembers which number a term is, once a condition says so: it may say so in another form (40x = 120 as 5x = 15). */
  fix(term: Term, value: bigint): void {
    this.#fixed.push([term, value]);
    this.#narrow(term, value, value);
  }

  /** The same about other terms. */
  rename(rename: (term: Term) => Term): Knowledge {
    const renamed = new Knowledge(this.pool);
    for (const { condition, origin } of this.constraints) renamed.add(rename(condition), origin);
    for (const [term, value] of this.#fixed) renamed.fix(rename(term), value);
    return renamed;
  }

  /** The condition as a constant, where it follows from what is known; otherwise as it is. */
  settle(condition: Term): Term {
    if (isConst(condition)) return condition;
    const known = this.#known(condition);
    if (isConst(known)) return known;
    let settled = this.#followed.settled.get(condition);
    if (settled === undefined) {
      settled = this.#settledParts(condition, (part) => this.settle(part));
      this.#followed.settled.set(condition, settled);
    }
    return settled;
  }

  #settledParts(condition: Term, settle: (part: Term) => Term): Term {
    const { pool } = this;
    const [a, b, c] = condition.operands;
    switch (condition.operation) {
      // What is left of one whose parts are known may be known itself.
      case 'and':
        return this.#known(pool.and(settle(a!), settle(b!)));
      case 'or':
        return this.#known(pool.or(settle(a!), settle(b!)));
      case 'xor':
        return this.#known(pool.xor(settle(a!), settle(b!)));
      case 'ite':
        return this.#known(pool.ite(settle(a!), settle(b!), settle(c!)));
      case 'eq': {
        const [x, y] = [this.range(a!), this.range(b!)];
        if (x.max < y.min || y.max < x.min) return pool.false;
        return x.min === x.max && y.min === y.max ? pool.true : condition;
      }
      case 'ult': {
        const [x, y] = [this.range(a!), this.range(b!)];
        if (x.max < y.min) return pool.true;
        return x.min >= y.max ? pool.false : condition;
      }
      default: {
        const { min, max } = this.range(condition);
        return min === max ? pool.constant(1, min) : condition;
      }
    }
  }

  /** The condition as a constant, where it was concluded as it stands. */
  #known(condition: Term): Term {
    const known = this.#settled.get(condition);
    if (known === undefined) return condition;
    return known ? this.pool.true : this.pool.false;
  }

  /** The number that a term is on this path, where only one is left. */
  only(term: Term): bigint | undefined {
    const { min, max } = this.range(term);
    return min === max ? min : undefined;
  }

  /** The least and the largest value that a term has on this path, as far as that is known. */
  range(term: Term): Range {
    return this.#range(term, RANGE_DEPTH);
  }

  #range(term: Term, depth: number): Range {
    if (isConst(term)) return term;
    const own = this.#ranges.get(term) ?? term;
    if (own.min === own.max || depth === 0) return { min: own.min, max: own.max };
    const before = this.#followed.ranges.get(term);
    if (before !== undefined && before.depth >= depth) return before;
    const range = within(own, this.#derived(term, depth - 1));
    this.#followed.ranges.set(term, { ...range, depth });
    return range;
  }

  #derived(term: Term, depth: number): Range | undefined {
    const { operation, operands, width } = term;
    switch (operation) {
      case 'sum': {
        const rangeOf = (one: Term): Range => this.#range(one, depth);
        const { least, most } = sumRange(width, term.value, term.factors, operands, rangeOf);
        const round = least >> BigInt(width);
        if (round !== most >> BigInt(width)) return undefined;
        return { min: least - (round << BigInt(width)), max: most - (round << BigInt(width)) };
      }
      case 'concat': {
        if (isZeroExtended(term)) return this.#range(this.#withoutZeros(term), depth);
        let min = 0n;
        let max = 0n;
        for (const one of operands) {
          const range = this.#range(one, depth);
          min = (min << BigInt(one.width)) | range.min;
          max = (max << BigInt(one.width)) | range.max;
        }
        return { min, max };
      }
      case 'extract': {
        const { min, max } = this.#range(operands[0]!, depth);
        const low = BigInt(term.low);
        if (min === max) {
          const value = (min >> low) & allOnes(width);
          return { min: value, max: value };
        }
        if (max >> low > allOnes(width)) return undefined;
        return { min: min >> low, max: max >> low };
      }
      case 'ite': {
        const condition = this.settle(operands[0]!);
        if (isConst(condition)) return this.#range(operands[condition.value === 1n ? 1 : 2]!, depth);
        const [a, b] = [this.#range(operands[1]!, depth), this.#range(operands[2]!, depth)];
        return { min: a.min < b.min ? a.min : b.min, max: a.max > b.max ? a.max : b.max };
      }
      case 'and':
      case 'or':
      case 'xor': {
        const [a, b] = [this.#range(operands[0]!, depth), this.#range(operands[1]!, depth)];
        if (a.min !== a.max || b.min !== b.max) return undefined;
        const value =
          operation === 'and' ? a.min & b.min : operation === 'or' ? a.min | b.min : a.min ^ b.min;
        return { min: value, max: value };
      }
      default:
        return undefined;
    }
  }

  #conclude(condition: Term, holds: boolean): void {
    this.#settled.set(condition, holds);
    this.#forget();
    const [a, b] = condition.operands;
    const isComparison = condition.operation === 'eq' || condition.operation === 'ult';
    if (isComparison && !isConst(a!) && !isConst(b!)) this.#relations.set(condition, holds);
    switch (condition.operation) {
      case 'and':
        if (holds) for (const one of [a!, b!]) this.#conclude(one, true);
        return;
      case 'or':
        if (!holds) for (const one of [a!, b!]) this.#conclude(one, false);
        return;
      case 'xor':
        if (isConst(b!) && b!.value === 1n) this.#conclude(a!, !holds);
        return;
      case 'var':
      case 'extract':
        this.#narrow(condition, holds ? 1n : 0n, holds ? 1n : 0n);
        return;
      case 'eq': {
        const [x, y] = [this.range(a!), this.range(b!)];
        if (holds) {
          this.#narrow(a!, y.min, y.max);
          this.#narrow(b!, x.min, x.max);
        } else {
          if (y.min === y.max) this.#except(a!, y.min);
          if (x.min === x.max) this.#except(b!, x.min);
        }
        return;
      }
      case 'ult': {
        const [x, y] = [this.range(a!), this.range(b!)];
        if (holds) {
          this.#narrow(a!, 0n, y.max - 1n);
          this.#narrow(b!, x.min + 1n, allOnes(b!.width));
        } else {
          this.#narrow(a!, y.min, allOnes(a!.width));
          this.#narrow(b!, 0n, x.max);
        }
        return;
      }
      default:
    }
  }

  /** More is known now: more may follow. */
  #forget(): void {
    this.#followed.settled.clear();
    this.#followed.ranges.clear();
  }

  #narrow(term: Term, least: bigint, most: bigint): void {
    if (isConst(term)) return;
    const { min, max } = this.range(term);
    const narrowed = { min: least > min ? least : min, max: most < max ? most : max };
    if (narrowed.min > narrowed.max || (narrowed.min === min && narrowed.max === max)) return;
    this.#ranges.set(term, narrowed);
    this.#forget();
    // The upper part of a term bounds the whole.
    const [whole] = term.operands;
    if (term.operation === 'extract' && this.#reachesTop(term, whole!)) {
      const low = BigInt(term.low);
      this.#narrow(whole!, narrowed.min << low, (narrowed.max << low) | allOnes(term.low));
    }
    // A sum of one term moves with it; zeros above change nothing.
    if (isZeroExtended(term)) this.#narrow(this.#withoutZeros(term), narrowed.min, narrowed.max);
    else if (term.operation === 'sum' && term.operands.length === 1 && term.factors[0] === 1n) {
      const shift = term.value;
      const all = allOnes(term.width);
      const from = (narrowed.min - shift) & all;
      const to = (narrowed.max - shift) & all;
      if (from <= to) this.#narrow(term.operands[0]!, from, to);
    }
  }

  /** Is nothing of a term above a part of it? */
  #reachesTop({ low, width }: Term, whole: Term): boolean {
    return low + width === whole.width || bitLength(this.range(whole).max) <= low + width;
  }

  #withoutZeros(term: Term): Term {
    return this.pool.extract(term, 0, term.width - term.operands[0]!.width);
  }

  #except(term: Term, value: bigint): void {
    const { min, max } = this.range(term);
    if (value === min) this.#narrow(term, min + 1n, max);
    else if (value === max) this.#narrow(term, min, max - 1n);
  }
}

/** What is left of a range, of which another one is known too. */
function within({ min, max }: Range, other: Range | undefined): Range {
  const least = other !== undefined && other.min > min ? other.min : min;
  const most = other !== undefined && other.max < max ? other.max : max;
  return { min: least, max: least <= most ? most : least };
}

/** Is it a term with zeros above it? */
function isZeroExtended({ operation, operands }: Term): boolean {
  return operation === 'concat' && isConst(operands[0]!) && operands[0]!.value === 0n;
}
