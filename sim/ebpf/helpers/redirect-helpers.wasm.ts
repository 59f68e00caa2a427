/** Redirects of XDP as WebAssembly: the twin of `redirect-helpers.ts`. */
import { XDP_REDIRECT } from '../../runtime/actions.ts';
import { isConstant } from '../analysis/abstract-value.ts';
import { pushElement } from '../maps/array-map.wasm.ts';
import { findIn } from '../maps/hash-table.wasm.ts';
import { DESCRIPTOR } from '../maps/live-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import type { HelperCall } from '../wasm/compile-helper.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { WASM_WORD } from '../wasm/layout.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { TwinContext, Twins } from '../wasm/twin.ts';

/** Notes a target and flags that are in registers. */
function noteRedirect(writer: FunctionWriter, target: () => void, flags: () => void): void {
  writer.code.storeWord(MACHINE_WORD.redirectTarget * 4, target);
  writer.code.storeWord(MACHINE_WORD.redirectFlags * 4, flags);
}

/** XDP's, with flags that are known to be 0. */
function redirect(call: HelperCall, context: TwinContext): boolean {
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
function redirectMap(call: HelperCall, context: TwinContext): boolean {
  const { writer, state, map } = call;
  const { code, temporary } = writer;
  const flags = state.registers[3]!;
  if (map === undefined || !isConstant(flags) || flags.min < 0 || flags.min > 3) return false;
  const { type, maxEntries } = map.definition;
  if (type === 'DEVMAP_HASH') {
    code.storeWord(WASM_WORD.key, () => writer.push(2, false));
    code
      .i32(WASM_WORD.key)
      .call(context.indexOf(findIn(map)))
      .tee(temporary);
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

export const REDIRECT_TWINS: Twins = {
  bpf_redirect: redirect,
  bpf_redirect_map: redirectMap,
};
