/**
 * What an ICMP error that a program makes says to the host that it goes to: enough of the packet that it is about for the socket to be
 * found, not more than any link takes, and, where a packet was too long, how long it may be.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { errorAbout, goesBack, outermostIp } from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const ICMP_ERROR_RULES: readonly Rule[] = [
  rule(
    'reply/short-quote',
    'error',
    'An ICMP error that quotes too little to find the socket',
    'An ICMP error quotes the IP header of the packet and at least 8 bytes behind it, which hold the ports (RFC 792); of IPv6, as much as fits into 1280 bytes (RFC 4443 §2.4 c). Hosts drop errors that end before: Linux, too.',
  ),
  rule(
    'reply/long-quote',
    'warning',
    'An ICMP error longer than every link takes',
    'An error is at most as long as a packet that every link takes: 1280 bytes in IPv6 (RFC 4443 §2.4 c), 576 in IPv4 (RFC 1812 §4.3.2.3). A packet that is quoted as a whole, with headers in front, can be too long for the very link that it came by.',
  ),
  rule(
    'reply/mtu',
    'error',
    'A packet is too long for an MTU that it does not exceed, or that none may be',
    '“Fragmentation needed” and “packet too big” say in network order how long a packet may be (RFC 1191 §4, RFC 4443 §3.2), less than the one that came, and at least 68 bytes in IPv4, and 1280 in IPv6. With an MTU of 0, or in the wrong byte order, the sender guesses, or sends the same again.',
  ),
];

const ICMP_HEADER = 8;
const QUOTED_PAYLOAD = 8;
/** Without extension headers, behind which few programs look. */
const IPV6_HEADER = 40;

interface Family {
  /** Type, and code where only one of them says that a packet was too long. */
  readonly tooLong: (type: number, code: number) => boolean;
  readonly mtuAt: number;
  readonly mtuSize: 2 | 4;
  readonly leastMtu: number;
  readonly longest: number;
}

const IPV4: Family = {
  ...{ tooLong: (type, code) => type === 3 && code === 4, mtuAt: 6, mtuSize: 2, leastMtu: 68 },
  longest: 576,
};
const IPV6: Family = {
  ...{ tooLong: (type) => type === 2, mtuAt: 4, mtuSize: 4, leastMtu: 1280 },
  longest: 1280,
};

/** An error of the frame that left, and the packet that it is about. */
interface IcmpError {
  readonly family: Family;
  /** In the frame that left: the message, and where it ends by its account and the frame's. */
  readonly message: number;
  readonly end: number;
  /** Its length with the IP header. */
  readonly size: number;
  /** Of the packet that came: its length, and that of its header. */
  readonly cameSize: number;
  readonly cameHeader: number;
  /** Did bytes follow the packet in its frame, which some count with it? */
  readonly hasSurplus: boolean;
}

export const icmpError: Invariant = {
  name: 'icmp-error',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    const row = outermostIp(pair.is);
    const about = row < 0 ? -1 : errorAbout(pair, row);
    if (about < 0 || !goesBack(pair, row, about)) return undefined;
    const error = errorOf(pair, row, about);
    const wrong = shortQuote(error) ?? wrongMtu(pair, error) ?? longQuote(error);
    if (wrong === undefined) return undefined;
    const { layer, depth } = headerOf(pair, row);
    const { severity } = ICMP_ERROR_RULES.find(({ id }) => id === wrong.invariant)!;
    return { ...wrong, severity, layer, depth };
  },
};

function errorOf(pair: FramePair, row: number, about: number): IcmpError {
  const { is, was, afterLength, beforeLength } = pair;
  const [start, end] = [is.start[row]!, Math.min(is.claimedEnd[row]!, afterLength)];
  const came = was.start[about]!;
  const isV4 = is.kind[row] === HEADER.ipv4;
  return {
    ...{ family: isV4 ? IPV4 : IPV6, message: is.headerEnd[row]!, end },
    ...{ size: end - start, cameSize: was.claimedEnd[about]! - came },
    ...{
      cameHeader: isV4 ? was.headerEnd[about]! - came : IPV6_HEADER,
      hasSurplus: was.claimedEnd[about]! < beforeLength,
    },
  };
}

type Wrong = Omit<Breach, 'severity' | 'layer' | 'depth'>;

function shortQuote({ message, end, cameSize, cameHeader }: IcmpError): Wrong | undefined {
  const quoted = end - message - ICMP_HEADER;
  const needed = Math.min(cameSize, cameHeader + QUOTED_PAYLOAD);
  if (quoted >= needed) return undefined;
  return {
    ...{ invariant: 'reply/short-quote', at: message + ICMP_HEADER, size: Math.max(0, quoted) },
    ...{ expected: `at least ${needed} bytes`, got: `${quoted} bytes` },
    sentence: `the ICMP error quotes ${quoted} bytes of the packet that it is about, and its header and 8 bytes are ${needed}`,
    summary: 'an ICMP error that quotes too little to find the socket',
  };
}

function longQuote({ family, message, end, size }: IcmpError): Wrong | undefined {
  if (size <= family.longest) return undefined;
  return {
    ...{ invariant: 'reply/long-quote', at: message + ICMP_HEADER, size: end - message - ICMP_HEADER },
    ...{ expected: `at most ${family.longest} bytes`, got: `${size} bytes` },
    sentence: `the ICMP error has ${size} bytes, and every link takes ${family.longest}`,
    summary: 'an ICMP error longer than every link takes',
  };
}

function wrongMtu({ after, afterOffset }: FramePair, error: IcmpError): Wrong | undefined {
  const { family, message, cameSize, hasSurplus } = error;
  const at = afterOffset + message;
  if (!family.tooLong(after[at]!, after[at + 1]!)) return undefined;
  const mtu = numberAt(after, at + family.mtuAt, family.mtuSize, false);
  const isTooMuch = mtu >= cameSize && !hasSurplus;
  if (!isTooMuch && mtu >= family.leastMtu) return undefined;
  const turned = numberAt(after, at + family.mtuAt, family.mtuSize, true);
  const isTurned = turned >= family.leastMtu && turned < cameSize;
  const why = isTurned
    ? `, ${turned} in the wrong byte order`
    : mtu < family.leastMtu
      ? `, less than ${family.leastMtu}`
      : '';
  return {
    ...{ invariant: 'reply/mtu', at: message + family.mtuAt, size: family.mtuSize },
    ...{ expected: `less than ${cameSize}, and at least ${family.leastMtu}`, got: String(mtu) },
    sentence: `a packet of ${cameSize} bytes is answered with the MTU ${mtu}${why}`,
    summary: 'an MTU that a packet does not exceed, or that none may be',
  };
}

function numberAt(bytes: Uint8Array, at: number, size: number, isTurned: boolean): number {
  let number = 0;
  for (let index = 0; index < size; index++)
    number = number * 256 + bytes[at + (isTurned ? size - 1 - index : index)]!;
  return number;
}
