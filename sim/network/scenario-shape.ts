/** A scenario's JSON as it is written: fields and their types. What they must mean to each other: `scenario-json.ts`. */
import { addressFromText, macFromText, prefixFromText } from '../packet/addresses.ts';
import {
  bytes,
  type Decoder,
  entries,
  flag,
  list,
  object,
  oneOf,
  record,
  text,
  uint32,
} from '../runtime/json-decoder.ts';
import type { XdpMode } from './scenario.ts';

export interface ScenarioShape {
  readonly name: string;
  readonly description: string;
  readonly namespaces: Readonly<Record<string, NamespaceShape>>;
  readonly wires: readonly (readonly string[])[];
  readonly steps: readonly StepShape[];
}

export interface NamespaceShape {
  readonly devices: readonly DeviceShape[];
  readonly routes?: readonly RouteShape[];
  readonly neighbours?: readonly NeighbourShape[];
  readonly programs?: Readonly<Record<string, ProgramShape>>;
}

export interface DeviceShape {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Uint8Array;
  readonly mtu?: number;
  readonly addresses?: readonly string[];
  readonly forwarding?: boolean;
  readonly xdp?: AttachmentShape;
  readonly tcIngress?: AttachmentShape;
  readonly tcEgress?: AttachmentShape;
}

/** `"router"`, `"layer_coop:layer_coop_rx"`, or with the mode: `{ "program": "router", "mode": "generic" }`. */
export interface AttachmentShape {
  readonly program: string;
  readonly mode?: XdpMode;
}

export interface RouteShape {
  readonly to: string;
  readonly type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';
  readonly via?: string;
  readonly device?: string;
  readonly metric?: number;
  readonly mtu?: number;
}

export interface NeighbourShape {
  readonly device: string;
  readonly address: string;
  readonly mac: Uint8Array;
}

export interface ProgramShape {
  readonly object?: string;
  readonly globals?: Readonly<Record<string, ValueShape>>;
  readonly maps?: Readonly<
    Record<string, readonly { readonly key: ValueShape; readonly value: ValueShape }[]>
  >;
}

/** Bytes as they stand in a map or a variable; a device's name stands for its ifindex. */
export type ValueShape = Uint8Array | { readonly device: string } | readonly ValueShape[];

export interface StepShape {
  readonly name?: string;
  readonly ping?: PingShape;
  readonly udp?: DatagramShape;
  readonly tcp?: SegmentShape;
  readonly packet?: PacketShape;
  readonly frame?: FrameShape;
  readonly expect?: readonly string[];
}

/** What every packet says that a namespace's stack sends. */
interface SentShape {
  /** The namespace. */
  readonly from: string;
  readonly to: string;
  /** Default: the address that the stack chooses for this destination. */
  readonly source?: string;
  /** TTL or hop limit; default 64. */
  readonly ttl?: number;
}

export interface PingShape extends SentShape {
  readonly identifier?: number;
  readonly sequence?: number;
  /** Bytes; default 56. */
  readonly payload?: number;
}

export interface DatagramShape extends SentShape {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Bytes; default 8. */
  readonly payload?: number;
}

/** A connection's first segment. */
export interface SegmentShape extends SentShape {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly flags?: number;
}

export interface PacketShape {
  readonly from: string;
  readonly hex: Uint8Array;
}

export interface FrameShape {
  /** The device that it goes out of: `left:veth0`. */
  readonly device: string;
  readonly hex: Uint8Array;
}

/** Runs a parser of sim/packet and puts the place before what it says. */
function parsed<Value>(parse: (text: string) => Value): Decoder<Value> {
  return (json, place) => {
    try {
      return parse(text(json, place));
    } catch (error) {
      if (error instanceof SyntaxError) throw new TypeError(`${place}: ${error.message}`);
      throw error;
    }
  };
}

/** A text that is checked and stays one. */
function checked(parse: (text: string) => unknown): Decoder<string> {
  const decoder = parsed(parse);
  return (json, place) => {
    decoder(json, place);
    return json as string;
  };
}

const address = checked(addressFromText);
const prefix = checked(prefixFromText);
const mac = parsed(macFromText);

function integer(least: number, most: number): Decoder<number> {
  return (json, place) => {
    if (typeof json === 'number' && Number.isInteger(json) && json >= least && json <= most) return json;
    throw new TypeError(`${place}: not an integer from ${least} to ${most}`);
  };
}

const u8 = integer(0, 0xff);
const u16 = integer(0, 0xffff);

const hex: Decoder<Uint8Array> = (json, place) =>
  bytes({ hex: typeof json === 'string' ? json.replaceAll(/\s/g, '') : json }, place);

/** Numbers are in the machine's order, as programs have them in maps and variables; addresses in network order. */
const VALUES: Readonly<Record<string, Decoder<ValueShape>>> = {
  hex,
  u8: (json, place) => littleEndian(BigInt(u8(json, place)), 1),
  u16: (json, place) => littleEndian(BigInt(u16(json, place)), 2),
  u32: (json, place) => littleEndian(BigInt(uint32(json, place)), 4),
  u64: (json, place) => littleEndian(BigInt(integer(0, Number.MAX_SAFE_INTEGER)(json, place)), 8),
  mac,
  address: parsed(addressFromText),
  device: (json, place) => ({ device: text(json, place) }),
};

function littleEndian(number: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number((number >> BigInt(8 * index)) & 0xffn));
}

const value: Decoder<ValueShape> = (json, place) => {
  if (Array.isArray(json)) return list(value)(json, place);
  const [field, ...others] = entries(json, place);
  const decoder = field === undefined ? undefined : VALUES[field[0]];
  if (field === undefined || others.length > 0 || decoder === undefined) {
    throw new TypeError(`${place}: not an object with one of ${Object.keys(VALUES).join(', ')}`);
  }
  return decoder(field[1], `${place}.${field[0]}`);
};

const attachment: Decoder<AttachmentShape> = (json, place) =>
  typeof json === 'string'
    ? { program: json }
    : object<AttachmentShape>({ program: text, mode: oneOf('native', 'generic') }, ['program'])(json, place);

const device = object<DeviceShape>(
  {
    // IFNAMSIZ is 16 with the closing zero.
    name: checked((name) => fits(name, /^[\w@][\w.@-]{0,14}$/, 'a device’s name of at most 15 characters')),
    ifindex: integer(2, 0x7fff_ffff),
    mac,
    mtu: integer(68, 3506),
    addresses: list(prefix),
    forwarding: flag,
    xdp: attachment,
    tcIngress: attachment,
    tcEgress: attachment,
  },
  ['name', 'ifindex', 'mac'],
);

function fits(name: string, pattern: RegExp, meaning: string): void {
  if (!pattern.test(name)) throw new SyntaxError(`${JSON.stringify(name)} cannot be ${meaning}`);
}

const route = object<RouteShape>(
  {
    to: prefix,
    type: oneOf('unicast', 'blackhole', 'unreachable', 'prohibit'),
    via: address,
    device: text,
    metric: uint32,
    mtu: uint32,
  },
  ['to'],
);

const neighbour = object<NeighbourShape>({ device: text, address, mac }, ['device', 'address', 'mac']);

const program = object<ProgramShape>(
  {
    object: text,
    globals: record(value),
    maps: record(
      list(object<{ key: ValueShape; value: ValueShape }>({ key: value, value }, ['key', 'value'])),
    ),
  },
  [],
);

const namespace = object<NamespaceShape>(
  { devices: list(device), routes: list(route), neighbours: list(neighbour), programs: record(program) },
  ['devices'],
);

const sent = { from: text, to: address, source: address, ttl: u8 };

const step = object<StepShape>(
  {
    name: text,
    ping: object<PingShape>({ ...sent, identifier: u16, sequence: u16, payload: integer(0, 3400) }, [
      'from',
      'to',
    ]),
    udp: object<DatagramShape>(
      { ...sent, sourcePort: u16, destinationPort: u16, payload: integer(0, 3400) },
      ['from', 'to'],
    ),
    tcp: object<SegmentShape>({ ...sent, sourcePort: u16, destinationPort: u16, flags: u8 }, ['from', 'to']),
    packet: object<PacketShape>({ from: text, hex }, ['from', 'hex']),
    frame: object<FrameShape>({ device: text, hex }, ['device', 'hex']),
    expect: list(text),
  },
  [],
);

/** @throws {TypeError} that begins with the place: `scenario.steps[0].ping.to: …` */
export const scenarioShape: Decoder<ScenarioShape> = object<ScenarioShape>(
  {
    name: text,
    description: text,
    namespaces: record(namespace),
    wires: list(list(text)),
    steps: list(step),
  },
  ['name', 'description', 'namespaces', 'wires', 'steps'],
);
