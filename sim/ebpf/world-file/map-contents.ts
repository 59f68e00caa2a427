/** What a map holds, as people write it: entries by key, slots by name. */
import { leavesSizeToLoader, maxEntriesOf } from '../../runtime/map-sizes.ts';
import { isArray, isLru, isMapOfMaps, type MapType } from '../../runtime/maps.ts';
import { pathText, ShapeError, shown } from '../../runtime/shape-error.ts';
import type { MapEntry, MapSlot } from '../../runtime/world.ts';
import type { BpfMap } from '../bpf-object.ts';
import { encodeValue, type ValueType } from '../btf-encode.ts';
import { madeName, mapNamed } from '../made-maps.ts';
import { encodePrefix } from '../value-forms.ts';
import { mapProblem, programProblem } from '../world-slots.ts';
import type { MapShape } from './shape.ts';
import type { WorldTarget } from './target.ts';

/** Why maps of a type cannot be filled. */
export const UNFILLED: ReadonlyMap<MapType, string> = new Map<MapType, string>([
  ['XSKMAP', 'it holds AF_XDP sockets of other processes'],
  ['SOCKMAP', 'it holds open sockets'],
  ['SOCKHASH', 'it holds open sockets'],
  ['REUSEPORT_SOCKARRAY', 'it holds open sockets'],
  ['PERF_EVENT_ARRAY', 'it holds perf events of other processes'],
  ['CGROUP_ARRAY', 'it holds control groups'],
  ['RINGBUF', 'only programs write to it'],
  ['USER_RINGBUF', 'its contents come while programs run'],
  ['STACK_TRACE', 'only programs write to it'],
  ['SK_STORAGE', 'its values belong to sockets'],
  ['CGRP_STORAGE', 'its values belong to control groups'],
]);

interface Written {
  /** The entry. */
  readonly place: string;
  readonly key: unknown;
  readonly value: unknown;
  readonly keyPlace: string;
  readonly valuePlace: string;
}

/** Entries one by one, or values by key. */
function rowsOf(contents: MapShape, place: string): Written[] {
  if (Array.isArray(contents)) {
    return (contents as Extract<MapShape, readonly unknown[]>).map(({ key, value }, at) => ({
      key,
      value,
      place: `${place}[${at}]`,
      keyPlace: `${place}[${at}].key`,
      valuePlace: `${place}[${at}].value`,
    }));
  }
  return Object.entries(contents).map(([key, value]) => {
    const at = pathText([key], place);
    return { key, value, place: at, keyPlace: at, valuePlace: at };
  });
}

export interface ContentsOptions {
  readonly target: WorldTarget;
  /** What messages call the map's contents. */
  readonly place: string;
  readonly ifindexOf: (device: string) => number | undefined;
  /** The size that the user states for the map. */
  readonly size?: number | undefined;
}

/** @throws {ShapeError} naming the entry that does not fit the map */
export function entriesOfMap(contents: MapShape, map: BpfMap, options: ContentsOptions): MapEntry[] {
  const { place, size } = options;
  const reason = UNFILLED.get(map.type);
  if (reason !== undefined)
    throw new ShapeError(place, `a map of type ${map.type} cannot be filled: ${reason}`);
  const rows = rowsOf(contents, place);
  const entries = rows.map((row) => ({
    key: bytesOfKey(row, map, options),
    value: bytesOfValue(row, map, options),
  }));
  const keys = map.keySize === 0 ? entries.length : distinctKeys(entries, rows);
  const most = maxEntriesOf(map, size === undefined ? {} : { [map.name]: size });
  if (hasIndex(map.type)) {
    entries.forEach(({ key }, at) => {
      const index = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
      if (index >= most)
        throw new ShapeError(rows[at]!.keyPlace, `expected an index below ${most}, got ${index}`);
    });
  } else if (!isLru(map.type) && keys > most) {
    const remedy =
      leavesSizeToLoader(map) || most < map.maxEntries
        ? `; choose a size: "maxEntries": { "${map.name}": ${keys} }`
        : '';
    throw new ShapeError(place, `${keys} entries for a map of ${most}${remedy}`);
  }
  return entries;
}

/**
 * Which of two values counts nobody can have meant to leave to their order.
 * @returns how many keys there are
 * @throws {ShapeError} naming the entry whose key another one has
 */
function distinctKeys(entries: readonly { readonly key: Uint8Array }[], rows: readonly Written[]): number {
  const seen = new Map<string, number>();
  for (const [at, { key }] of entries.entries()) {
    const text = key.join();
    const earlier = seen.get(text);
    if (earlier !== undefined)
      throw new ShapeError(rows[at]!.keyPlace, `is there already, as ${rows[earlier]!.place}`);
    seen.set(text, at);
  }
  return seen.size;
}

function hasIndex(type: MapType): boolean {
  return isArray(type) || type === 'DEVMAP' || type === 'CPUMAP';
}

function bytesOfKey(
  { key, keyPlace }: Written,
  map: BpfMap,
  { target, ifindexOf }: ContentsOptions,
): Uint8Array {
  if (map.keySize === 0) {
    if (key === undefined) return new Uint8Array(0);
    throw new ShapeError(
      keyPlace,
      `a map of type ${map.type} has no keys: leave it out, write a list of { "value": … }`,
    );
  }
  if (key === undefined) throw new ShapeError(keyPlace, 'is missing');
  if (map.type === 'LPM_TRIE') {
    const prefix = encodePrefix(key, map.keySize, keyPlace);
    if (prefix !== undefined) return prefix;
  }
  return encode({ btf: target.btf, typeId: map.keyType, size: map.keySize }, key, keyPlace, ifindexOf);
}

function bytesOfValue(
  { value, valuePlace }: Written,
  map: BpfMap,
  { target, ifindexOf }: ContentsOptions,
): Uint8Array {
  const { type, valueSize: size } = map;
  const isOfDevices = type === 'DEVMAP' || type === 'DEVMAP_HASH';
  const isShort = typeof value === 'string' || typeof value === 'number';
  if ((isOfDevices || type === 'CPUMAP') && isShort) {
    // The first member of `struct bpf_devmap_val` and `struct bpf_cpumap_val`.
    const bytes = new Uint8Array(size);
    bytes.set(encodeValue({ btf: target.btf, typeId: undefined, size: 4 }, value, valuePlace, { ifindexOf }));
    return bytes;
  }
  const bytes = encode({ btf: target.btf, typeId: map.valueType, size }, value, valuePlace, ifindexOf);
  if ((isOfDevices || type === 'CPUMAP') && bytes.subarray(4).some((byte) => byte !== 0)) {
    throw new ShapeError(valuePlace, 'programs behind a redirect cannot be named in a world');
  }
  return bytes;
}

function encode(
  type: ValueType,
  json: unknown,
  place: string,
  ifindexOf: (device: string) => number | undefined,
): Uint8Array {
  return encodeValue(type, json, place, { ifindexOf });
}

/** What a map of programs or of maps holds. */
export interface HeldSlots {
  readonly slots: MapSlot[];
  /** Contents of the maps that user space makes for its slots, by the names that worlds give them. */
  readonly maps: Readonly<Record<string, readonly MapEntry[]>>;
}

/**
 * What a map of programs or of maps holds, by name, or, of a map that user space makes, by its contents.
 * @throws {ShapeError} naming the slot that the kernel would refuse
 */
export function slotsOfMap(contents: MapShape, map: BpfMap, options: ContentsOptions): HeldSlots {
  const rows = rowsOf(contents, options.place);
  const taken = new Set(rows.map(({ value }) => value));
  const maps: Record<string, readonly MapEntry[]> = {};
  let next = 0;
  const slots = rows.map((row) => {
    const key = keyOfSlot(row, map, options);
    if (typeof row.value === 'string' || !isMapOfMaps(map.type))
      return { key, name: nameInSlot(row, map, options) };
    while (taken.has(madeName(map.name, next))) next++;
    const name = madeName(map.name, next++);
    maps[name] = entriesOfMade(row, name, map, options);
    return { key, name };
  });
  distinctKeys(slots, rows);
  return { slots, maps };
}

function keyOfSlot({ key, keyPlace }: Written, map: BpfMap, { target, size }: ContentsOptions): Uint8Array {
  if (key === undefined) throw new ShapeError(keyPlace, 'is missing');
  const bytes = encodeValue({ btf: target.btf, typeId: map.keyType, size: map.keySize }, key, keyPlace);
  if (map.type !== 'HASH_OF_MAPS') {
    const index = new DataView(bytes.buffer).getUint32(0, true);
    const most = maxEntriesOf(map, size === undefined ? {} : { [map.name]: size });
    if (index >= most) throw new ShapeError(keyPlace, `expected an index below ${most}, got ${index}`);
  }
  return bytes;
}

function nameInSlot({ value, valuePlace }: Written, map: BpfMap, { target }: ContentsOptions): string {
  const object = { ...target, license: '', kernelVersion: undefined, kfuncs: [], variables: [] };
  const isOfPrograms = map.type === 'PROG_ARRAY';
  const what = isOfPrograms ? 'a function of the object' : 'a map of the object';
  if (typeof value !== 'string')
    throw new ShapeError(valuePlace, `expected the name of ${what}, got ${shown(value)}`);
  const problem = isOfPrograms ? programProblem(object, map, value) : mapProblem(object, map, value);
  if (problem === undefined) return value;
  throw new ShapeError(valuePlace, `expected ${problem.expected}, got ${problem.found}`);
}

function entriesOfMade(
  { value, valuePlace }: Written,
  name: string,
  outer: BpfMap,
  options: ContentsOptions,
): MapEntry[] {
  const made = mapNamed([outer], name);
  if (made === undefined)
    throw new ShapeError(
      valuePlace,
      `the object does not say what maps ${outer.name} holds: expected the name of a map of the object`,
    );
  const { target, ifindexOf } = options;
  if (!isContents(value)) {
    const expected =
      'the name of a map of the object, or what a new map holds (a list of entries, or values by key)';
    throw new ShapeError(valuePlace, `expected ${expected}, got ${shown(value)}`);
  }
  return entriesOfMap(value, made, { target, ifindexOf, place: valuePlace });
}

function isContents(value: unknown): value is MapShape {
  if (Array.isArray(value))
    return value.every((one) => typeof one === 'object' && one !== null && 'value' in one);
  return typeof value === 'object' && value !== null;
}
