/**
 * Terms modulo 65535, in which the Internet checksum is a plain sum: folding changes nothing, a complement is a change of
 * sign, a byte swap a factor of 256. What two sides share cancels, however long the message is.
 */
import type { Knowledge } from '../../sim/ebpf/symbolic/knowledge.ts';
import { allOnes, bitLength, isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import { type Range, sumRange } from '../../sim/ebpf/symbolic/term-facts.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';

const MODULUS = 65_535n;
/** The largest number that one fold makes of 32 bits. */
const MOST_FOLDED = 0x1_fffen;

/** A constant and factors of terms that are taken as they are, all modulo 65535. */
export class OnesForm {
  constant = 0n;
  readonly factors: Map<Term, bigint> = new Map();

  add(other: OnesForm, factor: bigint): void {
    this.constant = modulo(this.constant + factor * other.constant);
    for (const [term, one] of other.factors) this.addTerm(term, factor * one);
  }

  addConstant(value: bigint): void {
    this.constant = modulo(this.constant + value);
  }

  addTerm(term: Term, factor: bigint): void {
    const sum = modulo((this.factors.get(term) ?? 0n) + factor);
    if (sum === 0n) this.factors.delete(term);
    else this.factors.set(term, sum);
  }

  get isZero(): boolean {
    return this.constant === 0n && this.factors.size === 0;
  }

  plus(other: OnesForm, factor: bigint): OnesForm {
    const sum = new OnesForm();
    sum.add(this, 1n);
    sum.add(other, factor);
    return sum;
  }
}

/** How often a sum may go round whose rounds are told apart. */
const MOST_ROUNDS = 3n;

/** The two numbers of which a term is the sum, each of so many bits; undefined: it is another one. */
function partsOf(pool: TermPool, sum: Term, width: number): readonly [Term, Term] | undefined {
  if (sum.operation !== 'sum' || sum.factors.some((one) => one !== 1n)) return undefined;
  const parts = [...sum.operands, ...(sum.value === 0n ? [] : [pool.constant(sum.width, sum.value)])];
  if (parts.length !== 2 || parts.some((one) => one.max > allOnes(width))) return undefined;
  const [a, b] = parts.map((one) => pool.extract(one, 0, Math.min(width, one.width)));
  return [a!, b!];
}

/** The bit above a sum of two numbers, as it is computed in more bits than they have. */
function carriesOf(pool: TermPool, a: Term, b: Term): Term[] {
  const { width } = a;
  return [...new Set([width + 1, 32, 64])]
    .filter((wide) => wide > width)
    .map((wide) => pool.extract(pool.add(pool.zeroExtend(wide, a), pool.zeroExtend(wide, b)), width, 1));
}

function modulo(value: bigint): bigint {
  const rest = value % MODULUS;
  return rest < 0n ? rest + MODULUS : rest;
}

/** Makes forms of the terms of one path. */
export class OnesForms {
  readonly #pool: TermPool;
  readonly #knowledge: Knowledge;
  readonly #known = new Map<Term, OnesForm>();

  constructor(pool: TermPool, knowledge: Knowledge) {
    this.#pool = pool;
    this.#knowledge = knowledge;
  }

  /** The value of a term, an unsigned integer, modulo 65535. */
  of(term: Term): OnesForm {
    const known = this.#known.get(term);
    if (known !== undefined) return known;
    const form = new OnesForm();
    const only = this.#knowledge.only(term);
    if (only !== undefined) form.addConstant(only);
    else this.#decompose(term, form, (inner) => this.of(inner));
    this.#known.set(term, form);
    return form;
  }

  /**
   * The same without what the path knows the term itself to be: nor what it is a part of, or the complement, which is known along
   * with it.
   */
  structure(term: Term): OnesForm {
    const form = new OnesForm();
    if (isConst(term)) form.addConstant(term.value);
    else this.#decompose(term, form, (inner) => this.structure(inner));
    return form;
  }

  /** @param formOf the form of a term that this one is all there is of */
  #decompose(term: Term, form: OnesForm, formOf: (inner: Term) => OnesForm): void {
    const { operands, operation, width } = term;
    switch (operation) {
      case 'concat': {
        if (operands.length === 2 && isConst(operands[0]!) && operands[0]!.value === 0n) {
          form.add(formOf(operands[1]!), 1n);
          return;
        }
        let shift = 0n;
        for (const one of [...operands].reverse()) {
          form.add(this.of(one), 1n << shift);
          shift += BigInt(one.width);
        }
        return;
      }
      case 'sum':
        if (!this.#addSum(term, form)) break;
        return;
      case 'sext': {
        const [inner] = operands as [Term];
        form.add(this.of(inner), 1n);
        form.add(this.#signOf(inner), allOnes(width) - allOnes(inner.width));
        return;
      }
      case 'xor':
        if (isConst(operands[1]!) && operands[1]!.value === allOnes(width)) {
          form.addConstant(allOnes(width));
          form.add(formOf(operands[0]!), -1n);
          return;
        }
        break;
      case 'extract': {
        // The lower part of a number is the number without its upper part, which is taken as it is.
        const whole = operands[0]!;
        const top = Math.max(1, bitLength(this.#knowledge.range(whole).max));
        const end = term.low + width;
        if (whole.operation !== 'sum' && whole.operation !== 'xor') break;
        form.add(term.low === 0 ? formOf(whole) : this.#upper(whole, term.low, top), 1n);
        if (end < top) form.add(this.#upper(whole, end, top), -(1n << BigInt(width)));
        return;
      }
      case 'ite': {
        const condition = this.#knowledge.settle(operands[0]!);
        if (isConst(condition)) {
          form.add(this.of(operands[condition.value === 1n ? 1 : 2]!), 1n);
          return;
        }
        break;
      }
      default:
    }
    form.addTerm(term, 1n);
  }

  /**
   * A sum as an integer, without the rounds that it went: those that it went for certain, the bits above a sum that is computed in
   * more of them, or its sign.
   * @returns false: nobody knows how often it went round
   */
  #addSum(term: Term, form: OnesForm): boolean {
    const { operands, width, factors, value } = term;
    const size = BigInt(width);
    const rangeOf = (one: Term): Range =>
      operands.includes(one) ? this.#signedRange(one) : this.#knowledge.range(one);
    const { least, most } = sumRange(width, value, factors, operands, rangeOf);
    const round = least >> size;
    const half = 1n << (size - 1n);
    let above: OnesForm | undefined;
    if (round !== most >> size) {
      if (this.#addApart(term, form)) return true;
      if (least >= 0n && most >> size <= MOST_ROUNDS) above = this.#roundsOf(term, most);
      else if (least >= -half && most < half) {
        above = new OnesForm();
        above.add(this.#asKnown(this.#pool.extract(term, width - 1, 1)), -1n);
      } else return false;
    } else form.addConstant(-(round << size));
    if (above !== undefined) form.add(above, -(1n << size));
    form.addConstant(BigInt.asIntN(width, value));
    for (const [index, one] of operands.entries()) {
      const factor = BigInt.asIntN(width, factors[index]!);
      if (one.operation !== 'sext') form.add(this.of(one), factor);
      else {
        const [inner] = one.operands as [Term];
        form.add(this.of(inner), factor);
        form.add(this.#signOf(inner), -factor * (1n << BigInt(inner.width)));
      }
    }
    return true;
  }

  /** The range of a term; of one whose sign was extended, as a number with a sign. */
  #signedRange(term: Term): Range {
    if (term.operation !== 'sext') return this.#knowledge.range(term);
    const [inner] = term.operands as [Term];
    const half = 1n << BigInt(inner.width - 1);
    const { min, max } = this.#knowledge.range(inner);
    return max < half ? { min, max } : { min: -half, max: half - 1n };
  }

  #signOf(term: Term): OnesForm {
    return this.#asKnown(this.#pool.extract(term, term.width - 1, 1));
  }

  /** A term as it is, or what the path knows that it is. */
  #asKnown(term: Term): OnesForm {
    const form = new OnesForm();
    const only = isConst(term) ? term.value : this.#knowledge.only(term);
    if (only !== undefined) form.addConstant(only);
    else form.addTerm(term, 1n);
    return form;
  }

  /** How often a sum that is never below 0 goes round. */
  #roundsOf(term: Term, most: bigint): OnesForm {
    const { operands, width, factors, value } = term;
    const pool = this.#pool;
    const bits = bitLength(most) - width;
    const whole = pool.sum(
      width + bits,
      BigInt.asIntN(width, value),
      operands.map((one, at) => [pool.zeroExtend(width + bits, one), BigInt.asIntN(width, factors[at]!)]),
    );
    return this.#asKnown(pool.extract(whole, width, bits));
  }

  /**
   * A sum as two: a part of it and the rest, where the path has met whether it goes round as they are added up, as programs ask that
   * carry by a comparison (`s += n; s += s < n`).
   * @returns false: it has not
   */
  #addApart(term: Term, form: OnesForm): boolean {
    const pool = this.#pool;
    const { operands, width, factors, value } = term;
    const all = allOnes(width);
    const parts = operands.map((one, at) => [one, factors[at]!] as const);
    if (value !== 0n) parts.push([pool.constant(width, value), 1n]);
    for (const [part, factor] of parts) {
      if (factor !== 1n && factor !== all) continue;
      const isAdded = factor === 1n;
      const rest = isAdded ? pool.subtract(term, part) : pool.add(term, part);
      const goesRound = isAdded ? this.#carry(term, part, rest) : this.#borrow(term, part, rest);
      if (goesRound === undefined) continue;
      const sign = isAdded ? 1n : -1n;
      form.add(this.of(rest), 1n);
      form.add(this.of(part), sign);
      if (goesRound) form.addConstant(-sign * (all + 1n));
      return true;
    }
    return false;
  }

  /** Does a sum of two numbers go round? It is less than both then. */
  #carry(sum: Term, part: Term, rest: Term): boolean | undefined {
    const pool = this.#pool;
    const fits = this.#knowledge.range(rest).max + this.#knowledge.range(part).max <= allOnes(sum.width);
    if (fits) return false;
    return this.#settled(pool.less(sum, part), pool.less(sum, rest), ...carriesOf(pool, part, rest));
  }

  /** Does a difference go round: is more taken away than is there? Compilers write `s + ~n + 1` as `s - n`, too. */
  #borrow(difference: Term, part: Term, rest: Term): boolean | undefined {
    const pool = this.#pool;
    const complement = pool.not(part);
    const known = this.#settled(pool.less(rest, part), pool.less(complement, difference));
    if (known !== undefined) return known;
    const isLess =
      this.#settled(pool.less(part, rest)) ?? this.#carry(pool.add(rest, complement), rest, complement);
    return isLess === true ? false : undefined;
  }

  /** What the path knows of one of these conditions, which say the same. */
  #settled(...conditions: readonly Term[]): boolean | undefined {
    for (const one of conditions) {
      const known = this.#knowledge.settle(one);
      if (isConst(known)) return known.value === 1n;
    }
    return undefined;
  }

  /** Bits `low` to `top − 1` of a term. */
  #upper(whole: Term, low: number, top: number): OnesForm {
    if (low === 0) return this.of(whole);
    if (low === 16) {
      const folded = this.#foldedFrom(whole);
      if (folded !== undefined) return this.#upper(folded, low, top);
    }
    const form = new OnesForm();
    if (low >= top) return form;
    const parts = top === low + 1 ? partsOf(this.#pool, whole, low) : undefined;
    const carries = parts && this.#carry(this.#pool.extract(whole, 0, low), ...parts);
    if (carries !== undefined) {
      form.addConstant(carries ? 1n : 0n);
      return form;
    }
    // In as few bits as it takes: the same sum is the same term then.
    return this.#asKnown(this.#pool.extract(this.#pool.extract(whole, 0, top), low, top - low));
  }

  /**
   * `s + (s >> 16)` carries into bit 16 exactly where `s`, up to 0x1fffe, did: then its upper part is that of `s`.
   * @returns that `s`
   */
  #foldedFrom(whole: Term): Term | undefined {
    if (whole.operation !== 'sum') return undefined;
    for (const [index, one] of whole.operands.entries()) {
      if (whole.factors[index] !== 1n) continue;
      const sum = this.#pool.subtract(whole, one);
      if (sum.operation !== 'sum' || this.#knowledge.range(sum).max > MOST_FOLDED) continue;
      if (this.#pool.shiftRight(sum, 16) === one) return sum;
    }
    return undefined;
  }
}
