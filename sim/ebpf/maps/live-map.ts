/** What every map of the machine has: its definition, a descriptor in linear memory, and the kernel's operations. */
import { EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import type { MapSnapshot } from '../../runtime/map-snapshot.ts';
import type { MapDefinition } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import { LOCK_SIZE, SPECIAL_FIELDS, type SpecialField } from './special-fields.ts';
import { TIMER_SIZE, type Timers } from './timers.ts';

// Flags of map creation (include/uapi/linux/bpf.h).
export const BPF_F_NO_PREALLOC: number = 1 << 0;
export const BPF_F_NO_COMMON_LRU: number = 1 << 1;
export const BPF_F_NUMA_NODE: number = 1 << 2;
/** Programs may not write values. */
export const BPF_F_RDONLY_PROG: number = 1 << 7;
/** Programs may not read values. */
export const BPF_F_WRONLY_PROG: number = 1 << 8;
/** Storages are copied to the sockets that a listener accepts. */
export const BPF_F_CLONE: number = 1 << 9;
export const BPF_F_ZERO_SEED: number = 1 << 6;

// Flags of an update.
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;
export const BPF_F_LOCK = 4;

/**
 * A map's descriptor: what a program's map pointer points to. Words of 32 bits from the descriptor's address; the
 * kinds of map use them as their own comments say, and compiled programs may read (and, where a kind says so,
 * write) them.
 */
export const DESCRIPTOR = {
  /** Position in the machine's list of maps. */
  index: 0,
  /** Number of the type, `BPF_MAP_TYPE`. */
  type: 1,
  keySize: 2,
  valueSize: 3,
  maxEntries: 4,
  /** Arrays: address of the first value. Hash tables: address of the bucket heads. */
  storage: 5,
  /** Arrays: bytes from value to value. Hash tables: from entry to entry. */
  stride: 6,
  /** Hash tables: number of buckets − 1. */
  bucketMask: 7,
  /** Hash tables, queues, stacks: elements present. */
  count: 8,
  /** Hash tables: bytes from an entry's begin to its value. */
  valueOffset: 9,
  /** Hash tables: address of the first free entry, 0: none. */
  free: 10,
  /** Hash tables: address of the entry pool. */
  pool: 11,
  /** Hash tables: entries of the pool that were ever in use. */
  highWater: 12,
  /** LRU: the least recently used entry. Queues: index of the first element. Ring buffers: consumer position. */
  oldest: 13,
  /** LRU: the most recently used entry. Queues: index behind the last. Ring buffers: producer position. */
  newest: 14,
  /** Large arrays: address of the table of touched blocks (`touched-blocks.ts`); 0: the map has none. */
  touched: 15,
  /** Hash tables: the entry that waits apart from the free ones, or the last of those (`Reuse`); 0: none. */
  spare: 15,
} as const;

/** Bytes of a descriptor. */
export const DESCRIPTOR_SIZE = 64;

/** Where one entry lies. */
export interface MapRow {
  /** Address of the key. */
  readonly key: number;
  /** Address of the value. */
  readonly value: number;
}

/** Bytes of a value. */
export interface FieldPlace {
  readonly offset: number;
  readonly size: number;
}

/**
 * One map. Keys, values and results of `lookup` are addresses in linear memory; 0 is NULL. Errors are negative
 * errno. A per-CPU map has one CPU's storage: a case runs on the world's CPU from begin to end, and comparisons
 * add the CPUs up, so the other CPUs' zeros are not kept.
 */
/** Bytes between a key and its value, while both are brought into a map from outside; keys of maps with static initialisers are short. */
export function scratchForKey(keySize: number): number {
  return Math.max(512, roundUp8(keySize));
}

/** One part of what a map without keys holds: `value 0` of a queue, `socket 1` of a storage. */
export interface MapContent {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export abstract class LiveMap {
  readonly definition: MapDefinition;
  /** As the object defines it. */
  readonly source: BpfMap;
  readonly memory: LinearMemory;
  /** Address of the descriptor: the map pointer as programs see it. */
  readonly address: number;
  /** Where a value has its `struct bpf_spin_lock`; -1: none. Set once, by `createMap`. */
  lockOffset = -1;
  /** Where it has its `struct bpf_timer`; -1: none. */
  timerOffset = -1;
  /** The timers of its values; undefined where they have none. */
  timers: Timers | undefined;
  #special: readonly FieldPlace[] = [];

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    this.source = source;
    this.definition = {
      name: source.name,
      type: source.type,
      keySize: source.keySize,
      valueSize: source.valueSize,
      maxEntries: source.maxEntries,
    };
    this.memory = memory;
    this.address = memory.allocate(DESCRIPTOR_SIZE);
    this.setWord(DESCRIPTOR.index, index);
    this.setWord(DESCRIPTOR.type, typeNumber);
    this.setWord(DESCRIPTOR.keySize, source.keySize);
    this.setWord(DESCRIPTOR.valueSize, source.valueSize);
    this.setWord(DESCRIPTOR.maxEntries, source.maxEntries);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Bytes of a value as programs may touch them. */
  get valueSize(): number {
    return this.definition.valueSize;
  }

  /** May programs write values through a pointer from a lookup? */
  get programWritable(): boolean {
    return (this.source.mapFlags & BPF_F_RDONLY_PROG) === 0;
  }

  get programReadable(): boolean {
    return (this.source.mapFlags & BPF_F_WRONLY_PROG) === 0;
  }

  /** Where value 0 lies, for kinds that instructions may point into directly (`BPF_PSEUDO_MAP_VALUE`): arrays. */
  get firstValue(): number {
    return this.word(DESCRIPTOR.storage);
  }

  /** Do values have fields that updates leave out? */
  get hasSpecialFields(): boolean {
    return this.#special.length > 0;
  }

  /** Fields of values that updates leave out: locks and timers. */
  get specialFields(): readonly FieldPlace[] {
    return this.#special;
  }

  /** @param offsetOf where a field is in a value; -1: there is none */
  holdSpecialFields(offsetOf: (name: SpecialField) => number): void {
    this.lockOffset = offsetOf('bpf_spin_lock');
    this.timerOffset = offsetOf('bpf_timer');
    if (this.timerOffset >= 0) this.timers = new Map();
    this.#special = SPECIAL_FIELDS.map((name) => ({
      offset: offsetOf(name),
      size: name === 'bpf_timer' ? TIMER_SIZE : LOCK_SIZE,
    })).filter(({ offset }) => offset >= 0);
  }

  /** Address of the value, or 0. (For maps of maps: of the inner map's descriptor.) */
  abstract lookup(key: number): number;

  /** @param flags `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`, `BPF_F_LOCK` */
  abstract update(key: number, value: number, flags: number): number;

  abstract delete(key: number): number;

  /** Back to how it was created: empty, arrays zeroed. */
  abstract clear(): void;

  /** What is in it; undefined for kinds that user space cannot read without changing them. */
  abstract snapshot(): MapSnapshot | undefined;

  /**
   * What is in it where user space cannot read it by keys: queues, bloom filters, storages. Undefined for kinds that have a
   * snapshot, that programs cannot change, or that hold too much to be looked at after every packet.
   */
  contents(): readonly MapContent[] | undefined {
    return undefined;
  }

  /**
   * Remembers the contents, with which a world with many entries has filled the map, for `restore`.
   * @returns false for kinds, and sizes, that have to be cleared and filled anew
   */
  keep(): boolean {
    return false;
  }

  /** Brings back what `keep` has remembered. */
  restore(): void {}

  /** `bpf_map_push_elem`: queues and stacks only. */
  push(_value: number, _flags: number): number {
    return -EOPNOTSUPP;
  }

  /** `bpf_map_pop_elem`. */
  pop(_value: number): number {
    return -EOPNOTSUPP;
  }

  /** `bpf_map_peek_elem`. */
  peek(_value: number): number {
    return -EOPNOTSUPP;
  }

  /** How many entries were ever put into a hash. */
  get insertions(): number {
    return 0;
  }

  /**
   * Addresses of keys and values, for `bpf_for_each_map_elem`; undefined for kinds that it refuses. A row may be
   * deleted while it is visited.
   */
  rows(): Iterable<MapRow> | undefined {
    return undefined;
  }

  /** An update as user space makes it, with flags 0; some kinds take it from user space only. */
  load(key: Uint8Array, value: Uint8Array, scratch: number): number {
    if (key.length !== this.definition.keySize || value.length !== this.definition.valueSize) return -EINVAL;
    const valueAt = scratch + scratchForKey(this.definition.keySize);
    this.memory.u8.set(key, scratch);
    this.memory.u8.set(value, valueAt);
    return this.update(scratch, valueAt, BPF_ANY);
  }

  /** Does the map refuse these flags of an update? BPF_F_LOCK is for values that have a lock. */
  protected refusesFlags(flags: number): boolean {
    return (flags & ~BPF_F_LOCK) >>> 0 > BPF_EXIST || ((flags & BPF_F_LOCK) !== 0 && this.lockOffset < 0);
  }

  /** Copies a value in; locks and timer in it are the map's own: locks stay open, the timer ends. */
  protected store(at: number, value: number): void {
    this.overwrite(at, value);
    this.cancelTimer(at);
  }

  /** The same, and the timer goes on. */
  protected overwrite(at: number, value: number): void {
    this.memory.u8.copyWithin(at, value, value + this.definition.valueSize);
    for (const { offset, size } of this.#special) this.memory.u8.fill(0, at + offset, at + offset + size);
  }

  /** The value at this address goes, or gives way to another: its timer with it (`bpf_obj_free_fields`). */
  protected cancelTimer(at: number): void {
    this.timers?.delete(at + this.timerOffset);
  }

  word(index: number): number {
    return this.memory.i32[(this.address >> 2) + index]!;
  }

  setWord(index: number, value: number): void {
    this.memory.i32[(this.address >> 2) + index] = value;
  }
}
