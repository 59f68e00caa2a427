/** `bpf_tail_call` as WebAssembly: the twin of `tail-call-helper.ts`. */
import { ENOENT } from '../../runtime/errno.ts';
import { MAX_TAIL_CALLS } from '../limits.ts';
import { pushElement } from '../maps/array-map.wasm.ts';
import { DESCRIPTOR } from '../maps/live-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import type { HelperCall } from '../wasm/compile-helper.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { TwinContext, Twins } from '../wasm/twin.ts';

/** Opens a block for an index, in the temporary, that lies in the map in r2; puts the element's address on the stack. */
function pushElementOfSome(writer: FunctionWriter): void {
  const { code, temporary } = writer;
  const word = (index: number): void => {
    writer.push(2, false);
    code.memory(WASM.i32_load, 4 * index);
  };
  code.get(temporary);
  word(DESCRIPTOR.maxEntries);
  code.op(WASM.i32_lt_u).if();
  code.get(temporary);
  word(DESCRIPTOR.stride);
  code.op(WASM.i32_mul);
  word(DESCRIPTOR.storage);
  code.op(WASM.i32_add);
}

/** The called program takes over the frame; its result is this function's. */
function tailCall(call: HelperCall, context: TwinContext): boolean {
  const { writer, map, slot } = call;
  const { code, temporary } = writer;
  const calls = MACHINE_WORD.tailCalls * 4;
  writer.push(3, false);
  code.set(temporary);
  if (map === undefined) pushElementOfSome(writer);
  else {
    code.get(temporary).i32(map.definition.maxEntries).op(WASM.i32_lt_u).if();
    pushElement(writer, map);
  }
  code.memory(WASM.i32_load, 0).tee(temporary);
  code.if();
  code.word(calls).i32(MAX_TAIL_CALLS).op(WASM.i32_lt_s).if();
  code.storeWord(calls, () => code.word(calls).i32(1).op(WASM.i32_add));
  writer.count(context.leftCounter(slot));
  writer.pushFrame();
  writer.push(1);
  for (let register = 2; register <= 5; register++) code.i64(0);
  code
    .get(temporary)
    .i32(context.programTable - 1)
    .op(WASM.i32_add);
  code.callIndirect(context.programType);
  writer.leave();
  code.end().end().end();
  code.i64(-ENOENT);
  writer.pop(0);
  return true;
}

export const TAIL_CALL_TWINS: Twins = { bpf_tail_call: tailCall };
