/** Arithmetic, byte swaps and comparisons as WebAssembly. */
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
  BPF_JMP,
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
  BPF_TO_LE,
  BPF_X,
  BPF_XOR,
  CLASS_MASK,
  type Instructions,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM } from './opcodes.ts';

/** Operations that WebAssembly has just so: 64-bit and 32-bit. Shifts take their count modulo the width in both. */
const PLAIN: ReadonlyMap<number, readonly [number, number]> = new Map([
  [BPF_ADD, [WASM.i64_add, WASM.i32_add]],
  [BPF_SUB, [WASM.i64_sub, WASM.i32_sub]],
  [BPF_MUL, [WASM.i64_mul, WASM.i32_mul]],
  [BPF_OR, [WASM.i64_or, WASM.i32_or]],
  [BPF_AND, [WASM.i64_and, WASM.i32_and]],
  [BPF_XOR, [WASM.i64_xor, WASM.i32_xor]],
  [BPF_LSH, [WASM.i64_shl, WASM.i32_shl]],
  [BPF_RSH, [WASM.i64_shr_u, WASM.i32_shr_u]],
  [BPF_ARSH, [WASM.i64_shr_s, WASM.i32_shr_s]],
]);

const COMPARISONS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [BPF_JEQ, [WASM.i64_eq, WASM.i32_eq]],
  [BPF_JNE, [WASM.i64_ne, WASM.i32_ne]],
  [BPF_JGT, [WASM.i64_gt_u, WASM.i32_gt_u]],
  [BPF_JGE, [WASM.i64_ge_u, WASM.i32_ge_u]],
  [BPF_JLT, [WASM.i64_lt_u, WASM.i32_lt_u]],
  [BPF_JLE, [WASM.i64_le_u, WASM.i32_le_u]],
  [BPF_JSGT, [WASM.i64_gt_s, WASM.i32_gt_s]],
  [BPF_JSGE, [WASM.i64_ge_s, WASM.i32_ge_s]],
  [BPF_JSLT, [WASM.i64_lt_s, WASM.i32_lt_s]],
  [BPF_JSLE, [WASM.i64_le_s, WASM.i32_le_s]],
]);

export function compileArithmetic(writer: FunctionWriter, instructions: Instructions, slot: number): void {
  const opcode = instructions.opcode[slot]!;
  const operation = opcode & OPERATION_MASK;
  const dst = instructions.dst[slot]!;
  const wide = (opcode & CLASS_MASK) === BPF_ALU64;
  switch (operation) {
    case BPF_MOV:
      compileMove(writer, instructions, slot, wide);
      return;
    case BPF_NEG:
      if (wide) writer.code.i64(0);
      else writer.code.i32(0);
      writer.push(dst, wide);
      writer.code.op(wide ? WASM.i64_sub : WASM.i32_sub);
      writer.pop(dst, wide);
      return;
    case BPF_END:
      if (!wide && (opcode & SOURCE_MASK) === BPF_TO_LE) truncate(writer, dst, instructions.imm[slot]!);
      else swap(writer, dst, instructions.imm[slot]!);
      return;
    case BPF_DIV:
    case BPF_MOD:
      compileDivision(writer, instructions, slot, wide);
      return;
    default: {
      writer.push(dst, wide);
      pushOperand(writer, instructions, slot, wide);
      writer.code.op(PLAIN.get(operation)![wide ? 0 : 1]!);
      writer.pop(dst, wide);
    }
  }
}

/** The second operand: src or imm, whose sign is extended. */
function pushOperand(writer: FunctionWriter, instructions: Instructions, slot: number, wide: boolean): void {
  const imm = instructions.imm[slot]!;
  if ((instructions.opcode[slot]! & SOURCE_MASK) === BPF_X) writer.push(instructions.src[slot]!, wide);
  else if (wide) writer.code.i64(imm);
  else writer.code.i32(imm);
}

function compileMove(writer: FunctionWriter, instructions: Instructions, slot: number, wide: boolean): void {
  const bits = instructions.offset[slot]!;
  pushOperand(writer, instructions, slot, wide);
  if (bits === 8) writer.code.op(wide ? WASM.i64_extend8_s : WASM.i32_extend8_s);
  else if (bits === 16) writer.code.op(wide ? WASM.i64_extend16_s : WASM.i32_extend16_s);
  else if (bits === 32) writer.code.op(WASM.i64_extend32_s);
  writer.pop(instructions.dst[slot]!, wide);
}

/**
 * RFC 9669 §4.1: by zero the quotient is 0 and the remainder the dividend; the smallest number by −1 is itself,
 * with remainder 0. WebAssembly stops at the first and, for the quotient, at the second.
 */
function compileDivision(
  writer: FunctionWriter,
  instructions: Instructions,
  slot: number,
  wide: boolean,
): void {
  const { code } = writer;
  const opcode = instructions.opcode[slot]!;
  const dst = instructions.dst[slot]!;
  const imm = instructions.imm[slot]!;
  const isRemainder = (opcode & OPERATION_MASK) === BPF_MOD;
  const signed = instructions.offset[slot] === 1;
  const operation = wide
    ? [WASM.i64_div_u, WASM.i64_div_s, WASM.i64_rem_u, WASM.i64_rem_s]
    : [WASM.i32_div_u, WASM.i32_div_s, WASM.i32_rem_u, WASM.i32_rem_s];
  const divide = operation[(isRemainder ? 2 : 0) + (signed ? 1 : 0)]!;
  const constant = (opcode & SOURCE_MASK) !== BPF_X;
  if (constant && (imm !== -1 || !signed)) {
    writer.push(dst, wide);
    pushOperand(writer, instructions, slot, wide);
    code.op(divide);
    writer.pop(dst, wide);
    return;
  }
  const zero = (): void => {
    if (wide) code.i64(0);
    else code.i32(0);
  };
  // Divided by 1 instead where the divisor would stop it; then the result is chosen.
  const negates = signed && !isRemainder;
  const isZero = wide ? WASM.i64_eqz : WASM.i32_eqz;
  const divisor = wide ? writer.wideTemporary : writer.temporary;
  pushOperand(writer, instructions, slot, wide);
  code.set(divisor);
  if (negates) {
    code.get(divisor);
    if (wide) code.i64(-1).op(WASM.i64_eq);
    else code.i32(-1).op(WASM.i32_eq);
    code.if();
    zero();
    writer.push(dst, wide);
    code.op(wide ? WASM.i64_sub : WASM.i32_sub);
    writer.pop(dst, wide);
    code.else();
  }
  code.get(divisor).op(isZero).if();
  if (isRemainder) {
    if (!wide) {
      writer.push(dst, false);
      writer.pop(dst, false);
    }
  } else {
    zero();
    writer.pop(dst, wide);
  }
  code.else();
  writer.push(dst, wide);
  code.get(divisor).op(divide);
  writer.pop(dst, wide);
  code.end();
  if (negates) code.end();
}

/** To little-endian, which it is: only the width counts. */
function truncate(writer: FunctionWriter, dst: number, bits: number): void {
  if (bits === 64) return;
  writer.push(dst, false);
  if (bits === 16) writer.code.i32(0xffff).op(WASM.i32_and);
  writer.pop(dst, false);
}

function swap(writer: FunctionWriter, dst: number, bits: number): void {
  const { code } = writer;
  if (bits === 64) {
    swapWide(writer, dst);
    return;
  }
  writer.push(dst, false);
  code.set(writer.temporary);
  swapWord(writer);
  if (bits === 16) code.i32(16).op(WASM.i32_shr_u);
  writer.pop(dst, false);
}

/** The temporary's bytes in reverse order, on the stack. */
function swapWord(writer: FunctionWriter): void {
  const { code, temporary } = writer;
  code.get(temporary).i32(8).op(WASM.i32_rotl).i32(0x00ff_00ff).op(WASM.i32_and);
  code.get(temporary).i32(8).op(WASM.i32_rotr).i32(0xff00_ff00).op(WASM.i32_and);
  code.op(WASM.i32_or);
}

function swapWide(writer: FunctionWriter, dst: number): void {
  const { code, temporary } = writer;
  writer.push(dst, false);
  code.set(temporary);
  swapWord(writer);
  code.op(WASM.i64_extend_i32_u).i64(32).op(WASM.i64_shl);
  writer.push(dst, true);
  code.i64(32).op(WASM.i64_shr_u).op(WASM.i32_wrap_i64).set(temporary);
  swapWord(writer);
  code.op(WASM.i64_extend_i32_u).op(WASM.i64_or);
  writer.pop(dst, true);
}

/** Leaves an i32 that is not 0 where the jump at `slot` is taken. */
export function compileComparison(writer: FunctionWriter, instructions: Instructions, slot: number): void {
  const opcode = instructions.opcode[slot]!;
  const operation = opcode & OPERATION_MASK;
  const wide = (opcode & CLASS_MASK) === BPF_JMP;
  writer.push(instructions.dst[slot]!, wide);
  pushOperand(writer, instructions, slot, wide);
  if (operation === BPF_JSET) {
    writer.code.op(wide ? WASM.i64_and : WASM.i32_and);
    if (wide) writer.code.i64(0).op(WASM.i64_ne);
    return;
  }
  writer.code.op(COMPARISONS.get(operation)![wide ? 0 : 1]!);
}
