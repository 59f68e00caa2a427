/**
 * Looks for values that satisfy conditions by changing ones that nearly do: the cheap way to a packet that takes the
 * other way at a jump. It finds most of them; that it finds none means nothing.
 */
import { Evaluator } from './evaluate.ts';
import type { Constraint } from './knowledge.ts';
import { type Assignment, allOnes, hasMoreTerms, isConst, type Term, unknownsOf } from './term.ts';

/** Changes of values that make a condition true; several ways, the likeliest first. */
type Way = ReadonlyMap<Term, bigint>;

/** Of a condition, for which values are looked for here. */
const MOST_TERMS = 2_000;

/** Terms that are gone into, and ways that are tried: each sum inside another doubles how many there are. */
const MOST_STEPS = 2_000;

/** What looking for values may still cost. */
class Effort {
  #left = MOST_STEPS;

  /** @returns false: enough was tried */
  spend(): boolean {
    return this.#left-- > 0;
  }
}

/** @returns values under which the condition and all constraints hold; undefined where none was found */
export function repair(
  constraints: readonly Constraint[],
  condition: Term,
  assignment: Assignment,
): Map<Term, bigint> | undefined {
  // What is this large, changes of a few values do not turn, and each try costs as much as the solver.
  if (hasMoreTerms(condition, MOST_TERMS)) return undefined;
  const effort = new Effort();
  for (const way of waysTo(condition, true, assignment, effort)) {
    const changed = new Map(assignment);
    for (const [unknown, value] of way) changed.set(unknown, value);
    if (settleRest(constraints, condition, changed, new Set(way.keys()), 3, effort)) return changed;
  }
  return undefined;
}

/** Do all conditions hold, perhaps after further changes that leave `fixed` as it is? */
function settleRest(
  constraints: readonly Constraint[],
  condition: Term,
  values: Map<Term, bigint>,
  fixed: Set<Term>,
  depth: number,
  effort: Effort,
): boolean {
  if (!effort.spend()) return false;
  const evaluator = new Evaluator(values);
  if (!evaluator.isTrue(condition)) return false;
  const broken = constraints.find((one) => !evaluator.isTrue(one.condition));
  if (broken === undefined) return true;
  if (depth === 0) return false;
  for (const way of waysTo(broken.condition, true, values, effort)) {
    if ([...way.keys()].some((one) => fixed.has(one))) continue;
    const before = new Map(values);
    for (const [unknown, value] of way) {
      values.set(unknown, value);
      fixed.add(unknown);
    }
    if (settleRest(constraints, condition, values, fixed, depth - 1, effort)) return true;
    values.clear();
    for (const [unknown, value] of before) values.set(unknown, value);
    for (const unknown of way.keys()) fixed.delete(unknown);
  }
  return false;
}

function* waysTo(condition: Term, holds: boolean, values: Assignment, effort: Effort): Generator<Way> {
  if (!effort.spend()) return;
  const [a, b] = condition.operands;
  switch (condition.operation) {
    case 'var':
      yield new Map([[condition, holds ? 1n : 0n]]);
      return;
    case 'extract':
      yield* force(condition, holds ? 1n : 0n, values, effort);
      return;
    case 'xor':
      if (isConst(b!) && b!.value === 1n) yield* waysTo(a!, !holds, values, effort);
      return;
    case 'and':
    case 'or':
      if (holds === (condition.operation === 'and')) yield* both(a!, b!, holds, values, effort);
      else {
        yield* waysTo(a!, holds, values, effort);
        yield* waysTo(b!, holds, values, effort);
      }
      return;
    case 'ite':
      yield* both(a!, condition.operands[1]!, holds, values, effort);
      return;
    case 'eq': {
      const evaluator = new Evaluator(values);
      if (holds) {
        yield* force(a!, evaluator.value(b!), values, effort);
        yield* force(b!, evaluator.value(a!), values, effort);
      } else {
        const all = allOnes(a!.width);
        for (const step of [1n, 2n, 0x11n]) {
          yield* force(a!, (evaluator.value(b!) + step) & all, values, effort);
          yield* force(b!, (evaluator.value(a!) + step) & all, values, effort);
        }
      }
      return;
    }
    case 'ult': {
      const evaluator = new Evaluator(values);
      const [x, y] = [evaluator.value(a!), evaluator.value(b!)];
      const all = allOnes(a!.width);
      if (holds) {
        if (y > 0n) {
          yield* force(a!, y - 1n, values, effort);
          yield* force(a!, 0n, values, effort);
          if (y > 1n) yield* force(a!, y / 2n, values, effort);
        }
        if (x < all) yield* force(b!, x + 1n, values, effort);
        yield* force(b!, b!.max, values, effort);
      } else {
        yield* force(a!, y, values, effort);
        yield* force(b!, x, values, effort);
        yield* force(a!, a!.max, values, effort);
        yield* force(b!, 0n, values, effort);
      }
      return;
    }
    case 'slt': {
      const evaluator = new Evaluator(values);
      const { width } = a!;
      const half = 1n << BigInt(width - 1);
      for (const value of [0n, 1n, half, half - 1n, allOnes(width)]) {
        yield* force(a!, value, values, effort);
        yield* force(b!, value, values, effort);
      }
      yield* force(a!, evaluator.value(b!), values, effort);
      return;
    }
    default:
  }
}

function* both(a: Term, b: Term, holds: boolean, values: Assignment, effort: Effort): Generator<Way> {
  for (const first of waysToOrNone(a, holds, values, effort)) {
    const merged = new Map(values);
    for (const [unknown, value] of first) merged.set(unknown, value);
    for (const second of waysToOrNone(b, holds, merged, effort)) yield new Map([...first, ...second]);
  }
}

/** Nothing to do is a way, too. */
function* waysToOrNone(condition: Term, holds: boolean, values: Assignment, effort: Effort): Generator<Way> {
  if (new Evaluator(values).isTrue(condition) === holds) yield new Map();
  else yield* waysTo(condition, holds, values, effort);
}

/** Ways to make a term worth `value`. */
function* force(term: Term, value: bigint, values: Assignment, effort: Effort): Generator<Way> {
  if (!effort.spend()) return;
  if (value < 0n || value > term.max || value < term.min || (value & ~term.maybe) !== 0n) return;
  const { operands } = term;
  switch (term.operation) {
    case 'const':
      if (term.value === value) yield new Map();
      return;
    case 'var':
      yield new Map([[term, value]]);
      return;
    case 'extract': {
      const whole = operands[0]!;
      const before = new Evaluator(values).value(whole);
      const mask = allOnes(term.width) << BigInt(term.low);
      yield* force(whole, (before & ~mask) | (value << BigInt(term.low)), values, effort);
      return;
    }
    case 'concat': {
      let rest = value;
      let ways: Way[] = [new Map()];
      const merged = new Map(values);
      for (const one of [...operands].reverse()) {
        const part = rest & allOnes(one.width);
        rest >>= BigInt(one.width);
        const [first] = force(one, part, merged, effort);
        if (first === undefined) return;
        for (const [unknown, chosen] of first) merged.set(unknown, chosen);
        ways = [new Map([...ways[0]!, ...first])];
      }
      yield ways[0]!;
      return;
    }
    case 'xor':
      if (isConst(operands[1]!)) yield* force(operands[0]!, value ^ operands[1]!.value, values, effort);
      return;
    case 'and':
      if (isConst(operands[1]!)) {
        const mask = operands[1]!.value;
        const before = new Evaluator(values).value(operands[0]!);
        yield* force(operands[0]!, (before & ~mask) | value, values, effort);
      }
      return;
    case 'sext':
      yield* force(operands[0]!, value & allOnes(operands[0]!.width), values, effort);
      return;
    case 'sum': {
      const evaluator = new Evaluator(values);
      const all = allOnes(term.width);
      for (const [index, one] of operands.entries()) {
        const factor = term.factors[index]!;
        if (factor !== 1n && factor !== all) continue;
        const others = (evaluator.value(term) - factor * evaluator.value(one)) & all;
        const wanted = factor === 1n ? (value - others) & all : (others - value) & all;
        yield* force(one, wanted, values, effort);
      }
      return;
    }
    case 'ite': {
      const condition = new Evaluator(values).isTrue(operands[0]!);
      yield* force(operands[condition ? 1 : 2]!, value, values, effort);
      return;
    }
    default:
  }
}

/** Conditions that hang together with one through unknowns that they share, it included. */
export function connected(constraints: readonly Constraint[], condition: Term): Constraint[] {
  const unknowns = new Set(unknownsOf(condition));
  const chosen = new Set<Constraint>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const one of constraints) {
      if (chosen.has(one)) continue;
      const own = unknownsOf(one.condition);
      let shares = false;
      for (const each of own) if (unknowns.has(each)) shares = true;
      if (!shares) continue;
      chosen.add(one);
      for (const each of own) unknowns.add(each);
      grew = true;
    }
  }
  return constraints.filter((one) => chosen.has(one));
}
