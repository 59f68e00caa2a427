/** Makes the machine's maps from an object's definitions, or refuses what the kernel's `map_create` refuses. */
import { BPF_MAP_TYPE, type MapType } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { Btf } from '../btf.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import { LackingError, ObjectError } from '../object-error.ts';
import { ArrayMap } from './array-map.ts';
import { BloomFilterMap } from './bloom-filter-map.ts';
import { DeviceHashMap } from './device-hash-map.ts';
import { HashMap } from './hash-map.ts';
import { entriesInPool } from './hash-table.ts';
import { BPF_F_CLONE, BPF_F_NO_PREALLOC, DESCRIPTOR_SIZE, type LiveMap } from './live-map.ts';
import { LpmTrieMap } from './lpm-trie-map.ts';
import { LruHashMap } from './lru-hash-map.ts';
import { ArrayOfMaps, HashOfMaps } from './map-of-maps.ts';
import { QueueMap } from './queue-map.ts';
import { RingBufferMap } from './ring-buffer-map.ts';
import { SlotMap } from './slot-map.ts';
import { SocketMap } from './socket-map.ts';
import { offsetOfField } from './special-fields.ts';
import { STORAGE_ROWS, STORAGE_VALUE, StorageMap } from './storage-map.ts';
import { UserRingBufferMap } from './user-ring-buffer-map.ts';

/** `KMALLOC_MAX_SIZE`, the largest single allocation. */
const LARGEST_ALLOCATION = 4 * 1024 * 1024;
/** The same without an element's header, rounded down: an element of a hash table is one allocation, its key included. */
const MAX_ELEMENT: number = LARGEST_ALLOCATION - 512;
/** net/core/sock_map.c, `sock_hash_alloc`: keys live on the stack (`MAX_BPF_STACK`); those of other maps may be longer. */
const MAX_SOCKET_KEY = 512;
/** kernel/bpf/arraymap.c, `array_map_alloc_check`. */
const MAX_ARRAY_VALUE = 0x7fff_ffff;
/** `BPF_LOCAL_STORAGE_MAX_VALUE_SIZE` (include/linux/bpf_local_storage.h). */
const MAX_STORAGE_VALUE = 65_407;
/** `PCPU_MIN_UNIT_SIZE`, what the per-CPU allocator hands out at most. */
const MAX_CPU_VALUE = 32 * 1024;

const PERF_EVENT_CPUS = 64;

/** No memory starts with more for its maps, in bytes: of a number as large as this, most is never touched. */
const LARGEST_ROOM = 0x1000_0000;
/** Bytes that each map has once: its descriptor, a place for a key. */
const MAP_ROOM = DESCRIPTOR_SIZE + 512;
/** Bytes of a table's entry besides its key and its value: its header, its part of the buckets, links. */
const TABLE_EXTRA = 32;

interface MapKind {
  readonly create: (memory: LinearMemory, source: BpfMap, index: number) => LiveMap;
  /** Is the size of the key right? `expected` says what would be. */
  readonly key: (size: number) => boolean;
  readonly keyExpected: string;
  readonly value: (size: number) => boolean;
  readonly valueExpected: string;
  /** About how many bytes of memory its entries take. */
  readonly room: (source: BpfMap) => number;
}

type Constructor = new (memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) => LiveMap;

const FOUR_BYTES = { key: (size: number): boolean => size === 4, keyExpected: 'a key of 4 bytes' };
const ANY_KEY = {
  key: (size: number): boolean => size > 0 && size <= MAX_ELEMENT,
  keyExpected: `a key of 1 to ${MAX_ELEMENT} bytes`,
};
const SOCKET_KEY = {
  key: (size: number): boolean => size > 0 && size <= MAX_SOCKET_KEY,
  keyExpected: `a key of 1 to ${MAX_SOCKET_KEY} bytes`,
};
const NO_KEY = { key: (size: number): boolean => size === 0, keyExpected: 'no key' };
const PREFIX_KEY = {
  // kernel/bpf/lpm_trie.c: a prefix length and 1 to 256 bytes of data.
  key: (size: number): boolean => size >= 5 && size <= 4 + 256,
  keyExpected: 'a key of 5 to 260 bytes',
};
const ANY_VALUE = {
  value: (size: number): boolean => size > 0 && size <= MAX_ELEMENT,
  valueExpected: `a value of 1 to ${MAX_ELEMENT} bytes`,
};
const ALLOCATED_VALUE = {
  value: (size: number): boolean => size > 0 && size <= LARGEST_ALLOCATION,
  valueExpected: `a value of 1 to ${LARGEST_ALLOCATION} bytes`,
};
const ARRAY_VALUE = {
  value: (size: number): boolean => size > 0 && size <= MAX_ARRAY_VALUE,
  valueExpected: `a value of 1 to ${MAX_ARRAY_VALUE} bytes`,
};
const CPU_VALUE = {
  value: (size: number): boolean => size > 0 && size <= MAX_CPU_VALUE,
  valueExpected: `a value of 1 to ${MAX_CPU_VALUE} bytes for each CPU`,
};
const NO_VALUE = { value: (size: number): boolean => size === 0, valueExpected: 'no value' };
const STORAGE_SIZE = {
  value: (size: number): boolean => size > 0 && size <= MAX_STORAGE_VALUE,
  valueExpected: `a value of 1 to ${MAX_STORAGE_VALUE} bytes`,
};
const U32_VALUE = { value: (size: number): boolean => size === 4, valueExpected: 'a value of 4 bytes' };
const DEVICE_VALUE = {
  value: (size: number): boolean => size === 4 || size === 8,
  valueExpected: 'a value of 4 or 8 bytes',
};

/** Values one behind the other; of a large array, a byte more for each page (`TouchedBlocks`). */
const VALUES = {
  room: ({ maxEntries, valueSize }: BpfMap): number => maxEntries * roundUp8(valueSize) * (1 + 1 / 4096),
};
const TABLE = {
  room: (source: BpfMap): number => {
    const stride = TABLE_EXTRA + roundUp8(source.keySize) + roundUp8(source.valueSize);
    return entriesInPool(source, stride) * stride;
  },
};
/** `max_entries` of a ring are bytes. */
const BYTES = { room: ({ maxEntries }: BpfMap): number => maxEntries };
/** 15 hashes at most: 21 bits, and up to twice as many. */
const HASHES = { room: ({ maxEntries }: BpfMap): number => 6 * maxEntries };
const ROWS = {
  room: ({ valueSize }: BpfMap): number => STORAGE_ROWS * (STORAGE_VALUE + roundUp8(valueSize)),
};
/** JavaScript keeps what is in it, or nobody does. */
const NO_ROOM = { room: (): number => 0 };

function kind(
  type: MapType,
  MapClass: Constructor,
  sizes: Omit<MapKind, 'create'>,
): readonly [MapType, MapKind] {
  const typeNumber = BPF_MAP_TYPE[type];
  return [
    type,
    { ...sizes, create: (memory, source, index) => new MapClass(memory, source, index, typeNumber) },
  ];
}

const KINDS: ReadonlyMap<MapType, MapKind> = new Map([
  kind('ARRAY', ArrayMap, { ...FOUR_BYTES, ...ARRAY_VALUE, ...VALUES }),
  kind('PERCPU_ARRAY', ArrayMap, { ...FOUR_BYTES, ...CPU_VALUE, ...VALUES }),
  kind('HASH', HashMap, { ...ANY_KEY, ...ANY_VALUE, ...TABLE }),
  kind('PERCPU_HASH', HashMap, { ...ANY_KEY, ...CPU_VALUE, ...TABLE }),
  kind('LRU_HASH', LruHashMap, { ...ANY_KEY, ...ANY_VALUE, ...TABLE }),
  kind('LRU_PERCPU_HASH', LruHashMap, { ...ANY_KEY, ...CPU_VALUE, ...TABLE }),
  kind('LPM_TRIE', LpmTrieMap, { ...PREFIX_KEY, ...ANY_VALUE, ...TABLE }),
  kind('ARRAY_OF_MAPS', ArrayOfMaps, { ...FOUR_BYTES, ...U32_VALUE, ...VALUES }),
  kind('HASH_OF_MAPS', HashOfMaps, { ...ANY_KEY, ...U32_VALUE, ...TABLE }),
  kind('PROG_ARRAY', SlotMap, { ...FOUR_BYTES, ...U32_VALUE, ...VALUES }),
  kind('PERF_EVENT_ARRAY', SlotMap, { ...FOUR_BYTES, ...U32_VALUE, ...VALUES }),
  kind('CGROUP_ARRAY', SlotMap, { ...FOUR_BYTES, ...U32_VALUE, ...VALUES }),
  kind('DEVMAP', SlotMap, { ...FOUR_BYTES, ...DEVICE_VALUE, ...VALUES }),
  kind('DEVMAP_HASH', DeviceHashMap, { ...FOUR_BYTES, ...DEVICE_VALUE, ...TABLE }),
  kind('CPUMAP', SlotMap, { ...FOUR_BYTES, ...DEVICE_VALUE, ...VALUES }),
  kind('XSKMAP', SlotMap, { ...FOUR_BYTES, ...U32_VALUE, ...VALUES }),
  kind('SOCKMAP', SocketMap, { ...FOUR_BYTES, ...DEVICE_VALUE, ...NO_ROOM }),
  kind('SOCKHASH', SocketMap, { ...SOCKET_KEY, ...DEVICE_VALUE, ...NO_ROOM }),
  kind('QUEUE', QueueMap, { ...NO_KEY, ...ALLOCATED_VALUE, ...VALUES }),
  kind('STACK', QueueMap, { ...NO_KEY, ...ALLOCATED_VALUE, ...VALUES }),
  kind('RINGBUF', RingBufferMap, { ...NO_KEY, ...NO_VALUE, ...BYTES }),
  kind('USER_RINGBUF', UserRingBufferMap, { ...NO_KEY, ...NO_VALUE, ...NO_ROOM }),
  kind('SK_STORAGE', StorageMap, { ...FOUR_BYTES, ...STORAGE_SIZE, ...ROWS }),
  kind('CGRP_STORAGE', StorageMap, { ...FOUR_BYTES, ...STORAGE_SIZE, ...ROWS }),
  kind('BLOOM_FILTER', BloomFilterMap, { ...NO_KEY, ...ALLOCATED_VALUE, ...HASHES }),
]);

/** Can the machine hold maps of this type? */
export function supportsMapType(type: MapType): boolean {
  return KINDS.has(type);
}

/** Does the machine make a map of this definition, memory permitting? */
export function canCreateMap(source: BpfMap): boolean {
  try {
    checkDefinition(source);
    return true;
  } catch (error) {
    if (error instanceof ObjectError) return false;
    throw error;
  }
}

/**
 * @param index the map's position in the machine's list
 * @param btf the object's types, which say whether values have locks
 * @throws {ObjectError} for types that the machine does not have and for definitions that the kernel refuses
 */
export function createMap(memory: LinearMemory, source: BpfMap, index: number, btf?: Btf): LiveMap {
  const found = checkDefinition(source);
  const where = `map ${source.name}`;
  try {
    const map = found.create(memory, withEntries(source), index);
    map.holdSpecialFields((name) => offsetOfField(btf, source.valueType, name));
    return map;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { maxEntries, valueSize } = source;
    const size = `${maxEntries} entries with values of ${valueSize} bytes`;
    throw new ObjectError(where, 'a size that fits into the 2 GiB that the machine has for maps', size);
  }
}

/**
 * About how many bytes maps of these definitions take, so that memory need not grow while they are made. Somewhat more than
 * they take, as a rule; 0 where it is so much that most is never touched.
 */
export function roomForMaps(maps: readonly BpfMap[]): number {
  let room = 0;
  for (const map of maps) room += MAP_ROOM + (KINDS.get(map.type)?.room(withEntries(map)) ?? 0);
  return room < LARGEST_ROOM ? room : 0;
}

function checkDefinition(source: BpfMap): MapKind {
  const where = `map ${source.name}`;
  const found = KINDS.get(source.type);
  if (found === undefined) throw new LackingError(where, 'map type', source.type);
  if (!found.key(source.keySize)) throw new ObjectError(where, found.keyExpected, `${source.keySize} bytes`);
  if (!found.value(source.valueSize)) {
    throw new ObjectError(where, found.valueExpected, `${source.valueSize} bytes`);
  }
  checkEntries(source, where);
  return found;
}

/** A perf event array without a size has one entry per CPU; one machine's CPUs are as good as another's. */
function withEntries(source: BpfMap): BpfMap {
  const perCpu = source.type === 'PERF_EVENT_ARRAY' && source.maxEntries === 0;
  return perCpu ? { ...source, maxEntries: PERF_EVENT_CPUS } : source;
}

function checkEntries(source: BpfMap, where: string): void {
  const entries = source.maxEntries;
  if (source.type === 'SK_STORAGE' || source.type === 'CGRP_STORAGE') {
    checkStorage(source, where);
    return;
  }
  if (entries === 0 && source.type !== 'PERF_EVENT_ARRAY')
    throw new ObjectError(where, 'at least one entry', 'max_entries 0');
  // Pages of 4 KiB: the kernel maps the ring into user space (kernel/bpf/ringbuf.c, `ringbuf_map_alloc`).
  const isRing = source.type === 'RINGBUF' || source.type === 'USER_RINGBUF';
  if (isRing && ((entries & (entries - 1)) !== 0 || entries % 4096 !== 0)) {
    throw new ObjectError(where, 'a power of two and multiple of 4096 bytes', `${entries}`);
  }
  if (source.type === 'LPM_TRIE' && (source.mapFlags & 1) === 0) {
    throw new ObjectError(where, 'the flag BPF_F_NO_PREALLOC', `flags 0x${source.mapFlags.toString(16)}`);
  }
}

/** `bpf_local_storage_map_alloc_check`: as many as there are sockets, made when they are needed. */
function checkStorage({ maxEntries, mapFlags, keyType, valueType }: BpfMap, where: string): void {
  if (maxEntries !== 0) throw new ObjectError(where, 'max_entries 0', `${maxEntries}`);
  if ((mapFlags & ~BPF_F_CLONE) !== BPF_F_NO_PREALLOC) {
    throw new ObjectError(where, 'the flag BPF_F_NO_PREALLOC', `flags 0x${mapFlags.toString(16)}`);
  }
  if (keyType === undefined || valueType === undefined) {
    throw new ObjectError(where, 'types of its key and value', 'sizes alone');
  }
}
