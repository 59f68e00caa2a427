/**
 * Every operation on every pair of terms of the usual forms: what simplification makes of it is worth what the operation gives
 * (RFC 9669 §4.1), and its form, bits and bounds are recorded.
 */
import { expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { Evaluator } from './evaluate.ts';
import { signed, type Term, termText } from './term.ts';
import { TermPool } from './term-pool.ts';

/** Bits. */
const WIDTH = 8;
const CONSTANTS = [0, 1, 2, 3, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];
const SAMPLES = [
  [0, 0],
  [1, 0xff],
  [0xff, 1],
  [0x7f, 0x80],
  [0x80, 0x7f],
  [0x35, 0x35],
  [0xc6, 0x0d],
] as const;

const pool = new TermPool();
const constant = (value: number): Term => pool.constant(WIDTH, value);
const [x, y] = [pool.unknown(WIDTH, 'x'), pool.unknown(WIDTH, 'y')];
const [low, high] = [pool.extract(x, 0, 4), pool.extract(y, 4, 4)];
const isAbove = pool.less(y, x);

const FORMS: readonly Term[] = [
  ...CONSTANTS.map(constant),
  ...[x, y, pool.addConst(x, 1), pool.addConst(x, -1), pool.add(x, y), pool.subtract(x, y), pool.negate(x)],
  pool.addConst(pool.zeroExtend(WIDTH, low), 0x20),
  pool.addConst(pool.zeroExtend(WIDTH, high), 0x40),
  pool.sum(WIDTH, 0x10n, [
    [pool.zeroExtend(WIDTH, low), 2n],
    [pool.zeroExtend(WIDTH, high), 3n],
  ]),
  pool.sum(WIDTH, 0n, [[x, 4n]]),
  pool.sum(WIDTH, 3n, [[x, 0xfdn]]),
  pool.zeroExtend(WIDTH, low),
  pool.signExtend(WIDTH, low),
  pool.concat([low, high]),
  pool.concat([high, pool.constant(4, 9)]),
  ...[pool.and(x, constant(0x0f)), pool.and(x, constant(0x5a)), pool.or(x, constant(0xf0)), pool.not(x)],
  ...[pool.and(x, y), pool.or(x, y), pool.xor(x, y), pool.xor(x, constant(0x5a))],
  ...[pool.shiftLeft(x, 3), pool.shiftRight(x, 3), pool.shiftRightSigned(x, 3)],
  ...[pool.multiply(x, y), pool.divide('udiv', x, y), pool.divide('urem', x, constant(10))],
  pool.ite(isAbove, x, constant(7)),
  pool.ite(isAbove, constant(7), constant(9)),
  pool.zeroExtend(WIDTH, isAbove),
];

const byteOf = (value: bigint): bigint => BigInt.asUintN(WIDTH, value);
const bit = (holds: boolean): bigint => (holds ? 1n : 0n);
const sign = (value: bigint): bigint => signed(WIDTH, value);
const by = (b: bigint): bigint => b & 7n;

type Operation = readonly [combine: (a: Term, b: Term) => Term, value: (a: bigint, b: bigint) => bigint];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  add: [(a, b) => pool.add(a, b), (a, b) => byteOf(a + b)],
  subtract: [(a, b) => pool.subtract(a, b), (a, b) => byteOf(a - b)],
  multiply: [(a, b) => pool.multiply(a, b), (a, b) => byteOf(a * b)],
  udiv: [(a, b) => pool.divide('udiv', a, b), (a, b) => (b === 0n ? 0n : a / b)],
  urem: [(a, b) => pool.divide('urem', a, b), (a, b) => (b === 0n ? a : a % b)],
  sdiv: [(a, b) => pool.divide('sdiv', a, b), (a, b) => (b === 0n ? 0n : byteOf(sign(a) / sign(b)))],
  srem: [(a, b) => pool.divide('srem', a, b), (a, b) => (b === 0n ? a : byteOf(sign(a) % sign(b)))],
  and: [(a, b) => pool.and(a, b), (a, b) => a & b],
  or: [(a, b) => pool.or(a, b), (a, b) => a | b],
  xor: [(a, b) => pool.xor(a, b), (a, b) => a ^ b],
  shl: [(a, b) => pool.shift('shl', a, b), (a, b) => byteOf(a << by(b))],
  lshr: [(a, b) => pool.shift('lshr', a, b), (a, b) => a >> by(b)],
  ashr: [(a, b) => pool.shift('ashr', a, b), (a, b) => byteOf(sign(a) >> by(b))],
  equal: [(a, b) => pool.equal(a, b), (a, b) => bit(a === b)],
  less: [(a, b) => pool.less(a, b), (a, b) => bit(a < b)],
  lessSigned: [(a, b) => pool.lessSigned(a, b), (a, b) => bit(sign(a) < sign(b))],
  concat: [(a, b) => pool.concat([a, b]), (a, b) => (a << 8n) | b],
  ite: [(a, b) => pool.ite(isAbove, a, b), () => -1n],
  'middle of both': [
    (a, b) => pool.extract(pool.concat([a, b]), 3, 9),
    (a, b) => (((a << 8n) | b) >> 3n) & 0x1ffn,
  ],
  'sum of both, extended': [(a, b) => pool.zeroExtend(16, pool.add(a, b)), (a, b) => byteOf(a + b)],
  'upper part of a sum': [(a, b) => pool.extract(pool.add(a, b), 4, 4), (a, b) => byteOf(a + b) >> 4n],
  'signed sum': [
    (a, b) => pool.signExtend(16, pool.add(a, b)),
    (a, b) => BigInt.asUintN(16, sign(byteOf(a + b))),
  ],
  'sum above the other': [(a, b) => pool.less(b, pool.add(a, b)), (a, b) => bit(b < byteOf(a + b))],
};

/** What of an operation's terms is wrong, and a line for each. */
function pairsOf(
  name: string,
  [combine, value]: Operation,
): { readonly wrong: string[]; readonly lines: string[] } {
  const evaluators = SAMPLES.map(
    ([one, other]) =>
      new Evaluator(
        new Map([
          [x, BigInt(one)],
          [y, BigInt(other)],
        ]),
      ),
  );
  const lines: string[] = [];
  const wrong: string[] = [];
  for (const a of FORMS)
    for (const b of FORMS) {
      const term = combine(a, b);
      const { ones, maybe, min, max } = term;
      const line = `${termText(term)} ${ones.toString(16)} ${maybe.toString(16)} ${min} ${max}`;
      lines.push(line);
      for (const evaluator of evaluators) {
        const expected =
          name === 'ite'
            ? evaluator.value(evaluator.isTrue(isAbove) ? a : b)
            : value(evaluator.value(a), evaluator.value(b));
        const isKnown =
          min <= expected && expected <= max && ((expected & ~maybe) | (ones & ~expected)) === 0n;
        if (evaluator.value(term) !== expected || !isKnown)
          wrong.push(`${name} of ${termText(a)}, ${termText(b)}: ${line}`);
      }
    }
  return { wrong, lines };
}

it('are worth what the operation gives, in the form that is recorded', async () => {
  const records: string[] = [];
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const { wrong, lines } = pairsOf(name, operation);
    expect(wrong).toEqual([]);
    records.push(fingerprint(`pairs of terms ${name}`, lines));
  }
  const text = Object.keys(OPERATIONS).map((name, index) => `${name}: ${records[index]}\n`);
  await expect(text.join('')).toMatchFileSnapshot('recorded/term-pairs.txt');
});
