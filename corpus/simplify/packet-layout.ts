/**
 * Where a packet's parts lie, as far as shrinking needs to know: a forgiving reader that takes what is there.
 *
 * Lengths that lie do not stop it; it says where things would be. `well-formed.ts` counts what is false about it.
 */
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { finish, fold, pseudoHeader4, pseudoHeader6, sum } from '../../sim/packet/checksum.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import { isTpid } from '../../sim/packet/vlan.ts';

/** Ranges are offsets from the packet's first byte, ends exclusive. */
export interface PacketLayout {
  /** Where each VLAN tag begins; 4 bytes each. */
  readonly tags: readonly number[];
  /** 4, 6, or 0 where there is no IP header. */
  readonly version: 0 | 4 | 6;
  /** Where the IP header begins. */
  readonly networkAt: number;
  /** IPv4 options, or each IPv6 extension header but fragment headers. */
  readonly options: readonly Range[];
  /** The IPv6 fragment header; undefined where there is none. */
  readonly fragmentHeader: Range | undefined;
  /** The protocol of the upper layer. */
  readonly protocol: number;
  /** Where its header begins; -1 where it is not there, or lies in an earlier fragment. */
  readonly upperAt: number;
  /** Where its data begins: `upperEnd` where there is none. */
  readonly payloadAt: number;
  /** Where the IP packet ends by its own account, or the frame where that is earlier. */
  readonly upperEnd: number;
  /** Only part of the upper layer's message is there. */
  readonly incomplete: boolean;
  /** Where its checksum lies; -1 where none. */
  readonly checksumAt: number;
  /** A word of the message that may have any value; -1 where none. */
  readonly freeAt: number;
  /** Where the final destination's address lies. */
  readonly finalAt: number;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The upper layers with a checksum: header length, and where checksum and free word lie in it. */
export const UPPER: Readonly<Record<number, { header: number; checksum: number; free: number }>> = {
  [IPPROTO.ICMP]: { header: 8, checksum: 2, free: 4 },
  [IPPROTO.ICMPV6]: { header: 8, checksum: 2, free: 4 },
  [IPPROTO.TCP]: { header: 20, checksum: 16, free: 6 },
  // The first word of the data, as the generator has it.
  [IPPROTO.UDP]: { header: 8, checksum: 6, free: 8 },
  [IPPROTO.UDPLITE]: { header: 8, checksum: 6, free: 8 },
};

const NOTHING: Omit<PacketLayout, 'tags' | 'networkAt'> = {
  version: 0,
  options: [],
  fragmentHeader: undefined,
  protocol: -1,
  upperAt: -1,
  payloadAt: -1,
  upperEnd: -1,
  incomplete: false,
  checksumAt: -1,
  freeAt: -1,
  finalAt: -1,
};

export function layout(packet: Uint8Array): PacketLayout {
  const tags: number[] = [];
  let at = 12;
  while (at + 4 <= packet.length && isTpid(readU16(packet, at))) {
    tags.push(at);
    at += 4;
  }
  const networkAt = at + 2;
  if (networkAt > packet.length) return { ...NOTHING, tags, networkAt };
  const etherType = readU16(packet, at);
  if (etherType === ETHERTYPE.IPV4 && networkAt + 20 <= packet.length) return ipv4(packet, tags, networkAt);
  if (etherType === ETHERTYPE.IPV6 && networkAt + 40 <= packet.length) return ipv6(packet, tags, networkAt);
  return { ...NOTHING, tags, networkAt };
}

function ipv4(packet: Uint8Array, tags: readonly number[], networkAt: number): PacketLayout {
  const headerEnd = Math.min(packet.length, networkAt + Math.max(5, packet[networkAt]! & 0x0f) * 4);
  const total = readU16(packet, networkAt + 2);
  const fragment = readU16(packet, networkAt + 6) & 0x3fff;
  const end = networkAt + total;
  return {
    tags,
    networkAt,
    version: 4,
    options: headerEnd > networkAt + 20 ? [{ from: networkAt + 20, to: headerEnd }] : [],
    fragmentHeader: undefined,
    finalAt: networkAt + 16,
    ...upper(packet, packet[networkAt + 9]!, headerEnd, end, (fragment & 0x1fff) !== 0, fragment !== 0),
  };
}

function ipv6(packet: Uint8Array, tags: readonly number[], networkAt: number): PacketLayout {
  const options: Range[] = [];
  let fragmentHeader: Range | undefined;
  let later = false;
  let fragment = false;
  let finalAt = networkAt + 24;
  let next = packet[networkAt + 6]!;
  let at = networkAt + 40;
  while (at + 8 <= packet.length && !later) {
    let length: number;
    if (next === IPPROTO.FRAGMENT) {
      length = 8;
      const field = readU16(packet, at + 2);
      later = field >>> 3 !== 0;
      fragment ||= (field & 0xfff9) !== 0;
    } else if (next === IPPROTO.AH) length = (packet[at + 1]! + 2) * 4;
    else if (next === IPPROTO.HOPOPTS || next === IPPROTO.DSTOPTS || next === IPPROTO.ROUTING) {
      length = (packet[at + 1]! + 1) * 8;
    } else break;
    if (at + length > packet.length) break;
    if (next === IPPROTO.ROUTING && packet[at + 3] !== 0 && length >= 24) finalAt = at + length - 16;
    const range = { from: at, to: at + length };
    if (next === IPPROTO.FRAGMENT) fragmentHeader = range;
    else options.push(range);
    next = packet[at]!;
    at += length;
  }
  const end = networkAt + 40 + readU16(packet, networkAt + 4);
  const rest = upper(packet, next, at, end, later, fragment);
  return { tags, networkAt, version: 6, options, fragmentHeader, finalAt, ...rest };
}

function upper(
  packet: Uint8Array,
  protocol: number,
  at: number,
  claimedEnd: number,
  later: boolean,
  fragment: boolean,
): Pick<
  PacketLayout,
  'protocol' | 'upperAt' | 'payloadAt' | 'upperEnd' | 'incomplete' | 'checksumAt' | 'freeAt'
> {
  const upperEnd = Math.max(at, Math.min(packet.length, claimedEnd));
  const form = later ? undefined : UPPER[protocol];
  const upperAt = later || at >= packet.length ? -1 : at;
  const header = form === undefined || upperAt < 0 ? 0 : form.header;
  const payloadAt = Math.min(upperEnd, at + header);
  const held = (offset: number): number => (at + offset + 2 <= upperEnd ? at + offset : -1);
  const checksumAt = form === undefined || upperAt < 0 ? -1 : held(form.checksum);
  const freeAt = form === undefined || checksumAt < 0 ? -1 : held(form.free);
  const incomplete = fragment || claimedEnd > packet.length;
  return { protocol, upperAt, payloadAt, upperEnd, incomplete, checksumAt, freeAt };
}

/** How a changed packet is put in order again. */
export type Repair =
  /** Lengths and checksums are made right. */
  | 'checksum'
  /** The same, but the upper layer's checksum stays and another word gives way: a fault may hang on the checksum. */
  | 'content'
  /** As `checksum`, but the IPv4 header's checksum stays and its identification gives way. */
  | 'identification'
  /** Checksums alone: a fault may hang on a length, or on a UDP checksum of 0, which says that there is none. */
  | 'sums';

/**
 * Makes the packet's statements about itself true, in place: it ends where the frame ends.
 * @returns false where it has nothing to repair, or not in this way
 */
export function repair(packet: Uint8Array, how: Repair): boolean {
  const first = layout(packet);
  if (first.version === 0 || (how === 'identification' && first.version !== 4)) return false;
  if (how === 'sums') return repairSums(packet, first);
  const parts = repairLengths(packet, first);
  const done = repairUpper(packet, parts, how);
  if (parts.version === 4) repairHeader(packet, parts, how);
  return done;
}

/** Where not all is there that a checksum covers, and where UDP has none, nothing is to be made right. */
function repairSums(packet: Uint8Array, parts: PacketLayout): boolean {
  const { version, protocol, checksumAt, incomplete } = parts;
  const isAbsent =
    version === 4 && protocol === IPPROTO.UDP && checksumAt >= 0 && readU16(packet, checksumAt) === 0;
  const hasSum = checksumAt >= 0 && !incomplete && !isAbsent;
  if (hasSum) repairUpper(packet, parts, 'sums');
  if (version === 4) repairHeader(packet, parts, 'sums');
  return hasSum || version === 4;
}

/** @returns where the parts lie then */
function repairLengths(packet: Uint8Array, { version, networkAt }: PacketLayout): PacketLayout {
  if (version === 4) writeU16(packet, networkAt + 2, packet.length - networkAt);
  else writeU16(packet, networkAt + 4, packet.length - networkAt - 40);
  const parts = layout(packet);
  if (parts.protocol === IPPROTO.UDP && parts.upperAt >= 0 && parts.checksumAt >= 0) {
    writeU16(packet, parts.upperAt + 4, parts.upperEnd - parts.upperAt);
  }
  if (parts.protocol === IPPROTO.UDPLITE && parts.upperAt >= 0 && !covers(packet, parts)) {
    writeU16(packet, parts.upperAt + 4, 0);
  }
  return parts;
}

function repairUpper(packet: Uint8Array, parts: PacketLayout, how: Repair): boolean {
  const { upperAt, checksumAt, freeAt } = parts;
  if (checksumAt < 0) return how !== 'content';
  const upperEnd = coveredEnd(packet, parts);
  const isForbidden = parts.protocol === IPPROTO.UDPLITE && readU16(packet, checksumAt) === 0;
  if (how === 'content') {
    if (isForbidden || freeAt < 0 || freeAt + 2 > upperEnd) return false;
    const word = readU16(packet, freeAt);
    const total = fold(sum(packet, upperAt, upperEnd - upperAt, pseudoHeader(packet, parts)));
    // The word takes what is missing to 0xffff.
    writeU16(packet, freeAt, fold(word + (~total & 0xffff)));
    return true;
  }
  // One that verifies stays: of the two zeros it may be the one on which the fault hangs.
  const isRight = sum(packet, upperAt, upperEnd - upperAt, pseudoHeader(packet, parts)) === 0xffff;
  if (isRight && !isForbidden) return true;
  writeU16(packet, checksumAt, 0);
  const right = finish(sum(packet, upperAt, upperEnd - upperAt, pseudoHeader(packet, parts)));
  const isNeverZero = parts.protocol === IPPROTO.UDP || parts.protocol === IPPROTO.UDPLITE;
  writeU16(packet, checksumAt, right === 0 && isNeverZero ? 0xffff : right);
  return true;
}

/** Does UDP-Lite's coverage say what it may: nothing, for all of it, or so many bytes from the header's first on (RFC 3828 §3.1)? */
export function covers(packet: Uint8Array, { upperAt, upperEnd, checksumAt }: PacketLayout): boolean {
  if (checksumAt < 0) return true;
  const coverage = readU16(packet, upperAt + 4);
  return coverage === 0 || (coverage >= 8 && coverage <= upperEnd - upperAt);
}

/** Where what the upper layer's checksum covers ends. */
export function coveredEnd(packet: Uint8Array, parts: PacketLayout): number {
  if (parts.protocol !== IPPROTO.UDPLITE || parts.checksumAt < 0 || !covers(packet, parts)) {
    return parts.upperEnd;
  }
  const coverage = readU16(packet, parts.upperAt + 4);
  return coverage === 0 ? parts.upperEnd : parts.upperAt + coverage;
}

function repairHeader(packet: Uint8Array, parts: PacketLayout, how: Repair): void {
  const { networkAt } = parts;
  const length = headerLength(packet, networkAt);
  const total = sum(packet, networkAt, length);
  if (total === 0xffff) return;
  if (how === 'identification') {
    writeU16(packet, networkAt + 4, fold(readU16(packet, networkAt + 4) + (~total & 0xffff)));
    return;
  }
  writeU16(packet, networkAt + 10, 0);
  writeU16(packet, networkAt + 10, finish(sum(packet, networkAt, length)));
}

export function headerLength(packet: Uint8Array, networkAt: number): number {
  return Math.min(packet.length - networkAt, Math.max(5, packet[networkAt]! & 0x0f) * 4);
}

export function pseudoHeader(packet: Uint8Array, parts: PacketLayout): number {
  const length = parts.upperEnd - parts.upperAt;
  if (parts.version === 6) {
    return pseudoHeader6(packet, parts.networkAt + 8, parts.finalAt, parts.protocol, length);
  }
  if (parts.protocol === IPPROTO.ICMP) return 0;
  return pseudoHeader4(packet, parts.networkAt + 12, parts.finalAt, parts.protocol, length);
}
