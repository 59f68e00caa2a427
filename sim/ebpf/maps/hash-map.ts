/**
 * BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_PERCPU_HASH (kernel/bpf/hashtab.c) over the table of `hash-table.ts`.
 *
 * An update of a present key writes its value in place. (The kernel's plain HASH puts a new element in the old
 * one's place, so that a program which still holds a pointer to the old one goes on seeing the old value.)
 */
import { E2BIG, EEXIST, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { ENTRY_KEY, HashTable } from './hash-table.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, LiveMap, type MapRow } from './live-map.ts';

export class HashMap extends LiveMap {
  readonly table: HashTable;
  #restore: (() => void) | undefined;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number, extra: number = 0) {
    super(memory, source, index, typeNumber);
    this.table = new HashTable(
      memory,
      this.address,
      source.keySize,
      source.valueSize,
      source.maxEntries,
      extra,
    );
  }

  override lookup(key: number): number {
    const entry = this.table.find(key);
    return entry === 0 ? 0 : entry + this.table.valueOffset;
  }

  override update(key: number, value: number, flags: number): number {
    if (this.refusesFlags(flags)) return -EINVAL;
    let entry = this.table.find(key);
    if (entry !== 0) {
      if ((flags & ~BPF_F_LOCK) === BPF_NOEXIST) return -EEXIST;
    } else {
      if ((flags & ~BPF_F_LOCK) === BPF_EXIST) return -ENOENT;
      entry = this.table.insert(key);
      if (entry === 0) return -E2BIG;
    }
    this.store(entry + this.table.valueOffset, value);
    return 0;
  }

  override delete(key: number): number {
    const entry = this.table.find(key);
    if (entry === 0) return -ENOENT;
    this.cancelTimer(entry + this.table.valueOffset);
    this.table.remove(entry);
    return 0;
  }

  override keep(): boolean {
    this.#restore = this.table.keep();
    return this.#restore !== undefined;
  }

  override restore(): void {
    this.#restore!();
  }

  override clear(): void {
    this.table.clear();
  }

  override snapshot(): MapSnapshot | undefined {
    const { u8 } = this.memory;
    const builder = new SnapshotBuilder(this.definition, this.table.count);
    for (const entry of this.table.inPool()) {
      builder.add(u8, entry + ENTRY_KEY, u8, entry + this.table.valueOffset, this.definition.valueSize);
    }
    return builder.finish();
  }

  override rows(): Iterable<MapRow> | undefined {
    return this.#rows();
  }

  *#rows(): Iterable<MapRow> {
    for (const entry of this.table.all()) {
      yield { key: entry + ENTRY_KEY, value: entry + this.table.valueOffset };
    }
  }
}
