/**
 * Solves a condition for one of its inputs: undoes what was computed from it, step by step (byte order, masks, shifts,
 * sums, products with odd numbers), and where that does not lead anywhere, searches byte by byte.
 */
import {
  type Assignment,
  type Expression,
  evaluate,
  fieldsOf,
  type Operand,
  possibleBits,
  sizeOf,
  swapped,
  tracedValue,
} from './expression.ts';
import { type Comparison, type FlowBranch, holds, mirrored, oppositeOf } from './flow-trace.ts';
import { bitsOf, type InputField } from './inputs.ts';
import { isSum, solveDigits } from './solve-digits.ts';

/** Inputs that somebody can choose: all but those that calls yield. */
export type Choosable = (field: InputField) => boolean;

/** All values that an input can be given, as signed numbers, where they are few; undefined: any that fits. */
export type Choices = (field: InputField) => readonly bigint[] | undefined;

const anyThatFits: Choices = () => undefined;

const MASK64 = 0xffff_ffff_ffff_ffffn;

/** Assignments are tried in the order in which they come; so many are enough. */
const MAX_SOLUTIONS = 6;

/** Nodes that one value is undone through: each quotient inside another doubles the ways down. */
const MOST_UNDONE = 3_000;

/** How many values a search may look at. */
const SEARCH_EVALUATIONS = 3_000;

/**
 * Values of inputs with which a branch goes the other way, as far as the branch by itself says. What held before it may no
 * longer hold: the best are those that break the fewest of `earlier`.
 * @param onSearch is told how many nodes a search looks at, each time
 * @param choices where an input has few values, all of them are tried: ranges, masks and tables are passed by some alone
 */
export function solveBranch(
  branch: FlowBranch,
  earlier: readonly FlowBranch[],
  choosable: Choosable,
  onSearch: (nodes: number) => void = () => {},
  choices: Choices = anyThatFits,
): Assignment[] {
  const { a, b, bits, comparison, taken } = branch;
  const wanted = taken ? oppositeOf(comparison) : comparison;
  const solutions: Assignment[] = [];
  const keys = new Set<string>();
  const names = new Map<InputField, number>();
  const add = (one: Assignment): void => {
    if (solutions.length >= 4 * MAX_SOLUTIONS || one.size === 0) return;
    if (![...one.keys()].every(choosable)) return;
    if (![...one].every(([field, value]) => choices(field)?.includes(BigInt.asIntN(32, value)) ?? true))
      return;
    if (!holds(wanted, bits, evaluate(a, one), evaluate(b, one))) return;
    for (const field of one.keys()) if (!names.has(field)) names.set(field, names.size);
    const key = [...one]
      .map(([field, value]) => `${names.get(field)}=${value}`)
      .sort()
      .join();
    if (keys.has(key)) return;
    keys.add(key);
    solutions.push(one);
  };
  if (typeof a !== 'bigint')
    for (const target of targetsOf(wanted, bits, tracedValue(a), tracedValue(b)))
      for (const one of invert(a, target, bits)) add(one);
  if (typeof b !== 'bigint')
    for (const target of targetsOf(mirrored(wanted), bits, tracedValue(b), tracedValue(a)))
      for (const one of invert(b, target, bits)) add(one);
  for (const field of fieldsOf(a, fieldsOf(b)))
    for (const value of choices(field) ?? []) add(new Map([[field, BigInt.asUintN(64, value)]]));
  // A mask may leave no bit of the targets above.
  if (solutions.length === 0) for (const one of stepsWithin(a, b, bits)) add(one);
  if (solutions.length === 0) for (const one of stepsWithin(b, a, bits)) add(one);
  // One digit of a number that is written as text seldom makes the number, and stays a digit.
  const broken = brokenBy(earlier);
  if (solutions.every((one) => broken(one) > 0))
    for (const one of digitsFor(branch, wanted, earlier, choosable)) add(one);
  if (solutions.length === 0) {
    const found = search(a, b, bits, wanted, choosable, onSearch);
    if (found !== undefined) add(found);
  }
  return ranked(solutions, broken).slice(0, MAX_SOLUTIONS);
}

/** With a value that is one bit away from what it is compared with: the lowest bit that it may have, or the highest. */
function stepsWithin(operand: Operand, other: Operand, bits: 32 | 64): Assignment[] {
  const possible = BigInt.asUintN(bits, possibleBits(operand));
  if (typeof operand === 'bigint' || possible === 0n) return [];
  const value = tracedValue(other);
  const lowest = possible & -possible;
  const highest = 1n << BigInt(possible.toString(2).length - 1);
  return [lowest, highest].flatMap((bit) =>
    [value ^ bit, value + bit, value - bit].flatMap((target) => invert(operand, target, bits)),
  );
}

/** All bytes of a sum at once, for the first numbers with which the comparison holds. */
function* digitsFor(
  { a, b, bits }: FlowBranch,
  wanted: Comparison,
  earlier: readonly FlowBranch[],
  choosable: Choosable,
): Generator<Assignment> {
  const sides = [
    [a, b, wanted],
    [b, a, mirrored(wanted)],
  ] as const;
  for (const [side, other, comparison] of sides) {
    if (!isSum(side)) continue;
    const targets = targetsOf(comparison, bits, tracedValue(side), tracedValue(other));
    for (const target of targets.slice(0, 2)) {
      const found = solveDigits(side, target, bits, earlier, choosable);
      if (found !== undefined) yield found;
    }
  }
}

/** How many of the conditions before an assignment breaks. */
function brokenBy(earlier: readonly FlowBranch[]): (one: Assignment) => number {
  const conditions = earlier
    .slice(-200)
    .map((branch) => ({ branch, fields: fieldsOf(branch.a, fieldsOf(branch.b)) }));
  return (one) =>
    conditions.filter(({ branch, fields }) => {
      if (![...one.keys()].some((field) => fields.has(field))) return false;
      const { comparison, bits, a, b, taken } = branch;
      return holds(comparison, bits, evaluate(a, one), evaluate(b, one)) !== taken;
    }).length;
}

/** Those that break few of the conditions before come first. */
function ranked(solutions: readonly Assignment[], broken: (one: Assignment) => number): Assignment[] {
  if (solutions.length < 2) return [...solutions];
  return solutions
    .map((one, index) => ({ one, index, cost: broken(one) }))
    .sort((x, y) => x.cost - y.cost || x.index - y.index)
    .map(({ one }) => one);
}

/** What the left side may become for the comparison with `b` to hold: the nearest, the border, the far end. */
function targetsOf(comparison: Comparison, bits: 32 | 64, a: bigint, b: bigint): bigint[] {
  const mask = bits === 32 ? 0xffff_ffffn : MASK64;
  const other = b & mask;
  const highest = mask >> 1n;
  const list = (...values: bigint[]): bigint[] => values.map((value) => value & mask);
  switch (comparison) {
    case 'eq':
      return [other];
    case 'ne':
      return list(other + 1n, other ^ 1n, other - 1n, 0n, 0xffn);
    case 'gt':
      return other === mask ? [] : list(other + 1n, other + 0x10n, other << 1n);
    case 'ge':
      return list(other, other + 1n, other + 0x10n, other << 1n);
    case 'lt':
      return other === 0n ? [] : list(other - 1n, other >> 1n, 0n);
    case 'le':
      return list(other, other - 1n, 0n);
    case 'sgt':
      return list(other + 1n, highest);
    case 'sge':
      return list(other, other + 1n, highest);
    case 'slt':
      return list(other - 1n, highest + 1n, mask);
    case 'sle':
      return list(other, other - 1n, highest + 1n, mask);
    case 'set':
      return list(a | (other & -other), a | other, other);
    case 'clear':
      return list(a & ~other, 0n);
  }
}

/** Values of inputs with which an operand would be `target`, of which the lowest `bits` bits count. */
export function invert(operand: Operand, target: bigint, bits: number = 64): Assignment[] {
  const found: Assignment[] = [];
  const effort = { left: MOST_UNDONE };
  const add = (assignment: Assignment): void => {
    if (BigInt.asUintN(bits, evaluate(operand, assignment)) !== BigInt.asUintN(bits, target)) return;
    found.push(assignment);
    if (found.length === MAX_SOLUTIONS) effort.left = 0;
  };
  undo(operand, BigInt.asUintN(bits, target), bits, add, effort);
  return found;
}

type Found = (assignment: Assignment) => void;

/** Nodes that may still be gone through. */
interface Effort {
  left: number;
}

/** @param bits how many of the lowest bits of the value are asked for; the others stay as they were, where there are any */
function undo(operand: Operand, wanted: bigint, bits: number, found: Found, effort: Effort): void {
  if (typeof operand === 'bigint' || effort.left <= 0) return;
  effort.left--;
  const target = bits >= 64 ? wanted & MASK64 : merge(operand.value, wanted, bits);
  if (target === operand.value) {
    found(new Map());
    return;
  }
  if (operand.op === 'binary') {
    undoBinary(operand, target, Math.min(bits, operand.bits), found, effort);
    return;
  }
  switch (operand.op) {
    case 'input': {
      const limit = bitsOf(operand.field);
      const value = target >> BigInt(limit) === 0n ? target : undefined;
      if (value !== undefined) found(new Map([[operand.field, value]]));
      return;
    }
    case 'swap':
      if (target >> BigInt(operand.bits) !== 0n) return;
      undo(operand.of, swapped(target, operand.bits), operand.bits, found, effort);
      return;
    case 'cut':
      if (operand.signedTo === 0 && target >> BigInt(operand.bits) !== 0n) return;
      undo(operand.of, BigInt.asUintN(operand.bits, target), operand.bits, found, effort);
      return;
    case 'byte': {
      const shift = BigInt(8 * operand.index);
      if (target > 0xffn) return;
      undo(operand.of, (operand.of.value & ~(0xffn << shift)) | (target << shift), 64, found, effort);
      return;
    }
    case 'bytes':
      undoBytes(operand.parts, target, found, effort);
      return;
    case 'checksum':
      for (const part of [...operand.to].reverse()) undoWithin(operand, part, target, found);
      return;
  }
}

/** The value with its lowest bits replaced. */
function merge(value: bigint, low: bigint, bits: number): bigint {
  const mask = (1n << BigInt(bits)) - 1n;
  return (value & ~mask & MASK64) | (low & mask);
}

function undoBytes(parts: readonly Operand[], target: bigint, found: Found, effort: Effort): void {
  if (target >> BigInt(8 * parts.length) !== 0n) return;
  const all = new Map<InputField, bigint>();
  for (const [index, part] of parts.entries()) {
    const byte = (target >> BigInt(8 * index)) & 0xffn;
    if (tracedValue(part) === byte) continue;
    let first: Assignment | undefined;
    undo(part, byte, 64, (one) => (first ??= one), effort);
    if (first === undefined) return;
    for (const [field, value] of first) all.set(field, value);
  }
  found(all);
}

/** One part of a sum is chosen byte by byte until the sum is right. */
function undoWithin(whole: Expression, part: Operand, target: bigint, found: Found): void {
  if (typeof part === 'bigint' || part.op !== 'input') return;
  for (let value = 0n; value < 256n; value++) {
    const one = new Map([[part.field, value]]);
    if (evaluate(whole, one) === target) {
      found(one);
      return;
    }
  }
}

/**
 * What the low bits of sums, products and logic are depends on the same low bits of the operands alone: the others are not
 * asked for.
 */
function undoBinary(
  node: Extract<Expression, { op: 'binary' }>,
  target: bigint,
  bits: number,
  found: Found,
  effort: Effort,
): void {
  const { operation, a, b } = node;
  const mask = (1n << BigInt(node.bits)) - 1n;
  if (target > mask) return;
  const x = tracedValue(a) & mask;
  const y = tracedValue(b) & mask;
  const left = (value: bigint): void => undo(a, value & mask, bits, found, effort);
  const right = (value: bigint): void => undo(b, value & mask, bits, found, effort);
  switch (operation) {
    case 'add':
      left(target - y);
      right(target - x);
      return;
    case 'sub':
      left(target + y);
      right(x - target);
      return;
    case 'xor':
      left(target ^ y);
      right(target ^ x);
      return;
    case 'and':
      if (typeof b === 'bigint') {
        if ((target & ~y) === 0n) left((x & ~y) | target);
        return;
      }
      left((x & ~y) | target);
      right((y & ~x) | target);
      return;
    case 'or':
      undoOr(node, target, x, y, found, effort);
      return;
    case 'shl': {
      if (typeof b !== 'bigint') return;
      const shift = Number(y & BigInt(node.bits - 1));
      if (shift >= bits || (target & ((1n << BigInt(shift)) - 1n)) !== 0n) return;
      undo(a, target >> BigInt(shift), bits - shift, found, effort);
      return;
    }
    case 'shr':
    case 'sar': {
      if (typeof b !== 'bigint') return;
      const shift = y & BigInt(node.bits - 1);
      const wide = Math.min(node.bits, bits + Number(shift));
      undo(a, ((target << shift) | (x & ((1n << shift) - 1n))) & mask, wide, found, effort);
      return;
    }
    case 'mul':
      undoProduct(y, target, bits, left);
      if (typeof b !== 'bigint') undoProduct(x, target, bits, right);
      return;
    case 'div':
      if (y !== 0n) undo(a, target * y + (x % y), node.bits, found, effort);
      if (y !== 0n) undo(a, target * y, node.bits, found, effort);
      return;
    case 'mod':
      if (y !== 0n && target < y) {
        undo(a, x - (x % y) + target, node.bits, found, effort);
        undo(a, target, node.bits, found, effort);
      }
  }
}

function undoOr(
  node: Extract<Expression, { op: 'binary' }>,
  target: bigint,
  x: bigint,
  y: bigint,
  found: Found,
  effort: Effort,
): void {
  const { a, b } = node;
  if (typeof a === 'bigint' || typeof b === 'bigint') {
    const constant = typeof a === 'bigint' ? x : y;
    const [rest, value] = typeof a === 'bigint' ? [b, y] : [a, x];
    if ((constant & ~target) === 0n)
      undo(rest, (target & ~constant) | (value & constant), node.bits, found, effort);
    return;
  }
  // Two halves put together: each gets its bits, where they do not overlap.
  const left = possibleBits(a);
  const rightMask = possibleBits(b);
  if ((left & rightMask) !== 0n || (target & ~(left | rightMask)) !== 0n) {
    undo(a, target, node.bits, found, effort);
    return;
  }
  let first: Assignment | undefined;
  let second: Assignment | undefined;
  undo(a, target & left, node.bits, (one) => (first ??= one), effort);
  undo(b, target & rightMask, node.bits, (one) => (second ??= one), effort);
  if (first !== undefined && second !== undefined) found(new Map([...first, ...second]));
}

/** @param bits how many bits of the product are asked for */
function undoProduct(factor: bigint, target: bigint, bits: number, found: (value: bigint) => void): void {
  const modulus = 1n << BigInt(bits);
  const low = target % modulus;
  if (factor % modulus === 0n) return;
  if ((factor & 1n) === 1n) found((low * inverseOf(factor)) % modulus);
  else if (low % factor === 0n) found(low / factor);
}

/** Of an odd number, modulo 2^64: each round of Newton's method doubles the bits that are right. */
function inverseOf(odd: bigint): bigint {
  let inverse = odd;
  for (let round = 0; round < 6; round++) inverse = (inverse * (2n - odd * inverse)) & MASK64;
  return inverse;
}

/** Goes through the bytes of the inputs, one after the other, and keeps what brings both sides nearer to each other. */
function search(
  a: Operand,
  b: Operand,
  bits: 32 | 64,
  wanted: Comparison,
  choosable: Choosable,
  onSearch: (nodes: number) => void,
): Assignment | undefined {
  const fields = [...fieldsOf(a, fieldsOf(b))]
    .filter((field) => choosable(field) && bitsOf(field) === 8)
    .slice(-16);
  if (fields.length === 0) return undefined;
  let best: Assignment = new Map();
  const nodes = sizeOf(a) + sizeOf(b);
  const distance = (one: Assignment): bigint | undefined => {
    onSearch(nodes);
    const x = BigInt.asUintN(bits, evaluate(a, one));
    const y = BigInt.asUintN(bits, evaluate(b, one));
    return holds(wanted, bits, x, y) ? undefined : x > y ? x - y : y - x;
  };
  let least = distance(best);
  let left = SEARCH_EVALUATIONS;
  while (least !== undefined && left > 0) {
    const before: bigint = least;
    for (const field of fields) {
      for (let value = 0n; value < 256n && left > 0; value++, left--) {
        const one = new Map([...best, [field, value] as const]);
        const now = distance(one);
        if (now === undefined) return one;
        if (now >= least) continue;
        least = now;
        best = one;
      }
    }
    if (least === before) return undefined;
  }
  return undefined;
}
