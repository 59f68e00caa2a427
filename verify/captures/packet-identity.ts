/**
 * What a packet is known by on both sides of a device that may change its addresses, ports, TTL, tags and tunnels: what
 * its innermost header carries.
 */
import { readU16, readU32 } from '../../sim/packet/bytes.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import {
  type ChecksumSink,
  type FoundChecksum,
  type FoundHeader,
  HEADER,
  HEADER_FLAG,
  PART,
} from '../oracle/found.ts';

export interface PacketIdentity {
  /** Equal for packets that may be the same: transport, numbers that a device keeps, and a hash of what is carried. */
  readonly content: string;
  /** Equal for packets of one flow that may be the same, though what they carry was changed. */
  readonly header: string;
  /** What is carried, in the frame. */
  readonly from: number;
  readonly to: number;
}

/** Finds the innermost IP header and what follows it; packets that ICMP errors quote do not count. */
class Innermost implements ChecksumSink {
  ip = -1;
  version = 0;
  transport = -1;
  start = 0;
  headerEnd = 0;
  end = 0;
  /** Of the IP header: fragment offset and flag, as the scanner has it. */
  fragment = 0;
  part: number = PART.whole;

  clear(): void {
    this.ip = -1;
    this.transport = -1;
  }

  checksum(_found: FoundChecksum): void {}

  header(found: FoundHeader): void {
    if ((found.headerFlags & HEADER_FLAG.quoted) !== 0) return;
    const { headerKind, headerStart, headerEnd, claimedEnd, room } = found;
    if (headerKind === HEADER.ipv4 || headerKind === HEADER.ipv6) {
      this.ip = headerStart;
      this.version = headerKind === HEADER.ipv4 ? 4 : 6;
      this.transport = -1;
      this.fragment = found.fragment;
      this.part = found.part;
      this.start = headerEnd;
    } else {
      this.transport = headerKind;
      this.start = headerStart;
    }
    this.headerEnd = headerEnd;
    this.end = Math.min(claimedEnd, room);
  }
}

const innermost = new Innermost();

/** @returns undefined for a frame without IP */
export function identify(frame: Uint8Array): PacketIdentity | undefined {
  innermost.clear();
  verifyChecksums(frame, 0, frame.length, innermost);
  const { ip, version, transport, start, headerEnd, part, fragment } = innermost;
  if (ip < 0) return undefined;
  const end = Math.max(headerEnd, innermost.end);
  const id = version === 4 ? readU16(frame, ip + 4) : -1;
  const [from, to] = version === 4 ? [ip + 12, ip + 20] : [ip + 8, ip + 40];
  const addresses = sortedAddresses(frame, from, to);
  if (part === PART.laterFragment || transport < 0) {
    const carried = `${transport} ${part === PART.laterFragment ? fragment : ''}`;
    const content = `${carried} ${end - start} ${hash(frame, start, end)}`;
    return { content, header: `${carried} ${addresses} ${id} ${end - start}`, from: start, to: end };
  }
  const has = (bytes: number): boolean => start + bytes <= frame.length;
  let numbers = '';
  let carriedAt = headerEnd;
  switch (transport) {
    case HEADER.tcp:
      if (has(14)) numbers = `${readU32(frame, start + 4)} ${readU32(frame, start + 8)} ${frame[start + 13]}`;
      break;
    case HEADER.icmp:
    case HEADER.icmpv6:
      // Identifier and sequence number of an echo: a device that answers changes the type alone.
      carriedAt = Math.min(end, start + 4);
      if (has(8)) numbers = `${readU32(frame, start + 4)}`;
      break;
  }
  // ICMP becomes ICMPv6 where a device translates.
  const kind = transport === HEADER.icmpv6 ? HEADER.icmp : transport;
  const content = `${kind} ${numbers} ${end - carriedAt} ${hash(frame, carriedAt, end)}`;
  const ports =
    kind !== HEADER.icmp && has(4) ? [readU16(frame, start), readU16(frame, start + 2)].sort() : [];
  return { content, header: `${kind} ${addresses} ${ports} ${id} ${numbers}`, from: carriedAt, to: end };
}

/** In an order that does not tell an answer from what it answers. */
function sortedAddresses(frame: Uint8Array, from: number, to: number): string {
  const middle = (from + to) / 2;
  const [a, b] = [frame.subarray(from, middle).join('.'), frame.subarray(middle, to).join('.')];
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/** FNV-1a in two lanes. Equal hashes are compared byte by byte afterwards. */
function hash(bytes: Uint8Array, from: number, to: number): string {
  let even = 0x811c9dc5;
  let odd = 0x01000193;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (((at - from) & 1) === 0) even = Math.imul(even ^ byte, 0x01000193);
    else odd = Math.imul(odd ^ byte, 0x01000193);
  }
  return `${(even >>> 0).toString(36)}${(odd >>> 0).toString(36)}`;
}
