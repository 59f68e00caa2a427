/** Elements of arrays as WebAssembly: the twin of `array-map.ts` and `slot-map.ts`, with sizes and addresses known. */
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { WASM } from '../wasm/opcodes.ts';
import { DESCRIPTOR, type LiveMap } from './live-map.ts';
import { blockShift } from './touched-blocks.ts';

/** The maps whose lookups can be compiled so. */
export function isArray(map: LiveMap): boolean {
  return map.definition.type === 'ARRAY' || map.definition.type === 'PERCPU_ARRAY';
}

/** Puts the address of an element's value on the stack, its index being in the temporary. */
export function pushElement(writer: FunctionWriter, map: LiveMap): void {
  const stride = map.word(DESCRIPTOR.stride);
  writer.code.get(writer.temporary).i32(stride).op(WASM.i32_mul);
  writer.code.i32(map.word(DESCRIPTOR.storage)).op(WASM.i32_add);
}

/** Sets the bytes of the blocks that an element of a large array lies in, its index being in the temporary. */
export function touchElement(writer: FunctionWriter, map: LiveMap): void {
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
