/**
 * An ICMP error goes to the host that sent the packet which it quotes. Whoever translates the address of the error translates it in the
 * quote, too (RFC 3022 §4.3, RFC 5508 §4.2; `nf_nat_icmp_reply_translation`): the host looks for the socket by what is quoted.
 */
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { addressesOf, comesFromDestination, ERRORS4, ERRORS6, goesBack, sameBytes } from './answers.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';

export const TRANSLATED_QUOTE_RULES: readonly Rule[] = [
  rule(
    'icmp/quote-left',
    'warning',
    'An ICMP error whose quote was not translated with it',
    'The program wrote another address into the IP header of an ICMP error, and left the one in the packet that the error quotes, where the same address stood (RFC 3022 §4.3, RFC 5508 §4.2). The host that gets the error looks for the socket by the quote, finds none, and drops it: path MTU discovery and “port unreachable” do not come through. Translate the quote, with its checksum and that of the message, as the kernel does (`nf_nat_icmp_reply_translation`, net/ipv6/netfilter/ip6t_NPT.c), or leave ICMP errors to somebody who does. A warning, since ICMP errors may never come to the program.',
  ),
];

export const translatedQuote: Invariant = {
  name: 'translated-quote',
  judge(pair: FramePair): Breach | undefined {
    if (pair.cameBroken) return undefined;
    for (let row = 0; row < pair.is.count; row++) {
      const came = isIp(pair.is.kind[row]!) ? sameIp(pair, row) : -1;
      if (came < 0 || !isErrorKept(pair, row, came) || isAnswer(pair, row, came)) continue;
      const quoted = leftAddress(pair, row, came);
      if (quoted >= 0) return breachOf(pair, row, quoted);
    }
    return undefined;
  },
};

const ICMP_HEADER = 8;

/**
 * Is it an ICMP error, the one that came, with enough of a quote, of a packet of its version? None is so long that it comes in fragments,
 * or has extension headers, behind which few programs look.
 * @param row its IP header, as `came` is that of the other
 */
function isErrorKept(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  if (!holdsMessage(is, row + 1) || !holdsMessage(was, came + 1)) return false;
  const isV4 = is.kind[row] === HEADER.ipv4;
  const now = afterOffset + is.start[row + 1]!;
  const then = beforeOffset + was.start[came + 1]!;
  if (!(isV4 ? ERRORS4 : ERRORS6).has(after[now]!) || !sameBytes(after, now, before, then, 2)) return false;
  const least = ICMP_HEADER + (isV4 ? 20 : 40);
  if (is.start[row + 1]! + least > pair.afterLength || was.start[came + 1]! + least > pair.beforeLength)
    return false;
  const version = before[then + ICMP_HEADER]! >> 4;
  return version === (isV4 ? 4 : 6);
}

function holdsMessage(list: FramePair['is'], row: number): boolean {
  const isV6 = list.kind[row] === HEADER.icmpv6;
  if (row >= list.count || list.part[row - 1] !== PART.whole) return false;
  if (list.kind[row] !== HEADER.icmp && !isV6) return false;
  if (isV6 && list.start[row] !== list.start[row - 1]! + 40) return false;
  return (list.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) === 0;
}

/** Sent back with its addresses exchanged, which no error is in earnest. */
function isAnswer(pair: FramePair, row: number, came: number): boolean {
  return goesBack(pair, row, came) && comesFromDestination(pair, row, came);
}

/**
 * The destination of an error is the source in its quote, and its source the destination there where it comes from the host that the
 * packet went to.
 * @returns where in the frame that left the address stands that was such a one, and is none any more; -1: none
 */
function leftAddress(pair: FramePair, row: number, came: number): number {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const [source, size] = addressesOf(is.kind[row]!);
  const destination = source + size;
  const now = afterOffset + is.start[row]!;
  const then = beforeOffset + was.start[came]!;
  const quotedNow = afterOffset + is.start[row + 1]! + ICMP_HEADER;
  const quotedThen = beforeOffset + was.start[came + 1]! + ICMP_HEADER;
  for (const [outer, inner] of [
    [destination, source],
    [source, destination],
  ] as const) {
    const wasSame = sameBytes(before, then + outer, before, quotedThen + inner, size);
    const isLeft = sameBytes(after, quotedNow + inner, before, quotedThen + inner, size);
    if (wasSame && isLeft && !sameBytes(after, now + outer, after, quotedNow + inner, size))
      return quotedNow + inner - afterOffset;
  }
  return -1;
}

function breachOf(pair: FramePair, row: number, at: number): Breach {
  const { is } = pair;
  const { layer, depth, label } = headerOf(pair, row);
  const [source, size] = addressesOf(is.kind[row]!);
  const isSource = at === is.start[row + 1]! + ICMP_HEADER + source;
  const [own, quoted] = isSource ? ['destination', 'source'] : ['source', 'destination'];
  return {
    invariant: 'icmp/quote-left',
    severity: 'warning',
    layer,
    depth,
    at: is.start[row]! + (isSource ? source + size : source),
    size,
    against: { at, size },
    expected: 'one address in both places',
    got: 'two',
    sentence: `the ${own} of the ${label} packet with an ICMP error was changed, and the ${quoted} of the packet that it quotes, which was the same, was not`,
    summary: 'an ICMP error whose quote was not translated with it',
  };
}
