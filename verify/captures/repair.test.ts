/** What has to be written so that every checksum is right. */
import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { packet as packetOf } from '../../sim/packet/build.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM } from '../oracle/found.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  tcp,
  udp,
  V6_A,
  V6_B,
  withChecksum,
} from '../test-support/packets.ts';
import { GOOD } from '../test-support/right-packets.ts';
import { frameCheckSequence } from './frame-check.ts';
import { type BytePatch, PacketRepair } from './repair.ts';

const repair = new PacketRepair();
const L4 = 34;

const patched = (packet: Uint8Array, patches: readonly BytePatch[]): Uint8Array => {
  const copy = packet.slice();
  for (const { at, value } of patches) copy[at] = value;
  return copy;
};
const damaged = (packet: Uint8Array, ...offsets: number[]): Uint8Array =>
  packet.map((byte, at) => (offsets.includes(at) ? byte ^ 0xff : byte));

const TCP = ethernet(0x0800, ipv4(6, tcp(data(20))));
const UDP = ethernet(0x0800, ipv4(17, udp(data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
const SCTP = packetOf.ethernet().ipv4({}).sctp({}).payload(data(20)).bytes();
const IN_GRE = ethernet(0x0800, ipv4(47, withChecksum(bytes([0x80, 0, 0x65, 0x58, 0, 0, 0, 0], TCP), 4)));

const [EXTENDED] = GOOD['an ICMP error with extensions behind a part of a datagram']!;

describe('some kinds of checksums', () => {
  it('are repaired alone', () => {
    const wrong = damaged(TCP, 24, L4 + 16);
    expect(new PacketRepair(new Set(['tcp'])).packet(wrong, LINKTYPE.ETHERNET)).toEqual([
      { at: L4 + 16, value: TCP[L4 + 16] },
    ]);
    expect(new PacketRepair(new Set(['udp'])).packet(wrong, LINKTYPE.ETHERNET)).toEqual([]);
  });

  it('keep right what covers them, and leave it wrong where it was', () => {
    const inner = L4 + 8 + L4 + 16;
    // GRE's checksum made of the wrong TCP one: right until that is repaired.
    const made = new PacketRepair(new Set(['gre']));
    const wrong = damaged(IN_GRE, inner);
    const covering = patched(wrong, made.packet(wrong, LINKTYPE.ETHERNET));
    const tcpOnly = new PacketRepair(new Set(['tcp']));
    expect(patched(covering, tcpOnly.packet(covering, LINKTYPE.ETHERNET))).toEqual(IN_GRE);
    const both = damaged(IN_GRE, L4 + 4, inner);
    expect(tcpOnly.packet(both, LINKTYPE.ETHERNET)).toEqual([{ at: inner, value: IN_GRE[inner] }]);
  });
});

describe('a frame of radio', () => {
  const frame = bytes(
    [0x08, 0x01, 0, 0],
    data(18),
    [0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
    ipv4(17, udp(data(20))),
  );
  const radiotap = (flags: number, rest: Uint8Array): Uint8Array =>
    bytes([0, 0, 9, 0, 2, 0, 0, 0, flags], rest);

  it('has a right frame check sequence afterwards where it had one', () => {
    const right = radiotap(0x10, bytes(frame, frameCheckSequence(frame)));
    const body = frame.slice();
    body[frame.length - 1]! ^= 0x55;
    const wrong = radiotap(0x10, bytes(body, frameCheckSequence(body)));
    const repaired = patched(wrong, repair.packet(wrong, LINKTYPE.IEEE802_11_RADIOTAP));
    expect(repaired).not.toEqual(wrong);
    expect(repaired.subarray(-4)).toEqual(frameCheckSequence(repaired.subarray(9, -4)));
    expect(repair.packet(right, LINKTYPE.IEEE802_11_RADIOTAP)).toEqual([]);
    // One that was wrong, and bytes that are none.
    const off = radiotap(0x10, bytes(body, [1, 2, 3, 4]));
    expect(patched(off, repair.packet(off, LINKTYPE.IEEE802_11_RADIOTAP)).subarray(-4)).toEqual(
      Uint8Array.of(1, 2, 3, 4),
    );
    const none = radiotap(0, bytes(body, frameCheckSequence(body)));
    expect(patched(none, repair.packet(none, LINKTYPE.IEEE802_11_RADIOTAP)).subarray(-4)).toEqual(
      frameCheckSequence(body),
    );
  });
});

describe('a packet', () => {
  it('with nothing wrong is left alone', () => {
    for (const packet of [TCP, UDP, UDP6, SCTP, IN_GRE])
      expect(repair.packet(packet, LINKTYPE.ETHERNET)).toEqual([]);
  });

  it.each<[what: string, packet: Uint8Array, offsets: readonly number[]]>([
    ['the header of IPv4', TCP, [24]],
    ['TCP', TCP, [L4 + 16, L4 + 17]],
    ['both', TCP, [25, L4 + 16]],
    ['UDP', UDP, [L4 + 7]],
    ['UDP over IPv6', UDP6, [60]],
    ['all bytes of the CRC of SCTP', SCTP, [L4 + 8, L4 + 9, L4 + 10, L4 + 11]],
    ['the extensions of an ICMP error, and its own over them', EXTENDED, [36, 177]],
    ['checksums in each other, from the innermost on', IN_GRE, [24, L4 + 4, L4 + 8 + 24, L4 + 8 + L4 + 16]],
  ])('gets back %s, and nothing else is written', (_what, packet, offsets) => {
    const patches = repair.packet(damaged(packet, ...offsets), LINKTYPE.ETHERNET);
    expect(patches).toEqual(offsets.map((at) => ({ at, value: packet[at] })));
  });

  it('with other data gets the checksums of these', () => {
    for (const packet of [TCP, UDP, UDP6, SCTP, IN_GRE]) {
      const changed = damaged(packet, packet.length - 1, packet.length - 2);
      const right = patched(changed, repair.packet(changed, LINKTYPE.ETHERNET));
      verifyChecksums(right, 0, right.length, {
        checksum: ({ status }) => expect(status).toBe(CHECKSUM.good),
      });
    }
  });

  it('gets a checksum of UDP where IPv6 wants one', () => {
    const none = UDP6.slice();
    none.fill(0, 60, 62);
    expect(patched(none, repair.packet(none, LINKTYPE.ETHERNET))).toEqual(UDP6);
  });

  it('without a link layer is repaired as well', () => {
    const bare = TCP.subarray(14);
    expect(repair.packet(damaged(bare, 10), LINKTYPE.IPV4)).toEqual([{ at: 10, value: bare[10] }]);
  });
});

describe('a frame check sequence', () => {
  const wrong = damaged(TCP, 24);

  it('that was right is right afterwards', () => {
    const fcs = frameCheckSequence(TCP);
    expect(repair.packet(wrong, LINKTYPE.ETHERNET, frameCheckSequence(wrong))).toEqual([
      { at: 24, value: TCP[24] },
      ...[...fcs].map((value, index) => ({ at: TCP.length + index, value })),
    ]);
  });

  it('that was wrong, or is not there, stays', () => {
    const only = [{ at: 24, value: TCP[24] }];
    for (let at = 0; at < 4; at++)
      expect(repair.packet(wrong, LINKTYPE.ETHERNET, damaged(frameCheckSequence(wrong), at))).toEqual(only);
    expect(repair.packet(wrong, LINKTYPE.ETHERNET, frameCheckSequence(wrong).subarray(0, 3))).toEqual(only);
    expect(repair.packet(wrong, LINKTYPE.ETHERNET)).toEqual(only);
  });

  it('stays where the frame does', () => {
    expect(repair.packet(TCP, LINKTYPE.ETHERNET, frameCheckSequence(TCP))).toEqual([]);
  });

  it('is the CRC-32 that Ethernet sends', () => {
    // The check value of CRC-32 for "123456789" is 0xcbf43926 (IEEE 802.3 §3.2.9; lowest byte first).
    expect([...frameCheckSequence(new TextEncoder().encode('123456789'))]).toEqual([0x26, 0x39, 0xf4, 0xcb]);
  });
});

describe('a datagram that came in fragments', () => {
  const whole = UDP.subarray(14);
  // The header, and two fragments of 16 and 12 bytes; the second one's data lie at 34 of packet 8.
  const origins = [
    { packet: 7, from: 20, to: 36, at: 34 },
    { packet: 8, from: 36, to: 48, at: 38 },
  ];
  const datagram = (packet: Uint8Array) => ({ bytes: packet, origins, deferred: [] });

  it('is repaired where its checksum lies', () => {
    expect([...repair.datagram(datagram(damaged(whole, 26, 27)), LINKTYPE.IPV4)]).toEqual([
      [
        7,
        [
          { at: 40, value: whole[26] },
          { at: 41, value: whole[27] },
        ],
      ],
    ]);
    expect(repair.datagram(datagram(whole), LINKTYPE.IPV4).size).toBe(0);
  });

  it('is repaired in each fragment that holds a part of it', () => {
    const split = [
      { packet: 7, from: 20, to: 27, at: 34 },
      { packet: 8, from: 27, to: 48, at: 50 },
    ];
    expect([
      ...repair.datagram({ bytes: damaged(whole, 26, 27), origins: split, deferred: [] }, LINKTYPE.IPV4),
    ]).toEqual([
      [7, [{ at: 40, value: whole[26] }]],
      [8, [{ at: 50, value: whole[27] }]],
    ]);
  });

  it('leaves its header to the fragments', () => {
    expect([...repair.datagram(datagram(damaged(whole, 10)), LINKTYPE.IPV4)]).toEqual([]);
  });
});
