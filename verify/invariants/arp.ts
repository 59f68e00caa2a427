/**
 * ARP replies that a program makes of requests (RFC 826): sender and target change places, the sender's MAC address is filled in,
 * and the operation becomes 2. Who asked takes the sender's addresses, and nothing but these, so that a field which was forgotten
 * goes into its table.
 *
 * Judged are frames that the program sends, of a request, or a reply, that came in order.
 */

import { isTpid } from '../../sim/packet/vlan.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { isFilled, sameBytes } from './answers.ts';
import type { Breach, Invariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const ARP_RULES: readonly Rule[] = [
  rule(
    'arp/operation',
    'error',
    'An ARP reply whose operation is not 2',
    'Sender and target of a request changed places, and the operation is still 1, or 2 in the wrong byte order (RFC 826): whoever asked takes it for a request of another host, or for nothing at all.',
  ),
  rule(
    'arp/reply-answered',
    'error',
    'An ARP reply that is answered',
    'A reply that came was taken for a request, and answered with a reply (RFC 826): only requests are answered. Two hosts that do so answer each other without end. Compare the operation with `bpf_htons(ARPOP_REQUEST)`.',
  ),
  rule(
    'arp/format',
    'error',
    'An ARP packet whose formats or lengths changed',
    'An answer has the hardware and protocol types of the request, and the lengths of their addresses, 6 and 4 (RFC 826): by these receivers find the other fields, and drop what has others.',
  ),
  rule(
    'arp/addresses',
    'error',
    'An ARP reply whose IP addresses are not those of the request, exchanged',
    'The reply comes from the address that was asked for, and goes to the one that asked (RFC 826). With an exchange that was done by half, whoever asked learns of another address, or takes the reply for somebody else’s.',
  ),
  rule(
    'arp/sender-mac',
    'error',
    'An ARP reply without the MAC address that was asked for',
    'The sender’s MAC address is what the reply is about. It is still that of whoever asked, or 0, as the target’s is in requests: fields were exchanged, and nobody filled it in. A warning where the zero comes from a map or variable, and no world says what these hold.',
  ),
  rule(
    'arp/target-mac',
    'warning',
    'An ARP reply with another target MAC address than the request’s sender',
    'The target of a reply is the host that asked, with the addresses that it gave (RFC 826). Hosts do not look at the MAC address there; switches that inspect ARP, and some devices, do.',
  ),
  rule(
    'arp/frame-source',
    'info',
    'An ARP reply in a frame from another MAC address than the sender’s',
    'What stands in the reply and what switches learn from the frame are two addresses. That is right of a proxy that answers for others; switches that inspect ARP drop it.',
  ),
];

export const arp: Invariant = {
  name: 'arp',
  isOfAnyFrame: true,
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    const came = arpAt(pair.before, pair.beforeOffset, pair.beforeLength);
    const left = arpAt(pair.after, pair.afterOffset, pair.afterLength);
    if (came < 0 || left < 0) return undefined;
    const wrong = judgeAnswer(operationOf(pair.before, pair.beforeOffset + came), pair, came, left);
    if (wrong === undefined) return undefined;
    const { severity } = ARP_RULES.find(({ id }) => id === wrong.invariant)!;
    return { ...wrong, severity, at: wrong.at + (wrong.invariant === 'arp/frame-source' ? 0 : left) };
  },
};

/** In an ARP packet for Ethernet and IPv4. */
const OPERATION = 6;
const SENDER = { mac: 8, ip: 14 } as const;
const TARGET = { mac: 18, ip: 24 } as const;
const SIZE = 28;
const [MAC_SIZE, IP_SIZE] = [6, 4] as const;
/** Ethernet, IPv4, the lengths of both addresses, and the upper byte of the operation. */
const BEGINS = [0, 1, 8, 0, 6, 4, 0] as const;
const [REQUEST, REPLY] = [1, 2];

/** Where the ARP packet of a frame begins, behind its tags; -1: it has none. */
function arpAt(bytes: Uint8Array, offset: number, length: number): number {
  const type = (at: number): number => (bytes[offset + at]! << 8) | bytes[offset + at + 1]!;
  let at = 2 * MAC_SIZE;
  while (at + 4 < length && isTpid(type(at))) at += 4;
  return at + 2 + SIZE <= length && type(at) === 0x0806 ? at + 2 : -1;
}

/** -1: it is no packet of Ethernet and IPv4. */
function operationOf(bytes: Uint8Array, at: number): number {
  return BEGINS.every((byte, index) => bytes[at + index] === byte) ? bytes[at + OPERATION + 1]! : -1;
}

/** The request and what became of it, field by field. */
class Exchange {
  readonly #pair: FramePair;
  readonly #came: number;
  readonly #left: number;

  constructor(pair: FramePair, came: number, left: number) {
    this.#pair = pair;
    this.#came = pair.beforeOffset + came;
    this.#left = pair.afterOffset + left;
  }

  operation(): number {
    const { after } = this.#pair;
    return (after[this.#left + OPERATION]! << 8) | after[this.#left + OPERATION + 1]!;
  }

  /** Does a field of the packet that left hold what a field of the request held? */
  has(now: number, then: number, size: number): boolean {
    const { before, after } = this.#pair;
    return sameBytes(after, this.#left + now, before, this.#came + then, size);
  }

  /** The same of the source of the frame, which some take for the sender. */
  hasFrameSource(now: number): boolean {
    const { before, beforeOffset, after } = this.#pair;
    return sameBytes(after, this.#left + now, before, beforeOffset + MAC_SIZE, MAC_SIZE);
  }

  isZero(now: number, size: number): boolean {
    return isFilled(this.#pair.after, this.#left + now, size, 0);
  }

  /** Did sender and target change places, as far as their IP addresses go? */
  isComplete(): boolean {
    return this.has(SENDER.ip, TARGET.ip, IP_SIZE) && this.has(TARGET.ip, SENDER.ip, IP_SIZE);
  }

  /** Did it come with another address as its target than as its sender? Announcements do not. */
  asksForAnother(): boolean {
    const { before } = this.#pair;
    return !sameBytes(before, this.#came + SENDER.ip, before, this.#came + TARGET.ip, IP_SIZE);
  }

  /** Is the frame from neither the sender that the reply has nor from whoever asked? */
  isFromOther(): boolean {
    const { before, beforeOffset, after, afterOffset } = this.#pair;
    const source = afterOffset + MAC_SIZE;
    if (sameBytes(after, source, after, this.#left + SENDER.mac, MAC_SIZE)) return false;
    return !sameBytes(after, source, before, beforeOffset + MAC_SIZE, MAC_SIZE);
  }
}

type Wrong = Omit<Breach, 'severity'>;

function judgeAnswer(operation: number, pair: FramePair, came: number, left: number): Wrong | undefined {
  if (operation !== REQUEST && operation !== REPLY) return undefined;
  const exchange = new Exchange(pair, came, left);
  if (operation === REQUEST) return judgePacket(exchange);
  // An announcement has one address as both, which is still so where somebody passes it on, with another MAC address, say.
  if (!exchange.isComplete() || !exchange.asksForAnother()) return undefined;
  return exchange.operation() === REPLY ? REPLY_ANSWERED : undefined;
}

const REPLY_ANSWERED: Wrong = {
  ...{ invariant: 'arp/reply-answered', at: OPERATION, size: 2, expected: 'no answer', got: 'a reply' },
  sentence: 'an ARP reply is answered with an ARP reply',
  summary: 'an ARP reply that is answered',
};

function judgePacket(exchange: Exchange): Wrong | undefined {
  if (!exchange.has(0, 0, OPERATION)) return FORMAT;
  const operation = exchange.operation();
  const isExchanged = exchange.isComplete();
  if (operation === 0x0200) return wrongOperation('512', 'has the operation 2 in the wrong byte order');
  if (operation === REQUEST && isExchanged && exchange.asksForAnother())
    return wrongOperation('1', 'has its sender and target exchanged, and is still a request');
  if (operation !== REPLY) return undefined;
  return (isExchanged ? wrongSender(exchange) : wrongAddresses(exchange)) ?? wrongMacs(exchange);
}

const FORMAT: Wrong = {
  ...{ invariant: 'arp/format', at: 0, size: OPERATION, expected: 'those of the request', got: 'others' },
  sentence: 'the ARP packet left with other types or address lengths than it came with',
  summary: 'an ARP packet whose formats or lengths changed',
};

function wrongOperation(got: string, does: string): Wrong {
  return {
    ...{ invariant: 'arp/operation', at: OPERATION, size: 2, expected: '2', got },
    sentence: `the ARP packet ${does}`,
    summary: 'an ARP reply whose operation is not 2',
  };
}

function wrongAddresses(exchange: Exchange): Wrong {
  const isSender = !exchange.has(SENDER.ip, TARGET.ip, IP_SIZE);
  const [side, what] = isSender ? [SENDER, 'asked for'] : [TARGET, 'that asked'];
  return {
    ...{ invariant: 'arp/addresses', at: side.ip, size: IP_SIZE },
    ...{ expected: `the address ${what}`, got: 'another one' },
    sentence: `the ${isSender ? 'sender' : 'target'} address of the ARP reply is not the one ${what}`,
    summary: 'an ARP reply whose IP addresses are not those of the request, exchanged',
  };
}

function wrongSender(exchange: Exchange): Wrong | undefined {
  const isZero = exchange.isZero(SENDER.mac, MAC_SIZE);
  const isAskers = exchange.has(SENDER.mac, SENDER.mac, MAC_SIZE);
  if (!isZero && !isAskers) return undefined;
  // Of zeros alone nobody can tell whether they were written.
  const is = isZero ? `0${isAskers ? ', as is that of whoever asked' : ''}` : 'still that of whoever asked';
  return {
    ...{ invariant: 'arp/sender-mac', at: SENDER.mac, size: MAC_SIZE },
    ...{ expected: 'the MAC address that was asked for', got: isZero ? '0' : 'that of whoever asked' },
    sentence: `the sender’s MAC address of the ARP reply is ${is}`,
    summary: 'an ARP reply without the MAC address that was asked for',
  };
}

function wrongMacs(exchange: Exchange): Wrong | undefined {
  const isToSender = exchange.has(TARGET.mac, SENDER.mac, MAC_SIZE) || exchange.hasFrameSource(TARGET.mac);
  if (!isToSender) return TARGET_MAC;
  return exchange.isFromOther() ? FRAME_SOURCE : undefined;
}

const TARGET_MAC: Wrong = {
  ...{ invariant: 'arp/target-mac', at: TARGET.mac, size: MAC_SIZE },
  ...{ expected: 'the MAC address that the request came from', got: 'another one' },
  sentence: 'the target’s MAC address of the ARP reply is not the one that the request came from',
  summary: 'an ARP reply with another target MAC address than the request’s sender',
};

const FRAME_SOURCE: Wrong = {
  ...{ invariant: 'arp/frame-source', at: MAC_SIZE, size: MAC_SIZE },
  ...{ expected: 'the sender’s MAC address of the reply', got: 'another one' },
  sentence: 'the ARP reply leaves in a frame from another MAC address than its sender’s',
  summary: 'an ARP reply in a frame from another MAC address than the sender’s',
};
