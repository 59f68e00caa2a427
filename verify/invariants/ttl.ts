/**
 * A TTL or hop limit that is lowered does not come to 0 in a packet that goes on, nor past it: such a packet is to be
 * dropped, and answered with "time exceeded" (RFC 1812 §5.3.1, RFC 8200 §3). A header that the program makes has one.
 */
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { MATCH } from '../oracle/header-list.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const TTL_RULES: readonly Rule[] = [
  rule(
    'ttl/expired',
    'error',
    'A TTL lowered to 0 in a packet that goes on',
    'The packet was sent on with TTL (or hop limit) 0, and had one when it came. A router drops what came with 1 and sends "time exceeded"; an XDP program leaves that to the stack with XDP_PASS, before it changes anything.',
  ),
  rule(
    'ttl/zero',
    'error',
    'A new header with TTL 0',
    'The program put a header in front of the packet, or made another one of it, and left the TTL (or hop limit) 0: the next router drops the packet (RFC 1122 §3.2.1.7, RFC 8200 §3). Only the host itself takes it all the same. A warning where the zero is none of the program’s constants, and no world says what maps and variables hold.',
  ),
  rule(
    'ttl/wrapped',
    'error',
    'A TTL lowered below 0',
    'The packet came with TTL (or hop limit) 0 and was sent on with 255, and the same with 64 is sent on with 63: in a routing loop it never dies.',
  ),
  rule(
    'ttl/step',
    'warning',
    'A TTL lowered by more than one',
    'Every packet that was redirected, of both families or of one, lost the same number, above one, from its TTL. A router lowers it by one. A warning, since RFC 1812 §5.3.1 allows IPv4 a larger step, and some programs limit the reach of packets on purpose.',
  ),
  rule(
    'ttl/not-lowered',
    'error',
    'Routed without lowering the TTL',
    'The program looked a route up with `bpf_fib_lookup`, put the next hop’s addresses into the frame and redirected it, or sent it back with XDP_TX, with the TTL that it came with, whatever that was. Or it left the next hop to the kernel with `bpf_redirect_neigh`, which lowers no TTL either. Whoever routes lowers it (RFC 1812 §5.3.1, RFC 8200 §3): in a routing loop the packet never dies. IPv4 and IPv6 are judged each by itself. What comes to a TC program at egress has been through the stack: of `bpf_redirect_neigh` nothing is said there. A warning where this packet was redirected without a lookup that found a route.',
  ),
];

export const ttl: Invariant = {
  name: 'ttl',
  judge(pair: FramePair): Breach | undefined {
    if (isUnclear(pair)) return undefined;
    for (let row = 0; row < pair.is.count; row++) {
      if (!isIp(pair.is.kind[row]!)) continue;
      const match = sameIp(pair, row);
      if (match >= 0 && ttlThen(pair, match) > 0 && ttlNow(pair, row) === 0)
        return breach(pair, row, match, 'ttl/expired', 'lowered to 0');
      if (match < 0 && isBornDead(pair, row)) return zeroBreach(pair, row);
    }
    return undefined;
  },
};

/**
 * Did the program make this header, and with TTL 0, though no packet came that may not go on? Many copy the TTL of the packet
 * inside.
 */
function isBornDead(pair: FramePair, row: number): boolean {
  const { is, was } = pair;
  if (ttlNow(pair, row) !== 0 || (is.flags[row]! & NO_HEADER) !== 0 || pair.cameBroken) return false;
  if (!isMade(pair, row)) return false;
  for (let other = 0; other < was.count; other++)
    if (isIp(was.kind[other]!) && ttlThen(pair, other) <= 1) return false;
  return true;
}

/** Did the program make this IP header: put it in front of the packet, or translate the other version's? */
export function isMade(pair: FramePair, row: number): boolean {
  const { is, was } = pair;
  const match = is.match[row]!;
  return match === MATCH.none ? pair.isWritten(row) : match >= 0 && was.kind[match] !== is.kind[row];
}

/** Where headers were put in front or taken off, lengths say which of them is which: unless they contradict each other. */
function isUnclear({ cameBroken, beforeLength, afterLength }: FramePair): boolean {
  return cameBroken && beforeLength !== afterLength;
}

export const NO_HEADER = HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted;

/**
 * One packet does not tell whether a TTL of 0 was lowered, or whether the program gives every packet 255, as answers to
 * neighbour solicitations must have it (RFC 4861 §7.1.2): whoever judges by this knows that the program lowers TTLs.
 */
export const wrappedTtl: Invariant = { name: 'ttl', judge: wrappedBreach };

export function wrappedBreach(pair: FramePair): Breach | undefined {
  const row = wrappedRow(pair);
  return row < 0 ? undefined : breach(pair, row, sameIp(pair, row), 'ttl/wrapped', 'lowered below 0');
}

/** The IP header of the frame that left whose TTL went from 0 to 255; -1: none. */
export function wrappedRow(pair: FramePair): number {
  if (isUnclear(pair)) return -1;
  for (let row = 0; row < pair.is.count; row++) {
    const match = sameIp(pair, row);
    if (match >= 0 && ttlThen(pair, match) === 0 && ttlNow(pair, row) === 255) return row;
  }
  return -1;
}

/** What an IP header of the frame that left was as the frame came: its row there; -1 where nobody can say. */
export function sameIp({ is, was }: FramePair, row: number): number {
  if (!isIp(is.kind[row]!)) return -1;
  const match = is.match[row]!;
  if (match < 0 || was.kind[match] !== is.kind[row]) return -1;
  return ((is.flags[row]! | was.flags[match]!) & NO_HEADER) === 0 ? match : -1;
}

/** Where in an IP header its TTL or hop limit is. */
export function ttlPlace(kind: number): number {
  return kind === HEADER.ipv4 ? 8 : 7;
}

function ttlThen({ was, before, beforeOffset }: FramePair, row: number): number {
  return before[beforeOffset + was.start[row]! + ttlPlace(was.kind[row]!)]!;
}

function ttlNow({ is, after, afterOffset }: FramePair, row: number): number {
  return after[afterOffset + is.start[row]! + ttlPlace(is.kind[row]!)]!;
}

function zeroBreach(pair: FramePair, row: number): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  const kind = pair.is.kind[row]!;
  const name = kind === HEADER.ipv4 ? 'TTL' : 'hop limit';
  return {
    invariant: 'ttl/zero',
    severity: 'error',
    layer,
    depth,
    at: pair.is.start[row]! + ttlPlace(kind),
    size: 1,
    expected: 'at least 1',
    got: '0',
    sentence: `the program made an ${label} header with ${name} 0`,
    summary: `a new header with ${name} 0`,
  };
}

function breach(pair: FramePair, row: number, match: number, invariant: string, how: string): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  const kind = pair.is.kind[row]!;
  const name = kind === HEADER.ipv4 ? 'TTL' : 'hop limit';
  const now = ttlNow(pair, row);
  return {
    invariant,
    severity: 'error',
    layer,
    depth,
    at: pair.is.start[row]! + ttlPlace(kind),
    size: 1,
    expected: 'no packet, or one with the field as it came',
    got: String(now),
    sentence: `the ${label} ${name} went from ${ttlThen(pair, match)} to ${now} in a packet that goes on`,
    summary: `a ${name} ${how}`,
  };
}
