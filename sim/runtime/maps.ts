/**
 * eBPF maps as models and comparisons see them.
 *
 * The machine in `sim/ebpf` has maps of its own: these here belong to the oracle.
 */

/** The kernel's map types by name (include/uapi/linux/bpf.h, `enum bpf_map_type`). */
export const BPF_MAP_TYPE = {
  UNSPEC: 0,
  HASH: 1,
  ARRAY: 2,
  PROG_ARRAY: 3,
  PERF_EVENT_ARRAY: 4,
  PERCPU_HASH: 5,
  PERCPU_ARRAY: 6,
  STACK_TRACE: 7,
  CGROUP_ARRAY: 8,
  LRU_HASH: 9,
  LRU_PERCPU_HASH: 10,
  LPM_TRIE: 11,
  ARRAY_OF_MAPS: 12,
  HASH_OF_MAPS: 13,
  DEVMAP: 14,
  SOCKMAP: 15,
  CPUMAP: 16,
  XSKMAP: 17,
  SOCKHASH: 18,
  CGROUP_STORAGE: 19,
  REUSEPORT_SOCKARRAY: 20,
  PERCPU_CGROUP_STORAGE: 21,
  QUEUE: 22,
  STACK: 23,
  SK_STORAGE: 24,
  DEVMAP_HASH: 25,
  STRUCT_OPS: 26,
  RINGBUF: 27,
  INODE_STORAGE: 28,
  TASK_STORAGE: 29,
  BLOOM_FILTER: 30,
  USER_RINGBUF: 31,
  CGRP_STORAGE: 32,
  ARENA: 33,
} as const;

export type MapType = keyof typeof BPF_MAP_TYPE;

/** Maps all of whose entries are there from the start, and stay. */
export const ARRAYS: ReadonlySet<MapType> = new Set<MapType>(['ARRAY', 'PERCPU_ARRAY']);

/** Values without keys, which come out again. */
export const SEQUENCES: ReadonlySet<MapType> = new Set<MapType>(['QUEUE', 'STACK']);

/** A slot of a map of maps. */
export interface HeldMap {
  /** A u32. */
  readonly key: number;
  /** Name of another map of the program. */
  readonly map: string;
}

export interface MapDefinition {
  readonly name: string;
  readonly type: MapType;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes; for a per-CPU map, of one CPU's value. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** Models of maps of maps: what the slots hold; the others are empty. */
  readonly holds?: readonly HeldMap[];
}

/** Is there one value per CPU? */
export function isPerCpu(type: MapType): boolean {
  return type === 'PERCPU_ARRAY' || type === 'PERCPU_HASH' || type === 'LRU_PERCPU_HASH';
}

/** Does it hold other maps? */
export function isMapOfMaps(type: MapType): boolean {
  return type === 'ARRAY_OF_MAPS' || type === 'HASH_OF_MAPS';
}

/** Does it forget entries by itself when it fills up? */
export function isLru(type: MapType): boolean {
  return type === 'LRU_HASH' || type === 'LRU_PERCPU_HASH';
}

/**
 * How full an LRU map may be for it to be sure that the kernel has forgotten nothing: half. Each CPU takes free
 * entries in lots, and evicts where a lot cannot be had in full; all lots together are at most half of the map
 * (kernel/bpf/bpf_lru_list.c, `target_free`). Maps with lists for each CPU (BPF_F_NO_COMMON_LRU) divide the room by the
 * number of CPUs, which only the kernel knows: 128 are allowed for.
 */
export function entriesSurelyKept(maxEntries: number, listForEachCpu: boolean): number {
  return Math.floor(maxEntries / (listForEachCpu ? 256 : 2));
}

/** Does every entry exist from the start, zeroed, with a number as its key? */
export function isArray(type: MapType): boolean {
  return type === 'ARRAY' || type === 'PERCPU_ARRAY';
}

/** Orders byte strings as `memcmp` does, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = a[index]! - b[index]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
