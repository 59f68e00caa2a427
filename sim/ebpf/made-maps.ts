/**
 * Maps that user space makes and puts into the slots of a map of maps: a table for each CPU, or for each customer. Of these
 * an object has only the template (`__array(values, struct { … })`), and no names. A world calls those that are made after the
 * template of `tables` “tables/0”, “tables/1” and so on: no name in C has a slash.
 */
import { maxEntriesOf } from '../runtime/map-sizes.ts';
import type { MapSlot, World } from '../runtime/world.ts';
import type { BpfMap, BpfObject } from './bpf-object.ts';

const MADE = /^(.+)\/(0|[1-9][0-9]{0,5})$/s;
/** Guidance makes a map for each slot that it fills, up to so many of one template. */
const MOST = 16;

/** @param outer the name of the map of maps */
export function madeName(outer: string, number: number): string {
  return `${outer}/${number}`;
}

/** The name of the map of maps after whose template a map is made; undefined for maps of the object itself. */
export function templateOf(name: string): string | undefined {
  return MADE.exec(name)?.[1];
}

/** The map of this name: one of the object's, or one that user space makes. */
export function mapNamed(maps: readonly BpfMap[], name: string): BpfMap | undefined {
  const own = maps.find((one) => one.name === name);
  if (own !== undefined) return own;
  const outer = templateOf(name);
  const inner = outer === undefined ? undefined : maps.find((one) => one.name === outer)?.inner;
  return inner === undefined ? undefined : { ...inner, name, maxEntries: maxEntriesOf(inner) };
}

/** Contents and slots of a world. */
interface Held {
  readonly maps?: World['maps'] | undefined;
  readonly slots?: World['slots'] | undefined;
}

/** Names of the maps that user space makes in a world, in order. */
export function namesOfMade({ maps = {}, slots = {} }: Held): string[] {
  const held = Object.values(slots).flatMap((list) => list.map(({ name }) => name));
  return [...new Set([...held, ...Object.keys(maps)])]
    .filter((name) => templateOf(name) !== undefined)
    .sort();
}

/** The object with the maps that user space makes in this world, behind its own. */
export function withMadeMaps(object: BpfObject, world: Held): BpfObject {
  const made = namesOfMade(world).flatMap((name) => {
    const map = object.maps.some((one) => one.name === name) ? undefined : mapNamed(object.maps, name);
    return map === undefined ? [] : [map];
  });
  return made.length === 0 ? object : { ...object, maps: [...object.maps, ...made] };
}

/** Of one more map made after the template of `outer`; where there are many, the name of the first. */
export function nextMade(outer: string, slots: readonly Pick<MapSlot, 'name'>[]): string {
  for (let number = 0; number < MOST; number++) {
    const name = madeName(outer, number);
    if (!slots.some((slot) => slot.name === name)) return name;
  }
  return madeName(outer, 0);
}
