/**
 * Maps of maps on a path (kernel/bpf/map_in_map.c): a slot holds the map that the object puts there, or one of the object's that
 * fits, or one of those that user space makes, or none.
 */
import type { MapType } from '../../runtime/maps.ts';
import type { World } from '../../runtime/world.ts';
import type { BpfObject } from '../bpf-object.ts';
import { madeName, templateOf } from '../made-maps.ts';
import { ownMapsFor } from '../world-slots.ts';
import { addBlock } from './access.ts';
import { Impossible } from './impossible.ts';
import type { Inputs } from './inputs.ts';
import { mayHaveHeldMore } from './map-room.ts';
import { PathMemory } from './path-memory.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';

const OF_MAPS: ReadonlySet<MapType> = new Set<MapType>(['ARRAY_OF_MAPS', 'HASH_OF_MAPS']);

/** How many maps of each template a path tells apart. */
const MADE = 2;

/** The world in which user space has made maps, empty ones, for each map of maps that no map of the object fits into. */
export function withMapsForPaths(object: BpfObject, world: World): World {
  const outers = object.maps.filter((map) => map.inner !== undefined && ownMapsFor(object, map).length === 0);
  if (outers.length === 0) return world;
  const names = outers.flatMap(({ name }) =>
    Array.from({ length: MADE }, (_, number) => madeName(name, number)),
  );
  return { ...world, maps: { ...Object.fromEntries(names.map((name) => [name, []])), ...world.maps } };
}

export function holdsMaps(inputs: Inputs, map: number): boolean {
  return OF_MAPS.has(inputs.machine.maps[map]!.definition.type);
}

function descriptor(inputs: Inputs, map: number): Value {
  const { address } = inputs.machine.maps[map]!;
  return { term: inputs.pool.constant(64, address), region: { kind: 'map', map } };
}

/** The bytes of a key of the object's initialisers, which are numbers, or bytes with zeros behind them. */
function keyBytes(key: number | Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  if (typeof key === 'number')
    for (let at = 0; at < Math.min(4, size); at++) bytes[at] = (key >>> (8 * at)) & 0xff;
  else bytes.set(key.subarray(0, size));
  return bytes;
}

/**
 * The map that a slot holds.
 * @returns undefined where it holds none
 * @throws {Split} where the path does not know enough
 */
export function findInner(
  inputs: Inputs,
  state: PathState,
  map: number,
  key: readonly Term[],
): Value | undefined {
  const { pool } = state;
  const { maps, object } = inputs.machine;
  const { source, definition, valueSize, name: mapName } = maps[map]!;
  if (source.initial.length > 0)
    state.assume(`slots of map ${mapName} that the object fills hold the maps that it puts there`);
  for (const { key: initial, name } of source.initial) {
    const bytes = keyBytes(initial, definition.keySize);
    const same = pool.all(key.map((byte, at) => pool.equal(byte, pool.constant(8, bytes[at]!))));
    if (!state.decide(same)) continue;
    const inner = maps.findIndex((one) => one.name === name);
    return inner < 0 ? undefined : descriptor(inputs, inner);
  }
  const own = state.entries.filter((one) => one.map === map);
  for (const [ordinal, entry] of own.entries()) {
    const same = pool.all(key.map((byte, at) => pool.equal(byte, entry.key[at]!)));
    if (!state.decide(same)) continue;
    return state.decide(entry.isThere) ? chosen(inputs, state, map, ordinal) : undefined;
  }
  if (definition.type === 'ARRAY_OF_MAPS') {
    const index = pool.concat([...key].reverse());
    if (!state.decide(pool.less(index, pool.constant(32, definition.maxEntries)))) return undefined;
  }
  const name = inputs.entryName(map, own.length);
  const mayBe =
    definition.type === 'ARRAY_OF_MAPS' || mayHaveHeldMore(inputs, state, map, source.initial.length);
  const wasThere = mayBe ? pool.unknown(1, `${name}.there`) : pool.false;
  const isThere = state.decide(wasThere);
  if (isThere && candidatesFor(inputs, map).length === 0) {
    const shape = object.maps[map]!.name;
    throw new NotFollowed(`a map that user space makes, in a slot of ${shape}`);
  }
  const inner = isThere ? chosen(inputs, state, map, own.length) : undefined;
  const block = addBlock(state, {
    what: 'map value',
    map,
    size: valueSize,
    writable: false,
    name,
    memory: new PathMemory(),
  });
  const is = isThere ? pool.true : pool.false;
  state.entries = [...state.entries, { map, key, wasThere, isThere: is, block }];
  return inner;
}

/** Maps that a map of maps may hold, by their indices: the object's, or else those that user space makes for it. */
function candidatesFor(inputs: Inputs, map: number): number[] {
  const { object } = inputs.machine;
  const outer = object.maps[map]!;
  const own = ownMapsFor(object, outer);
  const fitting = own.length > 0 ? own : object.maps.filter(({ name }) => templateOf(name) === outer.name);
  return fitting.map((one) => object.maps.indexOf(one));
}

function choice(inputs: Inputs, map: number, ordinal: number): Term {
  return inputs.pool.unknown(16, `${inputs.entryName(map, ordinal)}.inner`);
}

/** Which one stands in a slot that is not empty. @throws {Split} where the path does not know */
function chosen(inputs: Inputs, state: PathState, map: number, ordinal: number): Value {
  const { pool } = state;
  const which = choice(inputs, map, ordinal);
  const candidates = candidatesFor(inputs, map);
  const { name } = inputs.machine.maps[map]!;
  const areMade = candidates.some((one) => templateOf(inputs.machine.maps[one]!.name) !== undefined);
  state.assume(
    areMade
      ? `user space puts ${candidates.length} maps into map ${name} at the most, each into as many slots as it likes`
      : `map ${name} holds maps of the object, and no others`,
  );
  for (const inner of candidates) {
    if (state.decide(pool.equal(which, pool.constant(16, inputs.mapNumber(inner)))))
      return descriptor(inputs, inner);
  }
  throw new Impossible();
}

/** The name of the map in a slot. @param value of an unknown that `chosen` has asked for */
export function innerName(
  inputs: Inputs,
  map: number,
  ordinal: number,
  value: (term: Term) => number,
): string | undefined {
  const inner = inputs.mapOf(value(choice(inputs, map, ordinal)));
  return inner === undefined ? undefined : inputs.machine.maps[inner]?.name;
}
