/** What comparisons are said to leave must hold every number for which they come true. */
import { describe, expect, it } from 'vitest';
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
import { type Interval, maskable, satisfying } from './relation.ts';

type Compare = (a: bigint, b: bigint) => boolean;

const RELATIONS: readonly (readonly [name: string, relation: number, signed: boolean, compare: Compare])[] = [
  ['==', BPF_JEQ, false, (a, b) => a === b],
  ['!=', BPF_JNE, false, (a, b) => a !== b],
  ['>', BPF_JGT, false, (a, b) => a > b],
  ['>=', BPF_JGE, false, (a, b) => a >= b],
  ['<', BPF_JLT, false, (a, b) => a < b],
  ['<=', BPF_JLE, false, (a, b) => a <= b],
  ['s>', BPF_JSGT, true, (a, b) => a > b],
  ['s>=', BPF_JSGE, true, (a, b) => a >= b],
  ['s<', BPF_JSLT, true, (a, b) => a < b],
  ['s<=', BPF_JSLE, true, (a, b) => a <= b],
];

const NUMBERS: readonly number[] = [
  ...[-(2 ** 40), -(2 ** 32) - 1, -(2 ** 32), -(2 ** 31) - 1, -(2 ** 31), -5, -2, -1],
  ...[0, 1, 2, 5, 7, 255, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 33 + 7, 2 ** 40],
];
const BEYOND: readonly bigint[] = [2n ** 60n, -(2n ** 60n)];

const INTERVALS: readonly (readonly [Interval, readonly bigint[]])[] = (() => {
  const made: (readonly [Interval, readonly bigint[]])[] = [];
  const members = (min: number, max: number): bigint[] => [
    ...NUMBERS.filter((one) => one >= min && one <= max).map(BigInt),
    ...BEYOND.filter((one) => one >= min && one <= max),
  ];
  for (const [index, min] of NUMBERS.entries()) {
    for (const max of NUMBERS.slice(index)) made.push([{ min, max }, members(min, max)]);
    if (index % 4 === 0) made.push([{ min, max: Infinity }, members(min, Infinity)]);
    if (index % 4 === 1) made.push([{ min: -Infinity, max: min }, members(-Infinity, min)]);
  }
  return made;
})();

const view = (wide: boolean, signed: boolean): ((one: bigint) => bigint) => {
  const bits = wide ? 64 : 32;
  return signed ? (one) => BigInt.asIntN(bits, one) : (one) => BigInt.asUintN(bits, one);
};

const within = (one: bigint, { min, max }: Interval): boolean =>
  (min === -Infinity || one >= BigInt(min)) && (max === Infinity || one <= BigInt(max));

describe('what a comparison leaves', () => {
  for (const [name, relation, signed, compare] of RELATIONS) {
    for (const wide of [true, false]) {
      it(`${name} of ${wide ? 64 : 32} bits holds every number for which it is true`, () => {
        const seen = view(wide, signed);
        for (const [a, left] of INTERVALS) {
          for (const [b, right] of INTERVALS) {
            const held = satisfying(relation, a, b, wide);
            for (const x of left) {
              if (held !== undefined && within(x, held)) continue;
              const y = right.find((one) => compare(seen(x), seen(one)));
              if (y !== undefined)
                expect.fail(`${x} of [${a.min}, ${a.max}] ${name} ${y} of [${b.min}, ${b.max}]`);
            }
          }
        }
      });
    }
  }

  it('is nothing where it cannot be true', () => {
    const range = (min: number, max: number): Interval => ({ min, max });
    expect(satisfying(BPF_JGE, range(0, 4), range(5, 5), true)).toBeUndefined();
    expect(satisfying(BPF_JNE, range(3, 3), range(3, 3), false)).toBeUndefined();
    expect(satisfying(BPF_JSLT, range(0, 255), range(0, 0), false)).toBeUndefined();
    // 2^32 − 1 is −1 to a signed comparison of 32 bits.
    expect(satisfying(BPF_JSGE, range(2 ** 32 - 1, 2 ** 32 - 1), range(0, 0), false)).toBeUndefined();
    expect(satisfying(BPF_JSLT, range(0, 2 ** 32 - 1), range(0, 0), false)).toEqual(
      range(2 ** 31, 2 ** 32 - 1),
    );
    expect(satisfying(BPF_JGT, range(-Infinity, Infinity), range(9, 9), true)).toEqual(
      range(-Infinity, Infinity),
    );
    expect(satisfying(BPF_JLE, range(-Infinity, Infinity), range(9, 9), true)).toEqual(range(0, 9));
  });
});

describe('a test of bits', () => {
  it('is never called impossible where it is possible', () => {
    for (const wide of [true, false]) {
      const seen = view(wide, false);
      for (const [a, left] of INTERVALS) {
        for (const [b, right] of INTERVALS) {
          for (const some of [true, false]) {
            if (maskable(a, b, some, wide)) continue;
            const found = left.some((x) => right.some((y) => ((seen(x) & seen(y)) !== 0n) === some));
            expect(found, `[${a.min}, ${a.max}] & [${b.min}, ${b.max}]`).toBe(false);
          }
        }
      }
    }
  });

  it('cannot find a bit that no number has', () => {
    expect(maskable({ min: 0, max: 255 }, { min: 256, max: 256 }, true, true)).toBe(false);
    expect(maskable({ min: 6, max: 6 }, { min: 2, max: 2 }, false, false)).toBe(false);
  });
});
