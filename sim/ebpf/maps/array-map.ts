/**
 * BPF_MAP_TYPE_ARRAY and BPF_MAP_TYPE_PERCPU_ARRAY (kernel/bpf/arraymap.c).
 *
 * ```
 *   storage ┌─────────┬─────────┬─────────┬───
 *           │ value 0 │ value 1 │ value 2 │ …      stride = value size, rounded up to 8
 *           └─────────┴─────────┴─────────┴───
 * ```
 *
 * Every entry exists from the start, zeroed; none can be deleted. The data sections of an object (`.rodata`,
 * `.data`, `.bss`) are arrays of one value, which starts with the section's bytes.
 */
import { E2BIG, EEXIST, EINVAL } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import type { BpfMap } from '../object.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, DESCRIPTOR, LiveMap, type MapRow } from './live-map.ts';

export class ArrayMap extends LiveMap {
  /** Address of value 0. */
  readonly storage: number;
  readonly stride: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.stride = roundUp8(source.valueSize);
    this.storage = memory.allocate(this.stride * source.maxEntries);
    this.setWord(DESCRIPTOR.storage, this.storage);
    this.setWord(DESCRIPTOR.stride, this.stride);
    if (source.global !== undefined) this.clear();
  }

  override get programWritable(): boolean {
    return super.programWritable && this.source.global?.readOnly !== true;
  }

  override lookup(key: number): number {
    const index = this.memory.u32(key);
    return index < this.definition.maxEntries ? this.storage + index * this.stride : 0;
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
    this.memory.u8.fill(0, this.storage, this.storage + this.stride * this.definition.maxEntries);
    if (this.source.global !== undefined) this.memory.u8.set(this.source.global.bytes, this.storage);
  }

  override snapshot(): MapSnapshot | undefined {
    const { valueSize, maxEntries } = this.definition;
    const builder = new SnapshotBuilder(this.definition);
    const { u8 } = this.memory;
    for (let index = 0, at = this.storage; index < maxEntries; index++, at += this.stride) {
      builder.addIndex(index, u8, at, valueSize);
    }
    return builder.finish();
  }

  override rows(): Iterable<MapRow> | undefined {
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
