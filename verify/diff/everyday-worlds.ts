/**
 * Contents of maps that are common, and that nothing in a program asks for: a less specific prefix above an entry, or in an empty trie, and tables of more
 * than one entry that are walked through. Guidance leaves them out, and a proof of two builds takes them for absent.
 */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { calledHelpers } from '../../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { readU32le, writeU32le } from '../../sim/packet/bytes.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { haveBoth } from './map-pairs.ts';
import type { BuildPair } from './pair.ts';

/** Bits by which a covering prefix is shorter. */
const SHORTER = 8;
/** How many entries walks are tried with: they are counted up to small numbers, if at all. */
const WALKED = [3, 4, 5, 6];

/** Worlds like this one, each with other contents of one map that both builds have. */
export function everydayWorlds(pair: BuildPair, world: World): World[] {
  const maps = mapsOf(pair.old).filter(({ name }) => haveBoth(pair, [name]));
  const isWalked = [pair.old, pair.new].some(walks);
  return maps.flatMap((map) => {
    const entries = world.maps?.[map.name] ?? [];
    const contents =
      map.type === 'LPM_TRIE'
        ? covered(map, entries)
        : isWalked && (map.type === 'HASH' || map.type === 'LRU_HASH')
          ? filled(map, entries)
          : [];
    return contents.map((list) => ({ ...world, maps: { ...world.maps, [map.name]: list } }));
  });
}

function mapsOf({ object }: Program): readonly BpfMap[] {
  return object === undefined ? [] : linkedObject(object).maps;
}

function walks({ object }: Program): boolean {
  if (object === undefined) return false;
  return [...calledHelpers(linkedObject(object))].some(({ name }) => name === 'bpf_for_each_map_elem');
}

/** Shorter prefixes in place of the entries, and beside them; where there are none, one that covers everything. */
function covered({ keySize, valueSize, maxEntries }: BpfMap, entries: readonly MapEntry[]): MapEntry[][] {
  if (entries.length === 0) return [[{ key: new Uint8Array(keySize), value: new Uint8Array(valueSize) }]];
  const above = entries.flatMap(({ key, value }) => {
    const length = readU32le(key, 0);
    return length <= SHORTER ? [] : [{ key: prefix(key, length - SHORTER), value }];
  });
  if (above.length === 0) return [];
  return [above, [...entries, ...above]].filter((list) => list.length <= maxEntries);
}

/** The bits behind its length are 0. */
function prefix(key: Uint8Array, length: number): Uint8Array {
  const made = key.slice();
  writeU32le(made, 0, length);
  for (let bit = length; bit < (key.length - 4) * 8; bit++) made[4 + (bit >> 3)]! &= ~(0x80 >> (bit & 7));
  return made;
}

/** The entries that there are, and so many others that a table is as large as walks are tried with. */
function filled({ keySize, valueSize, maxEntries }: BpfMap, entries: readonly MapEntry[]): MapEntry[][] {
  const taken = new Set(entries.map(({ key }) => key.join()));
  const value = entries[0]?.value ?? new Uint8Array(valueSize);
  const others = Array.from({ length: 256 }, (_, first) => new Uint8Array(keySize).fill(first, 0, 1))
    .filter((key) => !taken.has(key.join()))
    .map((key) => ({ key, value }));
  return WALKED.filter((count) => count > entries.length && count <= maxEntries).map((count) => [
    ...entries,
    ...others.slice(0, count - entries.length),
  ]);
}
