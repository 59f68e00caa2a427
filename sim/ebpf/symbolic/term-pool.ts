/**
 * Makes terms, equal ones once, in one form as far as that goes without a solver:
 *
 * - what is put together of bits is a `concat` of the largest pieces; masks, shifts by constants, byte swaps and
 *   extensions become such, and what is cut out of one is the piece itself;
 * - sums are multisets of operands with factors: what is added and subtracted again is gone;
 * - comparisons that bits or bounds decide are constants.
 */
import { applyOperation } from './evaluate.ts';
import { allOnes, bitLength, isConst, signed, type Term, type TermOperation } from './term.ts';
import { asItIs, factsOf, sumRange } from './term-facts.ts';

type Draft = {
  readonly operation: TermOperation;
  readonly width: number;
  readonly operands: readonly Term[];
  readonly value?: bigint;
  readonly factors?: readonly bigint[];
  readonly low?: number;
  readonly name?: string;
};

const NONE: readonly bigint[] = [];

/** A mask of more separate runs of ones than these stays a mask. */
const MOST_PIECES = 16;

/** Numbers in a set that a bit of a shifted constant tells. */
const MOST_CHOSEN = 16;

export class TermPool {
  readonly #terms = new Map<string, Term>();
  /** The depth of the deepest term that was asked for since somebody set this to 0. */
  deepest = 0;
  readonly true: Term;
  readonly false: Term;

  constructor() {
    this.true = this.constant(1, 1n);
    this.false = this.constant(1, 0n);
  }

  /** How many terms there are. */
  get size(): number {
    return this.#terms.size;
  }

  constant(width: number, value: bigint | number): Term {
    return this.#make({
      operation: 'const',
      width,
      operands: [],
      value: BigInt.asUintN(width, BigInt(value)),
    });
  }

  /** The unknown of that name; one name has one width. */
  unknown(width: number, name: string): Term {
    return this.#make({ operation: 'var', width, operands: [], name });
  }

  // Sums

  add(a: Term, b: Term): Term {
    return this.sum(a.width, 0n, [
      [a, 1n],
      [b, 1n],
    ]);
  }

  subtract(a: Term, b: Term): Term {
    return this.sum(a.width, 0n, [
      [a, 1n],
      [b, -1n],
    ]);
  }

  addConst(a: Term, value: bigint | number): Term {
    return this.sum(a.width, BigInt(value), [[a, 1n]]);
  }

  negate(a: Term): Term {
    return this.sum(a.width, 0n, [[a, -1n]]);
  }

  /** `value` + Σ factor × term, modulo 2^width. */
  sum(width: number, value: bigint, parts: readonly (readonly [term: Term, factor: bigint])[]): Term {
    let constant = value;
    const factors = new Map<Term, bigint>();
    const addPart = (term: Term, factor: bigint): void => {
      if (term.operation === 'const') constant += factor * term.value;
      else if (term.operation === 'sum') {
        constant += factor * term.value;
        for (const [index, one] of term.operands.entries()) addPart(one, factor * term.factors[index]!);
      } else factors.set(term, (factors.get(term) ?? 0n) + factor);
    };
    for (const [term, factor] of parts) addPart(term, factor);
    constant += this.#joinRemainders(width, factors);
    const rows = [...factors]
      .map(([term, factor]) => [term, BigInt.asUintN(width, factor)] as const)
      .filter(([, factor]) => factor !== 0n)
      .sort(([one], [other]) => one.id - other.id);
    const rest = BigInt.asUintN(width, constant);
    const [first] = rows;
    if (first === undefined) return this.constant(width, rest);
    if (rows.length === 1 && first[1] === 1n && rest === 0n) return first[0];
    return this.#make({
      operation: 'sum',
      width,
      operands: rows.map(([term]) => term),
      factors: rows.map(([, factor]) => factor),
      value: rest,
    });
  }

  /**
   * What is left of a term when its quotient, multiplied again, is taken away is the remainder: compilers write `x % 24` as
   * `x - x / 24 * 24`, and no range follows from that.
   * @param factors of the sum's operands, changed in place
   * @returns what is added to the sum's constant
   */
  #joinRemainders(width: number, factors: Map<Term, bigint>): bigint {
    let constant = 0n;
    for (const [quotient, factor] of [...factors]) {
      const division = beforeCut(quotient);
      if (division.operation !== 'udiv' || !isConst(division.operands[1]!)) continue;
      const [dividend, divisor] = division.operands as [Term, Term];
      const taken = -signed(width, BigInt.asUintN(width, factor));
      const times = divisor.value === 0n ? 0n : taken / divisor.value;
      if (times === 0n || times * divisor.value !== taken || dividend.max > allOnes(width)) continue;
      const whole = asSum(this.#resize(width, dividend));
      const isTakenFrom = whole.operands.every(
        (one, index) =>
          BigInt.asUintN(width, (factors.get(one) ?? 0n) - times * whole.factors[index]!) === 0n,
      );
      if (!isTakenFrom) continue;
      for (const one of [quotient, ...whole.operands]) factors.delete(one);
      const remainder = this.#resize(width, this.divide('urem', dividend, divisor));
      factors.set(remainder, (factors.get(remainder) ?? 0n) + times);
      constant += times * whole.value;
    }
    return -constant;
  }

  /** A term that fits, with more or fewer bits. */
  #resize(width: number, a: Term): Term {
    return width < a.width ? this.extract(a, 0, width) : this.zeroExtend(width, a);
  }

  multiply(a: Term, b: Term): Term {
    if (isConst(a)) return this.#scale(b, a.value);
    if (isConst(b)) return this.#scale(a, b.value);
    return this.#ordered('mul', a, b);
  }

  #scale(a: Term, factor: bigint): Term {
    const shift = bitLength(factor) - 1;
    if (factor !== 0n && factor === 1n << BigInt(shift) && a.operation !== 'sum')
      return this.shiftLeft(a, shift);
    return this.sum(a.width, 0n, [[a, factor]]);
  }

  /** Division and remainder as eBPF has them (RFC 9669 §4.1). */
  divide(operation: 'udiv' | 'urem' | 'sdiv' | 'srem', a: Term, b: Term): Term {
    if (isConst(b) && (operation === 'udiv' || operation === 'urem')) {
      const shift = bitLength(b.value) - 1;
      if (b.value !== 0n && b.value === 1n << BigInt(shift)) {
        return operation === 'udiv'
          ? this.shiftRight(a, shift)
          : this.zeroExtend(a.width, this.extract(a, 0, shift));
      }
      if (b.value !== 0n && a.max < b.value) return operation === 'udiv' ? this.constant(a.width, 0n) : a;
    }
    return this.#folded({ operation, width: a.width, operands: [a, b] });
  }

  // Bits

  and(a: Term, b: Term): Term {
    return this.#bitwise('and', a, b);
  }

  or(a: Term, b: Term): Term {
    return this.#bitwise('or', a, b);
  }

  xor(a: Term, b: Term): Term {
    return this.#bitwise('xor', a, b);
  }

  /** The complement; of a condition, its opposite. */
  not(a: Term): Term {
    return this.xor(a, this.constant(a.width, allOnes(a.width)));
  }

  #bitwise(operation: 'and' | 'or' | 'xor', a: Term, b: Term): Term {
    const { width } = a;
    const all = allOnes(width);
    if (isConst(a) && !isConst(b)) return this.#bitwise(operation, b, a);
    if (a === b) return operation === 'xor' ? this.constant(width, 0n) : a;
    if (operation === 'and') {
      if ((a.maybe & b.maybe) === 0n) return this.constant(width, 0n);
      if ((a.maybe & ~b.ones) === 0n) return a;
      if ((b.maybe & ~a.ones) === 0n) return b;
    } else if (operation === 'or') {
      if (b.maybe === 0n || (b.maybe & ~a.ones) === 0n) return a;
      if (a.maybe === 0n || (a.maybe & ~b.ones) === 0n) return b;
    } else if (b.maybe === 0n) return a;
    else if (a.maybe === 0n) return b;
    if (isConst(a) && isConst(b)) return this.#folded({ operation, width, operands: [a, b] });
    if (isConst(b) && (operation !== 'xor' || b.value !== all)) {
      const cuts = runsOf(b.value, width);
      if (cuts.length > 1 && cuts.length <= MOST_PIECES) return this.#piecewise(operation, a, b, cuts);
    }
    if (a.operation === 'concat' || b.operation === 'concat') {
      const cuts = [...new Set([...cutsOf(a), ...cutsOf(b)])].sort((one, other) => one - other);
      if (cuts.length > 1) return this.#piecewise(operation, a, b, cuts);
    }
    // Twice the same mask, or the complement of a complement.
    if (isConst(b) && a.operation === operation && isConst(a.operands[1]!)) {
      return this.#bitwise(operation, a.operands[0]!, this.#bitwise(operation, a.operands[1]!, b));
    }
    if (width === 1 && operation !== 'xor' && this.#areOpposites(a, b)) {
      return operation === 'and' ? this.false : this.true;
    }
    return isConst(b) ? this.#make({ operation, width, operands: [a, b] }) : this.#ordered(operation, a, b);
  }

  #areOpposites(a: Term, b: Term): boolean {
    return this.not(a) === b;
  }

  /** @param cuts where pieces begin, ascending, 0 first */
  #piecewise(operation: 'and' | 'or' | 'xor', a: Term, b: Term, cuts: readonly number[]): Term {
    const pieces = cuts.map((low, index) => {
      const width = (cuts[index + 1] ?? a.width) - low;
      return this.#bitwise(operation, this.extract(a, low, width), this.extract(b, low, width));
    });
    return this.concat(pieces.reverse());
  }

  /** Bits `low` to `low + width − 1`. Nothing of width 0: its place is taken by nothing in `concat`. */
  extract(a: Term, low: number, width: number): Term {
    if (width === a.width) return a;
    const { operands } = a;
    switch (a.operation) {
      case 'const':
        return this.constant(width, a.value >> BigInt(low));
      case 'extract':
        return this.extract(operands[0]!, a.low + low, width);
      case 'concat': {
        const pieces: Term[] = [];
        let above = a.width;
        for (const one of operands) {
          above -= one.width;
          const from = Math.max(low, above);
          const to = Math.min(low + width, above + one.width);
          if (from < to) pieces.push(this.extract(one, from - above, to - from));
        }
        return this.concat(pieces);
      }
      case 'and':
      case 'or':
      case 'xor':
        if (
          isConst(operands[1]!) ||
          operands[0]!.operation === 'concat' ||
          operands[1]!.operation === 'concat'
        ) {
          const [one, other] = operands.map((each) => this.extract(each, low, width));
          return this.#bitwise(a.operation, one!, other!);
        }
        break;
      case 'sext': {
        const inner = operands[0]!;
        if (low + width <= inner.width) return this.extract(inner, low, width);
        if (low === 0) return this.signExtend(width, inner);
        break;
      }
      case 'ite':
        if (isConst(operands[1]!) || isConst(operands[2]!)) {
          return this.ite(
            operands[0]!,
            this.extract(operands[1]!, low, width),
            this.extract(operands[2]!, low, width),
          );
        }
        break;
      case 'sum':
        // What was shifted up is shifted down again.
        if (low > 0 && isMultiple(a.value, low) && a.factors.every((one) => isMultiple(one, low))) {
          const by = BigInt(low);
          const rest = a.width - low;
          const parts = operands.map(
            (one, index) => [this.extract(one, 0, rest), a.factors[index]! >> by] as const,
          );
          return this.extract(this.sum(rest, a.value >> by, parts), 0, width);
        }
        // A sum that fits is the same in fewer bits.
        if (low === 0) {
          const { least, most } = sumRange(a.width, a.value, a.factors, operands, asItIs);
          const fits =
            least >= 0n &&
            most < 1n << BigInt(width) &&
            operands.every((one) => one.max < 1n << BigInt(width));
          if (fits) {
            const parts = operands.map(
              (one, index) => [this.extract(one, 0, width), a.factors[index]!] as const,
            );
            return this.sum(width, a.value, parts);
          }
        }
        break;
      default:
    }
    if (((a.maybe >> BigInt(low)) & allOnes(width)) === 0n) return this.constant(width, 0n);
    const chosen = width === 1 ? this.#bitChosen(a, low) : undefined;
    if (chosen !== undefined) return chosen;
    // Bits above that are certainly zero are no part of what is cut out.
    const used = bitLength(a.maybe);
    if (used > low && used < low + width) {
      return this.concat([this.constant(low + width - used, 0n), this.extract(a, low, used - low)]);
    }
    return this.#make({ operation: 'extract', width, operands: [a], low });
  }

  /** A bit of a constant that is shifted, as compilers look numbers up in a small set: is it one of these? */
  #bitChosen({ operation, operands }: Term, low: number): Term | undefined {
    const [mask, by] = operands;
    if ((operation !== 'shl' && operation !== 'lshr') || mask === undefined || !isConst(mask))
      return undefined;
    const counts: bigint[] = [];
    for (let bit = 0; bit < mask.width; bit++) {
      const count = operation === 'shl' ? low - bit : bit - low;
      if (count >= 0 && ((mask.value >> BigInt(bit)) & 1n) === 1n) counts.push(BigInt(count));
    }
    if (counts.length > MOST_CHOSEN) return undefined;
    return this.any(counts.map((count) => this.equal(by!, this.constant(by!.width, count))));
  }

  /** @param pieces the most significant first */
  concat(pieces: readonly Term[]): Term {
    const flat: Term[] = [];
    for (const piece of pieces) {
      for (const one of piece.operation === 'concat' ? piece.operands : [piece]) {
        const before = flat.at(-1);
        const joined = before === undefined ? undefined : this.#join(before, one);
        if (joined === undefined) flat.push(one);
        else flat[flat.length - 1] = joined;
      }
    }
    const [only] = flat;
    if (flat.length === 1) return only!;
    let width = 0;
    for (const one of flat) width += one.width;
    return this.#make({ operation: 'concat', width, operands: flat });
  }

  /** Two neighbours as one, where they are that. */
  #join(upper: Term, lower: Term): Term | undefined {
    if (isConst(upper) && isConst(lower)) {
      return this.constant(upper.width + lower.width, (upper.value << BigInt(lower.width)) | lower.value);
    }
    if (upper.operation !== 'extract') return undefined;
    const whole = upper.operands[0]!;
    if (
      lower.operation === 'extract' &&
      lower.operands[0] === whole &&
      lower.low + lower.width === upper.low
    ) {
      return this.extract(whole, lower.low, lower.width + upper.width);
    }
    return undefined;
  }

  zeroExtend(width: number, a: Term): Term {
    return a.width === width ? a : this.concat([this.constant(width - a.width, 0n), a]);
  }

  signExtend(width: number, a: Term): Term {
    if (a.width === width) return a;
    const sign = 1n << BigInt(a.width - 1);
    if ((a.maybe & sign) === 0n) return this.zeroExtend(width, a);
    if (isConst(a)) return this.constant(width, signed(a.width, a.value));
    if (a.operation === 'sext') return this.signExtend(width, a.operands[0]!);
    if (a.operation === 'sum') {
      // A sum that fits is the same in more bits.
      const { least, most } = sumRange(a.width, a.value, a.factors, a.operands, asItIs);
      if (least >= -sign && most < sign) {
        const parts = a.operands.map(
          (one, index) => [this.zeroExtend(width, one), signed(a.width, a.factors[index]!)] as const,
        );
        return this.sum(width, signed(a.width, a.value), parts);
      }
    }
    return this.#make({ operation: 'sext', width, operands: [a] });
  }

  shiftLeft(a: Term, by: number): Term {
    if (by === 0) return a;
    if (by >= a.width) return this.constant(a.width, 0n);
    if (a.operation === 'sum') return this.sum(a.width, 0n, [[a, 1n << BigInt(by)]]);
    return this.concat([this.extract(a, 0, a.width - by), this.constant(by, 0n)]);
  }

  shiftRight(a: Term, by: number): Term {
    if (by === 0) return a;
    if (by >= a.width) return this.constant(a.width, 0n);
    return this.concat([this.constant(by, 0n), this.extract(a, by, a.width - by)]);
  }

  shiftRightSigned(a: Term, by: number): Term {
    return by === 0 ? a : this.signExtend(a.width, this.extract(a, by, a.width - by));
  }

  /**
   * A shift by a term, of which eBPF takes the lower bits only.
   * @param most the largest number that the term may be, as far as is known besides
   */
  shift(operation: 'shl' | 'lshr' | 'ashr', a: Term, by: Term, most: bigint = by.max): Term {
    const masked = most < BigInt(a.width) ? by : this.and(by, this.constant(by.width, a.width - 1));
    if (isConst(masked)) {
      const count = Number(masked.value);
      if (operation === 'shl') return this.shiftLeft(a, count);
      return operation === 'lshr' ? this.shiftRight(a, count) : this.shiftRightSigned(a, count);
    }
    return this.#folded({ operation, width: a.width, operands: [a, masked] });
  }

  /** The bytes in the other order. */
  swapBytes(a: Term): Term {
    const pieces: Term[] = [];
    for (let low = 0; low < a.width; low += 8) pieces.push(this.extract(a, low, 8));
    return this.concat(pieces);
  }

  // Conditions

  ite(condition: Term, then: Term, otherwise: Term): Term {
    if (isConst(condition)) return condition.value === 1n ? then : otherwise;
    if (then === otherwise) return then;
    if (then.width === 1) {
      if (then === this.true && otherwise === this.false) return condition;
      if (then === this.false && otherwise === this.true) return this.not(condition);
    }
    return this.#make({ operation: 'ite', width: then.width, operands: [condition, then, otherwise] });
  }

  equal(a: Term, b: Term): Term {
    if (a === b) return this.true;
    if (a.max < b.min || b.max < a.min) return this.false;
    if ((a.ones & ~b.maybe) !== 0n || (b.ones & ~a.maybe) !== 0n) return this.false;
    if (isConst(a)) return isConst(b) ? this.false : this.equal(b, a);
    const { width } = a;
    if (width === 1 && isConst(b)) return b.value === 1n ? a : this.not(a);
    if (a.operation === 'concat' || b.operation === 'concat') {
      const cuts = [...new Set([...cutsOf(a), ...cutsOf(b)])].sort((one, other) => one - other);
      // Zeros above are compared by themselves; other pieces stay together, unless both sides are cut alike.
      if (isConst(b)) return this.all(this.#piecesEqual(a, b.value));
      if (a.operation === 'concat' && b.operation === 'concat') return this.#equalPieces(a, b, cuts);
      const carries = this.#cutOf(a, b) ?? this.#cutOf(b, a);
      if (carries !== undefined) return this.equal(carries, this.constant(carries.width, 0n));
      const narrow = Math.max(bitLength(a.maybe), bitLength(b.maybe));
      if (narrow < width) return this.equal(this.extract(a, 0, narrow), this.extract(b, 0, narrow));
    }
    const narrow = this.#inFewerBits(a, b);
    if (narrow !== undefined) return this.equal(...narrow);
    if (isConst(b)) {
      if (a.operation === 'sum') {
        if (a.value !== 0n) {
          const parts = a.operands.map((one, index) => [one, a.factors[index]!] as const);
          return this.equal(this.sum(width, 0n, parts), this.constant(width, b.value - a.value));
        }
        if (a.operands.length === 1 && a.factors[0] === allOnes(width)) {
          return this.equal(a.operands[0]!, this.constant(width, -b.value));
        }
      }
      if (a.operation === 'xor' && isConst(a.operands[1]!)) {
        return this.equal(a.operands[0]!, this.xor(a.operands[1]!, b));
      }
      if (a.operation === 'ite') {
        const [condition, then, otherwise] = a.operands;
        if (isConst(then!) || isConst(otherwise!)) {
          return this.ite(condition!, this.equal(then!, b), this.equal(otherwise!, b));
        }
      }
      if (a.operation === 'sext') {
        const inner = a.operands[0]!;
        const small = this.constant(inner.width, b.value);
        return this.signExtend(width, small) === b ? this.equal(inner, small) : this.false;
      }
      return this.#make({ operation: 'eq', width: 1, operands: [a, b] });
    }
    if (a.operation === 'sum' || b.operation === 'sum') {
      const difference = this.subtract(a, b);
      if (isConst(difference)) return difference.value === 0n ? this.true : this.false;
    }
    return this.#ordered('eq', a, b, 1);
  }

  /**
   * A sum that is compared with its own lower bits, as programs ask for a carry.
   * @returns the bits above these; undefined: it is compared with something else
   */
  #cutOf(cut: Term, { operation, width, value, operands, factors }: Term): Term | undefined {
    const [zeros, low] = cut.operands;
    const isCut = cut.operation === 'concat' && cut.operands.length === 2 && zeros!.maybe === 0n;
    if (!isCut || operation !== 'sum') return undefined;
    const parts = operands.map((one, at) => [this.extract(one, 0, low!.width), factors[at]!] as const);
    if (this.sum(low!.width, value, parts) !== low) return undefined;
    const whole = operands.map((one, at) => [one, factors[at]!] as const);
    return this.extract(this.sum(width, value, whole), low!.width, width - low!.width);
  }

  /** Sums that fit in fewer bits are compared in these, whatever they were computed in: the same sum is the same term then. */
  #inFewerBits(a: Term, b: Term): readonly [Term, Term] | undefined {
    const bits = Math.max(1, bitLength(a.maybe), bitLength(b.maybe));
    if (bits === a.width || (a.operation !== 'sum' && b.operation !== 'sum')) return undefined;
    const [x, y] = [this.extract(a, 0, bits), this.extract(b, 0, bits)];
    const isCut = (part: Term, whole: Term): boolean =>
      part.operation === 'extract' && part.operands[0] === whole;
    return isCut(x, a) || isCut(y, b) ? undefined : [x, y];
  }

  /** What has to hold for a concat to be a number: of parts of one term, whatever their order is, once for all of them. */
  #piecesEqual({ operands }: Term, value: bigint): Term[] {
    const conditions: Term[] = [];
    const parts = new Map<Term, Part[]>();
    let rest = value;
    for (const operand of [...operands].reverse()) {
      let piece = operand;
      let wanted = BigInt.asUintN(piece.width, rest);
      rest >>= BigInt(piece.width);
      while (piece.operation === 'xor' && isConst(piece.operands[1]!)) {
        wanted ^= piece.operands[1]!.value;
        piece = piece.operands[0]!;
      }
      const whole = piece.operation === 'extract' ? piece.operands[0]! : piece;
      const part = { low: piece.operation === 'extract' ? piece.low : 0, width: piece.width, wanted };
      parts.set(whole, [...(parts.get(whole) ?? []), part]);
    }
    for (const [whole, all] of parts) {
      for (const { low, width, wanted } of joinedParts(all)) {
        conditions.push(this.equal(this.extract(whole, low, width), this.constant(width, wanted)));
      }
    }
    return conditions;
  }

  #equalPieces(a: Term, b: Term, cuts: readonly number[]): Term {
    let all = this.true;
    for (const [index, low] of cuts.entries()) {
      const width = (cuts[index + 1] ?? a.width) - low;
      all = this.and(all, this.equal(this.extract(a, low, width), this.extract(b, low, width)));
      if (all === this.false) break;
    }
    return all;
  }

  /** Unsigned `a < b`. */
  less(a: Term, b: Term): Term {
    if (a === b || a.min >= b.max) return this.false;
    if (a.max < b.min) return this.true;
    const shared = this.#withoutShared(a, b);
    if (shared !== undefined) return this.less(...shared);
    // Bits that are zero in both do not count.
    const narrow = Math.max(1, bitLength(a.maybe), bitLength(b.maybe));
    if (narrow < a.width) return this.less(this.extract(a, 0, narrow), this.extract(b, 0, narrow));
    if (isConst(b) && b.value === 1n) return this.equal(a, this.constant(a.width, 0n));
    if (isConst(a) && a.value === 0n) return this.not(this.equal(b, a));
    if (isConst(a)) return this.not(this.less(b, this.addConst(a, 1n)));
    if (a.width === 1) return this.and(this.not(a), b);
    return this.#make({ operation: 'ult', width: 1, operands: [a, b] });
  }

  /** What both sides of a comparison have added, taken away: where neither wraps. */
  #withoutShared(a: Term, b: Term): readonly [Term, Term] | undefined {
    if (a.operation !== 'sum' && b.operation !== 'sum') return undefined;
    const { width } = a;
    const one = asSum(a);
    const other = asSum(b);
    if (!staysInside(a, one) || !staysInside(b, other)) return undefined;
    const constant = one.value < other.value ? one.value : other.value;
    const shared: (readonly [Term, bigint])[] = [];
    for (const [index, term] of one.operands.entries()) {
      const at = other.operands.indexOf(term);
      if (at < 0) continue;
      const factors = [signed(width, one.factors[index]!), signed(width, other.factors[at]!)] as const;
      const factor = factors[0] === factors[1] ? factors[0] : 0n;
      if (factor !== 0n) shared.push([term, -factor]);
    }
    if (constant <= 0n && shared.length === 0) return undefined;
    const without = (taken: bigint): readonly [Term, Term] => [
      this.sum(width, taken, [[a, 1n], ...shared]),
      this.sum(width, taken, [[b, 1n], ...shared]),
    ];
    let left = without(constant > 0n ? -constant : 0n);
    // No term is a negative number: what both sides get keeps them from becoming one.
    if (constant < 0n && left.some(isConst)) left = without(-constant);
    // What is left must not wrap either.
    return left.every((one) => staysInside(one, asSum(one))) ? left : undefined;
  }

  /** Signed `a < b`. */
  lessSigned(a: Term, b: Term): Term {
    if (a === b) return this.false;
    const half = 1n << BigInt(a.width - 1);
    const aSign = a.max < half ? 0 : a.min >= half ? 1 : undefined;
    const bSign = b.max < half ? 0 : b.min >= half ? 1 : undefined;
    if (aSign !== undefined && bSign !== undefined) {
      if (aSign !== bSign) return aSign === 1 ? this.true : this.false;
      return this.less(a, b);
    }
    if (isConst(b) && b.value === 0n) return this.extract(a, a.width - 1, 1);
    if (isConst(a) && a.value === allOnes(a.width)) return this.not(this.extract(b, b.width - 1, 1));
    return this.#folded({ operation: 'slt', width: 1, operands: [a, b] });
  }

  all(conditions: readonly Term[]): Term {
    let result = this.true;
    for (const one of conditions) result = this.and(result, one);
    return result;
  }

  any(conditions: readonly Term[]): Term {
    let result = this.false;
    for (const one of conditions) result = this.or(result, one);
    return result;
  }

  /** The same operation on other operands. */
  rebuild(term: Term, operands: readonly Term[]): Term {
    const [a, b, c] = operands;
    switch (term.operation) {
      case 'const':
      case 'var':
        return term;
      case 'sum':
        return this.sum(
          term.width,
          term.value,
          operands.map((one, index) => [one, term.factors[index]!]),
        );
      case 'mul':
        return this.multiply(a!, b!);
      case 'udiv':
      case 'urem':
      case 'sdiv':
      case 'srem':
        return this.divide(term.operation, a!, b!);
      case 'and':
      case 'or':
      case 'xor':
        return this.#bitwise(term.operation, a!, b!);
      case 'shl':
      case 'lshr':
      case 'ashr':
        return this.shift(term.operation, a!, b!);
      case 'concat':
        return this.concat(operands);
      case 'extract':
        return this.extract(a!, term.low, term.width);
      case 'sext':
        return this.signExtend(term.width, a!);
      case 'ite':
        return this.ite(a!, b!, c!);
      case 'eq':
        return this.equal(a!, b!);
      case 'ult':
        return this.less(a!, b!);
      case 'slt':
        return this.lessSigned(a!, b!);
    }
  }

  #ordered(operation: TermOperation, a: Term, b: Term, width: number = a.width): Term {
    return this.#folded({ operation, width, operands: a.id <= b.id ? [a, b] : [b, a] });
  }

  /** Computes at once what is made of constants. */
  #folded(draft: Draft): Term {
    if (!draft.operands.every(isConst)) return this.#make(draft);
    const values = draft.operands.map((one) => one.value);
    const value = applyOperation({ ...(draft as Term), low: 0, factors: NONE }, values, draft.width);
    return this.constant(draft.width, value);
  }

  #make(draft: Draft): Term {
    const { operation, width, operands, value = 0n, factors = NONE, low = 0, name = '' } = draft;
    let key = `${operation} ${width} ${low}`;
    for (const one of operands) key += ` ${one.id}`;
    if (operation === 'const' || operation === 'sum') key += `:${value} ${factors.join(' ')}`;
    else if (operation === 'var') key += name;
    const known = this.#terms.get(key);
    if (known !== undefined) {
      if (known.depth > this.deepest) this.deepest = known.depth;
      return known;
    }
    const parts = { operation, width, operands, value, factors, low };
    const term: Term = {
      id: this.#terms.size,
      ...parts,
      name,
      ...factsOf(parts),
      depth: depthOver(operands),
    };
    this.#terms.set(key, term);
    if (term.depth > this.deepest) this.deepest = term.depth;
    // What can be one number only is that number.
    if (term.min === term.max && operation !== 'const' && operation !== 'var') {
      const only = this.constant(width, term.min);
      this.#terms.set(key, only);
      return only;
    }
    return term;
  }
}

function depthOver(operands: readonly Term[]): number {
  let depth = 0;
  for (const one of operands) if (one.depth > depth) depth = one.depth;
  return depth + 1;
}

/** Bits of a term, and the number that they are to be. */
interface Part {
  readonly low: number;
  readonly width: number;
  readonly wanted: bigint;
}

/** Neighbours as one. */
function joinedParts(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of [...parts].sort((one, other) => one.low - other.low)) {
    const last = joined.at(-1);
    if (last === undefined || last.low + last.width !== part.low) joined.push(part);
    else {
      const wanted = last.wanted | (part.wanted << BigInt(last.width));
      joined[joined.length - 1] = { low: last.low, width: last.width + part.width, wanted };
    }
  }
  return joined;
}

type Sum = Pick<Term, 'value' | 'operands' | 'factors'>;

function asSum(term: Term): Sum {
  if (term.operation === 'sum') return { ...term, value: signed(term.width, term.value) };
  if (term.operation === 'const') return { value: term.value, operands: [], factors: NONE };
  return { value: 0n, operands: [term], factors: [1n] };
}

/** Is the sum, as integers with signed factors, never cut to its width? */
function staysInside(term: Term, sum: Sum): boolean {
  if (term.operation === 'const') return true;
  const { least, most } = sumRange(
    term.width,
    BigInt.asUintN(term.width, sum.value),
    sum.factors,
    sum.operands,
    asItIs,
  );
  return least >= 0n && most <= allOnes(term.width);
}

/** Are the lowest bits zero? */
/** What a term was before zeros were put above it, or taken off. */
function beforeCut(term: Term): Term {
  const { operation, operands } = term;
  if (operation === 'concat' && operands.length === 2 && isConst(operands[0]!) && operands[0]!.value === 0n)
    return beforeCut(operands[1]!);
  const isWhole = operation === 'extract' && term.low === 0 && operands[0]!.max <= allOnes(term.width);
  return isWhole ? beforeCut(operands[0]!) : term;
}

function isMultiple(value: bigint, bits: number): boolean {
  return (value & allOnes(bits)) === 0n;
}

/** Where the pieces of a concat begin, the lowest first; other terms are one piece. */
function cutsOf(term: Term): number[] {
  if (term.operation !== 'concat') return [0];
  const cuts: number[] = [];
  let low = 0;
  for (const one of [...term.operands].reverse()) {
    cuts.push(low);
    low += one.width;
  }
  return cuts;
}

/** Where runs of equal bits begin. */
function runsOf(value: bigint, width: number): number[] {
  const cuts = [0];
  for (let bit = 1; bit < width; bit++) {
    if (((value >> BigInt(bit)) & 1n) !== ((value >> BigInt(bit - 1)) & 1n)) cuts.push(bit);
  }
  return cuts;
}
