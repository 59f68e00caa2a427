import { describe, expect, it } from 'vitest';
import { randomNumbers, TwinMaker, WIDTHS } from '../test-support/random-terms.ts';
import { applyOperation, Evaluator } from './evaluate.ts';
import { type Term, termText } from './term.ts';
import { TermPool } from './term-pool.ts';

/** `XDPSIM_TERMS` goes further than a suite should. */
const TERMS = Number(process.env.XDPSIM_TERMS ?? 4_000);

describe('simplification', () => {
  it('changes no value: random terms, and what is known of their bits and bounds', {
    timeout: 600_000 + TERMS * 20,
  }, () => {
    const random = randomNumbers(7);
    for (let round = 0; round < TERMS; round++) {
      const maker = new TwinMaker(random);
      const { term, value } = maker.make(WIDTHS[random(WIDTHS.length)]!, 1 + random(5));
      for (let sample = 0; sample < 6; sample++) {
        const assignment = new Map(
          maker.unknowns.map((one) => [one, maker.constant(one.width).value(() => 0n)]),
        );
        const expected = value((one) => assignment.get(one)!);
        const text = (): string => `round ${round}: ${termText(term)}`;
        expect(new Evaluator(assignment).value(term), text()).toBe(expected);
        expect(term.min <= expected && expected <= term.max, text()).toBe(true);
        expect((expected & ~term.maybe) | (term.ones & ~expected), text()).toBe(0n);
      }
    }
  });

  it('computes constants as it evaluates terms', () => {
    const pool = new TermPool();
    const [a, b] = [pool.unknown(16, 'a'), pool.unknown(16, 'b')];
    const term = pool.divide('sdiv', a, b);
    expect(applyOperation(term, [0xfff9n, 2n])).toBe(0xfffdn);
    expect(pool.divide('sdiv', pool.constant(16, -7), pool.constant(16, 2)).value).toBe(0xfffdn);
  });
});

describe('the form of terms', () => {
  const pool = new TermPool();
  const bytes = Array.from({ length: 4 }, (_, index) => pool.unknown(8, `b${index}`));
  const word = pool.concat([...bytes].reverse());

  it('sees through byte swaps, masks and shifts', () => {
    expect(pool.swapBytes(pool.swapBytes(word))).toBe(word);
    expect(pool.and(word, pool.constant(32, 0xff00))).toBe(
      pool.concat([pool.constant(16, 0), bytes[1]!, pool.constant(8, 0)]),
    );
    const low = pool.zeroExtend(32, bytes[0]!);
    const high = pool.shiftLeft(pool.zeroExtend(32, bytes[1]!), 8);
    expect(pool.or(high, low)).toBe(pool.zeroExtend(32, pool.concat([bytes[1]!, bytes[0]!])));
    const eight = pool.unknown(64, 'eight');
    const parts = Array.from({ length: 8 }, (_, index) => pool.extract(eight, index * 8, 8));
    expect(pool.concat(parts.reverse())).toBe(eight);
  });

  /** `(s & mask) + (s >> bits)`. */
  const half = (sum: Term, bits = 16): Term =>
    pool.add(
      pool.zeroExtend(sum.width, pool.extract(sum, 0, bits)),
      pool.zeroExtend(sum.width, pool.extract(sum, bits, sum.width - bits)),
    );

  it('knows that a sum of 32 bits has 16 after it is folded twice', () => {
    const anything = pool.unknown(32, 'sum');
    expect(half(anything).max).toBe(0x1fffen);
    const folded = half(half(anything));
    expect(folded.max).toBe(0xffffn);
    // Whoever folds on gets what is there.
    expect(pool.extract(half(folded), 0, 16)).toBe(pool.extract(folded, 0, 16));
    expect(half(half(folded))).toBe(half(folded));
    // Of 64 bits twice is not enough, four times is.
    const large = pool.unknown(64, 'large');
    expect(half(half(large)).max).toBeGreaterThan(0xffffn);
    expect(half(half(half(half(large)))).max).toBe(0xffffn);
    expect(half(half(large, 32), 32).max).toBe(0xffff_ffffn);
    // Once is not enough for three words, and is for two.
    const words = ['u', 'v', 'w'].map((name) => pool.zeroExtend(32, pool.unknown(16, name)));
    const two = pool.add(words[0]!, words[1]!);
    expect(half(two).max).toBe(0xffffn);
    expect(half(pool.add(two, words[2]!)).max).toBe(0x10000n);
    // Parts of different numbers, or of other places, are no halves.
    const other = pool.unknown(32, 'another sum');
    const low = pool.zeroExtend(32, pool.extract(anything, 0, 16));
    expect(pool.add(low, pool.shiftRight(other, 16)).max).toBe(0x1fffen);
    expect(pool.add(low, pool.shiftRight(anything, 15)).max).toBe(0x2fffen);
    expect(pool.subtract(low, pool.shiftRight(anything, 16)).max).toBe(0xffff_ffffn);
  });

  it('compares a sum that fits in fewer bits as the sum of fewer bits', () => {
    const a = pool.unknown(16, 'u');
    const whole = pool.unknown(17, 'whole');
    const sum = (width: number): Term =>
      pool.add(
        pool.zeroExtend(width, pool.extract(whole, 0, 16)),
        pool.zeroExtend(width, pool.extract(whole, 16, 1)),
      );
    const is = (width: number, value: number): Term => pool.equal(sum(width), pool.constant(width, value));
    expect(is(64, 0xffff)).toBe(is(32, 0xffff));
    expect(pool.equal(sum(32), pool.zeroExtend(32, a))).toBe(pool.equal(sum(64), pool.zeroExtend(64, a)));
    // One that goes round is another one in fewer bits.
    const round = pool.addConst(pool.unknown(32, 'sum'), 5);
    const low = pool.extract(round, 0, 16);
    expect(pool.equal(round, pool.constant(32, 7))).not.toBe(pool.equal(low, pool.constant(16, 7)));
  });

  it('asks for the bits above, where a sum is compared with its own lower bits', () => {
    const [a, b] = [pool.unknown(32, 'carry.a'), pool.unknown(32, 'carry.b')];
    const whole = pool.add(pool.zeroExtend(64, a), pool.zeroExtend(64, b));
    const carry = pool.extract(whole, 32, 1);
    for (const cut of [pool.add(a, b), pool.extract(whole, 0, 32)]) {
      const isCut = pool.equal(pool.zeroExtend(64, cut), whole);
      for (const [one, other] of [
        [5n, 7n],
        [0xffff_ffffn, 1n],
        [0xffff_ffffn, 0xffff_ffffn],
      ] as const) {
        const values = new Evaluator(
          new Map([
            [a, one],
            [b, other],
          ]),
        );
        expect(values.isTrue(isCut)).toBe(one + other <= 0xffff_ffffn);
      }
    }
    expect(pool.equal(pool.zeroExtend(64, pool.add(a, b)), whole)).toBe(pool.not(carry));
  });

  it('knows the remainder that compilers write as a difference', () => {
    const c = (width: number, value: number): Term => pool.constant(width, value);
    const quotient = pool.divide('udiv', word, c(32, 24));
    const remainder = pool.divide('urem', word, c(32, 24));
    expect(pool.subtract(word, pool.multiply(quotient, c(32, 24)))).toBe(remainder);
    // In more bits than it was divided in, of a sum, and with something added.
    const wide = pool.zeroExtend(64, word);
    const product = pool.multiply(pool.zeroExtend(64, quotient), c(64, 24));
    expect(pool.subtract(wide, product)).toBe(pool.zeroExtend(64, remainder));
    const next = pool.addConst(word, 7);
    const taken = pool.multiply(pool.divide('udiv', next, c(32, 3)), c(32, 3));
    expect(pool.addConst(pool.subtract(next, taken), 5)).toBe(
      pool.addConst(pool.divide('urem', next, c(32, 3)), 5),
    );
    // Divided in more bits than the product is made in.
    const narrow = pool.extract(pool.divide('udiv', wide, c(64, 24)), 0, 32);
    expect(pool.subtract(word, pool.multiply(narrow, c(32, 24))).max).toBe(23n);
    // Another factor, or another term, leaves a difference.
    expect(pool.subtract(word, pool.multiply(quotient, c(32, 23))).operation).toBe('sum');
    expect(pool.subtract(pool.unknown(32, 'y'), pool.multiply(quotient, c(32, 24))).operation).toBe('sum');
  });

  it('changes no value with remainders: random sums, factors and divisors', () => {
    const random = randomNumbers(11);
    let remainders = 0;
    for (let round = 0; round < 2_000; round++) {
      const width = [8, 16, 32][random(3)]!;
      const unknowns = [pool.unknown(width, `x${width}`), pool.unknown(width, `y${width}`)];
      const cut = (value: bigint): bigint => BigInt.asUintN(width, value);
      const [divisor, added, times, factor] = [1 + random(40), random(3) * 50, random(4), random(4)];
      const other = random(4) === 0 ? 1 : 0;
      const numbers = unknowns.map(() => cut(BigInt(random(0x10000)) * 0x10001n + BigInt(random(9))));
      const whole = pool.addConst(pool.add(unknowns[0]!, unknowns[1]!), added);
      const quotient = pool.divide('udiv', whole, pool.constant(width, divisor));
      const product = pool.multiply(quotient, pool.constant(width, -divisor * times + other));
      const term = pool.add(pool.multiply(whole, pool.constant(width, factor)), product);
      const number = cut(numbers[0]! + numbers[1]! + BigInt(added));
      const divided = number / BigInt(divisor);
      const expected = cut(number * BigInt(factor) + divided * BigInt(-divisor * times + other));
      const assignment = new Map(unknowns.map((one, index) => [one, numbers[index]!]));
      expect(new Evaluator(assignment).value(term), termText(term)).toBe(expected);
      if (termText(term).includes('urem')) remainders++;
    }
    expect(remainders).toBeGreaterThan(100);
  });

  it('compares the parts of a word with a number as the word, in whatever order they stand', () => {
    const pool = new TermPool();
    const word = pool.extract(pool.unknown(32, 'sum'), 0, 16);
    const zero = pool.constant(16, 0);
    expect(pool.equal(pool.swapBytes(word), zero)).toBe(pool.equal(word, zero));
    const swapped = pool.equal(pool.swapBytes(pool.not(word)), pool.constant(16, 0x1234));
    expect(swapped).toBe(pool.equal(word, pool.constant(16, 0xcbed)));
  });

  it('takes a shift up and down again for the lower part', () => {
    const pool = new TermPool();
    const length = pool.unknown(16, 'length');
    const less = pool.addConst(pool.zeroExtend(64, length), -20);
    const cut = pool.shiftRight(pool.shiftLeft(less, 32), 32);
    expect(cut).toBe(pool.zeroExtend(64, pool.addConst(pool.zeroExtend(32, length), -20)));
  });

  it('cancels what is added and subtracted again', () => {
    const [a, b] = [pool.unknown(64, 'a'), pool.unknown(64, 'b')];
    const moved = pool.add(pool.addConst(a, 14), b);
    expect(pool.subtract(moved, pool.add(b, a))).toBe(pool.constant(64, 14));
    expect(pool.subtract(moved, moved)).toBe(pool.constant(64, 0));
  });

  it('compares pointers by their distance', () => {
    const length = pool.zeroExtend(64, pool.unknown(8, 'length'));
    const end = pool.addConst(length, 0x20100);
    const past = pool.constant(64, 0x2010e);
    expect(pool.less(end, past)).toBe(pool.less(pool.extract(length, 0, 8), pool.constant(8, 14)));
    expect(pool.less(end, pool.constant(64, 0x20100))).toBe(pool.false);
    // Without what both have in common, one of them is -1, which is no number below 0.
    const odd = pool.concat([pool.unknown(63, 'above'), pool.constant(1, 1)]);
    expect(pool.less(odd, pool.addConst(odd, -1))).toBe(pool.false);
    expect(pool.less(pool.addConst(odd, -1), odd)).toBe(pool.true);
  });

  it('reads a bit of a shifted constant as the numbers that it stands for', () => {
    const by = pool.zeroExtend(64, pool.unknown(8, 'by'));
    const low = pool.extract(pool.unknown(8, 'by'), 0, 6);
    const is = (value: number): Term => pool.equal(low, pool.constant(6, value));
    const one = pool.constant(64, 1);
    expect(pool.extract(pool.shift('shl', one, by), 43, 1)).toBe(is(43));
    const set = pool.constant(64, (1n << 60n) | (1n << 5n));
    expect(pool.extract(pool.shift('lshr', set, by), 0, 1)).toBe(pool.any([is(5), is(60)]));
    expect(pool.extract(pool.shift('lshr', set, by), 4, 1)).toBe(pool.any([is(1), is(56)]));
    // A set of many numbers is left as it is, and so is what is no constant.
    expect(pool.extract(pool.shift('lshr', pool.constant(64, -1), by), 0, 1).operation).toBe('extract');
    expect(pool.extract(pool.shift('lshr', pool.unknown(64, 'a'), by), 0, 1).operation).toBe('extract');
    // Where it is known to be no larger, nothing is masked.
    expect(pool.shift('shl', one, by, 60n).operands[1]).toBe(by);
    expect(pool.shift('shl', one, by, 64n).operands[1]).not.toBe(by);
  });

  it('decides what bits and bounds decide', () => {
    const nibble = pool.zeroExtend(64, pool.extract(bytes[0]!, 0, 4));
    expect(pool.less(nibble, pool.constant(64, 16))).toBe(pool.true);
    expect(pool.equal(pool.shiftLeft(nibble, 2), pool.constant(64, 3))).toBe(pool.false);
    expect(pool.lessSigned(nibble, pool.constant(64, -1))).toBe(pool.false);
  });
});
