/** ICMP for IPv6 (RFC 4443), with neighbour discovery (RFC 4861) and MLD (RFC 2710; types: IANA "ICMPv6 type Numbers"). */
import { ipv6FromText, ipv6ToText } from './addresses.ts';
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { sum } from './checksum.ts';
import { type Decoded, decoded, tooShort } from './decoding.ts';
import { type Context, checksumNote, type Dissection, type Field, failed, readFields } from './dissection.ts';
import {
  decodeNeighbourOptions,
  dissectNeighbourOptions,
  encodeNeighbourOptions,
  type NeighbourOption,
} from './neighbour-options.ts';
import { IPPROTO } from './numbers.ts';

export const ICMPV6 = {
  type: 0,
  code: 1,
  checksum: 2,
  /** Four bytes whose meaning depends on the type; the fields below are those of some types. */
  rest: 4,
  identifier: 4,
  sequence: 6,
  mtu: 4,
  pointer: 4,
  curHopLimit: 4,
  routerFlags: 5,
  routerLifetime: 6,
  reachableTime: 8,
  retransTimer: 12,
  /** Neighbour solicitation, advertisement and redirect; MLD's multicast address too. */
  target: 8,
  redirectDestination: 24,
  maximumResponseDelay: 4,
  headerLength: 8,
} as const;

export const ICMPV6_TYPE = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  MLD_QUERY: 130,
  MLD_REPORT: 131,
  MLD_DONE: 132,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOUR_SOLICITATION: 135,
  NEIGHBOUR_ADVERTISEMENT: 136,
  REDIRECT: 137,
  MLD2_REPORT: 143,
} as const;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'Destination Unreachable',
  2: 'Packet Too Big',
  3: 'Time Exceeded',
  4: 'Parameter Problem',
  128: 'Echo Request',
  129: 'Echo Reply',
  130: 'Multicast Listener Query',
  131: 'Multicast Listener Report',
  132: 'Multicast Listener Done',
  133: 'Router Solicitation',
  134: 'Router Advertisement',
  135: 'Neighbor Solicitation',
  136: 'Neighbor Advertisement',
  137: 'Redirect',
  143: 'Multicast Listener Report v2',
  160: 'Extended Echo Request',
  161: 'Extended Echo Reply',
};

const CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  1: [
    'no route to destination',
    'communication administratively prohibited',
    'beyond scope of source address',
    'address unreachable',
    'port unreachable',
    'source address failed ingress/egress policy',
    'reject route to destination',
  ],
  3: ['hop limit exceeded in transit', 'fragment reassembly time exceeded'],
  4: ['erroneous header field', 'unrecognized next header', 'unrecognized option'],
};

/** Does a message of this type quote the packet that caused it? Errors have the high bit clear (RFC 4443 §2.1). */
export function isIcmpv6Error(type: number): boolean {
  return type >= 1 && type <= 4;
}

/** Types 133 to 137 (RFC 4861 §4). */
export function isNeighbourDiscovery(type: number): boolean {
  return type >= ICMPV6_TYPE.ROUTER_SOLICITATION && type <= ICMPV6_TYPE.REDIRECT;
}

/** A message in place. Holds for 8 bytes at the least; targets and options lie behind them. */
export class Icmpv6View {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get type(): number {
    return this.bytes[this.offset + ICMPV6.type]!;
  }

  set type(value: number) {
    this.bytes[this.offset + ICMPV6.type] = value;
  }

  get code(): number {
    return this.bytes[this.offset + ICMPV6.code]!;
  }

  set code(value: number) {
    this.bytes[this.offset + ICMPV6.code] = value;
  }

  /** Over the pseudo-header and the message (RFC 4443 §2.3). */
  get checksum(): number {
    return readU16(this.bytes, this.offset + ICMPV6.checksum);
  }

  set checksum(value: number) {
    writeU16(this.bytes, this.offset + ICMPV6.checksum, value);
  }

  /** The four bytes behind the checksum: MTU, pointer, or flags. */
  get rest(): number {
    return readU32(this.bytes, this.offset + ICMPV6.rest);
  }

  set rest(value: number) {
    writeU32(this.bytes, this.offset + ICMPV6.rest, value);
  }

  get identifier(): number {
    return readU16(this.bytes, this.offset + ICMPV6.identifier);
  }

  set identifier(value: number) {
    writeU16(this.bytes, this.offset + ICMPV6.identifier, value);
  }

  get sequence(): number {
    return readU16(this.bytes, this.offset + ICMPV6.sequence);
  }

  set sequence(value: number) {
    writeU16(this.bytes, this.offset + ICMPV6.sequence, value);
  }

  /** Neighbour solicitation, advertisement, redirect and MLD: where the target address lies. */
  get targetAt(): number {
    return this.offset + ICMPV6.target;
  }
}

/** What a message says beyond type and code, by the shape that its type has. */
export type Icmpv6Body =
  | { readonly kind: 'echo'; readonly identifier: number; readonly sequence: number }
  /** Packet too big. */
  | { readonly kind: 'mtu'; readonly mtu: number }
  /** Parameter problem. */
  | { readonly kind: 'pointer'; readonly pointer: number }
  | { readonly kind: 'router-solicitation'; readonly options: readonly NeighbourOption[] }
  | {
      readonly kind: 'router-advertisement';
      readonly curHopLimit: number;
      /** Managed (0x80), other (0x40) and what was added since. */
      readonly flags: number;
      /** Seconds. */
      readonly lifetime: number;
      /** Milliseconds. */
      readonly reachableTime: number;
      readonly retransTimer: number;
      readonly options: readonly NeighbourOption[];
    }
  | {
      readonly kind: 'neighbour';
      /** Advertisements: router (0x80000000), solicited (0x40000000), override (0x20000000). Solicitations: 0. */
      readonly flags: number;
      readonly target: string;
      readonly options: readonly NeighbourOption[];
    }
  | {
      readonly kind: 'redirect';
      readonly target: string;
      readonly destination: string;
      readonly options: readonly NeighbourOption[];
    }
  /** MLD version 1. */
  | { readonly kind: 'listener'; readonly maximumResponseDelay: number; readonly group: string }
  /** All others: the four bytes behind the checksum. */
  | { readonly kind: 'other'; readonly rest: number };

export interface Icmpv6Header {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly body: Icmpv6Body;
}

/** Bytes that a message of this type takes before its data, options or quoted packet. */
export function icmpv6HeaderLength(type: number): number {
  switch (type) {
    case ICMPV6_TYPE.ROUTER_ADVERTISEMENT:
      return 16;
    case ICMPV6_TYPE.MLD_QUERY:
    case ICMPV6_TYPE.MLD_REPORT:
    case ICMPV6_TYPE.MLD_DONE:
    case ICMPV6_TYPE.NEIGHBOUR_SOLICITATION:
    case ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT:
      return 24;
    case ICMPV6_TYPE.REDIRECT:
      return 40;
    default:
      return ICMPV6.headerLength;
  }
}

/** Neighbour discovery options, which run to the end of the message, are part of the value; other data is not. */
export function decodeIcmpv6(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<Icmpv6Header> {
  const available = end - offset;
  if (available < ICMPV6.headerLength) return tooShort('icmpv6', offset, ICMPV6.headerLength, available);
  const view = new Icmpv6View().at(bytes, offset);
  const { type, code, checksum } = view;
  const length = icmpv6HeaderLength(type);
  if (length > available) return tooShort('icmpv6', offset, length, available, 'type');
  const body = decodeBody(view, offset + length, end);
  return decoded({ type, code, checksum, body }, 'options' in body ? available : length);
}

function decodeBody(view: Icmpv6View, optionsAt: number, end: number): Icmpv6Body {
  const { bytes, offset, identifier, sequence, rest } = view;
  switch (view.type) {
    case ICMPV6_TYPE.ECHO_REQUEST:
    case ICMPV6_TYPE.ECHO_REPLY:
      return { kind: 'echo', identifier, sequence };
    case ICMPV6_TYPE.PACKET_TOO_BIG:
      return { kind: 'mtu', mtu: rest };
    case ICMPV6_TYPE.PARAMETER_PROBLEM:
      return { kind: 'pointer', pointer: rest };
    case ICMPV6_TYPE.ROUTER_SOLICITATION:
      return { kind: 'router-solicitation', options: decodeNeighbourOptions(bytes, optionsAt, end) };
    case ICMPV6_TYPE.ROUTER_ADVERTISEMENT:
      return {
        kind: 'router-advertisement',
        curHopLimit: bytes[offset + ICMPV6.curHopLimit]!,
        flags: bytes[offset + ICMPV6.routerFlags]!,
        lifetime: readU16(bytes, offset + ICMPV6.routerLifetime),
        reachableTime: readU32(bytes, offset + ICMPV6.reachableTime),
        retransTimer: readU32(bytes, offset + ICMPV6.retransTimer),
        options: decodeNeighbourOptions(bytes, optionsAt, end),
      };
    case ICMPV6_TYPE.NEIGHBOUR_SOLICITATION:
    case ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT:
      return {
        kind: 'neighbour',
        flags: rest,
        target: ipv6ToText(bytes, view.targetAt),
        options: decodeNeighbourOptions(bytes, optionsAt, end),
      };
    case ICMPV6_TYPE.REDIRECT:
      return {
        kind: 'redirect',
        target: ipv6ToText(bytes, view.targetAt),
        destination: ipv6ToText(bytes, offset + ICMPV6.redirectDestination),
        options: decodeNeighbourOptions(bytes, optionsAt, end),
      };
    case ICMPV6_TYPE.MLD_QUERY:
    case ICMPV6_TYPE.MLD_REPORT:
    case ICMPV6_TYPE.MLD_DONE:
      return { kind: 'listener', maximumResponseDelay: identifier, group: ipv6ToText(bytes, view.targetAt) };
    default:
      return { kind: 'other', rest };
  }
}

/** @throws {SyntaxError} when an address is none */
export function encodeIcmpv6(value: Icmpv6Header): Uint8Array {
  const { body } = value;
  const options = 'options' in body ? encodeNeighbourOptions(body.options) : NO_BYTES;
  const length = icmpv6HeaderLength(value.type);
  const bytes = new Uint8Array(length + options.length);
  bytes.set(options, length);
  const view = new Icmpv6View().at(bytes, 0);
  view.type = value.type;
  view.code = value.code;
  view.checksum = value.checksum;
  switch (body.kind) {
    case 'echo':
      view.identifier = body.identifier;
      view.sequence = body.sequence;
      break;
    case 'mtu':
      view.rest = body.mtu;
      break;
    case 'pointer':
      view.rest = body.pointer;
      break;
    case 'router-solicitation':
      break;
    case 'router-advertisement':
      bytes[ICMPV6.curHopLimit] = body.curHopLimit;
      bytes[ICMPV6.routerFlags] = body.flags;
      writeU16(bytes, ICMPV6.routerLifetime, body.lifetime);
      writeU32(bytes, ICMPV6.reachableTime, body.reachableTime);
      writeU32(bytes, ICMPV6.retransTimer, body.retransTimer);
      break;
    case 'neighbour':
      view.rest = body.flags;
      bytes.set(ipv6FromText(body.target), ICMPV6.target);
      break;
    case 'redirect':
      bytes.set(ipv6FromText(body.target), ICMPV6.target);
      bytes.set(ipv6FromText(body.destination), ICMPV6.redirectDestination);
      break;
    case 'listener':
      writeU16(bytes, ICMPV6.maximumResponseDelay, body.maximumResponseDelay);
      bytes.set(ipv6FromText(body.group), ICMPV6.target);
      break;
    case 'other':
      view.rest = body.rest;
  }
  return bytes;
}

const COMMON: readonly Field[] = [
  { name: 'type', label: 'Type', at: ICMPV6.type, size: 1, names: (type) => TYPE_NAMES[type] },
  { name: 'code', label: 'Code', at: ICMPV6.code, size: 1 },
  { name: 'checksum', label: 'Checksum', at: ICMPV6.checksum, size: 2, as: 'hex' },
];
const REST: Field = { name: 'rest', label: 'Rest of header', at: ICMPV6.rest, size: 4, as: 'hex' };
const RESERVED: Field = { name: 'reserved', label: 'Reserved', at: ICMPV6.rest, size: 4, as: 'hex' };
const TARGET: Field = { name: 'target', label: 'Target Address', at: ICMPV6.target, size: 16, as: 'ipv6' };
const ECHO: readonly Field[] = [
  { name: 'identifier', label: 'Identifier', at: ICMPV6.identifier, size: 2 },
  { name: 'sequence', label: 'Sequence Number', at: ICMPV6.sequence, size: 2 },
];
const LISTENER: readonly Field[] = [
  { name: 'maximumResponseDelay', label: 'Maximum Response Delay', at: ICMPV6.maximumResponseDelay, size: 2 },
  { name: 'reserved', label: 'Reserved', at: 6, size: 2, as: 'hex' },
  { name: 'group', label: 'Multicast Address', at: ICMPV6.target, size: 16, as: 'ipv6' },
];

const BODY_FIELDS: Readonly<Record<number, readonly Field[]>> = {
  [ICMPV6_TYPE.PACKET_TOO_BIG]: [{ name: 'mtu', label: 'MTU', at: ICMPV6.mtu, size: 4 }],
  [ICMPV6_TYPE.PARAMETER_PROBLEM]: [{ name: 'pointer', label: 'Pointer', at: ICMPV6.pointer, size: 4 }],
  [ICMPV6_TYPE.ECHO_REQUEST]: ECHO,
  [ICMPV6_TYPE.ECHO_REPLY]: ECHO,
  [ICMPV6_TYPE.MLD_QUERY]: LISTENER,
  [ICMPV6_TYPE.MLD_REPORT]: LISTENER,
  [ICMPV6_TYPE.MLD_DONE]: LISTENER,
  [ICMPV6_TYPE.ROUTER_SOLICITATION]: [RESERVED],
  [ICMPV6_TYPE.ROUTER_ADVERTISEMENT]: [
    { name: 'curHopLimit', label: 'Cur Hop Limit', at: ICMPV6.curHopLimit, size: 1 },
    { name: 'flags', label: 'Flags', at: ICMPV6.routerFlags, size: 1, as: 'hex' },
    { name: 'lifetime', label: 'Router Lifetime', at: ICMPV6.routerLifetime, size: 2 },
    { name: 'reachableTime', label: 'Reachable Time', at: ICMPV6.reachableTime, size: 4 },
    { name: 'retransTimer', label: 'Retrans Timer', at: ICMPV6.retransTimer, size: 4 },
  ],
  [ICMPV6_TYPE.NEIGHBOUR_SOLICITATION]: [RESERVED, TARGET],
  [ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT]: [
    { name: 'router', label: 'Router', at: ICMPV6.rest, size: 4, shift: 31, bits: 1 },
    { name: 'solicited', label: 'Solicited', at: ICMPV6.rest, size: 4, shift: 30, bits: 1 },
    { name: 'override', label: 'Override', at: ICMPV6.rest, size: 4, shift: 29, bits: 1 },
    { name: 'reserved', label: 'Reserved', at: ICMPV6.rest, size: 4, shift: 0, bits: 29, as: 'hex' },
    TARGET,
  ],
  [ICMPV6_TYPE.REDIRECT]: [
    RESERVED,
    TARGET,
    {
      name: 'destination',
      label: 'Destination Address',
      at: ICMPV6.redirectDestination,
      size: 16,
      as: 'ipv6',
    },
  ],
};

export function dissectIcmpv6(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const fields = [...COMMON, ...((end > offset ? BODY_FIELDS[bytes[offset]!] : undefined) ?? [REST])];
  const header = decodeIcmpv6(bytes, offset, end);
  if (!header.ok) return failed(fields, bytes, offset, end, header.error);
  const { type, code, checksum } = header.value;
  const codeName = CODE_NAMES[type]?.[code];
  const name = TYPE_NAMES[type] ?? `type ${type}`;
  const options = isNeighbourDiscovery(type)
    ? dissectNeighbourOptions(bytes, offset + icmpv6HeaderLength(type), end)
    : [];
  return {
    summary: codeName === undefined ? name : `${name}, ${codeName}`,
    length: header.length,
    fields: [
      ...readFields(fields, bytes, offset, end, {
        checksum: noteOf(bytes, offset, end, checksum, context),
        code: codeName,
      }),
      ...options,
    ],
    next: {
      protocol: isIcmpv6Error(type) ? 'ipv6' : 'data',
      offset: offset + header.length,
      end,
      context: {},
    },
  };
}

function noteOf(
  bytes: Uint8Array,
  offset: number,
  end: number,
  checksum: number,
  context: Context,
): string | undefined {
  if (context.unverifiable !== undefined) return `unverifiable: ${context.unverifiable}`;
  if (context.pseudoHeader === undefined) return undefined;
  const length = end - offset;
  return checksumNote(sum(bytes, offset, length, context.pseudoHeader(IPPROTO.ICMPV6, length)), checksum);
}
