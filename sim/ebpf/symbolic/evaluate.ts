/** What a term is worth where its unknowns are known: the meaning that simplification, solver and machine must share. */
import { type Assignment, allOnes, signed, type Term } from './term.ts';

/** Evaluates terms under one assignment; each term once. */
export class Evaluator {
  readonly #assignment: Assignment;
  readonly #values = new Map<Term, bigint>();

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
  }

  /** Unsigned, below 2^width. */
  value(term: Term): bigint {
    if (term.operation === 'const') return term.value;
    if (term.operation === 'var') return this.#assignment.get(term) ?? 0n;
    const known = this.#values.get(term);
    if (known !== undefined) return known;
    const value = this.#compute(term);
    this.#values.set(term, value);
    return value;
  }

  isTrue(condition: Term): boolean {
    return this.value(condition) === 1n;
  }

  #compute(term: Term): bigint {
    const { operands, width } = term;
    if (term.operation === 'ite') return this.value(operands[this.value(operands[0]!) === 1n ? 1 : 2]!);
    return applyOperation(
      term,
      operands.map((one) => this.value(one)),
      width,
    );
  }
}

/**
 * The result of a term's operation on values of its operands.
 * @param term says what is done; its own operands are asked for their widths only
 */
export function applyOperation(term: Term, values: readonly bigint[], width: number = term.width): bigint {
  const a = values[0] ?? 0n;
  const b = values[1] ?? 0n;
  const mask = allOnes(width);
  const operandWidth = term.operands[0]?.width ?? width;
  switch (term.operation) {
    case 'const':
      return term.value;
    case 'sum': {
      let sum = term.value;
      for (let index = 0; index < values.length; index++) sum += term.factors[index]! * values[index]!;
      return sum & mask;
    }
    case 'mul':
      return (a * b) & mask;
    case 'udiv':
      return b === 0n ? 0n : a / b;
    case 'urem':
      return b === 0n ? a : a % b;
    case 'sdiv':
      return b === 0n ? 0n : BigInt.asUintN(width, signed(width, a) / signed(width, b));
    case 'srem':
      return b === 0n ? a : BigInt.asUintN(width, signed(width, a) % signed(width, b));
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'shl':
      return (a << (b & BigInt(width - 1))) & mask;
    case 'lshr':
      return a >> (b & BigInt(width - 1));
    case 'ashr':
      return BigInt.asUintN(width, signed(width, a) >> (b & BigInt(width - 1)));
    case 'concat': {
      let all = 0n;
      for (let index = 0; index < values.length; index++) {
        all = (all << BigInt(term.operands[index]!.width)) | values[index]!;
      }
      return all;
    }
    case 'extract':
      return (a >> BigInt(term.low)) & mask;
    case 'sext':
      return BigInt.asUintN(width, signed(operandWidth, a));
    case 'ite':
      return a === 1n ? b : values[2]!;
    case 'eq':
      return a === b ? 1n : 0n;
    case 'ult':
      return a < b ? 1n : 0n;
    case 'slt':
      return signed(operandWidth, a) < signed(operandWidth, b) ? 1n : 0n;
    case 'var':
      throw new RangeError(`${term.name} is an unknown: it has no operands`);
  }
}
