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
 * boot; nothing but the order of iteration depends on it. The bytes between the end of a key and the multiple of 8 are zero in entries.
 *
 * An entry that gives way to another of its key (`replace`), or that is removed, keeps its bytes for whoever holds a
 * pointer to it, until its memory is used again. Freed entries are chained by their `next` from the descriptor's `free`;
 * when they are used again, `Reuse` says.
 */
import { hashBytes } from '../../runtime/chance.ts';
import type { MapDefinition } from '../../runtime/maps.ts';
import type { LinearMemory } from '../memory.ts';
import { roundUp8 } from '../memory.ts';
import { DESCRIPTOR, DESCRIPTOR_SIZE } from './live-map.ts';

/** Up to here a copy of the entries is kept, where the world brings many of them. */
const LARGEST_KEPT = 0x400_0000;

/**
 * How a kind of map uses the memory of entries that are gone:
 * - `spare`: what an update of a present key puts out of its place waits apart, for the next such update (`extra_elems` of
 *   the kernel's preallocated tables); what was deleted is the next one inserted;
 * - `last`: what came free last is used first, by updates and insertions alike (lists of bpf_mem_alloc, of LRU tables);
 * - `first`: what came free first, and only when `heldBack` others have come free since (the kernel waits until no program
 *   runs any more that might hold a pointer).
 */
export type Reuse = 'spare' | 'last' | 'first';

/** Entries that `first` holds back at the most, and bytes that it takes for them. */
const MOST_HELD_BACK = 64;
const HELD_BACK_BYTES = 0x10_0000;

/** How many entries more than its capacity a table has memory for. */
function entriesBeyond(reuse: Reuse, stride: number): number {
  if (reuse !== 'first') return 1;
  return Math.max(1, Math.min(MOST_HELD_BACK, Math.floor(HELD_BACK_BYTES / stride)));
}

/** How many entries a map's table has memory for. @param stride bytes from entry to entry */
export function entriesInPool({ type, maxEntries }: MapDefinition, stride: number): number {
  return maxEntries + entriesBeyond(type === 'LPM_TRIE' ? 'first' : 'last', stride);
}

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
  readonly #reuse: Reuse;
  /** Entries that there is memory for besides `capacity`. */
  readonly #beyond: number;

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
    reuse: Reuse = 'last',
  ) {
    this.#memory = memory;
    this.#descriptor = descriptor >> 2;
    this.keySize = keySize;
    this.capacity = capacity;
    this.valueOffset = ENTRY_KEY + roundUp8(keySize);
    this.stride = this.valueOffset + roundUp8(valueSize) + roundUp8(extra);
    this.#reuse = reuse;
    this.#beyond = entriesBeyond(reuse, this.stride);
    let buckets = 1;
    while (buckets < capacity) buckets *= 2;
    this.#mask = buckets - 1;
    this.#buckets = memory.allocate(buckets * 4);
    this.#pool = memory.allocate(this.stride * (capacity + this.#beyond));
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

  /** How many entries were ever put in: what a walk through the table looks at. */
  insertions = 0;

  /** Adds an entry for a key that is not there; its value is what it was before. Returns 0 when the table is full. */
  insert(key: number): number {
    const { i32, u8, view } = this.#memory;
    if (i32[this.#descriptor + DESCRIPTOR.count] === this.capacity) return 0;
    const entry = this.#take();
    const hash = hashBytes(view, key, this.keySize);
    const head = this.#buckets + 4 * (hash & this.#mask);
    view.setInt32(entry, view.getInt32(head, true), true);
    view.setUint32(entry + 4, hash, true);
    u8.copyWithin(entry + ENTRY_KEY, key, key + this.keySize);
    u8.fill(0, entry + ENTRY_KEY + this.keySize, entry + this.valueOffset);
    view.setInt32(head, entry, true);
    i32[this.#descriptor + DESCRIPTOR.count]!++;
    this.insertions++;
    return entry;
  }

  /** Takes out an entry that is there. */
  remove(entry: number): void {
    this.#unchain(entry);
    this.#free(entry);
    this.#memory.i32[this.#descriptor + DESCRIPTOR.count]!--;
  }

  /**
   * Puts a new entry of the same key in the place of one that is there, which keeps its bytes as long as the kernel's does.
   * @returns the new entry: its value is what its memory held before
   */
  replace(old: number): number {
    const { i32 } = this.#memory;
    const spare = this.#descriptor + DESCRIPTOR.spare;
    const entry = this.#reuse === 'spare' ? i32[spare] || this.#takeUnused() : this.#take();
    this.#unchain(old);
    // Hash and key are the same; the kernel's chains, too, have what is new at their head.
    const head = (this.#buckets >> 2) + (i32[(old >> 2) + 1]! & this.#mask);
    for (let word = 1; word < this.valueOffset >> 2; word++)
      i32[(entry >> 2) + word] = i32[(old >> 2) + word]!;
    i32[entry >> 2] = i32[head]!;
    i32[head] = entry;
    if (this.#reuse === 'spare') i32[spare] = old;
    else this.#free(old);
    return entry;
  }

  /** The entry that came free last, and whose memory is used next where `last` says how; 0: none. */
  get free(): number {
    return this.#memory.i32[this.#descriptor + DESCRIPTOR.free]!;
  }

  /** Memory for an entry, of which there is enough. */
  #take(): number {
    const { i32 } = this.#memory;
    const descriptor = this.#descriptor;
    const free = i32[descriptor + DESCRIPTOR.free]!;
    const used = i32[descriptor + DESCRIPTOR.highWater]!;
    const waits = this.#reuse === 'first' && used - i32[descriptor + DESCRIPTOR.count]! < this.#beyond;
    if (free === 0 || waits) return this.#takeUnused();
    i32[descriptor + DESCRIPTOR.free] = i32[free >> 2]!;
    return free;
  }

  /** Memory that no entry had before. A table without a spare entry has not used its last yet. */
  #takeUnused(): number {
    return this.#pool + this.#memory.i32[this.#descriptor + DESCRIPTOR.highWater]!++ * this.stride;
  }

  #free(entry: number): void {
    const { i32 } = this.#memory;
    const first = this.#descriptor + DESCRIPTOR.free;
    if (this.#reuse === 'first' && i32[first] !== 0) {
      i32[i32[this.#descriptor + DESCRIPTOR.spare]! >> 2] = entry;
      i32[entry >> 2] = 0;
    } else {
      i32[entry >> 2] = i32[first]!;
      i32[first] = entry;
    }
    if (this.#reuse === 'first') i32[this.#descriptor + DESCRIPTOR.spare] = entry;
  }

  /** Takes an entry out of its chain. It goes on leading to the next one, for walks that stand at it. */
  #unchain(entry: number): void {
    const { i32 } = this.#memory;
    let link = (this.#buckets >> 2) + (i32[(entry >> 2) + 1]! & this.#mask);
    while (i32[link] !== entry) link = i32[link]! >> 2;
    i32[link] = i32[entry >> 2]!;
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
    i32[this.#descriptor + DESCRIPTOR.spare] = 0;
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
    free.add(i32[this.#descriptor + DESCRIPTOR.spare]!);
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
