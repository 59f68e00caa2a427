/** What makes two worlds the same: sessions are kept by it. */
import type { MapEntry, World } from '../sim/runtime/world.ts';
import { worldToJson } from '../sim/runtime/world-json.ts';

/** From so many entries on, a map of a world is known by the list that it is, and not by what is in it. */
const MANY = 1024;

const worldKeys = new WeakMap<World, string>();
const listKeys = new WeakMap<readonly MapEntry[], string>();
let lists = 0;

/** Worlds that say the same are one. Long lists would take a second to write down: copies of a world share them. */
export function worldKey(world: World): string {
  let key = worldKeys.get(world);
  if (key === undefined) {
    const maps = Object.entries(world.maps ?? {});
    const short = Object.fromEntries(maps.filter(([, entries]) => entries.length < MANY));
    const long = maps.filter(([, entries]) => entries.length >= MANY);
    key = JSON.stringify([worldToJson({ ...world, maps: short }), ...long.map(listKey)]);
    worldKeys.set(world, key);
  }
  return key;
}

function listKey([name, entries]: readonly [string, readonly MapEntry[]]): [name: string, list: string] {
  let key = listKeys.get(entries);
  if (key === undefined) {
    key = `list ${lists++}`;
    listKeys.set(entries, key);
  }
  return [name, key];
}
