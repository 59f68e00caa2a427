/** BPF_MAP_TYPE_HASH, PERCPU_HASH (kernel/bpf/hashtab.c) and DEVMAP_HASH (devmap.c). */
import { E2BIG, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { type MapSnapshot, snapshotOf } from './map-snapshot.ts';
import { BaseModelMap, indexOf, nameOf } from './model-map-base.ts';

const BPF_NOEXIST = 1;
const BPF_EXIST = 2;

/** Its value is another array after an update. */
interface ModelEntry {
  readonly key: Uint8Array;
  value: Uint8Array;
}

export class HashModelMap extends BaseModelMap {
  /** In order of insertion. */
  protected readonly entries: Map<string, ModelEntry> = new Map();
  /** Does an update write into the value that is there, as per-CPU maps do? */
  readonly #inPlace: boolean = this.definition.type.includes('PERCPU');
  /** The value that the last update has put out of its place, which the next one takes (kernel/bpf/hashtab.c, `extra_elems`). */
  #spare: Uint8Array | undefined;

  override lookup(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(nameOf(key, this.definition.keySize))?.value;
  }

  override update(key: Uint8Array, value: Uint8Array, flags: number = 0): number {
    if (flags > BPF_EXIST) return -EINVAL;
    // No device has the number 0: the kernel does not find it.
    if (this.definition.type === 'DEVMAP_HASH' && indexOf(value) === 0) return -EINVAL;
    const name = nameOf(key, this.definition.keySize);
    const present = this.entries.get(name);
    if (present !== undefined) {
      if (flags === BPF_NOEXIST) return -EEXIST;
      if (!this.#inPlace) this.#replace(present);
      present.value.set(value);
      return 0;
    }
    if (flags === BPF_EXIST) return -ENOENT;
    if (this.entries.size >= this.definition.maxEntries && !this.makeRoom()) return -E2BIG;
    const slot = new Uint8Array(this.definition.valueSize);
    slot.set(value);
    this.entries.set(name, { key: key.slice(0, this.definition.keySize), value: slot });
    return 0;
  }

  /** Who holds the old value goes on seeing it. */
  #replace(entry: ModelEntry): void {
    const old = entry.value;
    entry.value = this.#spare ?? new Uint8Array(this.definition.valueSize);
    this.#spare = old;
  }

  /** The map is full. @returns whether there is room now */
  protected makeRoom(): boolean {
    return false;
  }

  override delete(key: Uint8Array): number {
    return this.entries.delete(nameOf(key, this.definition.keySize)) ? 0 : -ENOENT;
  }

  override snapshot(): MapSnapshot {
    return snapshotOf(this.definition, this.entries.values());
  }
}
