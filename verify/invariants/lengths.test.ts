import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
  vlan,
  withChecksum,
} from '../test-support/packets.ts';
import { lengths } from './lengths.ts';

const pair = new FramePair();
const IP = 14;
const L4 = 34;

/** "lengths/total error", or "" where lengths agree. */
function verdict(before: Uint8Array, after: Uint8Array): string {
  const arena = bytes(data(5), before, data(3));
  if (!pair.set(arena, 5, before.length, after, 0, after.length)) return '';
  const breach = lengths.judge(pair, PASSED);
  return breach === undefined ? '' : `${breach.invariant} ${breach.severity}`;
}

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

/** With this IPv4 total length, and the header's checksum right. */
function total(packet: Uint8Array, length: number): Uint8Array {
  const changed = edit(packet, [IP + 2, ...u16(length)]);
  changed.set(withChecksum(changed.slice(IP, IP + 20), 10), IP);
  return changed;
}

const datagram = ethernet(0x0800, ipv4(17, udp(data(60))));
const segment = ethernet(0x0800, ipv4(6, tcp(data(60))));
const datagram6 = ethernet(0x86dd, ipv6(17, udp(data(60), V6_A, V6_B)));

it('is not judged of a datagram that came as a fragment: of its length nobody knew', () => {
  const whole = edit(datagram, [L4 + 4, 0, 0]);
  const mark = (word: number): Uint8Array => {
    const marked = edit(whole, [IP + 6, ...u16(word)]);
    marked.set(withChecksum(edit(marked, [IP + 10, 0, 0]).slice(IP, IP + 20), 10), IP);
    return marked;
  };
  expect(verdict(mark(0x2000), mark(0))).toBe('');
  expect(verdict(datagram, mark(0))).toBe('lengths/udp error');
});

it('is not judged of data that a port makes look like a packet, only since it was swapped', () => {
  // As a DNS message from port 3544 with the identifier 0x6000: Teredo, once it is answered.
  const message = bytes(0x60, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, data(40));
  const query = ethernet(0x86dd, ipv6(17, edit(udp(message, V6_A, V6_B), [0, ...u16(3544)])));
  const answer = edit(query, [54, ...u16(53), ...u16(3544)], [64, 0x83]);
  expect(verdict(query, answer)).toBe('');
  const longer = bytes(answer, data(16));
  const whole = edit(longer, [18, ...u16(76)], [58, ...u16(76)]);
  expect(verdict(query, whole)).toBe('');
});

describe('what a breach says', () => {
  function said(before: Uint8Array, after: Uint8Array): string {
    const arena = bytes(data(5), before, data(3));
    pair.set(arena, 5, before.length, after, 0, after.length);
    const breach = lengths.judge(pair, PASSED);
    return breach === undefined
      ? ''
      : `${breach.sentence}: expected ${breach.expected}, got ${breach.got}, at ${breach.at} (${breach.size})`;
  }

  it('is where it is, and how much there should be', () => {
    const breaches: Readonly<Record<string, readonly [Uint8Array, Uint8Array]>> = {
      'a byte cut off': [datagram, datagram.slice(0, -1)],
      'a byte cut off, in IPv6': [datagram6, datagram6.slice(0, -1)],
      'a total length below the header': [datagram, total(datagram, 19)],
      'a total length that is too large': [datagram, total(datagram, 89)],
      'a total length that is too small': [datagram, total(datagram, 87)],
      'a payload length that is too large': [datagram6, edit(datagram6, [IP + 4, 0, 69])],
      'a payload length that is too small': [datagram6, edit(datagram6, [IP + 4, 0, 67])],
      'a UDP length that is too large': [datagram, edit(datagram, [L4 + 4, ...u16(69)])],
      'a UDP length that is too small': [datagram, edit(datagram, [L4 + 4, ...u16(67)])],
      'a UDP length below the header': [datagram, edit(datagram, [L4 + 4, ...u16(7)])],
      'a data offset below the header': [segment, edit(segment, [L4 + 12, 0x40])],
      'an ihl below the header': [segment, edit(segment, [IP, 0x44])],
      'an ihl beyond the packet': [segment, edit(total(segment, 40), [IP, 0x4f]).slice(0, IP + 40)],
      'another version': [segment, edit(segment, [IP, 0x65])],
      'a frame that ends within the header': [segment, segment.slice(0, IP + 12)],
      'a trailer': [datagram, bytes(datagram, data(9))],
      'a trailer of one byte': [datagram, bytes(datagram, data(1))],
    };
    const lines = Object.entries(breaches).map(([what, pairOf]) => `${what}: ${said(...pairOf)}`);
    expect(lines).toMatchInlineSnapshot(`
      [
        "a byte cut off: the IPv4 total length says 88 bytes, but only 87 bytes are there: expected 87 bytes, got 88 bytes, at 16 (2)",
        "a byte cut off, in IPv6: the IPv6 payload length says 68 bytes, but only 67 bytes are there: expected 67 bytes, got 68 bytes, at 18 (2)",
        "a total length below the header: the IPv4 total length is below the header's own length: expected 88 bytes, got 19 bytes, at 16 (2)",
        "a total length that is too large: the IPv4 total length says 89 bytes, but only 88 bytes are there: expected 88 bytes, got 89 bytes, at 16 (2)",
        "a total length that is too small: 1 byte of the frame lies behind the packet's end: the IPv4 total length says 87 bytes: expected 88 bytes, or a shorter frame, got 87 bytes, at 16 (2)",
        "a payload length that is too large: the IPv6 payload length says 69 bytes, but only 68 bytes are there: expected 68 bytes, got 69 bytes, at 18 (2)",
        "a payload length that is too small: 1 byte of the frame lies behind the packet's end: the IPv6 payload length says 67 bytes: expected 68 bytes, or a shorter frame, got 67 bytes, at 18 (2)",
        "a UDP length that is too large: the UDP length says 69 bytes, but its IP packet has room for 68: expected 68 bytes, got 69 bytes, at 38 (2)",
        "a UDP length that is too small: the UDP length says 67 bytes, but its IP packet has room for 68: expected 68 bytes, got 67 bytes, at 38 (2)",
        "a UDP length below the header: the UDP length says 7 bytes, but its IP packet has room for 68: expected 68 bytes, got 7 bytes, at 38 (2)",
        "a data offset below the header: the TCP data offset says 16 bytes of header, but the segment has 80: expected 20 to 80 bytes, got 16 bytes, at 46 (1)",
        "an ihl below the header: the IPv4 header length (ihl 4) is below 5: expected a header that fits, got ihl 4, at 14 (1)",
        "an ihl beyond the packet: the IPv4 header length (ihl 15) goes beyond the packet: expected a header that fits, got ihl 15, at 14 (1)",
        "another version: the IPv4 header says version 6: expected version 4, got version 6, at 14 (1)",
        "a frame that ends within the header: the frame ends within the IPv4 header: expected 20 bytes, got 12 bytes, at 14 (12)",
        "a trailer: 9 bytes were appended behind the packet's end, and the IPv4 total length does not count them (a trailer?): expected no bytes behind the packet, or zeros, got 9 bytes, at 102 (9)",
        "a trailer of one byte: 1 byte was appended behind the packet's end, and the IPv4 total length does not count them (a trailer?): expected no bytes behind the packet, or zeros, got 1 byte, at 102 (1)",
      ]
    `);
  });
});

describe('lengths of a packet in the data of a datagram that was shortened', () => {
  const inner = ethernet(0x0800, ipv4(17, udp(data(20))));
  const vxlan = ethernet(0x0800, ipv4(17, udp(bytes([8, 0, 0, 0, 0, 0, 1, 0], inner))));
  const before = edit(vxlan, [L4 + 2, ...u16(4789)]);
  const size = before.length - L4;
  /** Both lengths of the datagram are right. */
  const shortened = (by: number): Uint8Array =>
    edit(total(before, before.length - IP - by).slice(0, before.length - by), [L4 + 4, ...u16(size - by)]);
  const innerIp = L4 + 8 + 8 + 14;

  it('are not judged where the program left that packet as it came', () => {
    expect(verdict(before, shortened(4))).toBe('');
    expect(verdict(before, shortened(40))).toBe('');
  });

  it('are an error where it wrote into that packet', () => {
    const ofInner = inner.length - 14;
    expect(verdict(before, edit(shortened(4), [innerIp + 2, ...u16(ofInner - 2)]))).toBe(
      'lengths/total error',
    );
    expect(verdict(before, edit(before, [innerIp + 2, ...u16(ofInner + 2)]))).toBe('lengths/total error');
  });

  it('are an error where the datagram itself lies', () => {
    expect(verdict(before, before.slice(0, -4))).toBe('lengths/total error');
  });
});

describe('a packet that a header in front of it makes longer than a length can say', () => {
  /** Behind a new IP header, whose length is what is left of the right one. */
  const around = (packet: Uint8Array): Uint8Array => {
    const inner = packet.slice(IP);
    const outer = ethernet(0x0800, ipv4(4, inner));
    return outer.length - IP > 0xffff ? total(outer, (outer.length - IP) & 0xffff) : outer;
  };
  const sized = (size: number): Uint8Array => ethernet(0x0800, ipv4(17, udp(data(size - 28))));
  const sized6 = (size: number): Uint8Array => ethernet(0x86dd, ipv6(17, udp(data(size - 48), V6_A, V6_B)));
  const around6 = (packet: Uint8Array): Uint8Array => ethernet(0x86dd, ipv6(41, packet.slice(IP)));

  it.each([
    ['IPv4', around, sized, 65_516],
    ['IPv6', around6, sized6, 65_536],
  ])('is not judged, and one that just fits is: %s', (_, wrap, make, first) => {
    const tooLong = make(first);
    expect(verdict(tooLong, wrap(tooLong))).toBe('');
    expect(pair.isOutgrown).toBe(true);
    const fits = make(first - 1);
    expect(verdict(fits, wrap(fits))).toBe('');
    expect(pair.isOutgrown).toBe(false);
    expect(verdict(fits, edit(wrap(fits), [wrap === around ? IP + 2 : IP + 4, 0, 0]))).toMatch(/error$/);
  });
});

describe('lengths', () => {
  it('are broken by a byte cut off the frame', () => {
    for (const packet of [datagram, segment, vlan(7, 0x0800, datagram.slice(IP))]) {
      expect(verdict(packet, packet.slice(0, -1))).toBe('lengths/total error');
    }
    expect(verdict(datagram6, datagram6.slice(0, -1))).toBe('lengths/payload error');
  });

  it('are broken by a total or payload length that is too large, too small or in the wrong byte order', () => {
    const right = datagram.length - IP;
    expect(verdict(datagram, total(datagram, right + 1))).toBe('lengths/total error');
    expect(verdict(datagram, total(datagram, right - 1))).toBe('lengths/surplus error');
    expect(verdict(datagram, total(datagram, 19))).toBe('lengths/total error');
    expect(verdict(datagram, total(datagram, (right << 8) | (right >> 8)))).toBe('lengths/total error');
    expect(verdict(datagram6, edit(datagram6, [IP + 4, 0, 69]))).toBe('lengths/payload error');
    expect(verdict(datagram6, edit(datagram6, [IP + 4, 0, 67]))).toBe('lengths/surplus error');
  });

  it('are broken by a UDP length that its IP packet has no room for, or more than enough', () => {
    for (const [packet, at] of [
      [datagram, L4],
      [datagram6, 54],
    ] as const) {
      expect(verdict(packet, edit(packet, [at + 4, ...u16(69)]))).toBe('lengths/udp error');
      expect(verdict(packet, edit(packet, [at + 4, ...u16(67)]))).toBe('lengths/udp error');
      expect(verdict(packet, edit(packet, [at + 4, ...u16(7)]))).toBe('lengths/udp error');
    }
  });

  it('are broken by a TCP data offset, an ihl, a version or an extension header that goes beyond the packet', () => {
    const short = ethernet(0x0800, ipv4(6, tcp(data(8))));
    const bare = ethernet(0x0800, ipv4(6, tcp(data(0))));
    const longer = edit(bare, [L4 + 12, 0x60]);
    expect(verdict(short, edit(short, [L4 + 12, 0xf0]))).toBe('lengths/tcp-offset error');
    expect(verdict(short, edit(short, [L4 + 12, 0x40]))).toBe('lengths/tcp-offset error');
    pair.set(bare, 0, bare.length, longer, 0, longer.length);
    expect(lengths.judge(pair, PASSED)?.expected).toBe('20 bytes');
    expect(verdict(short, edit(short, [IP, 0x4f]))).toBe('lengths/header error');
    expect(verdict(short, edit(short, [IP, 0x44]))).toBe('lengths/header error');
    expect(verdict(short, edit(short, [IP, 0x65]))).toBe('lengths/version error');
    const options = ethernet(0x86dd, ipv6(60, bytes(17, 0, 1, 4, 0, 0, 0, 0, udp(data(4), V6_A, V6_B))));
    expect(verdict(options, edit(options, [IP + 41, 9]))).toBe('lengths/extension error');
  });

  it('are broken by a message cut down to less than its header', () => {
    const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(32))));
    expect(verdict(echo, total(echo, 24).slice(0, IP + 24))).toBe('lengths/header error');
    expect(verdict(segment, total(segment, 38).slice(0, IP + 38))).toBe('lengths/header error');
    expect(verdict(datagram, datagram.slice(0, IP + 12))).toBe('lengths/header error');
  });

  it('hold where the frame and all lengths grow or shrink together', () => {
    const grown = ethernet(0x0800, ipv4(17, udp(data(64))));
    expect(verdict(datagram, grown)).toBe('');
    expect(verdict(grown, datagram)).toBe('');
    expect(verdict(segment, ethernet(0x0800, ipv4(6, tcp(data(0)))))).toBe('');
  });

  it('hold where padding is taken off, kept or added, and where a frame is padded to the least length', () => {
    const padded = bytes(datagram, new Uint8Array(6));
    const dirty = bytes(datagram, data(6));
    expect(verdict(padded, datagram)).toBe('');
    expect(verdict(dirty, dirty.slice(0, -2))).toBe('');
    expect(verdict(dirty, edit(dirty, [5, 9]))).toBe('');
    expect(verdict(datagram, padded)).toBe('');
    // An answer that is shorter than the question, in a frame as short as Ethernet allows.
    const question = ethernet(0x0800, ipv4(17, udp(data(18))));
    expect(question).toHaveLength(60);
    expect(verdict(question, bytes(ethernet(0x0800, ipv4(17, udp(data(2)))), data(16)))).toBe('');
    expect(verdict(dirty, datagram.slice(0, -1))).toBe('lengths/total error');
  });

  it('call bytes appended behind the packet a trailer, and surplus where the lengths changed too little', () => {
    expect(verdict(datagram, bytes(datagram, [1, 2, 3, 4]))).toBe('lengths/surplus warning');
    // No trailer where UDP counts them.
    const counted = edit(bytes(datagram, [1, 2, 3, 4]), [L4 + 4, ...u16(datagram.length - L4 + 4)]);
    expect(verdict(datagram, counted)).toBe('lengths/udp error');
    const long = total(bytes(datagram, data(8)), datagram.length - IP + 4);
    expect(verdict(datagram, long)).toBe('lengths/surplus error');
    // The payload was cut, the frame was not.
    const cut = bytes(ethernet(0x0800, ipv4(17, udp(data(40)))), data(20));
    expect(verdict(datagram, cut)).toBe('lengths/surplus error');
  });

  it('are judged in tunnels that the program made, and hold where it only takes them off', () => {
    const inner = segment.slice(IP);
    const outer = ethernet(0x0800, ipv4(4, inner));
    expect(verdict(segment, outer)).toBe('');
    expect(verdict(outer, segment)).toBe('');
    expect(verdict(segment, total(outer, inner.length))).toBe('lengths/surplus error');
    expect(verdict(segment, total(outer, inner.length + 40))).toBe('lengths/total error');
    // Padding of the outer packet comes to light behind the inner one.
    expect(verdict(bytes(outer, data(6)), bytes(segment, data(6)))).toBe('');
    const padded = bytes(segment, data(6));
    expect(verdict(padded, ethernet(0x0800, ipv4(4, padded.slice(IP))))).toBe('');

    const vxlan = (udpLength: number): Uint8Array => {
      const datagram = udp(bytes([8, 0, 0, 0, 0, 0, 7, 0], segment), V4_A, V4_B, 4789);
      return ethernet(0x0800, ipv4(17, edit(datagram, [4, ...u16(udpLength)], [6, 0, 0])));
    };
    expect(verdict(segment, vxlan(segment.length + 16))).toBe('');
    expect(verdict(segment, vxlan(segment.length + 8))).toBe('lengths/udp error');
    expect(verdict(segment, vxlan(segment.length + 30))).toBe('lengths/udp error');
  });

  it('are not judged in what an ICMP error quotes, nor in fragments of a datagram', () => {
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], datagram.slice(IP, IP + 28))));
    expect(verdict(datagram, error)).toBe('');
    const first = ethernet(
      0x0800,
      ipv4(17, bytes(u16(1), u16(2), u16(999), u16(3), data(40)), { fragment: 0x2000 }),
    );
    expect(verdict(first, edit(first, [L4 + 3, 9]))).toBe('');
  });

  it('are not judged where they contradicted each other before', () => {
    const truncated = datagram.slice(0, -9);
    expect(verdict(truncated, truncated.slice(0, -1))).toBe('');
    expect(verdict(truncated, bytes(truncated, data(3)))).toBe('');
    const lying = edit(datagram, [L4 + 4, 0, 200]);
    expect(verdict(lying, edit(lying, [L4 + 4, 0, 201]))).toBe('');
    // Not IP at all.
    const arp = ethernet(0x0806, data(60));
    expect(verdict(arp, arp.slice(0, -9))).toBe('');
  });
});
