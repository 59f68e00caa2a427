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
      case 'sum': {
        const rangeOf = (one: Term): Range => this.#knowledge.range(one);
        const { least, most } = sumRange(width, term.value, term.factors, operands, rangeOf);
        const round = least >> BigInt(width);
        // As an integer only where it is certain how often it went round.
        if (round !== most >> BigInt(width)) break;
        form.addConstant(BigInt.asIntN(width, term.value) - (round << BigInt(width)));
        for (const [index, one] of operands.entries()) {
          form.add(this.of(one), BigInt.asIntN(width, term.factors[index]!));
        }
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

  /** Bits `low` to `top − 1` of a term. */
  #upper(whole: Term, low: number, top: number): OnesForm {
    if (low === 0) return this.of(whole);
    if (low === 16) {
      const folded = this.#foldedFrom(whole);
      if (folded !== undefined) return this.#upper(folded, low, top);
    }
    const form = new OnesForm();
    if (low >= top) return form;
    const part = this.#pool.extract(whole, low, top - low);
    const only = this.#knowledge.only(part);
    if (only !== undefined) form.addConstant(only);
    else form.addTerm(part, 1n);
    return form;
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
