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
  tcp,
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
import { unanswerable } from './unanswerable.ts';

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

  it('is not the one that it came to in a new header either, out of the same device', () => {
    const inner = between4(HOST, OTHER);
    const around = (protocol: number, payload: Uint8Array): Uint8Array =>
      ipv4(protocol, payload, { source: [192, 0, 2, 1], destination: [192, 0, 2, 2] });
    const tunnels = [ethernet(0x0800, around(4, inner)), ethernet(0x86dd, ipv6(4, inner, V6_A, V6_B))];
    for (const left of tunnels) {
      expect(judged(reply, asked(OTHER), left)).toBe('reply/own-mac');
      expect(judged(reply, asked(OTHER), left, REDIRECTED)).toBe('');
      expect(judged(reply, asked(OTHER), left, PASSED)).toBe('');
    }
    expect(judged(reply, asked(OTHER), back(0x0800, around(4, inner)))).toBe('');
    // A header less, or another address, is no new header.
    expect(judged(reply, tunnels[0]!, asked(OTHER))).toBe('');
    expect(judged(reply, asked(OTHER), ethernet(0x0800, between4(HOST, V4_B)))).toBe('');
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

describe('an ICMP error', () => {
  const error = (packet: Uint8Array, from = OTHER, to = HOST, passage = SENT_BACK): string =>
    judged(unanswerable, ethernet(0x0800, packet), back(0x0800, error4(packet, from, to)), passage);
  const fragment = (word: number): Uint8Array =>
    ipv4(17, data(64), { fragment: word, source: HOST, destination: OTHER });

  it('is about whole packets and first fragments', () => {
    expect(error(between4(HOST, OTHER))).toBe('');
    expect(error(fragment(0x2000))).toBe('');
    expect(error(fragment(0x4000))).toBe('');
    expect(error(fragment(0x2010))).toBe('reply/about-fragment');
    expect(error(fragment(0x0010))).toBe('reply/about-fragment');
    expect(error(fragment(0x0010), OTHER, HOST, REDIRECTED)).toBe('reply/about-fragment');
    expect(error(fragment(0x0010), OTHER, HOST, PASSED)).toBe('');
    // Where it goes elsewhere, it is none to the sender.
    expect(error(fragment(0x0010), OTHER, [10, 0, 0, 9])).toBe('');
  });

  it('of IPv6 may be about a later fragment', () => {
    const packet = ipv6(44, bytes(17, 0, u16(0x0101), 0, 0, 0, 7, data(64)));
    const sent = error6(packet, V6_B, V6_A);
    expect(judged(unanswerable, ethernet(0x86dd, packet), back(0x86dd, sent))).toBe('');
  });

  it('is not about an ICMP error, and may be about other messages', () => {
    const message = (type: number): Uint8Array =>
      ipv4(1, icmp(type, 0, [0, 0, 0, 0], between4(OTHER, HOST).slice(0, 28)), {
        source: HOST,
        destination: OTHER,
      });
    for (const type of [3, 4, 5, 11, 12])
      expect([type, error(message(type))]).toEqual([type, 'reply/about-error']);
    for (const type of [0, 8, 13, 14, 17]) expect([type, error(message(type))]).toEqual([type, '']);
    const about6 = (type: number): string => {
      const packet = ipv6(58, icmpv6(type, [0, 0, 0, 0], between6(V6_B, V6_A)));
      return judged(unanswerable, ethernet(0x86dd, packet), back(0x86dd, error6(packet, V6_B, V6_A)));
    };
    for (const type of [1, 2, 3, 4]) expect([type, about6(type)]).toEqual([type, 'reply/about-error']);
    expect([128, 135].map(about6)).toEqual(['', '']);
  });

  it('that came may be turned round, translated and put into a tunnel', () => {
    const came = error4(between4(OTHER, HOST), HOST, OTHER);
    const turned = error4(between4(HOST, OTHER), OTHER, HOST);
    expect(judged(unanswerable, ethernet(0x0800, came), back(0x0800, turned))).toBe('');
    const tunnelled = ipv4(4, came, { source: OTHER, destination: HOST });
    expect(judged(unanswerable, ethernet(0x0800, came), back(0x0800, tunnelled))).toBe('');
  });
});

describe('a TCP reset', () => {
  const RST = 4;
  const ACK = 0x10;
  const SYN = 2;
  /** A header without data, from one port to another. */
  const header = (flags: number, [from, to]: readonly number[], sequence: number): Uint8Array => {
    const segment = tcp(new Uint8Array(0));
    segment.set([...u16(from!), ...u16(to!), 0, 0, ...u16(sequence)]);
    segment[13] = flags;
    return segment;
  };
  const THERE = [40_000, 80];
  const HERE = [80, 40_000];
  const came = (flags: number): Uint8Array =>
    ethernet(0x0800, ipv4(6, header(flags, THERE, 1), { source: HOST, destination: OTHER }));
  const left = (flags: number, ports = HERE, source = OTHER, destination = HOST, sequence = 9): Uint8Array =>
    back(0x0800, ipv4(6, header(flags, ports, sequence), { source, destination }));

  it('is no answer to a reset, and one to everything else', () => {
    for (const flags of [RST, RST | ACK])
      expect(judged(unanswerable, came(flags), left(RST | ACK))).toBe('reply/reset-answered');
    expect(judged(unanswerable, came(RST), left(RST), REDIRECTED)).toBe('reply/reset-answered');
    expect(judged(unanswerable, came(RST), left(RST), PASSED)).toBe('');
    for (const flags of [SYN, ACK, 1 | ACK])
      expect(judged(unanswerable, came(flags), left(RST | ACK))).toBe('');
    expect(judged(unanswerable, came(RST), left(ACK))).toBe('');
  });

  it('opens no connection, whatever other flags it has', () => {
    for (const flags of [RST, RST | SYN, RST | SYN | ACK])
      expect(judged(unanswerable, came(flags), left(SYN | ACK))).toBe('reply/reset-answered');
    expect(judged(unanswerable, came(RST | SYN), left(SYN | ACK), PASSED)).toBe('');
    expect(judged(unanswerable, came(SYN), left(SYN | ACK))).toBe('');
    expect(judged(unanswerable, came(RST | SYN), left(ACK))).toBe('');
    // A NAT may lead a host to itself.
    expect(judged(unanswerable, came(RST | SYN), left(RST | SYN, HERE, OTHER, HOST, 1))).toBe('');
  });

  it('may go on to another host, and be sent back as it came', () => {
    expect(judged(unanswerable, came(RST), left(RST, THERE, HOST, [10, 0, 0, 9]))).toBe('');
    expect(judged(unanswerable, came(RST), left(RST, HERE, [10, 0, 0, 9]))).toBe('');
    // A NAT may lead a host to itself.
    expect(judged(unanswerable, came(RST), left(RST, HERE, OTHER, HOST, 1))).toBe('');
    expect(judged(unanswerable, came(RST), left(RST, [80, 1234]))).toBe('');
  });

  it('is what a segment with ACK may be answered with, or an ACK, but no SYN', () => {
    const [REOPENED, FIN] = ['reply/acknowledgment-reopened', 1];
    for (const flags of [SYN | ACK, ACK, FIN | ACK])
      for (const answer of [SYN, SYN | ACK]) {
        expect(judged(unanswerable, came(flags), left(answer))).toBe(REOPENED);
        expect(judged(unanswerable, came(flags), left(answer), REDIRECTED)).toBe(REOPENED);
        expect(judged(unanswerable, came(flags), left(answer), PASSED)).toBe('');
        // To another port, or host, goes another connection's; a NAT may lead a host to itself.
        expect(judged(unanswerable, came(flags), left(answer, [80, 1234]))).toBe('');
        expect(judged(unanswerable, came(flags), left(answer, HERE, [10, 0, 0, 9]))).toBe('');
      }
    expect(judged(unanswerable, came(SYN | ACK), left(SYN | ACK, HERE, OTHER, HOST, 1))).toBe('');
    for (const answer of [ACK, RST, RST | ACK])
      expect(judged(unanswerable, came(SYN | ACK), left(answer))).toBe('');
    for (const flags of [SYN, FIN, 0]) expect(judged(unanswerable, came(flags), left(SYN | ACK))).toBe('');
  });
});
