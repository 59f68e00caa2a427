/**
 * Solves sums to which each of several bytes adds something of its own: numbers that are written as text, digit by digit, or in
 * words. The bytes are chosen together, each among those that pass what was asked of it before.
 */
import {
  type Assignment,
  type Expression,
  evaluate,
  fieldsOf,
  type Operand,
  possibleBits,
} from './expression.ts';
import { type FlowBranch, holds } from './flow-trace.ts';
import { bitsOf, type InputField } from './inputs.ts';

/** Bytes that one sum may have: more are no number that a program reads. */
const MOST_BYTES = 24;
/** Choices that are tried: where the bytes are digits, one leads on each time. */
const MOST_TRIED = 2_000;
/** Values of a byte. */
const BYTES: readonly bigint[] = Array.from({ length: 256 }, (_, value) => BigInt(value));

/** Is something added up, perhaps cut afterwards? */
export function isSum(operand: Operand): boolean {
  if (typeof operand === 'bigint') return false;
  if (operand.op === 'cut') return isSum(operand.of);
  return operand.op === 'binary' && (operand.operation === 'add' || operand.operation === 'sub');
}

/** What a byte adds to the sum with each of the values that it may have. */
interface Digit {
  readonly field: InputField;
  readonly added: readonly (readonly [value: bigint, added: bigint])[];
  readonly least: bigint;
  readonly most: bigint;
}

/** A sum as a number, and what else is added: a part of the sum times a factor. */
interface Sum {
  constant: bigint;
  readonly parts: (readonly [part: Expression, factor: bigint])[];
}

/**
 * @param target of which the lowest `bits` bits count
 * @param earlier conditions that were met before: those on one byte alone say which values it may have
 * @returns undefined where it is no such sum, or none of the choices that were tried adds up
 */
export function solveDigits(
  operand: Operand,
  target: bigint,
  bits: number,
  earlier: readonly FlowBranch[],
  choosable: (field: InputField) => boolean,
): Assignment | undefined {
  if (typeof operand !== 'bigint' && operand.op === 'cut' && operand.signedTo === 0)
    return solveDigits(operand.of, target, Math.min(bits, operand.bits), earlier, choosable);
  const sum: Sum = { constant: 0n, parts: [] };
  addTo(sum, operand, 1n);
  const parts = partsByField(sum, choosable);
  if (parts === undefined) return undefined;
  const allowed = allowedValues([...parts.keys()], earlier);
  const digits = [...parts].map(([field, own]) => digitOf(field, own, allowed.get(field)!, bits));
  if (digits.some(({ added }) => added.length === 0)) return undefined;
  digits.sort((one, other) => Number(other.most - other.least - (one.most - one.least)));
  const effort = { left: MOST_TRIED };
  for (const whole of [
    BigInt.asIntN(bits, target - sum.constant),
    BigInt.asUintN(bits, target - sum.constant),
  ]) {
    const chosen = choose(digits, 0, whole, effort);
    if (chosen !== undefined) return new Map(chosen);
  }
  return undefined;
}

/** Takes sums, products with a number and bytes side by side apart; what it cannot take apart is one part. */
function addTo(sum: Sum, operand: Operand, factor: bigint): void {
  if (typeof operand === 'bigint') sum.constant += factor * operand;
  else if (operand.op === 'bytes')
    for (const [index, part] of operand.parts.entries()) addTo(sum, part, factor << BigInt(8 * index));
  // A number that fits is the same when it is cut; whoever asked looks whether it did.
  else if (operand.op === 'cut' && operand.bits >= 16) addTo(sum, operand.of, factor);
  else if (operand.op !== 'binary' || fieldsOf(operand).size === 1) sum.parts.push([operand, factor]);
  else addBinary(sum, operand, factor);
}

function addBinary(sum: Sum, operand: Extract<Expression, { op: 'binary' }>, factor: bigint): void {
  const { operation, a, b } = operand;
  const isDisjoint = operation === 'or' && (possibleBits(a) & possibleBits(b)) === 0n;
  if (operation === 'add' || operation === 'sub' || isDisjoint) {
    addTo(sum, a, factor);
    addTo(sum, b, operation === 'sub' ? -factor : factor);
  } else if (operation === 'mul' && typeof b === 'bigint') addTo(sum, a, factor * b);
  else if (operation === 'mul' && typeof a === 'bigint') addTo(sum, b, factor * a);
  else if (operation === 'shl' && typeof b === 'bigint')
    addTo(sum, a, factor << (b & BigInt(operand.bits - 1)));
  else sum.parts.push([operand, factor]);
}

type Parts = Map<InputField, Sum['parts']>;

/** The parts by the byte that they are of; undefined where one is of several, or of what is no byte, or nobody may choose. */
function partsByField({ parts }: Sum, choosable: (field: InputField) => boolean): Parts | undefined {
  const found: Parts = new Map();
  for (const [part, factor] of parts) {
    const [field, ...others] = fieldsOf(part);
    if (field === undefined || others.length > 0 || bitsOf(field) !== 8 || !choosable(field))
      return undefined;
    found.set(field, [...(found.get(field) ?? []), [part, factor]]);
  }
  return found.size < 2 || found.size > MOST_BYTES ? undefined : found;
}

/** Of each field the values with which what was asked of it alone comes out as it did. */
function allowedValues(
  fields: readonly InputField[],
  earlier: readonly FlowBranch[],
): Map<InputField, readonly bigint[]> {
  const allowed = new Map<InputField, readonly bigint[]>(fields.map((field) => [field, BYTES]));
  for (const { a, b, bits, comparison, taken } of earlier) {
    const [field, ...others] = fieldsOf(a, fieldsOf(b));
    const before = field === undefined || others.length > 0 ? undefined : allowed.get(field);
    if (field === undefined || before === undefined) continue;
    const passes = (value: bigint): boolean => {
      const one = new Map([[field, value]]);
      return holds(comparison, bits, evaluate(a, one), evaluate(b, one)) === taken;
    };
    allowed.set(field, before.filter(passes));
  }
  return allowed;
}

function digitOf(field: InputField, parts: Sum['parts'], values: readonly bigint[], bits: number): Digit {
  const added = values.map((value) => {
    const one = new Map([[field, value]]);
    let all = 0n;
    for (const [part, factor] of parts) all += factor * BigInt.asIntN(bits, evaluate(part, one));
    return [value, BigInt.asIntN(bits, all)] as const;
  });
  let [least, most] = [added[0]?.[1] ?? 0n, added[0]?.[1] ?? 0n];
  for (const [, each] of added) {
    if (each < least) least = each;
    if (each > most) most = each;
  }
  return { field, added, least, most };
}

/** Chooses from the digit at `from` on so that they add up to `rest`. */
function choose(
  digits: readonly Digit[],
  from: number,
  rest: bigint,
  effort: { left: number },
): (readonly [InputField, bigint])[] | undefined {
  const digit = digits[from];
  if (digit === undefined) return rest === 0n ? [] : undefined;
  let [least, most] = [0n, 0n];
  for (const later of digits.slice(from + 1)) {
    least += later.least;
    most += later.most;
  }
  for (const [value, added] of digit.added) {
    const left = rest - added;
    if (left < least || left > most) continue;
    if (effort.left-- <= 0) return undefined;
    const chosen = choose(digits, from + 1, left, effort);
    if (chosen !== undefined) return [[digit.field, value], ...chosen];
  }
  return undefined;
}
