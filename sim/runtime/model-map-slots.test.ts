import { expect, it } from 'vitest';
import { ArrayModelMap } from './model-map-slots.ts';

it('an array has each of its entries once, near its start and far from it, and shows those that were written', () => {
  const map = new ArrayModelMap({ name: 'm', type: 'ARRAY', keySize: 4, valueSize: 1, maxEntries: 1000 });
  for (const index of [999, 64, 0, 63, 500]) map.lookupIndex(index)![0] = index & 0xff;
  map.lookupIndex(7);
  for (const index of [0, 63, 64, 500, 999])
    expect(map.lookupIndex(index)).toEqual(Uint8Array.of(index & 0xff));
  expect([map.lookupIndex(1000), map.lookupIndex(-1)]).toEqual([undefined, undefined]);
  const { keys, values, count } = map.snapshot();
  // An entry that is zero is not kept.
  expect(count).toBe(4);
  expect([...new Uint32Array(keys.slice().buffer, 0, count)]).toEqual([63, 64, 500, 999]);
  expect([...values.subarray(0, count)]).toEqual([63, 64, 500 & 0xff, 999 & 0xff]);
});
