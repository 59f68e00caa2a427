import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC } from '../../runtime/errno.ts';
import { BPF_MAP_TYPE, type MapType } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import { LinearMemory } from '../memory.ts';
import { createMap, roomForMaps, supportsMapType } from './create-map.ts';
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST, DESCRIPTOR, type LiveMap } from './live-map.ts';
import type { RingBufferMap } from './ring-buffer-map.ts';

function definition(type: MapType, details: Partial<BpfMap> = {}): BpfMap {
  return {
    name: 'm',
    type,
    typeNumber: BPF_MAP_TYPE[type],
    keySize: 4,
    valueSize: 8,
    maxEntries: 4,
    mapFlags: type === 'LPM_TRIE' ? 1 : 0,
    mapExtra: 0n,
    pinning: 'none',
    inner: undefined,
    initial: [],
    keyType: undefined,
    valueType: undefined,
    global: undefined,
    ...details,
  };
}

/** A map with room for one key and one value, driven with bytes. */
class Driver {
  readonly memory: LinearMemory = new LinearMemory();
  readonly map: LiveMap;
  readonly #key: number;
  readonly #value: number;

  constructor(source: BpfMap) {
    this.map = createMap(this.memory, source, 0);
    this.#key = this.memory.allocate(512);
    this.#value = this.memory.allocate(512);
  }

  update(key: Uint8Array | number, value: number, flags: number = BPF_ANY): number {
    this.#putKey(key);
    this.memory.setU64(this.#value, BigInt(value));
    return this.map.update(this.#key, this.#value, flags);
  }

  lookup(key: Uint8Array | number): number | undefined {
    this.#putKey(key);
    const at = this.map.lookup(this.#key);
    return at === 0 ? undefined : Number(this.memory.u64(at));
  }

  delete(key: Uint8Array | number): number {
    this.#putKey(key);
    return this.map.delete(this.#key);
  }

  push(value: number, flags: number = BPF_ANY): number {
    this.memory.setU64(this.#value, BigInt(value));
    return this.map.push(this.#value, flags);
  }

  take(how: 'pop' | 'peek'): number | { readonly value: number } {
    const result = this.map[how](this.#value);
    return result === 0 ? { value: Number(this.memory.u64(this.#value)) } : result;
  }

  #putKey(key: Uint8Array | number): void {
    if (typeof key === 'number') this.memory.setU32(this.#key, key);
    else this.memory.u8.set(key, this.#key);
  }
}

const flagsArbitrary = fc.constantFrom(BPF_ANY, BPF_NOEXIST, BPF_EXIST, 3, 8);
const operations = (keys: number): fc.Arbitrary<readonly (readonly [string, number, number, number])[]> =>
  fc.array(
    fc.tuple(fc.constantFrom('update', 'delete', 'lookup'), fc.nat(keys - 1), fc.nat(1000), flagsArbitrary),
    { maxLength: 60 },
  );

describe('a map that a world has filled', () => {
  for (const type of ['ARRAY', 'HASH', 'LRU_HASH', 'PERCPU_HASH'] as const) {
    for (const maxEntries of [40, 70_000]) {
      it(`${type} of ${maxEntries} entries comes back as it was kept`, () => {
        const driver = new Driver(definition(type, { maxEntries }));
        for (let key = 0; key < 30; key++) driver.update(key * (maxEntries > 100 ? 2000 : 1), key + 1);
        driver.delete(0);
        expect(driver.map.keep()).toBe(true);
        const before = [...driver.map.snapshot()!.kept()];
        for (let round = 0; round < 3; round++) {
          for (let key = 0; key < 35; key++) driver.update(key, 1000 + key);
          driver.update(maxEntries - 1, 7);
          driver.delete(2000);
          expect([...driver.map.snapshot()!.kept()]).not.toEqual(before);
          driver.map.restore();
          expect([...driver.map.snapshot()!.kept()]).toEqual(before);
          expect(driver.lookup(5 * (maxEntries > 100 ? 2000 : 1))).toBe(6);
        }
      });
    }
  }
});

describe('ARRAY', () => {
  for (const type of ['ARRAY', 'PERCPU_ARRAY'] as const) {
    it(`${type} behaves as a plain array does, with the kernel's errno`, () => {
      fc.assert(
        fc.property(operations(6), (steps) => {
          const driver = new Driver(definition(type));
          const model = [0, 0, 0, 0];
          for (const [what, key, value, flags] of steps) {
            if (what === 'lookup') expect(driver.lookup(key)).toBe(model[key]);
            else if (what === 'delete') expect(driver.delete(key)).toBe(-EINVAL);
            else {
              const expected = flags > 2 ? -EINVAL : key > 3 ? -E2BIG : flags === BPF_NOEXIST ? -EEXIST : 0;
              expect(driver.update(key, value, flags)).toBe(expected);
              if (expected === 0) model[key] = value;
            }
          }
        }),
      );
    });
  }

  it('shows every entry in its snapshot', () => {
    const driver = new Driver(definition('ARRAY'));
    driver.update(2, 7);
    expect(
      driver.map
        .snapshot()
        ?.list()
        .map(({ value }) => value[0]),
    ).toEqual([0, 0, 7, 0]);
  });

  for (const valueSize of [4, 24, 5000]) {
    it(`shows of a large array with values of ${valueSize} bytes what was written through lookups, and forgets it`, () => {
      const maxEntries = valueSize > 1000 ? 2000 : 70_000;
      const driver = new Driver(definition('ARRAY', { maxEntries, valueSize }));
      const { map, memory } = driver;
      const indices = [0, 1, 170, 171, 341, 1000, maxEntries - 2, maxEntries - 1];
      for (const index of indices) {
        driver.lookup(index);
        const at = map.firstValue + index * map.word(DESCRIPTOR.stride);
        // The last byte: it can lie in another block than the first.
        memory.u8[at + valueSize - 1] = 1 + (index % 7);
      }
      const kept = [...map.snapshot()!.kept()];
      expect(kept.map(({ key }) => new DataView(key.buffer, key.byteOffset).getUint32(0, true))).toEqual(
        indices,
      );
      expect(kept.map(({ value }) => value[valueSize - 1])).toEqual(indices.map((index) => 1 + (index % 7)));
      map.clear();
      expect(map.snapshot()!.count).toBe(0);
      const end = map.firstValue + maxEntries * map.word(DESCRIPTOR.stride);
      expect(memory.u8.subarray(map.firstValue, end).some((byte) => byte !== 0)).toBe(false);
    });
  }

  it('starts a data section with its bytes, and brings them back when cleared', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const global = { bytes, readOnly: true, variables: new Map() };
    const driver = new Driver(definition('ARRAY', { maxEntries: 1, global }));
    const before = driver.lookup(0);
    driver.update(0, 9);
    driver.map.clear();
    expect(driver.lookup(0)).toBe(before);
    expect(driver.map.programWritable).toBe(false);
  });
});

describe('HASH', () => {
  for (const keySize of [1, 3, 4, 6, 8, 13]) {
    it(`behaves as a Map does with keys of ${keySize} bytes, with the kernel's errno`, () => {
      fc.assert(
        fc.property(operations(8), (steps) => {
          const driver = new Driver(definition('HASH', { keySize }));
          const model = new Map<number, number>();
          for (const [what, which, value, flags] of steps) {
            // The bytes behind the key are noise: no key may depend on them.
            const key = new Uint8Array(keySize + 8).fill(value);
            key.fill(0, 0, keySize);
            key[keySize - 1] = which;
            const present = model.has(which);
            if (what === 'lookup') expect(driver.lookup(key)).toBe(model.get(which));
            else if (what === 'delete') expect(driver.delete(key)).toBe(model.delete(which) ? 0 : -ENOENT);
            else {
              let expected = 0;
              if (flags > 2) expected = -EINVAL;
              else if (present && flags === BPF_NOEXIST) expected = -EEXIST;
              else if (!present && flags === BPF_EXIST) expected = -ENOENT;
              else if (!present && model.size === 4) expected = -E2BIG;
              expect(driver.update(key, value, flags)).toBe(expected);
              if (expected === 0) model.set(which, value);
            }
          }
          const rows = driver.map.snapshot()!.list();
          expect(rows.map(({ key }) => key[keySize - 1])).toEqual([...model.keys()].sort((a, b) => a - b));
        }),
      );
    });
  }

  it('takes every key again after it was cleared', () => {
    const driver = new Driver(definition('HASH', { maxEntries: 3 }));
    for (const key of [1, 2, 3]) driver.update(key, key);
    driver.map.clear();
    expect(driver.lookup(1)).toBeUndefined();
    for (const key of [4, 5, 6]) expect(driver.update(key, key)).toBe(0);
    expect(driver.update(7, 7)).toBe(-E2BIG);
  });

  it('keeps thousands of entries apart', () => {
    const driver = new Driver(definition('HASH', { maxEntries: 5000 }));
    for (let key = 0; key < 5000; key++) expect(driver.update(key * 7919, key)).toBe(0);
    for (let key = 0; key < 5000; key++) expect(driver.lookup(key * 7919)).toBe(key);
  });
});

describe('LRU_HASH', () => {
  it('evicts the least recently used entry, as a Map in order of use does', () => {
    fc.assert(
      fc.property(operations(8), (steps) => {
        const driver = new Driver(definition('LRU_HASH'));
        const model = new Map<number, number>();
        for (const [what, key, value, flags] of steps) {
          const held = model.get(key);
          if (what === 'lookup') {
            expect(driver.lookup(key)).toBe(held);
            if (held !== undefined) {
              model.delete(key);
              model.set(key, held);
            }
          } else if (what === 'delete') expect(driver.delete(key)).toBe(model.delete(key) ? 0 : -ENOENT);
          else {
            let expected = 0;
            if (flags > 2) expected = -EINVAL;
            else if (held !== undefined && flags === BPF_NOEXIST) expected = -EEXIST;
            else if (held === undefined && flags === BPF_EXIST) expected = -ENOENT;
            expect(driver.update(key, value, flags)).toBe(expected);
            if (expected !== 0) continue;
            if (held === undefined && model.size === 4) model.delete([...model.keys()][0]!);
            model.delete(key);
            model.set(key, value);
          }
        }
        const left = driver.map
          .snapshot()!
          .list()
          .map(({ key }) => key[0]);
        expect(left).toEqual([...model.keys()].sort((a, b) => a - b));
      }),
    );
  });
});

describe('the order of use of an LRU_HASH', () => {
  /** Four entries, 0 the least recently used, and then an entry too many. */
  function evictedAfter(use: (driver: Driver) => void): number[] {
    const driver = new Driver(definition('LRU_HASH'));
    for (let key = 0; key < 4; key++) driver.update(key, key);
    use(driver);
    driver.update(9, 9);
    const left = driver.map
      .snapshot()!
      .list()
      .map(({ key }) => key[0]);
    return [0, 1, 2, 3].filter((key) => !left.includes(key));
  }

  it.each<[string, number[], (driver: Driver) => void]>([
    ['nothing', [0], () => {}],
    ['a lookup', [1], (driver) => driver.lookup(0)],
    ['an update', [1], (driver) => driver.update(0, 7)],
    ['an update that has to find it', [1], (driver) => driver.update(0, 7, BPF_EXIST)],
    ['an update that must not find it', [0], (driver) => driver.update(0, 7, BPF_NOEXIST)],
    ['an update with unknown flags', [0], (driver) => driver.update(0, 7, 3)],
    ['a lookup of one in the middle', [0], (driver) => driver.lookup(2)],
    ['a lookup of the newest', [0], (driver) => driver.lookup(3)],
    ['a lookup of what is not there', [0], (driver) => driver.lookup(8)],
    ['a deletion, which makes room', [2], (driver) => driver.delete(2)],
    [
      'a deletion of the oldest and an insertion',
      [0, 1],
      (driver) => {
        driver.delete(0);
        driver.update(5, 5);
      },
    ],
    [
      'a deletion of the newest and an insertion',
      [0, 3],
      (driver) => {
        driver.delete(3);
        driver.update(5, 5);
      },
    ],
  ])('after %s', (_use, evicted, use) => {
    expect(evictedAfter(use)).toEqual(evicted);
  });

  it('starts anew when the map is cleared', () => {
    const driver = new Driver(definition('LRU_HASH'));
    for (let key = 0; key < 4; key++) driver.update(key, key);
    driver.map.clear();
    for (const key of [3, 2, 1, 0, 7]) driver.update(key, key);
    expect([0, 1, 2, 3].map((key) => driver.lookup(key))).toEqual([0, 1, 2, undefined]);
  });
});

describe('LPM_TRIE', () => {
  const prefix = (length: number, a: number, b: number): Uint8Array => Uint8Array.of(length, 0, 0, 0, a, b);

  it('finds what a search through all prefixes finds', () => {
    const keys = fc.tuple(fc.nat(17), fc.nat(255), fc.constantFrom(0, 1, 0x80, 0xff));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(keys, fc.boolean()), { maxLength: 30 }),
        fc.array(keys),
        (steps, queries) => {
          const driver = new Driver(definition('LPM_TRIE', { keySize: 6, maxEntries: 8 }));
          const model = new Map<string, number>();
          const bits = (a: number, b: number): string =>
            a.toString(2).padStart(8, '0') + b.toString(2).padStart(8, '0');
          let value = 0;
          for (const [[length, a, b], remove] of steps) {
            const name = bits(a, b).slice(0, length);
            if (length > 16) {
              expect(driver.update(prefix(length, a, b), 1)).toBe(-EINVAL);
              expect(driver.delete(prefix(length, a, b))).toBe(-EINVAL);
            } else if (remove)
              expect(driver.delete(prefix(length, a, b))).toBe(model.delete(name) ? 0 : -ENOENT);
            else {
              const full = model.size === 8 && !model.has(name);
              expect(driver.update(prefix(length, a, b), ++value)).toBe(full ? -ENOSPC : 0);
              if (!full) model.set(name, value);
            }
          }
          for (const [length, a, b] of queries) {
            const name = length > 16 ? undefined : bits(a, b).slice(0, length);
            let best: string | undefined;
            for (const held of model.keys()) {
              if (name?.startsWith(held) && (best === undefined || held.length > best.length)) best = held;
            }
            expect(driver.lookup(prefix(length, a, b))).toBe(
              best === undefined ? undefined : model.get(best),
            );
          }
        },
      ),
    );
  });

  it('shows the bits behind the prefix as they were written', () => {
    const driver = new Driver(definition('LPM_TRIE', { keySize: 6 }));
    driver.update(prefix(8, 10, 77), 1);
    expect(driver.map.snapshot()!.list()[0]!.key).toEqual(prefix(8, 10, 77));
  });
});

describe('QUEUE and STACK', () => {
  for (const type of ['QUEUE', 'STACK'] as const) {
    it(`${type} behaves as an array with shift and pop does`, () => {
      const step = fc.tuple(
        fc.constantFrom('push', 'pop', 'peek'),
        fc.nat(1000),
        fc.constantFrom(0, 1, 2, 3),
      );
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const driver = new Driver(definition(type, { keySize: 0 }));
          const model: number[] = [];
          for (const [what, value, flags] of steps) {
            if (what === 'push') {
              const expected =
                flags === 1 || flags === 3 ? -EINVAL : model.length === 4 && flags === 0 ? -E2BIG : 0;
              expect(driver.push(value, flags)).toBe(expected);
              if (expected !== 0) continue;
              if (model.length === 4) model.shift();
              model.push(value);
            } else {
              const next = type === 'QUEUE' ? model[0] : model.at(-1);
              expect(driver.take(what as 'pop' | 'peek')).toEqual(
                next === undefined ? -ENOENT : { value: next },
              );
              if (what === 'pop') type === 'QUEUE' ? model.shift() : model.pop();
            }
          }
        }),
      );
    });
  }
});

describe('device, program and event slots', () => {
  it('a DEVMAP slot is empty until it has an ifindex, and again when deleted', () => {
    const driver = new Driver(definition('DEVMAP', { valueSize: 8 }));
    expect(driver.lookup(1)).toBeUndefined();
    expect(driver.update(1, 7)).toBe(0);
    expect(driver.lookup(1)).toBe(7);
    expect(driver.update(9, 7)).toBe(-E2BIG);
    expect(driver.update(1, 7, BPF_NOEXIST)).toBe(-EEXIST);
    expect(driver.delete(1)).toBe(0);
    expect(driver.lookup(1)).toBeUndefined();
    expect(driver.delete(9)).toBe(-EINVAL);
  });

  it('a DEVMAP_HASH refuses ifindex 0', () => {
    const driver = new Driver(definition('DEVMAP_HASH', { valueSize: 4 }));
    expect(driver.update(99, 0)).toBe(-EINVAL);
    expect(driver.update(99, 3)).toBe(0);
    expect(driver.map.snapshot()!.list()).toHaveLength(1);
  });
});

describe('RINGBUF', () => {
  it('takes samples until the ring is full, headers counted', () => {
    const driver = new Driver(definition('RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096 }));
    const ring = driver.map as RingBufferMap;
    // 8 + 1016 bytes each: three fit, since a ring is never filled to the last byte.
    const samples = [1, 2, 3, 4].map(() => ring.reserve(1016));
    expect(samples.map((sample) => sample !== 0)).toEqual([true, true, true, false]);
    driver.memory.u8[samples[0]!] = 42;
    ring.commit(samples[0]!, false);
    ring.commit(samples[1]!, true);
    expect([...ring.samples()].map((bytes) => bytes[0])).toEqual([42]);
    expect(ring.query(0)).toBe(3 * 1024);
    expect(ring.query(1)).toBe(4096);
  });
});

describe('roomForMaps', () => {
  /** What maps may be, with many entries. */
  const many = (type: MapType): BpfMap => {
    const isRing = type === 'RINGBUF' || type === 'USER_RINGBUF';
    const isStorage = type === 'SK_STORAGE' || type === 'CGRP_STORAGE';
    const hasNoKey = isRing || ['QUEUE', 'STACK', 'BLOOM_FILTER'].includes(type);
    const isOfNumbers = /ARRAY_OF|HASH_OF|PROG|EVENT|CGROUP|DEVMAP|CPUMAP|XSK|SOCK/.test(type);
    return definition(type, {
      keySize: hasNoKey ? 0 : /^(LRU|HASH|PERCPU_HASH|SOCKHASH|LPM)/.test(type) ? 13 : 4,
      valueSize: isRing ? 0 : isOfNumbers ? 4 : 9,
      // Just above a power of two: tables are twice as large as they need be.
      maxEntries: isStorage ? 0 : isRing ? 65_536 : 33_000,
      // So many hashes.
      mapExtra: type === 'BLOOM_FILTER' ? 15n : 0n,
      mapFlags: isStorage || type === 'LPM_TRIE' ? 1 : 0,
      inner: type.endsWith('OF_MAPS') ? definition('ARRAY') : undefined,
      ...(isStorage ? { keyType: 1, valueType: 1 } : {}),
    });
  };

  it.each((Object.keys(BPF_MAP_TYPE) as MapType[]).filter(supportsMapType))(
    'is enough for a map of type %s, and not much more',
    (type) => {
      const map = many(type);
      const memory = new LinearMemory();
      const { end } = memory;
      createMap(memory, map, 0);
      const room = roomForMaps([map]);
      expect(room).toBeGreaterThanOrEqual(memory.end - end);
      expect(room).toBeLessThanOrEqual(3 * (memory.end - end) + 1024);
      expect(roomForMaps([map, map])).toBe(2 * room);
    },
  );

  it('is none for maps that no memory holds', () => {
    expect(roomForMaps([definition('ARRAY', { maxEntries: 2 ** 32 - 1 })])).toBe(0);
  });
});

describe('createMap', () => {
  const takes = (type: MapType, keySize: number, valueSize: number): boolean => {
    try {
      createMap(new LinearMemory(), definition(type, { keySize, valueSize, maxEntries: 1 }), 0);
      return true;
    } catch {
      return false;
    }
  };

  it.each<[MapType, number, number, number]>([
    ['ARRAY', 4, 4, 8],
    ['PERCPU_ARRAY', 4, 4, 8],
    ['HASH', 1, 4 * 1024 * 1024 - 512, 8],
    ['LRU_HASH', 1, 4 * 1024 * 1024 - 512, 8],
    ['PERCPU_HASH', 1, 4 * 1024 * 1024 - 512, 8],
    ['LPM_TRIE', 5, 260, 8],
    ['PROG_ARRAY', 4, 4, 4],
    ['DEVMAP', 4, 4, 4],
    ['XSKMAP', 4, 4, 4],
    ['QUEUE', 0, 0, 8],
    ['STACK', 0, 0, 8],
  ])('takes keys of %s of %i to %i bytes', (type, least, most, valueSize) => {
    expect(takes(type, least, valueSize)).toBe(true);
    expect(takes(type, most, valueSize)).toBe(true);
    if (least > 0) expect(takes(type, least - 1, valueSize)).toBe(false);
    expect(takes(type, most + 1, valueSize)).toBe(false);
  });

  it.each<[MapType, number, number[], number[]]>([
    ['ARRAY', 4, [1, 8, 4096], [0]],
    ['PERCPU_ARRAY', 4, [1, 8], [0, 32 * 1024 + 1]],
    ['HASH', 4, [1, 8, 4096], [0]],
    ['LPM_TRIE', 8, [1, 8], [0]],
    ['QUEUE', 0, [1, 8], [0]],
    ['PROG_ARRAY', 4, [4], [0, 3, 5, 8]],
    ['XSKMAP', 4, [4], [0, 3, 5, 8]],
    ['DEVMAP', 4, [4, 8], [0, 3, 5, 7, 9]],
    ['DEVMAP_HASH', 4, [4, 8], [0, 5, 9]],
    ['CPUMAP', 4, [4, 8], [0, 5, 9]],
  ])('takes values of %s by their size', (type, keySize, right, wrong) => {
    expect(right.filter((size) => !takes(type, keySize, size))).toEqual([]);
    expect(wrong.filter((size) => takes(type, keySize, size))).toEqual([]);
  });

  it('refuses what the kernel refuses, by name', () => {
    const refused = (type: MapType, details: Partial<BpfMap>): string => {
      try {
        createMap(new LinearMemory(), definition(type, details), 0);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused('ARRAY', { keySize: 8 })).toBe('map m: expected a key of 4 bytes, found 8 bytes');
    expect(refused('HASH', { maxEntries: 0 })).toBe(
      'map m: expected at least one entry, found max_entries 0',
    );
    expect(refused('LPM_TRIE', { keySize: 8, mapFlags: 0 })).toMatch('BPF_F_NO_PREALLOC');
    expect(refused('RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 5000 })).toMatch('power of two');
    expect(refused('ARENA', {})).toBe('map m: the machine lacks the map type ARENA');
    expect(refused('ARRAY', { valueSize: 1_000_000, maxEntries: 1_000_000 })).toMatch('2 GiB');
  });
});
