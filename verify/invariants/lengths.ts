/**
 * Lengths agree: what IPv4, IPv6, UDP and TCP state about lengths fits the frame, and each other.
 *
 * A receiver drops a packet that claims more than there is (net/ipv4/ip_input.c `ip_rcv_core`) and cuts off what lies
 * behind the claimed end; no checksum can be verified any more, so a checksum oracle alone would pass over it.
 *
 * Not judged:
 * - packets that came with lengths that contradict each other: what a program makes of them proves nothing;
 * - headers that are none, behind a wrong EtherType or protocol number: those are reported (`ethertype`, `protocol`);
 * - packets quoted in ICMP errors, which may end anywhere;
 * - packets in the data of a datagram, where the program left their headers as they came: whoever shortens the data of UDP
 *   need not know that a port makes it look like a tunnel;
 * - zeros behind the packet, and anything up to Ethernet's least frame: that is padding.
 */

import { lostPacket } from '../oracle/announcement.ts';
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import { ETHERNET_MINIMUM, type FramePair } from '../oracle/frame-pair.ts';
import { MATCH } from '../oracle/header-list.ts';
import type { Severity } from '../severity.ts';
import { etherTypeBreach } from './ethertype.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { protocolBreach } from './protocol-number.ts';

export const lengths: Invariant = {
  name: 'lengths',
  judge(pair: FramePair): Breach | undefined {
    if (pair.cameBroken) return undefined;
    const { is } = pair;
    // The outermost error, or else the outermost warning: bytes that may be a trailer may be none where UDP counts them.
    let doubt: Breach | undefined;
    for (let row = 0; row < is.count; row++) {
      if ((is.flags[row]! & HEADER_FLAG.quoted) !== 0) return doubt;
      const match = is.match[row]!;
      // Headers that only came to light, or that appended bytes happen to form, are not the program's.
      if (match === MATCH.exposed || (match === MATCH.none && !pair.isWritten(row))) return doubt;
      const breach = isIp(is.kind[row]!) ? ipLengths(pair, row) : transportLengths(pair, row);
      if (breach === undefined) continue;
      if (isUntouchedPayload(pair, row) || isMisnamed(pair, row)) return doubt;
      if (breach.severity === 'error') return breach;
      doubt ??= breach;
    }
    return doubt;
  },
};

/** Is the header part of a datagram's data, and as it came? */
function isUntouchedPayload(pair: FramePair, row: number): boolean {
  const { is, afterLength } = pair;
  const start = is.start[row]!;
  return pair.isOld(start, Math.min(is.headerEnd[row]!, is.room[row]!, afterLength)) && is.liesInData(row);
}

/** Is it no such header at all, but a packet behind a wrong EtherType or protocol number? Then that is what is wrong. */
function isMisnamed(pair: FramePair, row: number): boolean {
  const lost = lostPacket(pair);
  if (lost === undefined || pair.is.start[row]! < lost.start) return false;
  return (etherTypeBreach(lost) ?? protocolBreach(lost)) !== undefined;
}

/** Where the length field of each kind of header lies, and what it is called. */
const FIELDS: Readonly<Record<number, readonly [at: number, id: string, name: string]>> = {
  [HEADER.ipv4]: [2, 'total', 'total length'],
  [HEADER.ipv6]: [4, 'payload', 'payload length'],
  [HEADER.udp]: [4, 'udp', 'length'],
};

/** Asked for only where something is wrong: it makes an object, and a text. */
function labelOf(pair: FramePair, row: number): string {
  return headerOf(pair, row).label;
}

function ipLengths(pair: FramePair, row: number): Breach | undefined {
  const { is } = pair;
  const start = is.start[row]!;
  const available = is.room[row]! - start;
  const flags = is.flags[row]!;
  if ((flags & HEADER_FLAG.cut) !== 0) {
    const least = is.kind[row] === HEADER.ipv4 ? 20 : 40;
    return breachAt(pair, row, 'header', start, available, {
      expected: `${least} bytes`,
      got: bytes(available),
      sentence: `the frame ends within the ${labelOf(pair, row)} header`,
    });
  }
  if ((flags & HEADER_FLAG.impossible) !== 0) return impossibleHeader(pair, row);
  const [at, id, name] = FIELDS[is.kind[row]!]!;
  // The IPv6 payload length does not count the header.
  const counted = is.kind[row] === HEADER.ipv4 ? start : start + 40;
  const stated = is.claimedEnd[row]! - counted;
  const there = is.room[row]! - counted;
  if (is.claimedEnd[row]! < is.headerEnd[row]!) {
    return breachAt(pair, row, id, start + at, 2, {
      expected: bytes(there),
      got: bytes(stated),
      sentence: `the ${labelOf(pair, row)} ${name} is below the header's own length`,
    });
  }
  if (stated > there) {
    return breachAt(pair, row, id, start + at, 2, {
      expected: bytes(there),
      got: bytes(stated),
      sentence: `the ${labelOf(pair, row)} ${name} says ${bytes(stated)}, but only ${isAre(there)} there`,
    });
  }
  return surplus(pair, row, stated);
}

function impossibleHeader(pair: FramePair, row: number): Breach | undefined {
  const { is, after, afterOffset } = pair;
  const start = is.start[row]!;
  const { label } = headerOf(pair, row);
  const first = after[afterOffset + start]!;
  const version = is.kind[row] === HEADER.ipv4 ? 4 : 6;
  if (first >> 4 !== version) {
    // Another EtherType in front of the same bytes: not a matter of lengths.
    if (pair.isOld(start, start + 1)) return undefined;
    return breachAt(pair, row, 'version', start, 1, {
      expected: `version ${version}`,
      got: `version ${first >> 4}`,
      sentence: `the ${label} header says version ${first >> 4}`,
    });
  }
  if (version === 4) {
    const least = first & 0x0f;
    return breachAt(pair, row, 'header', start, 1, {
      expected: 'a header that fits',
      got: `ihl ${least}`,
      sentence: `the ${label} header length (ihl ${least}) ${least < 5 ? 'is below 5' : 'goes beyond the packet'}`,
    });
  }
  return breachAt(pair, row, 'extension', is.headerEnd[row]!, 2, {
    expected: 'extension headers that fit',
    got: 'one that goes beyond the packet',
    sentence: `an extension header of the ${label} packet goes beyond the packet`,
  });
}

/** Bytes behind the packet that did not lie there before. `stated` is the length in its header. */
function surplus(pair: FramePair, row: number, stated: number): Breach | undefined {
  const { was, is, shift, afterLength, beforeLength } = pair;
  const end = is.claimedEnd[row]!;
  // What is inside of a tunnel may end before the tunnel does: only bytes behind all of it can be too many.
  if (row > 0 || afterLength <= ETHERNET_MINIMUM || was.count === 0) return undefined;
  const match = is.match[row]!;
  let allowed = Math.max(0, beforeLength - was.claimedEnd[0]!);
  if (match >= 0) allowed = Math.max(allowed, beforeLength - was.claimedEnd[match]!);
  if (afterLength - end <= allowed) return undefined;
  const { label } = headerOf(pair, row);
  const [at, , name] = FIELDS[is.kind[row]!]!;
  const many = bytes(afterLength - end);
  const isOne = afterLength - end === 1;
  // Where bytes lie that the frame did not have when it came.
  const appendedFrom = Math.min(afterLength, Math.max(0, beforeLength - shift));
  if (appendedFrom - end > allowed) {
    return breachAt(pair, row, 'surplus', is.start[row]! + at, 2, {
      expected: `${bytes(stated + afterLength - end - allowed)}, or a shorter frame`,
      got: bytes(stated),
      sentence: `${many} of the frame ${isOne ? 'lies' : 'lie'} behind the packet's end: the ${label} ${name} says ${bytes(stated)}`,
    });
  }
  if (isZero(pair, Math.max(end, appendedFrom))) return undefined;
  const isTrailer = match >= 0 && was.claimedEnd[match] === end + shift;
  return breachAt(
    pair,
    row,
    'surplus',
    Math.max(end, appendedFrom),
    afterLength - Math.max(end, appendedFrom),
    {
      expected: 'no bytes behind the packet, or zeros',
      got: many,
      sentence: `${many} ${isOne ? 'was' : 'were'} appended behind the packet's end, and the ${label} ${name} does not count them${isTrailer ? ' (a trailer?)' : ''}`,
    },
    isTrailer ? 'warning' : 'error',
  );
}

function isZero({ after, afterOffset, afterLength }: FramePair, from: number): boolean {
  for (let at = from; at < afterLength; at++) if (after[afterOffset + at] !== 0) return false;
  return true;
}

const LEAST: Readonly<Record<number, number>> = {
  [HEADER.icmp]: 8,
  [HEADER.icmpv6]: 8,
  [HEADER.tcp]: 20,
  [HEADER.udp]: 8,
  [HEADER.udplite]: 8,
  [HEADER.dccp]: 12,
  [HEADER.sctp]: 12,
  [HEADER.igmp]: 8,
  [HEADER.pim]: 4,
  [HEADER.vrrp]: 8,
  [HEADER.ospf]: 24,
  [HEADER.ospf3]: 16,
  [HEADER.gre]: 8,
  [HEADER.icmpext]: 4,
};

function transportLengths(pair: FramePair, row: number): Breach | undefined {
  const { was, is, after, afterOffset } = pair;
  const start = is.start[row]!;
  const available = is.room[row]! - start;
  const flags = is.flags[row]!;
  if (is.part[row] === PART.laterFragment) return undefined;
  if ((flags & HEADER_FLAG.cut) !== 0) {
    const least = LEAST[is.kind[row]!]!;
    return breachAt(pair, row, 'header', start, available, {
      expected: `${least} bytes or more`,
      got: bytes(available),
      sentence: `the packet ends within the ${labelOf(pair, row)} header`,
    });
  }
  if (is.kind[row] === HEADER.tcp && (flags & HEADER_FLAG.impossible) !== 0) {
    const size = (after[afterOffset + start + 12]! >> 4) * 4;
    return breachAt(pair, row, 'tcp-offset', start + 12, 1, {
      expected: available > 20 ? `20 to ${bytes(available)}` : bytes(20),
      got: bytes(size),
      sentence: `the ${labelOf(pair, row)} data offset says ${bytes(size)} of header, but the segment has ${available}`,
    });
  }
  if (is.kind[row] !== HEADER.udp || is.part[row] !== PART.whole) return undefined;
  const stated = is.claimedEnd[row]! - start;
  const match = is.match[row]!;
  // Of a fragment nobody knows the length: that it is none any more is what is wrong (`fragments.ts`).
  if (match >= 0 && was.part[match] !== PART.whole) return undefined;
  // RFC 9868 lets options stand behind the datagram: what came that way may stay.
  const allowed = match >= 0 ? Math.max(0, was.room[match]! - was.claimedEnd[match]!) : 0;
  if (stated >= 8 && stated <= available && available - stated <= allowed) return undefined;
  const breach = breachAt(pair, row, 'udp', start + 4, 2, {
    expected: bytes(available),
    got: bytes(stated),
    sentence: `the ${labelOf(pair, row)} length says ${bytes(stated)}, but its IP packet has room for ${available}`,
  });
  const around = row === 0 ? undefined : FIELDS[is.kind[row - 1]!];
  return around === undefined
    ? breach
    : { ...breach, against: { at: is.start[row - 1]! + around[0], size: 2 } };
}

function breachAt(
  pair: FramePair,
  row: number,
  id: string,
  at: number,
  size: number,
  texts: Pick<Breach, 'expected' | 'got' | 'sentence'>,
  severity: Severity = 'error',
): Breach {
  const { layer, depth } = headerOf(pair, row);
  const summary = SUMMARIES[id]!;
  return { invariant: `lengths/${id}`, severity, layer, depth, at, size, ...texts, summary };
}

/** What each part of the invariant says, without figures. */
const SUMMARIES: Readonly<Record<string, string>> = {
  header: 'a header goes beyond the packet',
  version: 'an IP header says another version than its place does',
  total: 'the IPv4 total length and the frame disagree',
  payload: 'the IPv6 payload length and the frame disagree',
  extension: 'an IPv6 extension header goes beyond the packet',
  surplus: "bytes lie behind the packet's end that its lengths do not count",
  udp: 'the UDP length and the IP packet around it disagree',
  'tcp-offset': 'the TCP data offset and the segment disagree',
};

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

function isAre(count: number): string {
  return count === 1 ? '1 byte is' : `${count} bytes are`;
}
