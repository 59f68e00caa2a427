/**
 * The hash table under HASH, LRU_HASH, LPM_TRIE, DEVMAP_HASH and HASH_OF_MAPS: chains of entries in linear memory.
 *
 * ```
 *   buckets ┌──────┬──────┬──────┬───          power of two, u32 addresses of the first entry, 0: empty
 *           │ head │ head │ head │ …
 *           └──┬───┴──────┴──────┴───
 *              ↓
 *   entry   ┌──────┬──────┬───────────────┬─────────────────┬───────┬───────┐
 *           │ next │ hash │ key, to 8     │ value, to 8     │ older │ newer │   the links: LRU only
 *           └──────┴──────┴───────────────┴─────────────────┴───────┴───────┘
 *           0      4      8               8 + ⌈key⌉₈
 * ```
 *
 * The bucket is the low bits of `hashBytes` of the key. The kernel's (jhash with a random seed) differs from boot to
 * boot; nothing but the order of iteration depends on it. The bytes between the end of a key and the multiple of 8 are zero in entries. A freed entry is chained by its
 * `next` from the descriptor's `free`; its other bytes stay, as they do in the kernel's preallocated tables.
 */
import { hashBytes } from '../../runtime/chance.ts';
import type { LinearMemory } from '../memory.ts';
import { roundUp8 } from '../memory.ts';
import { DESCRIPTOR, DESCRIPTOR_SIZE } from './live-map.ts';

/** Up to here a copy of the entries is kept, where the world brings many of them. */
const LARGEST_KEPT = 0x400_0000;

/** Bytes before an entry's key. */
export const ENTRY_KEY = 8;

export class HashTable {
  readonly #memory: LinearMemory;
  /** Index of the descriptor's first word in `i32`. */
  readonly #descriptor: number;
  readonly keySize: number;
  readonly capacity: number;
  readonly stride: number;
  readonly valueOffset: number;
  readonly #buckets: number;
  readonly #mask: number;
  readonly #pool: number;

  /**
   * @param descriptor address of the map's descriptor, where the table keeps its state
   * @param extra bytes behind each value, for the owner's use
   */
  constructor(
    memory: LinearMemory,
    descriptor: number,
    keySize: number,
    valueSize: number,
    capacity: number,
    extra: number = 0,
  ) {
    this.#memory = memory;
    this.#descriptor = descriptor >> 2;
    this.keySize = keySize;
    this.capacity = capacity;
    this.valueOffset = ENTRY_KEY + roundUp8(keySize);
    this.stride = this.valueOffset + roundUp8(valueSize) + roundUp8(extra);
    let buckets = 1;
    while (buckets < capacity) buckets *= 2;
    this.#mask = buckets - 1;
    this.#buckets = memory.allocate(buckets * 4);
    this.#pool = memory.allocate(this.stride * capacity);
    const words = memory.i32;
    words[this.#descriptor + DESCRIPTOR.storage] = this.#buckets;
    words[this.#descriptor + DESCRIPTOR.stride] = this.stride;
    words[this.#descriptor + DESCRIPTOR.bucketMask] = this.#mask;
    words[this.#descriptor + DESCRIPTOR.valueOffset] = this.valueOffset;
    words[this.#descriptor + DESCRIPTOR.pool] = this.#pool;
  }

  get count(): number {
    return this.#memory.i32[this.#descriptor + DESCRIPTOR.count]!;
  }

  /** The entry with this key, or 0. */
  find(key: number): number {
    const { view } = this.#memory;
    const hash = hashBytes(view, key, this.keySize);
    let entry = view.getUint32(this.#buckets + 4 * (hash & this.#mask), true);
    while (entry !== 0) {
      if (view.getUint32(entry + 4, true) === hash && this.#sameKey(entry + ENTRY_KEY, key)) return entry;
      entry = view.getUint32(entry, true);
    }
    return 0;
  }

  #sameKey(a: number, b: number): boolean {
    const { u8 } = this.#memory;
    for (let index = 0; index < this.keySize; index++) if (u8[a + index] !== u8[b + index]) return false;
    return true;
  }

  /** Adds an entry for a key that is not there; its value is what it was before. Returns 0 when the table is full. */
  insert(key: number): number {
    const { i32, u8, view } = this.#memory;
    let entry = i32[this.#descriptor + DESCRIPTOR.free]!;
    if (entry !== 0) {
      i32[this.#descriptor + DESCRIPTOR.free] = view.getInt32(entry, true);
    } else {
      const used = i32[this.#descriptor + DESCRIPTOR.highWater]!;
      if (used === this.capacity) return 0;
      i32[this.#descriptor + DESCRIPTOR.highWater] = used + 1;
      entry = this.#pool + used * this.stride;
    }
    const hash = hashBytes(view, key, this.keySize);
    const head = this.#buckets + 4 * (hash & this.#mask);
    view.setInt32(entry, view.getInt32(head, true), true);
    view.setUint32(entry + 4, hash, true);
    u8.copyWithin(entry + ENTRY_KEY, key, key + this.keySize);
    u8.fill(0, entry + ENTRY_KEY + this.keySize, entry + this.valueOffset);
    view.setInt32(head, entry, true);
    i32[this.#descriptor + DESCRIPTOR.count]!++;
    return entry;
  }

  /** Takes out an entry that is there. */
  remove(entry: number): void {
    const { i32, view } = this.#memory;
    let link = this.#buckets + 4 * (view.getUint32(entry + 4, true) & this.#mask);
    while (view.getInt32(link, true) !== entry) link = view.getInt32(link, true);
    view.setInt32(link, view.getInt32(entry, true), true);
    view.setInt32(entry, i32[this.#descriptor + DESCRIPTOR.free]!, true);
    i32[this.#descriptor + DESCRIPTOR.free] = entry;
    i32[this.#descriptor + DESCRIPTOR.count]!--;
  }

  clear(): void {
    const { i32, u8 } = this.#memory;
    const used = i32[this.#descriptor + DESCRIPTOR.highWater]!;
    if (used === 0) return;
    // Of a large table with few entries, only the buckets that these are in.
    if (used > this.#mask >> 4) u8.fill(0, this.#buckets, this.#buckets + 4 * (this.#mask + 1));
    else {
      for (let entry = this.#pool; entry < this.#pool + used * this.stride; entry += this.stride) {
        this.#memory.setU32(this.#buckets + 4 * (this.#memory.u32(entry + 4) & this.#mask), 0);
      }
    }
    u8.fill(0, this.#pool, this.#pool + used * this.stride);
    i32[this.#descriptor + DESCRIPTOR.free] = 0;
    i32[this.#descriptor + DESCRIPTOR.highWater] = 0;
    i32[this.#descriptor + DESCRIPTOR.count] = 0;
  }

  /**
   * Remembers all entries.
   * @returns what brings them back; undefined where that would take more memory than it is worth
   */
  keep(): (() => void) | undefined {
    const bucketBytes = 4 * (this.#mask + 1);
    const used = this.#memory.i32[this.#descriptor + DESCRIPTOR.highWater]! * this.stride;
    if (bucketBytes + used > LARGEST_KEPT) return undefined;
    const buckets = this.#memory.read(this.#buckets, bucketBytes);
    const pool = this.#memory.read(this.#pool, used);
    const from = this.#descriptor;
    const words = this.#memory.i32.slice(from, from + DESCRIPTOR_SIZE / 4);
    return () => {
      const { i32, u8 } = this.#memory;
      const end = i32[from + DESCRIPTOR.highWater]! * this.stride;
      u8.set(buckets, this.#buckets);
      u8.set(pool, this.#pool);
      if (end > used) u8.fill(0, this.#pool + used, this.#pool + end);
      i32.set(words, from);
    };
  }

  /** Addresses of all entries, in the order in which they lie: none may be added or removed meanwhile. */
  *inPool(): Iterable<number> {
    const { i32 } = this.#memory;
    const used = i32[this.#descriptor + DESCRIPTOR.highWater]!;
    const free = new Set<number>();
    for (let entry = i32[this.#descriptor + DESCRIPTOR.free]!; entry !== 0; entry = this.#memory.u32(entry)) {
      free.add(entry);
    }
    for (let row = 0, entry = this.#pool; row < used; row++, entry += this.stride) {
      if (!free.has(entry)) yield entry;
    }
  }

  /** Addresses of all entries, bucket by bucket. The entry just visited may be removed meanwhile. */
  *all(): Iterable<number> {
    for (let bucket = 0; bucket <= this.#mask; bucket++) {
      let entry = this.#memory.u32(this.#buckets + 4 * bucket);
      while (entry !== 0) {
        const next = this.#memory.u32(entry);
        yield entry;
        entry = next;
      }
    }
  }
}
