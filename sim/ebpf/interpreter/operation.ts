/**
 * The interpreter's own operations, and how it decodes programs into them.
 *
 * Every constant, immediate or address, becomes a register of its own behind r0 to r10, so that each operation
 * exists once: `r1 += 14` is `r1 += r17`, with r17 = 14 for good. An instruction is a word
 * and, in an array of its own, what not every operation reads:
 *
 * ```
 *   31               16 15        8 7         0      31                                0
 *   ┌──────────────────┬───────────┬───────────┐     ┌──────────────────────────────────┐
 *   │ src              │ dst       │ operation │     │ offset, jump target or argument  │
 *   └──────────────────┴───────────┴───────────┘     └──────────────────────────────────┘
 * ```
 *
 * Rows lie at the instruction's own slot; the second slot of a 16-byte instruction is empty.
 */
import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC,
  BPF_B,
  BPF_CALL,
  BPF_DIV,
  BPF_DW,
  BPF_END,
  BPF_EXIT,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JCOND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LD,
  BPF_LDX,
  BPF_LSH,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TO_BE,
  BPF_W,
  BPF_X,
  BPF_XOR,
  CLASS_MASK,
  callTarget,
  type Instructions,
  jumpTarget,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SIZE_MASK,
  SOURCE_MASK,
} from '../instruction.ts';

/** Operations. The main loop names them by these numbers. */
export const OP = {
  ADD64: 0,
  SUB64: 1,
  MUL64: 2,
  DIV64: 3,
  OR64: 4,
  AND64: 5,
  LSH64: 6,
  RSH64: 7,
  NEG64: 8,
  MOD64: 9,
  XOR64: 10,
  MOV64: 11,
  ARSH64: 12,
  SDIV64: 13,
  SMOD64: 14,
  MOVSX64: 15,
  ADD32: 16,
  SUB32: 17,
  MUL32: 18,
  DIV32: 19,
  OR32: 20,
  AND32: 21,
  LSH32: 22,
  RSH32: 23,
  NEG32: 24,
  MOD32: 25,
  XOR32: 26,
  MOV32: 27,
  ARSH32: 28,
  SDIV32: 29,
  SMOD32: 30,
  MOVSX32: 31,
  /** Argument: bits. */
  TO_LE: 32,
  BSWAP: 33,
  /** A 16-byte load: a move from a constant, and a step over the second slot. */
  LDDW: 34,
  JA: 35,
  JEQ: 36,
  JNE: 37,
  JGT: 38,
  JGE: 39,
  JLT: 40,
  JLE: 41,
  JSET: 42,
  JSGT: 43,
  JSGE: 44,
  JSLT: 45,
  JSLE: 46,
  JEQ32: 47,
  JNE32: 48,
  JGT32: 49,
  JGE32: 50,
  JLT32: 51,
  JLE32: 52,
  JSET32: 53,
  JSGT32: 54,
  JSGE32: 55,
  JSLT32: 56,
  JSLE32: 57,
  LOAD8: 58,
  LOAD16: 59,
  LOAD32: 60,
  LOAD64: 61,
  LOADS8: 62,
  LOADS16: 63,
  LOADS32: 64,
  STORE8: 65,
  STORE16: 66,
  STORE32: 67,
  STORE64: 68,
  /** Argument: the slot, where the rest is looked up. */
  ATOMIC: 69,
  /** Argument: the number of the helper. */
  CALL: 70,
  /** Argument: the first slot of the function. */
  CALL_LOCAL: 71,
  /** Argument: index into the object's kernel functions. */
  CALL_KERNEL: 72,
  EXIT: 73,
  MAY_GOTO: 74,
  /** `BPF_LD | BPF_ABS` and `BPF_IND`: argument: the slot. */
  LOAD_PACKET: 75,
} as const;

const ARITHMETIC: ReadonlyMap<number, number> = new Map([
  [BPF_ADD, OP.ADD64],
  [BPF_SUB, OP.SUB64],
  [BPF_MUL, OP.MUL64],
  [BPF_DIV, OP.DIV64],
  [BPF_OR, OP.OR64],
  [BPF_AND, OP.AND64],
  [BPF_LSH, OP.LSH64],
  [BPF_RSH, OP.RSH64],
  [BPF_NEG, OP.NEG64],
  [BPF_MOD, OP.MOD64],
  [BPF_XOR, OP.XOR64],
  [BPF_MOV, OP.MOV64],
  [BPF_ARSH, OP.ARSH64],
]);

const JUMPS: ReadonlyMap<number, number> = new Map([
  [BPF_JEQ, OP.JEQ],
  [BPF_JNE, OP.JNE],
  [BPF_JGT, OP.JGT],
  [BPF_JGE, OP.JGE],
  [BPF_JLT, OP.JLT],
  [BPF_JLE, OP.JLE],
  [BPF_JSET, OP.JSET],
  [BPF_JSGT, OP.JSGT],
  [BPF_JSGE, OP.JSGE],
  [BPF_JSLT, OP.JSLT],
  [BPF_JSLE, OP.JSLE],
]);

const SIZES: readonly number[] = [BPF_B, BPF_H, BPF_W, BPF_DW];

/** From 64-bit to 32-bit arithmetic, from 64-bit to 32-bit jumps. */
const ALU32: number = OP.ADD32 - OP.ADD64;
const JUMP32: number = OP.JEQ32 - OP.JEQ;

/** The first register that is a constant. */
export const FIRST_CONSTANT = 16;

/** Hands out registers for constants. */
export interface ConstantPool {
  /** A 64-bit number that the verifier knows. */
  number(low: number, high: number): number;
  /** The pointer to a map. */
  map(index: number): number;
  /** A pointer into the first value of a map. */
  mapValue(index: number, offset: number): number;
  /** The address of a function of the program: its slot. */
  function(slot: number): number;
  /** The per-CPU address of a variable of the kernel. */
  kernelVariable(index: number): number;
}

/** A program as the main loop reads it: of each slot a word, and what not every operation needs. */
export interface Operations {
  readonly words: Int32Array;
  readonly operands: Int32Array;
}

export function decodeOperations(program: Instructions, pool: ConstantPool): Operations {
  const words = new Int32Array(program.count);
  const operands = new Int32Array(program.count);
  for (let slot = 0; slot < program.count; slot++) {
    const row = decodeOne(program, slot, pool);
    words[slot] = row.operation | (row.dst << 8) | (row.src << 16);
    operands[slot] = row.argument;
    if (program.opcode[slot] === LDDW) slot++;
  }
  return { words, operands };
}

interface Row {
  readonly operation: number;
  readonly dst: number;
  readonly src: number;
  readonly argument: number;
}

function decodeOne(program: Instructions, slot: number, pool: ConstantPool): Row {
  const opcode = program.opcode[slot]!;
  const dst = program.dst[slot]!;
  const offset = program.offset[slot]!;
  const imm = program.imm[slot]!;
  const operandClass = opcode & CLASS_MASK;
  switch (operandClass) {
    case BPF_ALU:
    case BPF_ALU64:
      return decodeArithmetic(program, slot, pool);
    case BPF_JMP:
    case BPF_JMP32:
      return decodeJump(program, slot, pool);
    case BPF_LDX: {
      const sign = (opcode & MODE_MASK) === BPF_MEMSX ? OP.LOADS8 - OP.LOAD8 : 0;
      const operation = OP.LOAD8 + SIZES.indexOf(opcode & SIZE_MASK) + sign;
      return { operation, dst, src: program.src[slot]!, argument: offset };
    }
    case BPF_ST: {
      const operation = OP.STORE8 + SIZES.indexOf(opcode & SIZE_MASK);
      return { operation, dst, src: pool.number(imm, imm >> 31), argument: offset };
    }
    case BPF_STX: {
      const src = program.src[slot]!;
      if ((opcode & MODE_MASK) === BPF_ATOMIC) return { operation: OP.ATOMIC, dst, src, argument: slot };
      return { operation: OP.STORE8 + SIZES.indexOf(opcode & SIZE_MASK), dst, src, argument: offset };
    }
    case BPF_LD: {
      if ((opcode & MODE_MASK) !== BPF_IMM) {
        const src = (opcode & MODE_MASK) === BPF_IND ? program.src[slot]! : pool.number(0, 0);
        return { operation: OP.LOAD_PACKET, dst: 0, src, argument: slot };
      }
      return { operation: OP.LDDW, dst, src: wideConstant(program, slot, pool), argument: 0 };
    }
    default:
      throw new RangeError(`instruction ${slot}: opcode ${opcode} has no class`);
  }
}

function wideConstant(program: Instructions, slot: number, pool: ConstantPool): number {
  const low = program.imm[slot]!;
  const high = program.imm[slot + 1]!;
  switch (program.src[slot]) {
    case BPF_PSEUDO_MAP_FD:
      return pool.map(low);
    case BPF_PSEUDO_MAP_VALUE:
      return pool.mapValue(low, high);
    case BPF_PSEUDO_BTF_ID:
      return pool.kernelVariable(low);
    case BPF_PSEUDO_FUNC:
      return pool.function(callTarget(program, slot));
    default:
      return pool.number(low, high);
  }
}

function decodeArithmetic(program: Instructions, slot: number, pool: ConstantPool): Row {
  const opcode = program.opcode[slot]!;
  const dst = program.dst[slot]!;
  const offset = program.offset[slot]!;
  const imm = program.imm[slot]!;
  const wide = (opcode & CLASS_MASK) === BPF_ALU64;
  const fromRegister = (opcode & SOURCE_MASK) === BPF_X;
  const kind = opcode & OPERATION_MASK;
  if (kind === BPF_END) {
    const swaps = wide || (opcode & SOURCE_MASK) === BPF_TO_BE;
    return { operation: swaps ? OP.BSWAP : OP.TO_LE, dst, src: dst, argument: imm };
  }
  const src = kind === BPF_NEG ? dst : fromRegister ? program.src[slot]! : pool.number(imm, imm >> 31);
  let operation = ARITHMETIC.get(kind)!;
  if (offset !== 0) {
    if (kind === BPF_DIV) operation = OP.SDIV64;
    else if (kind === BPF_MOD) operation = OP.SMOD64;
    else if (kind === BPF_MOV) operation = OP.MOVSX64;
  }
  return { operation: operation + (wide ? 0 : ALU32), dst, src, argument: offset };
}

function decodeJump(program: Instructions, slot: number, pool: ConstantPool): Row {
  const opcode = program.opcode[slot]!;
  const dst = program.dst[slot]!;
  const imm = program.imm[slot]!;
  const kind = opcode & OPERATION_MASK;
  const narrow = (opcode & CLASS_MASK) === BPF_JMP32;
  switch (kind) {
    case BPF_JA:
      return { operation: OP.JA, dst: 0, src: 0, argument: jumpTarget(program, slot) };
    case BPF_JCOND:
      return { operation: OP.MAY_GOTO, dst: 0, src: 0, argument: jumpTarget(program, slot) };
    case BPF_EXIT:
      return { operation: OP.EXIT, dst: 0, src: 0, argument: 0 };
    case BPF_CALL: {
      const src = program.src[slot]!;
      if (src === BPF_PSEUDO_CALL) {
        return { operation: OP.CALL_LOCAL, dst: 0, src: 0, argument: callTarget(program, slot) };
      }
      const operation = src === BPF_PSEUDO_KFUNC_CALL ? OP.CALL_KERNEL : OP.CALL;
      return { operation, dst: 0, src: 0, argument: imm };
    }
    default: {
      const src = (opcode & SOURCE_MASK) === BPF_X ? program.src[slot]! : pool.number(imm, imm >> 31);
      const operation = JUMPS.get(kind)! + (narrow ? JUMP32 : 0);
      return { operation, dst, src, argument: jumpTarget(program, slot) };
    }
  }
}
