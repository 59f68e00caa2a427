/** ARP replies that programs make of requests: right ones, and those in which something was forgotten. */
import { expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, MAC_A, MAC_B, PASSED, u16, V4_A, V4_B } from '../test-support/packets.ts';
import { arp } from './arp.ts';
import type { Passage } from './invariant.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
const NOBODY = [0, 0, 0, 0, 0, 0];
const ALL = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const OTHER = [2, 0, 0, 0, 0, 9];

interface Parts {
  readonly to?: readonly number[];
  readonly from?: readonly number[];
  readonly tag?: readonly number[];
  readonly format?: readonly number[];
  readonly operation?: number;
  readonly sender?: readonly (readonly number[])[];
  readonly target?: readonly (readonly number[])[];
}

function frame({ to, from, tag, format, operation, sender, target }: Required<Parts>): Uint8Array {
  return bytes(
    ...[to, from, tag, u16(0x0806), format, u16(operation)],
    ...[...sender, ...target],
    new Array(18).fill(0),
  );
}

const ASKED: Required<Parts> = {
  ...{ to: ALL, from: MAC_A, tag: [], format: [0, 1, 8, 0, 6, 4], operation: 1 },
  ...{ sender: [MAC_A, V4_A], target: [NOBODY, V4_B] },
};
const TOLD: Required<Parts> = {
  ...{ ...ASKED, to: MAC_A, from: MAC_B, operation: 2 },
  ...{ sender: [MAC_B, V4_B], target: [MAC_A, V4_A] },
};

function judged(told: Parts, asked: Parts = {}, passage = SENT_BACK): string {
  const [before, after] = [frame({ ...ASKED, ...asked }), frame({ ...TOLD, ...told })];
  pair.set(before, 0, before.length, after, 0, after.length);
  const breach = arp.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach === undefined ? '' : `${breach.invariant} at ${breach.at}`;
}

it('a right reply is none of all this, with a tag or without', () => {
  expect(judged({})).toBe('');
  const tag = [0x81, 0, 0, 5];
  expect(judged({ tag }, { tag })).toBe('');
  expect(judged({ tag, operation: 1 }, { tag })).toBe('arp/operation at 24');
});

it('a reply says that it is one', () => {
  expect(judged({ operation: 1 })).toBe('arp/operation at 20');
  expect(judged({ operation: 0x0200 })).toBe('arp/operation at 20');
  expect(judged({ operation: 1 }, {}, PASSED)).toBe('');
  // A proxy sends the request on in its own name; an announcement has one address twice.
  expect(judged({ operation: 1, sender: [MAC_B, V4_A], target: [NOBODY, V4_B] })).toBe('');
  expect(judged({ operation: 1, sender: [MAC_B, V4_A] }, { target: [NOBODY, V4_A] })).toBe('');
});

it('types and lengths stay', () => {
  expect(judged({ format: [0, 1, 8, 0, 4, 6] })).toBe('arp/format at 14');
  expect(judged({ format: [0, 1, 0, 8, 6, 4] })).toBe('arp/format at 14');
  // What came so is not judged at all.
  expect(judged({ format: [0, 6, 8, 0, 6, 4], operation: 1 }, { format: [0, 6, 8, 0, 6, 4] })).toBe('');
});

it('IP addresses change places, both of them', () => {
  expect(judged({ target: [MAC_A, V4_B] })).toBe('arp/addresses at 38');
  expect(judged({ sender: [MAC_B, V4_A] })).toBe('arp/addresses at 28');
  expect(judged({ sender: [MAC_B, V4_A], target: [MAC_A, V4_B] })).toBe('arp/addresses at 28');
});

it('the sender is not whoever asked, nor nobody', () => {
  expect(judged({ sender: [MAC_A, V4_B] })).toBe('arp/sender-mac at 22');
  expect(judged({ sender: [NOBODY, V4_B] })).toBe('arp/sender-mac at 22');
  expect(judged({ sender: [MAC_B, V4_B] }, { target: [MAC_B, V4_B] })).toBe('');
});

it('a sender of 0 may be the one that asked', () => {
  const sentence = (told: Parts, asked: Parts = {}): string | undefined => {
    const [before, after] = [frame({ ...ASKED, ...asked }), frame({ ...TOLD, ...told })];
    pair.set(before, 0, before.length, after, 0, after.length);
    return arp.judge(pair, SENT_BACK)?.sentence;
  };
  const begin = 'the sender’s MAC address of the ARP reply is';
  expect(sentence({ sender: [NOBODY, V4_B] })).toBe(`${begin} 0`);
  expect(sentence({ sender: [MAC_A, V4_B] })).toBe(`${begin} still that of whoever asked`);
  expect(sentence({ sender: [NOBODY, V4_B] }, { sender: [NOBODY, V4_A] })).toBe(
    `${begin} 0, as is that of whoever asked`,
  );
});

it('the target is whoever asked, by its own account or the frame’s', () => {
  expect(judged({ target: [NOBODY, V4_A] })).toBe('arp/target-mac at 32');
  expect(judged({ target: [OTHER, V4_A] }, { from: OTHER })).toBe('');
});

it('a frame from another address than the sender’s is worth a note, one from whoever asked another rule’s', () => {
  expect(judged({ from: OTHER })).toBe('arp/frame-source at 6');
  expect(judged({ from: MAC_A })).toBe('');
});

it('an announcement that is passed on, with another MAC address, is no answer', () => {
  const announced = { operation: 2, sender: [MAC_A, V4_A], target: [MAC_A, V4_A] };
  expect(judged({ sender: [MAC_B, V4_A], target: [MAC_B, V4_A] }, announced)).toBe('');
});

it('a reply is not answered', () => {
  const came = { operation: 2, target: [MAC_B, V4_B] };
  expect(judged({}, came)).toBe('arp/reply-answered at 20');
  expect(judged({ sender: [NOBODY, V4_B] }, came)).toBe('arp/reply-answered at 20');
  expect(judged({}, came, PASSED)).toBe('');
  // With the operation of a request, it is one: who tells others of its address may send either.
  expect(judged({ operation: 1 }, came)).toBe('');
  // Sent on to another host, or back as it came.
  expect(judged({ ...came, sender: ASKED.sender }, came)).toBe('');
  expect(judged({}, { ...came, operation: 3 })).toBe('');
});
