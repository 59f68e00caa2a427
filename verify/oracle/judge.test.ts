import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  slowSum,
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
import { FramePair } from './frame-pair.ts';
import { ChecksumJudge } from './judge.ts';

const judge = new ChecksumJudge();

/** "udp/0 wrong", or "" where the program did nothing wrong. */
function verdict(before: Uint8Array, after: Uint8Array): string {
  const arena = bytes(data(7), before, data(5));
  const fault = judge.judge(arena, 7, before.length, after, 0, after.length);
  return fault === undefined ? '' : `${fault.layer}/${fault.depth} ${fault.kind}`;
}

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

/** RFC 1624 eq. 3 for one changed word, done properly. */
function updated(checksum: number, from: number, to: number): number {
  return ~slowSum([...u16(~checksum & 0xffff), ...u16(~from & 0xffff), ...u16(to)]) & 0xffff;
}

const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;

const IP = 14;
const L4 = 34;
const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(32))));
const datagram = ethernet(0x0800, ipv4(17, udp(data(20))));
const segment = ethernet(0x0800, ipv4(6, tcp(data(20))));

/** The same with the checksum of its IPv4 header, where it has one. */
function withIpSum(packet: Uint8Array): Uint8Array {
  if (packet[12] !== 8) return packet;
  return edit(packet, [IP, ...withChecksum(packet.slice(IP, IP + 20), 10)]);
}

describe('ChecksumJudge', () => {
  it('names every checksum that is wrong, or the outermost one', () => {
    const wrongIp: [number, number] = [IP + 5, 0x77];
    const wrongTcp: [number, number] = [L4 + 5, 0x77];
    const said = (...changes: [number, number][]): string[] => {
      const pair = new FramePair();
      const left = edit(segment, ...changes);
      pair.set(segment, 0, segment.length, left, 0, left.length);
      const all = judge.allOf(pair);
      expect(judge.judgePair(pair)).toEqual(all[0]);
      return all.map(({ layer, depth, kind }) => `${layer}/${depth} ${kind}`);
    };
    expect(said(wrongIp, wrongTcp)).toEqual(['ipv4/0 wrong', 'tcp/0 wrong']);
    expect(said(wrongTcp)).toEqual(['tcp/0 wrong']);
    expect(said(wrongIp)).toEqual(['ipv4/0 wrong']);
    expect(said([0, 0x77])).toEqual([]);
  });

  it('judges no TCP checksum of a packet that came with a header longer than its segment', () => {
    // 60 bytes of header by the data offset, 40 there; options behind it are changed and accounted for.
    const contradictory = edit(segment, [L4 + 12, 0xf0]);
    const sound = edit(segment, [L4 + 12, 0xa0]);
    for (const packet of [contradictory, sound]) {
      const changed = edit(packet, [L4 + 16, 0x12, 0x34]);
      expect(verdict(packet, changed)).toBe(packet === sound ? 'tcp/0 wrong by another amount' : '');
    }
  });

  it('leaves the sender an update that is wrong since the lengths end before what was changed', () => {
    // UDP says 8 bytes, its data lie behind them: what a program does to these would be right, were the length.
    const short = edit(datagram, [L4 + 4, 0, 8], [L4 + 6, 0, 1]);
    const cut = edit(short, [IP + 2, 0, 0xff]);
    const from = word(short, L4 + 10);
    const right = (packet: Uint8Array): Uint8Array =>
      edit(packet, [L4 + 10, 1, 2], [L4 + 6, ...u16(updated(word(packet, L4 + 6), from, 0x0102))]);
    expect(verdict(short, right(short))).toBe('');
    expect(verdict(cut, right(cut))).toBe('');
    expect(judge.unjudged).toContain('contradictory');
    // A wrong update, one that was forgotten, and one of a right frame stay faults.
    expect(verdict(short, edit(right(short), [L4 + 7, 0x77]))).toBe('udp/0 wrong by another amount');
    expect(verdict(short, edit(right(short), [L4, 9]))).toBe('udp/0 wrong by another amount');
    // A checksum that came right is the program's, unless the frame's lengths contradict each other.
    const behindData = (totalLength?: number): Uint8Array =>
      ethernet(
        0x0800,
        ipv4(17, bytes(udp(data(0)), data(20)), totalLength === undefined ? {} : { totalLength }),
      );
    expect(verdict(behindData(255), right(behindData(255)))).toBe('');
    expect(verdict(behindData(), right(behindData()))).toBe('udp/0 wrong');
    const padded = bytes(datagram, [1, 2]);
    const behind = edit(
      padded,
      [L4 + 28, 3, 4],
      [L4 + 6, ...u16(updated(word(padded, L4 + 6), 0x0102, 0x0304))],
    );
    expect(verdict(padded, behind)).toBe('udp/0 wrong');
  });

  it('goes on behind an odd end with the low half of a word', () => {
    // 39 bytes are 19 of ICMP; the quoted header goes on in what is padding by that length.
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], ipv4(17, data(8)))));
    const odd = withIpSum(edit(error, [IP + 2, 0, 39], [IP + 10, 0, 0], [L4 + 2, 0, 0]));
    const change = (at: number, checksum: number): Uint8Array =>
      edit(odd, [at, 7, 9], [L4 + 2, ...u16(updated(checksum, word(odd, at), 0x0709))]);
    for (const at of [L4 + 18, L4 + 20]) {
      expect(verdict(odd, change(at, 0))).toBe('');
      expect(verdict(odd, change(at, 1))).toBe('icmp/0 wrong by another amount');
    }
  });

  it('leaves the sender of an ICMP error that quotes less than anything sends what ends within it', () => {
    const quoting = (size: number): Uint8Array =>
      bytes(ethernet(0x0800, ipv4(1, icmp(3, 0, [0, 0, 0, 0], ipv4(17, data(size))))), [7, 8, 9]);
    // The last byte that is quoted, and the one behind it, taken for one word.
    const rewritten = (packet: Uint8Array, at: number): Uint8Array =>
      edit(
        packet,
        [at, 0xab, 0xcd],
        [L4 + 2, ...u16(updated(word(packet, L4 + 2), word(packet, at), 0xabcd))],
      );
    for (const [size, verdictOf] of [
      [7, ''],
      [9, 'icmp/0 wrong'],
    ] as const) {
      const packet = quoting(size);
      const at = L4 + 8 + 20 + size - 1;
      expect(verdict(packet, rewritten(packet, at))).toBe(verdictOf);
      // Forgotten is forgotten.
      expect(verdict(packet, edit(packet, [at, 0xab]))).toBe('icmp/0 wrong');
    }
  });

  it('judges a transport header by what the protocol number that the program wrote makes of it', () => {
    const as = (packet: Uint8Array, protocol: number): Uint8Array =>
      withIpSum(edit(packet, [IP + 9, protocol], [IP + 10, 0, 0]));
    const bare = edit(datagram, [L4 + 6, 0, 0]);
    expect(verdict(datagram, as(datagram, 1))).toBe('icmp/0 wrong from the start');
    expect(verdict(datagram, as(datagram, 6))).toBe('tcp/0 wrong from the start');
    expect(verdict(bare, as(bare, 1))).toBe('icmp/0 wrong from the start');
    const right = edit(as(datagram, 1), [L4, ...withChecksum(datagram.slice(L4), 2)]);
    expect(verdict(datagram, right)).toBe('');
    // What came wrong, as a fragment, or under a number that says nothing may be the header that it becomes.
    const hidden = as(datagram, 1);
    expect(verdict(hidden, as(hidden, 17))).toBe('');
    expect(verdict(hidden, as(hidden, 6))).toBe('');
    const unknown = as(datagram, 253);
    expect(verdict(unknown, as(unknown, 1))).toBe('');
    const fragment = withIpSum(edit(datagram, [IP + 6, 0x20], [IP + 10, 0, 0]));
    expect(verdict(fragment, as(fragment, 1))).toBe('');
  });

  it('makes no headers of data that lay behind the same UDP header, whatever its ports name now', () => {
    const inner = ipv4(17, udp(data(12)));
    // In the data a packet whose checksum is wrong: to an unknown port nobody looks.
    const wrong = edit(inner, [26, 0x55, 0x55]);
    const from = (payload: Uint8Array, port: number): Uint8Array =>
      ethernet(0x0800, ipv4(17, udp(payload, V4_A, V4_B, port)));
    const vxlan = bytes(8, 0, 0, 0, 0, 0, 1, 0, ethernet(0x0800, wrong));
    const answered = edit(from(vxlan, 4789), [L4 + 8 + 8, 2]);
    const plain = from(vxlan, 443);
    const fixed = edit(answered, [L4 + 6, 0, 0]);
    expect(verdict(plain, fixed)).toBe('');
    // A tunnel that came is one, and a header that is pushed makes one.
    const came = from(bytes(8, 0, 0, 0, 0, 0, 1, 0, ethernet(0x0800, inner)), 4789);
    expect(verdict(came, edit(fixed, [L4 + 8 + 8, came[L4 + 16]!]))).not.toBe('');
    const pushed = bytes(fixed.subarray(0, IP), fixed.subarray(IP));
    expect(verdict(ethernet(0x0800, inner), pushed)).not.toBe('');
  });

  it('accepts an echo reply with its checksum updated, and refuses one without', () => {
    const answered = edit(echo, [L4, 0]);
    expect(verdict(echo, answered)).toBe('icmp/0 wrong');
    const right = edit(answered, [L4 + 2, ...u16(updated(word(echo, L4 + 2), 0x0800, 0))]);
    expect(verdict(echo, right)).toBe('');
    expect(verdict(echo, echo)).toBe('');
  });

  it('holds a packet that came wrong to the same amount, or right', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xfffe }),
        fc.integer({ min: 1, max: 0xfffe }),
        (delta, other) => {
          const wrong = edit(echo, [L4 + 2, ...u16((word(echo, L4 + 2) + delta) % 0xffff)]);
          const field = updated(word(wrong, L4 + 2), 0x0800, 0);
          expect(verdict(wrong, edit(wrong, [L4, 0], [L4 + 2, ...u16(field)]))).toBe('');
          const repaired = withChecksum(edit(wrong, [L4, 0]).subarray(L4), 2);
          expect(verdict(wrong, bytes(wrong.subarray(0, L4), repaired))).toBe('');
          const changed = edit(wrong, [L4, 0], [L4 + 2, ...u16((field + other) % 0xffff)]);
          const expected = (delta + other) % 0xffff === 0 || (field + other) % 0xffff === field % 0xffff;
          if (!expected) expect(['icmp/0 wrong by another amount', '']).toContain(verdict(wrong, changed));
        },
      ),
    );
    const wrong = edit(echo, [L4 + 2, ...u16((word(echo, L4 + 2) + 5) % 0xffff)]);
    expect(verdict(wrong, edit(wrong, [L4, 0]))).toBe('icmp/0 wrong by another amount');
  });

  it('refuses the all-zero echo reply with checksum 0', () => {
    const zeros = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 0, 0, 0], new Uint8Array(8))));
    expect(verdict(zeros, edit(zeros, [L4, 0, 0, 0, 0]))).toBe('icmp/0 wrong');
    expect(verdict(zeros, edit(zeros, [L4, 0, 0, 0xff, 0xff]))).toBe('');
  });

  it('sees a TTL decrement without the header checksum, and one with it is right', () => {
    const forwarded = edit(datagram, [IP + 8, 63]);
    expect(verdict(datagram, forwarded)).toBe('ipv4/0 wrong');
    const field = updated(word(datagram, IP + 10), word(datagram, IP + 8), word(forwarded, IP + 8));
    expect(verdict(datagram, edit(forwarded, [IP + 10, ...u16(field)]))).toBe('');
  });

  it('sees an address rewritten with the IP checksum alone', () => {
    const rewritten = ethernet(
      0x0800,
      bytes(ipv4(17, new Uint8Array(0), { destination: [10, 9, 9, 9], totalLength: 48 }), udp(data(20))),
    );
    expect(verdict(datagram, rewritten)).toBe('udp/0 wrong');
  });

  it('keeps UDP without a checksum as it is', () => {
    const none = edit(datagram, [L4 + 6, 0, 0]);
    const ported = edit(none, [L4 + 2, ...u16(5353)]);
    expect(verdict(none, ported)).toBe('');
    expect(verdict(none, edit(ported, [L4 + 6, 0, 1]))).toBe('udp/0 wrong');
    expect(verdict(none, edit(ported, [L4 + 6, 0xff, 0xff]))).toBe('udp/0 wrong');
  });

  it('sees a computed 0 that was not written as 0xFFFF, but not a checksum taken off on purpose', () => {
    // A payload word chosen so that the rest sums up to 0xFFFF.
    const next = edit(datagram, [L4 + 8, 0, 0], [L4 + 6, 0, 0]);
    const rest = slowSum([...V4_A, ...V4_B, 0, 17, 0, 28, ...next.subarray(L4)]);
    const zero = edit(next, [L4 + 8, ...u16(0xffff - rest)]);
    expect(verdict(datagram, zero)).toBe('udp/0 lost');
    const { got, expected } = judge.judge(datagram, 0, datagram.length, zero, 0, zero.length)!.after;
    expect([got, expected]).toEqual([0, 0xffff]);
    expect(verdict(datagram, edit(zero, [L4 + 6, 0xff, 0xff]))).toBe('');
    expect(verdict(datagram, edit(datagram, [L4 + 6, 0, 0]))).toBe('');
  });

  it('sees 0 carried from IPv4 to IPv6', () => {
    const none = edit(datagram, [L4 + 6, 0, 0]);
    const carried = ethernet(0x86dd, ipv6(17, none.slice(L4)));
    expect(verdict(none, carried)).toBe('udp/0 illegal');
    expect(verdict(none, ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B))))).toBe('');
    expect(verdict(datagram, ethernet(0x86dd, ipv6(17, datagram.slice(L4))))).toBe('udp/0 wrong');
  });

  it('follows ICMP to ICMPv6 and back', () => {
    const six = ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 1], data(32))));
    expect(verdict(echo, six)).toBe('');
    expect(verdict(six, echo)).toBe('');
    expect(verdict(echo, edit(six, [54, 129]))).toBe('icmpv6/0 wrong');
  });

  it('leaves the sender what a tunnel takes over from checksums inside that came wrong, and that alone', () => {
    /** An outer header whose checksum takes those inside for right: what they cover sums up to 0. */
    const around = (inner: Uint8Array, wrongBy = 0): Uint8Array => {
      const right = udp(data(0)).slice(0, 8);
      const size = 8 + inner.length;
      const header = [...right.slice(0, 4), ...u16(size)];
      const upper = ~slowSum([...inner.slice(12, 20), 0, 17, ...inner.slice(24, 26)]) & 0xffff;
      const sum = slowSum([...V4_A, ...V4_B, 0, 17, ...u16(size), ...header, ...u16(upper), ...u16(wrongBy)]);
      const outer = bytes(header, u16(~sum & 0xffff), inner);
      return ethernet(0x0800, ipv4(17, outer));
    };
    const sound = ipv4(17, udp(data(20)));
    const badIp = edit(sound, [10, 0, 0]);
    const badUdp = edit(sound, [40, 0x77]);
    const badBoth = edit(badUdp, [10, 0, 0]);
    const broken = edit(sound, [24, 0, 60]);
    // Ends before the packet does.
    const short = edit(sound, [24, 0, 8], [26, 0, 1]);
    for (const inner of [sound, badIp, badUdp, badBoth, broken, short])
      expect(verdict(ethernet(0x0800, inner), around(inner))).toBe('');
    for (const inner of [sound, badIp, badUdp, badBoth])
      expect(verdict(ethernet(0x0800, inner), around(inner, 5))).toMatch(/^udp\/0 wrong/);
  });

  it('finds the same checksums behind pushed and popped headers', () => {
    const tagged = vlan(7, 0x0800, segment.slice(IP));
    const broken = edit(segment, [L4 + 20, 1, 2, 3]);
    expect(verdict(segment, tagged)).toBe('');
    expect(verdict(tagged, segment)).toBe('');
    expect(verdict(tagged, broken)).toBe('tcp/0 wrong');
    expect(verdict(broken, tagged)).toBe('');
    // Wrong before, pushed as it is: not the program's fault.
    expect(verdict(broken, vlan(7, 0x0800, broken.slice(IP)))).toBe('');

    const tunnelled = ethernet(0x0800, ipv4(4, segment.slice(IP)));
    expect(verdict(segment, tunnelled)).toBe('');
    expect(verdict(tunnelled, segment)).toBe('');
    expect(verdict(segment, edit(tunnelled, [IP + 8, 1]))).toBe('ipv4/0 wrong from the start');
    expect(verdict(broken, ethernet(0x0800, ipv4(4, broken.slice(IP))))).toBe('');
    expect(verdict(segment, ethernet(0x0800, ipv4(4, broken.slice(IP))))).toBe('tcp/0 wrong');
  });

  it('does not blame a program that unwraps what was wrong all along', () => {
    const broken = edit(segment, [L4 + 20, 1, 2, 3]);
    const unknown = ethernet(0x0800, ipv4(17, udp(bytes(data(4), broken.slice(IP)), V4_A, V4_B, 9999)));
    expect(verdict(unknown, broken)).toBe('');
    expect(verdict(ethernet(0x1234, bytes(data(6), broken.slice(IP))), broken)).toBe('');
  });

  it('follows a packet that came wrong into a tunnel of the same kind, and into an error that quotes its begin', () => {
    // A UDP datagram that its IP header leaves no room for: headers without a byte lie at every displacement.
    const empty = edit(ethernet(0x0800, bytes(ipv4(17, data(0)), data(50))), [IP + 10, 0, 0]);
    const vxlan = bytes([8, 0, 0, 0, 0, 0, 0, 0], empty);
    const wrapped = ethernet(0x0800, ipv4(17, edit(udp(vxlan, V4_A, V4_B, 4789), [6, 0, 0])));
    expect(verdict(empty, wrapped)).toBe('');
    expect(verdict(empty, edit(wrapped, [wrapped.length - empty.length + IP + 8, 9]))).toBe(
      'ipv4/1 wrong by another amount',
    );

    // Grown at the head and cut at the tail, and what the tunnel holds is cut off.
    const tunnel = edit(ethernet(0x0800, ipv4(4, bytes(ipv4(17, udp(data(9)))))), [IP + 10, 1, 2]);
    const error = ethernet(0x0800, ipv4(1, icmp(3, 4, [0, 0, 0, 0], tunnel.slice(IP, IP + 28))));
    expect(verdict(tunnel, error)).toBe('');
  });

  it('follows a packet whose TTL is lowered into a tunnel, and out of one that nobody looks into', () => {
    const inner = ipv4(253, data(0));
    const lowered = edit(inner, [8, 63]);
    lowered.set(u16(updated(word(inner, 10), 0x40fd, 0x3ffd)), 10);
    const wrong = (packet: Uint8Array): Uint8Array => edit(packet, [11, packet[11]! ^ 1]);
    const plain = (packet: Uint8Array): Uint8Array => ethernet(0x0800, packet);
    const inside = (packet: Uint8Array): Uint8Array => plain(ipv4(4, packet));
    expect(verdict(plain(inner), inside(lowered))).toBe('');
    expect(verdict(plain(wrong(inner)), inside(wrong(lowered)))).toBe('');
    expect(verdict(plain(inner), inside(edit(inner, [8, 63])))).toBe('ipv4/1 wrong');
    // Protocol 99 is nobody's.
    const hidden = (packet: Uint8Array): Uint8Array => plain(ipv4(99, packet));
    expect(verdict(hidden(inner), plain(lowered))).toBe('');
    expect(verdict(hidden(wrong(inner)), plain(wrong(lowered)))).toBe('');
    expect(verdict(hidden(inner), plain(edit(inner, [8, 63])))).toBe('ipv4/0 wrong');
  });

  it('leaves out what is no header, but a packet behind a wrong protocol number', () => {
    const six = ipv6(17, udp(data(9), V6_A, V6_B));
    const outer = (protocol: number): Uint8Array => ethernet(0x0800, ipv4(protocol, six));
    for (const protocol of [1, 2, 4, 6, 17, 33, 41, 58])
      expect(verdict(ethernet(0x86dd, six), outer(protocol))).toBe('');
    expect(verdict(ethernet(0x86dd, six), edit(outer(4), [IP + 10, 1]))).toBe('ipv4/0 wrong from the start');
  });

  it('judges a packet quoted in an ICMP error that the program made', () => {
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], segment.slice(IP, IP + 28))));
    expect(verdict(segment, error)).toBe('');
    const inner = edit(error, [IP + 20 + 8 + 8, 1]);
    expect(verdict(error, inner)).toBe('icmp/0 wrong');
    expect(verdict(error, ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], inner.slice(IP + 28)))))).toBe(
      'ipv4/1 wrong',
    );
  });

  it('sees a UDP payload grown or cut without its checksum', () => {
    const grown = ethernet(
      0x0800,
      ipv4(17, bytes(datagram.slice(L4, L4 + 4), u16(32), datagram.slice(L4 + 6), [1, 2, 3, 4])),
    );
    expect(verdict(datagram, grown)).toBe('udp/0 wrong');
    const cut = ethernet(
      0x0800,
      ipv4(17, bytes(datagram.slice(L4, L4 + 4), u16(20), datagram.slice(L4 + 6, L4 + 20))),
    );
    expect(verdict(datagram, cut)).toBe('udp/0 wrong');
  });

  it('sees ports written into a later fragment', () => {
    const later = ethernet(0x0800, ipv4(17, data(24), { fragment: 0x0010 }));
    expect(verdict(later, edit(later, [L4 + 2, 0x12, 0x34]))).toBe('udp/0 fragment');
    expect(verdict(later, edit(later, [0, 2, 2, 2, 2, 2, 2]))).toBe('');
    const first = ethernet(
      0x0800,
      ipv4(17, bytes(u16(1), u16(2), u16(99), u16(0x5555), data(24)), { fragment: 0x2000 }),
    );
    expect(verdict(first, edit(first, [L4 + 2, 0, 3]))).toBe('udp/0 fragment');
    expect(verdict(first, edit(first, [L4 + 2, 0, 3], [L4 + 6, ...u16(updated(0x5555, 2, 3))]))).toBe('');
  });

  it('leaves cut-off packets alone', () => {
    const cut = datagram.slice(0, L4 + 12);
    expect(verdict(cut, edit(cut, [L4 + 2, 9, 9]))).toBe('');
    expect(verdict(datagram, cut)).toBe('');
  });

  it('takes nothing that was appended for a header, and what the program wrote there for one', () => {
    // Frames that end early, everywhere: what their lengths and protocol numbers reach for is zeros then.
    for (const packet of [
      echo,
      datagram,
      segment,
      ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 1], data(8)))),
    ]) {
      for (let end = IP; end < packet.length; end++) {
        for (const size of [1, 10, 28, 64]) {
          const cut = packet.slice(0, end);
          expect(verdict(cut, bytes(cut, new Uint8Array(size))), `${end} and ${size} zeros`).toBe('');
          expect(verdict(cut, bytes(cut, data(size))), `${end} and ${size} bytes`).toBe('');
          const pushed = bytes(cut.subarray(0, 12), [0x81, 0, 0, 5], cut.subarray(12), new Uint8Array(size));
          expect(verdict(cut, pushed), `${end}, a tag and ${size} zeros`).toBe('');
        }
      }
    }
    // A packet without a payload gets one: header and lengths are the program's.
    const empty = ethernet(0x0800, ipv4(1, data(0)));
    const answer = (message: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(1, message));
    expect(verdict(empty, answer(icmp(8, 0, [0, 1, 0, 1], data(8))))).toBe('');
    expect(verdict(empty, answer(bytes(8, 0, 0x12, 0x34, 0, 1, 0, 1, data(8))))).toBe(
      'icmp/0 wrong from the start',
    );
    expect(verdict(empty, answer(new Uint8Array(16)))).toBe('');
    // Bytes of another protocol that were there before may be a header in disguise.
    const other = ethernet(0x0800, ipv4(253, data(24)));
    expect(verdict(other, ethernet(0x0800, ipv4(1, data(24))))).toBe('');
    const arp = ethernet(0x0806, data(46));
    expect(verdict(arp, ethernet(0x0800, bytes(ipv4(253, data(26)).slice(0, 10), 1, 2, data(34))))).toBe(
      'ipv4/0 wrong from the start',
    );
  });

  it('blames a program that makes TCP of UDP for a wrong checksum only where the checksum came right, or legally without', () => {
    const port = 5201;
    const six = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B, port)));
    const four = ethernet(0x0800, ipv4(17, udp(data(20), V4_A, V4_B, port)));
    const asTcp = (packet: Uint8Array): Uint8Array => {
      const at = packet.length - 28;
      return edit(packet, [at === 54 ? IP + 6 : IP + 9, 6], [at + 12, 0x50, 0x10], [at + 16, 1, 2]);
    };
    const came = (packet: Uint8Array, checksum: number): Uint8Array =>
      edit(packet, [packet.length - 28 + 6, ...u16(checksum)]);
    const verdictOf = (packet: Uint8Array): string => verdict(packet, withIpSum(asTcp(packet)));
    for (const right of [six, four, came(four, 0)])
      expect(verdictOf(right)).toBe('tcp/0 wrong from the start');
    const long = edit(came(four, 0), [L4 + 4, 1, 0]);
    for (const wrong of [came(six, 0), came(six, 0x1234), came(four, 0x1234), long]) {
      expect(verdictOf(wrong)).toBe('');
      expect(judge.unjudged).toBe('checksums of headers in the place of others that came wrong');
    }
  });

  it('leaves UDP over IPv6 without a checksum to the sender, whatever the port', () => {
    const none = (port: number): Uint8Array =>
      ethernet(0x86dd, ipv6(17, edit(udp(data(20), V6_A, V6_B, port), [6, 0, 0])));
    for (const [from, to] of [
      [4789, 4788],
      [4788, 4789],
      [53, 54],
    ] as const) {
      expect(verdict(none(from), none(to)), `${from} to ${to}`).toBe('');
    }
    // Taken away is not the sender's choice, unless it is a tunnel.
    const summed = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B, 53)));
    expect(verdict(summed, none(53))).toBe('udp/0 illegal');
    expect(verdict(summed, none(4789))).toBe('');
    // A tunnel on a port of its own, pushed in front of the packet.
    const tunnel = ethernet(0x86dd, ipv6(17, edit(udp(segment.slice(IP), V6_A, V6_B, 6080), [6, 0, 0])));
    expect(verdict(segment, tunnel)).toBe('');
    const nothing = edit(udp(data(0), V6_A, V6_B, 6080), [6, 0, 0]);
    expect(verdict(ethernet(0x0800, data(0)), ethernet(0x86dd, ipv6(17, nothing)))).toBe('');
  });

  it('judges no message that is shorter than its header', () => {
    const short = (protocol: number, size: number): Uint8Array =>
      ethernet(0x0800, bytes(ipv4(protocol, data(size)), data(40)));
    for (const [protocol, least] of [
      [1, 8],
      [6, 20],
      [17, 8],
    ] as const) {
      for (let size = 0; size < least; size++) {
        const came = short(protocol, size);
        for (const at of [0, 2, 4, 6, 16]) {
          expect(verdict(came, edit(came, [L4 + at, 0x77, 0x77])), `${protocol}: ${size}, ${at}`).toBe('');
        }
      }
    }
    const six = ethernet(0x86dd, bytes(ipv6(58, data(4)), data(8)));
    expect(verdict(six, edit(six, [58, 0x77, 0x77]))).toBe('');
  });

  it('counts what it cannot judge', () => {
    const unjudged = (before: Uint8Array, after: Uint8Array): string | undefined => {
      verdict(before, after);
      return judge.unjudged;
    };
    const cut = datagram.slice(0, L4 + 12);
    expect(unjudged(cut, edit(cut, [L4 + 2, 9, 9]))).toMatch(/came truncated/);
    expect(unjudged(datagram, cut)).toMatch(/can no longer be verified/);
    expect(unjudged(datagram, edit(datagram, [IP + 8, 63]))).toBe(undefined);
    // A protocol number or an EtherType that hides what was right.
    expect(unjudged(datagram, edit(datagram, [IP + 9, 99]))).toMatch(/can no longer be verified/);
    const tagged = vlan(7, 0x0800, datagram.slice(IP));
    expect(unjudged(tagged, edit(tagged, [16, 0x12, 0x34]))).toMatch(/can no longer be verified/);
    expect(unjudged(ethernet(0x0800, ipv4(4, datagram.slice(IP))), datagram)).toBe(undefined);
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], datagram.slice(IP, IP + 28))));
    expect(unjudged(datagram, error)).toBe(undefined);
  });

  it('finds any single flipped bit of a good packet that is covered', () => {
    fc.assert(
      fc.property(fc.constantFrom(echo, datagram, segment), fc.nat(1000), fc.nat(7), (packet, place, bit) => {
        // Behind the lengths and the fragment word: those change what is covered.
        const covered = packet.length - (IP + 8);
        const at = IP + 8 + (place % covered);
        if (at === IP + 9) return; // the protocol decides which checksum there is
        const flipped = edit(packet, [at, packet[at]! ^ (1 << bit)]);
        const lengthOfUdp = packet === datagram && (at === L4 + 4 || at === L4 + 5);
        if (!lengthOfUdp) expect(verdict(packet, flipped)).toMatch(/wrong$/);
      }),
      { numRuns: 500 },
    );
  });
});
