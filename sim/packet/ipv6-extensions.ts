/**
 * IPv6 extension headers (RFC 8200 §4), and how their chain is stepped through. ESP (RFC 4303) and "no next header"
 * end the chain: what follows cannot be read.
 */
import { readU16 } from './bytes.ts';
import { pseudoHeader6 } from './checksum.ts';
import { protocol } from './declaration/declare.ts';
import { derived, flag, hex, reserved, u8, u32, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import type { Follower } from './dissection.ts';
import { homeAddressAt, IPV6_OPTIONS, jumboLength } from './ipv6-options.ts';
import { IPPROTO, protocolName } from './numbers.ts';
import { ROUTING_DATA } from './routing-data.ts';

/** No extension header is shorter, in bytes. */
export const SHORTEST = 8;

/** @param filter Wireshark's name, which is another one in each header */
const nextHeader = (filter: string): ReturnType<typeof u8> =>
  u8('Next Header', {
    filter,
    scapy: 'nh',
    names: protocolName,
    computed: { what: 'next', space: 'ipProtocol' },
    preset: IPPROTO.NONE,
  });

/** A length in units of 8 bytes beyond the first 8. */
const inEights = {
  field: 'length',
  bytes: (units: number): number => (units + 1) * 8,
  count: (bytes: number): number => unitsOf(bytes, 8, 1),
} as const;

/** @throws {RangeError} where bytes cannot be counted so */
function unitsOf(bytes: number, unit: number, uncounted: number): number {
  const units = bytes / unit - uncounted;
  if (!Number.isInteger(units) || units > 255) {
    const most = (255 + uncounted) * unit;
    throw new RangeError(
      `an extension header of ${bytes} bytes: a multiple of ${unit} up to ${most} is possible`,
    );
  }
  return units;
}

const summary = ({ nextHeader }: { readonly nextHeader: number }): string =>
  `next: ${protocolName(nextHeader) ?? `protocol ${nextHeader}`}`;

export const HOPOPTS = protocol({
  name: 'hopopts',
  label: 'IPv6 Hop-by-Hop Options',
  source: 'RFC 8200 §4.3',
  fields: {
    nextHeader: nextHeader('ipv6.hopopts.nxt'),
    length: derived(8, 'Length', { filter: 'ipv6.hopopts.len', scapy: 'len' }),
  },
  tail: IPV6_OPTIONS,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.HOPOPTS] },
  summary,
});

export const DSTOPTS = protocol({
  name: 'dstopts',
  label: 'IPv6 Destination Options',
  source: 'RFC 8200 §4.6',
  fields: {
    nextHeader: nextHeader('ipv6.dstopts.nxt'),
    length: derived(8, 'Length', { filter: 'ipv6.dstopts.len', scapy: 'len' }),
  },
  tail: IPV6_OPTIONS,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.DSTOPTS] },
  summary,
});

export const ROUTING = protocol({
  name: 'routing',
  label: 'IPv6 Routing Header',
  source: 'RFC 8200 §4.4',
  fields: {
    nextHeader: nextHeader('ipv6.routing.nxt'),
    length: derived(8, 'Length', { filter: 'ipv6.routing.len', scapy: 'len' }),
    type: u8('Routing Type', { filter: 'ipv6.routing.type', scapy: 'type', edges: [0, 2, 3, 4] }),
    segmentsLeft: u8('Segments Left', { filter: 'ipv6.routing.segleft', scapy: 'segleft' }),
  },
  /** Behind "segments left": 4 bytes, then a multiple of 8. */
  tail: ROUTING_DATA,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.ROUTING] },
  summary,
});

export const FRAGMENT = protocol({
  name: 'fragment6',
  label: 'IPv6 Fragment Header',
  source: 'RFC 8200 §4.5',
  fields: {
    nextHeader: nextHeader('ipv6.fraghdr.nxt'),
    reserved: reserved(8),
    /** In units of 8 bytes. */
    fragmentOffset: unsigned(13, 'Fragment Offset', { filter: 'ipv6.fraghdr.offset', scapy: 'offset' }),
    reservedBits: reserved(2, 'Reserved bits'),
    moreFragments: flag('More Fragments', { filter: 'ipv6.fraghdr.more', scapy: 'm' }),
    identification: hex(32, 'Identification', { filter: 'ipv6.fraghdr.ident', scapy: 'id' }),
  },
  announcedBy: { ipv6Protocol: [IPPROTO.FRAGMENT] },
  summary,
  follow: ({ value, offset, length, end, context }) => ({
    ...(value.fragmentOffset > 0
      ? { protocol: 'fragment' }
      : { announced: { space: 'ipProtocol', number: value.nextHeader } }),
    offset: offset + length,
    end,
    context,
  }),
});

export const AH = protocol({
  name: 'ah',
  label: 'Authentication Header',
  source: 'RFC 4302 §2',
  fields: {
    nextHeader: nextHeader('ah.next_header'),
    /** In units of 4 bytes beyond the first 8. */
    length: derived(8, 'Length', { filter: 'ah.length', scapy: 'payloadlen' }),
    reserved: reserved(16),
    spi: hex(32, 'Security Parameters Index', { filter: 'ah.spi', scapy: 'spi' }),
    sequence: u32('Sequence Number', { filter: 'ah.sequence', scapy: 'seq' }),
  },
  /** The integrity check value, a multiple of 4 bytes. */
  tail: bytesTail('icv', 'Integrity check value', 4),
  headerLength: {
    field: 'length',
    bytes: (units) => (units + 2) * 4,
    count: (bytes) => unitsOf(bytes, 4, 2),
    least: 1,
  },
  announcedBy: { ipProtocol: [IPPROTO.AH] },
  summary,
});

const data = bytesTail('data', 'Data', 6);

export const MOBILITY = protocol({
  name: 'mobility',
  label: 'Mobility Header',
  source: 'RFC 6275 §6.1',
  fields: { nextHeader: nextHeader('mip6.proto'), length: derived(8, 'Length', { filter: 'mip6.hlen' }) },
  /** Behind the length: 6 bytes, then a multiple of 8. */
  tail: data,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.MH] },
  summary,
});

export const HIP = protocol({
  name: 'hip',
  label: 'Host Identity Protocol',
  source: 'RFC 7401 §5.1',
  fields: { nextHeader: nextHeader('hip.proto'), length: derived(8, 'Length', { filter: 'hip.hdr_len' }) },
  tail: data,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.HIP] },
  summary,
});

export const SHIM6 = protocol({
  name: 'shim6',
  label: 'Shim6',
  source: 'RFC 5533 §5',
  fields: { nextHeader: nextHeader('shim6.nxt'), length: derived(8, 'Length', { filter: 'shim6.len' }) },
  tail: data,
  headerLength: inEights,
  announcedBy: { ipv6Protocol: [IPPROTO.SHIM6] },
  summary,
});

export type FragmentHeader = ValueOf<typeof FRAGMENT>;

/** Is this next-header number one of a header with a chain behind it? */
export function isExtensionHeader(nextHeader: number): boolean {
  switch (nextHeader) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.ROUTING:
    case IPPROTO.FRAGMENT:
    case IPPROTO.AH:
    case IPPROTO.DSTOPTS:
    case IPPROTO.MH:
    case IPPROTO.HIP:
    case IPPROTO.SHIM6:
      return true;
    default:
      return false;
  }
}

/** The length in bytes that an extension header claims. At least 2 bytes must be there. */
export function extensionLength(header: number, bytes: Uint8Array, offset: number): number {
  if (header === IPPROTO.FRAGMENT) return 8;
  const units = bytes[offset + 1]!;
  return header === IPPROTO.AH ? (units + 2) * 4 : (units + 1) * 8;
}

/**
 * Where the destination lies that counts for the pseudo-header, given a routing header: the last segment as long
 * as segments are left (RFC 8200 §8.1). `destinationAt` where none is left; −1 for types that hide the address.
 */
export function routedDestinationAt(bytes: Uint8Array, offset: number, destinationAt: number): number {
  const segmentsLeft = bytes[offset + 3]!;
  if (segmentsLeft === 0) return destinationAt;
  const units = bytes[offset + 1]!;
  switch (bytes[offset + 2]) {
    case 0: // Source route, deprecated by RFC 5095: addresses in the order of the visit.
    case 2: // Mobile IPv6, one address (RFC 6275 §6.4).
      return units >= 2 ? offset + 8 + ((units >> 1) - 1) * 16 : -1;
    case 4: // Segment routing: the list is encoded from the last segment on (RFC 8754 §2).
      return units >= 2 ? offset + 8 : -1;
    default: // RPL (RFC 6554) compresses addresses; others are not known.
      return -1;
  }
}

/** What follows a fixed header, and what the upper layer needs from below. */
export function followIpv6(
  bytes: Uint8Array,
  headerAt: number,
  end: number,
  nextHeader: number,
  payloadLength: number,
): Follower {
  let sourceAt = headerAt + 8;
  let destinationAt = headerAt + 24;
  let unverifiable: string | undefined;
  let isDestinationHidden = false;
  const start = headerAt + 40;
  const jumbo =
    payloadLength === 0 && nextHeader === IPPROTO.HOPOPTS && end - start >= SHORTEST
      ? jumboLength(bytes, start + 2, Math.min(end, start + extensionLength(nextHeader, bytes, start)))
      : 0;
  const declaredEnd = start + (jumbo || payloadLength);
  const payloadEnd = Math.min(declaredEnd, end);
  let header = nextHeader;
  let at = start;
  while (isExtensionHeader(header) && payloadEnd - at >= SHORTEST) {
    if (header === IPPROTO.FRAGMENT && (readU16(bytes, at + 2) & 0xfff9) !== 0) {
      unverifiable = 'fragment';
    }
    if (header === IPPROTO.ROUTING) {
      const routed = routedDestinationAt(bytes, at, destinationAt);
      if (routed < 0 || routed + 16 > payloadEnd) isDestinationHidden = true;
      else destinationAt = routed;
    }
    const length = extensionLength(header, bytes, at);
    if (header === IPPROTO.DSTOPTS) {
      const home = homeAddressAt(bytes, at + 2, Math.min(payloadEnd, at + length));
      if (home >= 0) sourceAt = home;
    }
    header = bytes[at]!;
    at += length;
  }
  return {
    announced: { space: 'ipProtocol', number: nextHeader },
    offset: start,
    end: payloadEnd,
    context: {
      version: 6,
      pseudoHeader: (protocol, length) => pseudoHeader6(bytes, sourceAt, destinationAt, protocol, length),
      isCutOff: declaredEnd > end,
      isDestinationHidden,
      ...(unverifiable === undefined ? {} : { unverifiable }),
    },
  };
}
