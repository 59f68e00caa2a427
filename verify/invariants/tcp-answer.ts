/**
 * The numbers of TCP segments that answer the one that came. A SYN is acknowledged with its own number plus one, by whoever answers
 * it: a stack, a SYN proxy, a SYN cookie. A reset has the number that the other side expects, which the segment says.
 *
 * Numbers that have nothing to do with the segment are left alone: what keeps a connection knows better, and who tries clients by a
 * wrong number, which they answer with a reset, makes one up.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { outermostIp } from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';
import { answersSegment } from './unanswerable.ts';

export const TCP_ANSWER_RULES: readonly Rule[] = [
  rule(
    'reply/syn-not-acknowledged',
    'error',
    'A SYN answered with another acknowledgment number than its own plus one',
    'The client sent one SYN, which counts as a byte: it accepts no SYN-ACK but one with ACK = SEQ + 1, and answers others with a reset (RFC 9293 §3.10.7.3). That is so of SYN cookies, too. Numbers that are not made of the SYN’s are not judged: some try clients with them on purpose.',
  ),
  rule(
    'reply/reset-number',
    'error',
    'A TCP reset that its receiver does not accept',
    'A segment with ACK is answered with a reset whose SEQ is that ACK; one without, as a SYN, with SEQ 0 and an ACK behind all that it takes up, SEQ + 1 for a SYN (RFC 9293 §3.5.2, §3.10.7.1). Receivers ignore other resets, and the connection stays as it is. Numbers that are not made of the segment’s are not judged: who keeps the connection may know better. A warning where a SEQ of 0 is none of the program’s constants.',
  ),
];

export const tcpAnswer: Invariant = {
  name: 'tcp-answer',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    const row = outermostIp(pair.is);
    const came = row < 0 ? -1 : sameIp(pair, row);
    if (came < 0 || !answersSegment(pair, row, came)) return undefined;
    const now = segmentAt(pair.after, pair.afterOffset + pair.is.start[row + 1]!);
    const then = segmentAt(pair.before, pair.beforeOffset + pair.was.start[came + 1]!);
    const data = pair.was.claimedEnd[came + 1]! - pair.was.headerEnd[came + 1]!;
    const wrong = wrongNumber(then, now, data);
    return wrong === undefined ? undefined : breachOf(pair, row + 1, wrong);
  },
};

interface Segment {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
}

function segmentAt(bytes: Uint8Array, at: number): Segment {
  return { seq: read32(bytes, at + SEQ_AT), ack: read32(bytes, at + ACK_AT), flags: bytes[at + FLAGS_AT]! };
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

const [SEQ_AT, ACK_AT, FLAGS_AT] = [4, 8, 13];
const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];

interface Wrong {
  readonly invariant: string;
  readonly at: number;
  readonly size: number;
  readonly expected: string;
  readonly got: string;
  readonly sentence: string;
}

/** @param data how many bytes of data the segment came with */
function wrongNumber(then: Segment, now: Segment, data: number): Wrong | undefined {
  const kind = now.flags & (SYN | RST | ACK | FIN);
  const isOpening = (then.flags & (SYN | RST | ACK | FIN)) === SYN;
  if (isOpening && kind === (SYN | ACK)) return wrongAck(then, now, data, 'reply/syn-not-acknowledged');
  if ((kind & RST) === 0 || (then.flags & RST) !== 0) return undefined;
  if ((then.flags & ACK) !== 0) return wrongSeq(then, now, data);
  if (!isOpening) return undefined;
  return (kind & ACK) === 0 ? NO_ACK : wrongAck(then, now, data, 'reply/reset-number');
}

/** Of an answer to a SYN, which may acknowledge its data, too (RFC 7413). */
function wrongAck(then: Segment, now: Segment, data: number, invariant: string): Wrong | undefined {
  const ahead = (now.ack - then.seq) | 0;
  if (ahead >= 1 && ahead <= 1 + data) return undefined;
  const isLeft = now.ack === then.ack || now.ack === 0;
  const isTurned = ((swapped(now.ack) - swapped(then.seq)) | 0) === 1;
  if (!isLeft && !isTurned && !isNear(ahead, data)) return undefined;
  return {
    ...{ invariant, at: ACK_AT, size: 4, expected: `${(then.seq + 1) >>> 0}`, got: `${now.ack}` },
    sentence: `a SYN with the number ${then.seq} is answered with the acknowledgment number ${now.ack}`,
  };
}

function wrongSeq(then: Segment, now: Segment, data: number): Wrong | undefined {
  if (now.seq === then.ack) return undefined;
  if (now.seq !== 0 && !isNear((now.seq - then.seq) | 0, data)) return undefined;
  return {
    ...{ invariant: 'reply/reset-number', at: SEQ_AT, size: 4, expected: `${then.ack}`, got: `${now.seq}` },
    sentence: `a segment with the acknowledgment number ${then.ack} is answered with a reset whose number is ${now.seq}`,
  };
}

const NO_ACK: Wrong = {
  invariant: 'reply/reset-number',
  at: FLAGS_AT,
  size: 1,
  expected: 'RST and ACK',
  got: 'RST alone',
  sentence: 'a SYN is answered with a reset that acknowledges nothing',
};

/** Headers that are counted as data, or a SYN that is not, lead this far off; a hash hardly ever comes so near. */
const NEAR = 64;

function isNear(ahead: number, data: number): boolean {
  return ahead >= -NEAR && ahead <= data + NEAR;
}

function swapped(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24)) >>> 0;
}

function breachOf(pair: FramePair, row: number, { at, ...wrong }: Wrong): Breach {
  const { layer, depth } = headerOf(pair, row);
  const isReset = wrong.invariant === 'reply/reset-number';
  return {
    ...wrong,
    severity: 'error',
    layer,
    depth,
    at: pair.is.start[row]! + at,
    summary: isReset ? 'a TCP reset that its receiver does not accept' : 'a SYN that is not acknowledged',
  };
}
