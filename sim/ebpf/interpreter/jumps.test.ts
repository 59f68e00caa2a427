import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { onOperands, runText } from '../test-support/run-text.ts';

const U64 = (1n << 64n) - 1n;

function holds(operator: string, a: bigint, b: bigint, bits: number): boolean {
  const sa = BigInt.asIntN(bits, a);
  const sb = BigInt.asIntN(bits, b);
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '&':
      return (a & b) !== 0n;
    case 's>':
      return sa > sb;
    case 's>=':
      return sa >= sb;
    case 's<':
      return sa < sb;
    default:
      return sa <= sb;
  }
}

const OPERATORS = ['==', '!=', '>', '>=', '<', '<=', '&', 's>', 's>=', 's<', 's<='];
const corner = fc.constantFrom(0n, 1n, U64, 1n << 63n, (1n << 63n) - 1n, 0xffff_ffffn, 1n << 31n, 1n << 32n);
// Pairs that share a half, so that both halves decide now and then.
const pair = fc
  .tuple(
    fc.oneof(corner, fc.bigInt({ min: 0n, max: U64 })),
    fc.oneof(corner, fc.bigInt({ min: 0n, max: U64 })),
    fc.nat(3),
  )
  .map(([a, b, how]): [bigint, bigint] =>
    how === 0
      ? [a, a]
      : how === 1
        ? [a, (a & ~0xffff_ffffn) | (b & 0xffff_ffffn)]
        : how === 2
          ? [a, (a & 0xffff_ffffn) | (b & ~0xffff_ffffn)]
          : [a, b],
  );

const decide = (condition: string): ReturnType<typeof onOperands> =>
  onOperands(`
  r1 = r0
  r0 = 1
  if ${condition} goto yes
  r0 = 0
yes:`);

describe('conditional jumps', () => {
  for (const operator of OPERATORS) {
    it(`if r1 ${operator} r2, over 64 bits`, () => {
      const run = decide(`r1 ${operator} r2`);
      fc.assert(
        fc.property(pair, ([a, b]) => {
          const taken = run(a, b).r0 === 1n;
          expect(taken).toBe(holds(operator, a, b, 64));
        }),
        { numRuns: 200 },
      );
    });

    it(`if w1 ${operator} w2, over the lower 32 bits`, () => {
      const run = decide(`w1 ${operator} w2`);
      fc.assert(
        fc.property(pair, ([a, b]) => {
          const taken = run(a, b).r0 === 1n;
          expect(taken).toBe(holds(operator, BigInt.asUintN(32, a), BigInt.asUintN(32, b), 32));
        }),
        { numRuns: 200 },
      );
    });

    it(`if r1 ${operator} an immediate, its sign extended`, () => {
      fc.assert(
        fc.property(fc.array(pair, { minLength: 10, maxLength: 10 }), fc.integer(), (pairs, imm) => {
          const run = decide(`r1 ${operator} ${imm}`);
          for (const [a] of pairs) {
            expect(run(a).r0 === 1n).toBe(holds(operator, a, BigInt.asUintN(64, BigInt(imm)), 64));
          }
        }),
        { numRuns: 20 },
      );
    });
  }
});

describe('unconditional jumps', () => {
  it('goto and the long gotol skip what is between', () => {
    expect(runText('r0 = 1\ngoto end\nr0 = 2\nend:\nexit').r0).toBe(1n);
    expect(runText('r0 = 1\ngotol end\nr0 = 2\nend:\nexit').r0).toBe(1n);
  });

  it('loops', () => {
    expect(runText('r0 = 0\nr1 = 10\nagain:\nr0 += r1\nr1 += -1\nif r1 != 0 goto again\nexit').r0).toBe(55n);
  });

  it('stops a program that loops for ever, by its budget', () => {
    const { violation } = runText('r0 = 0\nagain:\nr0 += 1\ngoto again\nexit', { budget: 1000 });
    expect(violation?.reason).toMatch('more than 1000 instructions');
  });

  it('may_goto falls through while rounds are left', () => {
    expect(runText('r0 = 0\nagain:\nmay_goto end\nr0 += 1\nif r0 < 9 goto again\nend:\nexit').r0).toBe(9n);
  });
});
