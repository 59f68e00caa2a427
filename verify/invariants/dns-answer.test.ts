/** DNS responses that programs make of queries: right ones, and those that no resolver takes. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, ethernet, ipv4, PASSED, u16, udp, V4_A, V4_B } from '../test-support/packets.ts';
import { dnsAnswer } from './dns-answer.ts';
import type { Passage } from './invariant.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
/** Where the message begins. */
const MESSAGE = 42;

type Part = readonly number[];

const QUERY = 0x0100;
const RESPONSE = 0x8400;

/** @param counts of questions, answers, authority and additional records */
function message(flags: number, counts: Part, ...parts: Part[]): Uint8Array {
  return bytes(u16(0xabcd), u16(flags), ...counts.map(u16), ...parts);
}

const NAME = [3, 0x77, 0x57, 0x77, 2, 0x65, 0x75, 0];
const QUESTION = [...NAME, 0, 1, 0, 1];
const OPT = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];

/** An answer for the name in the question. */
function record(data: Part, { type = 1, of = 1, ttl = 60, length = data.length } = {}): Part {
  return [
    0xc0,
    12,
    ...u16(type),
    ...u16(of),
    ...u16(ttl >>> 16),
    ...u16(ttl & 0xffff),
    ...u16(length),
    ...data,
  ];
}

const ASKED = message(QUERY, [1, 0, 0, 0], QUESTION);
const ADDRESS = record([192, 0, 2, 1]);
const TOLD = message(RESPONSE, [1, 1, 0, 0], QUESTION, ADDRESS);

function from(payload: Uint8Array, isBack: boolean, port = 53): Uint8Array {
  const [source, destination] = isBack ? [V4_B, V4_A] : [V4_A, V4_B];
  const datagram = udp(payload, source, destination, port);
  if (isBack) datagram.set([...u16(port), ...datagram.subarray(0, 2)]);
  return ethernet(0x0800, ipv4(17, datagram, { source, destination }));
}

/** What is wrong, and where in the message. */
function judged(told: Uint8Array, asked = ASKED, passage = SENT_BACK, port = 53): string {
  const [before, after] = [from(asked, false, port), from(told, true, port)];
  expect(pair.set(before, 0, before.length, after, 0, after.length)).toBe(true);
  const breach = dnsAnswer.judge(pair, passage);
  if (breach === undefined) return '';
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return `${breach.invariant} at ${breach.at - MESSAGE}: ${breach.expected}: ${breach.got}`;
}

function changed(of: Uint8Array, at: number, ...to: Part): Uint8Array {
  const copy = of.slice();
  copy.set(to, at);
  return copy;
}

describe('a right response', () => {
  it('has what its counts say, in all sections', () => {
    expect(judged(TOLD)).toBe('');
    expect(judged(message(RESPONSE, [1, 2, 0, 0], QUESTION, ADDRESS, ADDRESS))).toBe('');
    const authority = record([1, 2, 3], { type: 6 });
    expect(judged(message(RESPONSE, [1, 1, 1, 1], QUESTION, ADDRESS, authority, OPT))).toBe('');
    const six = record(new Array(16).fill(0x20), { type: 28 });
    expect(judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, six))).toBe('');
  });

  it('may be an error, with the question or without, and a truncated one', () => {
    for (const flags of [0x8183, 0x8400, 0x8300])
      expect(judged(message(flags, [1, 0, 0, 0], QUESTION))).toBe('');
    expect(judged(message(0x8181, [0, 0, 0, 0]))).toBe('');
  });

  it('is looked for on port 53 alone, and in what goes back', () => {
    const wrong = changed(TOLD, 7, 9);
    expect(judged(wrong)).not.toBe('');
    expect(judged(wrong, ASKED, PASSED)).toBe('');
    expect(judged(wrong, ASKED, SENT_BACK, 5300)).toBe('');
    // An echo server, and what cannot be read as it came.
    expect(judged(ASKED)).toBe('');
    expect(judged(wrong, changed(ASKED, 7, 5))).toBe('');
    expect(judged(wrong, ASKED.subarray(0, 11))).toBe('');
  });
});

describe('a response that no resolver takes', () => {
  it('is one to a response', () => {
    const came = changed(ASKED, 2, 0x80);
    expect(judged(TOLD, came)).toBe('dns/response-answered at 2: no answer: a response');
    expect(judged(changed(TOLD, 2, 0), came)).toBe('');
  });

  it('has no QR bit', () => {
    expect(judged(changed(TOLD, 2, 4))).toBe('dns/not-a-response at 2: QR: 1: QR: 0');
  });

  it('has another ID, or question', () => {
    expect(judged(changed(TOLD, 0, 0xcd, 0xab))).toBe('dns/other-question at 0: 0xabcd: 0xcdab');
    // Written in lower case.
    const lower = changed(TOLD, 14, 0x77);
    expect(judged(lower)).toBe('dns/other-question at 12: that of the query: another one');
  });

  it('says that it has more than it has', () => {
    expect(judged(changed(TOLD, 6, 1, 0))).toBe('dns/unreadable at 6: 1 answers: 256 answers');
    expect(judged(changed(TOLD, 11, 1))).toBe(
      'dns/unreadable at 10: 0 additional records: 1 additional records',
    );
    const long = record([192, 0, 2, 1], { length: 0x400 });
    expect(judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, long))).toBe(
      'dns/unreadable at 6: 0 answers: 1 answers',
    );
    // A name that points to itself, and one that has no such label.
    for (const name of [
      [0xc0, 24],
      [0x80, 12],
      [0xff, 0xff],
    ])
      expect(judged(changed(TOLD, 24, ...name))).toBe('dns/unreadable at 6: 0 answers: 1 answers');
  });

  it('has more than it says', () => {
    expect(judged(changed(TOLD, 7, 0))).toBe('dns/unreadable at 24: the end: 16 bytes');
    expect(judged(bytes(TOLD, 0))).toBe('dns/unreadable at 40: the end: 1 bytes');
  });

  it('has its answer behind the OPT record of the query', () => {
    const asked = message(QUERY, [1, 0, 0, 1], QUESTION, OPT);
    const told = message(RESPONSE, [1, 1, 0, 1], QUESTION, OPT, ADDRESS);
    expect(judged(told, asked)).toBe('dns/unreadable at 25: an answer: OPT');
    expect(judged(message(RESPONSE, [1, 1, 0, 1], QUESTION, ADDRESS, OPT), asked)).toBe('');
  });

  it('has an address of another length', () => {
    const six = record([192, 0, 2, 1], { type: 28 });
    expect(judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, six))).toBe('dns/address-length at 34: 16: 4');
    const short = record([192, 0, 2], {});
    expect(judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, short))).toBe('dns/address-length at 34: 4: 3');
    // Of class CHAOS it is something else.
    expect(judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, record([0, 1, 7], { of: 3 })))).toBe('');
  });

  it('has a TTL of years', () => {
    const years = (ttl: number): string =>
      judged(message(RESPONSE, [1, 1, 0, 0], QUESTION, record([192, 0, 2, 1], { ttl })));
    expect(years(60 * 2 ** 24)).toBe('dns/ttl-byte-order at 30: 60: 1006632960');
    expect(years(0x100e0000)).toBe('dns/ttl-byte-order at 30: 3600: 269352960');
    for (const ttl of [0, 1, 86_400, 7 * 86_400, 2 ** 24 - 1, 0x7fffffff]) expect(years(ttl)).toBe('');
  });
});
