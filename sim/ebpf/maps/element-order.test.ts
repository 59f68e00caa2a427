import { expect, it } from 'vitest';
import { LinearMemory } from '../memory.ts';
import { testMap } from '../test-support/assemble.ts';
import { createMap } from './create-map.ts';
import { elementsOf } from './element-order.ts';
import type { LiveMap } from './live-map.ts';

const KEYS = [1, 2, 3, 4, 5];

/** A map with these keys, its order by a seed, and a way to delete from it. */
function filled(type: 'HASH' | 'ARRAY'): {
  readonly order: (seed: number, visit?: (key: number) => void) => number[];
  readonly remove: (key: number) => void;
} {
  const memory = new LinearMemory();
  const map: LiveMap = createMap(memory, testMap('m', type, { maxEntries: 8 }), 0);
  const at = memory.allocate(64);
  const put = (key: number): number => {
    memory.setU32(at, key);
    return at;
  };
  for (const key of KEYS) map.update(put(key), at + 8, 0);
  return {
    order(seed, visit) {
      const keys: number[] = [];
      for (const { key } of elementsOf(map, seed) ?? []) {
        const number = memory.view.getUint32(key, true);
        keys.push(number);
        visit?.(number);
      }
      return keys;
    },
    remove: (key) => {
      map.delete(put(key));
    },
  };
}

it('is another one for another seed, with the same elements', () => {
  const { order } = filled('HASH');
  const orders = [0, 1, 2, 3, 4, 5].map((seed) => order(seed));
  for (const one of orders) expect([...one].sort()).toEqual(KEYS);
  expect(new Set(orders.map((one) => one.join())).size).toBe(6);
  expect(order(3)).toEqual(order(3));
});

it('leaves out what is deleted before its turn', () => {
  for (const seed of [1, 2, 3]) {
    const { order, remove } = filled('HASH');
    const [, second] = order(seed);
    const seen: number[] = [];
    expect(order(seed, (key) => seen.push(key) === 1 && remove(second!))).not.toContain(second);
    expect(seen).toHaveLength(KEYS.length - 1);
  }
});

it('is that of the indices for an array, whatever the seed', () => {
  const { order } = filled('ARRAY');
  expect(order(7)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
