/** eBPF maps in memory, for models: the kernel's semantics, written for reading. */
import { E2BIG, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { indexKey, type MapSnapshot, snapshotOf } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';

export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/**
 * One map of a model. A per-CPU map holds one value per key here: a model runs on one CPU, and comparisons add
 * the CPUs up.
 */
export interface ModelMap {
  readonly definition: MapDefinition;
  /** The value itself, to read and change in place as `bpf_map_lookup_elem` allows; undefined where there is none. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** The same for maps keyed by u32. */
  lookupIndex(index: number): Uint8Array | undefined;
  /** 0, or a negative errno: -E2BIG when full, -EEXIST, -ENOENT, -EINVAL. */
  update(key: Uint8Array, value: Uint8Array, flags?: number): number;
  /** 0, or -ENOENT; arrays refuse with -EINVAL. */
  delete(key: Uint8Array): number;
  snapshot(): MapSnapshot;
}

/** Adds to a little-endian u64 inside a value, as `__sync_fetch_and_add` does; `amount` is a whole number below 2^32. */
export function addU64(value: Uint8Array, at: number, amount: number): void {
  const low = readU32(value, at) + amount;
  writeU32(value, at, low);
  if (low > 0xffff_ffff) writeU32(value, at + 4, readU32(value, at + 4) + 1);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** @throws {RangeError} for map types that models cannot hold yet */
export function createModelMap(definition: MapDefinition): ModelMap {
  switch (definition.type) {
    case 'ARRAY':
    case 'PERCPU_ARRAY':
      return new ArrayMap(definition);
    case 'DEVMAP':
      return new SlotMap(definition);
    case 'HASH':
    case 'PERCPU_HASH':
    case 'DEVMAP_HASH':
      return new HashMap(definition);
    default:
      throw new RangeError(`map ${definition.name}: a model cannot hold a ${definition.type} map`);
  }
}

/** BPF_MAP_TYPE_ARRAY (kernel/bpf/arraymap.c): every entry exists from the start, zeroed, and none can be deleted. */
class ArrayMap implements ModelMap {
  readonly definition: MapDefinition;
  readonly #values: readonly Uint8Array[];

  constructor(definition: MapDefinition) {
    this.definition = definition;
    this.#values = Array.from({ length: definition.maxEntries }, () => new Uint8Array(definition.valueSize));
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.#values[readU32(key, 0)];
  }

  lookupIndex(index: number): Uint8Array | undefined {
    return this.#values[index];
  }

  update(key: Uint8Array, value: Uint8Array, flags: number = BPF_ANY): number {
    if (flags > BPF_EXIST) return -EINVAL;
    const slot = this.lookup(key);
    if (slot === undefined) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    slot.set(value);
    return 0;
  }

  delete(_key: Uint8Array): number {
    return -EINVAL;
  }

  snapshot(): MapSnapshot {
    return snapshotOf(
      this.definition,
      this.#values.map((value, index) => ({ key: indexKey(index), value })),
    );
  }
}

/** BPF_MAP_TYPE_DEVMAP (kernel/bpf/devmap.c): an array whose slots may be empty. */
class SlotMap implements ModelMap {
  readonly definition: MapDefinition;
  readonly #slots = new Map<number, Uint8Array>();

  constructor(definition: MapDefinition) {
    this.definition = definition;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.lookupIndex(readU32(key, 0));
  }

  lookupIndex(index: number): Uint8Array | undefined {
    return this.#slots.get(index);
  }

  update(key: Uint8Array, value: Uint8Array, flags: number = BPF_ANY): number {
    const index = readU32(key, 0);
    if (flags > BPF_EXIST) return -EINVAL;
    if (index >= this.definition.maxEntries) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    if (readU32(value, 0) === 0) this.#slots.delete(index);
    else this.#slots.set(index, value.slice());
    return 0;
  }

  delete(key: Uint8Array): number {
    const index = readU32(key, 0);
    if (index >= this.definition.maxEntries) return -EINVAL;
    this.#slots.delete(index);
    return 0;
  }

  snapshot(): MapSnapshot {
    return snapshotOf(
      this.definition,
      [...this.#slots].map(([index, value]) => ({ key: indexKey(index), value })),
    );
  }
}

/** BPF_MAP_TYPE_HASH (kernel/bpf/hashtab.c). */
class HashMap implements ModelMap {
  readonly definition: MapDefinition;
  readonly #entries = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>();

  constructor(definition: MapDefinition) {
    this.definition = definition;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(nameOf(key, this.definition.keySize))?.value;
  }

  lookupIndex(index: number): Uint8Array | undefined {
    return this.lookup(indexKey(index));
  }

  update(key: Uint8Array, value: Uint8Array, flags: number = BPF_ANY): number {
    if (flags > BPF_EXIST) return -EINVAL;
    const name = nameOf(key, this.definition.keySize);
    const present = this.#entries.get(name);
    if (present !== undefined) {
      if (flags === BPF_NOEXIST) return -EEXIST;
      present.value.set(value);
      return 0;
    }
    if (flags === BPF_EXIST) return -ENOENT;
    if (this.#entries.size >= this.definition.maxEntries) return -E2BIG;
    const slot = new Uint8Array(this.definition.valueSize);
    slot.set(value);
    this.#entries.set(name, { key: key.slice(0, this.definition.keySize), value: slot });
    return 0;
  }

  delete(key: Uint8Array): number {
    return this.#entries.delete(nameOf(key, this.definition.keySize)) ? 0 : -ENOENT;
  }

  snapshot(): MapSnapshot {
    return snapshotOf(this.definition, this.#entries.values());
  }
}

function nameOf(key: Uint8Array, size: number): string {
  let name = '';
  for (let index = 0; index < size; index++) name += String.fromCharCode(key[index]!);
  return name;
}
