/** What follows from a map's type and sizes. */
import { describe, expect, it } from 'vitest';
import { bytesOfMap, memoryNotice } from './map-memory.ts';
import { leavesSizeToLoader, maxEntriesOf } from './map-sizes.ts';
import {
  BPF_MAP_TYPE,
  compareBytes,
  entriesSurelyKept,
  isArray,
  isLru,
  isMapOfMaps,
  isPerCpu,
  type MapType,
} from './maps.ts';

const types = Object.keys(BPF_MAP_TYPE) as MapType[];

it('kinds of maps are those of their types', () => {
  expect(types.filter(isPerCpu)).toEqual(['PERCPU_HASH', 'PERCPU_ARRAY', 'LRU_PERCPU_HASH']);
  expect(types.filter(isMapOfMaps)).toEqual(['ARRAY_OF_MAPS', 'HASH_OF_MAPS']);
  expect(types.filter(isLru)).toEqual(['LRU_HASH', 'LRU_PERCPU_HASH']);
  expect(types.filter(isArray)).toEqual(['ARRAY', 'PERCPU_ARRAY']);
});

it('an LRU map surely keeps half of its entries, or its share of a list for each of 128 CPUs', () => {
  expect([1, 2, 3, 511, 512].map((most) => entriesSurelyKept(most, false))).toEqual([0, 1, 1, 255, 256]);
  expect([1, 255, 256, 511, 512].map((most) => entriesSurelyKept(most, true))).toEqual([0, 0, 1, 1, 2]);
});

it('bytes are in memcmp’s order, a prefix first', () => {
  const texts = [[], [0], [0, 0], [0, 1], [1], [1, 0], [127], [128], [255], [255, 0]];
  for (const [at, left] of texts.entries())
    for (const [behind, right] of texts.entries())
      expect(Math.sign(compareBytes(Uint8Array.from(left), Uint8Array.from(right)))).toBe(
        Math.sign(at - behind),
      );
});

describe('how many entries a map has', () => {
  const of = (type: MapType, maxEntries = 0, stated?: Record<string, number>): number =>
    maxEntriesOf({ name: 'm', type, maxEntries }, stated);

  it('is what the object says, or the user', () => {
    expect([
      of('HASH', 5),
      of('HASH', 5, { m: 7 }),
      of('HASH', 5, { other: 7 }),
      of('HASH', 0, { m: 0 }),
    ]).toEqual([5, 7, 5, 0]);
    // Names that every object has are no statement about a map.
    expect(maxEntriesOf({ name: 'constructor', type: 'HASH', maxEntries: 5 }, {})).toBe(5);
  });

  it('is no more than a case can fill where the kernel makes each of them for all CPUs in advance', () => {
    expect([of('PERCPU_HASH', 1_000_000), of('PERCPU_HASH', 65_536), of('PERCPU_HASH', 5)]).toEqual([
      65_536, 65_536, 5,
    ]);
    expect(of('PERCPU_HASH', 1_000_000, { m: 1_000_000 })).toBe(1_000_000);
    // Which entries an LRU map forgets hangs on its size; others are made at once.
    for (const type of ['HASH', 'LRU_HASH', 'LRU_PERCPU_HASH', 'PERCPU_ARRAY'] as const)
      expect(of(type, 1_000_000)).toBe(1_000_000);
  });

  it('is what suits the type where the object leaves it to its loader', () => {
    const sizes: Record<string, MapType[]> = {};
    for (const type of types) sizes[of(type)] = [...(sizes[of(type)] ?? []), type];
    expect(sizes['262144']).toEqual(['RINGBUF', 'USER_RINGBUF']);
    expect(sizes['64']).toEqual(['CPUMAP']);
    expect(sizes['0']).toEqual([
      'UNSPEC',
      'PERF_EVENT_ARRAY',
      'CGROUP_STORAGE',
      'PERCPU_CGROUP_STORAGE',
      'SK_STORAGE',
      'STRUCT_OPS',
      'INODE_STORAGE',
      'TASK_STORAGE',
      'CGRP_STORAGE',
    ]);
    expect(Object.keys(sizes).sort()).toEqual(['0', '1024', '262144', '64']);
    expect(types.filter((type) => leavesSizeToLoader({ type, maxEntries: 1 }))).toEqual([]);
  });
});

describe('the memory of a map', () => {
  const bytes = (
    type: MapType,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    cpus?: number,
  ): number => bytesOfMap({ name: 'm', type, keySize, valueSize, maxEntries }, cpus);

  it('is that of its values, padded, and of keys and links but for arrays', () => {
    expect(bytes('ARRAY', 4, 8, 10)).toBe(80);
    expect(bytes('ARRAY', 4, 1, 10)).toBe(80);
    expect(bytes('ARRAY', 4, 9, 10)).toBe(160);
    expect(bytes('HASH', 4, 8, 10)).toBe(10 * (8 + 64 + 8));
    expect(bytes('HASH', 9, 17, 3)).toBe(3 * (16 + 64 + 24));
    expect(bytes('PERCPU_ARRAY', 4, 8, 10, 4)).toBe(320);
    expect(bytes('PERCPU_HASH', 4, 8, 10, 4)).toBe(10 * (8 + 64 + 32));
    expect(bytes('HASH', 4, 8, 10, 4)).toBe(800);
    expect(bytes('RINGBUF', 0, 0, 4096)).toBe(4096);
  });

  it('is announced from above a gigabyte on, of all maps together', () => {
    const array = (name: string, valueSize: number, maxEntries: number) =>
      ({ name, type: 'ARRAY', keySize: 4, valueSize, maxEntries }) as const;
    expect(memoryNotice('p', [array('a', 8, 2 ** 27)])).toBeUndefined();
    expect(memoryNotice('p', [array('a', 8, 2 ** 27 + 1)])).toContain('1.0 GB');
    expect(memoryNotice('p', [array('a', 8, 2 ** 26), array('b', 16, 2 ** 26), array('c', 8, 1)])).toBe(
      'p: its maps take up to 1.5 GB in each engine (b has room for 67108864 entries)',
    );
  });
});
