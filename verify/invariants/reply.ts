/**
 * What is sent back comes from somewhere: a reply whose source is a group's address, or none at all, is dropped by every
 * receiver (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7). It is what programs send that swap the addresses of whatever
 * comes, broadcasts and multicasts included. An ICMP error is a reply to the packet that it quotes.
 *
 * Judged are frames that go back to the source they came from. A source of 0 that the program took from a map may be what
 * nobody has filled in yet: `check` asks where it came from (`verify/check/constant-values.ts`).
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Severity } from '../severity.ts';
import {
  addressesOf,
  answeredBy,
  comesFromDestination,
  errorAbout,
  goesBack,
  isFilled,
  isGroup,
  outermostIp,
  sameBytes,
} from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { isMade } from './ttl.ts';

export const REPLY_RULES: readonly Rule[] = [
  rule(
    'reply/group-source',
    'error',
    'A reply with a group address as its source',
    'A packet to a multicast or broadcast address was answered with that address as the source, which no packet may have (RFC 1122 §3.2.1.3, RFC 4291 §2.7): receivers drop it, and broadcasts that are answered are what amplification attacks live on. The same holds of ICMP errors about such packets (RFC 1122 §3.2.2, RFC 4443 §2.4 e). Check the destination before swapping.',
  ),
  rule(
    'reply/zero-source',
    'error',
    'A reply with the source address 0',
    'The packet went to a host, and the reply says that it comes from 0.0.0.0 or ::, which no receiver accepts (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2): the source was never set. A warning where the zero is none of the program’s constants, and no world says what maps and variables hold: nobody may have filled them in yet.',
  ),
  rule(
    'reply/to-zero',
    'info',
    'A packet to the address 0 is answered',
    'The packet was addressed to 0.0.0.0 or ::, which no host is, and the reply has that for its source. Nobody sends such packets in earnest.',
  ),
  rule(
    'reply/group-source-mac',
    'info',
    'A reply with a group address as its source MAC address',
    'The Ethernet addresses of a broadcast or multicast frame were swapped. Bridges drop frames whose source has the group bit (IEEE 802.1D §7.8).',
  ),
  rule(
    'reply/own-mac',
    'warning',
    'A reply to the MAC address that the packet came to',
    'The IP packet goes back to its sender with XDP_TX, or goes on in a new IP header, in a frame whose destination is still this host: XDP_TX sends the frame as it is, and no neighbour takes one that is not addressed to it. Swap the MAC addresses, or write the next host’s.',
  ),
];

export const reply: Invariant = {
  name: 'reply',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    const row = outermostIp(pair.is);
    if (row < 0) return undefined;
    const came = answeredBy(pair, row);
    if (came < 0) return delivery === DELIVERY.sentBack ? judgeTunnel(pair, row) : undefined;
    return (
      judgeHeader(pair, row, came) ??
      (delivery === DELIVERY.sentBack ? judgeMacs(pair, row, came) : undefined)
    );
  },
};

/** A packet that goes on in a header of the program's own, out of the device that it came in by. */
function judgeTunnel(pair: FramePair, row: number): Breach | undefined {
  if (pair.cameBroken || !isMade(pair, row) || !isToOwnMac(pair)) return undefined;
  return {
    ...ownMac(pair, row),
    expected: 'the MAC address of the next host',
    sentence: 'the packet goes out in a new IP header, in a frame to the MAC address that it came to',
    summary: 'a new IP header in a frame to the MAC address that the packet came to',
  };
}

function judgeHeader(pair: FramePair, row: number, came: number): Breach | undefined {
  if (!goesBack(pair, row, came)) return undefined;
  const { is, after, afterOffset } = pair;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  const isZero = isFilled(after, now, size, 0);
  if (!isZero && !isGroup(after, now, size)) return undefined;
  const isSwapped = comesFromDestination(pair, row, came);
  // A group's address from elsewhere than the packet is somebody's setting.
  if (!isZero && !isSwapped) return undefined;
  const id = !isZero ? 'reply/group-source' : isSwapped ? 'reply/to-zero' : 'reply/zero-source';
  const { layer, depth, label } = headerOf(pair, row);
  const got = isZero ? '0' : 'a group address';
  return {
    invariant: id,
    severity: ruleSeverity(id),
    layer,
    depth,
    at: is.start[row]! + at,
    size,
    expected: 'an address of one host',
    got,
    sentence: `the ${label} packet goes back to its sender with ${got} as its source`,
    summary: `a reply with ${got} as its source`,
  };
}

function ruleSeverity(of: string): Severity {
  return REPLY_RULES.find(({ id }) => id === of)!.severity;
}

function judgeMacs(pair: FramePair, row: number, came: number): Breach | undefined {
  const { before, beforeOffset, after, afterOffset } = pair;
  if ((after[afterOffset + 6]! & 1) !== 0 && !sameBytes(after, afterOffset + 6, before, beforeOffset + 6, 6))
    return GROUP_SOURCE_MAC;
  return isToOwnMac(pair) && isAnswer(pair, row, came) ? ownMac(pair, row) : undefined;
}

const GROUP_SOURCE_MAC: Breach = {
  invariant: 'reply/group-source-mac',
  severity: 'info',
  at: 6,
  size: 6,
  expected: 'the address of one host',
  got: 'a group address',
  sentence: 'the frame goes back to its sender with a group address as its source MAC address',
  summary: 'a reply with a group address as its source MAC address',
};

/** Does the frame go to the MAC address of one host that it came to? */
function isToOwnMac({ before, beforeOffset, after, afterOffset }: FramePair): boolean {
  if ((after[afterOffset]! & 1) !== 0) return false;
  // Frames of the loopback device have the same address twice.
  if (sameBytes(before, beforeOffset, before, beforeOffset + 6, 6)) return false;
  return sameBytes(after, afterOffset, before, beforeOffset, 6);
}

function isAnswer(pair: FramePair, row: number, came: number): boolean {
  if (!goesBack(pair, row, came)) return false;
  return comesFromDestination(pair, row, came) || errorAbout(pair, row) >= 0;
}

function ownMac(pair: FramePair, row: number): Breach {
  const [at, size] = addressesOf(pair.is.kind[row]!);
  return {
    invariant: 'reply/own-mac',
    severity: 'warning',
    at: 0,
    size: 6,
    against: { at: pair.is.start[row]! + at + size, size },
    expected: 'the MAC address that the frame came from',
    got: 'the one that it came to',
    sentence: 'the packet goes back to its sender, in a frame to the MAC address that it came to',
    summary: 'a reply to the MAC address that the packet came to',
  };
}
