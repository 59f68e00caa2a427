import { tcpOptionFromText } from '../../packet/tcp-options.ts';
import {
  addressOrPrefix,
  mac,
  type NeighbourShape,
  neighbour,
  prefix,
  type RouteShape,
  route,
} from '../../runtime/network-shape.ts';
import {
  anyFields,
  anythingAs,
  checked,
  choice,
  dictionary,
  flag,
  integer,
  list,
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
} from '../../runtime/schema.ts';
import { endpointFromText } from '../../runtime/sockets.ts';

export interface WorldFileShape {
  /** For editors: docs/schema/world-file.json. */
  readonly $schema?: string;
  readonly devices?: readonly DeviceShape[];
  readonly routes?: readonly RouteShape[];
  readonly neighbours?: readonly NeighbourShape[];
  readonly sockets?: readonly SocketShape[];
  readonly maps?: Readonly<Record<string, MapShape>>;
  readonly globals?: Readonly<Record<string, unknown>>;
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Nanoseconds. */
  readonly time?: bigint;
  /** Nanoseconds. */
  readonly tick?: bigint;
  readonly randomSeed?: number;
  readonly hashSeed?: number;
  readonly cpu?: number;
  /** A device by its name. */
  readonly egress?: string;
  readonly hints?: HintsShape;
}

export interface DeviceShape {
  readonly name: string;
  /** Default: the next one that is free, from 2 on. */
  readonly ifindex?: number;
  /** Default: 02:00 and the ifindex. */
  readonly mac?: Uint8Array;
  readonly mtu?: number;
  readonly addresses?: readonly string[];
  readonly forwarding?: boolean;
}

export interface SocketShape {
  readonly protocol: 'tcp' | 'udp';
  readonly local: string;
  readonly remote?: string;
  readonly device?: string;
  readonly mark?: number;
}

/** Entries one by one, or by key where keys are short: `{ "10.0.0.0/8": 1 }`. */
export type MapShape = readonly EntryShape[] | Readonly<Record<string, unknown>>;

export interface EntryShape {
  /** Absent in queues and the like, which have no keys. */
  readonly key?: unknown;
  readonly value: unknown;
}

export interface HintsShape {
  readonly ports?: readonly number[];
  readonly addresses?: readonly string[];
  readonly macs?: readonly Uint8Array[];
  readonly vlans?: readonly number[];
  readonly protocols?: readonly number[];
  readonly icmpTypes?: readonly number[];
  readonly icmpv6Types?: readonly number[];
  readonly tcpOptions?: readonly number[];
  readonly metadata?: boolean;
  /** Names of the devices that packets come in by. */
  readonly ingress?: readonly string[];
}

const endpoint = checked('an address and a port (10.0.0.1:80)', endpointFromText);
const vlan = integer(0, 4095);

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

function nanosecondsFromText(words: string): bigint {
  const match = /^(\d{1,19})(ns|us|ms|s|m|h|d)$/.exec(words);
  const value = match === null ? -1n : BigInt(match[1]!) * UNITS[match[2]!]!;
  if (value < 0n || value >= 1n << 63n) {
    throw new SyntaxError(`expected a time (500ns, 10us, 5ms, 3s, 2m, 1h, 1d), got ${JSON.stringify(words)}`);
  }
  return value;
}

const nanosecondsText = parsed('a time with its unit (5ms, 3s, 1h)', nanosecondsFromText);
const nanoseconds: Schema<bigint> = transformed(integer(0, Number.MAX_SAFE_INTEGER), BigInt);

/** Nanoseconds as a number, or with a unit. */
const duration: Schema<bigint> = choice<bigint>(
  'a time: nanoseconds, or “5ms”, “3s”, “1h”',
  [nanoseconds, nanosecondsText],
  (json) => (typeof json === 'string' ? nanosecondsText : typeof json === 'number' ? nanoseconds : undefined),
);

const optionName = parsed('the name of a TCP option', tcpOptionFromText);
const tcpOption: Schema<number> = choice<number>('the kind of a TCP option', [uint8, optionName], (json) =>
  typeof json === 'string' ? optionName : typeof json === 'number' ? uint8 : undefined,
);

/** Hints also come from `--aim`. */
export const hintsShape: Schema<HintsShape> = object<HintsShape>({
  ports: optional(list(uint16)),
  addresses: optional(list(addressOrPrefix)),
  macs: optional(list(mac)),
  vlans: optional(list(vlan)),
  protocols: optional(list(uint8)),
  icmpTypes: optional(list(uint8)),
  icmpv6Types: optional(list(uint8)),
  tcpOptions: optional(list(tcpOption)),
  metadata: optional(flag),
  ingress: optional(list(text)),
});

/** Which forms a key, a value or a variable has depends on its type, which only the object knows. */
const form = anythingAs(
  'as its type is written (docs/worlds.md): a number, a name, an address or prefix, a list, an object of members, or { "hex": … }',
);

/** Entries of a map one by one; bpftool writes more beside key and value. */
export const entryList: Schema<readonly EntryShape[]> = list(
  anyFields<{ readonly key?: NonNullable<unknown>; readonly value: unknown }>({
    key: optional(form as Schema<NonNullable<unknown>>),
    value: form,
  }),
);
const byKey: Schema<MapShape> = dictionary(form);

export const worldFileShape: Schema<WorldFileShape> = object<WorldFileShape>({
  $schema: optional(text),
  devices: optional(
    list(
      object<DeviceShape>({
        name: text,
        ifindex: optional(integer(2, 0x7fff_ffff)),
        mac: optional(mac),
        mtu: optional(integer(68, 65_535)),
        addresses: optional(list(prefix)),
        forwarding: optional(flag),
      }),
    ),
  ),
  routes: optional(list(route)),
  neighbours: optional(list(neighbour)),
  sockets: optional(
    list(
      object<SocketShape>({
        protocol: oneOf('tcp', 'udp'),
        local: endpoint,
        remote: optional(endpoint),
        device: optional(text),
        mark: optional(uint32),
      }),
    ),
  ),
  maps: optional(
    dictionary(
      choice<MapShape>('a list of entries, or an object of values by key', [entryList, byKey], (json) =>
        Array.isArray(json) ? entryList : json !== null && typeof json === 'object' ? byKey : undefined,
      ),
    ),
  ),
  globals: optional(dictionary(form)),
  maxEntries: optional(dictionary(integer(1, 0xffff_ffff))),
  time: optional(duration),
  tick: optional(duration),
  randomSeed: optional(uint32),
  hashSeed: optional(uint32),
  cpu: optional(integer(0, 4095)),
  egress: optional(text),
  hints: optional(hintsShape),
});
