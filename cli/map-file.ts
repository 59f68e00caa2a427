/**
 * `--map NAME=FILE`: what a map holds before the first packet.
 *
 * The file is JSON: a list of `{ "key": …, "value": … }`, each of them hexadecimal digits ("0a000001", bytes as they
 * lie in memory), a whole number (in the machine's order, as wide as the map says), or a list of bytes
 * (["0x0a", 0, 0, 1]). What `bpftool -j map dump` prints can be used as it is.
 */
import { loadObject } from '../sim/ebpf/object.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { MapEntry, World } from '../sim/runtime/world.ts';
import { inputFailure } from './failure.ts';
import { parseHex } from './options.ts';
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
  if (options.length === 0) return world;
  const maps: Record<string, readonly MapEntry[]> = { ...world.maps };
  for (const option of options) {
    const equals = option.indexOf('=');
    if (equals <= 0) throw inputFailure(`--map takes NAME=FILE; “${option}” is not of that form`);
    const name = option.slice(0, equals);
    const definition = definitions.find((one) => one.name === name);
    if (definition === undefined) {
      const has = definitions.map((one) => one.name).join(', ') || 'none';
      throw inputFailure(`--map ${name}: the object has no map of that name; it has ${has}`);
    }
    maps[name] = readEntries(option.slice(equals + 1), definition);
  }
  return { ...world, maps };
}

function readEntries(path: string, definition: MapDefinition): MapEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(readText(path));
  } catch (error) {
    if (error instanceof SyntaxError) throw inputFailure(`${path}: is no JSON: ${error.message}`);
    throw error;
  }
  if (!Array.isArray(json)) throw inputFailure(`${path}: holds no list of entries`);
  return json.map((entry: unknown, index) => {
    if (entry === null || typeof entry !== 'object' || !('key' in entry) || !('value' in entry)) {
      throw inputFailure(`${path}: entry ${index} has not both key and value`);
    }
    return {
      key: toBytes(entry.key, definition.keySize, `${path}: key of entry ${index}`),
      value: toBytes(entry.value, definition.valueSize, `${path}: value of entry ${index}`),
    };
  });
}

function toBytes(json: unknown, size: number, what: string): Uint8Array {
  const bytes = bytesOf(json, size, what);
  if (bytes.length !== size) throw inputFailure(`${what}: has ${bytes.length} bytes, the map wants ${size}`);
  return bytes;
}

function bytesOf(json: unknown, size: number, what: string): Uint8Array {
  if (typeof json === 'string') return parseHex(json.replace(/^0x/, ''), what);
  if (typeof json === 'number' && Number.isSafeInteger(json)) {
    const bytes = new Uint8Array(size);
    let rest = BigInt(json);
    for (let index = 0; index < size; index++, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
    if (rest !== 0n && rest !== -1n) throw inputFailure(`${what}: ${json} does not fit into ${size} bytes`);
    return bytes;
  }
  if (Array.isArray(json)) {
    return Uint8Array.from(json, (one: unknown) => {
      const byte = typeof one === 'string' || typeof one === 'number' ? Number(one) : Number.NaN;
      if (!Number.isInteger(byte) || byte < 0 || byte > 255)
        throw inputFailure(`${what}: ${String(one)} is no byte`);
      return byte;
    });
  }
  throw inputFailure(`${what}: is neither hexadecimal digits, nor a whole number, nor a list of bytes`);
}
