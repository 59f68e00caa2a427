/**
 * BPF_MAP_TYPE_LRU_HASH and LRU_PERCPU_HASH. A full map forgets the entry that was looked up or updated least recently,
 * as the embedded machine's does. The kernel forgets by approximation, and earlier: see docs/your-own-program.md.
 */

import { entriesSurelyKept } from './maps.ts';
import { nameOf } from './model-map-base.ts';
import { HashModelMap } from './model-map-hash.ts';

export class LruHashModelMap extends HashModelMap {
  /** May the kernel have forgotten something? */
  crowded = false;

  override lookup(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key, this.definition.keySize);
    const entry = this.entries.get(name);
    if (entry === undefined) return undefined;
    this.#touch(name);
    return entry.value;
  }

  override update(key: Uint8Array, value: Uint8Array, flags?: number): number {
    if (this.entries.size >= entriesSurelyKept(this.definition.maxEntries, false)) this.crowded = true;
    const result = super.update(key, value, flags);
    if (result === 0) this.#touch(nameOf(key, this.definition.keySize));
    return result;
  }

  /** The most recently used entry is the last one. */
  #touch(name: string): void {
    const entry = this.entries.get(name)!;
    this.entries.delete(name);
    this.entries.set(name, entry);
  }

  protected override makeRoom(): boolean {
    const [oldest] = this.entries.keys();
    return oldest !== undefined && this.entries.delete(oldest);
  }
}
