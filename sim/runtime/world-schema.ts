/** The schema of a world, for modules (bytes are `Uint8Array`s) and for JSON (bytes are `{ "hex": "…" }`). */
import {
  bigInteger,
  byteArray,
  choice,
  dictionary,
  flag,
  integer,
  list,
  matching,
  object,
  oneOf,
  optional,
  type Schema,
  text,
  transformed,
  uint32,
} from './schema.ts';
import type { Device, MapEntry, MapSlot, Neighbour, Route, Socket, StackFill, World } from './world.ts';

/** How the two forms write what JSON has no type for. */
interface Leaves {
  readonly bytes: Schema<Uint8Array>;
  readonly mac: Schema<Uint8Array>;
  readonly bigint: Schema<bigint>;
}

function worldOf({ bytes, mac, bigint }: Leaves): Schema<World> {
  const device = object<Device>({
    ifindex: uint32,
    name: text,
    mac,
    mtu: optional(uint32),
    addresses: optional(list(text)),
    forwarding: optional(flag),
  });
  const route = object<Route>({
    to: text,
    type: optional(oneOf('unicast', 'blackhole', 'unreachable', 'prohibit')),
    via: optional(text),
    ifindex: optional(uint32),
    metric: optional(uint32),
    mtu: optional(uint32),
  });
  const neighbour = object<Neighbour>({ ifindex: uint32, address: text, mac });
  const socket = object<Socket>({
    protocol: oneOf('tcp', 'udp'),
    local: text,
    remote: optional(text),
    ifindex: optional(uint32),
    mark: optional(uint32),
  });
  const mapEntry = object<MapEntry>({ key: bytes, value: bytes });
  const mapSlot = object<MapSlot>({ key: bytes, name: text, guessed: optional(flag) });
  return object<World>({
    devices: optional(list(device)),
    routes: optional(list(route)),
    neighbours: optional(list(neighbour)),
    sockets: optional(list(socket)),
    maps: optional(dictionary(list(mapEntry))),
    slots: optional(dictionary(list(mapSlot))),
    globals: optional(dictionary(bytes)),
    time: optional(bigint),
    tick: optional(bigint),
    randomSeed: optional(uint32),
    hashSeed: optional(uint32),
    stackFill: optional(
      choice<StackFill>('a number, or an integer of eight bytes', [uint32, bigint], (value) =>
        typeof value === 'number' ? uint32 : bigint,
      ),
    ),
    kernelFill: optional(uint32),
    cpu: optional(uint32),
    egressIfindex: optional(integer(1, 0x7fff_ffff)),
  });
}

/** Of modules. */
export const world: Schema<World> = worldOf({ bytes: byteArray(), mac: byteArray(6), bigint: bigInteger });

function hexOf(digits: Schema<string>): Schema<Uint8Array> {
  return transformed(object<{ readonly hex: string }>({ hex: digits }), ({ hex }) => bytesFromHex(hex));
}

/** `{ "hex": "0a000001" }`. */
export const hexBytes: Schema<Uint8Array> = hexOf(
  matching(/^([0-9a-fA-F]{2})*$/, 'an even number of hexadecimal digits'),
);

export function bytesFromHex(hex: string): Uint8Array {
  const value = new Uint8Array(hex.length / 2);
  for (let at = 0; at < value.length; at++) {
    value[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  }
  return value;
}

/** `{ "int": "1700000000000000000" }`: JSON's own numbers are not wide enough. */
export const jsonInteger: Schema<bigint> = transformed(
  object<{ readonly int: string }>({ int: matching(/^-?[0-9]{1,40}$/, 'a decimal integer as a string') }),
  ({ int }) => BigInt(int),
);

/** Of JSON. */
export const jsonWorld: Schema<World> = worldOf({
  bytes: hexBytes,
  mac: hexOf(matching(/^[0-9a-fA-F]{12}$/, '12 hexadecimal digits')),
  bigint: jsonInteger,
});
