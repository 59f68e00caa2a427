/**
 * Calls of helpers: their arguments checked (`argument-checks.ts`), then the helper itself, either its WebAssembly twin
 * right here or an imported JavaScript function.
 */
import type { AbstractState } from '../analysis/abstract-state.ts';
import { isConstant, KIND, type Value } from '../analysis/abstract-value.ts';
import type { BpfMap } from '../bpf-object.ts';
import { type Helper, registersTaken } from '../helpers/helper.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import { type CompiledCall, checkArguments } from './argument-checks.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM_WORD } from './layout.ts';
import { WASM } from './opcodes.ts';
import { widenResult } from './results.ts';

/** One call of a helper, as its compilers see it. */
export interface HelperCall {
  readonly writer: FunctionWriter;
  readonly slot: number;
  readonly helper: Helper;
  /** What is known before the call. */
  readonly state: AbstractState;
  /** The map that the helper's `map` argument certainly is. */
  readonly map: LiveMap | undefined;
}

export interface HelperContext {
  readonly maps: readonly LiveMap[];
  readonly sources: readonly BpfMap[];
  readonly states: ReadonlyMap<number, AbstractState>;
  /** The helper that the call at a slot names; undefined: none that may be called. */
  readonly helperAt: (slot: number) => Helper | undefined;
  readonly unit: number;
  /** Compiles the call without JavaScript and returns true, or writes nothing and returns false. */
  readonly inline: (call: HelperCall) => boolean;
  /** WebAssembly's index of the imported function. */
  readonly importOf: (helper: Helper) => number;
}

export function compileHelperCall(writer: FunctionWriter, slot: number, context: HelperContext): void {
  const helper = context.helperAt(slot);
  const state = context.states.get(slot);
  if (helper === undefined || state === undefined) {
    writer.violate(slot);
    return;
  }
  const { maps, sources } = context;
  const call: CompiledCall = { writer, slot, helper, state, maps, sources, mapRegister: 0, map: undefined };
  if (!checkArguments(call)) {
    writer.violate(slot);
    return;
  }
  if (!context.inline(call)) compileImportedCall(call, context);
}

function compileImportedCall(call: HelperCall, context: HelperContext): void {
  const { writer, slot, helper, state } = call;
  const { code } = writer;
  const count = registersTaken(helper);
  for (let index = 0; index < count; index++) {
    const type = helper.arguments[index];
    if (type === undefined || type === 'anything') pushHigh(writer, index, state.registers[index + 1]!);
  }
  if (helper.inlinedBy !== undefined) {
    const known = isConstant(state.registers[helper.inlinedBy + 1]!);
    code.storeWord(MACHINE_WORD.inlined * 4, () => code.i32(known ? 1 : 0));
  }
  // For callbacks, and for helpers that cannot do what they are asked: who calls.
  writer.noteCallSite(slot);
  code.storeWord(WASM_WORD.helperUnit, () => code.i32(context.unit));
  code.storeWord(WASM_WORD.helperFrame, () => writer.pushFrame());
  for (let index = 0; index < 5; index++) {
    if (index < count) writer.push(index + 1, false);
    else code.i32(0);
  }
  code.call(context.importOf(helper));
  widenResult(code, helper.returns);
  writer.pop(0);
}

/** Stores the upper half of an argument where helpers look for it. */
function pushHigh(writer: FunctionWriter, index: number, value: Value): void {
  const { code } = writer;
  code.i32(0);
  if (value.kind === KIND.scalar && value.min >= 0 && value.max < 2 ** 32) code.i32(0);
  else {
    writer.push(index + 1);
    code.i64(32).op(WASM.i64_shr_u).op(WASM.i32_wrap_i64);
  }
  code.memory(WASM.i32_store, (MACHINE_WORD.argumentHigh + index) * 4);
}
