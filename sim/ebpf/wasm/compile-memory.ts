/** Loads, stores and atomic operations as WebAssembly. */

import { KIND } from '../analysis/abstract-value.ts';
import { type Access, VERDICT } from '../analysis/access.ts';
import type { ContextLayout } from '../context/context-access.ts';
import {
  accessSize,
  BPF_ATOMIC_ADD,
  BPF_ATOMIC_AND,
  BPF_ATOMIC_OR,
  BPF_ATOMIC_XOR,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_FETCH,
  BPF_IND,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MEMSX,
  BPF_ST,
  BPF_STORE_REL,
  BPF_XCHG,
  CLASS_MASK,
  type Instructions,
  isAtomic,
  MODE_MASK,
  SIZE_MASK,
} from '../instruction.ts';
import { CONTEXT_BASE, MACHINE_WORD } from '../memory.ts';
import { SKF_LL_OFF, SKF_NET_OFF } from '../packet-load-offsets.ts';
import type { CodeWriter } from './code-writer.ts';
import { DISPROVEN, type FunctionWriter } from './function-writer.ts';
import { WASM } from './opcodes.ts';

const LOADS: ReadonlyMap<number, number> = new Map([
  [1, WASM.i64_load8_u],
  [2, WASM.i64_load16_u],
  [4, WASM.i64_load32_u],
  [8, WASM.i64_load],
]);
const SIGNED_LOADS: ReadonlyMap<number, number> = new Map([
  [1, WASM.i64_load8_s],
  [2, WASM.i64_load16_s],
  [4, WASM.i64_load32_s],
]);
const STORES: ReadonlyMap<number, number> = new Map([
  [1, WASM.i64_store8],
  [2, WASM.i64_store16],
  [4, WASM.i64_store32],
  [8, WASM.i64_store],
]);

const ATOMICS: ReadonlyMap<number, number> = new Map([
  [BPF_ATOMIC_ADD, WASM.i64_add],
  [BPF_ATOMIC_AND, WASM.i64_and],
  [BPF_ATOMIC_OR, WASM.i64_or],
  [BPF_ATOMIC_XOR, WASM.i64_xor],
]);

/** A load or store: class BPF_LDX, BPF_ST or BPF_STX. */
export function compileAccess(
  writer: FunctionWriter,
  instructions: Instructions,
  slot: number,
  access: Access,
  layout: ContextLayout,
): void {
  const opcode = instructions.opcode[slot]!;
  const imm = instructions.imm[slot]!;
  if (access.verdict === VERDICT.violation) {
    writer.violate(slot);
    return;
  }
  const operandClass = opcode & CLASS_MASK;
  const atomic = isAtomic(opcode);
  if (operandClass === BPF_LDX || (atomic && imm === BPF_LOAD_ACQ)) {
    const signExtending = operandClass === BPF_LDX && (opcode & MODE_MASK) === BPF_MEMSX;
    const offset = pushAddress(writer, slot, instructions.src[slot]!, instructions, access, false);
    if (atomic) {
      refuseAtomicInContext(writer, slot, access, layout);
      requireAligned(writer, slot, access, offset, accessSize(opcode));
    }
    writer.code.memory((signExtending ? SIGNED_LOADS : LOADS).get(accessSize(opcode))!, offset);
    writer.pop(instructions.dst[slot]!);
    return;
  }
  if (atomic && imm !== BPF_STORE_REL) {
    compileAtomic(writer, instructions, slot, access, layout);
    return;
  }
  const offset = pushAddress(writer, slot, instructions.dst[slot]!, instructions, access, true);
  if (atomic) {
    refuseAtomicInContext(writer, slot, access, layout);
    requireAligned(writer, slot, access, offset, accessSize(opcode));
  }
  if (operandClass === BPF_ST) writer.code.i64(imm);
  else writer.push(instructions.src[slot]!);
  if (access.verdict === VERDICT.open) narrowIfField(writer, access, layout, accessSize(opcode));
  else if (access.pointer.kind === KIND.context) narrowToField(writer, layout, instructions.offset[slot]!);
  writer.code.memory(STORES.get(accessSize(opcode))!, offset);
}

/** What of a value on the stack a field of the context keeps. */
function narrowToField(writer: FunctionWriter, layout: ContextLayout, offset: number): void {
  const { code, storedTemporary } = writer;
  const limit = layout.writeLimit(offset);
  if (limit !== Number.POSITIVE_INFINITY) {
    code.tee(storedTemporary);
    code.i32(0).memory(WASM.i64_load32_u, CONTEXT_BASE + offset);
    code.get(storedTemporary).i64(limit).op(WASM.i64_lt_u).op(WASM.select);
  }
  const mask = layout.writeMask(offset);
  if (mask !== -1) code.i64(mask).op(WASM.i64_and);
}

/**
 * The same where only the run shows whether the address, which `pushAddress` has left in `wideTemporary`, is a field's: the
 * context may have lain on the stack where the analysis lost sight of it.
 */
function narrowIfField(writer: FunctionWriter, access: Access, layout: ContextLayout, size: number): void {
  if (!mayBeContext(access)) return;
  const fields = narrowFields(layout, size);
  if (fields.length === 0) return;
  const { code, wideTemporary, storedTemporary } = writer;
  code.set(storedTemporary);
  isInContext(writer, layout);
  code.if();
  for (const offset of fields) {
    code.get(wideTemporary).i64(CONTEXT_BASE + offset);
    code.op(WASM.i64_eq).if().get(storedTemporary);
    narrowToField(writer, layout, offset);
    code.set(storedTemporary).end();
  }
  code.end().get(storedTemporary);
}

function mayBeContext({ pointer: { kind } }: Access): boolean {
  return kind === KIND.any || kind === KIND.context;
}

/** The fields that do not keep all that a store of so many bytes writes to them. */
function narrowFields(layout: ContextLayout, size: number): readonly number[] {
  const fields: number[] = [];
  for (let offset = 0; offset < layout.size; offset += 4) {
    const isNarrow =
      layout.writeMask(offset) !== -1 || layout.writeLimit(offset) !== Number.POSITIVE_INFINITY;
    if (isNarrow && layout.write(offset, size)) fields.push(offset);
  }
  return fields;
}

/** Puts on the stack whether the address in `wideTemporary` is one of the context's. */
function isInContext({ code, wideTemporary }: FunctionWriter, layout: ContextLayout): void {
  code.get(wideTemporary).i64(CONTEXT_BASE).op(WASM.i64_sub).i64(layout.size).op(WASM.i64_lt_u);
}

/** No atomic operation reaches the context, whatever pointer leads there (kernel/bpf/verifier.c, `atomic_ptr_type_ok`). */
function refuseAtomicInContext(
  writer: FunctionWriter,
  slot: number,
  access: Access,
  layout: ContextLayout,
): void {
  if (access.verdict !== VERDICT.open || !mayBeContext(access)) return;
  isInContext(writer, layout);
  writer.refuse(slot);
}

/**
 * Puts the address of an access on the stack, checked where it has to be.
 * @returns the offset that the load or store itself is to add
 */
function pushAddress(
  writer: FunctionWriter,
  slot: number,
  base: number,
  instructions: Instructions,
  access: Access,
  writes: boolean,
): number {
  const { code } = writer;
  const { pointer, verdict } = access;
  const offset = instructions.offset[slot]!;
  const size = accessSize(instructions.opcode[slot]!);
  if (pointer.kind === KIND.stack && pointer.min !== pointer.max && size > 1) {
    // Whatever moved the pointer, on the stack it has to be aligned.
    writer.push(base, false);
    code
      .i32(offset)
      .op(WASM.i32_add)
      .i32(size - 1)
      .op(WASM.i32_and);
    writer.refuse(slot);
  }
  if (verdict === VERDICT.proven) {
    if (writer.distrustful && pointer.kind !== KIND.context) {
      writer.push(base);
      code.i64(offset).op(WASM.i64_add).i64(accessSize(instructions.opcode[slot]!));
      writer.checkMemory(slot + DISPROVEN, writes);
    }
    if (pointer.kind === KIND.context) {
      code.i32(0);
      return CONTEXT_BASE + offset;
    }
    if (pointer.kind === KIND.stack && pointer.min === pointer.max) {
      const fixed = writer.frameAddress(pointer.min + offset);
      if (fixed !== undefined) {
        code.i32(0);
        return fixed;
      }
    }
    writer.push(base, false);
    if (offset >= 0) return offset;
    code.i32(offset).op(WASM.i32_add);
    return 0;
  }
  writer.push(base);
  if (offset !== 0) code.i64(offset).op(WASM.i64_add);
  code.tee(writer.wideTemporary);
  code.i64(accessSize(instructions.opcode[slot]!));
  writer.checkMemory(slot, writes);
  code.get(writer.wideTemporary).op(WASM.i32_wrap_i64);
  return 0;
}

/** What an atomic operation reaches must be aligned: asks where that is not known. The address is on the stack, and stays there. */
function requireAligned(
  writer: FunctionWriter,
  slot: number,
  access: Access,
  offset: number,
  size: number,
): void {
  if (size === 1) return;
  if (access.verdict !== VERDICT.open && access.pointer.min === access.pointer.max) return;
  const { code, temporary } = writer;
  code.tee(temporary);
  if (offset !== 0) code.i32(offset).op(WASM.i32_add);
  code.i32(size - 1).op(WASM.i32_and);
  writer.refuse(slot);
  code.get(temporary);
}

/** Read, change, write: nothing else runs meanwhile. */
function compileAtomic(
  writer: FunctionWriter,
  instructions: Instructions,
  slot: number,
  access: Access,
  layout: ContextLayout,
): void {
  const { code } = writer;
  const opcode = instructions.opcode[slot]!;
  const wide = (opcode & SIZE_MASK) === BPF_DW;
  const size = wide ? 8 : 4;
  const src = instructions.src[slot]!;
  const operation = instructions.imm[slot]!;
  const load = wide ? WASM.i64_load : WASM.i64_load32_u;
  const store = wide ? WASM.i64_store : WASM.i64_store32;
  const address = writer.temporary;
  const offset = pushAddress(writer, slot, instructions.dst[slot]!, instructions, access, true);
  refuseAtomicInContext(writer, slot, access, layout);
  requireAligned(writer, slot, access, offset, size);
  code.tee(address);
  code.memory(load, offset).set(writer.wideTemporary);
  code.get(address);
  if (operation === BPF_CMPXCHG) {
    writer.push(src);
    code.get(writer.wideTemporary);
    code.get(writer.wideTemporary);
    writer.push(0);
    if (!wide) code.op(WASM.i32_wrap_i64).op(WASM.i64_extend_i32_u);
    code.op(WASM.i64_eq).op(WASM.select);
  } else if (operation === BPF_XCHG) {
    writer.push(src);
  } else {
    code.get(writer.wideTemporary);
    writer.push(src);
    code.op(ATOMICS.get(operation & ~BPF_FETCH)!);
  }
  code.memory(store, offset);
  if ((operation & BPF_FETCH) === 0) return;
  code.get(writer.wideTemporary);
  writer.pop(operation === BPF_CMPXCHG ? 0 : src);
}

/**
 * `BPF_LD | BPF_ABS` and `BPF_IND`, through the context in r6: where the packet ends before, the program is over and
 * returns 0.
 * @param leftCounter address of the counter of programs that are over here
 */
export function compilePacketLoad(
  writer: FunctionWriter,
  instructions: Instructions,
  slot: number,
  leftCounter: number,
): void {
  const { code, temporary, wideTemporary } = writer;
  const opcode = instructions.opcode[slot]!;
  const size = accessSize(opcode);
  writer.push(6);
  code.i64(CONTEXT_BASE).op(WASM.i64_ne);
  writer.refuse(slot);
  code.i32(instructions.imm[slot]!);
  if ((opcode & MODE_MASK) === BPF_IND) {
    writer.push(instructions.src[slot]!, false);
    code.op(WASM.i32_add);
  }
  code.tee(temporary).i32(SKF_LL_OFF).op(WASM.i32_lt_s);
  // Sums as 64 bits: the offset is any positive number.
  if ((opcode & MODE_MASK) === BPF_IND) packetLoadAddress(code, temporary);
  else headerAndDistance(code, instructions.imm[slot]!);
  code.op(WASM.i64_add).tee(wideTemporary).i64(size).op(WASM.i64_add);
  code
    .word(MACHINE_WORD.frameEnd * 4)
    .op(WASM.i64_extend_i32_u)
    .op(WASM.i64_gt_u)
    .op(WASM.i32_or);
  code.if();
  writer.count(leftCounter);
  code.i64(0);
  writer.leave();
  code.end();
  // Network order, byte by byte.
  for (let index = 0; index < size; index++) {
    code.get(wideTemporary).op(WASM.i32_wrap_i64).memory(WASM.i64_load8_u, index);
    code.i64(8 * (size - 1 - index)).op(WASM.i64_shl);
    if (index > 0) code.op(WASM.i64_or);
  }
  writer.pop(0);
}

/** Pushes header and distance of an offset that is known, as 64 bits. */
function headerAndDistance(code: CodeWriter, offset: number): void {
  const isFromNetwork = offset < 0 && offset >= SKF_NET_OFF;
  const base = offset >= 0 ? 0 : isFromNetwork ? SKF_NET_OFF : SKF_LL_OFF;
  code.word((isFromNetwork ? MACHINE_WORD.networkHeader : MACHINE_WORD.data) * 4).op(WASM.i64_extend_i32_u);
  code.i32(offset - base).op(WASM.i64_extend_i32_u);
}

/** The same for an offset in a local. */
function packetLoadAddress(code: CodeWriter, offset: number): void {
  const isNegative = (): unknown => code.get(offset).i32(0).op(WASM.i32_lt_s);
  const isFromNetwork = (): unknown => code.get(offset).i32(SKF_NET_OFF).op(WASM.i32_ge_s);
  code.word(MACHINE_WORD.networkHeader * 4).word(MACHINE_WORD.data * 4);
  isNegative();
  isFromNetwork();
  code.op(WASM.i32_and).op(WASM.select).op(WASM.i64_extend_i32_u);
  code.get(offset).i32(-SKF_NET_OFF).i32(-SKF_LL_OFF);
  isFromNetwork();
  code.op(WASM.select).i32(0);
  isNegative();
  code.op(WASM.select).op(WASM.i32_add).op(WASM.i64_extend_i32_u);
}
