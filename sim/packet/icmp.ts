/** The Internet Control Message Protocol for IPv4 (RFC 792; types: IANA "ICMP Type Numbers"). */
import { ipv4FromText, ipv4ToText } from './addresses.ts';
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { sum } from './checksum.ts';
import { type Decoded, decoded, tooShort } from './decoding.ts';
import { type Context, checksumNote, type Dissection, type Field, failed, readFields } from './dissection.ts';

export const ICMP = {
  type: 0,
  code: 1,
  checksum: 2,
  /** Four bytes whose meaning depends on the type; the fields below are those of some types. */
  rest: 4,
  identifier: 4,
  sequence: 6,
  gateway: 4,
  pointer: 4,
  length: 5,
  nextHopMtu: 6,
  originate: 8,
  receive: 12,
  transmit: 16,
  addressMask: 8,
  headerLength: 8,
} as const;

export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  ROUTER_ADVERTISEMENT: 9,
  ROUTER_SOLICITATION: 10,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
  INFORMATION_REQUEST: 15,
  INFORMATION_REPLY: 16,
  ADDRESS_MASK_REQUEST: 17,
  ADDRESS_MASK_REPLY: 18,
  EXTENDED_ECHO_REQUEST: 42,
  EXTENDED_ECHO_REPLY: 43,
} as const;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'Echo Reply',
  3: 'Destination Unreachable',
  4: 'Source Quench',
  5: 'Redirect',
  8: 'Echo',
  9: 'Router Advertisement',
  10: 'Router Solicitation',
  11: 'Time Exceeded',
  12: 'Parameter Problem',
  13: 'Timestamp',
  14: 'Timestamp Reply',
  15: 'Information Request',
  16: 'Information Reply',
  17: 'Address Mask Request',
  18: 'Address Mask Reply',
  42: 'Extended Echo Request',
  43: 'Extended Echo Reply',
};

const CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  3: [
    'net unreachable',
    'host unreachable',
    'protocol unreachable',
    'port unreachable',
    'fragmentation needed and DF set',
    'source route failed',
    'destination network unknown',
    'destination host unknown',
    'source host isolated',
    'network administratively prohibited',
    'host administratively prohibited',
    'network unreachable for TOS',
    'host unreachable for TOS',
    'communication administratively prohibited',
    'host precedence violation',
    'precedence cutoff in effect',
  ],
  5: ['for the network', 'for the host', 'for TOS and network', 'for TOS and host'],
  11: ['time to live exceeded in transit', 'fragment reassembly time exceeded'],
  12: ['pointer indicates the error', 'required option missing', 'bad length'],
};

/** Does a message of this type quote the packet that caused it? */
export function isIcmpError(type: number): boolean {
  switch (type) {
    case ICMP_TYPE.DESTINATION_UNREACHABLE:
    case ICMP_TYPE.SOURCE_QUENCH:
    case ICMP_TYPE.REDIRECT:
    case ICMP_TYPE.TIME_EXCEEDED:
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return true;
    default:
      return false;
  }
}

/** A message in place. Holds for 8 bytes at the least; timestamps and masks lie behind them. */
export class IcmpView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get type(): number {
    return this.bytes[this.offset + ICMP.type]!;
  }

  set type(value: number) {
    this.bytes[this.offset + ICMP.type] = value;
  }

  get code(): number {
    return this.bytes[this.offset + ICMP.code]!;
  }

  set code(value: number) {
    this.bytes[this.offset + ICMP.code] = value;
  }

  /** Over the message alone: there is no pseudo-header. */
  get checksum(): number {
    return readU16(this.bytes, this.offset + ICMP.checksum);
  }

  set checksum(value: number) {
    writeU16(this.bytes, this.offset + ICMP.checksum, value);
  }

  /** The four bytes behind the checksum. */
  get rest(): number {
    return readU32(this.bytes, this.offset + ICMP.rest);
  }

  set rest(value: number) {
    writeU32(this.bytes, this.offset + ICMP.rest, value);
  }

  get identifier(): number {
    return readU16(this.bytes, this.offset + ICMP.identifier);
  }

  set identifier(value: number) {
    writeU16(this.bytes, this.offset + ICMP.identifier, value);
  }

  get sequence(): number {
    return readU16(this.bytes, this.offset + ICMP.sequence);
  }

  set sequence(value: number) {
    writeU16(this.bytes, this.offset + ICMP.sequence, value);
  }

  /** Redirect: the gateway's address. */
  get gateway(): number {
    return this.rest;
  }

  set gateway(value: number) {
    this.rest = value;
  }

  /** Parameter problem: the octet where the error was found. */
  get pointer(): number {
    return this.bytes[this.offset + ICMP.pointer]!;
  }

  set pointer(value: number) {
    this.bytes[this.offset + ICMP.pointer] = value;
  }

  /** Errors: the length of the quoted packet in 32-bit words, where extensions follow it (RFC 4884 §4). */
  get quotedLength(): number {
    return this.bytes[this.offset + ICMP.length]!;
  }

  set quotedLength(value: number) {
    this.bytes[this.offset + ICMP.length] = value;
  }

  /** Fragmentation needed: the next hop's MTU (RFC 1191 §4). */
  get nextHopMtu(): number {
    return readU16(this.bytes, this.offset + ICMP.nextHopMtu);
  }

  set nextHopMtu(value: number) {
    writeU16(this.bytes, this.offset + ICMP.nextHopMtu, value);
  }
}

/** What a message says beyond type and code, by the shape that its type has. */
export type IcmpBody =
  /** Echo, information and their replies. */
  | { readonly kind: 'query'; readonly identifier: number; readonly sequence: number }
  /** Timestamps in milliseconds since midnight UT. */
  | {
      readonly kind: 'timestamp';
      readonly identifier: number;
      readonly sequence: number;
      readonly originate: number;
      readonly receive: number;
      readonly transmit: number;
    }
  | { readonly kind: 'mask'; readonly identifier: number; readonly sequence: number; readonly mask: string }
  | {
      readonly kind: 'unreachable';
      readonly unused: number;
      readonly quotedLength: number;
      readonly nextHopMtu: number;
    }
  | { readonly kind: 'redirect'; readonly gateway: string }
  | {
      readonly kind: 'parameter';
      readonly pointer: number;
      readonly quotedLength: number;
      readonly unused: number;
    }
  /** All others: the four bytes behind the checksum. */
  | { readonly kind: 'other'; readonly rest: number };

export interface IcmpHeader {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly body: IcmpBody;
}

/** Bytes that a message of this type takes before its data or its quoted packet. */
export function icmpHeaderLength(type: number): number {
  switch (type) {
    case ICMP_TYPE.TIMESTAMP:
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return 20;
    case ICMP_TYPE.ADDRESS_MASK_REQUEST:
    case ICMP_TYPE.ADDRESS_MASK_REPLY:
      return 12;
    default:
      return ICMP.headerLength;
  }
}

export function decodeIcmp(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<IcmpHeader> {
  const available = end - offset;
  if (available < ICMP.headerLength) return tooShort('icmp', offset, ICMP.headerLength, available);
  const view = new IcmpView().at(bytes, offset);
  const length = icmpHeaderLength(view.type);
  if (length > available) return tooShort('icmp', offset, length, available, 'type');
  const { type, code, checksum } = view;
  return decoded({ type, code, checksum, body: decodeBody(view) }, length);
}

function decodeBody(view: IcmpView): IcmpBody {
  const { bytes, offset, identifier, sequence, quotedLength } = view;
  switch (view.type) {
    case ICMP_TYPE.ECHO:
    case ICMP_TYPE.ECHO_REPLY:
    case ICMP_TYPE.INFORMATION_REQUEST:
    case ICMP_TYPE.INFORMATION_REPLY:
      return { kind: 'query', identifier, sequence };
    case ICMP_TYPE.TIMESTAMP:
    case ICMP_TYPE.TIMESTAMP_REPLY: {
      const originate = readU32(bytes, offset + ICMP.originate);
      const receive = readU32(bytes, offset + ICMP.receive);
      const transmit = readU32(bytes, offset + ICMP.transmit);
      return { kind: 'timestamp', identifier, sequence, originate, receive, transmit };
    }
    case ICMP_TYPE.ADDRESS_MASK_REQUEST:
    case ICMP_TYPE.ADDRESS_MASK_REPLY:
      return { kind: 'mask', identifier, sequence, mask: ipv4ToText(bytes, offset + ICMP.addressMask) };
    case ICMP_TYPE.DESTINATION_UNREACHABLE:
    case ICMP_TYPE.TIME_EXCEEDED:
      return { kind: 'unreachable', unused: view.pointer, quotedLength, nextHopMtu: view.nextHopMtu };
    case ICMP_TYPE.REDIRECT:
      return { kind: 'redirect', gateway: ipv4ToText(bytes, offset + ICMP.gateway) };
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return { kind: 'parameter', pointer: view.pointer, quotedLength, unused: view.nextHopMtu };
    default:
      return { kind: 'other', rest: view.rest };
  }
}

/** @throws {SyntaxError} when an address is none */
export function encodeIcmp(value: IcmpHeader): Uint8Array {
  const { body } = value;
  const bytes = new Uint8Array(
    body.kind === 'timestamp' ? 20 : body.kind === 'mask' ? 12 : ICMP.headerLength,
  );
  const view = new IcmpView().at(bytes, 0);
  view.type = value.type;
  view.code = value.code;
  view.checksum = value.checksum;
  if (body.kind === 'query' || body.kind === 'timestamp' || body.kind === 'mask') {
    view.identifier = body.identifier;
    view.sequence = body.sequence;
  }
  switch (body.kind) {
    case 'query':
      break;
    case 'timestamp':
      writeU32(bytes, ICMP.originate, body.originate);
      writeU32(bytes, ICMP.receive, body.receive);
      writeU32(bytes, ICMP.transmit, body.transmit);
      break;
    case 'mask':
      bytes.set(ipv4FromText(body.mask), ICMP.addressMask);
      break;
    case 'unreachable':
      view.pointer = body.unused;
      view.quotedLength = body.quotedLength;
      view.nextHopMtu = body.nextHopMtu;
      break;
    case 'redirect':
      bytes.set(ipv4FromText(body.gateway), ICMP.gateway);
      break;
    case 'parameter':
      view.pointer = body.pointer;
      view.quotedLength = body.quotedLength;
      view.nextHopMtu = body.unused;
      break;
    case 'other':
      view.rest = body.rest;
  }
  return bytes;
}

const COMMON: readonly Field[] = [
  { name: 'type', label: 'Type', at: ICMP.type, size: 1, names: (type) => TYPE_NAMES[type] },
  { name: 'code', label: 'Code', at: ICMP.code, size: 1 },
  { name: 'checksum', label: 'Checksum', at: ICMP.checksum, size: 2, as: 'hex' },
];
const REST: Field = { name: 'rest', label: 'Rest of header', at: ICMP.rest, size: 4, as: 'hex' };
const QUERY: readonly Field[] = [
  { name: 'identifier', label: 'Identifier', at: ICMP.identifier, size: 2 },
  { name: 'sequence', label: 'Sequence Number', at: ICMP.sequence, size: 2 },
];
const TIMESTAMP: readonly Field[] = [
  ...QUERY,
  { name: 'originate', label: 'Originate Timestamp', at: ICMP.originate, size: 4 },
  { name: 'receive', label: 'Receive Timestamp', at: ICMP.receive, size: 4 },
  { name: 'transmit', label: 'Transmit Timestamp', at: ICMP.transmit, size: 4 },
];
const MASK: readonly Field[] = [
  ...QUERY,
  { name: 'mask', label: 'Address Mask', at: ICMP.addressMask, size: 4, as: 'ipv4' },
];
const UNREACHABLE: readonly Field[] = [
  { name: 'unused', label: 'Unused', at: ICMP.pointer, size: 1, as: 'hex' },
  { name: 'quotedLength', label: 'Length of the quoted packet', at: ICMP.length, size: 1 },
  { name: 'nextHopMtu', label: 'Next-Hop MTU', at: ICMP.nextHopMtu, size: 2 },
];
const PARAMETER: readonly Field[] = [
  { name: 'pointer', label: 'Pointer', at: ICMP.pointer, size: 1 },
  { name: 'quotedLength', label: 'Length of the quoted packet', at: ICMP.length, size: 1 },
  { name: 'unused', label: 'Unused', at: ICMP.nextHopMtu, size: 2, as: 'hex' },
];
const REDIRECT: readonly Field[] = [
  { name: 'gateway', label: 'Gateway Address', at: ICMP.gateway, size: 4, as: 'ipv4' },
];

function fieldsOf(type: number): readonly Field[] {
  switch (type) {
    case ICMP_TYPE.ECHO:
    case ICMP_TYPE.ECHO_REPLY:
    case ICMP_TYPE.INFORMATION_REQUEST:
    case ICMP_TYPE.INFORMATION_REPLY:
      return QUERY;
    case ICMP_TYPE.TIMESTAMP:
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return TIMESTAMP;
    case ICMP_TYPE.ADDRESS_MASK_REQUEST:
    case ICMP_TYPE.ADDRESS_MASK_REPLY:
      return MASK;
    case ICMP_TYPE.DESTINATION_UNREACHABLE:
    case ICMP_TYPE.TIME_EXCEEDED:
      return UNREACHABLE;
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return PARAMETER;
    case ICMP_TYPE.REDIRECT:
      return REDIRECT;
    default:
      return [REST];
  }
}

export function dissectIcmp(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const header = decodeIcmp(bytes, offset, end);
  if (!header.ok) {
    const fields = end - offset > 0 ? [...COMMON, ...fieldsOf(bytes[offset]!)] : COMMON;
    return failed(fields, bytes, offset, end, header.error);
  }
  const { type, code, checksum } = header.value;
  const note =
    context.unverifiable === undefined
      ? checksumNote(sum(bytes, offset, end - offset), checksum)
      : `unverifiable: ${context.unverifiable}`;
  const codeName = CODE_NAMES[type]?.[code];
  const name = TYPE_NAMES[type] ?? `type ${type}`;
  return {
    summary: codeName === undefined ? name : `${name}, ${codeName}`,
    length: header.length,
    fields: readFields([...COMMON, ...fieldsOf(type)], bytes, offset, end, {
      checksum: note,
      code: codeName,
    }),
    next: { protocol: isIcmpError(type) ? 'ipv4' : 'data', offset: offset + header.length, end, context: {} },
  };
}
