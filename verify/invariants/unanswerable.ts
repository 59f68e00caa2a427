/**
 * What nobody answers, since two hosts that did would answer each other without end: a TCP reset with a reset, an ICMP error
 * with an error, a SYN-ACK with a SYN-ACK, and a later fragment, of which the first one is answered, with an error. Nor does a reset
 * open a connection.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER, HEADER_FLAG, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import {
  comesFromDestination,
  ERRORS4,
  ERRORS6,
  errorAbout,
  goesBack,
  outermostIp,
  sameBytes,
} from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';

export const UNANSWERABLE_RULES: readonly Rule[] = [
  rule(
    'reply/about-fragment',
    'error',
    'An ICMP error about a later fragment',
    'Only the first fragment of a datagram is answered with an ICMP error (RFC 1122 §3.2.2, RFC 1812 §4.3.2.7): a datagram would be answered many times over, with a quote that has no ports, by which no socket is found. Check the fragment offset first. IPv6 has no such rule.',
  ),
  rule(
    'reply/about-error',
    'error',
    'An ICMP error about an ICMP error',
    'The packet that is answered with an ICMP error is one itself (RFC 1122 §3.2.2, RFC 4443 §2.4 e): two hosts that do so answer each other without end. Leave ICMP errors to the stack.',
  ),
  rule(
    'reply/reset-answered',
    'error',
    'A TCP reset answered with a reset, or with a SYN',
    'A segment with the RST flag is never answered with a reset (RFC 9293 §3.10.7.1): two hosts that do so answer each other without end. Nor does it open a connection: who listens ignores it, the SYN flag or not (RFC 9293 §3.10.7.2), and a SYN-ACK goes to whoever stands in its source. Drop it.',
  ),
  rule(
    'reply/acknowledgment-reopened',
    'error',
    'A TCP segment with ACK answered with a SYN',
    'Whoever acknowledges something has a connection, or believes so: it is answered with an ACK or a reset, and never with a SYN or SYN-ACK (RFC 9293 §3.10.7). The usual cause is a responder that asks for the SYN flag alone and takes a SYN-ACK for a SYN: two that do so answer each other without end, and whoever sends SYNs with a false source makes real servers send it SYN-ACKs to answer. Ask for SYN without ACK.',
  ),
];

export const unanswerable: Invariant = {
  name: 'unanswerable',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    const row = outermostIp(pair.is);
    if (row < 0) return undefined;
    const about = errorAbout(pair, row);
    if (about >= 0) return goesBack(pair, row, about) ? judgeError(pair, row, about) : undefined;
    return segmentAnswered(pair, row);
  },
};

function judgeError(pair: FramePair, row: number, about: number): Breach | undefined {
  const { was } = pair;
  if (was.kind[about] === HEADER.ipv4 && was.part[about] === PART.laterFragment)
    return errorBreach(pair, row, 'reply/about-fragment', 'a later fragment');
  if (!isIcmpError(pair, about)) return undefined;
  return errorBreach(pair, row, 'reply/about-error', 'an ICMP error');
}

/**
 * Was a packet that came an ICMP error? None is so long that it comes in fragments, or has extension headers, behind which few
 * programs look.
 */
function isIcmpError({ was, before, beforeOffset }: FramePair, row: number): boolean {
  const message = row + 1;
  if (message >= was.count || was.part[row] !== PART.whole) return false;
  if ((was.flags[message]! & HEADER_FLAG.cut) !== 0) return false;
  const isV4 = was.kind[row] === HEADER.ipv4;
  if (was.kind[message] !== (isV4 ? HEADER.icmp : HEADER.icmpv6)) return false;
  if (!isV4 && was.start[message] !== was.start[row]! + 40) return false;
  return (isV4 ? ERRORS4 : ERRORS6).has(before[beforeOffset + was.start[message]!]!);
}

function errorBreach(pair: FramePair, row: number, invariant: string, what: string): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  const message = pair.is.headerEnd[row]!;
  return {
    invariant,
    severity: 'error',
    layer,
    depth,
    at: message,
    size: 2,
    expected: 'no answer',
    got: 'an ICMP error',
    sentence: `${what} is answered with an ICMP error, in an ${label} packet to its sender`,
    summary: `an ICMP error about ${what}`,
  };
}

const FLAGS_AT = 13;
const [SYN, RST, ACK] = [2, 4, 16];

/**
 * Did a TCP reset come, and does a reset or a SYN-ACK answer it? An ACK may: who keeps the connection asks with it whether the reset
 * is in earnest (RFC 9293 §3.10.7.4). Or did a segment with ACK come, and does a SYN answer it? One that is only turned round, as by a
 * NAT, keeps numbers and flags.
 */
function segmentAnswered(pair: FramePair, row: number): Breach | undefined {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const came = sameIp(pair, row);
  if (came < 0 || !holdsTcp(is, row + 1) || !holdsTcp(was, came + 1)) return undefined;
  const now = afterOffset + is.start[row + 1]!;
  const then = beforeOffset + was.start[came + 1]!;
  const flags = after[now + FLAGS_AT]! & (SYN | RST);
  const cameWith = before[then + FLAGS_AT]! & (RST | ACK);
  if (flags === 0 || cameWith === 0 || (cameWith === ACK && flags !== SYN)) return undefined;
  if (!answersSegment(pair, row, came)) return undefined;
  if (sameBytes(after, now + 4, before, then + 4, FLAGS_AT - 3)) return undefined;
  return cameWith === ACK
    ? acknowledgmentBreach(pair, row + 1)
    : resetBreach(pair, row + 1, (flags & RST) !== 0 ? 'a reset' : 'a SYN');
}

/** Does a TCP segment go back to the socket that one came from? @param row its IP header, as `came` is that of the other */
export function answersSegment(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  if (!holdsTcp(is, row + 1) || !holdsTcp(was, came + 1)) return false;
  if (!goesBack(pair, row, came) || !comesFromDestination(pair, row, came)) return false;
  const now = afterOffset + is.start[row + 1]!;
  const then = beforeOffset + was.start[came + 1]!;
  return sameBytes(after, now, before, then + 2, 2) && sameBytes(after, now + 2, before, then, 2);
}

function holdsTcp(list: FramePair['is'], row: number): boolean {
  if (row >= list.count || list.kind[row] !== HEADER.tcp || list.part[row] !== PART.whole) return false;
  return (list.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) === 0;
}

function resetBreach(pair: FramePair, row: number, got: string): Breach {
  const { layer, depth } = headerOf(pair, row);
  return {
    invariant: 'reply/reset-answered',
    severity: 'error',
    layer,
    depth,
    at: pair.is.start[row]! + FLAGS_AT,
    size: 1,
    expected: 'no answer',
    got,
    sentence: `a TCP segment with the RST flag is answered with ${got}`,
    summary: `a TCP reset answered with ${got}`,
  };
}

function acknowledgmentBreach(pair: FramePair, row: number): Breach {
  return {
    ...resetBreach(pair, row, 'a SYN'),
    invariant: 'reply/acknowledgment-reopened',
    expected: 'an ACK or a reset',
    sentence: 'a TCP segment with the ACK flag is answered with a SYN',
    summary: 'a TCP segment with ACK answered with a SYN',
  };
}
