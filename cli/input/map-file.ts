/**
 * `--map NAME=FILE`: what a map holds before the first packet.
 *
 * The file is JSON: a list of `{ "key": …, "value": … }`, each of them hexadecimal digits ("0a000001", bytes as they
 * lie in memory), a whole number (in the machine's order, as wide as the map says), or a list of bytes
 * (["0x0a", 0, 0, 1]). What `bpftool -j map dump` prints can be used as it is.
 */
import { loadObject } from '../../sim/ebpf/object.ts';
import { jsonProblem } from '../../sim/runtime/json-problem.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { parse, ShapeError } from '../../sim/runtime/schema.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { inputFailure } from '../failure.ts';
import { plainEntries } from './map-file-plain.ts';
import { type MapFileValue, mapFileShape } from './map-file-schema.ts';
import { readText } from './read-file.ts';

/** The maps that `--map` can fill: the object's, or, where there is none, those of the definition. */
export function mapsOf(program: Program): readonly MapDefinition[] {
  const maps = program.object === undefined ? [] : loadObject(program.object).maps;
  return maps.length > 0 ? maps : (program.definition?.maps ?? []);
}

/**
 * Adds the maps of `--map` options to a world.
 * @param definitions the maps that the object has
 * @throws {Failure} naming option, file and entry
 */
export function withMaps(
  world: World,
  options: readonly string[],
  definitions: readonly MapDefinition[],
): World {
  return withEntries(world, readMaps(options, definitions));
}

/** Adds what `readMaps` has read to a world. */
export function withEntries(world: World, read: Readonly<Record<string, readonly MapEntry[]>>): World {
  return Object.keys(read).length === 0 ? world : { ...world, maps: { ...world.maps, ...read } };
}

/**
 * Reads the files of `--map` options: once for all worlds, since a file may have millions of entries.
 * @param definitions the maps that the object has
 * @returns entries by the map's name
 * @throws {Failure} naming option, file and entry
 */
export function readMaps(
  options: readonly string[],
  definitions: readonly MapDefinition[],
): Record<string, readonly MapEntry[]> {
  const maps: Record<string, readonly MapEntry[]> = Object.create(null);
  for (const option of options) {
    const equals = option.indexOf('=');
    if (equals <= 0) throw inputFailure(`--map must have the form NAME=FILE, not “${option}”`);
    const name = option.slice(0, equals);
    if (equals === option.length - 1) throw inputFailure(`--map ${name}: no file is named after the “=”`);
    if (Object.hasOwn(maps, name))
      throw inputFailure(`--map ${name} is given twice: put all entries into one file`);
    const definition = definitions.find((one) => one.name === name);
    if (definition === undefined) {
      const has = definitions.map((one) => one.name).join(', ') || 'none';
      throw inputFailure(`--map ${name}: the object has no map “${name}”; available: ${has}`);
    }
    maps[name] = readEntries(option.slice(equals + 1), definition);
  }
  return maps;
}

function readEntries(path: string, definition: MapDefinition): MapEntry[] {
  const text = readText(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw inputFailure(`${path}: ${jsonProblem(text, error)}`);
  }
  const plain = plainEntries(json, definition);
  if (plain !== undefined) return plain;
  try {
    return parse(mapFileShape, json, 'entries').map((entry, index) => ({
      key: toBytes(entry.key, definition.keySize, `entries[${index}].key`),
      value: toBytes(entry.value, definition.valueSize, `entries[${index}].value`),
    }));
  } catch (error) {
    if (error instanceof ShapeError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
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
