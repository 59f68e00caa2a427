import { describe, expect, it } from 'vitest';
import { testMap } from '../test-support/assemble.ts';
import { action } from '../test-support/both.ts';
import { recordedSizes, SIZED_TYPES, sizesOf } from '../test-support/map-sizes.ts';
import { canCreateMap, supportsMapType } from './create-map.ts';

describe('sizes of maps', () => {
  const recorded = recordedSizes();

  it.each(SIZED_TYPES)('of type %s are those that Linux takes', (type) => {
    const machine = sizesOf(type, (_, keySize, valueSize, maxEntries) =>
      canCreateMap(testMap('m', type, { keySize, valueSize, maxEntries })),
    );
    expect(machine).toEqual(recorded[type]);
  });

  it('of storages are bounded by their single allocation, and no number of entries is stated', () => {
    const types = { keyType: 1, valueType: 2, mapFlags: 1, maxEntries: 0 };
    for (const type of ['SK_STORAGE', 'CGRP_STORAGE'] as const) {
      const takes = (details: object): boolean =>
        canCreateMap(testMap('m', type, { valueSize: 4, ...types, ...details }));
      // BPF_LOCAL_STORAGE_MAX_VALUE_SIZE (include/linux/bpf_local_storage.h).
      expect([0, 1, 65_407, 65_408].map((valueSize) => takes({ valueSize }))).toEqual([
        false,
        true,
        true,
        false,
      ]);
      expect([3, 4, 5].map((keySize) => takes({ keySize }))).toEqual([false, true, false]);
      expect([0, 1].map((maxEntries) => takes({ maxEntries }))).toEqual([true, false]);
      // BPF_F_NO_PREALLOC is required, BPF_F_CLONE allowed.
      expect([0, 1, 0x200, 0x201, 3].map((mapFlags) => takes({ mapFlags }))).toEqual([
        false,
        true,
        false,
        true,
        false,
      ]);
      expect(takes({ keyType: undefined })).toBe(false);
      expect(takes({ valueType: undefined })).toBe(false);
    }
  });

  it('are asked of types that the machine has', () => {
    expect(SIZED_TYPES.filter((type) => !supportsMapType(type))).toEqual([]);
    expect(supportsMapType('ARENA')).toBe(false);
  });
});

it('keys may be longer than the stack: programs have them in values', () => {
  const length = 600;
  const key = Uint8Array.from({ length }, (_, at) => at & 0xff);
  const look = `
    *(u32 *)(r10 - 4) = 0
    r1 = map[keys]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r6 = r0
    r1 = map[m]
    r2 = r6
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r7 = *(u64 *)(r0 + 0)
    r1 = *(u8 *)(r6 + ${length - 1})
    r1 += 1
    *(u8 *)(r6 + ${length - 1}) = r1
    r1 = map[m]
    r2 = r6
    call bpf_map_lookup_elem
    if r0 != 0 goto none
    r0 = r7
    exit
    none:
    r0 = 0
    exit`;
  for (const type of ['HASH', 'LRU_HASH'] as const) {
    const maps = [
      testMap('keys', 'ARRAY', { valueSize: length, maxEntries: 1 }),
      testMap('m', type, { keySize: length, valueSize: 8 }),
    ];
    const value = Uint8Array.of(77, 0, 0, 0, 0, 0, 0, 0);
    const world = { maps: { keys: [{ key: new Uint8Array(4), value: key }], m: [{ key, value }] } };
    expect(action(look, { maps, world })).toBe(77);
  }
});
