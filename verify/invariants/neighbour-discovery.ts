/**
 * Neighbour discovery (RFC 4861) that a program writes itself, an advertisement in answer to a solicitation mostly. Receivers drop
 * what breaks a rule of it without a word, so that whoever asked never learns the address.
 *
 * Judged are messages that the program made, in frames that it sends. What came with an option that nobody can read, or with a hop
 * limit that says it is from elsewhere, may be answered as it is: it is the sender's fault.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { type HeaderList, MATCH } from '../oracle/header-list.ts';
import { goesBack, isFilled, outermostIp, sameBytes } from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { NO_HEADER, sameIp, ttlPlace } from './ttl.ts';

export const NEIGHBOUR_RULES: readonly Rule[] = [
  rule(
    'neighbour/hop-limit',
    'error',
    'Neighbour discovery with a hop limit other than 255',
    'Receivers drop every message of neighbour discovery whose hop limit is not 255: a router may have forwarded it, and it is from another link then (RFC 4861 §7.1). An answer that is made of the solicitation has the 255 that this came with, and needs none; a new header does.',
  ),
  rule(
    'neighbour/option-length',
    'error',
    'An option of neighbour discovery that nobody can read',
    'The length of an option counts units of 8 bytes, type and length included: 1 for an Ethernet address (RFC 4861 §4.6). Receivers drop the whole message where it is 0 (§7.1), or goes past the end, as a length in bytes does.',
  ),
  rule(
    'neighbour/code',
    'error',
    'Neighbour discovery with an ICMP code other than 0',
    'All messages of neighbour discovery have the code 0, and receivers drop any other (RFC 4861 §6.1, §7.1 and §8.1).',
  ),
  rule(
    'neighbour/router-source',
    'error',
    'A router advertisement, or a redirect, that is not from a link-local address',
    'Routers send both from the link-local address of their interface (RFC 4861 §4.2 and §4.5): by it hosts know their routers, and they drop what has another source (§6.1.2, §8.1). A warning where it is ::, which is none of the program’s constants, and no world says what maps and variables hold.',
  ),
  rule(
    'neighbour/no-address',
    'error',
    'A neighbour advertisement without the link-layer address that was asked for',
    'A solicitation to a multicast address is answered with the target’s link-layer address, in an option of type 2 (RFC 4861 §7.2.4): whoever asked knows none, and drops an advertisement that has none (§7.2.5). Type 1, which the solicitation has, is the address of the sender of a solicitation, and is ignored in an advertisement.',
  ),
  rule(
    'neighbour/askers-address',
    'error',
    'A neighbour advertisement with the link-layer address of whoever asked',
    'The option of the solicitation was made that of the advertisement, and the address in it was left: whoever asked is told that the target is at its own address. Write the target’s address into it.',
  ),
  rule(
    'neighbour/flags',
    'error',
    'Flags of a neighbour advertisement in the wrong byte order',
    'Router, solicited and override are the first three bits of the message’s second word (RFC 4861 §4.4). Written as a number without `bpf_htonl`, they are at its end, where nobody looks.',
  ),
  rule(
    'neighbour/solicited',
    'error',
    'The solicited flag of a neighbour advertisement wrong',
    'The flag is set in the answer to a host that asked from its address, which else never takes the target for reachable, and is 0 in advertisements to a multicast address, as in answers to hosts without one (RFC 4861 §7.2.4): receivers drop those that have it (§7.1.2).',
  ),
  rule(
    'neighbour/target',
    'error',
    'A neighbour advertisement for another target than the solicitation’s',
    'The target of the advertisement is that of the solicitation (RFC 4861 §4.4): whoever asked waits for that one, and ignores the others.',
  ),
  rule(
    'neighbour/to-all-nodes',
    'warning',
    'A solicitation from :: that is not answered to all nodes',
    'A host that asks whether an address is taken has none yet, and is answered to ff02::1 (RFC 4861 §7.2.4). A warning, since it listens to other groups as well.',
  ),
];

const [ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT] = [133, 134] as const;
const [SOLICITATION, ADVERTISEMENT, REDIRECT] = [135, 136, 137] as const;
/** Bytes in front of the options, from type 133 on. */
const FIXED_PARTS = [8, 16, 24, 24, 40] as const;
const [SOURCE_ADDRESS, TARGET_ADDRESS] = [1, 2] as const;
const LEAST_OPTION = 8;
const MAC_SIZE = 6;
const FLAGS_AT = 4;
const SOLICITED = 0x40;
const ALL_FLAGS = 0xe0;
const TARGET_AT = 8;
const IPV6 = { size: 16, sourceAt: 8, destinationAt: 24 } as const;
const ALL_NODES = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] as const;

export const neighbourDiscovery: Invariant = {
  name: 'neighbour',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    for (let row = 1; row < pair.is.count; row++) {
      if (!isMade(pair, row)) continue;
      const wrong = judgeMade(pair, row);
      if (wrong !== undefined) return breachOf(pair, row, wrong);
    }
    return undefined;
  },
};

/** A message in one of the two frames: where in the arena it is, and the IPv6 header in front of it. */
interface Message {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
  readonly ip: number;
}

interface Wrong extends Pick<Breach, 'invariant' | 'expected' | 'got' | 'sentence' | 'summary'> {
  /** In the message; the IPv6 header's hop limit and destination are in front of it. */
  readonly at: number;
  readonly size: number;
}

/** Is it a message of neighbour discovery that came as none, or as one of another type? */
function isMade(pair: FramePair, row: number): boolean {
  const { is, was, before, beforeOffset } = pair;
  const message = messageIn(is, row, pair.after, pair.afterOffset);
  if (message === undefined || message.end > pair.afterOffset + pair.afterLength) return false;
  const match = is.match[row]!;
  if (match === MATCH.none) return pair.isWritten(row);
  return match >= 0 && before[beforeOffset + was.start[match]!] !== message.bytes[message.at];
}

/** The message of neighbour discovery of a row, undefined where it is another one or is not all there. */
function messageIn(list: HeaderList, row: number, bytes: Uint8Array, offset: number): Message | undefined {
  if (row < 1 || list.kind[row] !== HEADER.icmpv6 || list.kind[row - 1] !== HEADER.ipv6) return undefined;
  if (list.part[row] !== PART.whole || ((list.flags[row]! | list.flags[row - 1]!) & NO_HEADER) !== 0)
    return undefined;
  const at = offset + list.start[row]!;
  const end = offset + list.claimedEnd[row]!;
  const type = bytes[at]!;
  if (type < ROUTER_SOLICITATION || type > REDIRECT || end - at < fixedPart(type)) return undefined;
  return { bytes, at, end, ip: offset + list.start[row - 1]! };
}

function fixedPart(type: number): number {
  return FIXED_PARTS[type - ROUTER_SOLICITATION]!;
}

function judgeMade(pair: FramePair, row: number): Wrong | undefined {
  const made = messageIn(pair.is, row, pair.after, pair.afterOffset)!;
  const match = pair.is.match[row]!;
  const came = match < 0 ? undefined : messageIn(pair.was, match, pair.before, pair.beforeOffset);
  return (
    wrongHopLimit(pair, row, made) ??
    wrongCode(made, came) ??
    wrongRouter(pair, row, made) ??
    (came === undefined || unreadableOption(came) === undefined ? wrongOption(made) : undefined) ??
    (made.bytes[made.at] === ADVERTISEMENT ? wrongAdvertisement(made, came) : undefined)
  );
}

function wrongHopLimit(pair: FramePair, row: number, { bytes, at, ip }: Message): Wrong | undefined {
  const place = ttlPlace(HEADER.ipv6);
  const now = bytes[ip + place]!;
  if (now === 255) return undefined;
  const came = sameIp(pair, row - 1);
  // Left as it came: the solicitation was none to be answered.
  if (came >= 0 && pair.before[pair.beforeOffset + pair.was.start[came]! + place] === now) return undefined;
  return {
    invariant: 'neighbour/hop-limit',
    at: ip + place - at,
    size: 1,
    expected: '255',
    got: String(now),
    sentence: `the program made a message of neighbour discovery, and its hop limit is ${now}`,
    summary: 'neighbour discovery with a hop limit other than 255',
  };
}

/** Left as it came it is the sender's fault. */
function wrongCode({ bytes, at }: Message, came: Message | undefined): Wrong | undefined {
  const code = bytes[at + 1]!;
  if (code === 0 || came?.bytes[came.at + 1] === code) return undefined;
  return {
    ...{ invariant: 'neighbour/code', at: 1, size: 1, expected: '0', got: String(code) },
    sentence: `the program made a message of neighbour discovery, and its code is ${code}`,
    summary: 'neighbour discovery with an ICMP code other than 0',
  };
}

/** Whoever asks a router at another address of it chose that address. */
function wrongRouter(pair: FramePair, row: number, { bytes, at, ip }: Message): Wrong | undefined {
  const type = bytes[at]!;
  const source = ip + IPV6.sourceAt;
  if ((type !== ROUTER_ADVERTISEMENT && type !== REDIRECT) || isLinkLocal(bytes, source)) return undefined;
  const came = sameIp(pair, row - 1);
  const asked = pair.beforeOffset + (came < 0 ? 0 : pair.was.start[came]! + IPV6.destinationAt);
  const isAsked = came >= 0 && sameBytes(bytes, source, pair.before, asked, IPV6.size);
  // Of a group as its source the rule is `reply/group-source`.
  if (isAsked || bytes[source] === 0xff) return undefined;
  const isZero = isFilled(bytes, source, IPV6.size, 0);
  if (isZero && isZeroReply(pair, row - 1, came)) return undefined;
  return {
    ...{ invariant: 'neighbour/router-source', at: source - at, size: IPV6.size },
    ...{ expected: 'an address of fe80::/10', got: isZero ? '0' : 'another address' },
    sentence: `the program made a ${type === REDIRECT ? 'redirect' : 'router advertisement'}, and its source is no link-local address`,
    summary: 'a router’s message of neighbour discovery that is not from a link-local address',
  };
}

/** Is it `reply/zero-source` that judges a source of 0, which may be a setting that nobody has given yet? */
function isZeroReply(pair: FramePair, row: number, came: number): boolean {
  return row === outermostIp(pair.is) && came >= 0 && goesBack(pair, row, came);
}

function isLinkLocal(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80;
}

/** Where the first option is whose length is 0 or goes past the end, as an index of the arena; undefined: there is none. */
function unreadableOption({ bytes, at, end }: Message): number | undefined {
  let option = at + fixedPart(bytes[at]!);
  while (option < end) {
    const units = option + 1 < end ? bytes[option + 1]! : 0;
    if (units === 0 || option + units * LEAST_OPTION > end) return option;
    option += units * LEAST_OPTION;
  }
  return undefined;
}

function wrongOption(made: Message): Wrong | undefined {
  const option = unreadableOption(made);
  if (option === undefined) return undefined;
  const units = made.bytes[option + 1]!;
  return {
    invariant: 'neighbour/option-length',
    at: option + 1 - made.at,
    size: 1,
    expected: 'the option’s size in units of 8 bytes',
    got: String(units),
    sentence:
      units === 0
        ? 'the program made a message of neighbour discovery with an option whose length is 0'
        : `the program made a message of neighbour discovery with an option of ${units * LEAST_OPTION} bytes, and ${made.end - option} are left`,
    summary: 'an option of neighbour discovery that nobody can read',
  };
}

/** Where an option of this type is, as an index of the arena; -1: nowhere. All of them can be read. */
function optionOf({ bytes, at, end }: Message, type: number): number {
  let option = at + fixedPart(bytes[at]!);
  while (option + LEAST_OPTION <= end && bytes[option + 1] !== 0) {
    if (bytes[option] === type) return option;
    option += bytes[option + 1]! * LEAST_OPTION;
  }
  return -1;
}

function wrongAdvertisement(made: Message, came: Message | undefined): Wrong | undefined {
  const asked = came !== undefined && came.bytes[came.at] === SOLICITATION ? came : undefined;
  return (
    swappedFlags(made, asked) ??
    solicitedToGroup(made) ??
    (asked === undefined ? undefined : wrongAnswer(made, asked))
  );
}

function swappedFlags({ bytes, at }: Message, asked: Message | undefined): Wrong | undefined {
  const flags = at + FLAGS_AT;
  const last = bytes[flags + 3]!;
  if ((bytes[flags]! & ALL_FLAGS) !== 0 || (last & ALL_FLAGS) === 0 || (last & ~ALL_FLAGS) !== 0)
    return undefined;
  if (!isFilled(bytes, flags, 3, 0) || asked?.bytes[asked.at + FLAGS_AT + 3] === last) return undefined;
  const hex = last.toString(16);
  return {
    invariant: 'neighbour/flags',
    at: FLAGS_AT,
    size: 4,
    expected: `0x${hex}000000`,
    got: `0x000000${hex}`,
    sentence: `the flags of the neighbour advertisement are 0x000000${hex}, those of 0x${hex}000000 in the wrong byte order`,
    summary: 'flags of a neighbour advertisement in the wrong byte order',
  };
}

function solicitedToGroup({ bytes, at, ip }: Message): Wrong | undefined {
  const isToGroup = bytes[ip + IPV6.destinationAt] === 0xff;
  if (!isToGroup || (bytes[at + FLAGS_AT]! & SOLICITED) === 0) return undefined;
  return {
    ...{ invariant: 'neighbour/solicited', at: FLAGS_AT, size: 1, expected: '0', got: '1' },
    sentence: 'the neighbour advertisement goes to a multicast address with the solicited flag',
    summary: 'a neighbour advertisement to a multicast address with the solicited flag',
  };
}

/** What is wrong with it as the answer to this solicitation? */
function wrongAnswer(made: Message, asked: Message): Wrong | undefined {
  const isFromNobody = isFilled(asked.bytes, asked.ip + IPV6.sourceAt, IPV6.size, 0);
  return (
    wrongTarget(made, asked) ??
    (isFromNobody ? notToAllNodes(made) : (notSolicited(made, asked) ?? wrongAddress(made, asked)))
  );
}

function wrongTarget(made: Message, asked: Message): Wrong | undefined {
  if (sameBytes(made.bytes, made.at + TARGET_AT, asked.bytes, asked.at + TARGET_AT, IPV6.size))
    return undefined;
  return {
    invariant: 'neighbour/target',
    at: TARGET_AT,
    size: IPV6.size,
    expected: 'the target of the solicitation',
    got: 'another address',
    sentence: 'the neighbour solicitation is answered with an advertisement for another target',
    summary: 'a neighbour advertisement for another target than the solicitation’s',
  };
}

function notToAllNodes({ bytes, at, ip }: Message): Wrong | undefined {
  const destination = ip + IPV6.destinationAt;
  // Of an answer to :: the rule is `reply/to-unspecified`.
  const isRight = ALL_NODES.every((byte, index) => bytes[destination + index] === byte);
  if (isRight || isFilled(bytes, destination, IPV6.size, 0)) return undefined;
  return {
    ...{ invariant: 'neighbour/to-all-nodes', at: destination - at, size: IPV6.size },
    ...{ expected: 'ff02::1', got: 'another address' },
    sentence: 'the neighbour solicitation from :: is answered, and not to ff02::1',
    summary: 'a solicitation from :: that is not answered to all nodes',
  };
}

function notSolicited({ bytes, at, ip }: Message, asked: Message): Wrong | undefined {
  if ((bytes[at + FLAGS_AT]! & SOLICITED) !== 0) return undefined;
  if (!sameBytes(bytes, ip + IPV6.destinationAt, asked.bytes, asked.ip + IPV6.sourceAt, IPV6.size))
    return undefined;
  return {
    ...{ invariant: 'neighbour/solicited', at: FLAGS_AT, size: 1, expected: '1', got: '0' },
    sentence: 'the neighbour solicitation is answered to its sender without the solicited flag',
    summary: 'the answer to a neighbour solicitation without the solicited flag',
  };
}

/** Those who ask a group give their own address with it (RFC 4861 §4.3), which leaves room for the other one. */
function wrongAddress(made: Message, asked: Message): Wrong | undefined {
  const own = optionOf(asked, SOURCE_ADDRESS);
  if (own < 0) return undefined;
  const option = optionOf(made, TARGET_ADDRESS);
  if (option < 0)
    return asked.bytes[asked.ip + IPV6.destinationAt] === 0xff ? withoutAddress(made) : undefined;
  const address = option + 2;
  const isLeft = sameBytes(made.bytes, address, asked.bytes, own + 2, MAC_SIZE);
  return isLeft && !isFilled(made.bytes, address, MAC_SIZE, 0) ? askersAddress(made, option) : undefined;
}

function withoutAddress(made: Message): Wrong {
  const other = optionOf(made, SOURCE_ADDRESS);
  const isOther = other >= 0;
  return {
    invariant: 'neighbour/no-address',
    at: isOther ? other - made.at : 0,
    size: isOther ? 1 : fixedPart(ADVERTISEMENT),
    expected: 'an option of type 2',
    got: isOther ? 'an option of type 1' : 'no option',
    sentence: isOther
      ? 'the link-layer address of the neighbour advertisement is in an option of type 1, which belongs in solicitations'
      : 'the neighbour solicitation to a multicast address is answered without a link-layer address',
    summary: 'a neighbour advertisement without the link-layer address that was asked for',
  };
}

function askersAddress({ at }: Message, option: number): Wrong {
  return {
    ...{ invariant: 'neighbour/askers-address', at: option + 2 - at, size: MAC_SIZE },
    ...{ expected: 'the address of the target', got: 'the one of whoever asked' },
    sentence:
      'the neighbour advertisement gives the link-layer address of whoever asked as that of the target',
    summary: 'a neighbour advertisement with the link-layer address of whoever asked',
  };
}

function breachOf(pair: FramePair, row: number, { at, ...wrong }: Wrong): Breach {
  const { layer, depth } = headerOf(pair, row);
  const { severity } = NEIGHBOUR_RULES.find(({ id }) => id === wrong.invariant)!;
  return { ...wrong, severity, layer, depth, at: pair.is.start[row]! + at };
}
