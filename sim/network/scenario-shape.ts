/** A scenario's JSON as it is written: fields and their types. What they must mean to each other: `scenario-json.ts`. */
import { addressFromText } from '../packet/addresses.ts';
import {
  address,
  mac,
  type NeighbourShape,
  neighbour,
  prefix,
  type RouteShape,
  route,
} from '../runtime/network-shape.ts';
import {
  choice,
  dictionary,
  type Fields,
  flag,
  integer,
  lazy,
  list,
  matching,
  object,
  oneOf,
  optional,
  parsed,
  type Schema,
  text,
  transformed,
  uint8,
  uint16,
  uint32,
} from '../runtime/schema.ts';
import { bytesFromHex } from '../runtime/world-schema.ts';
import type { XdpMode } from './scenario.ts';

export interface ScenarioShape {
  /** For editors: docs/schema/scenario.json. */
  readonly $schema?: string;
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

/** Blanks between the digits are skipped. */
const hex: Schema<Uint8Array> = transformed(
  matching(/^(\s*[0-9a-fA-F]\s*[0-9a-fA-F])*\s*$/, 'an even number of hexadecimal digits'),
  (digits) => bytesFromHex(digits.replaceAll(/\s/g, '')),
);

/** Numbers are in the machine's order, as programs have them in maps and variables; addresses in network order. */
const VALUES: Readonly<Record<string, Schema<ValueShape>>> = {
  hex: field('hex', hex),
  u8: field('u8', littleEndian(uint8, 1)),
  u16: field('u16', littleEndian(uint16, 2)),
  u32: field('u32', littleEndian(uint32, 4)),
  u64: field('u64', littleEndian(integer(0, Number.MAX_SAFE_INTEGER), 8)),
  mac: field('mac', mac),
  address: field('address', parsed('an IPv4 or IPv6 address', addressFromText)),
  device: field(
    'device',
    transformed(text, (device) => ({ device })),
  ),
};

/** An object with one field, which stands for that field's value. */
function field(name: string, schema: Schema<ValueShape>): Schema<ValueShape> {
  const fields = { [name]: schema } as unknown as Fields<Record<string, ValueShape>>;
  return transformed(object<Record<string, ValueShape>>(fields), (value) => value[name]!);
}

function littleEndian(schema: Schema<number>, size: number): Schema<ValueShape> {
  return transformed(schema, (number) =>
    Uint8Array.from({ length: size }, (_, index) => Number((BigInt(number) >> BigInt(8 * index)) & 0xffn)),
  );
}

const values: Schema<ValueShape> = lazy(() => valueList);
const value: Schema<ValueShape> = choice<ValueShape>(
  `an object with one of ${Object.keys(VALUES).join(', ')}, or a list of these`,
  [...Object.values(VALUES), values],
  (json) => {
    if (Array.isArray(json)) return values;
    if (json === null || typeof json !== 'object') return undefined;
    const [name, ...others] = Object.keys(json);
    return name === undefined || others.length > 0 || !Object.hasOwn(VALUES, name) ? undefined : VALUES[name];
  },
);
const valueList: Schema<ValueShape> = list(value);

const attachmentObject = object<AttachmentShape>({
  program: text,
  mode: optional(oneOf('native', 'generic')),
});
const attachmentName: Schema<AttachmentShape> = transformed(text, (program) => ({ program }));
const attachment: Schema<AttachmentShape> = choice<AttachmentShape>(
  'a program’s name, or an object with “program” and “mode”',
  [attachmentName, attachmentObject],
  (json) =>
    typeof json === 'string'
      ? attachmentName
      : json !== null && typeof json === 'object'
        ? attachmentObject
        : undefined,
);

const device: Schema<DeviceShape> = object<DeviceShape>({
  // IFNAMSIZ is 16 with the closing zero.
  name: matching(/^[\w@][\w.@-]{0,14}$/, 'a device’s name of at most 15 characters'),
  ifindex: integer(2, 0x7fff_ffff),
  mac,
  mtu: optional(integer(68, 3506)),
  addresses: optional(list(prefix)),
  forwarding: optional(flag),
  xdp: optional(attachment),
  tcIngress: optional(attachment),
  tcEgress: optional(attachment),
});

const program: Schema<ProgramShape> = object<ProgramShape>({
  object: optional(text),
  globals: optional(dictionary(value)),
  maps: optional(dictionary(list(object<{ key: ValueShape; value: ValueShape }>({ key: value, value })))),
});

const namespace: Schema<NamespaceShape> = object<NamespaceShape>({
  devices: list(device),
  routes: optional(list(route)),
  neighbours: optional(list(neighbour)),
  programs: optional(dictionary(program)),
});

const sent = { from: text, to: address, source: optional(address), ttl: optional(uint8) };
const payload = optional(integer(0, 3400));
const ports = { sourcePort: optional(uint16), destinationPort: optional(uint16) };

const step: Schema<StepShape> = object<StepShape>({
  name: optional(text),
  ping: optional(
    object<PingShape>({ ...sent, identifier: optional(uint16), sequence: optional(uint16), payload }),
  ),
  udp: optional(object<DatagramShape>({ ...sent, ...ports, payload })),
  tcp: optional(object<SegmentShape>({ ...sent, ...ports, flags: optional(uint8) })),
  packet: optional(object<PacketShape>({ from: text, hex })),
  frame: optional(object<FrameShape>({ device: text, hex })),
  expect: optional(list(text)),
});

/** Places begin with `scenario`: `scenario.steps[0].ping.to: …` */
export const scenarioShape: Schema<ScenarioShape> = object<ScenarioShape>({
  $schema: optional(text),
  name: text,
  description: text,
  namespaces: dictionary(namespace),
  wires: list(list(text)),
  steps: list(step),
});
