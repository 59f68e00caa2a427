/** `bpf_loop` as WebAssembly: the twin of `callback-helpers.ts`. */
import { isConstant, KIND } from '../analysis/abstract-value.ts';
import { CALL_COST, MAX_LOOPS } from '../limits.ts';
import { compileFrameAbove } from '../wasm/compile-function.ts';
import type { HelperCall } from '../wasm/compile-helper.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { TwinContext, Twins } from '../wasm/twin.ts';
import { INLINED_E2BIG } from './callback-helpers.ts';

/** `bpf_loop` with a callback that is known, and no flags. */
function loop(call: HelperCall, context: TwinContext): boolean {
  const { writer, state, slot } = call;
  const { code, temporary, secondTemporary, wideTemporary } = writer;
  const callback = state.registers[2]!;
  const flags = state.registers[4]!;
  if (callback.kind !== KIND.function || !isConstant(flags) || flags.min !== 0) return false;
  writer.push(1, false);
  code
    .i32(MAX_LOOPS)
    .op(WASM.i32_gt_u)
    .if()
    .i64(Number(BigInt.asIntN(32, INLINED_E2BIG)), 0);
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

export const CALLBACK_TWINS: Twins = { bpf_loop: loop };
