/**
 * `--map NAME=FILE`: what a map holds before the first packet.
 *
 * The file is JSON: a list of `{ "key": …, "value": … }`, each of them hexadecimal digits ("0a000001", bytes as they
 * lie in memory), a whole number (in the machine's order, as wide as the map says), or a list of bytes
 * (["0x0a", 0, 0, 1]). What `bpftool -j map dump` prints can be used as it is. Where the object knows the types, they
 * may also be written as in `--world` files: docs/worlds.md. Maps of programs and of maps hold names.
 */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { mapNamed } from '../../sim/ebpf/made-maps.ts';
import { entriesOfMap, type HeldSlots, slotsOfMap } from '../../sim/ebpf/world-file/map-contents.ts';
import type { EntryShape } from '../../sim/ebpf/world-file/shape.ts';
import type { WorldTarget } from '../../sim/ebpf/world-file/target.ts';
import { holdsNames } from '../../sim/ebpf/world-slots.ts';
import { jsonProblem } from '../../sim/runtime/json-problem.ts';
import { BPF_MAP_TYPE, type MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { parse, ShapeError } from '../../sim/runtime/schema.ts';
import type { MapEntry, MapSlot, World } from '../../sim/runtime/world.ts';
import { inputFailure } from '../failure.ts';
import { plainEntries } from './map-file-plain.ts';
import { type MapFileValue, mapFileShape, mapFileValue, typedRows } from './map-file-schema.ts';
import { readText } from './read-file.ts';

/** The maps that `--map` and `--world` can fill: the object's, or, where there is none, those of the definition. */
export function mapsOf(program: Program): readonly MapDefinition[] {
  return targetOf(program).maps;
}

/** What the world of a program is written for: its object, or, where that has no maps, its definition. */
export function targetOf(program: Program): WorldTarget {
  const object = program.object === undefined ? undefined : linkedObject(program.object);
  if (object !== undefined && object.maps.length > 0) return object;
  const own = object ?? { programs: [], btf: undefined };
  return { ...own, maps: (program.definition?.maps ?? []).map(untyped) };
}

/** A map of which no more is known than its definition. */
function untyped(definition: MapDefinition): BpfMap {
  return {
    ...definition,
    typeNumber: BPF_MAP_TYPE[definition.type],
    mapFlags: 0,
    mapExtra: 0n,
    pinning: 'none',
    inner: undefined,
    initial: [],
    keyType: undefined,
    valueType: undefined,
    global: undefined,
  };
}

/**
 * Reads the files of `--map` options: once for all worlds, since a file may have millions of entries.
 * @param target the object
 * @returns entries, and what maps of programs and of maps hold, by the map's name
 * @throws {Failure} naming option, file and entry
 */
export function readMaps(options: readonly string[], target: WorldTarget): Pick<World, 'maps' | 'slots'> {
  const maps: Record<string, readonly MapEntry[]> = Object.create(null);
  const slots: Record<string, readonly MapSlot[]> = Object.create(null);
  for (const option of options) {
    const equals = option.indexOf('=');
    if (equals <= 0) throw inputFailure(`--map must have the form NAME=FILE, not “${option}”`);
    const name = option.slice(0, equals);
    if (equals === option.length - 1) throw inputFailure(`--map ${name}: no file is named after the “=”`);
    if (Object.hasOwn(maps, name) || Object.hasOwn(slots, name))
      throw inputFailure(`--map ${name} is given twice: put all entries into one file`);
    const map = mapNamed(target.maps, name);
    if (map === undefined) {
      const has = target.maps.map((one) => one.name).join(', ') || 'none';
      throw inputFailure(`--map ${name}: the object has no map “${name}”; available: ${has}`);
    }
    const path = option.slice(equals + 1);
    if (holdsNames(map)) {
      const held = readSlots(path, map, target);
      slots[name] = held.slots;
      Object.assign(maps, held.maps);
    } else maps[name] = readEntries(path, map, target);
  }
  return {
    ...(Object.keys(maps).length === 0 ? {} : { maps }),
    ...(Object.keys(slots).length === 0 ? {} : { slots }),
  };
}

function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw inputFailure(`${path}: ${jsonProblem(text, error)}`);
  }
}

/** @param path of the file, which messages begin with */
function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

function readSlots(path: string, map: BpfMap, target: WorldTarget): HeldSlots {
  const json = readJson(path);
  const options = { target, place: 'entries', ifindexOf: () => undefined };
  return named(path, () => slotsOfMap(parse(typedRows, json, 'entries'), map, options));
}

function readEntries(path: string, map: BpfMap, target: WorldTarget): MapEntry[] {
  const json = readJson(path);
  const plain = plainEntries(json, map);
  if (plain !== undefined) return plain;
  return named(path, () => {
    if (target.btf !== undefined && map.valueType !== undefined) return typedEntries(json, map, target);
    return parse(mapFileShape, json, 'entries').map((entry, index) => ({
      key: toBytes(entry.key, map.keySize, `entries[${index}].key`),
      value: toBytes(entry.value, map.valueSize, `entries[${index}].value`),
    }));
  });
}

/**
 * Rows of a map whose types are known: what is not digits, a number or a list of bytes of the right size is read as
 * `--world` reads it.
 */
function typedEntries(json: unknown, map: BpfMap, target: WorldTarget): MapEntry[] {
  const raw = (form: unknown, size: number, place: string): unknown => {
    const isBytes = Array.isArray(form) && form.length === size && form.every(isByte);
    const isDigits = typeof form === 'string' && /^(0x)?[0-9a-fA-F]+$/.test(form) && isFull(form, size);
    if (!isBytes && !isDigits && typeof form !== 'number') return form;
    const bytes = toBytes(parse(mapFileValue, form, place), size, place);
    return { hex: Buffer.from(bytes).toString('hex') };
  };
  const rows = parse(typedRows, json, 'entries').map(({ key, value }, index) => ({
    ...(key === undefined ? {} : { key: raw(key, map.keySize, `entries[${index}].key`) }),
    value: raw(value, map.valueSize, `entries[${index}].value`),
  }));
  try {
    return entriesOfMap(rows, map, { target, place: 'entries', ifindexOf: () => undefined });
  } catch (error) {
    throw error instanceof ShapeError ? (sizeProblem(error, rows, map) ?? error) : error;
  }
}

/** Who wrote digits, but too few or too many of them, hears of these. */
function sizeProblem(
  { place }: ShapeError,
  rows: readonly EntryShape[],
  map: BpfMap,
): ShapeError | undefined {
  const [, index, which] = /^entries\[(\d+)\]\.(key|value)$/.exec(place) ?? [];
  const form = rows[Number(index)]?.[which as 'key' | 'value'];
  if (typeof form !== 'string' || !/^(0x)?([0-9a-fA-F]{2})+$/.test(form)) return undefined;
  const size = which === 'key' ? map.keySize : map.valueSize;
  return new ShapeError(place, `expected ${size} bytes, got ${form.replace(/^0x/, '').length / 2}`);
}

function isFull(digits: string, size: number): boolean {
  return digits.replace(/^0x/, '').length === 2 * size;
}

function isByte(item: unknown): boolean {
  return typeof item === 'number' || (typeof item === 'string' && /^0x[0-9a-fA-F]{1,2}$/.test(item));
}

/** As many bytes as the map wants. */
function toBytes(form: MapFileValue, size: number, place: string): Uint8Array {
  if (typeof form === 'bigint') {
    const bytes = Uint8Array.from({ length: size }, (_, at) => Number((form >> BigInt(8 * at)) & 0xffn));
    const rest = form >> BigInt(8 * size);
    if (rest === 0n || rest === -1n) return bytes;
    throw new ShapeError(place, `${form} does not fit into ${size} bytes`);
  }
  if (form.length === size) return form;
  throw new ShapeError(place, `expected ${size} bytes, got ${form.length}`);
}
