/** Sizes of maps at the boundaries of what kernels take, and what Linux took when it was asked: for tests only. */
import { readFileSync } from 'node:fs';
import type { MapType } from '../../runtime/maps.ts';

/** One answer to `map_create`. */
export type Takes = (type: MapType, keySize: number, valueSize: number, maxEntries: number) => boolean;

/** Those of the sizes below that are taken, each beside others that are right. */
export interface MapSizes {
  readonly keys: readonly number[];
  readonly values: readonly number[];
  readonly entries: readonly number[];
}

const KEYS: readonly number[] = [0, 1, 3, 4, 5, 8, 260, 261, 512, 513];
/** Around words, the values of storages, a page of a per-CPU allocator, and the largest single allocation. */
const VALUES: readonly number[] = [
  0,
  1,
  3,
  4,
  5,
  7,
  8,
  9,
  32_768,
  32_769,
  4 * 1024 * 1024 - 512,
  4 * 1024 * 1024,
];
const ENTRIES: readonly number[] = [0, 1, 2, 4095, 4096, 6144, 8192, 12_288];

/** A key and a value that are right for a type. */
const RIGHT: Readonly<Partial<Record<MapType, readonly [key: number, value: number]>>> = {
  ARRAY: [4, 4],
  PERCPU_ARRAY: [4, 4],
  HASH: [4, 4],
  PERCPU_HASH: [4, 4],
  LRU_HASH: [4, 4],
  LRU_PERCPU_HASH: [4, 4],
  LPM_TRIE: [8, 4],
  ARRAY_OF_MAPS: [4, 4],
  HASH_OF_MAPS: [4, 4],
  PROG_ARRAY: [4, 4],
  PERF_EVENT_ARRAY: [4, 4],
  CGROUP_ARRAY: [4, 4],
  DEVMAP: [4, 4],
  DEVMAP_HASH: [4, 4],
  CPUMAP: [4, 4],
  XSKMAP: [4, 4],
  SOCKMAP: [4, 4],
  SOCKHASH: [4, 4],
  QUEUE: [0, 4],
  STACK: [0, 4],
  RINGBUF: [0, 0],
  USER_RINGBUF: [0, 0],
  BLOOM_FILTER: [0, 4],
};

export const SIZED_TYPES = Object.keys(RIGHT) as readonly MapType[];

/** How many entries a kernel takes of these is a question of its CPUs, or libbpf's. */
const ENTRIES_OF_ITS_OWN: ReadonlySet<MapType> = new Set(['CPUMAP', 'PERF_EVENT_ARRAY']);

export function sizesOf(type: MapType, takes: Takes): MapSizes {
  const [key, value] = RIGHT[type]!;
  const isRing = type === 'RINGBUF' || type === 'USER_RINGBUF';
  const count = isRing ? 4096 : 1;
  return {
    keys: KEYS.filter((size) => takes(type, size, value, count)),
    values: VALUES.filter((size) => takes(type, key, size, count)),
    entries: ENTRIES_OF_ITS_OWN.has(type)
      ? []
      : ENTRIES.filter((entries) => takes(type, key, value, entries)),
  };
}

export const RECORDED_SIZES: URL = new URL('./map-sizes.json', import.meta.url);

export function recordedSizes(): Readonly<Record<string, MapSizes>> {
  return JSON.parse(readFileSync(RECORDED_SIZES, 'utf8')) as Record<string, MapSizes>;
}
