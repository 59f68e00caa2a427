import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { fieldPath, mapEntryText, numbersOf } from './map-text.ts';

const definition: MapDefinition = {
  name: 'rxcnt',
  type: 'ARRAY',
  keySize: 4,
  valueSize: 16,
  maxEntries: 4,
};
const words = (...values: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);
const key = Uint8Array.of(6, 0, 0, 0);
const untyped: Program = { name: 'p', entries: [] };

describe('an entry without BTF', () => {
  it('is shown as numbers where it has their size, and as bytes elsewhere', () => {
    const difference = { map: 'rxcnt', definition, key, expected: words(2n, 98n), got: words(2n, 99n) };
    expect(mapEntryText(untyped, difference)).toEqual({
      map: 'rxcnt',
      key: '6',
      fields: [{ field: '', expected: '2, 98', got: '2, 99', isClock: false }],
    });
    const odd = { ...difference, expected: Uint8Array.of(1, 2, 3), got: undefined };
    expect(mapEntryText(untyped, { ...odd, definition: { ...definition, type: 'HASH' } })).toEqual({
      map: 'rxcnt',
      key: '0x06000000',
      fields: [{ field: '', expected: '0x010203', got: 'no entry', isClock: false }],
    });
  });

  it('has the sizes of both values, where these differ and no field does', () => {
    const difference = { map: 'rxcnt', definition, key, expected: words(1n), got: Uint8Array.of(1, 0, 0, 0) };
    expect(mapEntryText(untyped, difference).fields).toEqual([
      { field: '', expected: 'a value of 8 bytes', got: 'a value of 4 bytes', isClock: false },
    ]);
  });

  it('is shown the same way where the object cannot be read', () => {
    const difference = { map: 'rxcnt', definition, key, expected: words(1n), got: words(2n) };
    const broken = { ...untyped, object: Uint8Array.of(1, 2, 3) };
    expect(mapEntryText(broken, difference).fields).toMatchObject([{ expected: '1', got: '2' }]);
  });
});

describe('an entry of a map with BTF', () => {
  const object = new Uint8Array(readFileSync(packageFile('bpf/built/icmp_echo.o')));
  const program: Program = { ...untyped, object };
  const map = 'xdp_stats_map';

  it('is shown by the fields that differ, with their names in C', () => {
    const entry = mapEntryText(program, {
      map,
      definition,
      key,
      expected: words(2n, 98n),
      got: words(2n, 99n),
    });
    expect(entry.fields).toEqual([{ field: 'rx_bytes', expected: '98', got: '99', isClock: false }]);
    expect(fieldPath(entry, entry.fields[0]!)).toBe('xdp_stats_map[6].rx_bytes');
  });

  it('has the numbers of its fields, and without BTF none that are known', () => {
    const difference = { map, definition, key, expected: words(2n, 98n), got: words(2n, 99n) };
    expect(numbersOf(program, difference)).toEqual({ expected: [2n, 98n], got: [2n, 99n] });
    expect(numbersOf(untyped, difference)).toBeUndefined();
    expect(numbersOf(program, { ...difference, got: undefined })).toBeUndefined();
  });

  it('is shown whole where one side has none', () => {
    const difference = { map, definition, key, expected: undefined, got: words(2n, 99n) };
    expect(mapEntryText(program, difference).fields).toEqual([
      { field: '', expected: 'no entry', got: '{"rx_packets":2,"rx_bytes":99}', isClock: false },
    ]);
  });

  it('calls nothing a clock in a program that reads none', () => {
    const difference = { map, definition, key, expected: words(2n, 5_000_000_000n), got: words(2n, 98n) };
    expect(mapEntryText(program, difference).fields).toMatchObject([{ isClock: false }]);
  });
});
