/** Maps whose keys are the numbers from 0 to `maxEntries` − 1. */
import { E2BIG, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { indexKey, type MapSnapshot, SnapshotBuilder, snapshotOf } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';
import { BaseModelMap, indexOf } from './model-map-base.ts';

const BPF_NOEXIST = 1;
const BPF_EXIST = 2;

/** So many entries of an array are found without a lookup. */
const FIRST = 64;

/**
 * BPF_MAP_TYPE_ARRAY (kernel/bpf/arraymap.c): every entry exists from the start, zeroed, and none can be deleted. Only
 * those that were asked for are kept.
 */
export class ArrayModelMap extends BaseModelMap {
  /** Those of the first indices: programs count in them, packet for packet. */
  private readonly first: (Uint8Array | undefined)[];
  private readonly others = new Map<number, Uint8Array>();

  constructor(definition: MapDefinition) {
    super(definition);
    this.first = new Array<undefined>(Math.min(definition.maxEntries, FIRST)).fill(undefined);
  }

  override lookup(key: Uint8Array): Uint8Array | undefined {
    return this.lookupIndex(indexOf(key));
  }

  override lookupIndex(key: number): Uint8Array | undefined {
    const { first, others } = this;
    const index = key >>> 0;
    const present = index < first.length ? first[index] : others.get(index);
    if (present !== undefined) return present;
    if (index >= this.definition.maxEntries) return undefined;
    const value = new Uint8Array(this.definition.valueSize);
    if (index < first.length) first[index] = value;
    else others.set(index, value);
    return value;
  }

  override update(key: Uint8Array, value: Uint8Array, flags: number = 0): number {
    if (flags > BPF_EXIST) return -EINVAL;
    const slot = this.lookup(key);
    if (slot === undefined) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    slot.set(value);
    return 0;
  }

  override snapshot(): MapSnapshot {
    const { definition } = this;
    const builder = new SnapshotBuilder(definition);
    for (const [index, value] of this.first.entries())
      if (value !== undefined) builder.addIndex(index, value, 0, definition.valueSize);
    const indices = Uint32Array.from(this.others.keys()).sort();
    for (const index of indices) builder.addIndex(index, this.others.get(index)!, 0, definition.valueSize);
    return builder.finish();
  }
}

/** What a slot holds is told by its first four bytes: none of these kinds has anything whose number is 0. */
const isEmpty = (value: Uint8Array): boolean => indexOf(value) === 0;

/**
 * Arrays whose slots may be empty: BPF_MAP_TYPE_DEVMAP (kernel/bpf/devmap.c), CPUMAP (cpumap.c), XSKMAP
 * (net/xdp/xskmap.c), PROG_ARRAY and PERF_EVENT_ARRAY (arraymap.c).
 */
export class SlotModelMap extends BaseModelMap {
  readonly #slots = new Map<number, Uint8Array>();

  override lookup(key: Uint8Array): Uint8Array | undefined {
    return this.lookupIndex(indexOf(key));
  }

  override lookupIndex(index: number): Uint8Array | undefined {
    return this.#slots.get(index);
  }

  override update(key: Uint8Array, value: Uint8Array, flags: number = 0): number {
    const index = indexOf(key);
    if (flags > BPF_EXIST) return -EINVAL;
    if (index >= this.definition.maxEntries) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    if (isEmpty(value)) this.#slots.delete(index);
    else this.#slots.set(index, value.slice());
    return 0;
  }

  override delete(key: Uint8Array): number {
    const index = indexOf(key);
    const ofPrograms = this.definition.type === 'PROG_ARRAY' || this.definition.type === 'PERF_EVENT_ARRAY';
    if (index >= this.definition.maxEntries) return ofPrograms ? -E2BIG : -EINVAL;
    const present = this.#slots.delete(index);
    return present || !ofPrograms ? 0 : -ENOENT;
  }

  /** What the others hold (programs, sockets, queues) means nothing outside one engine. */
  override snapshot(): MapSnapshot | undefined {
    if (this.definition.type !== 'DEVMAP') return undefined;
    return snapshotOf(
      this.definition,
      Array.from(this.#slots, ([index, value]) => ({ key: indexKey(index), value })),
    );
  }
}
