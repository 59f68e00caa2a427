/** Lookups and updates of maps that are certain, as WebAssembly: the twin of `map-helpers.ts`. */
import { E2BIG } from '../../runtime/errno.ts';
import { isConstant } from '../analysis/abstract-value.ts';
import { isArray, pushElement, touchElement } from '../maps/array-map.wasm.ts';
import { findIn, isHash, isLru } from '../maps/hash-table.wasm.ts';
import { DESCRIPTOR } from '../maps/live-map.ts';
import type { HelperCall } from '../wasm/compile-helper.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { TwinContext, Twins } from '../wasm/twin.ts';

function lookup(call: HelperCall, context: TwinContext): boolean {
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
  code.call(context.indexOf(findIn(map))).tee(writer.temporary);
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
  if (
    map === undefined ||
    !isArray(map) ||
    map.hasSpecialFields ||
    !isConstant(flags) ||
    (flags.min !== 0 && flags.min !== 2)
  )
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

export const MAP_TWINS: Twins = {
  bpf_map_lookup_elem: lookup,
  bpf_map_update_elem: update,
};
