/**
 * Expressions of every form: what is worked out of them beforehand (bytes, widths, bits that may be set, parts that are left out)
 * against their values under other inputs, and what they look like, recorded: a form that is longer, or a bound that is wider,
 * is right, too. And the values that the solver finds for them.
 */
import { expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { textOf } from '../test-support/every-object.ts';
import { randomNumbers } from '../test-support/random-terms.ts';
import {
  type Assignment,
  type BinaryOperation,
  binary,
  byteOf,
  bytes,
  checksum,
  cut,
  evaluate,
  fieldsOf,
  input,
  type Operand,
  possibleBits,
  swap,
  tracedValue,
  widthOf,
} from './expression.ts';
import type { InputField } from './inputs.ts';
import { invert } from './invert.ts';
import { solveBranch } from './solve.ts';

const FIELDS: readonly InputField[] = [
  ...[0, 1, 2, 3].map((offset) => ({ kind: 'packet', packet: 0, offset }) as const),
  { kind: 'map', map: 0, key: Uint8Array.of(1), offset: 2 },
  { kind: 'context', packet: 0, name: 'mark' },
  { kind: 'length', packet: 0 },
  { kind: 'time', packet: 0 },
];
const TRACED = [0x12n, 0xf4n, 0n, 0xffn, 0x80n, 0x8000_1234n, 60n, 0x1122_3344_5566n];
const OTHERS: readonly (readonly bigint[])[] = [
  [0n, 0n, 0n, 0n, 0n, 0n, 14n, 0n],
  [0xffn, 0xffn, 0xffn, 0xffn, 0xffn, 0xffff_ffffn, 0xffffn, 0xffff_ffff_ffff_ffffn],
  [0x7fn, 0x80n, 1n, 0xfen, 0x55n, 0x7fff_ffffn, 1514n, 0x8000_0000_0000_0000n],
];
const INPUTS = FIELDS.map((field, index) => input(field, TRACED[index]!));
const OPERATIONS: readonly BinaryOperation[] = [
  'add',
  'sub',
  'mul',
  'div',
  'mod',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'sar',
];
const CONSTANTS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  16n,
  24n,
  32n,
  48n,
  63n,
  0xffn,
  0xff00n,
  0xffffn,
  0xf0f0n,
  0xffff_ffffn,
  0xff_0000_0000n,
  (1n << 64n) - 1n,
];

/** An expression, and the same without anything worked out beforehand. */
interface Twin {
  readonly operand: Operand;
  readonly value: (of: Assignment) => bigint;
}

const ALL = (1n << 64n) - 1n;
const uint = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value);

/** RFC 9669 §4.1. */
function result(operation: BinaryOperation, bits: 32 | 64, left: bigint, right: bigint): bigint {
  const [a, b] = [uint(bits, left), uint(bits, right)];
  const by = b % BigInt(bits);
  const values: Readonly<Record<BinaryOperation, () => bigint>> = {
    add: () => a + b,
    sub: () => a - b,
    mul: () => a * b,
    div: () => (b === 0n ? 0n : a / b),
    mod: () => (b === 0n ? a : a % b),
    and: () => a & b,
    or: () => a | b,
    xor: () => a ^ b,
    shl: () => a << by,
    shr: () => a >> by,
    sar: () => BigInt.asIntN(bits, a) >> by,
  };
  return uint(bits, values[operation]());
}

function turned(bits: number, value: bigint): bigint {
  let rest = 0n;
  for (let at = 0; at < bits; at += 8) rest = (rest << 8n) | ((value >> BigInt(at)) & 0xffn);
  return rest;
}

class Maker {
  readonly #random: (below: number) => number;
  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random(list.length)]!;
  }

  leaf(): Twin {
    const index = this.#random(INPUTS.length);
    return { operand: INPUTS[index]!, value: (of) => of.get(FIELDS[index]!) ?? TRACED[index]! };
  }

  constant(): Twin {
    const value = this.#one(CONSTANTS);
    return { operand: value, value: () => value };
  }

  make(depth: number): Twin {
    if (depth === 0) return this.leaf();
    const bits = this.#one([32, 64] as const);
    const a = this.make(depth - 1);
    switch (this.#random(10)) {
      case 0: {
        const by = this.#one([16, 32, 64] as const);
        return { operand: swap(by, a.operand), value: (of) => turned(by, a.value(of)) };
      }
      case 1: {
        const by = this.#one([1, 8, 16, 31, 32, 48]);
        return { operand: cut(a.operand, by), value: (of) => uint(by, a.value(of)) };
      }
      case 2: {
        const by = this.#one([8, 16, 32]);
        return {
          operand: cut(a.operand, by, bits),
          value: (of) => uint(bits, BigInt.asIntN(by, a.value(of))),
        };
      }
      case 3: {
        const [count, first] = [this.#one([1, 2, 4, 8]), this.#one([0, 0, 0, 1])];
        const parts = Array.from({ length: count }, (_, index) => byteOf(a.operand, (first + index) % 8));
        return {
          operand: bytes(parts),
          value: (of) => {
            let all = 0n;
            for (let index = 0; index < count; index++)
              all |= ((a.value(of) >> BigInt(8 * ((first + index) % 8))) & 0xffn) << BigInt(8 * index);
            return all;
          },
        };
      }
      case 4: {
        const index = this.#random(8);
        return {
          operand: byteOf(a.operand, index),
          value: (of) => (a.value(of) >> BigInt(8 * index)) & 0xffn,
        };
      }
      default: {
        const operation = this.#one(OPERATIONS);
        const b = this.#random(3) === 0 ? this.make(depth - 1) : this.constant();
        const [left, right] = this.#random(6) === 0 ? [b, a] : [a, b];
        return {
          operand: binary(operation, bits, left.operand, right.operand),
          value: (of) => result(operation, bits, left.value(of), right.value(of)),
        };
      }
    }
  }
}

const ASSIGNMENTS: readonly Assignment[] = [
  new Map(),
  ...OTHERS.map((values) => new Map(FIELDS.map((field, index) => [field, values[index]!]))),
];

/** What is wrong with an expression under any of the inputs; undefined: nothing. */
function problemOf({ operand, value }: Twin): string | undefined {
  if (tracedValue(operand) !== value(new Map())) return 'has another value';
  for (const assignment of ASSIGNMENTS) {
    const expected = value(assignment);
    if (evaluate(operand, assignment) !== expected) return 'has another value elsewhere';
    if ((expected & ~possibleBits(operand)) !== 0n) return 'has other bits';
    if (expected >> BigInt(widthOf(operand)) !== 0n) return 'is wider';
    for (let index = 0; index < 8; index++)
      if (evaluate(byteOf(operand, index), assignment) !== ((expected >> BigInt(8 * index)) & 0xffn))
        return `has another byte ${index}`;
  }
  return undefined;
}

it('are worth the same without what is worked out beforehand, and have the form that is recorded', async () => {
  const random = randomNumbers(21);
  const maker = new Maker(random);
  const lines: string[] = [];
  const wrong: string[] = [];
  for (let round = 0; round < 1200; round++) {
    const twin = maker.make(1 + random(3));
    const { operand } = twin;
    const problem = problemOf(twin);
    const text = textOf(operand).slice(0, 1500);
    if (problem !== undefined) wrong.push(`${problem}: ${text}`);
    const eight = [0, 1, 2, 3, 4, 7].map((index) => textOf(byteOf(operand, index)).slice(0, 300));
    lines.push(
      `${text} ${widthOf(operand)} ${possibleBits(operand).toString(16)} ${fieldsOf(operand).size} ${eight.join(' ')}`,
    );
  }
  expect(wrong).toEqual([]);
  await expect(`${fingerprint('forms of expressions', lines)}\n`).toMatchFileSnapshot(
    'recorded/expression-forms.txt',
  );
});

it('are solved for other values, and for the other way of a comparison, as is recorded', async () => {
  const random = randomNumbers(22);
  const maker = new Maker(random);
  const comparisons = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sgt', 'sge', 'slt', 'sle', 'set'] as const;
  const lines: string[] = [];
  const textOfAll = (found: readonly Assignment[]): string =>
    found
      .map((one) => [...one].map(([field, value]) => `${FIELDS.indexOf(field)}=${value}`).join())
      .join(' or ');
  for (let round = 0; round < 700; round++) {
    const [one, other] = [maker.make(1 + random(2)), random(3) === 0 ? maker.leaf() : maker.constant()];
    const bits = random(2) === 0 ? 32 : 64;
    const target = evaluate(one.operand, ASSIGNMENTS[1 + random(3)]!);
    const found = invert(one.operand, target, bits);
    for (const each of found) expect(uint(bits, one.value(each))).toBe(uint(bits, target));
    const comparison = comparisons[round % comparisons.length]!;
    const [a, b] = round % 2 === 0 ? [one.operand, other.operand] : [other.operand, one.operand];
    const branch = {
      program: 0,
      slot: 0,
      packet: 0,
      taken: round % 3 === 0,
      comparison,
      bits,
      a,
      b,
    } as const;
    const earlier = { ...branch, comparison: 'gt', taken: true, a: INPUTS[0]!, b: 3n } as const;
    const searched: number[] = [];
    const solved = solveBranch(
      branch,
      [earlier],
      ({ kind }) => kind !== 'time',
      (nodes) => searched.push(nodes),
    );
    lines.push(`${textOfAll(found)}; ${textOfAll(solved)}; ${searched.length} of ${searched[0]}`);
  }
  await expect(`${fingerprint('solved expressions', lines)}\n`).toMatchFileSnapshot(
    'recorded/expression-solutions.txt',
  );
});

it('of checksums are sums in ones’ complement, folded to 16 bits', () => {
  const random = randomNumbers(23);
  const draw = (count: number): number[] => Array.from({ length: count }, () => random(INPUTS.length));
  for (let round = 0; round < 60; round++) {
    const [from, to] = [draw(random(5)), draw(random(6))];
    const start = CONSTANTS[random(CONSTANTS.length)]!;
    const sum = checksum(
      from.map((at) => byteOf(INPUTS[at]!, 0)),
      to.map((at) => byteOf(INPUTS[at]!, 0)),
      start,
    );
    for (const assignment of ASSIGNMENTS) {
      const words = (list: readonly number[]): bigint[] => {
        const values = list.map((at) => (assignment.get(FIELDS[at]!) ?? TRACED[at]!) & 0xffn);
        return values.flatMap((value, at) => (at % 2 === 0 ? [value | ((values[at + 1] ?? 0n) << 8n)] : []));
      };
      let total = start & 0xffff_ffffn;
      for (const word of words(from)) total += 0xffffn - word;
      for (const word of words(to)) total += word;
      while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n);
      expect(evaluate(sum, assignment) & ALL).toBe(total);
    }
  }
});
