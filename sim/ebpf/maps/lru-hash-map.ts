/**
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH (kernel/bpf/hashtab.c, kernel/bpf/bpf_lru_list.c).
 *
 * The kernel evicts approximately: entries lie on an active and an inactive list, a lookup only sets a reference
 * bit, and each CPU takes free entries in batches, so that it may evict before the map is full, and even when it
 * overwrites a present key. Which entry goes is therefore chance there. Here it is exact: lookups and updates by
 * the program make an entry the most recently used one, and an insertion into a full map evicts the least
 * recently used. Programs that agree on every eviction order agree on this one.
 *
 * From where on the two can differ is noted: see `entriesSurelyKept`.
 *
 * The two links (older, newer) are the last eight bytes of an entry; both ends of the list are in the descriptor.
 */
import { EEXIST, EINVAL, ENOENT, ENOMEM } from '../../runtime/errno.ts';
import { entriesSurelyKept } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { HashMap } from './hash-map.ts';
import { ENTRY_KEY } from './hash-table.ts';
import { BPF_EXIST, BPF_F_NO_COMMON_LRU, BPF_NOEXIST, DESCRIPTOR } from './live-map.ts';

const LINK_BYTES = 8;

export class LruHashMap extends HashMap {
  /** Bytes from an entry's begin to its links. */
  readonly links: number;

  /** Called when the kernel may have to evict for the first time since the map was cleared. */
  onCrowded: (() => void) | undefined;
  /** Has that happened? */
  crowded = false;
  readonly #surelyKept: number;
  #keptCrowded = false;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber, LINK_BYTES, 'last');
    this.#surelyKept = entriesSurelyKept(source.maxEntries, (source.mapFlags & BPF_F_NO_COMMON_LRU) !== 0);
    this.links = this.table.stride - LINK_BYTES;
  }

  override lookup(key: number): number {
    const entry = this.table.find(key);
    if (entry === 0) return 0;
    this.#touch(entry);
    return entry + this.table.valueOffset;
  }

  override update(key: number, value: number, flags: number): number {
    if (flags >>> 0 > BPF_EXIST) return -EINVAL;
    // Overwriting takes a free entry, too, before it gives the old one back.
    if (!this.crowded && this.table.count >= this.#surelyKept) {
      this.crowded = true;
      this.onCrowded?.();
    }
    let entry = this.table.find(key);
    if (entry !== 0) {
      if (flags === BPF_NOEXIST) return this.#refuse(key, value, -EEXIST);
      if (this.inPlace) this.#touch(entry);
      else entry = this.replace(entry);
    } else {
      if (flags === BPF_EXIST) return this.#refuse(key, value, -ENOENT);
      if (this.table.count === this.table.capacity) this.#evict();
      entry = this.table.insert(key);
      if (entry === 0) return -ENOMEM;
      this.#append(entry);
    }
    this.store(entry + this.table.valueOffset, value);
    return 0;
  }

  protected override replace(old: number): number {
    this.#unlink(old);
    const entry = super.replace(old);
    this.#append(entry);
    return entry;
  }

  /** What is refused was written into a free entry before anything was looked at, and whoever has had that sees it. */
  #refuse(key: number, value: number, error: number): number {
    const { free, keySize, valueOffset } = this.table;
    if (free === 0 || this.inPlace) return error;
    this.memory.u8.copyWithin(free + ENTRY_KEY, key, key + keySize);
    this.store(free + valueOffset, value);
    return error;
  }

  override delete(key: number): number {
    const entry = this.table.find(key);
    if (entry === 0) return -ENOENT;
    this.cancelTimer(entry + this.table.valueOffset);
    this.#unlink(entry);
    this.table.remove(entry);
    return 0;
  }

  override keep(): boolean {
    this.#keptCrowded = this.crowded;
    return super.keep();
  }

  override restore(): void {
    super.restore();
    this.crowded = this.#keptCrowded;
  }

  override clear(): void {
    super.clear();
    this.crowded = false;
    this.setWord(DESCRIPTOR.oldest, 0);
    this.setWord(DESCRIPTOR.newest, 0);
  }

  #evict(): void {
    const victim = this.word(DESCRIPTOR.oldest);
    if (victim === 0) return;
    this.cancelTimer(victim + this.table.valueOffset);
    this.#unlink(victim);
    this.table.remove(victim);
  }

  #touch(entry: number): void {
    if (this.word(DESCRIPTOR.newest) === entry) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  #append(entry: number): void {
    const newest = this.word(DESCRIPTOR.newest);
    this.memory.setU32(entry + this.links, newest);
    this.memory.setU32(entry + this.links + 4, 0);
    if (newest === 0) this.setWord(DESCRIPTOR.oldest, entry);
    else this.memory.setU32(newest + this.links + 4, entry);
    this.setWord(DESCRIPTOR.newest, entry);
  }

  #unlink(entry: number): void {
    const older = this.memory.u32(entry + this.links);
    const newer = this.memory.u32(entry + this.links + 4);
    if (older === 0) this.setWord(DESCRIPTOR.oldest, newer);
    else this.memory.setU32(older + this.links + 4, newer);
    if (newer === 0) this.setWord(DESCRIPTOR.newest, older);
    else this.memory.setU32(newer + this.links, older);
  }
}
