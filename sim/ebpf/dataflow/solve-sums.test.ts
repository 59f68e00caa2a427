/** Bytes that checksums lack, against trying all values of each; and inputs that are wider than a byte. */
import { describe, expect, it } from 'vitest';
import { binary, bytes, checksum, evaluate, input, type Operand } from './expression.ts';
import type { FlowBranch } from './flow-trace.ts';
import type { InputField, PacketContext } from './inputs.ts';
import { invert } from './invert.ts';
import { solveBranch } from './solve.ts';

const ALL = Array.from({ length: 256 }, (_, value) => BigInt(value));
const byteField = (offset: number): InputField => ({ kind: 'packet', packet: 0, offset });

describe('a byte that a checksum lacks', () => {
  /** Of four bytes, of which the first and the third may be chosen. */
  const FIELDS = [byteField(0), byteField(2)] as const;
  const sumOf = (first: bigint, third: bigint, seed: bigint): Operand =>
    checksum([], [input(FIELDS[0], first), 0x34n, input(FIELDS[1], third), 0x78n], seed);

  it.each([
    [0x12n, 0x56n, 0n],
    [0x00n, 0xffn, 0xffff_fff0n],
    [0xf0n, 0xf0n, 0x1234n],
  ])('is found for every sum that one leads to, and for no other (%d, %d, %d)', (first, third, seed) => {
    const sum = sumOf(first, third, seed);
    const before = evaluate(sum, new Map());
    const reached = new Map<bigint, number>();
    for (const field of FIELDS)
      for (const value of ALL) {
        const target = evaluate(sum, new Map([[field, value]]));
        reached.set(target, (reached.get(target) ?? 0) + 1);
      }
    expect(reached.size).toBeGreaterThan(200);
    // Where the byte is 0 or 255, at the least, and many between.
    const targets = [...reached.keys()].filter((_, index) => index % 5 === 0 || index % 256 === 255);
    for (const target of targets) {
      const found = invert(sum, target);
      expect(found.length, `${target}`).toBe(target === before ? 1 : reached.get(target));
      for (const one of found) {
        expect(evaluate(sum, one)).toBe(target);
        for (const value of one.values()) expect(value).toBeLessThan(256n);
      }
      // Behind what changes nothing else there is nothing to choose.
      if (target === before) expect(found[0]!.size).toBe(0);
    }
    for (let target = 0n; target < 0x3_0000n; target += 0x1235n)
      if (!reached.has(target)) expect(invert(sum, target), `${target}`).toEqual([]);
  });

  it('is looked for in single inputs alone', () => {
    const two = bytes([input(FIELDS[0], 1n), input(FIELDS[1], 2n)]);
    expect(invert(checksum([], [two, 0n], 0n), 0xffffn)).toEqual([]);
    expect(invert(checksum([], [0x12n, 0x34n, 0x56n, 0x78n], 0n), 0x1234n)).toEqual([]);
  });
});

describe('an input of 32 bits', () => {
  const MARK: PacketContext = { kind: 'context', packet: 0, name: 'mark' };
  const mark = input(MARK, 7n);
  const solved = (one: Partial<FlowBranch>): bigint[] =>
    solveBranch(
      { program: 0, slot: 0, packet: 0, taken: false, comparison: 'eq', bits: 64, a: mark, b: 0n, ...one },
      [],
      () => true,
    ).map((solution) => solution.get(MARK)!);

  it('lies below 1 as 0 alone, and below 0 as nothing', () => {
    expect(solved({ comparison: 'lt', b: 1n })).toEqual([0n]);
    expect(solved({ comparison: 'lt', b: 0n })).toEqual([]);
  });

  it('lies above what is below the highest number, and nowhere above that', () => {
    expect(solved({ comparison: 'gt', bits: 32, b: 0xffff_fffen })).toEqual([0xffff_ffffn]);
    expect(solved({ comparison: 'gt', bits: 32, b: 0xffff_ffffn })).toEqual([]);
    expect(solved({ comparison: 'gt', bits: 64, b: 0xffff_ffffn })).toEqual([]);
  });

  it('takes numbers of 32 bits and none that are wider', () => {
    expect(solved({ b: 0xffff_ffffn })).toEqual([0xffff_ffffn]);
    expect(solved({ b: 0x1_0000_0000n })).toEqual([]);
    expect(solved({ a: 0x9000n, b: mark })).toEqual([0x9000n]);
  });

  it('is as good on the other side of a comparison', () => {
    // 5 < mark holds; the other way is that it does not.
    expect(solved({ comparison: 'lt', a: 5n, b: mark, taken: true })).toEqual([5n, 4n, 0n]);
    expect(solved({ comparison: 'ge', a: 5n, b: mark })).toEqual([5n, 4n, 0n]);
  });

  it('becomes what sums and masks of it are to become', () => {
    const low = binary('and', 64, mark, 0xffn);
    expect(solved({ a: low, b: 0x21n })).toEqual([0x21n]);
    expect(solved({ a: binary('or', 64, binary('shl', 64, mark, 8n), low), b: 0x2121n })).toEqual([0x21n]);
    expect(solved({ a: binary('or', 64, binary('shl', 64, mark, 8n), low), b: 0x2122n })).toEqual([]);
    expect(solved({ a: binary('div', 64, mark, 10n), b: 3n })).toEqual([37n, 30n]);
    expect(solved({ a: binary('mod', 64, mark, 5n), b: 4n })).toEqual([9n, 4n]);
    expect(solved({ a: binary('mod', 64, mark, 5n), b: 5n })).toEqual([]);
    expect(solved({ a: binary('mul', 64, mark, 6n), b: 30n })).toEqual([5n]);
    expect(solved({ a: binary('mul', 64, mark, 6n), b: 31n })).toEqual([]);
    expect(solved({ a: binary('shr', 64, mark, 4n), b: 2n })).toEqual([0x27n]);
  });
});

describe('two parts put together by or', () => {
  const [HIGH, LOW] = [byteField(0), byteField(1)];

  it('that share bits become a number by one of them, or by the other', () => {
    const word = binary('or', 64, binary('shl', 64, input(HIGH, 0x12n), 4n), input(LOW, 0x30n));
    expect(invert(word, 0x1f0n)).toEqual([
      new Map([[HIGH, 0x1en]]),
      new Map([[LOW, 0xf0n]]),
      new Map([[HIGH, 0x1fn]]),
    ]);
    expect(invert(word, 0x1f1n)).toEqual([new Map([[LOW, 0xf1n]])]);
    expect(invert(word, 0x2f1n)).toEqual([]);
  });

  it('that share none get their own bits each', () => {
    const word = binary('or', 64, binary('shl', 64, input(HIGH, 0x12n), 8n), input(LOW, 0x30n));
    expect(invert(word, 0xabcdn)).toEqual([
      new Map([
        [HIGH, 0xabn],
        [LOW, 0xcdn],
      ]),
    ]);
    expect(invert(word, 0x1_abcdn)).toEqual([]);
  });
});
