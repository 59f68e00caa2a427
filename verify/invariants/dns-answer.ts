/**
 * DNS responses that a program makes of queries (RFC 1035 §4.1): with their numbers in network order, and as many records as they say
 * that they have. Resolvers take a response by its ID and its question, and drop what they cannot read.
 *
 * Judged are messages over UDP that go back from port 53 to where a sound query came from, and differ from it. What is in the records
 * is the program’s.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER, HEADER_FLAG, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';
import type { Severity } from '../severity.ts';
import { comesFromDestination, goesBack, outermostIp, sameBytes } from './answers.ts';
import { DnsMessage, type DnsRecord } from './dns-message.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';

export const DNS_RULES: readonly Rule[] = [
  rule(
    'dns/response-answered',
    'error',
    'A DNS response that is answered',
    'A message with the QR bit is a response, and was taken for a query (RFC 1035 §4.1.1). Two servers that answer responses answer each other without end, and a single packet with a false source starts it. Look at the QR bit first.',
  ),
  rule(
    'dns/not-a-response',
    'error',
    'A DNS response without the QR bit',
    'The answer to a query is still a query: the bit that says that it is a response (0x80 in the third byte, `bpf_htons(0x8000)` in the word of flags) is not set (RFC 1035 §4.1.1). Resolvers ignore it.',
  ),
  rule(
    'dns/other-question',
    'error',
    'A DNS response with another ID or question than the query',
    'A resolver finds the query by the ID and the question of the response, and takes no other one (RFC 5452 §9.1); some write the name in upper and lower case at random and compare it as it stands. Answer with a copy of both, and look names up in a copy of their own.',
  ),
  rule(
    'dns/unreadable',
    'error',
    'A DNS response that cannot be read',
    'The four counts of the header say how many questions and records follow, and they do not: a count or a length of data in the machine’s byte order, a record that no count counts, a name that does not end, a datagram that was not made as long as what was written into it (RFC 1035 §4.1). Or an OPT record, which belongs to the last section (RFC 6891 §6.1.1), stands among the answers, since the answer was written behind it. Most resolvers drop such responses.',
  ),
  rule(
    'dns/address-length',
    'error',
    'A DNS record of an address with a wrong length',
    'An A record of class IN holds 4 bytes, one of AAAA 16 (RFC 1035 §3.4.1, RFC 3596 §2.2): its type or its length is not what was meant.',
  ),
  rule(
    'dns/ttl-byte-order',
    'warning',
    'The TTL of a DNS record in the wrong byte order, as it seems',
    'The record may be kept for years; with its bytes swapped, its TTL is one of seconds to days: 60 without `bpf_htonl` is 1,006,632,960. Resolvers keep an address that long, or take the TTL for 0 (RFC 2181 §8).',
  ),
];

const PORT = 53;

export const dnsAnswer: Invariant = {
  name: 'dns',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    const row = outermostIp(pair.is);
    const came = row < 0 ? -1 : sameIp(pair, row);
    if (came < 0 || !answersDatagram(pair, row, came)) return undefined;
    const { was, before, beforeOffset, beforeLength, is, after, afterOffset, afterLength } = pair;
    const query = messageOf(was, came + 1, before.subarray(0, beforeOffset + beforeLength), beforeOffset);
    const response = messageOf(is, row + 1, after.subarray(0, afterOffset + afterLength), afterOffset);
    if (query === undefined || response === undefined || query.isSameAs(response)) return undefined;
    const wrong = judgeMessage(query, response);
    return wrong === undefined ? undefined : breachOf(pair, row + 1, wrong);
  },
};

/** Does a datagram go back from port 53 to the socket that one came from? @param row its IP header, as `came` is that of the other */
function answersDatagram(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  if (!holdsUdp(is, row + 1) || !holdsUdp(was, came + 1)) return false;
  const now = afterOffset + is.start[row + 1]!;
  const then = beforeOffset + was.start[came + 1]!;
  if (((before[then + 2]! << 8) | before[then + 3]!) !== PORT) return false;
  if (!sameBytes(after, now, before, then + 2, 2) || !sameBytes(after, now + 2, before, then, 2))
    return false;
  return goesBack(pair, row, came) && comesFromDestination(pair, row, came);
}

function holdsUdp(list: HeaderList, row: number): boolean {
  if (row >= list.count || list.kind[row] !== HEADER.udp || list.part[row] !== PART.whole) return false;
  return (list.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) === 0;
}

/** The message in a datagram that is all there. @param bytes up to the frame's end */
function messageOf(list: HeaderList, row: number, bytes: Uint8Array, offset: number): DnsMessage | undefined {
  const [at, end] = [list.headerEnd[row]!, list.claimedEnd[row]!];
  return offset + end > bytes.length ? undefined : DnsMessage.at(bytes, offset + at, offset + end);
}

interface Wrong extends Pick<Breach, 'invariant' | 'size' | 'expected' | 'got' | 'sentence' | 'summary'> {
  /** In the message. */
  readonly at: number;
}

function judgeMessage(query: DnsMessage, response: DnsMessage): Wrong | undefined {
  if (query.isResponse) return response.isResponse ? ANSWERED : undefined;
  // What cannot be read itself may be answered with an error.
  const asked = query.read();
  if (asked.fault !== undefined || query.questions !== 1) return undefined;
  if (!response.isResponse) return NO_RESPONSE;
  if (response.id !== query.id) return otherId(query, response);
  const question = asked.questionEnd;
  if (response.questions > 0 && response.questions < 0x100 && !response.startsLike(query, question))
    return OTHER_QUESTION;
  const { fault, records } = response.read();
  if (fault !== undefined) return unreadable(fault);
  for (const record of records) {
    const wrong = wrongRecord(record);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const ANSWERED: Wrong = {
  ...{ invariant: 'dns/response-answered', at: 2, size: 1, expected: 'no answer', got: 'a response' },
  sentence: 'a DNS response is answered with a response',
  summary: 'a DNS response that is answered',
};

const NO_RESPONSE: Wrong = {
  ...{ invariant: 'dns/not-a-response', at: 2, size: 1, expected: 'QR: 1', got: 'QR: 0' },
  sentence: 'the answer to a DNS query has no QR bit',
  summary: 'a DNS response without the QR bit',
};

const OTHER_QUESTION: Wrong = {
  ...{ invariant: 'dns/other-question', at: 12, size: 1, expected: 'that of the query', got: 'another one' },
  sentence: 'the question of the DNS response is not the one of the query',
  summary: 'a DNS response with another question than the query',
};

function otherId(query: DnsMessage, response: DnsMessage): Wrong {
  return {
    ...{ invariant: 'dns/other-question', at: 0, size: 2, expected: hex(query.id), got: hex(response.id) },
    sentence: `a DNS query with the ID ${hex(query.id)} is answered with the ID ${hex(response.id)}`,
    summary: 'a DNS response with another ID than the query',
  };
}

function unreadable({
  at,
  size,
  expected,
  got,
  what,
}: NonNullable<ReturnType<DnsMessage['read']>['fault']>): Wrong {
  return {
    ...{ invariant: 'dns/unreadable', at, size, expected, got },
    sentence: `the DNS response cannot be read: ${what}`,
    summary: 'a DNS response that cannot be read',
  };
}

const [A, AAAA, IN] = [1, 28, 1];
/** Half a year: longer than anybody has an address kept. */
const LONG = 1 << 24;

function wrongRecord({ at, type, class: of, ttl, length }: DnsRecord): Wrong | undefined {
  const wanted = type === A ? 4 : type === AAAA ? 16 : length;
  if (of === IN && length !== wanted)
    return {
      ...{ invariant: 'dns/address-length', at: at + 8, size: 2, expected: `${wanted}`, got: `${length}` },
      sentence: `a DNS record of the type ${type === A ? 'A' : 'AAAA'} holds ${length} bytes`,
      summary: 'a DNS record of an address with a wrong length',
    };
  const swapped = ((ttl >>> 24) | ((ttl >>> 8) & 0xff00)) >>> 0;
  if (of !== IN || ttl < LONG || (ttl & 0xff) !== 0 || (ttl & 0xff00) !== 0) return undefined;
  return {
    ...{ invariant: 'dns/ttl-byte-order', at: at + 4, size: 4, expected: `${swapped}`, got: `${ttl}` },
    sentence: `a DNS record has a TTL of ${ttl} seconds, which is ${swapped} with its bytes swapped`,
    summary: 'the TTL of a DNS record in the wrong byte order, as it seems',
  };
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`;
}

function severityOf(invariant: string): Severity {
  return DNS_RULES.find(({ id }) => id === invariant)!.severity;
}

function breachOf(pair: FramePair, row: number, { at, ...wrong }: Wrong): Breach {
  const { layer, depth } = headerOf(pair, row);
  const severity = severityOf(wrong.invariant);
  return { ...wrong, severity, layer, depth, at: pair.is.headerEnd[row]! + at };
}
