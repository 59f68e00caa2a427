/** Helpers that compiled programs carry out themselves, since a call of JavaScript costs more than a packet. */

import { XDP_REDIRECT } from '../../runtime/actions.ts';
import { RANDOM_STEP } from '../../runtime/chance.ts';
import { E2BIG, ENOENT } from '../../runtime/errno.ts';
import { isConstant, KIND } from '../analysis/abstract-value.ts';
import { MAX_TAIL_CALL_CNT } from '../helpers/tail-call-helper.ts';
import { DESCRIPTOR, type LiveMap } from '../maps/live-map.ts';
import { blockShift } from '../maps/touched-blocks.ts';
import { MACHINE_WORD } from '../memory.ts';
import { CALL_COST, compileFrameAbove } from './compile-function.ts';
import type { HelperCall } from './compile-helper.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM_WORD } from './layout.ts';
import { isHash, isLru } from './map-functions.ts';
import { WASM } from './opcodes.ts';

export interface InlineContext {
  readonly hook: 'xdp' | 'tc';
  /** WebAssembly's index of the function that finds a key's entry in a hash table. */
  readonly findIn: (map: LiveMap) => number;
  readonly adjustHead: number;
  readonly adjustTail: number;
  readonly adjustMeta: number;
  /** WebAssembly's index of `bpf_csum_diff`; undefined: the machine is to give another result. */
  readonly checksumDifference: number | undefined;
  /** Type of programs' functions, and the global that holds the budget. */
  readonly programType: number;
  readonly budget: number;
  /** Address of the counter of runs that end at a slot. */
  readonly leftCounter: (slot: number) => number;
  /** First position of the table where programs are, numbered as the object numbers them. */
  readonly programTable: number;
  /** WebAssembly's index of the function of this program that starts at a slot. */
  readonly functionAt: (start: number) => number;
}

type Compiler = (call: HelperCall, context: InlineContext) => boolean;

const COMPILERS: ReadonlyMap<string, Compiler> = new Map<string, Compiler>([
  ['bpf_map_lookup_elem', lookup],
  ['bpf_map_update_elem', update],
  ['bpf_ktime_get_ns', time],
  ['bpf_ktime_get_boot_ns', time],
  ['bpf_ktime_get_coarse_ns', time],
  ['bpf_ktime_get_tai_ns', time],
  ['bpf_get_smp_processor_id', processor],
  ['bpf_get_prandom_u32', random],
  ['bpf_redirect', redirect],
  ['bpf_redirect_map', redirectMap],
  ['bpf_xdp_adjust_head', (call, context) => adjust(call, context.adjustHead)],
  ['bpf_xdp_adjust_tail', (call, context) => adjust(call, context.adjustTail)],
  ['bpf_xdp_adjust_meta', (call, context) => adjust(call, context.adjustMeta)],
  ['bpf_csum_diff', checksumDifference],
  ['bpf_tail_call', tailCall],
  ['bpf_loop', loop],
]);

export function compileInline(call: HelperCall, context: InlineContext): boolean {
  return COMPILERS.get(call.helper.name)?.(call, context) ?? false;
}

/** Puts the address of the value of an array's element on the stack, its index being in the temporary. */
function pushElement(writer: FunctionWriter, map: LiveMap): void {
  const stride = map.word(DESCRIPTOR.stride);
  writer.code.get(writer.temporary).i32(stride).op(WASM.i32_mul);
  writer.code.i32(map.word(DESCRIPTOR.storage)).op(WASM.i32_add);
}

/** Sets the bytes of the blocks that an element of a large array lies in, its index being in the temporary. */
function touchElement(writer: FunctionWriter, map: LiveMap): void {
  const table = map.word(DESCRIPTOR.touched);
  if (table === 0) return;
  const { code, temporary } = writer;
  const { maxEntries, valueSize } = map.definition;
  const stride = map.word(DESCRIPTOR.stride);
  const shift = blockShift(stride);
  code.get(temporary).i32(maxEntries).op(WASM.i32_lt_u).if();
  const touch = (offset: number): void => {
    code.get(temporary).i32(stride).op(WASM.i32_mul);
    if (offset > 0) code.i32(offset).op(WASM.i32_add);
    code.i32(shift).op(WASM.i32_shr_u).i32(1).memory(WASM.i32_store8, table);
  };
  touch(0);
  // Where blocks are whole numbers of entries, no entry lies in two.
  if (2 ** shift % stride !== 0) touch(valueSize - 1);
  code.end();
}

function isArray(map: LiveMap): boolean {
  return map.definition.type === 'ARRAY' || map.definition.type === 'PERCPU_ARRAY';
}

function lookup(call: HelperCall, context: InlineContext): boolean {
  const { writer, map } = call;
  const { code } = writer;
  if (map === undefined) return false;
  if (isArray(map)) {
    writer.push(2, false);
    code.memory(WASM.i32_load, 0).set(writer.temporary);
    touchElement(writer, map);
    pushElement(writer, map);
    code.i32(0).get(writer.temporary).i32(map.definition.maxEntries).op(WASM.i32_lt_u).op(WASM.select);
    writer.pop(0, false);
    return true;
  }
  if (!isHash(map) || isLru(map)) return false;
  writer.push(2, false);
  code.call(context.findIn(map)).tee(writer.temporary);
  code.i32(map.word(DESCRIPTOR.valueOffset)).op(WASM.i32_add);
  code.i32(0).get(writer.temporary).op(WASM.select);
  writer.pop(0, false);
  return true;
}

/** Of arrays, with flags that are known to be 0 or BPF_EXIST. */
function update(call: HelperCall): boolean {
  const { writer, map, state } = call;
  const { code } = writer;
  const flags = state.registers[4]!;
  if (map === undefined || !isArray(map) || !isConstant(flags) || (flags.min !== 0 && flags.min !== 2))
    return false;
  writer.push(2, false);
  code.memory(WASM.i32_load, 0).tee(writer.temporary);
  code.i32(map.definition.maxEntries).op(WASM.i32_lt_u).if();
  touchElement(writer, map);
  pushElement(writer, map);
  writer.push(3, false);
  code.i32(map.definition.valueSize).memoryCopy();
  code.i64(0);
  writer.pop(0);
  code.else();
  code.i64(-E2BIG);
  writer.pop(0);
  code.end();
  return true;
}

function time({ writer }: HelperCall): boolean {
  writer.code.i32(0).memory(WASM.i64_load, MACHINE_WORD.time * 4);
  writer.pop(0);
  return true;
}

function processor({ writer }: HelperCall): boolean {
  writer.code.i32(0).memory(WASM.i64_load32_u, MACHINE_WORD.cpu * 4);
  writer.pop(0);
  return true;
}

/** `Machine.nextRandom`, step by step. */
function random({ writer }: HelperCall): boolean {
  const { code, temporary } = writer;
  const address = MACHINE_WORD.random * 4;
  code.word(address).i32(RANDOM_STEP).op(WASM.i32_add).set(temporary);
  code.storeWord(address, () => code.get(temporary));
  const shifted = (bits: number): void => {
    code.get(temporary).get(temporary).i32(bits).op(WASM.i32_shr_u).op(WASM.i32_xor);
  };
  shifted(15);
  code.get(temporary).i32(1).op(WASM.i32_or).op(WASM.i32_mul).set(temporary);
  code.get(temporary);
  code.get(temporary);
  shifted(7);
  code.get(temporary).i32(61).op(WASM.i32_or).op(WASM.i32_mul).op(WASM.i32_add);
  code.op(WASM.i32_xor).set(temporary);
  shifted(14);
  writer.pop(0, false);
  return true;
}

/** Notes a target and flags that are in registers. */
function noteRedirect(writer: FunctionWriter, target: () => void, flags: () => void): void {
  writer.code.storeWord(MACHINE_WORD.redirectTarget * 4, target);
  writer.code.storeWord(MACHINE_WORD.redirectFlags * 4, flags);
}

/** XDP's, with flags that are known to be 0. */
function redirect(call: HelperCall, context: InlineContext): boolean {
  const { writer, state } = call;
  const flags = state.registers[2]!;
  if (context.hook !== 'xdp' || !isConstant(flags) || flags.min !== 0) return false;
  noteRedirect(
    writer,
    () => writer.push(1, false),
    () => writer.code.i32(0),
  );
  writer.code.i64(XDP_REDIRECT);
  writer.pop(0);
  return true;
}

/** With flags that are known, and only an action in them. */
function redirectMap(call: HelperCall, context: InlineContext): boolean {
  const { writer, state, map } = call;
  const { code, temporary } = writer;
  const flags = state.registers[3]!;
  if (map === undefined || !isConstant(flags) || flags.min < 0 || flags.min > 3) return false;
  const { type, maxEntries } = map.definition;
  if (type === 'DEVMAP_HASH') {
    code.storeWord(WASM_WORD.key, () => writer.push(2, false));
    code.i32(WASM_WORD.key).call(context.findIn(map)).tee(temporary);
  } else {
    writer.push(2, false);
    code.tee(temporary).i32(maxEntries).op(WASM.i32_lt_u).if();
    pushElement(writer, map);
    code.set(temporary);
    code.get(temporary).get(temporary).memory(WASM.i32_load, 0).i32(0).op(WASM.i32_ne).op(WASM.i32_mul);
    code.set(temporary);
    code.else().i32(0).set(temporary).end();
    code.get(temporary);
  }
  code.if();
  noteRedirect(
    writer,
    () => {
      // CPU maps and socket maps lead to the key itself.
      if (type === 'DEVMAP_HASH') code.get(temporary).memory(WASM.i32_load, map.word(DESCRIPTOR.valueOffset));
      else if (type === 'DEVMAP') code.get(temporary).memory(WASM.i32_load, 0);
      else writer.push(2, false);
    },
    () => code.i32(flags.min),
  );
  code.i64(XDP_REDIRECT);
  writer.pop(0);
  code.else();
  noteRedirect(
    writer,
    () => code.i32(0),
    () => code.i32(0),
  );
  code.i64(flags.min);
  writer.pop(0);
  code.end();
  return true;
}

function adjust({ writer }: HelperCall, target: number): boolean {
  writer.push(2, false);
  writer.code.call(target).op(WASM.i64_extend_i32_s);
  writer.pop(0);
  return true;
}

function checksumDifference({ writer }: HelperCall, context: InlineContext): boolean {
  if (context.checksumDifference === undefined) return false;
  for (let register = 1; register <= 5; register++) writer.push(register, false);
  writer.code.call(context.checksumDifference);
  writer.pop(0);
  return true;
}

/** The called program takes over the frame; its result is this function's. */
function tailCall(call: HelperCall, context: InlineContext): boolean {
  const { writer, map, slot } = call;
  const { code, temporary } = writer;
  if (map === undefined) return false;
  const calls = MACHINE_WORD.tailCalls * 4;
  writer.push(3, false);
  code.tee(temporary).i32(map.definition.maxEntries).op(WASM.i32_lt_u).if();
  pushElement(writer, map);
  code.memory(WASM.i32_load, 0).tee(temporary);
  code.if();
  code.word(calls).i32(MAX_TAIL_CALL_CNT).op(WASM.i32_lt_s).if();
  code.storeWord(calls, () => code.word(calls).i32(1).op(WASM.i32_add));
  writer.count(context.leftCounter(slot));
  writer.pushFrame();
  writer.push(1);
  for (let register = 2; register <= 5; register++) code.i64(0);
  code
    .get(temporary)
    .i32(context.programTable - 1)
    .op(WASM.i32_add);
  code.callIndirect(context.programType).op(WASM.return);
  code.end().end().end();
  code.i64(-ENOENT);
  writer.pop(0);
  return true;
}

/** `BPF_MAX_LOOPS` (include/linux/bpf.h). */
const MAX_LOOPS = 8 * 1024 * 1024;

/** `bpf_loop` with a callback that is known, and no flags. */
function loop(call: HelperCall, context: InlineContext): boolean {
  const { writer, state, slot } = call;
  const { code, temporary, secondTemporary, wideTemporary } = writer;
  const callback = state.registers[2]!;
  const flags = state.registers[4]!;
  if (callback.kind !== KIND.function || !isConstant(flags) || flags.min !== 0) return false;
  writer.push(1, false);
  code.i32(MAX_LOOPS).op(WASM.i32_gt_u).if().i64(-E2BIG);
  writer.pop(0);
  code.else();
  writer.noteCallSite(slot);
  code.i32(0).set(secondTemporary);
  code.block();
  const out = code.depth;
  code.loop();
  const again = code.depth;
  code.get(secondTemporary);
  writer.push(1, false);
  code.op(WASM.i32_ge_u).branchIf(out);
  code.getGlobal(context.budget).i32(CALL_COST).op(WASM.i32_sub).tee(temporary).setGlobal(context.budget);
  code.get(temporary).i32(0).op(WASM.i32_lt_s);
  writer.refuse(slot);
  compileFrameAbove(writer, slot);
  code.get(secondTemporary).op(WASM.i64_extend_i32_u);
  writer.push(3);
  code.i64(0).i64(0).i64(0).call(context.functionAt(callback.map)).tee(wideTemporary);
  // "At callback return the register R0 should have been in [0, 1]"
  code.i64(1).op(WASM.i64_gt_u);
  writer.refuse(slot);
  code.get(secondTemporary).i32(1).op(WASM.i32_add).set(secondTemporary);
  code.get(wideTemporary).op(WASM.i64_eqz).branchIf(again);
  code.end().end();
  code.get(secondTemporary).op(WASM.i64_extend_i32_u);
  writer.pop(0);
  code.end();
  return true;
}
