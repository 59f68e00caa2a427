/**
 * BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_PERCPU_HASH (kernel/bpf/hashtab.c) over the table of `hash-table.ts`.
 *
 * An update of a present key puts a new entry in the old one's place, as the kernel does: who still holds a pointer to the
 * old one goes on seeing the old value, and what is written there is lost. Per-CPU values, and values under their lock
 * (BPF_F_LOCK), are written in place.
 */
import { E2BIG, EEXIST, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { ENTRY_KEY, HashTable, type Reuse } from './hash-table.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_F_NO_PREALLOC, BPF_NOEXIST, LiveMap, type MapRow } from './live-map.ts';

export class HashMap extends LiveMap {
  readonly table: HashTable;
  /** Does an update write into the value that is there? */
  protected readonly inPlace: boolean;
  #restore: (() => void) | undefined;

  /**
   * @param extra bytes behind each value, for the kind's own use
   * @param reuse of the memory of entries that are gone
   */
  constructor(
    memory: LinearMemory,
    source: BpfMap,
    index: number,
    typeNumber: number,
    extra: number = 0,
    reuse: Reuse = reuseOf(source),
  ) {
    super(memory, source, index, typeNumber);
    this.inPlace = source.type.includes('PERCPU');
    this.table = new HashTable(
      memory,
      this.address,
      source.keySize,
      source.valueSize,
      source.maxEntries,
      extra,
      reuse,
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
      if ((flags & BPF_F_LOCK) !== 0) {
        // Under its lock, a value is written over and frees nothing (`copy_map_value_locked`): its timer goes on.
        this.overwrite(entry + this.table.valueOffset, value);
        return 0;
      }
      if (!this.inPlace) entry = this.replace(entry);
    } else {
      if ((flags & ~BPF_F_LOCK) === BPF_EXIST) return -ENOENT;
      entry = this.table.insert(key);
      if (entry === 0) return -E2BIG;
    }
    this.store(entry + this.table.valueOffset, value);
    return 0;
  }

  /** Puts an entry in the place of one that is there, whose timer goes with it. */
  protected replace(old: number): number {
    this.cancelTimer(old + this.table.valueOffset);
    return this.table.replace(old);
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

  override get insertions(): number {
    return this.table.insertions;
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

/** Tables that ask for memory with each entry get what they gave back last (kernel/bpf/memalloc.c). */
function reuseOf({ mapFlags }: BpfMap): Reuse {
  return (mapFlags & BPF_F_NO_PREALLOC) === 0 ? 'spare' : 'last';
}
