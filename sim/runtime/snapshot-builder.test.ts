/** Snapshots as engines make them: numbered entries, sums over CPUs, growing room, long rows, and order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  differingEntries,
  indexKey,
  MapSnapshot,
  SnapshotBuilder,
  type SnapshotEntry,
  sameContents,
  snapshotOf,
  snapshotOfUpdates,
  sumOfCpus,
} from './map-snapshot.ts';
import { compareBytes, type MapDefinition, type MapType } from './maps.ts';

const definition = (type: MapType, keySize: number, valueSize: number): MapDefinition => ({
  name: 'm',
  type,
  keySize,
  valueSize,
  maxEntries: 2 ** 31,
});

/** Bytes that count up, so that each says its place. */
const counting = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => first + index);

const keysOf = (snapshot: MapSnapshot): string[] => Array.from(snapshot.kept(), ({ key }) => key.join());

/** Before and behind each border of a byte. */
const INDICES = [1, 255, 256, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe];

describe('entries with a number', () => {
  it('have it in four bytes, the lowest first', () => {
    const bytes = new Uint8Array(4);
    for (const index of INDICES) {
      new DataView(bytes.buffer).setUint32(0, index, true);
      expect(indexKey(index)).toEqual(bytes);
    }
  });

  it.each<MapType>(['ARRAY', 'PERCPU_ARRAY', 'HASH'])('are the same by number and by key: %s', (type) => {
    const map = definition(type, 4, 8);
    const byIndex = new SnapshotBuilder(map, 1);
    const byKey = new SnapshotBuilder(map);
    for (const index of INDICES) {
      byIndex.addIndex(index, counting(30, index), 3, 16);
      byKey.add(Uint8Array.of(9, ...indexKey(index), 9), 1, counting(30, index), 3, 16);
    }
    const made = byIndex.finish();
    expect(sameContents(made, byKey.finish())).toBe(true);
    const order = type === 'HASH' ? [...INDICES].map(indexKey).sort(compareBytes) : INDICES.map(indexKey);
    expect(keysOf(made)).toEqual(order.map((key) => key.join()));
  });

  it('of an array are kept if one of their own bytes is not 0, and none beside them', () => {
    const map = definition('ARRAY', 4, 3);
    const bytes = Uint8Array.of(7, 0, 0, 0, 7, 0, 0, 1, 0, 0, 1, 0, 0, 7);
    const builder = new SnapshotBuilder(map);
    [1, 5, 8, 10].forEach((at, index) => {
      builder.addIndex(2 * index, bytes, at, 3);
      builder.add(indexKey(2 * index + 1), 0, bytes, at, 3);
    });
    const made = builder.finish();
    expect(Array.from(made.kept(), ({ key, value }) => [key[0], ...value])).toEqual([
      [2, 0, 0, 1],
      [3, 0, 0, 1],
      [4, 0, 0, 1],
      [5, 0, 0, 1],
      [6, 1, 0, 0],
      [7, 1, 0, 0],
    ]);
  });
});

describe('the sum over CPUs', () => {
  /** As the definition says it: words of 8, 4 or 1 bytes, values padded to 8. */
  function sum(values: Uint8Array, size: number): number[] {
    const word = size % 8 === 0 ? 8 : size % 4 === 0 ? 4 : 1;
    const total = Array<bigint>(size / word).fill(0n);
    const stride = 8 * Math.ceil(size / 8);
    for (let cpu = 0; cpu * stride + size <= values.length; cpu++)
      total.forEach((_, index) => {
        for (let byte = 0; byte < word; byte++)
          total[index]! += BigInt(values[cpu * stride + index * word + byte]!) << BigInt(8 * byte);
      });
    return total.flatMap((number) =>
      Array.from({ length: word }, (_, byte) => Number((number >> BigInt(8 * byte)) & 0xffn)),
    );
  }

  it('is one of words as wide as the value allows, wherever the values lie', () => {
    const sizes = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 20, 24);
    const bytes = fc.array(fc.constantFrom(0, 1, 127, 128, 254, 255), { minLength: 96, maxLength: 96 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 4 }), bytes, (size, cpus, drawn) => {
        const values = Uint8Array.from(drawn.slice(0, cpus * 8 * Math.ceil(size / 8)));
        const expected = sum(values, size);
        expect([...sumOfCpus(values, size)]).toEqual(expected);
        const builder = new SnapshotBuilder(definition('PERCPU_HASH', 4, size));
        const around = Uint8Array.of(0xff, ...values, 0xff);
        builder.add(counting(4, 1), 0, around, 1, values.length);
        builder.addIndex(0x0908_0706, around, 1, values.length);
        const made = builder.finish();
        expect([[...made.value(0)], [...made.value(1)]]).toEqual([expected, expected]);
      }),
    );
  });
});

describe('rows', () => {
  it.each([
    [1, 1],
    [1, 9],
    [9, 1],
    [4, 0],
    [127, 128],
    [128, 127],
    [129, 130],
    [200, 3],
  ])('of %i and %i bytes are kept whole, however many there are', (keySize, valueSize) => {
    const rows = Array.from(
      { length: 70 },
      (_, index): SnapshotEntry => ({
        key: counting(keySize, 3 * index),
        value: counting(valueSize, 5 * index),
      }),
    );
    for (const expected of [0, 1, 15, 16, 17, 100]) {
      const builder = new SnapshotBuilder(definition('HASH', keySize, valueSize), expected);
      for (const { key, value } of rows) builder.add(key, 0, value, 0, valueSize);
      const made = builder.finish();
      expect([made.count, made.keys.length, made.values.length]).toEqual([70, 70 * keySize, 70 * valueSize]);
      expect([...made.kept()]).toEqual([...rows].sort((a, b) => compareBytes(a.key, b.key)));
    }
  });

  it('have no more room than twice what is in them', () => {
    const builder = new SnapshotBuilder(definition('ARRAY', 4, 4), 16);
    for (let index = 0; index < 1025; index++) builder.addIndex(index, Uint8Array.of(1, 0, 0, 0), 0, 4);
    const made = builder.finish();
    expect(made.count).toBe(1025);
    expect([made.keys.buffer.byteLength, made.values.buffer.byteLength]).toEqual([8192, 8192]);
  });

  it('are in order of keys of any bytes, equal keys as they came', () => {
    const sizes = fc.constantFrom(1, 2, 4, 5, 6, 8, 12);
    const bytes = fc.constantFrom(0, 1, 2, 127, 128, 255);
    fc.assert(
      fc.property(sizes, fc.nat(8), fc.gen(), (size, shared, gen) => {
        const rows = Array.from({ length: gen(fc.nat, 40) }, (_, index): SnapshotEntry => {
          const key = Uint8Array.from(gen(fc.array, bytes, { minLength: size, maxLength: size }));
          return { key: key.fill(0x80, 0, Math.min(shared, size)), value: Uint8Array.of(index) };
        });
        const inOrder = [...rows].sort((a, b) => compareBytes(a.key, b.key));
        const map = definition('HASH', size, 1);
        expect([...snapshotOf(map, rows).kept()]).toEqual(inOrder);
        const last = inOrder.filter(({ key }, at) => key.join() !== inOrder[at + 1]?.key.join());
        expect([...snapshotOfUpdates(map, rows).kept()]).toEqual(last);
      }),
    );
  });
});

describe('two snapshots', () => {
  it('hold the same only if every byte is the same, at any place of a buffer', () => {
    const map = definition('HASH', 3, 5);
    for (const [left, right] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [2, 2],
      [4, 8],
    ] as const)
      for (const count of [0, 1, 2, 3]) {
        const at = (place: number, length: number): Uint8Array =>
          Uint8Array.of(...counting(place, 99), ...counting(length, 1), 77 + place).subarray(
            place,
            place + length,
          );
        const one = new MapSnapshot(map, count, at(left, 3 * count), at(left, 5 * count));
        const other = new MapSnapshot(map, count, at(right, 3 * count), at(right, 5 * count));
        const seen: number[] = [];
        const changed = [other.keys, other.values].flatMap((bytes) =>
          Array.from(bytes, (byte, index) => {
            bytes[index] = byte ^ 0x80;
            if (sameContents(one, other)) seen.push(index);
            bytes[index] = byte;
            return index;
          }),
        );
        expect([changed.length, seen, sameContents(one, other)]).toEqual([8 * count, [], true]);
      }
    const none = new MapSnapshot(map, 0, new Uint8Array(0), new Uint8Array(0));
    expect(sameContents(none, new MapSnapshot(map, 1, none.keys, none.values))).toBe(false);
  });

  it.each<MapType>(['HASH', 'ARRAY'])(
    'differ in order of keys, each with what both have there: %s',
    (type) => {
      const map = definition(type, 4, 2);
      const numbers = fc.constantFrom(0, 1, 2, 254, 255, 256, 257, 0x1_0000, 0xffff_fffe);
      const row = fc.tuple(numbers, fc.constantFrom(0, 1), fc.constantFrom(0, 5));
      const side = fc
        .uniqueArray(row, { selector: ([index]) => index })
        .map((rows) => new Map(rows.sort(([x], [y]) => x - y).map(([index, ...value]) => [index, value])));
      const snapshot = (values: ReadonlyMap<number, number[]>): MapSnapshot =>
        snapshotOf(
          map,
          Array.from(values, ([index, value]) => ({ key: indexKey(index), value: Uint8Array.from(value) })),
        );
      const absent = type === 'ARRAY' ? [0, 0] : undefined;
      // An array's entries that are zero are as good as none.
      const isKept = (value: readonly number[] | undefined): boolean => value?.join() !== absent?.join();
      fc.assert(
        fc.property(side, side, (a, b) => {
          const expected = [...new Set([...a.keys(), ...b.keys()])]
            .sort((x, y) => (type === 'ARRAY' ? x - y : compareBytes(indexKey(x), indexKey(y))))
            .map((index) => [index, a.get(index) ?? absent, b.get(index) ?? absent] as const)
            .filter(([, one, other]) => one?.join() !== other?.join());
          const found = Array.from(
            differingEntries(snapshot(a), snapshot(b)),
            ({ key, expected: one, got }) => [
              new DataView(key.slice().buffer).getUint32(0, true),
              one && [...one],
              got && [...got],
            ],
          );
          expect(found).toEqual(expected);
          expect(snapshot(a).count).toBe([...a.values()].filter(isKept).length);
        }),
      );
    },
  );
});
