/**
 * Worlds as JSON: bytes become `{ "hex": "…" }`, big integers `{ "int": "…" }`.
 *
 * Reading goes by the shape of a world, not by that of the JSON: a map named `hex` is a map, and what comes out
 * has every type that `World` promises.
 */
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

/** Makes a value of JSON, or throws a TypeError that begins with the place. */
type Decoder<Value> = (json: unknown, place: string) => Value;

/** One decoder for each field of `Value`; those of `required` must be there. */
function object<Value extends object>(
  fields: { readonly [Name in keyof Required<Value>]: Decoder<NonNullable<Value[Name]>> },
  required: readonly (keyof Value & string)[],
): Decoder<Value> {
  const decoders = new Map<string, Decoder<unknown>>(Object.entries(fields));
  return (json, place) => {
    const items = entries(json, place).map(([name, item]) => {
      const decoder = decoders.get(name);
      if (decoder === undefined) throw new TypeError(`${place}: the unknown field ${JSON.stringify(name)}`);
      return [name, decoder(item, `${place}.${name}`)] as const;
    });
    const value = Object.fromEntries(items);
    for (const name of required) {
      if (!Object.hasOwn(value, name)) throw new TypeError(`${place}: "${name}" is missing`);
    }
    return value as Value;
  };
}

function record<Value>(item: Decoder<Value>): Decoder<Readonly<Record<string, Value>>> {
  return (json, place) =>
    Object.fromEntries(entries(json, place).map(([name, value]) => [name, item(value, `${place}.${name}`)]));
}

function list<Value>(item: Decoder<Value>): Decoder<readonly Value[]> {
  return (json, place) => {
    if (!Array.isArray(json)) throw new TypeError(`${place}: not a list`);
    return json.map((value, index) => item(value, `${place}[${index}]`));
  };
}

function oneOf<Value extends string>(...values: readonly Value[]): Decoder<Value> {
  return (json, place) => {
    const value = values.find((candidate) => candidate === json);
    if (value === undefined) throw new TypeError(`${place}: none of ${values.join(', ')}`);
    return value;
  };
}

const text: Decoder<string> = (json, place) => {
  if (typeof json !== 'string') throw new TypeError(`${place}: not a string`);
  return json;
};

const flag: Decoder<boolean> = (json, place) => {
  if (typeof json !== 'boolean') throw new TypeError(`${place}: neither true nor false`);
  return json;
};

const uint32: Decoder<number> = (json, place) => {
  if (typeof json !== 'number' || !Number.isInteger(json) || json < 0 || json > 0xffff_ffff) {
    throw new TypeError(`${place}: not an integer from 0 to 4294967295`);
  }
  return json;
};

const bigInteger: Decoder<bigint> = (json, place) => {
  const digits = only('int', json, place);
  if (typeof digits !== 'string' || !/^-?\d{1,40}$/.test(digits)) {
    throw new TypeError(`${place}: "int" is not a decimal integer`);
  }
  return BigInt(digits);
};

const bytes: Decoder<Uint8Array> = (json, place) => {
  const hex = only('hex', json, place);
  if (typeof hex !== 'string' || hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw new TypeError(`${place}: "hex" is not an even number of hexadecimal digits`);
  }
  const value = new Uint8Array(hex.length / 2);
  for (let at = 0; at < value.length; at++) {
    value[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  }
  return value;
};

const mac: Decoder<Uint8Array> = (json, place) => {
  const value = bytes(json, place);
  if (value.length !== 6) throw new TypeError(`${place}: ${value.length} bytes instead of 6`);
  return value;
};

/** The value of an object's only field. */
function only(name: string, json: unknown, place: string): unknown {
  const fields = entries(json, place);
  if (fields.length !== 1 || fields[0]?.[0] !== name) {
    throw new TypeError(`${place}: not an object with "${name}" alone`);
  }
  return fields[0][1];
}

function entries(json: unknown, place: string): [string, unknown][] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new TypeError(`${place}: not an object`);
  }
  return Object.entries(json);
}

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
    randomSeed: uint32,
    cpu: uint32,
  },
  [],
);
