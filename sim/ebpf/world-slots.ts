/** What a world puts into maps of programs and maps of maps: user space fills them, by name here, by descriptor there. */

import { indexKey } from '../runtime/map-snapshot.ts';
import { compareBytes, isMapOfMaps } from '../runtime/maps.ts';
import type { MapSlot, World } from '../runtime/world.ts';
import type { BpfMap, BpfObject, BpfProgram, MapInitializer } from './bpf-object.ts';
import { mapNamed, templateOf, withMadeMaps } from './made-maps.ts';
import { ObjectError } from './object-error.ts';
import { mapsReferredTo } from './referenced-maps.ts';

/** Inner arrays may differ in size from their template with it (include/uapi/linux/bpf.h). */
const BPF_F_INNER_MAP = 1 << 12;

/**
 * Returns the object as if its own initialisers put the world's programs and maps into its slots: a slot of the world takes
 * the place of the object's. Maps that user space makes are the last ones.
 * @throws {ObjectError} where object and slots do not fit each other, or the kernel would refuse the slot
 */
export function withSlots(own: BpfObject, world: Pick<World, 'maps' | 'slots'>): BpfObject {
  const { slots = {} } = world;
  const object = withMadeMaps(own, world);
  const names = Object.keys(slots);
  if (names.length === 0) return object;
  for (const name of names) checkMap(object, name);
  const maps = object.maps.map((map) => {
    const added = Object.hasOwn(slots, map.name) ? slots[map.name]! : [];
    if (added.length === 0) return map;
    for (const slot of added) checkSlot(object, map, slot);
    const isAdded = (one: MapInitializer): boolean =>
      added.some(({ key }) => compareBytes(key, keyOf(one)) === 0);
    return { ...map, initial: [...map.initial.filter((one) => !isAdded(one)), ...added] };
  });
  return { ...object, maps };
}

/** Does the map hold programs or maps, which a world names? */
export function holdsNames({ type }: Pick<BpfMap, 'type'>): boolean {
  return type === 'PROG_ARRAY' || isMapOfMaps(type);
}

function keyOf({ key }: MapInitializer): Uint8Array {
  return typeof key === 'number' ? indexKey(key) : key;
}

function checkMap(object: BpfObject, name: string): void {
  const where = `map ${name} of the world`;
  const map = object.maps.find((one) => one.name === name);
  if (map === undefined) {
    const names = object.maps.map((one) => one.name).join(', ') || 'none';
    throw new ObjectError(where, 'a map of the object', `only ${names}`);
  }
  if (!holdsNames(map)) throw new ObjectError(where, 'a map of programs or of maps', map.type);
}

function checkSlot(object: BpfObject, map: BpfMap, { key, name }: MapSlot): void {
  const where = `slot ${hex(key)} of map ${map.name} of the world`;
  if (key.length !== map.keySize) {
    throw new ObjectError(where, `a key of ${map.keySize} bytes`, `${key.length}`);
  }
  const problem =
    map.type === 'PROG_ARRAY' ? programProblem(object, map, name) : mapProblem(object, map, name);
  if (problem !== undefined) throw new ObjectError(where, problem.expected, problem.found);
}

interface SlotProblem {
  readonly expected: string;
  readonly found: string;
}

/** Why a function cannot stand in a PROG_ARRAY (kernel/bpf/core.c, `bpf_prog_map_compatible`). */
export function programProblem(object: BpfObject, map: BpfMap, name: string): SlotProblem | undefined {
  const program = object.programs.find((one) => one.function === name);
  if (program === undefined) {
    const names = object.programs.map((one) => one.function).join(', ') || 'none';
    return { expected: 'a function of the object', found: `“${name}”; it has ${names}` };
  }
  if (program.hook === undefined && program.otherType !== undefined) {
    return { expected: 'an XDP or TC program', found: `${name}, of type ${program.otherType}` };
  }
  const index = object.maps.indexOf(map);
  const caller = object.programs.find(
    (one) => one !== program && mapsReferredTo(one).has(index) && !areOfOneKind(one, program),
  );
  if (caller === undefined) return undefined;
  return {
    expected: `a program of the kind that ${caller.function} is (${kindOf(caller)})`,
    found: `${name} (${kindOf(program)})`,
  };
}

function areOfOneKind(one: BpfProgram, other: BpfProgram): boolean {
  // A program whose section does not say its kind gets that of its hook.
  return one.hook === undefined || other.hook === undefined || kindOf(one) === kindOf(other);
}

function kindOf({ hook }: BpfProgram): string {
  return hook === undefined ? 'of no stated kind' : hook === 'xdp' ? 'XDP' : 'TC';
}

/** Why a map cannot stand in a map of maps (kernel/bpf/map_in_map.c, `bpf_map_meta_equal`). */
export function mapProblem(object: BpfObject, outer: BpfMap, name: string): SlotProblem | undefined {
  const map = mapNamed(object.maps, name);
  if (map === undefined) {
    const names = object.maps.map((one) => one.name).join(', ');
    return { expected: 'a map of the object', found: `“${name}”; it has ${names}` };
  }
  const { inner } = outer;
  if (inner === undefined) return undefined;
  const isSame =
    map.type === inner.type &&
    map.keySize === inner.keySize &&
    map.valueSize === inner.valueSize &&
    map.mapFlags === inner.mapFlags &&
    (map.type !== 'ARRAY' || (map.mapFlags & BPF_F_INNER_MAP) !== 0 || map.maxEntries === inner.maxEntries);
  return isSame ? undefined : { expected: shapeOf(inner), found: `${name}, ${shapeOf(map)}` };
}

/** The object's own maps that may stand in a map of maps. */
export function ownMapsFor(object: BpfObject, outer: BpfMap): BpfMap[] {
  return object.maps.filter(
    (one) =>
      one.global === undefined &&
      one.name !== outer.name &&
      templateOf(one.name) === undefined &&
      mapProblem(object, outer, one.name) === undefined,
  );
}

function shapeOf({ type, keySize, valueSize, maxEntries, mapFlags }: BpfMap): string {
  const size = type === 'ARRAY' ? `, ${maxEntries} entries` : '';
  return `a map of type ${type}, keys of ${keySize}, values of ${valueSize} bytes${size}, flags 0x${mapFlags.toString(16)}`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
