/** The Internet Protocol, version 4 (RFC 791). */
import { ipv4FromText, ipv4ToText } from './addresses.ts';
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { pseudoHeader4, sum, update, verify } from './checksum.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import {
  type Context,
  checksumNote,
  type Dissection,
  type Field,
  type Follower,
  failed,
  readFields,
  type TreeNode,
} from './dissection.ts';
import { protocolOfNumber } from './followers.ts';
import {
  decodeIpv4Options,
  dissectIpv4Options,
  encodeIpv4Options,
  finalDestinationAt,
  type Ipv4Option,
} from './ipv4-options.ts';
import { protocolName } from './numbers.ts';

export const IPV4 = {
  versionAndIhl: 0,
  tos: 1,
  totalLength: 2,
  identification: 4,
  flagsAndOffset: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  options: 20,
  /** Without options. */
  headerLength: 20,
} as const;

export const IPV4_RESERVED = 0x8000;
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
export const IPV4_OFFSET_MASK = 0x1fff;

/** A header in place. Holds for 20 bytes at the least; the options, for `headerLength` bytes. */
export class Ipv4View {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get version(): number {
    return this.bytes[this.offset]! >> 4;
  }

  set version(value: number) {
    this.bytes[this.offset] = (value << 4) | this.ihl;
  }

  /** Internet header length in 32-bit words. */
  get ihl(): number {
    return this.bytes[this.offset]! & 0x0f;
  }

  set ihl(value: number) {
    this.bytes[this.offset] = (this.version << 4) | (value & 0x0f);
  }

  /** `ihl` in bytes. */
  get headerLength(): number {
    return this.ihl * 4;
  }

  /** Type of service: DSCP and ECN (RFC 2474, RFC 3168). */
  get tos(): number {
    return this.bytes[this.offset + IPV4.tos]!;
  }

  set tos(value: number) {
    this.bytes[this.offset + IPV4.tos] = value;
  }

  /** Header and data in bytes. */
  get totalLength(): number {
    return readU16(this.bytes, this.offset + IPV4.totalLength);
  }

  set totalLength(value: number) {
    writeU16(this.bytes, this.offset + IPV4.totalLength, value);
  }

  get identification(): number {
    return readU16(this.bytes, this.offset + IPV4.identification);
  }

  set identification(value: number) {
    writeU16(this.bytes, this.offset + IPV4.identification, value);
  }

  /** Reserved, DF and MF, 3 bits. */
  get flags(): number {
    return this.bytes[this.offset + IPV4.flagsAndOffset]! >> 5;
  }

  set flags(value: number) {
    const at = this.offset + IPV4.flagsAndOffset;
    this.bytes[at] = (value << 5) | (this.bytes[at]! & 0x1f);
  }

  /** In units of 8 bytes, 13 bits. */
  get fragmentOffset(): number {
    return readU16(this.bytes, this.offset + IPV4.flagsAndOffset) & IPV4_OFFSET_MASK;
  }

  set fragmentOffset(value: number) {
    const at = this.offset + IPV4.flagsAndOffset;
    writeU16(this.bytes, at, (this.flags << 13) | (value & IPV4_OFFSET_MASK));
  }

  /** A fragment of any kind: MF set or an offset; DF and the reserved bit do not matter. */
  get isFragment(): boolean {
    return (readU16(this.bytes, this.offset + IPV4.flagsAndOffset) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0;
  }

  /** A fragment in which the upper layer's header is not. */
  get isLaterFragment(): boolean {
    return this.fragmentOffset !== 0;
  }

  get ttl(): number {
    return this.bytes[this.offset + IPV4.ttl]!;
  }

  set ttl(value: number) {
    this.bytes[this.offset + IPV4.ttl] = value;
  }

  get protocol(): number {
    return this.bytes[this.offset + IPV4.protocol]!;
  }

  set protocol(value: number) {
    this.bytes[this.offset + IPV4.protocol] = value;
  }

  get checksum(): number {
    return readU16(this.bytes, this.offset + IPV4.checksum);
  }

  set checksum(value: number) {
    writeU16(this.bytes, this.offset + IPV4.checksum, value);
  }

  get source(): number {
    return readU32(this.bytes, this.offset + IPV4.source);
  }

  set source(value: number) {
    writeU32(this.bytes, this.offset + IPV4.source, value);
  }

  get sourceAt(): number {
    return this.offset + IPV4.source;
  }

  get destination(): number {
    return readU32(this.bytes, this.offset + IPV4.destination);
  }

  set destination(value: number) {
    writeU32(this.bytes, this.offset + IPV4.destination, value);
  }

  get destinationAt(): number {
    return this.offset + IPV4.destination;
  }

  /** Is the header's checksum right? */
  verifyChecksum(): boolean {
    return verify(this.bytes, this.offset, this.headerLength);
  }

  /** Computes the header's checksum from scratch. */
  fillChecksum(): void {
    this.checksum = 0;
    this.checksum = ~sum(this.bytes, this.offset, this.headerLength);
  }

  /** What a router does: one hop less, and the checksum updated (RFC 1624). */
  decrementTtl(): void {
    const at = this.offset + IPV4.ttl;
    const before = readU16(this.bytes, at);
    this.ttl = this.ttl - 1;
    this.checksum = update(this.checksum, before, readU16(this.bytes, at));
  }
}

/**
 * May an IPv4 header stand here? Returns its length in bytes, or 0: fewer than 20 bytes, another version, an ihl
 * below 5 or beyond the end. The gate before a view; `decodeIpv4` says what was wrong.
 */
export function ipv4HeaderLength(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < IPV4.headerLength) return 0;
  const first = bytes[offset]!;
  const length = (first & 0x0f) * 4;
  return first >> 4 === 4 && length >= IPV4.headerLength && length <= end - offset ? length : 0;
}

export interface Ipv4Header {
  readonly tos: number;
  readonly totalLength: number;
  readonly identification: number;
  readonly reserved: boolean;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksum: number;
  readonly source: string;
  readonly destination: string;
  readonly options: readonly Ipv4Option[];
}

/**
 * The total length is taken as it stands: whether it fits the bytes is a question about the data, and a capture
 * may be cut off. But it must cover the header (RFC 791 §3.1).
 */
export function decodeIpv4(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<Ipv4Header> {
  const available = end - offset;
  if (available < IPV4.headerLength) return tooShort('ipv4', offset, IPV4.headerLength, available);
  const view = new Ipv4View().at(bytes, offset);
  if (view.version !== 4) return wrongValue('ipv4', offset, 'version', view.version, '4');
  if (view.ihl < 5) return wrongValue('ipv4', offset, 'ihl', view.ihl, 'at least 5');
  const length = view.headerLength;
  if (length > available) return tooShort('ipv4', offset, length, available, 'ihl');
  if (view.totalLength < length) {
    return wrongValue('ipv4', offset, 'totalLength', view.totalLength, `at least the header's ${length}`);
  }
  const value = {
    tos: view.tos,
    totalLength: view.totalLength,
    identification: view.identification,
    reserved: (view.flags & 4) !== 0,
    dontFragment: (view.flags & 2) !== 0,
    moreFragments: (view.flags & 1) !== 0,
    fragmentOffset: view.fragmentOffset,
    ttl: view.ttl,
    protocol: view.protocol,
    checksum: view.checksum,
    source: ipv4ToText(bytes, view.sourceAt),
    destination: ipv4ToText(bytes, view.destinationAt),
    options: decodeIpv4Options(bytes, offset + IPV4.options, offset + length),
  };
  return decoded(value, length);
}

/**
 * The header exactly as the value says, checksum included; `ihl` follows from the options.
 * @throws {SyntaxError} when an address is none
 * @throws {RangeError} when the options take more than 40 bytes
 */
export function encodeIpv4(value: Ipv4Header): Uint8Array {
  const options = encodeIpv4Options(value.options);
  const bytes = new Uint8Array(IPV4.headerLength + options.length);
  const view = new Ipv4View().at(bytes, 0);
  view.version = 4;
  view.ihl = bytes.length / 4;
  view.tos = value.tos;
  view.totalLength = value.totalLength;
  view.identification = value.identification;
  view.flags = (value.reserved ? 4 : 0) | (value.dontFragment ? 2 : 0) | (value.moreFragments ? 1 : 0);
  view.fragmentOffset = value.fragmentOffset;
  view.ttl = value.ttl;
  view.protocol = value.protocol;
  view.checksum = value.checksum;
  bytes.set(ipv4FromText(value.source), IPV4.source);
  bytes.set(ipv4FromText(value.destination), IPV4.destination);
  bytes.set(options, IPV4.options);
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'version', label: 'Version', at: IPV4.versionAndIhl, size: 1, shift: 4, bits: 4 },
  { name: 'ihl', label: 'Header Length', at: IPV4.versionAndIhl, size: 1, shift: 0, bits: 4 },
  { name: 'tos', label: 'Type of Service', at: IPV4.tos, size: 1, as: 'hex' },
  { name: 'totalLength', label: 'Total Length', at: IPV4.totalLength, size: 2 },
  { name: 'identification', label: 'Identification', at: IPV4.identification, size: 2, as: 'hex' },
  { name: 'reserved', label: 'Reserved bit', at: IPV4.flagsAndOffset, size: 2, shift: 15, bits: 1 },
  { name: 'dontFragment', label: "Don't fragment", at: IPV4.flagsAndOffset, size: 2, shift: 14, bits: 1 },
  { name: 'moreFragments', label: 'More fragments', at: IPV4.flagsAndOffset, size: 2, shift: 13, bits: 1 },
  { name: 'fragmentOffset', label: 'Fragment Offset', at: IPV4.flagsAndOffset, size: 2, shift: 0, bits: 13 },
  { name: 'ttl', label: 'Time to Live', at: IPV4.ttl, size: 1 },
  { name: 'protocol', label: 'Protocol', at: IPV4.protocol, size: 1, names: protocolName },
  { name: 'checksum', label: 'Header Checksum', at: IPV4.checksum, size: 2, as: 'hex' },
  { name: 'source', label: 'Source Address', at: IPV4.source, size: 4, as: 'ipv4' },
  { name: 'destination', label: 'Destination Address', at: IPV4.destination, size: 4, as: 'ipv4' },
];

export function dissectIpv4(bytes: Uint8Array, offset: number, end: number, _context: Context): Dissection {
  const header = decodeIpv4(bytes, offset, end);
  if (!header.ok) {
    const headerEnd = Math.min(end, offset + IPV4.headerLength);
    return failed(FIELDS, bytes, offset, headerEnd, header.error);
  }
  const { source, destination, checksum, totalLength } = header.value;
  const fields = readFields(FIELDS, bytes, offset, end, {
    checksum: checksumNote(sum(bytes, offset, header.length), checksum),
    totalLength: totalLength > end - offset ? `only ${end - offset} bytes are there` : undefined,
  });
  const options: TreeNode[] = dissectIpv4Options(bytes, offset + IPV4.options, offset + header.length);
  return {
    summary: `${source} → ${destination}`,
    length: header.length,
    fields: [...fields, ...options],
    next: follower(bytes, offset, end, header.value, header.length),
  };
}

function follower(
  bytes: Uint8Array,
  offset: number,
  end: number,
  header: Ipv4Header,
  headerLength: number,
): Follower {
  const declaredEnd = offset + header.totalLength;
  const isFragment = header.moreFragments || header.fragmentOffset > 0;
  const unverifiable = isFragment ? 'fragment' : declaredEnd > end ? 'cut off' : undefined;
  const destinationAt = finalDestinationAt(bytes, offset, headerLength);
  return {
    protocol: header.fragmentOffset > 0 ? 'fragment' : protocolOfNumber(header.protocol),
    offset: offset + headerLength,
    end: Math.min(declaredEnd, end),
    context: {
      pseudoHeader: (protocol, length) =>
        pseudoHeader4(bytes, offset + IPV4.source, destinationAt, protocol, length),
      ...(unverifiable === undefined ? {} : { unverifiable }),
    },
  };
}
