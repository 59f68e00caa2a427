/** The Internet Protocol, version 4 (RFC 791). */
import { readU16, writeU16 } from './bytes.ts';
import { checksum, pseudoHeader4, update } from './checksum.ts';
import { protocol } from './declaration/declare.ts';
import { constant, derived, flag, hex, ipv4Address, u8, u16, unsigned } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Context, Follower } from './dissection.ts';
import { finalDestinationAt, IPV4_OPTIONS } from './ipv4-options.ts';
import { ETHERTYPE, IPPROTO, protocolName } from './numbers.ts';

export const IPV4 = protocol({
  name: 'ipv4',
  label: 'Internet Protocol Version 4',
  source: 'RFC 791',
  fields: {
    version: constant(4, 'Version', 4, { filter: 'ip.version', scapy: 'version' }),
    /** Internet header length in 32-bit words. */
    ihl: derived(4, 'Header Length', { scapy: 'ihl' }),
    /** Type of service: DSCP and ECN (RFC 2474, RFC 3168). */
    tos: hex(8, 'Type of Service', { filter: 'ip.dsfield', scapy: 'tos' }),
    /** Header and data in bytes. */
    totalLength: u16('Total Length', {
      filter: 'ip.len',
      scapy: 'len',
      computed: { what: 'length', less: 0, unit: 1 },
    }),
    identification: hex(16, 'Identification', { filter: 'ip.id', scapy: 'id', preset: 1 }),
    reserved: flag('Reserved bit', { filter: 'ip.flags.rb' }),
    dontFragment: flag("Don't fragment", { filter: 'ip.flags.df' }),
    moreFragments: flag('More fragments', { filter: 'ip.flags.mf' }),
    /** In units of 8 bytes. */
    fragmentOffset: unsigned(13, 'Fragment Offset', { filter: 'ip.frag_offset', scapy: 'frag' }),
    ttl: u8('Time to Live', { filter: 'ip.ttl', scapy: 'ttl', preset: 64, edges: [0, 1, 2] }),
    protocol: u8('Protocol', {
      filter: 'ip.proto',
      scapy: 'proto',
      names: protocolName,
      computed: { what: 'next', space: 'ipProtocol' },
      preset: 253,
    }),
    checksum: hex(16, 'Header Checksum', {
      filter: 'ip.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'header' },
    }),
    source: ipv4Address('Source Address', { filter: 'ip.src', scapy: 'src', preset: '10.11.1.2' }),
    destination: ipv4Address('Destination Address', { filter: 'ip.dst', scapy: 'dst', preset: '10.11.1.1' }),
  },
  tail: IPV4_OPTIONS,
  headerLength: { field: 'ihl', bytes: (words) => words * 4, count: (bytes) => bytes / 4, least: 5 },
  announcedBy: {
    etherType: [ETHERTYPE.IPV4],
    ipProtocol: [IPPROTO.IPIP],
    pppProtocol: [0x0021],
    nshProtocol: [1],
    /** RFC 948. */
    llcSap: [0x06],
  },
  summary: ({ source, destination }) => `${source} → ${destination}`,
  // Whether the total length fits the bytes is a question about the data: a capture may be cut off. But it must
  // cover the header (RFC 791 §3.1).
  refuses: ({ value, length, context }) =>
    value.totalLength < length && !endsWithFrame(value, context)
      ? { field: 'totalLength', expected: `at least the header's ${length}` }
      : undefined,
  follow,
});

export type Ipv4Header = ValueOf<typeof IPV4>;

export const IPV4_RESERVED = 0x8000;
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
export const IPV4_OFFSET_MASK = 0x1fff;

/**
 * May an IPv4 header stand here? Returns its length in bytes, or 0: fewer than 20 bytes, another version, an ihl
 * below 5 or beyond the end. The gate for hot code; `IPV4.decode` says what was wrong.
 */
export function ipv4HeaderLength(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < 20) return 0;
  const first = bytes[offset]!;
  const length = (first & 0x0f) * 4;
  return first >> 4 === 4 && length >= 20 && length <= end - offset ? length : 0;
}

/** What a router does: one hop less, and the checksum updated (RFC 1624). */
export function decrementTtl(bytes: Uint8Array, offset: number): void {
  const at = offset + IPV4.at.ttl;
  const checksumAt = offset + IPV4.at.checksum;
  const before = readU16(bytes, at);
  bytes[at]!--;
  writeU16(bytes, checksumAt, update(readU16(bytes, checksumAt), before, readU16(bytes, at)));
}

/** Computes the header's checksum from scratch. */
export function fillIpv4Checksum(bytes: Uint8Array, offset: number): void {
  writeU16(bytes, offset + IPV4.at.checksum, 0);
  writeU16(bytes, offset + IPV4.at.checksum, checksum(bytes, offset, (bytes[offset]! & 0x0f) * 4));
}

interface Following {
  readonly totalLength: number;
  readonly moreFragments: boolean;
  readonly fragmentOffset: number;
  readonly protocol: number;
}

/** Is a length of 0 one that the kernel wrote into a captured packet? */
function endsWithFrame(
  { totalLength, protocol }: Pick<Following, 'totalLength' | 'protocol'>,
  { isCaptured }: Context,
): boolean {
  return isCaptured === true && totalLength === 0 && protocol === IPPROTO.TCP;
}

function follow({ value, bytes, offset, length: headerLength, end, context }: Header<Following>): Follower {
  const declaredEnd = endsWithFrame(value, context) ? end : offset + value.totalLength;
  const isFragment = value.moreFragments || value.fragmentOffset > 0;
  const destinationAt = finalDestinationAt(bytes, offset, headerLength);
  return {
    ...(value.fragmentOffset > 0
      ? { protocol: 'fragment' as const }
      : { announced: { space: 'ipProtocol', number: value.protocol } }),
    offset: offset + headerLength,
    end: Math.min(declaredEnd, end),
    context: {
      version: 4,
      pseudoHeader: (protocol, length) => pseudoHeader4(bytes, offset + 12, destinationAt, protocol, length),
      isCutOff: declaredEnd > end,
      ...(isFragment ? { unverifiable: 'fragment' } : {}),
    },
  };
}
