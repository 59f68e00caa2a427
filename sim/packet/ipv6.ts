/** The Internet Protocol, version 6: the fixed header (RFC 8200 §3). Extension headers: `ipv6-extensions.ts`. */
import { ipv6FromText, ipv6ToText } from './addresses.ts';
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import { type Context, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { followIpv6 } from './ipv6-extensions.ts';
import { protocolName } from './numbers.ts';

export const IPV6 = {
  versionClassAndFlow: 0,
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  headerLength: 40,
} as const;

/** A fixed header in place. Holds for 40 bytes at the least. */
export class Ipv6View {
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
    this.bytes[this.offset] = (value << 4) | (this.bytes[this.offset]! & 0x0f);
  }

  /** 8 bits across two bytes. */
  get trafficClass(): number {
    return (readU16(this.bytes, this.offset) >> 4) & 0xff;
  }

  set trafficClass(value: number) {
    writeU16(this.bytes, this.offset, (readU16(this.bytes, this.offset) & 0xf00f) | ((value & 0xff) << 4));
  }

  /** 20 bits. */
  get flowLabel(): number {
    return readU32(this.bytes, this.offset) & 0xfffff;
  }

  set flowLabel(value: number) {
    writeU32(this.bytes, this.offset, (readU32(this.bytes, this.offset) & ~0xfffff) | (value & 0xfffff));
  }

  /** Bytes behind the fixed header, extension headers included. */
  get payloadLength(): number {
    return readU16(this.bytes, this.offset + IPV6.payloadLength);
  }

  set payloadLength(value: number) {
    writeU16(this.bytes, this.offset + IPV6.payloadLength, value);
  }

  get nextHeader(): number {
    return this.bytes[this.offset + IPV6.nextHeader]!;
  }

  set nextHeader(value: number) {
    this.bytes[this.offset + IPV6.nextHeader] = value;
  }

  get hopLimit(): number {
    return this.bytes[this.offset + IPV6.hopLimit]!;
  }

  set hopLimit(value: number) {
    this.bytes[this.offset + IPV6.hopLimit] = value;
  }

  get sourceAt(): number {
    return this.offset + IPV6.source;
  }

  get destinationAt(): number {
    return this.offset + IPV6.destination;
  }
}

/** May an IPv6 header stand here: 40 bytes and version 6? The gate before a view. */
export function isIpv6(bytes: Uint8Array, offset: number, end: number): boolean {
  return end - offset >= IPV6.headerLength && bytes[offset]! >> 4 === 6;
}

export interface Ipv6Header {
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: string;
  readonly destination: string;
}

export function decodeIpv6(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<Ipv6Header> {
  if (end - offset < IPV6.headerLength) return tooShort('ipv6', offset, IPV6.headerLength, end - offset);
  const view = new Ipv6View().at(bytes, offset);
  if (view.version !== 6) return wrongValue('ipv6', offset, 'version', view.version, '6');
  const value = {
    trafficClass: view.trafficClass,
    flowLabel: view.flowLabel,
    payloadLength: view.payloadLength,
    nextHeader: view.nextHeader,
    hopLimit: view.hopLimit,
    source: ipv6ToText(bytes, view.sourceAt),
    destination: ipv6ToText(bytes, view.destinationAt),
  };
  return decoded(value, IPV6.headerLength);
}

/** @throws {SyntaxError} when an address is none */
export function encodeIpv6(value: Ipv6Header): Uint8Array {
  const bytes = new Uint8Array(IPV6.headerLength);
  const view = new Ipv6View().at(bytes, 0);
  view.version = 6;
  view.trafficClass = value.trafficClass;
  view.flowLabel = value.flowLabel;
  view.payloadLength = value.payloadLength;
  view.nextHeader = value.nextHeader;
  view.hopLimit = value.hopLimit;
  bytes.set(ipv6FromText(value.source), IPV6.source);
  bytes.set(ipv6FromText(value.destination), IPV6.destination);
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'version', label: 'Version', at: 0, size: 4, shift: 28, bits: 4 },
  { name: 'trafficClass', label: 'Traffic Class', at: 0, size: 4, shift: 20, bits: 8, as: 'hex' },
  { name: 'flowLabel', label: 'Flow Label', at: 0, size: 4, shift: 0, bits: 20, as: 'hex' },
  { name: 'payloadLength', label: 'Payload Length', at: IPV6.payloadLength, size: 2 },
  { name: 'nextHeader', label: 'Next Header', at: IPV6.nextHeader, size: 1, names: protocolName },
  { name: 'hopLimit', label: 'Hop Limit', at: IPV6.hopLimit, size: 1 },
  { name: 'source', label: 'Source Address', at: IPV6.source, size: 16, as: 'ipv6' },
  { name: 'destination', label: 'Destination Address', at: IPV6.destination, size: 16, as: 'ipv6' },
];

export function dissectIpv6(bytes: Uint8Array, offset: number, end: number, _context: Context): Dissection {
  const header = decodeIpv6(bytes, offset, end);
  if (!header.ok) {
    const headerEnd = Math.min(end, offset + IPV6.headerLength);
    return failed(FIELDS, bytes, offset, headerEnd, header.error);
  }
  const { source, destination, payloadLength } = header.value;
  const available = end - offset - IPV6.headerLength;
  return {
    summary: `${source} → ${destination}`,
    length: header.length,
    fields: readFields(FIELDS, bytes, offset, end, {
      payloadLength: payloadLength > available ? `only ${available} bytes are there` : undefined,
    }),
    next: followIpv6(bytes, offset, end, header.value.nextHeader, payloadLength),
  };
}
