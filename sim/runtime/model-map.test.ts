/** The maps of models where they are long, full, or asked for what they do not offer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createModelMap } from './create-model-map.ts';
import { E2BIG, EAGAIN, EEXIST, EINVAL, ENOENT, ENOSPC, EOPNOTSUPP } from './errno.ts';
import { indexKey } from './map-snapshot.ts';
import type { MapType } from './maps.ts';
import { addU64, type ModelMap } from './model-map.ts';
import { LruHashModelMap } from './model-map-lru-hash.ts';

const mapOf = (type: MapType, maxEntries: number, keySize = 4, valueSize = 4): ModelMap =>
  createModelMap({ name: 'm', type, keySize, valueSize, maxEntries });

describe('adding to a number of 64 bits', () => {
  it('carries, and leaves the bytes around it alone', () => {
    const start = fc.constantFrom(0n, 1n, 0xffff_ffffn, 0x8000_0000n, 0xff_ffff_ffffn, 2n ** 64n - 1n);
    const amounts = fc.constantFrom(0, 1, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
    fc.assert(
      fc.property(start, amounts, fc.nat(4), (before, amount, at) => {
        const value = new Uint8Array(14).fill(0xaa);
        const view = new DataView(value.buffer);
        view.setBigUint64(at, before, true);
        addU64(value, at, amount);
        expect(view.getBigUint64(at, true)).toBe(BigInt.asUintN(64, before + BigInt(amount)));
        expect([...value.subarray(0, at), ...value.subarray(at + 8)]).toEqual(Array(6).fill(0xaa));
      }),
    );
  });
});

describe.each<[type: MapType, takesOldest: boolean]>([
  ['QUEUE', true],
  ['STACK', false],
])('a %s', (type, takesOldest) => {
  const number = (element: Uint8Array | undefined): number | undefined =>
    element === undefined ? undefined : new DataView(element.slice().buffer).getUint32(0, true);

  it('gives back what it took, however long it gets, and drops the oldest only where it may', () => {
    const map = mapOf(type, 2500, 0);
    const plain: number[] = [];
    const take = (): number | undefined => (takesOldest ? plain.shift() : plain.pop());
    const wrong: number[] = [];
    for (let step = 0; step < 9000; step++) {
      const grows = step < 2600 || step % 3 !== 0;
      const flags = step % 2 === 0 && step > 4000 ? 2 : 0;
      if (grows) {
        const answer = map.push(indexKey(step), flags);
        const isFull = plain.length >= 2500;
        if (isFull && flags === 2) plain.shift();
        if (!isFull || flags === 2) plain.push(step);
        if (answer !== (isFull && flags === 0 ? -E2BIG : 0)) wrong.push(step);
      } else {
        const next = takesOldest ? plain[0] : plain.at(-1);
        if (number(map.peek()) !== next || number(map.pop()) !== take()) wrong.push(step);
      }
    }
    for (let left = plain.length; left >= 0; left--) if (number(map.pop()) !== take()) wrong.push(-left);
    expect([wrong, map.pop(), map.peek()]).toEqual([[], undefined, undefined]);
  });

  it('knows flags 0 and BPF_EXIST, and keeps copies of its values’ size', () => {
    const map = mapOf(type, 4, 0, 2);
    expect([1, 3, 4].map((flags) => map.push(Uint8Array.of(1, 2), flags))).toEqual(Array(3).fill(-EINVAL));
    const value = Uint8Array.of(7, 8, 9);
    expect([map.push(value), map.update(new Uint8Array(0), value, 2)]).toEqual([0, 0]);
    value.fill(0);
    map.peek()![0] = 99;
    expect(map.pop()).toEqual(Uint8Array.of(7, 8));
    expect([map.lookup(indexKey(0)), map.delete(indexKey(0)), map.snapshot()]).toEqual([
      undefined,
      -EINVAL,
      undefined,
    ]);
  });
});

describe('what a kind does not offer', () => {
  it('answers as the kernel does', () => {
    const array = mapOf('ARRAY', 2);
    expect([
      array.push(indexKey(1)),
      array.pop(),
      array.peek(),
      array.inner(0),
      array.output(indexKey(1)),
    ]).toEqual([-EOPNOTSUPP, undefined, undefined, undefined, -EOPNOTSUPP]);
    expect([array.delete(indexKey(0)), mapOf('RINGBUF', 4096).update(indexKey(0), indexKey(0))]).toEqual([
      -EINVAL,
      -EINVAL,
    ]);
    expect(() => mapOf('SOCKMAP', 1)).toThrow('a model cannot hold a SOCKMAP map');
  });
});

describe('updates and deletions', () => {
  const key = (last: number): Uint8Array => Uint8Array.of(1, 2, 3, last);
  it('of a hash', () => {
    const map = mapOf('HASH', 2);
    const set = (last: number, flags?: number): number => map.update(key(last), indexKey(last), flags);
    expect([
      set(1, 2),
      set(1, 3),
      set(1),
      set(1, 1),
      set(1, 2),
      set(2, 1),
      set(3),
      set(3, 1),
      set(2),
    ]).toEqual([-ENOENT, -EINVAL, 0, -EEXIST, 0, 0, -E2BIG, -E2BIG, 0]);
    expect([map.delete(key(3)), map.delete(key(1)), map.delete(key(1)), set(3)]).toEqual([
      -ENOENT,
      0,
      -ENOENT,
      0,
    ]);
    expect(map.lookup(Uint8Array.of(...key(2), 99))).toEqual(indexKey(2));
  });

  it('of an array', () => {
    const map = mapOf('ARRAY', 2);
    const answers = [0, 1, 2, 3].map((flags) => map.update(indexKey(1), indexKey(5), flags));
    expect([...answers, map.update(indexKey(2), indexKey(5))]).toEqual([0, -EEXIST, 0, -EINVAL, -E2BIG]);
  });

  it.each<[type: MapType, outside: number, empty: number]>([
    ['DEVMAP', -EINVAL, 0],
    ['CPUMAP', -EINVAL, 0],
    ['XSKMAP', -EINVAL, 0],
    ['PROG_ARRAY', -E2BIG, -ENOENT],
    ['PERF_EVENT_ARRAY', -E2BIG, -ENOENT],
  ])('of the slots of a %s', (type, outside, empty) => {
    const map = mapOf(type, 2);
    const set = (index: number, value: number, flags?: number): number =>
      map.update(indexKey(index), indexKey(value), flags);
    expect([set(2, 7), set(1, 7, 1), set(1, 7, 3), set(1, 7, 2), set(1, 0x100)]).toEqual([
      -E2BIG,
      -EEXIST,
      -EINVAL,
      0,
      0,
    ]);
    expect(map.lookupIndex(1)).toEqual(indexKey(0x100));
    expect([
      map.delete(indexKey(2)),
      map.delete(indexKey(0)),
      map.delete(indexKey(1)),
      map.lookupIndex(1),
    ]).toEqual([outside, empty, 0, undefined]);
    expect([set(0, 9), set(0, 0), map.lookup(indexKey(0))]).toEqual([0, 0, undefined]);
    set(1, 9);
    expect(map.snapshot()?.count).toBe(type === 'DEVMAP' ? 1 : undefined);
  });

  it('of a hash of devices, which has none of number 0', () => {
    const map = mapOf('DEVMAP_HASH', 2);
    expect([map.update(key(1), indexKey(0)), map.update(key(1), indexKey(0x1_0000))]).toEqual([-EINVAL, 0]);
  });

  it('of a trie', () => {
    const map = mapOf('LPM_TRIE', 2, 8);
    const prefix = (length: number, ...bytes: number[]): Uint8Array =>
      Uint8Array.from({ length: 8 }, (_, at) => (at === 0 ? length : (bytes[at - 4] ?? 0)));
    const set = (flags: number, length: number, ...bytes: number[]): number =>
      map.update(prefix(length, ...bytes), indexKey(length), flags);
    expect([
      set(2, 8, 10),
      set(0, 33),
      set(3, 8, 10),
      set(1, 8, 10, 9),
      set(1, 8, 10, 8),
      set(2, 8, 10, 7),
    ]).toEqual([-ENOENT, -EINVAL, -EINVAL, 0, -EEXIST, 0]);
    expect([set(0, 9, 10, 0x80), set(0, 7, 10), set(0, 9, 10, 0xff)]).toEqual([0, -ENOSPC, 0]);
    const found = (length: number, ...bytes: number[]): number | undefined =>
      map.lookup(prefix(length, ...bytes))?.[0];
    expect([
      found(32, 10, 0x80),
      found(32, 10, 0x7f),
      found(8, 10, 0x80),
      found(32, 11),
      found(33, 10),
      found(7, 10),
    ]).toEqual([9, 8, 8, undefined, undefined, undefined]);
    expect([
      map.delete(prefix(33)),
      map.delete(prefix(7, 10)),
      map.delete(prefix(9, 10, 0x81)),
      found(32, 10, 0x80),
    ]).toEqual([-EINVAL, -ENOENT, 0, 8]);
    expect(set(0, 0)).toBe(0);
    expect([found(32, 11), found(0, 255)]).toEqual([0, 0]);
    // The kernel keeps the bits behind the prefix as they were last written.
    expect(Array.from(map.snapshot()!.kept(), (entry) => [...entry.key])).toEqual([
      [0, 0, 0, 0, 0, 0, 0, 0],
      [8, 0, 0, 0, 10, 7, 0, 0],
    ]);
  });
});

describe('a value that is held across an update', () => {
  it.each<[MapType, number]>([
    ['HASH', 1],
    ['LRU_HASH', 1],
    ['LPM_TRIE', 1],
    ['PERCPU_HASH', 2],
    ['ARRAY', 2],
  ])('of a map of type %s shows %i', (type, expected) => {
    const map = mapOf(type, 4, type === 'LPM_TRIE' ? 8 : 4);
    const key = type === 'LPM_TRIE' ? Uint8Array.of(32, 0, 0, 0, 10, 0, 0, 1) : indexKey(1);
    expect(map.update(key, indexKey(1))).toBe(0);
    const held = map.lookup(key)!;
    expect(map.update(key, indexKey(2))).toBe(0);
    expect([held[0], map.lookup(key)![0]]).toEqual([expected, 2]);
    held[0] = 9;
    expect(map.lookup(key)![0]).toBe(expected === 1 ? 2 : 9);
  });
});

describe('an LRU hash', () => {
  const key = (index: number): Uint8Array => indexKey(index);

  it('forgets what was used least recently, and is sure of half of its entries', () => {
    const map = new LruHashModelMap({ name: 'm', type: 'LRU_HASH', keySize: 4, valueSize: 4, maxEntries: 4 });
    const crowded = [0, 1, 2, 3].map((index) => {
      map.update(key(index), key(index));
      return map.crowded;
    });
    expect(crowded).toEqual([false, false, true, true]);
    map.lookup(key(0));
    map.update(key(1), key(9));
    map.update(key(4), key(4));
    map.update(key(5), key(5));
    const left = (): number[] => [0, 1, 2, 3, 4, 5].filter((index) => map.lookup(key(index)) !== undefined);
    expect(left()).toEqual([0, 1, 4, 5]);
    expect(map.update(key(7), key(7), 2)).toBe(-ENOENT);
    expect(left()).toEqual([0, 1, 4, 5]);
  });
});

it('a ring takes samples with their headers until it is full', () => {
  const map = mapOf('RINGBUF', 4096, 0, 0);
  const answers = Array.from({ length: 5 }, () => map.output(new Uint8Array(1016)));
  expect(answers).toEqual([0, 0, 0, -EAGAIN, -EAGAIN]);
  expect(map.output(new Uint8Array(1015))).toBe(-EAGAIN);
  expect(map.output(new Uint8Array(1000))).toBe(0);
});

it('a map of maps leads to the maps that its slots name', () => {
  const inner = mapOf('ARRAY', 1);
  const named = (name: string): ModelMap | undefined => (name === 'inner' ? inner : undefined);
  const holder = (type: MapType, map: string): ModelMap =>
    createModelMap(
      {
        name: 'outer',
        type,
        keySize: 4,
        valueSize: 4,
        maxEntries: 2,
        holds: [
          { key: 1, map },
          { key: 0x100, map },
        ],
      },
      named,
    );
  const array = holder('ARRAY_OF_MAPS', 'inner');
  const hash = holder('HASH_OF_MAPS', 'inner');
  expect([0, 1, 2, 0x100].map((index) => array.inner(index) === inner)).toEqual([false, true, false, false]);
  expect([0, 1, 2, 0x100].map((index) => hash.inner(indexKey(index)) === inner)).toEqual([
    false,
    true,
    false,
    true,
  ]);
  expect(array.inner(indexKey(1))).toBe(inner);
  expect(() => holder('HASH_OF_MAPS', 'none')).toThrow('map outer holds a map none that is not there');
});
