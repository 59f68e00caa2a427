/**
 * PPPoE session headers that a program writes: version and type, the code of the session stage, the length and the protocol of PPP
 * behind it (RFC 2516 §4 and §6, RFC 1661 §2). No header of IP leads there, so nothing else would see what is wrong with them.
 *
 * Judged are fields that the program wrote. A header that came, and was wrong then, proves nothing.
 */
import { swapped } from '../../sim/packet/checksum.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const PPPOE_RULES: readonly Rule[] = [
  rule(
    'pppoe/version',
    'error',
    'A PPPoE header of another version or type',
    'Version and type of PPPoE are 1 and 1: the first byte is 0x11 (RFC 2516 §4). Receivers discard what says otherwise.',
  ),
  rule(
    'pppoe/code',
    'error',
    'A PPPoE session packet with a code',
    'Behind EtherType 0x8864 the code is 0 (RFC 2516 §6): others belong to discovery, which has 0x8863.',
  ),
  rule(
    'pppoe/length',
    'error',
    'A PPPoE length that goes beyond the frame',
    'The length counts what follows the six bytes of the PPPoE header: the two of PPP’s protocol, and the packet (RFC 2516 §4). Receivers drop what claims more than there is (`pppoe_rcv`). The usual causes are a length without `bpf_htons`, and one that counts the header as well.',
  ),
  rule(
    'pppoe/protocol',
    'error',
    'A PPP protocol that does not name what follows',
    'The protocol of PPP is 0x0021 for IPv4 and 0x0057 for IPv6 (RFC 1332, RFC 5072), and no EtherType: each ends in an odd byte (RFC 1661 §2). Without `bpf_htons` it is 0x2100.',
  ),
];

export const pppoe: Invariant = {
  name: 'pppoe',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery === DELIVERY.dropped || pair.cameBroken) return undefined;
    const at = sessionAt(pair.after, pair.afterOffset, pair.afterLength);
    if (at === undefined) return undefined;
    const came = sessionAt(pair.before, pair.beforeOffset, pair.beforeLength);
    if (came !== undefined ? isWrong(pair, came) : isCopy(pair, at)) return undefined;
    return (
      judgeByte(pair, at, VERSION) ??
      judgeByte(pair, at, CODE) ??
      judgeLength(pair, at) ??
      judgeProtocol(pair, at)
    );
  },
};

const HEADER_SIZE = 6;
const PROTOCOL_SIZE = 2;

/** Where the PPPoE header of a session is, with a protocol of PPP behind it. */
function sessionAt(frame: Uint8Array, offset: number, length: number): number | undefined {
  const type = lastTypeAt(frame, offset, length);
  const at = type + 2;
  if (at + HEADER_SIZE + PROTOCOL_SIZE > length) return undefined;
  return read16(frame, offset + type) === ETHERTYPE.PPPOE_SESSION ? at : undefined;
}

/** Did the frame come with a header that was wrong already? */
function isWrong({ before, beforeOffset, beforeLength }: FramePair, came: number): boolean {
  const at = beforeOffset + came;
  const room = beforeLength - came - HEADER_SIZE;
  return before[at] !== 0x11 || before[at + 1] !== 0 || read16(before, at + 4) > room;
}

/** Are these bytes as they came, behind a new EtherType? Then that one may be what is wrong (`ethertype.ts`). */
function isCopy(pair: FramePair, at: number): boolean {
  const end = at + HEADER_SIZE + PROTOCOL_SIZE;
  return (
    pair.isOld(at, end) || pair.isOld(at, end, 0) || pair.isOld(at, end, pair.beforeLength - pair.afterLength)
  );
}

/** A byte that has one right value. */
interface Fixed {
  readonly id: string;
  readonly at: number;
  readonly right: number;
  readonly says: string;
}

const VERSION: Fixed = { id: 'version', at: 0, right: 0x11, says: 'the version and type of PPPoE say' };
const CODE: Fixed = { id: 'code', at: 1, right: 0, says: 'the code of a PPPoE session packet says' };

function judgeByte(
  { after, afterOffset }: FramePair,
  header: number,
  { id, at, right, says }: Fixed,
): Breach | undefined {
  const got = after[afterOffset + header + at]!;
  if (got === right) return undefined;
  return breachOf(id, header + at, 1, hex(right, 2), hex(got, 2), `${says} ${hex(got, 2)}`);
}

function judgeLength({ after, afterOffset, afterLength }: FramePair, header: number): Breach | undefined {
  const stated = read16(after, afterOffset + header + 4);
  const room = afterLength - header - HEADER_SIZE;
  if (stated <= room) return undefined;
  const sentence = `the PPPoE length says ${stated} bytes, but only ${room} are there`;
  return breachOf('length', header + 4, 2, `${room} bytes`, `${stated} bytes`, sentence);
}

const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;
const NAMES: Readonly<Record<number, string>> = { [PPP_IPV4]: 'IPv4', [PPP_IPV6]: 'IPv6' };

function judgeProtocol(pair: FramePair, header: number): Breach | undefined {
  const at = header + HEADER_SIZE;
  const got = read16(pair.after, pair.afterOffset + at);
  const follows = ipBehind(pair, at + PROTOCOL_SIZE);
  if (got === follows) return undefined;
  const isOther = follows !== undefined && (got in NAMES || swapped(got) === follows);
  if (!isOther && !isImpossible(got)) return undefined;
  const expected = follows === undefined ? 'a protocol of PPP' : `${hex(follows, 4)} (${NAMES[follows]})`;
  const behind = follows === undefined ? 'which no protocol of PPP has' : `and ${NAMES[follows]} follows`;
  return breachOf(
    'protocol',
    at,
    2,
    expected,
    hex(got, 4),
    `the PPP protocol says ${hex(got, 4)}, ${behind}`,
  );
}

/** The last bit of a protocol number is 1. Where that of the first byte is, it is one of a single byte (RFC 1661 §2, §6.5). */
function isImpossible(number: number): boolean {
  return (number & 0x0101) === 0;
}

/** What PPP calls the IP packet that begins here; undefined: none does. */
function ipBehind({ after, afterOffset, afterLength }: FramePair, start: number): number | undefined {
  const room = afterLength - start;
  const at = afterOffset + start;
  if (room >= 20 && after[at]! >> 4 === 4 && (after[at]! & 15) >= 5 && read16(after, at + 2) <= room)
    return PPP_IPV4;
  return room >= 40 && after[at]! >> 4 === 6 && read16(after, at + 4) + 40 <= room ? PPP_IPV6 : undefined;
}

function breachOf(
  id: string,
  at: number,
  size: number,
  expected: string,
  got: string,
  sentence: string,
): Breach {
  const invariant = `pppoe/${id}`;
  const { title } = PPPOE_RULES.find((one) => one.id === invariant)!;
  const summary = title.charAt(0).toLowerCase() + title.slice(1);
  return { invariant, severity: 'error', at, size, expected, got, sentence, summary };
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
