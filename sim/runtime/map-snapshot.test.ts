import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  differingEntries,
  indexKey,
  MapSnapshot,
  sameContents,
  snapshotOf,
  snapshotOfUpdates,
} from './map-snapshot.ts';
import { compareBytes, type MapDefinition, type MapType } from './maps.ts';

function definition(type: MapType, keySize: number, valueSize: number, maxEntries: number): MapDefinition {
  return { name: 'm', type, keySize, valueSize, maxEntries };
}

const rows = (keySize: number): fc.Arbitrary<{ key: Uint8Array; value: Uint8Array }[]> =>
  fc.uniqueArray(
    fc.record({
      // Few values a byte: keys that have much in common, and such as have nothing.
      key: fc.uint8Array({ minLength: keySize, maxLength: keySize, max: 3 }),
      value: fc.uint8Array({ minLength: 3, maxLength: 3 }),
    }),
    { maxLength: 60, selector: ({ key }) => key.join() },
  );

describe('a snapshot', () => {
  it('is in order of key bytes, whatever order the entries came in', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 3, 4, 9, 13), fc.gen(), (keySize, gen) => {
        const entries = gen(rows, keySize);
        const sorted = [...entries].sort((a, b) => compareBytes(a.key, b.key));
        const snapshot = snapshotOf(definition('HASH', keySize, 3, 64), entries);
        expect(snapshot.list()).toEqual(sorted);
        expect(sameContents(snapshot, snapshotOf(snapshot.definition, sorted.reverse()))).toBe(true);
      }),
    );
  });

  it('of updates in turn has the last value of each key', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 3, 4, 6), fc.gen(), (keySize, gen) => {
        const updates = [...gen(rows, keySize), ...gen(rows, keySize), ...gen(rows, keySize)];
        const last = new Map(updates.map((update) => [update.key.join(), update]));
        const hash = definition('HASH', keySize, 3, 64);
        expect(snapshotOfUpdates(hash, updates)).toEqual(snapshotOf(hash, last.values()));
      }),
    );
  });

  it('keeps of an array what is not zero, in order of index, and lists the rest as zeros', () => {
    const array = definition('ARRAY', 4, 2, 600);
    const entries = [1, 256, 599].map((index) => ({ key: indexKey(index), value: Uint8Array.of(1, index) }));
    const snapshot = snapshotOf(array, [{ key: indexKey(0), value: Uint8Array.of(0, 0) }, ...entries]);
    // 256 is 0 in its low byte.
    expect([...snapshot.kept()].map(({ key }) => key[0]! + 256 * key[1]!)).toEqual([1, 256, 599]);
    expect(snapshot.size).toBe(600);
    expect(snapshot.list()[0]).toEqual({ key: indexKey(0), value: Uint8Array.of(0, 0) });
    expect(snapshot.list()[599]).toEqual({ key: indexKey(599), value: Uint8Array.of(1, 599 & 255) });
  });

  it('adds the values of all CPUs up, in words as wide as the value allows', () => {
    const perCpu = definition('PERCPU_HASH', 1, 8, 4);
    const cpus = Uint8Array.of(255, 255, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0);
    const [entry] = snapshotOf(perCpu, [{ key: Uint8Array.of(7), value: cpus }]).list();
    expect(entry!.value).toEqual(Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 0));
    const narrow = definition('PERCPU_HASH', 1, 1, 4);
    const [byte] = snapshotOf(narrow, [{ key: Uint8Array.of(7), value: cpus }]).list();
    expect(byte!.value).toEqual(Uint8Array.of(1));
  });

  it('differs from another in the entries that a plain comparison finds', () => {
    fc.assert(
      fc.property(fc.constantFrom<MapType>('HASH', 'ARRAY'), fc.gen(), (type, gen) => {
        const sides = [gen(rows, 4), gen(rows, 4)].map((entries) => {
          const inRange = entries.map(({ key, value }) => ({
            key: Uint8Array.of(key[0]!, key[1]!, 0, 0),
            value,
          }));
          const byKey = new Map(inRange.map((entry) => [entry.key[0]! + 256 * entry.key[1]!, entry]));
          return [...byKey].sort(([a], [b]) => a - b).map(([, entry]) => entry);
        });
        const [a, b] = sides.map((entries) => snapshotOf(definition(type, 4, 3, 1024), entries));
        const text = ({ key, value }: { key: Uint8Array; value: Uint8Array }): string => `${key}=${value}`;
        const left = new Map(a!.list().map((entry) => [entry.key.join(), text(entry)]));
        const right = new Map(b!.list().map((entry) => [entry.key.join(), text(entry)]));
        const keys = [...new Set([...left.keys(), ...right.keys()])];
        const expected = keys.filter((key) => left.get(key) !== right.get(key)).sort();
        const found = [...differingEntries(a!, b!)].map(({ key }) => key.join()).sort();
        expect(found).toEqual(expected);
        expect(sameContents(a!, b!)).toBe(expected.length === 0);
      }),
    );
  });

  it('costs of a large array what was written to it', () => {
    const array = definition('ARRAY', 4, 4, 33_000_000);
    const snapshot = snapshotOf(array, [{ key: indexKey(32_999_999), value: Uint8Array.of(1, 0, 0, 0) }]);
    expect(snapshot).toBeInstanceOf(MapSnapshot);
    expect(snapshot.values.buffer.byteLength + snapshot.keys.buffer.byteLength).toBeLessThan(1024);
    const empty = snapshotOf(array, []);
    expect([...differingEntries(empty, snapshot)]).toEqual([
      { key: indexKey(32_999_999), expected: new Uint8Array(4), got: Uint8Array.of(1, 0, 0, 0) },
    ]);
  });
});
