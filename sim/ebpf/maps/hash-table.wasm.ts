/**
 * Lookups in hash tables as WebAssembly, one function for each map: the twin of `hash-table.ts`, with sizes
 * and addresses known.
 */
import { HASH_MULTIPLIER, HASH_SHIFT } from '../../runtime/chance.ts';
import { CodeWriter } from '../wasm/code-writer.ts';
import { I32, WASM } from '../wasm/opcodes.ts';
import type { ModuleFunction } from '../wasm/twin.ts';
import { ENTRY_KEY } from './hash-table.ts';
import { DESCRIPTOR, type LiveMap } from './live-map.ts';

const KEY = 0;

/** The maps whose lookups can be compiled; of LRU tables, every lookup also changes the order. */
export function isHash(map: LiveMap): boolean {
  return (
    map.definition.type === 'HASH' ||
    map.definition.type === 'PERCPU_HASH' ||
    isLru(map) ||
    map.definition.type === 'DEVMAP_HASH'
  );
}

export function isLru(map: LiveMap): boolean {
  return map.definition.type === 'LRU_HASH' || map.definition.type === 'LRU_PERCPU_HASH';
}

/** Leaves the hash of the key at `local` in `hash`. */
function compileHash(code: CodeWriter, size: number, hash: number): void {
  code.i32(size).set(hash);
  const mix = (word: () => void): void => {
    code.get(hash);
    word();
    code
      .op(WASM.i32_xor)
      .i32(HASH_MULTIPLIER | 0)
      .op(WASM.i32_mul)
      .tee(hash);
    code.get(hash).i32(HASH_SHIFT).op(WASM.i32_shr_u).op(WASM.i32_xor).set(hash);
  };
  const whole = size & ~3;
  for (let at = 0; at < whole; at += 4) mix(() => code.get(KEY).memory(WASM.i32_load, at));
  if (whole === size) return;
  mix(() => {
    for (let at = whole; at < size; at++) {
      code
        .get(KEY)
        .memory(WASM.i32_load8_u, at)
        .i32(8 * (at - whole))
        .op(WASM.i32_shl);
      if (at > whole) code.op(WASM.i32_or);
    }
  });
}

/** Leaves an i32 on the stack that is 0 where the keys at `KEY` and in `entry` are equal. */
function compileDifference(code: CodeWriter, size: number, entry: number): void {
  let at = 0;
  for (const [width, load] of [
    [8, WASM.i64_load],
    [4, WASM.i32_load],
    [2, WASM.i32_load16_u],
    [1, WASM.i32_load8_u],
  ] as const) {
    while (size - at >= width) {
      code
        .get(KEY)
        .memory(load, at)
        .get(entry)
        .memory(load, ENTRY_KEY + at);
      code.op(width === 8 ? WASM.i64_ne : WASM.i32_ne);
      if (at > 0) code.op(WASM.i32_or);
      at += width;
    }
  }
}

/** (key address) → the entry with that key, or 0. Sizes and places are the map's. */
function compileFind(map: LiveMap): CodeWriter {
  const code = new CodeWriter(1);
  const hash = code.local(I32);
  const entry = code.local(I32);
  const { keySize } = map.definition;
  compileHash(code, keySize, hash);
  code.get(hash).i32(map.word(DESCRIPTOR.bucketMask)).op(WASM.i32_and).i32(2).op(WASM.i32_shl);
  code.memory(WASM.i32_load, map.word(DESCRIPTOR.storage)).set(entry);
  code.block();
  const out = code.depth;
  code.loop();
  const again = code.depth;
  code.get(entry).op(WASM.i32_eqz).branchIf(out);
  code.get(entry).memory(WASM.i32_load, 4).get(hash).op(WASM.i32_eq).if();
  compileDifference(code, keySize, entry);
  code.op(WASM.i32_eqz).branchIf(out);
  code.end();
  code.get(entry).memory(WASM.i32_load, 0).set(entry).branch(again);
  code.end().end();
  code.get(entry);
  return code;
}

const functions = new WeakMap<LiveMap, ModuleFunction>();

/** (key address) → the entry with that key, or 0: the same function for the same map every time. */
export function findIn(map: LiveMap): ModuleFunction {
  let found = functions.get(map);
  if (found === undefined) {
    found = { parameters: [I32], results: [I32], compile: () => compileFind(map) };
    functions.set(map, found);
  }
  return found;
}
