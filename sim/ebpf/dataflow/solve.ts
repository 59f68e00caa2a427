/**
 * Solves a condition for one of its inputs: undoes what was computed from it (`invert`), and where that does not lead anywhere, searches
 * byte by byte.
 */
import {
  type Assignment,
  evaluate,
  fieldsOf,
  type Operand,
  possibleBits,
  sizeOf,
  tracedValue,
} from './expression.ts';
import { type Comparison, type FlowBranch, holds, mirrored, oppositeOf } from './flow-trace.ts';
import { bitsOf, type InputField } from './inputs.ts';
import { invert } from './invert.ts';
import { isSum, solveDigits } from './solve-digits.ts';

/** Inputs that somebody can choose: all but those that calls yield. */
export type Choosable = (field: InputField) => boolean;

/** All values that an input can be given, as signed numbers, where they are few; undefined: any that fits. */
export type Choices = (field: InputField) => readonly bigint[] | undefined;

const anyThatFits: Choices = () => undefined;

const MASK64 = 0xffff_ffff_ffff_ffffn;

/** Assignments are tried in the order in which they come; so many are enough. */
const MAX_SOLUTIONS = 6;

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
