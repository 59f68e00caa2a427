/** The analysis's arithmetic against arithmetic itself: what it says of a result must be true of every result. */
import { describe, expect, it } from 'vitest';
import {
  BPF_ADD,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_LSH,
  BPF_MOD,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} from '../instruction.ts';
import { expected } from '../test-support/arithmetic.ts';
import { computed, converted, moved, narrow } from './abstract-arithmetic.ts';
import { ALL_BITS, isConstant, KIND, scalar, type Value } from './abstract-value.ts';
import { unknownBits } from './unknown-bits.ts';

const OPERATIONS: readonly (readonly [operator: string, operation: number, signed: boolean])[] = [
  ['+=', BPF_ADD, false],
  ['-=', BPF_SUB, false],
  ['*=', BPF_MUL, false],
  ['/=', BPF_DIV, false],
  ['%=', BPF_MOD, false],
  ['s/=', BPF_DIV, true],
  ['s%=', BPF_MOD, true],
  ['|=', BPF_OR, false],
  ['&=', BPF_AND, false],
  ['^=', BPF_XOR, false],
  ['<<=', BPF_LSH, false],
  ['>>=', BPF_RSH, false],
  ['s>>=', BPF_ARSH, false],
];

/** Numbers where widths, signs and carries change; as exact as the bounds of intervals are. */
const CORNERS: readonly bigint[] = [
  ...Array.from({ length: 20 }, (_, index) => BigInt(index - 9)),
  ...[15n, 16n, 31n, 32n, 33n, 63n, 64n, 127n, 128n, 255n, 256n, 8191n, 0x7fffn, 0x8000n, 0xffffn, 0x1_0000n],
  ...[-128n, -129n, -256n, -0x8000n, -0x8001n, -0x1_0000n],
  ...[0x7fff_fffen, 0x7fff_ffffn, 0x8000_0000n, 0x8000_0001n, 0xffff_fffen, 0xffff_ffffn, 0x1_0000_0000n],
  ...[-0x7fff_ffffn, -0x8000_0000n, -0x8000_0001n, -0xffff_ffffn, -0x1_0000_0000n, -0x1_0000_0001n],
  ...[2n ** 40n, 2n ** 52n, 2n ** 53n - 1n, -(2n ** 53n) + 1n, -(2n ** 40n)],
];

/** Numbers beyond what bounds can say, for intervals without an end. */
const BEYOND: readonly bigint[] = [2n ** 53n, 2n ** 62n + 5n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)];

function constant(value: bigint): Value {
  return scalar(Number(value), Number(value));
}

function concrete(operator: string, a: bigint, b: bigint, bits: 32 | 64): bigint {
  const unsigned = (value: bigint): bigint => BigInt.asUintN(bits, value);
  return BigInt.asIntN(64, expected(operator, unsigned(a), unsigned(b), bits));
}

function holds(value: Value, number: bigint): boolean {
  if (value.kind !== KIND.scalar) return false;
  const above = value.min === -Infinity || number >= BigInt(value.min);
  return above && (value.max === Infinity || number <= BigInt(value.max));
}

/** Intervals between corners, and those without a lower or an upper bound. */
const INTERVALS: readonly (readonly [Value, readonly bigint[]])[] = (() => {
  const sorted = [...CORNERS].sort((a, b) => (a < b ? -1 : 1));
  const chosen = sorted.filter((_, index) => index % 5 === 0);
  const made: (readonly [Value, readonly bigint[]])[] = [];
  const members = (low: bigint, high: bigint): bigint[] =>
    [...sorted, ...BEYOND].filter((one) => one >= low && one <= high);
  for (const [index, low] of chosen.entries()) {
    made.push([scalar(Number(low), Infinity), members(low, 2n ** 63n)]);
    made.push([scalar(-Infinity, Number(low)), members(-(2n ** 63n), low)]);
    for (const high of chosen.slice(index)) {
      made.push([scalar(Number(low), Number(high)), members(low, high)]);
    }
  }
  made.push([scalar(-Infinity, Infinity), [...sorted, ...BEYOND]]);
  return made;
})();

describe('arithmetic on constants is arithmetic', () => {
  for (const [operator, operation, signed] of OPERATIONS) {
    for (const bits of [32, 64] as const) {
      it(`${operator} of ${bits} bits`, () => {
        const wrong: string[] = [];
        for (const a of CORNERS) {
          for (const b of CORNERS) {
            const result = computed(operation, constant(a), constant(b), signed, bits);
            const truth = concrete(operator, a, b, bits);
            const exact = Number(truth);
            const isRight = Number.isSafeInteger(exact)
              ? result.min === exact && result.max === exact
              : holds(result, truth);
            if (isRight && result.unknown === 0n) continue;
            wrong.push(`${a} ${operator} ${b}: [${result.min}, ${result.max}], not ${truth}`);
          }
        }
        expect(wrong).toEqual([]);
      });
    }
  }

  it('negation, sign extension, truncation and byte swaps', () => {
    const same = (value: Value, truth: bigint, place: string): void => {
      if (Number.isSafeInteger(Number(truth))) {
        expect(isConstant(value) && BigInt(value.min) === truth, `${place}: ${value.min}`).toBe(true);
      } else expect(holds(value, truth), place).toBe(true);
    };
    for (const one of CORNERS) {
      const value = constant(one);
      same(computed(BPF_NEG, value, scalar(0, 0), false, 64), BigInt.asIntN(64, -one), `-${one}`);
      same(computed(BPF_NEG, value, scalar(0, 0), false, 32), BigInt.asUintN(32, -one), `-w ${one}`);
      same(narrow(value), BigInt.asUintN(32, one), `(u32)${one}`);
      for (const bits of [8, 16, 32])
        same(moved(value, true, bits), BigInt.asIntN(bits, one), `(s${bits})${one}`);
      for (const bits of [8, 16]) {
        same(moved(value, false, bits), BigInt.asUintN(32, BigInt.asIntN(bits, one)), `w (s${bits})${one}`);
      }
      for (const bits of [16, 32, 64]) {
        const low = BigInt.asUintN(bits, one);
        const hex = low.toString(16).padStart(bits / 4, '0');
        const swapped = BigInt(`0x${hex.match(/../g)!.reverse().join('')}`);
        same(converted(value, bits, true), BigInt.asIntN(64, low), `le${bits} ${one}`);
        same(converted(value, bits, false), BigInt.asIntN(64, swapped), `bswap${bits} ${one}`);
      }
    }
  });

  it('keeps 10 & 8191 at 10', () => {
    expect(computed(BPF_AND, scalar(10, 10), scalar(8191, 8191), false, 64)).toEqual(scalar(10, 10));
  });
});

describe('an interval holds whatever can come out of it', () => {
  for (const [operator, operation, signed] of OPERATIONS) {
    for (const bits of [32, 64] as const) {
      it(`${operator} of ${bits} bits`, () => {
        const some = INTERVALS.filter((_, index) => index % 2 === 0);
        for (const [index, [a, left]] of INTERVALS.entries()) {
          for (const [b, right] of some.filter((_, other) => (other + index) % 9 === 0)) {
            const result = computed(operation, a, b, signed, bits);
            for (const x of left) {
              for (const y of right) {
                if (holds(result, concrete(operator, x, y, bits))) continue;
                expect.fail(
                  `[${a.min}, ${a.max}] ${operator} [${b.min}, ${b.max}] is not in [${result.min}, ${result.max}]: ${x} ${operator} ${y}`,
                );
              }
            }
          }
        }
      });
    }
  }

  it('negation, sign extension, truncation and byte swaps', () => {
    for (const [value, members] of INTERVALS) {
      for (const one of members) {
        const check = (result: Value, truth: bigint, what: string): void => {
          if (!holds(result, truth)) expect.fail(`${what} of ${one} in [${value.min}, ${value.max}]`);
        };
        check(computed(BPF_NEG, value, scalar(0, 0), false, 64), BigInt.asIntN(64, -one), 'neg');
        check(computed(BPF_NEG, value, scalar(0, 0), false, 32), BigInt.asUintN(32, -one), 'neg32');
        check(narrow(value), BigInt.asUintN(32, one), 'u32');
        for (const bits of [8, 16, 32]) check(moved(value, true, bits), BigInt.asIntN(bits, one), `s${bits}`);
        for (const bits of [16, 32]) {
          check(converted(value, bits, true), BigInt.asUintN(bits, one), `le${bits}`);
          const hex = BigInt.asUintN(bits, one)
            .toString(16)
            .padStart(bits / 4, '0');
          check(
            converted(value, bits, false),
            BigInt(`0x${hex.match(/../g)!.reverse().join('')}`),
            `be${bits}`,
          );
        }
      }
    }
  });

  it('knows of a reversed number that it is known where the bits that are reversed are', () => {
    for (const bits of [16, 32, 64]) {
      const isKnown = (unknown: bigint): boolean =>
        converted(scalar(-Infinity, Infinity, unknown), bits, false).unknown === 0n;
      for (let bit = 0; bit < 64; bit++) {
        expect({ bits, bit, isKnown: isKnown(1n << BigInt(bit)) }).toEqual({
          bits,
          bit,
          isKnown: bit >= bits,
        });
      }
    }
  });

  it('stays as narrow as programs need it', () => {
    const sum = computed(BPF_ADD, scalar(5, 15), scalar(14, 14), false, 32);
    expect([sum.min, sum.max]).toEqual([19, 29]);
    const difference = computed(BPF_SUB, scalar(20, 30), scalar(4, 7), false, 64);
    expect([difference.min, difference.max]).toEqual([13, 26]);
    const shifted = computed(BPF_LSH, scalar(5, 15), scalar(2, 2), false, 64);
    expect([shifted.min, shifted.max]).toEqual([20, 60]);
    const extended = computed(BPF_ARSH, scalar(-Infinity, Infinity), scalar(32, 32), false, 64);
    expect([extended.min, extended.max]).toEqual([-(2 ** 31), 2 ** 31 - 1]);
    const remainder = computed(BPF_MOD, scalar(-Infinity, Infinity), scalar(7, 7), false, 64);
    expect([remainder.min, remainder.max]).toEqual([0, 6]);
  });
});

/** The verifier's numbers of which some bits are known (kernel/bpf/tnum.c). */
interface Tnum {
  readonly value: bigint;
  readonly mask: bigint;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

const TNUM: Readonly<Record<string, (a: Tnum, b: Tnum) => Tnum>> = {
  '+=': (a, b) => {
    const [sm, sv] = [u64(a.mask + b.mask), u64(a.value + b.value)];
    const mu = (u64(sm + sv) ^ sv) | a.mask | b.mask;
    return { value: sv & ~mu, mask: mu };
  },
  '-=': (a, b) => {
    const dv = u64(a.value - b.value);
    const mu = (u64(dv + a.mask) ^ u64(dv - b.mask)) | a.mask | b.mask;
    return { value: dv & ~mu, mask: mu };
  },
  '&=': (a, b) => {
    const [alpha, beta] = [a.value | a.mask, b.value | b.mask];
    const value = a.value & b.value;
    return { value, mask: alpha & beta & ~value };
  },
  '|=': (a, b) => {
    const value = a.value | b.value;
    return { value, mask: (a.mask | b.mask) & ~value };
  },
  '^=': (a, b) => {
    const mask = a.mask | b.mask;
    return { value: (a.value ^ b.value) & ~mask, mask };
  },
  '<<=': (a, b) => ({ value: u64(a.value << b.value), mask: u64(a.mask << b.value) }),
  '>>=': (a, b) => ({ value: a.value >> b.value, mask: a.mask >> b.value }),
};

describe('of small intervals, the result is as narrow as the numbers allow', () => {
  const LOWS = [0, 1, 2, 3, 7, 8, 15, 60];
  const WIDTHS = [1, 2, 5, 9];
  const COUNTS = [0, 1, 3, 4];

  function range(low: number, high: number): bigint[] {
    return Array.from({ length: high - low + 1 }, (_, index) => BigInt(low + index));
  }

  /** Compares with all results. */
  function compare(
    operator: string,
    operation: number,
    low: number,
    width: number,
    right: Value,
    others: bigint[],
  ): void {
    const left = range(low, low + width);
    for (const bits of [32, 64] as const) {
      const results = left.flatMap((a) => others.map((b) => concrete(operator, a, b, bits)));
      const value = computed(operation, scalar(low, low + width), right, false, bits);
      const [min, max] = [
        results.reduce((a, b) => (a < b ? a : b)),
        results.reduce((a, b) => (a > b ? a : b)),
      ];
      // 32-bit results below 0 wrap around to both ends.
      if (bits === 32 && operator === '-=' && others.some((b) => b > BigInt(low))) continue;
      expect(
        [value.min, value.max],
        `${low} to ${low + width} ${operator} ${others[0]} to ${others.at(-1)}, ${bits} bits`,
      ).toEqual([Number(min), Number(max)]);
    }
  }

  it.each([
    ['+=', BPF_ADD],
    ['-=', BPF_SUB],
    ['*=', BPF_MUL],
  ] as const)('%s, of two', (operator, operation) => {
    for (const low of LOWS)
      for (const width of WIDTHS)
        for (const other of LOWS)
          compare(operator, operation, low, width, scalar(other, other + 3), range(other, other + 3));
  });

  it.each([
    ['+=', BPF_ADD],
    ['-=', BPF_SUB],
    ['*=', BPF_MUL],
    ['<<=', BPF_LSH],
    ['>>=', BPF_RSH],
  ] as const)('%s, by a constant', (operator, operation) => {
    for (const low of LOWS)
      for (const width of WIDTHS)
        for (const by of COUNTS) compare(operator, operation, low, width, constant(BigInt(by)), [BigInt(by)]);
  });

  it('s>>= by a constant that is not 0', () => {
    for (const low of LOWS)
      for (const width of WIDTHS)
        for (const by of [1n, 3n, 4n]) compare('s>>=', BPF_ARSH, low, width, constant(by), [by]);
  });

  it('/= by a constant that is not 0, %= by what is larger', () => {
    for (const low of LOWS)
      for (const width of WIDTHS) {
        for (const by of [1n, 2n, 3n, 16n]) compare('/=', BPF_DIV, low, width, constant(by), [by]);
        compare('%=', BPF_MOD, low, width, constant(100n), [100n]);
      }
  });

  it('-= of numbers below 0, and the negation', () => {
    for (const low of LOWS)
      for (const width of WIDTHS) {
        const negated = computed(BPF_NEG, scalar(low, low + width), constant(0n), false, 64);
        expect([negated.min, negated.max].map(Math.abs)).toEqual([low + width, low]);
        const difference = computed(BPF_SUB, scalar(-low - width, -low), scalar(-9, 4), false, 64);
        expect([difference.min, difference.max]).toEqual([-low - width - 4, 9 - low]);
      }
  });
});

it('calls no bit unknown that the verifier knows', () => {
  let state = 1n;
  const draw = (): bigint => {
    state = u64(state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return (state >> 24n) & 0xffff_ffffn;
  };
  for (let round = 0; round < 3000; round++) {
    const mask = draw() & draw();
    const known = draw() & ~mask;
    const number = scalar(0, 2 ** 32 - 1, mask & draw());
    const other = draw() & 0x7fff_ffffn;
    for (const [operator, operation] of OPERATIONS) {
      const tnum = TNUM[operator];
      if (tnum === undefined) continue;
      const b = operator.includes('<<') || operator.includes('>>') ? other % 64n : other;
      const truth = tnum({ value: known, mask }, { value: b, mask: 0n });
      const claimed = unknownBits(operation, number, constant(b), 64) & ALL_BITS;
      expect(claimed & ~truth.mask, `${known}/${mask} ${operator} ${b}`).toBe(0n);
    }
  }
});
