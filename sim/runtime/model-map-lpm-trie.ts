/**
 * BPF_MAP_TYPE_LPM_TRIE (kernel/bpf/lpm_trie.c): longest prefix match. A key is `{ u32 prefixlen; u8 data[] }`, data
 * most significant bit first.
 */
import { EEXIST, EINVAL, ENOENT, ENOSPC } from './errno.ts';
import { type MapSnapshot, type SnapshotEntry, snapshotOf } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';
import { BaseModelMap, indexOf } from './model-map-base.ts';

const BPF_NOEXIST = 1;
const BPF_EXIST = 2;
/** Bytes of `prefixlen` before the data. */
const PREFIX_LENGTH = 4;

export class LpmTrieModelMap extends BaseModelMap {
  /** By prefix length, then by the bits of the prefix. */
  readonly #prefixes: (Map<string, SnapshotEntry> | undefined)[];
  #count = 0;

  constructor(definition: MapDefinition) {
    super(definition);
    this.#prefixes = new Array((definition.keySize - PREFIX_LENGTH) * 8 + 1).fill(undefined);
  }

  override lookup(key: Uint8Array): Uint8Array | undefined {
    const longest = indexOf(key);
    if (longest >= this.#prefixes.length) return undefined;
    for (let length = longest; length >= 0; length--) {
      const entries = this.#prefixes[length];
      if (entries === undefined || entries.size === 0) continue;
      const entry = entries.get(bitsOf(key, length));
      if (entry !== undefined) return entry.value;
    }
    return undefined;
  }

  override update(key: Uint8Array, value: Uint8Array, flags: number = 0): number {
    const length = indexOf(key);
    if (flags > BPF_EXIST || length >= this.#prefixes.length) return -EINVAL;
    this.#prefixes[length] ??= new Map();
    const entries = this.#prefixes[length];
    const bits = bitsOf(key, length);
    const present = entries.has(bits);
    if (present && flags === BPF_NOEXIST) return -EEXIST;
    if (!present && flags === BPF_EXIST) return -ENOENT;
    if (!present && this.#count >= this.definition.maxEntries) return -ENOSPC;
    if (!present) this.#count++;
    // The kernel keeps the bits behind the prefix, and shows them again.
    const { keySize, valueSize } = this.definition;
    entries.set(bits, { key: key.slice(0, keySize), value: value.slice(0, valueSize) });
    return 0;
  }

  override delete(key: Uint8Array): number {
    const length = indexOf(key);
    if (length >= this.#prefixes.length) return -EINVAL;
    if (this.#prefixes[length]?.delete(bitsOf(key, length)) !== true) return -ENOENT;
    this.#count--;
    return 0;
  }

  override snapshot(): MapSnapshot {
    const entries = this.#prefixes.flatMap((one) => (one === undefined ? [] : [...one.values()]));
    return snapshotOf(this.definition, entries);
  }
}

/** The first `length` bits of a key's data, as a string. */
function bitsOf(key: Uint8Array, length: number): string {
  let bits = '';
  for (let left = length, at = PREFIX_LENGTH; left > 0; left -= 8, at++) {
    const mask = left >= 8 ? 0xff : (0xff00 >> left) & 0xff;
    bits += String.fromCharCode(key[at]! & mask);
  }
  return bits;
}
