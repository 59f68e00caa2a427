/**
 * Worlds as JSON: bytes become `{ "hex": "…" }`, big integers `{ "int": "…" }`.
 *
 * Reading goes by the shape of a world, not by that of the JSON: a map named `hex` is a map, and what comes out
 * has every type that `World` promises.
 */
import { parse } from './schema.ts';
import type { World } from './world.ts';
import { jsonWorld } from './world-schema.ts';

/** What `JSON.stringify` takes. */
export function worldToJson(world: World): unknown {
  return encode(world);
}

/**
 * The inverse of `worldToJson`.
 * @throws {ShapeError} naming the place, where the JSON has not the shape of a world: `world.devices[0].mac.hex: …`
 */
export function worldFromJson(json: unknown): World {
  return parse(jsonWorld, json, 'world');
}

function encode(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    let hex = '';
    for (const byte of value) hex += byte.toString(16).padStart(2, '0');
    return { hex };
  }
  if (typeof value === 'bigint') return { int: value.toString() };
  if (Array.isArray(value)) return value.map(encode);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
  }
  return value;
}
