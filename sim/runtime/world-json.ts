/**
 * Worlds as JSON: bytes become `{ "hex": "…" }`, big integers `{ "int": "…" }`.
 *
 * Reading goes by the shape of a world, not by that of the JSON: a map named `hex` is a map, and what comes out
 * has every type that `World` promises.
 */
import {
  bytes,
  type Decoder,
  flag,
  list,
  object,
  oneOf,
  only,
  record,
  text,
  uint32,
} from './json-decoder.ts';
import type { Device, MapEntry, Neighbour, Route, World } from './world.ts';

/** What `JSON.stringify` takes. */
export function worldToJson(world: World): unknown {
  return encode(world);
}

/**
 * The inverse of `worldToJson`.
 * @throws {TypeError} naming the place, where the JSON has not the shape of a world: `world.devices[0].mac: …`
 */
export function worldFromJson(json: unknown): World {
  return world(json, 'world');
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

const bigInteger: Decoder<bigint> = (json, place) => {
  const digits = only('int', json, place);
  if (typeof digits !== 'string' || !/^-?\d{1,40}$/.test(digits)) {
    throw new TypeError(`${place}: "int" is not a decimal integer`);
  }
  return BigInt(digits);
};

const mac: Decoder<Uint8Array> = (json, place) => {
  const value = bytes(json, place);
  if (value.length !== 6) throw new TypeError(`${place}: ${value.length} bytes instead of 6`);
  return value;
};

const device: Decoder<Device> = object<Device>(
  { ifindex: uint32, name: text, mac, mtu: uint32, addresses: list(text), forwarding: flag },
  ['ifindex', 'name', 'mac'],
);

const route: Decoder<Route> = object<Route>(
  {
    to: text,
    type: oneOf('unicast', 'blackhole', 'unreachable', 'prohibit'),
    via: text,
    ifindex: uint32,
    metric: uint32,
    mtu: uint32,
  },
  ['to'],
);

const neighbour: Decoder<Neighbour> = object<Neighbour>({ ifindex: uint32, address: text, mac }, [
  'ifindex',
  'address',
  'mac',
]);

const mapEntry: Decoder<MapEntry> = object<MapEntry>({ key: bytes, value: bytes }, ['key', 'value']);

const world: Decoder<World> = object<World>(
  {
    devices: list(device),
    routes: list(route),
    neighbours: list(neighbour),
    maps: record(list(mapEntry)),
    globals: record(bytes),
    time: bigInteger,
    tick: bigInteger,
    randomSeed: uint32,
    cpu: uint32,
  },
  [],
);
