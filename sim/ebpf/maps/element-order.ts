/**
 * The order in which a callback gets the elements of a map. Of an array it is that of the indices. Of a hash it is nobody's promise:
 * each map of the kernel has a seed of its own (kernel/bpf/hashtab.c, `htab->hashrnd`). The machine goes by the buckets of its table,
 * and with a seed in another order.
 */
import type { LiveMap, MapRow } from './live-map.ts';

/** @param seed of the world (`World.hashSeed`) @returns undefined for kinds that are not gone through */
export function elementsOf(map: LiveMap, seed: number): Iterable<MapRow> | undefined {
  const rows = map.rows();
  return rows === undefined || seed === 0 || !map.definition.type.includes('HASH')
    ? rows
    : shuffled(map, [...rows], seed);
}

/** Fisher-Yates, by a linear congruential generator; those that are deleted before their turn are left out. */
function* shuffled(map: LiveMap, rows: MapRow[], seed: number): Iterable<MapRow> {
  let state = seed;
  for (let count = rows.length; count > 0; count--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const chosen = (state >>> 16) % count;
    const row = rows[chosen]!;
    rows[chosen] = rows[count - 1]!;
    if (isPresent(map, row)) yield row;
  }
}

function isPresent(map: LiveMap, row: MapRow): boolean {
  for (const { key, value } of map.rows() ?? []) if (key === row.key && value === row.value) return true;
  return false;
}
