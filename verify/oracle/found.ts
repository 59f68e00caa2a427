/** What the scanner of `checksums.ts` reports about a packet: its checksums, and its headers with their lengths. */

/** The kinds of checksum, as small numbers: indices of `CHECKSUM_LAYERS`. */
export const LAYER = {
  ipv4: 0,
  icmp: 1,
  icmpv6: 2,
  tcp: 3,
  udp: 4,
  udplite: 5,
  dccp: 6,
  sctp: 7,
  igmp: 8,
  pim: 9,
  vrrp: 10,
  ospf: 11,
  ospf3: 12,
  gre: 13,
  icmpext: 14,
} as const;
export const CHECKSUM_LAYERS = [
  'ipv4',
  'icmp',
  'icmpv6',
  'tcp',
  'udp',
  'udplite',
  'dccp',
  'sctp',
  'igmp',
  'pim',
  'vrrp',
  'ospf',
  'ospf3',
  'gre',
  'icmpext',
] as const satisfies readonly (keyof typeof LAYER)[];
export type ChecksumLayer = (typeof CHECKSUM_LAYERS)[number];

/** The result of checking one checksum, as small numbers: indices of `CHECKSUM_STATUSES`. */
export const CHECKSUM = {
  good: 0,
  bad: 1,
  /** UDP checksum 0 over IPv6 (RFC 8200 §8.1), except in tunnels (RFC 6935); any of UDP-Lite (RFC 3828 §3.1). */
  illegal: 2,
  /** UDP checksum 0 over IPv4: the sender computed none (RFC 768). OSPF with cryptographic authentication has none either, nor have ICMP
   * extensions with a 0 (RFC 4884 §7).
   */
  absent: 3,
  /** Not all that it covers is there: a fragment, a truncated or contradictory packet, a message without its header. */
  unverifiable: 4,
} as const;
/**
 * Of a checksum that must not be what it is: does anybody know what should stand there? Not of a 0 that is not allowed where the lengths
 * contradict each other, so that nothing says what it is to cover.
 */
export function isRightKnown({
  got,
  expected,
}: {
  readonly got: number;
  readonly expected: number;
}): boolean {
  return got !== expected;
}

export const CHECKSUM_STATUSES = ['good', 'bad', 'illegal', 'absent', 'unverifiable'] as const;
export type ChecksumStatus = (typeof CHECKSUM_STATUSES)[number];

/** One checksum as the sink sees it. Valid only while the sink runs. Places are offsets from the packet's first byte. */
export interface FoundChecksum {
  /** An index of `CHECKSUM_LAYERS`. */
  readonly layer: number;
  /** 0 for the outermost of its kind. */
  readonly depth: number;
  /** An index of `CHECKSUM_STATUSES`. */
  readonly status: number;
  /** Where the checksum field lies; -1 where the packet does not hold it. */
  readonly at: number;
  /** What stands there, 0 where it is not held: 16 bits, of SCTP 32. */
  readonly got: number;
  /** What should stand there; equal to `got` unless bad or illegal, and of illegal ones where nobody knows it. */
  readonly expected: number;
  /**
   * The ones' complement sum of all that is covered, field and pseudo-header included: 0xFFFF where right. For a
   * fragment the sum of its part, without the pseudo-header's length. -1 where truncated, and for SCTP, whose
   * checksum is no sum.
   */
  readonly sum: number;
  /** The covered bytes, pseudo-header apart. */
  readonly start: number;
  readonly end: number;
  /** Length of each address in the pseudo-header, 0 where there is no pseudo-header. */
  readonly addressLength: number;
  readonly source: number;
  /** The final destination's address, which a routing header may hold (RFC 8200 §8.1). */
  readonly destination: number;
  /** The protocol number in the pseudo-header. */
  readonly protocol: number;
  /** The length in the pseudo-header. */
  readonly length: number;
}

/** The kinds of headers: those of `LAYER`, and IPv6, which has no checksum. */
export const HEADER = { ...LAYER, ipv6: 15 } as const;
export const HEADER_NAMES = [...CHECKSUM_LAYERS, 'ipv6'] as const;

/** Is a header of this kind IPv4 or IPv6? */
export function isIp(kind: number): boolean {
  return kind === HEADER.ipv4 || kind === HEADER.ipv6;
}

export type HeaderName = (typeof HEADER_NAMES)[number];

/** What is wrong with a header by itself, as bits. */
export const HEADER_FLAG = {
  /** The packet ends within it. */
  cut: 1,
  /** Version, header length or data offset are impossible, or its extension headers do not fit. */
  impossible: 2,
  /** It lies in the packet that an ICMP error quotes, which may end anywhere (RFC 792, RFC 4443 §2.4 c). */
  quoted: 4,
} as const;

/** Which part of a datagram a packet holds. */
export const PART = { whole: 0, firstFragment: 1, laterFragment: 2 } as const;

/** One header as the sink sees it. Valid only while the sink runs. Places are offsets from the packet's first byte. */
export interface FoundHeader {
  /** One of `HEADER`. */
  readonly headerKind: number;
  readonly headerStart: number;
  /** Where the header ends by its own account: options and IPv6 extension headers included. */
  readonly headerEnd: number;
  /** Where its packet ends by its own account; for TCP and ICMP, which state no length, where the one around them ends. */
  readonly claimedEnd: number;
  /** Where the one around it ends by its account, or the frame where that is earlier. */
  readonly room: number;
  /** Bits of `HEADER_FLAG`. */
  readonly headerFlags: number;
  /** One of `PART`; for transport headers, that of the IP packet around them. */
  readonly part: number;
  /** Fragment offset in bytes, plus 1 where more fragments follow; 0 for a whole datagram. */
  readonly fragment: number;
}

/** Where the number of a protocol that is not followed comes from. */
export const UNKNOWN = {
  etherType: 0,
  ipProtocol: 1,
  udpPort: 2,
  pppProtocol: 3,
  llcSap: 4,
  /** Of the organization's three bytes and its type's two. */
  snap: 5,
} as const;

export interface ChecksumSink {
  checksum(found: FoundChecksum): void;
  /**
   * Called where a protocol is not followed, or is stepped over without its checksum.
   * @param space one of `UNKNOWN`
   */
  unknown?(space: number, number: number): void;
  /** Called where a link-layer frame cannot be read, with the reason: "encrypted 802.11 frames". */
  unreadable?(reason: string): void;
  /** Called for each header before its checksum. */
  header?(found: FoundHeader): void;
}
