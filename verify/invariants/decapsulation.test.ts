/** Where frames begin of which something was taken off in front. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, ipv4, PASSED, u16, udp } from '../test-support/packets.ts';
import { decapsulation } from './decapsulation.ts';
import type { Passage } from './invariant.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
const REDIRECTED: Passage = { ...PASSED, action: 4, delivery: 3 };

function judged(before: Uint8Array, after: Uint8Array, passage: Passage = PASSED, toSockets = false): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = decapsulation(toSockets).judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach?.sentence ?? '';
}

const INNER = ethernet(0x0800, ipv4(17, udp(data(8))));
const overUdp = (port: number, payload: Uint8Array): Uint8Array => {
  const datagram = udp(payload);
  datagram.set(u16(port), 2);
  datagram.set([0, 0], 6);
  return ethernet(0x0800, ipv4(17, datagram));
};
const VXLAN = overUdp(4789, bytes([8, 0, 0, 0, 0, 0, 1, 0], INNER));
const geneve = (type: number, options: number, inside: Uint8Array): Uint8Array =>
  overUdp(6081, bytes([options, 0], u16(type), [0, 0, 1, 0], new Uint8Array(options * 4), inside));
const HEADERS = 'bytes were taken off in front, and the frame that leaves begins';

describe('what is taken off', () => {
  it('of VXLAN is all in front of the frame, no less and not a part of that', () => {
    expect(judged(VXLAN, VXLAN.slice(50))).toBe('');
    expect(judged(VXLAN, VXLAN.slice(46))).toBe(`46 ${HEADERS} within the headers of the tunnel`);
    expect(judged(VXLAN, VXLAN.slice(46), SENT_BACK)).toBe(`46 ${HEADERS} within the headers of the tunnel`);
    expect(judged(VXLAN, VXLAN.slice(54))).toBe(`54 ${HEADERS} within the Ethernet header in the tunnel`);
    expect(judged(VXLAN, VXLAN.slice(64))).toBe(`64 ${HEADERS} with the packet in the tunnel`);
    expect(judged(VXLAN, VXLAN.slice(64), REDIRECTED)).toBe('');
    expect(judged(VXLAN, VXLAN.slice(46, -2))).toBe(`46 ${HEADERS} within the headers of the tunnel`);
    // What lies behind another port, or behind flags that nobody knows, is a program's own.
    for (const other of [overUdp(4000, VXLAN.slice(42)), overUdp(4789, bytes(0, VXLAN.slice(43)))])
      expect(judged(other, other.slice(46))).toBe('');
  });

  it('is wrong for other devices, too, and may be what a socket wants', () => {
    const short = `46 ${HEADERS} within the headers of the tunnel`;
    expect(judged(VXLAN, VXLAN.slice(46), REDIRECTED)).toBe(short);
    expect(judged(VXLAN, VXLAN.slice(50), REDIRECTED)).toBe('');
    expect(judged(VXLAN, VXLAN.slice(46), REDIRECTED, true)).toBe('');
    expect(judged(VXLAN, VXLAN.slice(46), PASSED, true)).toBe(short);
    // A device without link headers takes IP packets.
    const packet = geneve(0x0800, 0, INNER.slice(14));
    expect(judged(packet, packet.slice(50), REDIRECTED)).toBe('');
    expect(judged(packet, packet.slice(46), REDIRECTED)).toBe(short);
  });

  it('of Geneve has its options', () => {
    const frame = geneve(0x6558, 3, INNER);
    expect(judged(frame, frame.slice(62))).toBe('');
    expect(judged(frame, frame.slice(50))).toBe(`50 ${HEADERS} within the headers of the tunnel`);
    const plain = geneve(0x6558, 0, INNER);
    expect(judged(plain, plain.slice(50))).toBe('');
  });

  it('of a tunnel that carries IP leaves no frame', () => {
    const packet = geneve(0x0800, 0, INNER.slice(14));
    expect(judged(packet, packet.slice(50))).toBe(`50 ${HEADERS} with the packet in the tunnel`);
    expect(judged(packet, bytes(packet.slice(0, 14), packet.slice(50)))).toBe('');
    const gre = ethernet(0x0800, ipv4(47, bytes([0x20, 0], u16(0x0800), [0, 0, 0, 7], INNER.slice(14))));
    expect(judged(gre, gre.slice(42))).toBe(`42 ${HEADERS} with the packet in the tunnel`);
    const bridged = ethernet(0x0800, ipv4(47, bytes([0x20, 0], u16(0x6558), [0, 0, 0, 7], INNER)));
    expect(judged(bridged, bridged.slice(42))).toBe('');
    expect(judged(bridged, bridged.slice(38))).toBe(`38 ${HEADERS} within the headers of the tunnel`);
  });

  it('of a tunnel that a number tells is all of its headers', () => {
    const inner = INNER.slice(14);
    const user = overUdp(2152, bytes([0x30, 0xff], u16(inner.length), [0, 0, 0, 7], inner));
    const session = overUdp(
      2152,
      bytes([0x34, 0xff], u16(inner.length + 8), [0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 9, 0], inner),
    );
    const lisp = overUdp(4341, bytes([0x80, 0, 0, 1, 0, 0, 0, 1], inner));
    const ipip = ethernet(0x0800, ipv4(4, inner));
    for (const [frame, to] of [
      [user, 50],
      [session, 58],
      [lisp, 50],
      [ipip, 34],
    ] as const) {
      expect(judged(frame, frame.slice(to))).toBe(`${to} ${HEADERS} with the packet in the tunnel`);
      expect(judged(frame, frame.slice(to - 8))).toBe(
        `${to - 8} ${HEADERS} within the headers of the tunnel`,
      );
      expect(judged(frame, bytes(frame.slice(0, 14), frame.slice(to)))).toBe('');
    }
    // Signals of GTP-U carry no packet.
    const echo = user.slice();
    echo[43] = 1;
    expect(judged(echo, echo.slice(42))).toBe('');
  });

  it('under labels, and in a session of L2TPv3, is what both ends have agreed upon', () => {
    const short = (to: number): string => `${to - 4} ${HEADERS} within the headers of the tunnel`;
    const label = [0, 0xfa, 0x11, 64];
    for (const [frame, to] of [
      [overUdp(6635, bytes(label, INNER.slice(14))), 46],
      [overUdp(6635, bytes(label, INNER)), 46],
      [overUdp(6635, bytes(label, [0, 0, 0, 9], INNER)), 46],
      [overUdp(6635, bytes([0, 0, 0x20, 64], label, INNER.slice(14))), 50],
      [ethernet(0x0800, ipv4(115, bytes([0, 0, 0, 42], [1, 2, 3, 4], INNER))), 38],
      [ethernet(0x0800, ipv4(115, bytes([0, 0, 0, 42], INNER))), 38],
      [overUdp(1701, bytes([0, 3, 0, 0, 0, 0, 0, 42], INNER)), 50],
    ] as const) {
      for (const cut of [to, to + 4, to + 8, to + 14]) expect(judged(frame, frame.slice(cut))).toBe('');
      expect(judged(frame, frame.slice(to - 4))).toBe(short(to));
      const under = (at: number): Uint8Array => bytes(frame.slice(0, 14), frame.slice(at));
      expect(judged(frame, under(to + 4))).toBe('');
      expect(judged(frame, under(to - 4))).toContain('begins within the headers of the tunnel');
    }
  });

  it('has what the Ethernet header announces behind it', () => {
    const packet = ethernet(0x0800, ipv4(4, INNER.slice(14)));
    const under = (from: number, type = 0x0800): Uint8Array =>
      bytes(packet.slice(0, 12), u16(type), packet.slice(from));
    const ANNOUNCED =
      'bytes were taken off in front, and what the Ethernet header announces as IP begins within';
    expect(judged(packet, under(34))).toBe('');
    expect(judged(packet, under(30))).toBe(`16 ${ANNOUNCED} the headers of the tunnel`);
    expect(judged(packet, under(30), REDIRECTED)).toBe(`16 ${ANNOUNCED} the headers of the tunnel`);
    expect(judged(packet, under(42))).toBe(`28 ${ANNOUNCED} the IP header in the tunnel`);
    // What is announced otherwise is a program's own.
    expect(judged(packet, under(30, 0x88b5))).toBe('');
    const frame = ethernet(0x0800, ipv4(47, bytes([0, 0], u16(0x6558), INNER)));
    expect(judged(frame, bytes(frame.slice(0, 14), frame.slice(52)))).toBe('');
    expect(judged(frame, bytes(frame.slice(0, 14), frame.slice(46)))).toBe(
      `32 ${ANNOUNCED} the Ethernet header in the tunnel`,
    );
  });

  it('of tags stands behind the MAC addresses, not in front of them', () => {
    const tagged = bytes(INNER.slice(0, 12), [0x81, 0, 0, 5], INNER.slice(12));
    const popped = `4 ${HEADERS} within the MAC addresses`;
    expect(judged(tagged, tagged.slice(4))).toBe(popped);
    expect(judged(tagged, tagged.slice(4), REDIRECTED)).toBe(popped);
    expect(judged(tagged, INNER)).toBe('');
    expect(judged(tagged, tagged.slice(8))).toBe(`8 ${HEADERS} within the Ethernet header`);
  });

  it('is not a part of the Ethernet header, nor all of it', () => {
    for (const cut of [4, 6, 12, 13])
      expect(judged(INNER, INNER.slice(cut))).toBe(`${cut} ${HEADERS} within the Ethernet header`);
    for (const passage of [PASSED, SENT_BACK])
      expect(judged(INNER, INNER.slice(14), passage)).toBe(`14 ${HEADERS} with the IP packet`);
    expect(judged(INNER, INNER.slice(14), REDIRECTED)).toBe('');
    expect(judged(INNER, INNER.slice(6), REDIRECTED, true)).toBe('');
    expect(judged(INNER, bytes(INNER.slice(6, 12), INNER.slice(0, 6), INNER.slice(34)))).toBe('');
    // Behind a label may stand a frame, with a control word in front of it or without.
    const wire = ethernet(0x8847, bytes(0, 0, 1, 64, INNER));
    expect(judged(wire, wire.slice(22))).toBe('');
    expect(judged(wire, wire.slice(13))).toBe(`13 ${HEADERS} within the Ethernet header`);
    // What a program knows that is neither IP nor a tag has a header of its own.
    const other = INNER.slice();
    other.set([0x88, 0xb5], 12);
    expect(judged(other, other.slice(6))).toBe('');
  });
});
