/**
 * BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_PERCPU_ARRAY (kernel/bpf/arraymap.c).
 *
 * ```
 *   storage ┌─────────┬─────────┬─────────┬───
 *           │ value 0 │ value 1 │ value 2 │ …      stride = value size, rounded up to 8
 *           └─────────┴─────────┴─────────┴───
 * ```
 *
 * Every entry exists from the start, zeroed; none can be deleted. Of a large array, what programs looked up is tracked
 * (`touched-blocks.ts`); data sections are not, since instructions point into them without a lookup. The data sections of an object (`.rodata`,
 * `.data`, `.bss`) are arrays of one value, which starts with the section's bytes.
 */
import { E2BIG, EEXIST, EINVAL } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, DESCRIPTOR, type MapRow } from './live-map.ts';
import { StorageOfValues } from './storage-of-values.ts';
import { TouchedBlocks } from './touched-blocks.ts';

/** Up to here a copy of all values is kept, where the world fills many of them. */
const LARGEST_KEPT = 0x400_0000;

export class ArrayMap extends StorageOfValues {
  readonly #touched: TouchedBlocks | undefined;
  /** What `keep` remembers: all values, and in which blocks they are. */
  #kept: { readonly values: Uint8Array; readonly blocks: Uint8Array | undefined } | undefined;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    const bytes = this.stride * source.maxEntries;
    if (source.global !== undefined) this.clear();
    else if (source.maxEntries > 1 && TouchedBlocks.wanted(bytes)) {
      this.#touched = new TouchedBlocks(memory, bytes, this.stride);
      this.setWord(DESCRIPTOR.touched, this.#touched.table);
    }
  }

  override get programWritable(): boolean {
    return super.programWritable && this.source.global?.readOnly !== true;
  }

  override lookup(key: number): number {
    const index = this.memory.u32(key);
    if (index >= this.definition.maxEntries) return 0;
    this.#touched?.touch(index * this.stride, this.definition.valueSize);
    return this.storage + index * this.stride;
  }

  override update(key: number, value: number, flags: number): number {
    if ((flags & ~BPF_F_LOCK) >>> 0 > BPF_EXIST) return -EINVAL;
    const slot = this.lookup(key);
    if (slot === 0) return -E2BIG;
    if ((flags & BPF_NOEXIST) !== 0) return -EEXIST;
    if (this.refusesFlags(flags)) return -EINVAL;
    this.store(slot, value);
    return 0;
  }

  override delete(_key: number): number {
    return -EINVAL;
  }

  override clear(): void {
    const { u8 } = this.memory;
    for (const [from, to] of this.#ranges()) u8.fill(0, this.storage + from, this.storage + to);
    this.#touched?.forget();
    if (this.source.global !== undefined) this.memory.u8.set(this.source.global.bytes, this.storage);
  }

  override keep(): boolean {
    const bytes = this.stride * this.definition.maxEntries;
    if (bytes > LARGEST_KEPT) return false;
    this.#kept = { values: this.memory.read(this.storage, bytes), blocks: this.#touched?.save() };
    this.#touched?.forget();
    return true;
  }

  override restore(): void {
    const { values } = this.#kept!;
    const { u8 } = this.memory;
    for (const [from, to] of this.#ranges()) u8.set(values.subarray(from, to), this.storage + from);
    this.#touched?.forget();
  }

  override snapshot(): MapSnapshot | undefined {
    // Reading these blocks once more changes nothing about them.
    if (this.#kept?.blocks !== undefined) this.#touched?.add(this.#kept.blocks);
    const { valueSize } = this.definition;
    const builder = new SnapshotBuilder(this.definition);
    const { u8 } = this.memory;
    let index = 0;
    for (const [from, to] of this.#ranges()) {
      // An entry that begins before the range has been shown, where it is in the one before.
      index = Math.max(index, Math.floor(from / this.stride));
      for (; index * this.stride < to; index++) {
        builder.addIndex(index, u8, this.storage + index * this.stride, valueSize);
      }
    }
    return builder.finish();
  }

  /** Ranges of the storage, as offsets, that can be something else than at the start. */
  #ranges(): Iterable<readonly [from: number, to: number]> {
    const bytes = this.stride * this.definition.maxEntries;
    if (this.#touched === undefined) return [[0, bytes]];
    return Array.from(this.#touched.ranges(), ([from, to]) => [from, Math.min(to, bytes)] as const);
  }

  override rows(): Iterable<MapRow> | undefined {
    this.#touched?.touchAll();
    return this.#rows();
  }

  /** The callback's key is a copy of the index, for which the descriptor's last word serves. */
  *#rows(): Iterable<MapRow> {
    const key = this.address + 4 * DESCRIPTOR.newest;
    for (let index = 0; index < this.definition.maxEntries; index++) {
      this.memory.setU32(key, index);
      yield { key, value: this.storage + index * this.stride };
    }
  }
}
