import { describe, expect, it } from 'vitest';
import { type MapSnapshot, snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import { firstMapDifference, mapsNotCompared } from './compare-maps.ts';

const definition = (name: string): MapDefinition => ({
  name,
  type: 'HASH',
  keySize: 2,
  valueSize: 2,
  maxEntries: 8,
});

function map(name: string, rows: Record<string, number>): MapSnapshot {
  return snapshotOf(
    definition(name),
    Object.entries(rows).map(([key, value]) => ({
      key: Uint8Array.of(Number(key) >> 8, Number(key)),
      value: Uint8Array.of(value >> 8, value),
    })),
  );
}

describe('firstMapDifference', () => {
  it('finds none between equal maps', () => {
    expect(firstMapDifference([map('a', { 1: 2, 300: 4 })], [map('a', { 300: 4, 1: 2 })])).toBeUndefined();
  });

  it('finds a changed value, an entry too few and an entry too many, at either end', () => {
    const expected = [map('a', { 1: 10, 2: 20, 3: 30 })];
    const cases: [Record<string, number>, number, number | undefined, number | undefined][] = [
      [{ 1: 11, 2: 20, 3: 30 }, 1, 10, 11],
      [{ 1: 10, 2: 20, 3: 31 }, 3, 30, 31],
      [{ 2: 20, 3: 30 }, 1, 10, undefined],
      [{ 1: 10, 2: 20 }, 3, 30, undefined],
      [{ 0: 5, 1: 10, 2: 20, 3: 30 }, 0, undefined, 5],
      [{ 1: 10, 2: 20, 3: 30, 4: 40 }, 4, undefined, 40],
    ];
    for (const [rows, key, from, to] of cases) {
      const value = (number: number | undefined): Uint8Array | undefined =>
        number === undefined ? undefined : Uint8Array.of(0, number);
      const found = firstMapDifference(expected, [map('a', rows)]);
      expect(found).toMatchObject({ map: 'a', key: Uint8Array.of(0, key) });
      expect(found?.expected).toEqual(value(from));
      expect(found?.got).toEqual(value(to));
    }
  });

  it('compares only maps that both have, and of these only the specified ones', () => {
    const expected = [map('a', { 1: 1 }), map('b', { 1: 1 })];
    const got = [map('b', { 1: 2 }), map('c', { 1: 3 })];
    expect(firstMapDifference(expected, got)?.map).toBe('b');
    expect(firstMapDifference(expected, got, [definition('a')])).toBeUndefined();
    expect(mapsNotCompared(expected, got)).toEqual(['a', 'c']);
    expect(mapsNotCompared(expected, got, [definition('a'), definition('b')])).toEqual(['a']);
  });
});
