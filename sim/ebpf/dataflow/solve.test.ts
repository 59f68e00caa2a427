import { describe, expect, it } from 'vitest';
import { binary, bytes, checksum, cut, evaluate, input, type Operand, swap } from './expression.ts';
import type { FlowBranch } from './flow-trace.ts';
import type { InputField } from './inputs.ts';
import { invert } from './invert.ts';
import { solveBranch } from './solve.ts';

const fields: readonly InputField[] = Array.from({ length: 8 }, (_, offset) => ({
  kind: 'packet',
  packet: 0,
  offset,
}));
const values = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0];
const loaded = (from: number, size: number): Operand =>
  bytes(fields.slice(from, from + size).map((field, index) => input(field, BigInt(values[from + index]!))));

/** What the bytes are that lead to the target; undefined: no solution. */
function solved(operand: Operand, target: bigint): number[] | undefined {
  const [one] = invert(operand, target);
  if (one === undefined) return undefined;
  expect(evaluate(operand, one)).toBe(target);
  return fields.map((field, index) => Number(one.get(field) ?? values[index]));
}

describe('a branch on a part of a wide value', () => {
  const mark: InputField = { kind: 'context', packet: 0, name: 'mark' };
  const masked = (
    comparison: FlowBranch['comparison'],
    value: bigint,
    b: bigint,
    taken: boolean,
  ): FlowBranch => ({
    ...{ program: 0, slot: 0, packet: 0, bits: 64, b, comparison, taken },
    a: binary('and', 64, input(mark, value), 0xf00n),
  });
  const solutions = (branch: FlowBranch): (bigint | undefined)[] =>
    solveBranch(branch, [], () => true).map((one) => one.get(mark));

  it.each([
    ['is not 0 with a bit of the mask', masked('eq', 0x5n, 0n, true), 0x105n],
    ['is more with the next bit of the mask', masked('gt', 0x105n, 0x100n, false), 0x205n],
    ['is less without any', masked('lt', 0x305n, 0x300n, false), 0x5n],
  ])('%s', (_, branch, expected) => {
    expect(solutions(branch)[0]).toBe(expected);
  });

  it('is none that the mask does not let through', () => {
    expect(solutions(masked('gt', 0xf00n, 0xf00n, false))).toEqual([]);
    expect(solutions(masked('eq', 0n, 0x1000n, false))).toEqual([]);
  });
});

describe('undoing what was computed', () => {
  it('undoes byte order', () => {
    expect(solved(swap(16, loaded(0, 2)), 34567n)?.slice(0, 2)).toEqual([0x87, 0x07]);
    expect(solved(swap(32, loaded(4, 4)), 0x2112a442n)?.slice(4)).toEqual([0x21, 0x12, 0xa4, 0x42]);
  });

  it('undoes bytes put together by shifts', () => {
    const word = binary('or', 64, binary('shl', 64, loaded(1, 1), 8n), loaded(0, 1));
    expect(solved(word, 0xabcdn)?.slice(0, 2)).toEqual([0xcd, 0xab]);
  });

  it('undoes masks and shifts, and leaves the other bits as they were', () => {
    expect(solved(binary('and', 64, loaded(0, 1), 0x0fn), 7n)?.[0]).toBe(0x17);
    expect(solved(binary('shr', 32, loaded(0, 1), 4n), 0xcn)?.[0]).toBe(0xc2);
    expect(solved(binary('and', 64, loaded(0, 1), 0x0fn), 0x17n)).toBeUndefined();
  });

  it('undoes shifts by a number that is an input itself', () => {
    const [mask, by] = [loaded(0, 8), binary('and', 64, loaded(4, 1), 63n)];
    const window = binary('or', 64, binary('shl', 64, loaded(0, 2), loaded(7, 1)), 1n);
    expect(solved(window, (0x3412n << 48n) | 1n)).toEqual(values);
    // The value that is shifted, or by how much.
    expect(solved(binary('or', 64, binary('shl', 64, mask, 1n), 1n), 0xffn)?.slice(0, 2)).toEqual([0x7f, 0]);
    expect(solved(binary('shl', 64, 1n, by), 32n)?.[4]).toBe(0x85);
    expect(solved(binary('shr', 64, 0x8000n, by), 8n)?.[4]).toBe(0x8c);
    expect(solved(binary('shl', 64, 1n, by), 33n)).toBeUndefined();
    // Both, where one alone does not do.
    expect(solved(binary('shl', 64, loaded(0, 1), by), 0xfen)?.slice(0, 5)).toEqual([
      0xfe, 0x34, 0x56, 0x78, 0x80,
    ]);
  });

  it('undoes what one value adds to the bits of another', () => {
    expect(solved(binary('or', 64, loaded(0, 1), loaded(2, 1)), 0x5fn)?.[0]).toBe(0x1b);
    expect(solved(binary('or', 64, loaded(1, 1), loaded(3, 1)), 0x3dn)?.slice(1, 4)).toEqual([
      0x34, 0x56, 0x39,
    ]);
  });

  it('undoes sums, differences, exclusive or and products with odd numbers', () => {
    expect(solved(binary('add', 64, loaded(0, 2), 100n), 1100n)?.slice(0, 2)).toEqual([0xe8, 0x03]);
    expect(solved(binary('sub', 64, loaded(0, 1), 5n), 250n)?.[0]).toBe(255);
    expect(solved(binary('xor', 64, loaded(0, 1), 0xffn), 0n)?.[0]).toBe(0xff);
    const product = cut(binary('mul', 64, loaded(0, 4), 2654435761n), 32);
    expect(solved(product, 0x12345678n)).toBeDefined();
  });

  it('undoes a remainder that is written as a difference', () => {
    const word = loaded(0, 4);
    const less = (whole: Operand, bits: 32 | 64, factor = 24n): Operand =>
      binary('sub', bits, whole, binary('mul', bits, binary('div', 32, whole, 24n), factor));
    expect(less(word, 32)).toMatchObject({ operation: 'mod', b: 24n });
    expect(less(word, 64)).toMatchObject({ operation: 'mod', b: 24n });
    expect(solved(less(word, 32), 17n)).toBeDefined();
    // Another factor, or what was cut before it was divided, leaves a difference.
    expect(less(word, 32, 23n)).toMatchObject({ operation: 'sub' });
    expect(less(loaded(0, 8), 64)).toMatchObject({ operation: 'sub' });
  });

  it('undoes a register that was cut by shifting to and fro', () => {
    const product = binary('mul', 64, loaded(0, 4), 0xffff_ffff_9e37_79b1n);
    expect(solved(binary('shr', 64, binary('shl', 64, product, 32n), 32n), 0xcafen)).toBeDefined();
  });

  it('ends where each quotient inside another doubles the ways', () => {
    let number = binary('and', 64, loaded(0, 1), 0xf0n);
    for (let round = 0; round < 60; round++) number = binary('xor', 64, binary('mod', 64, number, 251n), 7n);
    expect(solved(number, 9n)).toBeUndefined();
    expect(solved(binary('xor', 64, binary('mod', 64, loaded(0, 2), 251n), 7n), 9n)).toBeDefined();
  }, 5_000);

  it('finds a word that a checksum lacks', () => {
    const sum = checksum([], [loaded(0, 1), loaded(1, 1), loaded(2, 1), loaded(3, 1)], 0n);
    expect(solved(sum, 0xac00n)).toBeUndefined();
    expect(solved(sum, 0xac68n)).toBeDefined();
  });
});

describe('the other way of a branch', () => {
  const branch = (one: Partial<FlowBranch>): FlowBranch => ({
    program: 0,
    slot: 0,
    packet: 0,
    taken: false,
    comparison: 'eq',
    bits: 64,
    a: loaded(0, 2),
    b: 0n,
    ...one,
  });
  const all = (): boolean => true;

  it('reaches equality, and leaves it', () => {
    const [one] = solveBranch(branch({ b: 0xbeefn }), [], all);
    expect([...one!.values()]).toEqual([0xefn, 0xben]);
    expect(solveBranch(branch({ taken: true, b: 0x3412n }), [], all).length).toBeGreaterThan(0);
  });

  it('crosses borders, signed ones too', () => {
    for (const comparison of ['gt', 'ge', 'lt', 'le', 'sgt', 'sge', 'slt', 'sle', 'set'] as const) {
      for (const taken of [true, false]) {
        const signed = cut(loaded(7, 1), 8, 64);
        for (const one of solveBranch(branch({ comparison, taken, a: signed, b: 5n }), [], all))
          expect([...one.keys()]).toEqual([fields[7]]);
      }
    }
  });

  it('prefers what does not break an earlier condition', () => {
    const first = branch({ comparison: 'lt', taken: true, a: loaded(0, 1), b: 0x20n });
    const second = branch({ comparison: 'gt', a: binary('add', 64, loaded(0, 1), loaded(1, 1)), b: 0x100n });
    const [best] = solveBranch(second, [first], all);
    expect([...best!.keys()]).toEqual([fields[1]]);
  });

  it('searches where nothing can be undone', () => {
    const square = binary('mul', 64, loaded(0, 1), loaded(0, 1));
    const [one] = solveBranch(branch({ a: square, b: 0xf0n * 0xf0n }), [], all);
    expect([...one!.values()]).toEqual([0xf0n]);
  });

  it('chooses no input that cannot be chosen', () => {
    expect(solveBranch(branch({ b: 1n }), [], () => false)).toEqual([]);
  });
});
