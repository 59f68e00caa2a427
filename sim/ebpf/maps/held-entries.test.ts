/** Pointers to values, held while their entries are updated, deleted and made anew. */
import { describe, expect, it } from 'vitest';
import type { MapType } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import { LinearMemory } from '../memory.ts';
import { testMap } from '../test-support/assemble.ts';
import { createMap } from './create-map.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST, type LiveMap } from './live-map.ts';

/** A map whose keys are numbers, of prefixes those of 32 bits. */
class Table {
  readonly memory: LinearMemory = new LinearMemory();
  readonly map: LiveMap;
  readonly #key: number = this.memory.allocate(16);
  readonly #value: number = this.memory.allocate(16);

  constructor(source: BpfMap) {
    this.map = createMap(this.memory, source, 0);
  }

  update(key: number, value: number, flags: number = 0): number {
    this.memory.setU64(this.#value, BigInt(value));
    return this.map.update(this.#keyAt(key), this.#value, flags);
  }

  delete(key: number): number {
    return this.map.delete(this.#keyAt(key));
  }

  /** The address of a value. */
  hold(key: number): number {
    return this.map.lookup(this.#keyAt(key));
  }

  at(address: number): number {
    return Number(this.memory.u64(address));
  }

  #keyAt(key: number): number {
    if (this.map.definition.type === 'LPM_TRIE') this.memory.setU32(this.#key, 32);
    const number = this.map.definition.type === 'LPM_TRIE' ? this.#key + 4 : this.#key;
    this.memory.setU32(number, key);
    return this.#key;
  }
}

interface Kind {
  readonly name: string;
  readonly type: MapType;
  readonly mapFlags?: number;
}
const HASH: Kind = { name: 'HASH', type: 'HASH' };
const ALLOCATED: Kind = { name: 'HASH without preallocation', type: 'HASH', mapFlags: 1 };
const LRU: Kind = { name: 'LRU_HASH', type: 'LRU_HASH' };
const TRIE: Kind = { name: 'LPM_TRIE', type: 'LPM_TRIE', mapFlags: 1 };
const PER_CPU: Kind = { name: 'PERCPU_HASH', type: 'PERCPU_HASH' };
const PER_CPU_LRU: Kind = { name: 'LRU_PERCPU_HASH', type: 'LRU_PERCPU_HASH' };

function table({ type, mapFlags = 0 }: Kind, maxEntries: number = 4): Table {
  const keySize = type === 'LPM_TRIE' ? 8 : 4;
  return new Table(testMap('m', type, { keySize, valueSize: 8, maxEntries, mapFlags }));
}

type Step = (map: Table) => void;
const update =
  (key: number, value: number, flags = 0): Step =>
  (map) => {
    map.update(key, value, flags);
  };
const remove =
  (key: number): Step =>
  (map) => {
    map.delete(key);
  };

/** What a pointer to the value 10 of key 1 shows after these steps; key 2 holds 20. */
function shown(kind: Kind, ...steps: readonly Step[]): number {
  const map = table(kind);
  map.update(1, 10);
  map.update(2, 20);
  const held = map.hold(1);
  for (const step of steps) step(map);
  return map.at(held);
}

describe('a pointer to a value', () => {
  it.each([
    { ...HASH, expected: 10 },
    { ...ALLOCATED, expected: 10 },
    { ...LRU, expected: 10 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 11 },
    { ...PER_CPU_LRU, expected: 11 },
  ])('$name shows $expected after an update', ({ expected, ...kind }) => {
    expect(shown(kind, update(1, 11))).toBe(expected);
    expect(shown(kind, update(1, 11, BPF_EXIST))).toBe(expected);
  });

  it.each([
    // The second update takes the memory of what the first has put out of its place.
    { ...HASH, expected: 12 },
    { ...ALLOCATED, expected: 12 },
    { ...LRU, expected: 12 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 12 },
    { ...PER_CPU_LRU, expected: 12 },
  ])('$name shows $expected after two updates', ({ expected, ...kind }) => {
    expect(shown(kind, update(1, 11), update(1, 12))).toBe(expected);
  });

  it.each([
    { ...HASH, expected: 21 },
    { ...ALLOCATED, expected: 21 },
    { ...LRU, expected: 21 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 11 },
    { ...PER_CPU_LRU, expected: 11 },
  ])('$name shows $expected after an update of its key and one of another', ({ expected, ...kind }) => {
    expect(shown(kind, update(1, 11), update(2, 21))).toBe(expected);
  });

  it.each([
    // A preallocated table keeps it for updates.
    { ...HASH, expected: 10 },
    { ...ALLOCATED, expected: 30 },
    { ...LRU, expected: 30 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 11 },
    { ...PER_CPU_LRU, expected: 11 },
  ])('$name shows $expected after an update of its key and an insertion', ({ expected, ...kind }) => {
    expect(shown(kind, update(1, 11), update(3, 30))).toBe(expected);
  });

  it.each([
    { ...HASH, expected: 30 },
    { ...ALLOCATED, expected: 30 },
    { ...LRU, expected: 30 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 30 },
    { ...PER_CPU_LRU, expected: 30 },
  ])(
    '$name shows 10 after a deletion, and $expected after an insertion behind it',
    ({ expected, ...kind }) => {
      expect(shown(kind, remove(1))).toBe(10);
      expect(shown(kind, remove(1), update(3, 30))).toBe(expected);
    },
  );

  it.each([
    { ...HASH, expected: 10 },
    { ...ALLOCATED, expected: 21 },
    { ...LRU, expected: 21 },
    { ...TRIE, expected: 10 },
    { ...PER_CPU, expected: 10 },
  ])('$name shows $expected after a deletion and an update of another key', ({ expected, ...kind }) => {
    expect(shown(kind, remove(1), update(2, 21))).toBe(expected);
  });

  it('of an LRU_HASH shows what was refused after a deletion: it was written into a free entry', () => {
    expect(shown(LRU, remove(1), update(2, 21, BPF_NOEXIST))).toBe(21);
    expect(shown(LRU, remove(1), update(3, 30, BPF_EXIST))).toBe(30);
    expect(shown(LRU, update(2, 21, BPF_NOEXIST))).toBe(10);
    for (const kind of [HASH, ALLOCATED, TRIE, PER_CPU, PER_CPU_LRU])
      expect(shown(kind, remove(1), update(2, 21, BPF_NOEXIST))).toBe(10);
  });

  it('under its lock is written in place', () => {
    const map = table(HASH);
    map.map.lockOffset = 4;
    map.update(1, 10);
    const held = map.hold(1);
    map.update(1, 11, BPF_F_LOCK);
    expect(map.at(held)).toBe(11);
    map.update(1, 12);
    expect(map.at(held)).toBe(11);
  });

  it.each([HASH, ALLOCATED, LRU, TRIE])('$name: what is written there is lost', (kind) => {
    const map = table(kind);
    map.update(1, 10);
    const held = map.hold(1);
    map.update(1, 11);
    map.memory.setU64(held, 99n);
    expect(map.at(map.hold(1))).toBe(11);
    expect(
      map.map
        .snapshot()
        ?.list()
        .map(({ value }) => value[0]),
    ).toEqual([11]);
  });
});

describe('a table that gives memory back', () => {
  it.each([HASH, ALLOCATED, LRU, TRIE, PER_CPU, PER_CPU_LRU])(
    '$name holds as many entries as before, and no more, after any number of updates',
    (kind) => {
      const map = table(kind, 3);
      const full = kind.type.startsWith('LRU') ? 0 : kind.type === 'LPM_TRIE' ? -28 : -7;
      for (let round = 0; round < 200; round++) {
        for (let key = 1; key <= 3; key++) expect(map.update(key, round)).toBe(0);
        if (full !== 0) expect(map.update(4, 0)).toBe(full);
        expect(map.map.snapshot()?.list()).toHaveLength(3);
        if (round % 3 === 0) expect(map.delete(1 + (round % 2))).toBe(0);
      }
      map.map.clear();
      expect(map.map.snapshot()?.list()).toEqual([]);
      expect(map.update(1, 5)).toBe(0);
      expect(map.at(map.hold(1))).toBe(5);
    },
  );

  it('is brought back as it was kept, with the entry that waits apart', () => {
    const map = table(HASH);
    map.update(1, 10);
    map.update(1, 11);
    expect(map.map.keep()).toBe(true);
    for (let round = 0; round < 3; round++) {
      map.update(1, 20 + round);
      map.update(2, 30);
    }
    map.map.restore();
    expect(
      map.map
        .snapshot()
        ?.list()
        .map(({ value }) => value[0]),
    ).toEqual([11]);
    for (const key of [2, 3, 4]) expect(map.update(key, key)).toBe(0);
    expect(map.update(5, 5)).toBe(-7);
  });
});
