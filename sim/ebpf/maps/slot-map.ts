/**
 * Arrays whose slots may be empty: BPF_MAP_TYPE_DEVMAP (kernel/bpf/devmap.c), BPF_MAP_TYPE_CPUMAP (cpumap.c),
 * BPF_MAP_TYPE_XSKMAP (net/xdp/xskmap.c), BPF_MAP_TYPE_PROG_ARRAY and BPF_MAP_TYPE_PERF_EVENT_ARRAY (arraymap.c).
 *
 * ```
 *   storage ┌────────┬────────┬───
 *           │ slot 0 │ slot 1 │ …      stride = value size, rounded up to 8
 *           └────────┴────────┴───
 * ```
 *
 * A slot whose first u32 is 0 is empty. What it holds: a DEVMAP the `struct bpf_devmap_val` (ifindex first), a
 * CPUMAP the `struct bpf_cpumap_val` (queue size first), a PROG_ARRAY the number of the program in the machine
 * + 1, an XSKMAP and a PERF_EVENT_ARRAY anything but 0 where a socket or an event is (there is none to be had
 * unless a world says so).
 */
import { E2BIG, EEXIST, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import { BPF_EXIST, BPF_NOEXIST } from './live-map.ts';
import { StorageOfValues } from './storage-of-values.ts';

export class SlotMap extends StorageOfValues {
  /** The device and CPU maps set BPF_F_RDONLY_PROG themselves; the others' slots are not memory to programs at all. */
  override get programWritable(): boolean {
    return false;
  }

  /** Address of slot `index`, or 0 where it is empty or there is none. */
  lookupIndex(index: number): number {
    if (index >= this.definition.maxEntries) return 0;
    const slot = this.storage + index * this.stride;
    return this.memory.u32(slot) === 0 ? 0 : slot;
  }

  override lookup(key: number): number {
    return this.lookupIndex(this.memory.u32(key));
  }

  override update(key: number, value: number, flags: number): number {
    if (flags >>> 0 > BPF_EXIST) return -EINVAL;
    const index = this.memory.u32(key);
    if (index >= this.definition.maxEntries) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    this.memory.u8.copyWithin(this.storage + index * this.stride, value, value + this.definition.valueSize);
    return 0;
  }

  override delete(key: number): number {
    const index = this.memory.u32(key);
    if (index >= this.definition.maxEntries) return this.definition.type === 'PROG_ARRAY' ? -E2BIG : -EINVAL;
    const slot = this.storage + index * this.stride;
    const empty = this.memory.u32(slot) === 0;
    this.memory.u8.fill(0, slot, slot + this.stride);
    return empty && this.definition.type === 'PROG_ARRAY' ? -ENOENT : 0;
  }

  override clear(): void {
    this.memory.u8.fill(0, this.storage, this.storage + this.stride * this.definition.maxEntries);
  }

  /** What device maps hold means the same to every engine; the others hold descriptors of this one. */
  override snapshot(): MapSnapshot | undefined {
    const { type, maxEntries, valueSize } = this.definition;
    if (type !== 'DEVMAP') return undefined;
    const builder = new SnapshotBuilder(this.definition);
    for (let index = 0; index < maxEntries; index++) {
      const slot = this.lookupIndex(index);
      if (slot !== 0) builder.addIndex(index, this.memory.u8, slot, valueSize);
    }
    return builder.finish();
  }
}
