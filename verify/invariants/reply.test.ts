/** What is judged of frames that go back to where the packet came from. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  MAC_A,
  MAC_B,
  PASSED,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import type { Invariant, Passage } from './invariant.ts';
import { reply } from './reply.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
const REDIRECTED: Passage = { ...PASSED, action: 4, delivery: 3 };

function judged(invariant: Invariant, before: Uint8Array, after: Uint8Array, passage = SENT_BACK): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = invariant.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach?.invariant ?? '';
}

/** A frame that goes back: to the MAC address that the frames of `ethernet` come from. */
const back = (type: number, payload: Uint8Array): Uint8Array => bytes(MAC_A, MAC_B, u16(type), payload);

type Address = readonly number[];
const HOST: Address = [10, 0, 0, 1];
const OTHER: Address = [10, 0, 0, 2];
const NONE: Address = [0, 0, 0, 0];
const GROUPS: readonly Address[] = [
  [224, 0, 0, 1],
  [239, 255, 255, 250],
  [255, 255, 255, 255],
];

const between4 = (source: Address, destination: Address): Uint8Array =>
  ipv4(17, udp(data(8), source, destination), { source, destination });
const between6 = (source: Address, destination: Address): Uint8Array =>
  ipv6(17, udp(data(20), source, destination), source, destination);
const address6 = (...first: number[]): Address => [...first, ...new Array(14).fill(7)];

const asked = (to: Address): Uint8Array => ethernet(0x0800, between4(HOST, to));
const answered = (from: Address, to = HOST): Uint8Array => back(0x0800, between4(from, to));

describe('the source of a reply', () => {
  it('is one host', () => {
    expect(judged(reply, asked(OTHER), answered(OTHER))).toBe('');
    const [host, other] = [address6(0x20, 1), address6(0xfe, 0x80)];
    expect(judged(reply, ethernet(0x86dd, between6(host, other)), back(0x86dd, between6(other, host)))).toBe(
      '',
    );
  });

  it.each(GROUPS)('is not the group %j.%j.%j.%j', (...group) => {
    expect(judged(reply, asked(group), answered(group))).toBe('reply/group-source');
    // What is passed to the stack is no reply.
    expect(judged(reply, asked(group), answered(group), PASSED)).toBe('');
  });

  it('is no group of IPv6', () => {
    const [host, group] = [address6(0x20, 1), address6(0xff, 2)];
    expect(judged(reply, ethernet(0x86dd, between6(host, group)), back(0x86dd, between6(group, host)))).toBe(
      'reply/group-source',
    );
  });

  it('is not 0; that 0 was asked is worth a note', () => {
    expect(judged(reply, asked(NONE), answered(NONE))).toBe('reply/to-zero');
    expect(judged(reply, asked(OTHER), answered(NONE))).toBe('reply/zero-source');
  });

  it('may be a group that a setting names, and so may that of a packet which goes elsewhere', () => {
    const group = [239, 1, 1, 1];
    expect(judged(reply, asked(OTHER), answered(group))).toBe('');
    expect(judged(reply, asked(group), answered(group, [10, 0, 0, 9]))).toBe('');
  });
});

/** An ICMP error about a packet, as XDP programs make them: the packet's first bytes behind new headers. */
function error4(about: Uint8Array, source: Address, destination = HOST, type = 3): Uint8Array {
  return ipv4(1, icmp(type, 3, [0, 0, 0, 0], about.slice(0, 28)), { source, destination });
}

function error6(about: Uint8Array, source: Address, destination: Address, type = 2): Uint8Array {
  return ipv6(58, icmpv6(type, [0, 0, 5, 0], about.slice(0, 48), source, destination), source, destination);
}

describe('the source of an ICMP error', () => {
  const about = (to: Address, error: Uint8Array, passage = SENT_BACK): string =>
    judged(reply, asked(to), back(0x0800, error), passage);

  it.each(GROUPS)('is not the group %j.%j.%j.%j that the packet went to', (...group) => {
    const error = error4(between4(HOST, group), group);
    expect(about(group, error)).toBe('reply/group-source');
    expect(about(group, error, REDIRECTED)).toBe('reply/group-source');
    expect(about(group, error, PASSED)).toBe('');
  });

  it('is no group of IPv6', () => {
    const [host, group] = [address6(0x20, 1), address6(0xff, 2)];
    const packet = between6(host, group);
    const sent = (source: Address): string =>
      judged(reply, ethernet(0x86dd, packet), back(0x86dd, error6(packet, source, host)));
    expect(sent(group)).toBe('reply/group-source');
    expect(sent(V6_B)).toBe('');
  });

  it('is not 0', () => {
    expect(about(OTHER, error4(between4(HOST, OTHER), NONE))).toBe('reply/zero-source');
    expect(about(NONE, error4(between4(HOST, NONE), NONE))).toBe('reply/to-zero');
  });

  it('is the host that was asked, or a router', () => {
    expect(about(OTHER, error4(between4(HOST, OTHER), OTHER))).toBe('');
    expect(about(GROUPS[0]!, error4(between4(HOST, GROUPS[0]!), [192, 0, 2, 1]))).toBe('');
  });

  it('is not judged where it came with the error, or the error is about another packet', () => {
    const group = GROUPS[0]!;
    const came = error4(between4(HOST, group), OTHER);
    const rewritten = error4(between4(HOST, group), group);
    expect(judged(reply, ethernet(0x0800, came), ethernet(0x0800, rewritten))).toBe('');
    expect(about(OTHER, error4(between4(HOST, group), group))).toBe('');
  });
});

describe('the MAC address that a reply goes to', () => {
  const echo = (type: number, source: Address, destination: Address): Uint8Array =>
    ipv4(1, icmp(type, 0, [0, 1, 0, 1], data(20)), { source, destination });
  const request = ethernet(0x0800, echo(8, V4_A, V4_B));
  const answer = echo(0, V4_B, V4_A);

  it('is not the one that the packet came to', () => {
    expect(judged(reply, request, ethernet(0x0800, answer))).toBe('reply/own-mac');
    expect(judged(reply, request, bytes(MAC_B, MAC_B, u16(0x0800), answer))).toBe('reply/own-mac');
    expect(
      judged(reply, ethernet(0x86dd, between6(V6_A, V6_B)), ethernet(0x86dd, between6(V6_B, V6_A))),
    ).toBe('reply/own-mac');
    const unreachable = error4(between4(HOST, OTHER), [192, 0, 2, 1]);
    expect(judged(reply, asked(OTHER), ethernet(0x0800, unreachable))).toBe('reply/own-mac');
  });

  it('is the one that it came from, or another', () => {
    expect(judged(reply, request, back(0x0800, answer))).toBe('');
    expect(judged(reply, request, bytes([2, 0, 0, 0, 0, 9], MAC_B, u16(0x0800), answer))).toBe('');
  });

  it('is not judged where the frame is no reply, or does not leave by the device that it came by', () => {
    expect(judged(reply, request, ethernet(0x0800, answer), REDIRECTED)).toBe('');
    expect(judged(reply, request, ethernet(0x0800, answer), PASSED)).toBe('');
    // Bridged, balanced with direct return, and translated.
    expect(judged(reply, request, bytes(MAC_B, MAC_A, u16(0x8100), 0, 5, request.slice(12)))).toBe('');
    expect(judged(reply, request, ethernet(0x0800, echo(8, V4_A, OTHER)))).toBe('');
    expect(judged(reply, request, ethernet(0x0800, echo(8, OTHER, V4_A)))).toBe('');
  });

  it('may be the same as its source, as on the loopback device, and that of a group', () => {
    const frame = (mac: Address, from: Address, packet: Uint8Array): Uint8Array =>
      bytes(mac, from, u16(0x0800), packet);
    const zero = new Array(6).fill(0);
    const asking = request.slice(14);
    expect(judged(reply, frame(zero, zero, asking), frame(zero, zero, answer))).toBe('');
    const group = new Array(6).fill(0xff);
    expect(judged(reply, frame(group, MAC_A, asking), frame(group, MAC_A, answer))).toBe('');
  });
});
