/** BPF_MAP_TYPE_HASH, PERCPU_HASH (kernel/bpf/hashtab.c) and DEVMAP_HASH (devmap.c). */
import { E2BIG, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { type MapSnapshot, type SnapshotEntry, snapshotOf } from './map-snapshot.ts';
import { BaseModelMap, indexOf, nameOf } from './model-map-base.ts';

const BPF_NOEXIST = 1;
const BPF_EXIST = 2;

export class HashModelMap extends BaseModelMap {
  /** In order of insertion. */
  protected readonly entries: Map<string, SnapshotEntry> = new Map();

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
