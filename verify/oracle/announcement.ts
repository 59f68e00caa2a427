/**
 * What a frame says right in front of an IP packet about what follows: an EtherType, GRE's protocol type, or the protocol
 * number of the IP header around it. And packets that a program left as they came, but to which nothing leads any more,
 * so that no oracle for lengths or checksums sees them.
 */
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import { isTpid } from '../../sim/packet/vlan.ts';
import { HEADER, HEADER_FLAG, isIp } from './found.ts';
import { type FramePair, protocolPlace } from './frame-pair.ts';
import type { HeaderList } from './header-list.ts';

export interface Announcement {
  readonly by: 'etherType' | 'gre' | 'protocol';
  /** Where the number lies; an EtherType and GRE's have two bytes, a protocol number has one. */
  readonly at: number;
  readonly number: number;
}

/** An IP packet that came, and lies in the frame that left. */
export interface LostPacket {
  readonly version: 4 | 6;
  /** Where it begins in the frame that left. */
  readonly start: number;
  /** What is said in front of it, which is not what it is. */
  readonly says: Announcement;
  /** Did the frame say what it is when it came? Behind MPLS, say, only the packet itself does. */
  readonly wasNamed: boolean;
}

/** The outermost packet that is where something in front of it could name it, and does not; undefined: none. */
export function lostPacket(pair: FramePair): LostPacket | undefined {
  if (pair.cameBroken) return undefined;
  // Where nothing leads to the packet any more, its bytes tell by how much it moved: something went at the head.
  return lostBy(pair, pair.shift) ?? lostBy(pair, pair.beforeLength - pair.afterLength);
}

function lostBy(pair: FramePair, shift: number): LostPacket | undefined {
  const { was, is } = pair;
  for (let row = 0; row < was.count; row++) {
    if ((was.flags[row]! & HEADER_FLAG.quoted) !== 0) return undefined;
    const kind = was.kind[row]!;
    if (!isIp(kind)) continue;
    const start = was.start[row]! - shift;
    if (isFound(is, kind, start)) return undefined;
    if (start >= 14 && pair.isForwarded(kind, start, shift)) return announced(pair, row, start);
  }
  return undefined;
}

function isFound(is: HeaderList, kind: number, start: number): boolean {
  for (let row = 0; row < is.count; row++) {
    if (is.start[row] === start && is.kind[row] === kind)
      return (is.flags[row]! & HEADER_FLAG.impossible) === 0;
  }
  return false;
}

function announced(pair: FramePair, row: number, start: number): LostPacket | undefined {
  const { was, is } = pair;
  const version = was.kind[row] === HEADER.ipv4 ? 4 : 6;
  const says = announcementBefore(pair.after, pair.afterOffset, is, start);
  if (says === undefined || says.number === rightNumber(says.by, version)) return undefined;
  const said = announcementBefore(pair.before, pair.beforeOffset, was, was.start[row]!);
  return {
    version,
    start,
    says,
    wasNamed: said !== undefined && said.number === rightNumber(said.by, version),
  };
}

/** What names an IP packet of this version. */
export function rightNumber(by: Announcement['by'], version: 4 | 6): number {
  if (by === 'protocol') return version === 4 ? IPPROTO.IPIP : IPPROTO.IPV6;
  return version === 4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6;
}

/** What a frame with these headers says right in front of a place. */
function announcementBefore(
  frame: Uint8Array,
  offset: number,
  headers: HeaderList,
  start: number,
): Announcement | undefined {
  for (let row = headers.count - 1; row >= 0; row--) {
    const kind = headers.kind[row]!;
    if (!isIp(kind)) continue;
    const at = headers.start[row]!;
    // Behind extension headers the last of them names what follows; a fragment holds a part of it.
    const isPlain = kind === HEADER.ipv4 || headers.headerEnd[row] === at + 40;
    if (!isPlain || headers.fragment[row] !== 0 || (headers.flags[row]! & NO_HEADER) !== 0) continue;
    const end = headers.headerEnd[row]!;
    const protocolAt = at + protocolPlace(kind);
    const number = frame[offset + protocolAt]!;
    if (end === start) return { by: 'protocol', at: protocolAt, number };
    const isGre = number === IPPROTO.GRE && end + 4 <= start;
    if (isGre && end + (greSize(read16(frame, offset + end)) ?? 0) === start)
      return { by: 'gre', at: end + 2, number: read16(frame, offset + end + 2) };
  }
  const typeAt = lastTypeAt(frame, offset, start - 2);
  return typeAt + 2 === start
    ? { by: 'etherType', at: typeAt, number: read16(frame, offset + typeAt) }
    : undefined;
}

/** The bits of checksum, key and sequence number: 4 bytes each (RFC 2784 §2.1, RFC 2890 §2). */
const GRE_FIELDS = [0x8000, 0x2000, 0x1000];

/** The bytes of a GRE header that begins with this word; undefined: it has other flags, or another version. */
export function greSize(flags: number): number | undefined {
  if (GRE_FIELDS.reduce((left, bit) => left & ~bit, flags) !== 0) return undefined;
  return 4 + 4 * GRE_FIELDS.filter((bit) => (flags & bit) !== 0).length;
}

const NO_HEADER = HEADER_FLAG.cut | HEADER_FLAG.impossible;

/** Where the EtherType behind the last tag lies, looking no further than `limit`. */
export function lastTypeAt(frame: Uint8Array, offset: number, limit: number): number {
  let at = 12;
  while (at + 4 <= limit && isTpid(read16(frame, offset + at))) at += 4;
  return at;
}

export function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
