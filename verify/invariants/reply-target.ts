/**
 * Where replies go: to the one host that asked. An ICMP error goes to the source of what it quotes, nothing goes to an address that
 * no host has, and nobody sends to itself. Judged are frames that the program sends: XDP_TX, and redirects.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import {
  addressesOf,
  answeredBy,
  goesBack,
  isFilled,
  isGroup,
  outermostIp,
  quotedBy,
  sameBytes,
} from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { isMade, NO_HEADER, sameIp } from './ttl.ts';

export const REPLY_TARGET_RULES: readonly Rule[] = [
  rule(
    'reply/error-to-destination',
    'error',
    'An ICMP error to the destination of the packet that it is about',
    'An ICMP error goes to the host that sent the packet which it quotes (RFC 792, RFC 1122 §3.2.2, RFC 4443 §2.2). The other host has sent nothing, and drops it: the sender never learns of the error.',
  ),
  rule(
    'reply/to-group',
    'warning',
    'A reply to an address that no host has',
    'The packet came with a source that no host may have: 0.0.0.0 or ::, a multicast address, or the limited broadcast (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7). The reply goes to nobody, or to all: what has such a source is dropped.',
  ),
  rule(
    'reply/to-unspecified',
    'error',
    'A neighbour solicitation from :: answered to ::',
    'A host that asks whether somebody has the address that it wants asks from :: (RFC 4862 §5.4.2), and is answered to all nodes, ff02::1 (RFC 4861 §7.2.4). No packet may go to :: (RFC 4291 §2.5.2): the host never hears that its address is taken. Leave such solicitations to the stack, or answer them to ff02::1.',
  ),
  rule(
    'reply/to-itself',
    'error',
    'A packet whose source is its destination',
    'The packet came with two addresses, and leaves with the same one twice: when addresses were swapped, the first was overwritten before it was read, or one was replaced by an address that the other was already, as by a NAT that does not leave packets to itself alone. Receivers drop what comes from their own address (RFC 1122 §3.2.1.3).',
  ),
  rule(
    'reply/new-header-to-itself',
    'error',
    'A new IP header whose source is its destination',
    'The program put an IP header in front of the packet, or made its header anew, and wrote one address into both of its fields: the end of the tunnel takes the packet for one of its own that came back, and drops it (RFC 1122 §3.2.1.3; in Linux a martian source). A note where two words of a map that the test filled are alike by chance.',
  ),
  rule(
    'reply/same-macs',
    'error',
    'A frame whose source MAC address is its destination',
    'The frame leaves with an address that it came with as its source and as its destination: when addresses were swapped, one was overwritten before it was read, or never written. Switches learn from it that the receiver is at the wrong port (IEEE 802.1D §7.8).',
  ),
  rule(
    'reply/askers-mac',
    'error',
    'An ARP reply from the MAC address of whoever asked',
    'An ARP request was made its reply, and the frame goes out with the source MAC address that it came with: switches learn that the host which asked is here, and send what is meant for it to the wrong port (IEEE 802.1D §7.8). Write the address into the Ethernet header, too.',
  ),
];

export const replyTarget: Invariant = {
  name: 'reply-target',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    const row = outermostIp(pair.is);
    return row < 0 ? undefined : judgePacket(pair, row);
  },
};

export const sameMacs: Invariant = {
  name: 'reply-macs',
  isOfAnyFrame: true,
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    const isSent = delivery === DELIVERY.sentBack || delivery === DELIVERY.redirected;
    if (!isSent) return undefined;
    if (areMacsOne(pair)) return SAME_MACS;
    return answersArp(pair) && keepsSourceMac(pair) ? ASKERS_MAC : undefined;
  },
};

function judgePacket(pair: FramePair, row: number): Breach | undefined {
  if (isToDestination(pair, row)) return breachOf(pair, row, TO_DESTINATION);
  const came = answeredBy(pair, row);
  if (came >= 0 && goesBack(pair, row, came)) {
    const [at, size] = addressesOf(pair.is.kind[row]!);
    const destination = pair.afterOffset + pair.is.start[row]! + at + size;
    if (isFilled(pair.after, destination, size, 0))
      return breachOf(pair, row, isSolicitation(pair, came) ? TO_UNSPECIFIED : TO_ZERO);
    if (isGroup(pair.after, destination, size)) return breachOf(pair, row, TO_GROUP);
  }
  if (isToItself(pair, row)) return breachOf(pair, row, TO_ITSELF);
  return isMadeToItself(pair, row) ? breachOf(pair, row, MADE_TO_ITSELF) : undefined;
}

/** Did a host ask whether an address is taken that it wants for itself? It has none yet. */
function isSolicitation({ was, before, beforeOffset }: FramePair, came: number): boolean {
  const message = came + 1;
  if (message >= was.count || was.kind[message] !== HEADER.icmpv6) return false;
  return before[beforeOffset + was.start[message]!] === NEIGHBOUR_SOLICITATION;
}

const NEIGHBOUR_SOLICITATION = 135;

/** Is it an ICMP error about the packet that came, to where that was going? */
function isToDestination(pair: FramePair, row: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const about = quotedBy(pair, row);
  if (about < 0) return false;
  const [at, size] = addressesOf(is.kind[row]!);
  const source = beforeOffset + was.start[about]! + at;
  if (sameBytes(before, source, before, source + size, size)) return false;
  return sameBytes(after, afterOffset + is.start[row]! + at + size, before, source + size, size);
}

/**
 * Has the packet one address twice, which was another one's source before? Where only the destination changed, a NAT may have been
 * told so.
 */
function isToItself(pair: FramePair, row: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const came = sameIp(pair, row);
  if (came < 0) return false;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  const then = beforeOffset + was.start[came]! + at;
  if (!sameBytes(after, now, after, now + size, size) || isFilled(after, now, size, 0)) return false;
  return !sameBytes(before, then, before, then + size, size) && !sameBytes(after, now, before, then, size);
}

/** Did the program make this header, with one address twice, of no packet that had one twice itself? */
function isMadeToItself(pair: FramePair, row: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  if (pair.cameBroken || (is.flags[row]! & NO_HEADER) !== 0 || !isMade(pair, row)) return false;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  if (!sameBytes(after, now, after, now + size, size) || isOwnHost(after, now, size)) return false;
  for (let other = 0; other < was.count; other++) {
    if (!isIp(was.kind[other]!)) continue;
    const [from, length] = addressesOf(was.kind[other]!);
    const then = beforeOffset + was.start[other]! + from;
    if (sameBytes(before, then, before, then + length, length)) return false;
  }
  return true;
}

/** The unspecified address, and those by which a host means itself (RFC 1122 §3.2.1.3 g, RFC 4291 §2.5.3). */
function isOwnHost(bytes: Uint8Array, at: number, size: number): boolean {
  if (size === 4) return bytes[at] === 127 || isFilled(bytes, at, size, 0);
  return isFilled(bytes, at, size - 1, 0) && bytes[at + size - 1]! <= 1;
}

/** One host's address twice, which the frame came with once. */
function areMacsOne({ before, beforeOffset, beforeLength, after, afterOffset }: FramePair): boolean {
  if (beforeLength < 12 || (after[afterOffset]! & 1) !== 0) return false;
  if (!sameBytes(after, afterOffset, after, afterOffset + 6, 6) || isFilled(after, afterOffset, 6, 0))
    return false;
  const wasDestination = sameBytes(after, afterOffset, before, beforeOffset, 6);
  const wasSource = sameBytes(after, afterOffset, before, beforeOffset + 6, 6);
  return wasDestination !== wasSource;
}

/** Was an ARP request that came made the reply to it? */
function answersArp({
  before,
  beforeOffset,
  beforeLength,
  after,
  afterOffset,
  afterLength,
}: FramePair): boolean {
  if (beforeLength < ARP_END || afterLength < ARP_END) return false;
  return (
    ARP_BEGINS.every(
      (byte, at) => before[beforeOffset + 12 + at] === byte && after[afterOffset + 12 + at] === byte,
    ) &&
    before[beforeOffset + ARP_OPERATION] === 1 &&
    after[afterOffset + ARP_OPERATION] === 2
  );
}

/** The EtherType, Ethernet, IPv4, the lengths of both addresses, and the high byte of the operation (RFC 826). */
const ARP_BEGINS = [8, 6, 0, 1, 8, 0, 6, 4, 0] as const;
const ARP_OPERATION = 21;
const ARP_END = 42;

function keepsSourceMac({ before, beforeOffset, after, afterOffset }: FramePair): boolean {
  return (
    !isFilled(after, afterOffset + 6, 6, 0) && sameBytes(after, afterOffset + 6, before, beforeOffset + 6, 6)
  );
}

type Texts = Pick<Breach, 'invariant' | 'severity' | 'expected' | 'got' | 'summary'> & {
  /** Behind the name of the header. */
  readonly does: string;
};

const TO_DESTINATION: Texts = {
  invariant: 'reply/error-to-destination',
  severity: 'error',
  expected: 'the source of the packet that it quotes',
  got: 'its destination',
  does: 'is an ICMP error, and goes to the destination of the packet that it quotes',
  summary: 'an ICMP error to the destination of the packet that it is about',
};

const TO_ZERO: Texts = {
  invariant: 'reply/to-group',
  severity: 'warning',
  expected: 'an address of one host, or no answer',
  got: '0',
  does: 'goes back to its sender, which gave 0 as its address',
  summary: 'a reply to the address 0',
};

const TO_UNSPECIFIED: Texts = {
  ...TO_ZERO,
  invariant: 'reply/to-unspecified',
  severity: 'error',
  expected: 'ff02::1',
  got: '::',
  does: 'answers a neighbour solicitation from ::, and goes to ::',
  summary: 'a neighbour solicitation from :: answered to ::',
};

const TO_GROUP: Texts = {
  ...TO_ZERO,
  got: 'a group address',
  does: 'goes back to its sender, which gave a group address as its own',
  summary: 'a reply to a group address',
};

const TO_ITSELF: Texts = {
  invariant: 'reply/to-itself',
  severity: 'error',
  expected: 'two addresses',
  got: 'one address twice',
  does: 'has one address as its source and as its destination',
  summary: 'a packet whose source is its destination',
};

const MADE_TO_ITSELF: Texts = {
  ...TO_ITSELF,
  invariant: 'reply/new-header-to-itself',
  does: 'is a new header, and has one address as its source and as its destination',
  summary: 'a new IP header whose source is its destination',
};

function breachOf(pair: FramePair, row: number, { does, ...texts }: Texts): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  const [at, size] = addressesOf(pair.is.kind[row]!);
  const destination = pair.is.start[row]! + at + size;
  return { ...texts, layer, depth, at: destination, size, sentence: `the ${label} packet ${does}` };
}

const SAME_MACS: Breach = {
  invariant: 'reply/same-macs',
  severity: 'error',
  at: 6,
  size: 6,
  against: { at: 0, size: 6 },
  expected: 'two MAC addresses',
  got: 'one of them twice',
  sentence: 'the frame has one MAC address as its source and as its destination',
  summary: 'a frame whose source MAC address is its destination',
};

const ASKERS_MAC: Breach = {
  invariant: 'reply/askers-mac',
  severity: 'error',
  at: 6,
  size: 6,
  expected: 'the MAC address of whoever answers',
  got: 'the one that the request came from',
  sentence: 'the ARP request is answered from the MAC address that it came from',
  summary: 'an ARP reply from the MAC address of whoever asked',
};
