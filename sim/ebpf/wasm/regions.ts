/** The check of one access at run time: which memory may a program touch? */
import type { PlacedVariable } from '../kernel-variables.ts';
import { ENTRY_KEY, entriesInPool } from '../maps/hash-table.ts';
import { DESCRIPTOR, type LiveMap } from '../maps/live-map.ts';
import { STORAGE_ROWS, STORAGE_VALUE } from '../maps/storage-map.ts';
import {
  CONTEXT_BASE,
  CONTEXT_LIMIT,
  MACHINE_WORD,
  SOCKET_BASE,
  SOCKET_LIMIT,
  STACK_BASE,
  STACK_FRAMES,
  STACK_LIMIT,
  STACK_SIZE,
} from '../memory.ts';
import { CodeWriter } from './code-writer.ts';
import { I32, WASM } from './opcodes.ts';

const ADDRESS = 0;
const SIZE = 1;
/** Where the stack frame of the function ends that is running. */
const FRAME = 2;

/** No address and no size is larger: then sums of them do not wrap around. */
const LARGEST = 0x7fff_ffff;

class RegionCheck {
  readonly code: CodeWriter = new CodeWriter(3);
  readonly #low: number = this.code.local(I32);
  readonly #size: number = this.code.local(I32);
  readonly #high: number = this.code.local(I32);
  readonly #inside: number = this.code.local(I32);

  begin(): void {
    const { code } = this;
    for (const local of [ADDRESS, SIZE]) {
      code.get(local).i64(LARGEST).op(WASM.i64_gt_u).if().i32(0).op(WASM.return).end();
    }
    code.get(ADDRESS).op(WASM.i32_wrap_i64).tee(this.#low);
    code.get(SIZE).op(WASM.i32_wrap_i64).tee(this.#size).op(WASM.i32_add).set(this.#high);
  }

  /** Between two addresses that `from` and `to` put on the stack: yes. */
  window(from: () => void, to: () => void): void {
    const { code } = this;
    code.get(this.#low);
    from();
    code.op(WASM.i32_ge_u).get(this.#high);
    to();
    code.op(WASM.i32_le_u).op(WASM.i32_and);
    this.#yes();
  }

  /**
   * Rows of `stride` bytes: yes for what lies wholly inside one of the `parts` of a row, otherwise no, once the
   * access begins between the addresses.
   */
  rows(
    from: number,
    count: number,
    stride: number,
    parts: readonly { readonly offset: number; readonly size: number }[],
  ): void {
    const { code } = this;
    code.get(this.#low).i32(from).op(WASM.i32_sub).tee(this.#inside);
    // The product may be above 2^31, but not above the memory's size.
    code
      .i32(count * stride)
      .op(WASM.i32_lt_u)
      .if();
    code.get(this.#inside).i32(stride).op(WASM.i32_rem_u).set(this.#inside);
    for (const { offset, size } of parts) {
      code.get(this.#inside).i32(offset).op(WASM.i32_ge_u);
      code.get(this.#inside).get(this.#size).op(WASM.i32_add);
      code
        .i32(offset + size)
        .op(WASM.i32_le_u)
        .op(WASM.i32_and);
      this.#yes();
    }
    code.i32(0).op(WASM.return).end();
  }

  /** Who begins between the addresses and ends behind the one that `limit` puts on the stack: no. */
  nothingBehind(from: number, to: number, limit: () => void): void {
    const { code } = this;
    code.get(this.#low).i32(from).op(WASM.i32_ge_u);
    code.get(this.#low).i32(to).op(WASM.i32_lt_u).op(WASM.i32_and);
    code.get(this.#high);
    limit();
    code.op(WASM.i32_gt_u).op(WASM.i32_and);
    code.if().i32(0).op(WASM.return).end();
  }

  /** Who begins between the addresses is judged by the imported function (address, size, writes) → 1 or 0. */
  ask(from: number, to: number, writes: boolean, judge: number): void {
    const { code } = this;
    code
      .get(this.#low)
      .i32(from)
      .op(WASM.i32_sub)
      .i32(to - from)
      .op(WASM.i32_lt_u)
      .if();
    code
      .get(this.#low)
      .get(this.#size)
      .i32(writes ? 1 : 0)
      .call(judge)
      .op(WASM.return);
    code.end();
  }

  #yes(): void {
    this.code.if().i32(1).op(WASM.return).end();
  }
}

/**
 * (address: i64, size: i64, frame: i32) → 1 where all of it may be read (or written), else 0.
 * @param judge the imported function for what takes more than two comparisons: context, ring buffers
 * @param variables those of the kernel
 * @param fragments may programs get at what lies behind the packet's linear part, by a slice of a dynptr?
 */
export function compileRegionCheck(
  maps: readonly LiveMap[],
  writes: boolean,
  judge: number,
  fragments: boolean,
  variables: readonly PlacedVariable[],
): CodeWriter {
  const check = new RegionCheck();
  const { code } = check;
  check.begin();
  check.window(
    () => code.word(MACHINE_WORD.dataMeta * 4),
    () => code.word(MACHINE_WORD.dataEnd * 4),
  );
  if (fragments) {
    check.window(
      () => code.word(MACHINE_WORD.dataEnd * 4),
      () => code.word(MACHINE_WORD.frameEnd * 4),
    );
  }
  // What begins in one frame ends there. Frames behind the one that is running are nobody's.
  check.nothingBehind(STACK_BASE, STACK_LIMIT, () => code.get(FRAME));
  check.rows(STACK_BASE, STACK_FRAMES, STACK_SIZE, [{ offset: 0, size: STACK_SIZE }]);
  for (const map of maps) {
    if (map.definition.type === 'RINGBUF') {
      const from = map.word(DESCRIPTOR.storage);
      check.ask(from, from + map.definition.maxEntries, writes, judge);
    } else if (writes ? map.programWritable : map.programReadable) checkValues(check, map, writes);
  }
  if (!writes) {
    for (const { contents, size } of variables) {
      check.window(
        () => code.i32(contents),
        () => code.i32(contents + size),
      );
    }
  }
  check.ask(CONTEXT_BASE, CONTEXT_LIMIT, writes, judge);
  if (!writes) check.ask(SOCKET_BASE, SOCKET_LIMIT, writes, judge);
  code.i32(0);
  return code;
}

function checkValues(check: RegionCheck, map: LiveMap, writes: boolean): void {
  const { code } = check;
  const { type, keySize, valueSize, maxEntries } = map.definition;
  const storage = map.word(DESCRIPTOR.storage);
  const stride = map.word(DESCRIPTOR.stride);
  switch (type) {
    case 'ARRAY':
    case 'PERCPU_ARRAY': {
      check.rows(storage, maxEntries, stride, [{ offset: 0, size: valueSize }]);
      if (writes) return;
      // The key that `bpf_for_each_map_elem` hands to callbacks.
      const key = map.address + 4 * DESCRIPTOR.newest;
      check.window(
        () => code.i32(key),
        () => code.i32(key + 4),
      );
      return;
    }
    case 'SK_STORAGE':
    case 'CGRP_STORAGE':
      check.rows(storage, STORAGE_ROWS, stride, [{ offset: STORAGE_VALUE, size: valueSize }]);
      return;
    case 'DEVMAP':
    case 'CPUMAP':
      check.rows(storage, maxEntries, stride, [{ offset: 0, size: valueSize }]);
      return;
    case 'HASH':
    case 'PERCPU_HASH':
    case 'LRU_HASH':
    case 'LRU_PERCPU_HASH':
    case 'LPM_TRIE':
    case 'DEVMAP_HASH': {
      const parts = [{ offset: map.word(DESCRIPTOR.valueOffset), size: valueSize }];
      if (!writes) parts.push({ offset: ENTRY_KEY, size: keySize });
      check.rows(map.word(DESCRIPTOR.pool), entriesInPool(map.definition, stride), stride, parts);
      return;
    }
    default:
  }
}
