/** Where replies go: right ones, and those that nobody takes. */
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
import { replyTarget, sameMacs } from './reply-target.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
const REDIRECTED: Passage = { ...PASSED, action: 4, delivery: 3 };

function judged(
  before: Uint8Array,
  after: Uint8Array,
  passage = SENT_BACK,
  invariant: Invariant = replyTarget,
): string {
  const isJudged = pair.set(before, 0, before.length, after, 0, after.length);
  if (!isJudged && !(pair.isHeaderless && invariant.isOfAnyFrame === true)) return '';
  const breach = invariant.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach?.invariant ?? '';
}

type Address = readonly number[];
const back = (type: number, payload: Uint8Array): Uint8Array => bytes(MAC_A, MAC_B, u16(type), payload);
const between = (source: Address, destination: Address): Uint8Array =>
  ipv4(17, udp(data(8), source, destination), { source, destination });
const ALL: Address = [255, 255, 255, 255];
const NONE: Address = [0, 0, 0, 0];

describe('an ICMP error', () => {
  const asked = between(V4_A, V4_B);
  const error = (source: Address, destination: Address): Uint8Array =>
    back(0x0800, ipv4(1, icmp(3, 3, [0, 0, 0, 0], asked.slice(0, 28)), { source, destination }));

  it('goes to the source of what it quotes', () => {
    const frame = ethernet(0x0800, asked);
    expect(judged(frame, error(V4_B, V4_A))).toBe('');
    expect(judged(frame, error(V4_A, V4_B))).toBe('reply/error-to-destination');
    expect(judged(frame, error([10, 0, 0, 9], V4_B), REDIRECTED)).toBe('reply/error-to-destination');
    expect(judged(frame, error(V4_A, V4_B), PASSED)).toBe('');
  });

  it('that is about a packet from a host to itself has but one way to go', () => {
    const own = between(V4_A, V4_A);
    const about = ipv4(1, icmp(3, 3, [0, 0, 0, 0], own.slice(0, 28)), { source: V4_B, destination: V4_A });
    expect(judged(ethernet(0x0800, own), back(0x0800, about))).toBe('');
  });

  it('that came is passed on', () => {
    const came = ipv4(1, icmp(3, 3, [0, 0, 0, 0], asked.slice(0, 28)), { source: V4_B, destination: V4_A });
    const lower = ipv4(1, came.slice(20), { source: V4_B, destination: V4_A, ttl: 63 });
    expect(judged(ethernet(0x0800, came), ethernet(0x0800, lower), REDIRECTED)).toBe('');
  });
});

describe('a reply', () => {
  it.each([ALL, NONE, [224, 0, 0, 1]])('does not go to %j', (...source) => {
    const answer = back(0x0800, between(V4_B, source));
    expect(judged(ethernet(0x0800, between(source, V4_B)), answer)).toBe('reply/to-group');
    expect(judged(ethernet(0x0800, between(source, V4_B)), answer, PASSED)).toBe('');
  });

  it('goes to one host, or, as those of DHCP, to an address that the packet did not give', () => {
    expect(judged(ethernet(0x0800, between(V4_A, V4_B)), back(0x0800, between(V4_B, V4_A)))).toBe('');
    expect(judged(ethernet(0x0800, between(NONE, ALL)), back(0x0800, between(V4_B, ALL)))).toBe('');
  });

  it('to a neighbour that has no address yet goes to all nodes', () => {
    const [any, nodes] = [new Array(16).fill(0), [0xff, 2, ...new Array(13).fill(0), 1]];
    const group = [0xff, 2, ...new Array(9).fill(0), 1, 0xff, 0, 0, 2];
    const message = (type: number, source: Address, destination: Address): Uint8Array =>
      ipv6(58, icmpv6(type, [0, 0, 0, 0], bytes(V6_B), source, destination), source, destination);
    const asked = ethernet(0x86dd, message(135, any, group));
    expect(judged(asked, back(0x86dd, message(136, V6_B, any)))).toBe('reply/to-unspecified');
    expect(judged(asked, back(0x86dd, message(136, V6_B, nodes)))).toBe('');
    expect(judged(ethernet(0x86dd, message(135, V6_A, group)), back(0x86dd, message(136, V6_B, V6_A)))).toBe(
      '',
    );
  });

  it('has two addresses', () => {
    const asked = ethernet(0x0800, between(V4_A, V4_B));
    expect(judged(asked, back(0x0800, between(V4_B, V4_B)))).toBe('reply/to-itself');
    expect(judged(asked, back(0x0800, between([10, 0, 0, 9], [10, 0, 0, 9])))).toBe('reply/to-itself');
    // A NAT may have been told to send a packet back to where it came from, and zeros are nobody's.
    expect(judged(asked, back(0x0800, between(V4_A, V4_A)))).toBe('');
    expect(judged(asked, back(0x0800, between(NONE, NONE)))).toBe('');
    const own = ethernet(0x0800, between(V4_A, V4_A));
    expect(judged(own, back(0x0800, between(V4_B, V4_B)))).toBe('');
  });
});

describe('a new header', () => {
  const inside = between(V4_A, V4_B);
  const asked = ethernet(0x0800, inside);
  const around = (source: Address, destination: Address): Uint8Array =>
    back(0x0800, ipv4(4, inside, { source, destination }));
  const OUTER: Address = [10, 9, 0, 1];

  it('has two addresses', () => {
    expect(judged(asked, around(OUTER, OUTER))).toBe('reply/new-header-to-itself');
    expect(judged(asked, around(OUTER, OUTER), REDIRECTED)).toBe('reply/new-header-to-itself');
    expect(judged(asked, around(OUTER, OUTER), PASSED)).toBe('');
    expect(judged(asked, around(OUTER, [10, 9, 0, 2]))).toBe('');
    const six = (source: Address, destination: Address): Uint8Array =>
      back(0x86dd, ipv6(4, inside, source, destination));
    expect(judged(asked, six(V6_A, V6_A))).toBe('reply/new-header-to-itself');
    expect(judged(asked, six(V6_A, V6_B))).toBe('');
  });

  it('may have those of the packet inside, that of this host, or none yet', () => {
    const own = between(V4_A, V4_A);
    expect(
      judged(ethernet(0x0800, own), back(0x0800, ipv4(4, own, { source: V4_A, destination: V4_A }))),
    ).toBe('');
    for (const address of [NONE, [127, 0, 0, 1]]) expect(judged(asked, around(address, address))).toBe('');
  });

  it('that came with one address twice, and only came to light, is not the program’s', () => {
    const hidden = ethernet(0x0800, ipv4(4, between(OUTER, OUTER)));
    expect(judged(hidden, back(0x0800, between(OUTER, OUTER)))).toBe('');
  });
});

describe('MAC addresses', () => {
  const arp = (destination: Address, source: Address, operation: number): Uint8Array =>
    bytes(destination, source, u16(0x0806), u16(1), u16(0x0800), 6, 4, u16(operation), data(20));
  const asked = arp([255, 255, 255, 255, 255, 255], MAC_A, 1);
  const of = (after: Uint8Array, passage = SENT_BACK): string => judged(asked, after, passage, sameMacs);

  it('are two, in frames without an IP header, too', () => {
    expect(of(arp(MAC_A, MAC_B, 2))).toBe('');
    expect(of(arp(MAC_A, MAC_A, 2))).toBe('reply/same-macs');
    expect(of(arp(MAC_A, MAC_A, 2), PASSED)).toBe('');
    const packet = ethernet(0x0800, between(V4_A, V4_B));
    const once = bytes(MAC_B, MAC_B, packet.slice(12));
    expect(judged(packet, once, REDIRECTED, sameMacs)).toBe('reply/same-macs');
  });

  it('of an ARP reply are not whose the request was', () => {
    const elsewhere = [2, 0, 0, 0, 0, 9];
    expect(of(arp(elsewhere, MAC_A, 2))).toBe('reply/askers-mac');
    expect(of(arp(elsewhere, MAC_B, 2))).toBe('');
    // A request that is sent on, and a reply.
    expect(of(arp(elsewhere, MAC_A, 1))).toBe('');
    expect(judged(arp(MAC_B, MAC_A, 2), arp(elsewhere, MAC_A, 2), SENT_BACK, sameMacs)).toBe('');
  });

  it('that come from elsewhere, or came so, are not the program’s', () => {
    expect(of(arp([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 9], 2))).toBe('');
    expect(of(arp([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], 2))).toBe('');
    expect(judged(arp(MAC_A, MAC_A, 1), arp(MAC_A, MAC_A, 3), SENT_BACK, sameMacs)).toBe('');
  });
});
