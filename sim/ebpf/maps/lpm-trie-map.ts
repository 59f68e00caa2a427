/**
 * BPF_MAP_TYPE_LPM_TRIE (kernel/bpf/lpm_trie.c): longest prefix match.
 *
 * A key is `{ u32 prefixlen; u8 data[] }`, data most significant bit first. Not a trie here: the table of
 * `hash-table.ts` over (prefixlen, data with the bits behind the prefix cleared), and a count of the entries of
 * each length; a lookup tries the lengths in use, longest first. Behind each value lies the key as the program
 * wrote it, since the kernel keeps the bits behind the prefix and shows them again.
 *
 * An update of a present prefix puts a new entry in the old one's place. The kernel frees the old one, and one that is
 * deleted, when no program runs any more that might hold a pointer to it.
 */
import { EEXIST, EINVAL, ENOENT, ENOSPC } from '../../runtime/errno.ts';
import { type MapSnapshot, SnapshotBuilder } from '../../runtime/map-snapshot.ts';
import type { BpfMap } from '../bpf-object.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import { HashTable } from './hash-table.ts';
import { BPF_EXIST, BPF_NOEXIST, LiveMap } from './live-map.ts';

/** Bytes of `prefixlen` before the data. */
const PREFIX_LENGTH = 4;

export class LpmTrieMap extends LiveMap {
  readonly #table: HashTable;
  /** Entries of each prefix length. */
  readonly #lengths: Uint32Array;
  /** Address of the key under work, masked. */
  readonly #masked: number;
  readonly #keyCopy: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    const { keySize, valueSize, maxEntries } = source;
    this.#table = new HashTable(memory, this.address, keySize, valueSize, maxEntries, keySize, 'first');
    this.#lengths = new Uint32Array((keySize - PREFIX_LENGTH) * 8 + 1);
    this.#masked = memory.allocate(keySize);
    this.#keyCopy = this.#table.valueOffset + roundUp8(valueSize);
  }

  get #maxPrefix(): number {
    return this.#lengths.length - 1;
  }

  override lookup(key: number): number {
    const given = this.memory.u32(key);
    if (given > this.#maxPrefix) return 0;
    for (let length = given; length >= 0; length--) {
      if (this.#lengths[length] === 0) continue;
      const entry = this.#find(key, length);
      if (entry !== 0) return entry + this.#table.valueOffset;
    }
    return 0;
  }

  override update(key: number, value: number, flags: number): number {
    if (flags >>> 0 > BPF_EXIST) return -EINVAL;
    const length = this.memory.u32(key);
    if (length > this.#maxPrefix) return -EINVAL;
    let entry = this.#find(key, length);
    if (entry !== 0) {
      if (flags === BPF_NOEXIST) return -EEXIST;
      entry = this.#table.replace(entry);
    } else {
      if (flags === BPF_EXIST) return -ENOENT;
      entry = this.#table.insert(this.#masked);
      if (entry === 0) return -ENOSPC;
      this.#lengths[length]!++;
    }
    const at = entry + this.#table.valueOffset;
    this.memory.u8.copyWithin(at, value, value + this.definition.valueSize);
    this.memory.u8.copyWithin(entry + this.#keyCopy, key, key + this.definition.keySize);
    return 0;
  }

  override delete(key: number): number {
    const length = this.memory.u32(key);
    if (length > this.#maxPrefix) return -EINVAL;
    const entry = this.#find(key, length);
    if (entry === 0) return -ENOENT;
    this.#table.remove(entry);
    this.#lengths[length]!--;
    return 0;
  }

  override clear(): void {
    this.#table.clear();
    this.#lengths.fill(0);
  }

  override snapshot(): MapSnapshot {
    const { u8 } = this.memory;
    const builder = new SnapshotBuilder(this.definition, this.#table.count);
    for (const entry of this.#table.inPool()) {
      builder.add(u8, entry + this.#keyCopy, u8, entry + this.#table.valueOffset, this.definition.valueSize);
    }
    return builder.finish();
  }

  /** The entry of exactly this prefix; leaves the masked key at `#masked`. */
  #find(key: number, length: number): number {
    const { u8 } = this.memory;
    const masked = this.#masked;
    this.memory.setU32(masked, length);
    for (let index = PREFIX_LENGTH; index < this.definition.keySize; index++) {
      const bits = length - (index - PREFIX_LENGTH) * 8;
      const mask = bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff00 >> bits) & 0xff;
      u8[masked + index] = u8[key + index]! & mask;
    }
    return this.#table.find(masked);
  }
}
