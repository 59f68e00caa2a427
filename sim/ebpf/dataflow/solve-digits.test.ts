/** Numbers that are written digit by digit are solved for all digits at once, each of which stays one. */
import { expect, it } from 'vitest';
import { binary, bytes, cut, evaluate, input, type Operand } from './expression.ts';
import type { FlowBranch } from './flow-trace.ts';
import type { InputField } from './inputs.ts';
import { solveBranch } from './solve.ts';
import { solveDigits } from './solve-digits.ts';

const FIELDS: readonly InputField[] = Array.from({ length: 8 }, (_, offset) => ({
  kind: 'packet',
  packet: 0,
  offset,
}));
const BYTES = FIELDS.map((field) => input(field, 0x30n));
const all = (): boolean => true;

function compared(one: Partial<FlowBranch>): FlowBranch {
  return { program: 0, slot: 0, packet: 0, taken: false, comparison: 'eq', bits: 64, a: 0n, b: 0n, ...one };
}

/** Each byte was between '0' and '9'. */
const ARE_DIGITS = BYTES.flatMap((byte) => [
  compared({ comparison: 'lt', a: byte, b: 0x30n }),
  compared({ comparison: 'gt', a: byte, b: 0x39n }),
]);

/** The number that the first `count` bytes are as text. */
function decimal(count: number): Operand {
  let number: Operand = 0n;
  for (const byte of BYTES.slice(0, count)) {
    const digit = binary('sub', 32, byte, 0x30n);
    number = number === 0n ? digit : binary('add', 32, binary('mul', 32, number, 10n), digit);
  }
  return number;
}

function textOf(
  operand: Operand,
  target: bigint,
  earlier: readonly FlowBranch[] = ARE_DIGITS,
): string | undefined {
  const found = solveDigits(operand, target, 64, earlier, all);
  if (found === undefined) return undefined;
  expect(evaluate(operand, found)).toBe(target);
  return String.fromCharCode(...FIELDS.slice(0, found.size).map((field) => Number(found.get(field))));
}

it('writes numbers as text', () => {
  expect(textOf(decimal(8), 19_700_101n)).toBe('19700101');
  expect(textOf(decimal(5), 1883n)).toBe('01883');
  expect(textOf(decimal(5), 0n)).toBe('00000');
  expect(textOf(cut(decimal(5), 32), 99_999n)).toBe('99999');
});

it('writes none that has more digits, or is negative', () => {
  expect(textOf(decimal(5), 100_000n)).toBeUndefined();
  expect(textOf(decimal(3), 1000n)).toBeUndefined();
  expect(textOf(decimal(3), 0xffff_ffffn)).toBeUndefined();
});

it('chooses bytes of sums, and of words that are put together', () => {
  const word = (at: number): Operand => binary('or', 64, binary('shl', 64, BYTES[at]!, 8n), BYTES[at + 1]!);
  const sum = binary('add', 64, word(0), bytes([BYTES[2]!, BYTES[3]!]));
  const found = solveDigits(sum, 0x1_2345n, 64, [], all)!;
  expect(evaluate(sum, found)).toBe(0x1_2345n);
  expect(solveDigits(sum, 0x1_ffffn, 64, [], all)).toBeUndefined();
});

it('leaves what is no such sum, or of bytes that nobody may choose', () => {
  const product = binary('mul', 64, BYTES[0]!, BYTES[1]!);
  expect(solveDigits(product, 6n, 64, [], all)).toBeUndefined();
  expect(solveDigits(BYTES[0]!, 6n, 64, [], all)).toBeUndefined();
  expect(solveDigits(decimal(3), 123n, 64, ARE_DIGITS, (field) => field !== FIELDS[1])).toBeUndefined();
});

it('is asked where a single digit would no longer be one', () => {
  const [one] = solveBranch(compared({ bits: 32, a: decimal(4), b: 1883n }), ARE_DIGITS, all);
  expect([...one!.values()].sort()).toEqual([0x31n, 0x33n, 0x38n, 0x38n]);
  // Where one digit does, the others stay.
  const [near] = solveBranch(compared({ bits: 32, a: decimal(4), b: 7n }), ARE_DIGITS, all);
  expect([...near!]).toEqual([[FIELDS[3], 0x37n]]);
});
