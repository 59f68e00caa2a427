/** What the solver finds, against trying all values of a byte; and which values it tries first. */
import { describe, expect, it } from 'vitest';
import { binary, bytes, cut, evaluate, input, type Operand, swap } from './expression.ts';
import { type Comparison, type FlowBranch, holds } from './flow-trace.ts';
import type { InputField } from './inputs.ts';
import { invert } from './invert.ts';
import { solveBranch } from './solve.ts';

const FIELDS: readonly InputField[] = [0, 1].map((offset) => ({ kind: 'packet', packet: 0, offset }));
const [BYTE, OTHER] = [input(FIELDS[0]!, 0x12n), input(FIELDS[1]!, 0x34n)];
const ALL = Array.from({ length: 256 }, (_, value) => BigInt(value));

/** Steps that lose nothing of what they are given, as far as a byte goes. */
const LOSSLESS: readonly ((one: Operand) => Operand)[] = [
  (one) => binary('add', 64, one, 0x1ffn),
  (one) => binary('add', 32, 0xffff_fff0n, one),
  (one) => binary('sub', 64, one, 0x20n),
  (one) => binary('sub', 64, 0x20n, one),
  (one) => binary('xor', 64, one, 0x5a5an),
  (one) => binary('mul', 64, one, 0x1_0001n),
  (one) => binary('shl', 64, one, 3n),
  (one) => cut(one, 8),
  (one) => swap(16, one),
];

/** These lose bits: what is undone behind them keeps the bits that it had. */
const STEPS: readonly ((one: Operand) => Operand)[] = [
  ...LOSSLESS,
  (one) => binary('and', 64, one, 0xf0n),
  (one) => binary('or', 64, one, 0x81n),
  (one) => binary('shr', 64, one, 2n),
];

function branch(one: Partial<FlowBranch>): FlowBranch {
  return { program: 0, slot: 0, packet: 0, taken: false, comparison: 'eq', bits: 64, a: BYTE, b: 0n, ...one };
}

describe('undoing one or two steps', () => {
  it('finds a byte for each value that some byte leads to, and none for others', () => {
    const lost: string[] = [];
    for (const [i, first] of STEPS.entries()) {
      for (const [j, second] of [undefined, ...LOSSLESS].entries()) {
        const whole = second === undefined ? first(BYTE) : second(first(BYTE));
        const results = new Set(ALL.map((value) => evaluate(whole, new Map([[FIELDS[0]!, value]]))));
        for (const target of results) {
          const found = invert(whole, target);
          for (const one of found) expect(evaluate(whole, one)).toBe(target);
          if (found.length === 0) lost.push(`${i} ${j} 0x${target.toString(16)}`);
        }
        for (const target of [0n, 1n, 0xffn, 0x1234n, 0xffff_ffff_ffff_ffffn])
          if (!results.has(target)) expect(invert(whole, target)).toEqual([]);
      }
    }
    expect(lost).toEqual([]);
  });
});

describe('the other way of a comparison', () => {
  const COMPARISONS = [
    ...(['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const),
    ...(['sgt', 'sge', 'slt', 'sle', 'set'] as const),
  ];

  it('is found where some byte leads there, and is none otherwise', () => {
    for (const comparison of COMPARISONS) {
      for (const bits of [32, 64] as const) {
        for (const a of [BYTE, cut(BYTE, 8, bits), binary('mul', 64, BYTE, BYTE)]) {
          for (const b of [0n, 1n, 0x12n, 0x90n, 0xffn, 0x100n, 0xffff_ff80n, 0xffff_ffff_ffff_fff0n]) {
            const now = holds(comparison, bits, evaluate(a, new Map()), b);
            const where = `${comparison} of ${bits} bits with ${b}`;
            const solutions = solveBranch(branch({ comparison, bits, a, b, taken: now }), [], () => true);
            for (const one of solutions)
              expect(holds(comparison, bits, evaluate(a, one), b), where).toBe(!now);
            const can = ALL.some(
              (value) => holds(comparison, bits, evaluate(a, new Map([[FIELDS[0]!, value]])), b) !== now,
            );
            expect(solutions.length > 0, where).toBe(can);
          }
        }
      }
    }
  });

  /** 0x3412 in the run. */
  const WORD = bytes([BYTE, OTHER]);

  it.each<[Comparison, bigint, bigint[]]>([
    ['eq', 0x1000n, [0x1000n]],
    ['ne', 0x3412n, [0x3413n, 0x3411n, 0n, 0xffn]],
    ['gt', 0x5000n, [0x5001n, 0x5010n, 0xa000n]],
    ['ge', 0x5000n, [0x5000n, 0x5001n, 0x5010n, 0xa000n]],
    ['lt', 0x1000n, [0x0fffn, 0x0800n, 0n]],
    ['le', 0x1000n, [0x1000n, 0x0fffn, 0n]],
    ['sgt', 0x5000n, [0x5001n]],
    ['sge', 0x5000n, [0x5000n, 0x5001n]],
    ['slt', 0x1000n, [0x0fffn]],
    ['sle', 0x1000n, [0x1000n, 0x0fffn]],
    ['set', 0x0009n, [0x3413n, 0x341bn, 0x0009n]],
  ])('tries what lies about the border first: %s', (comparison, b, expected) => {
    const solutions = solveBranch(branch({ comparison, a: WORD, b }), [], () => true);
    expect(solutions.map((one) => evaluate(WORD, one))).toEqual(expected);
  });
});
