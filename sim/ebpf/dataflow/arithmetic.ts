/** Arithmetic instructions and comparisons as expressions. */
import {
  BPF_ADD,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_END,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_TO_BE,
  BPF_X,
  BPF_XOR,
  CLASS_MASK,
  type Instructions,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { type BinaryOperation, binary, cut, type Operand, swap } from './expression.ts';
import type { Comparison } from './flow-trace.ts';

/**
 * What is in the destination after an instruction of the classes BPF_ALU and BPF_ALU64.
 * @param a what is in the destination before
 * @param b what is in the source register, where there is one
 * @returns undefined where no expression says it
 */
export function arithmeticOf(
  { opcode, dst, src, imm, offset }: Instructions,
  pc: number,
  a: Operand,
  b: Operand,
): Operand | undefined {
  const code = opcode[pc]!;
  const isRegister = (code & SOURCE_MASK) === BPF_X;
  const operation = code & OPERATION_MASK;
  const bits = (code & CLASS_MASK) === BPF_ALU64 ? 64 : 32;
  const right = isRegister ? b : BigInt.asUintN(64, BigInt(imm[pc]!));
  const isSigned = offset[pc] !== 0;
  switch (operation) {
    case BPF_MOV:
      if (isSigned) return cut(right, offset[pc]!, bits);
      return bits === 32 ? cut(right, 32) : right;
    case BPF_END: {
      const width = imm[pc]! as 16 | 32 | 64;
      const swaps = bits === 64 || (code & SOURCE_MASK) === BPF_TO_BE;
      return swaps ? swap(width, a) : cut(a, width);
    }
    case BPF_NEG:
      return binary('sub', bits, 0n, a);
    case BPF_DIV:
    case BPF_MOD:
      if (isSigned) return undefined;
      break;
    case BPF_SUB:
    case BPF_XOR:
      // A register less itself is 0 whatever is in it.
      if (isRegister && src[pc] === dst[pc]) return 0n;
      break;
    default:
  }
  const name = OPERATIONS.get(operation);
  return name === undefined ? undefined : binary(name, bits, a, right);
}

const OPERATIONS: ReadonlyMap<number, BinaryOperation> = new Map([
  [BPF_ADD, 'add'],
  [BPF_SUB, 'sub'],
  [BPF_MUL, 'mul'],
  [BPF_DIV, 'div'],
  [BPF_MOD, 'mod'],
  [BPF_AND, 'and'],
  [BPF_OR, 'or'],
  [BPF_XOR, 'xor'],
  [BPF_LSH, 'shl'],
  [BPF_RSH, 'shr'],
  [BPF_ARSH, 'sar'],
]);

/** What conditional jumps compare, by their operation. */
export const COMPARISONS: ReadonlyMap<number, Comparison> = new Map([
  [BPF_JEQ, 'eq'],
  [BPF_JNE, 'ne'],
  [BPF_JGT, 'gt'],
  [BPF_JGE, 'ge'],
  [BPF_JLT, 'lt'],
  [BPF_JLE, 'le'],
  [BPF_JSGT, 'sgt'],
  [BPF_JSGE, 'sge'],
  [BPF_JSLT, 'slt'],
  [BPF_JSLE, 'sle'],
  [BPF_JSET, 'set'],
]);
