import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  pseudo,
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
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type FoundChecksum,
  verifyChecksums,
} from './checksums.ts';
import { ChecksumTally } from './tally.ts';

function found(packet: Uint8Array, linkType: number = LINKTYPE.ETHERNET): FoundChecksum[] {
  const list: FoundChecksum[] = [];
  // Off the arena's start, to see that places are relative to the packet.
  const arena = bytes(data(13), packet, data(9));
  const copy = ({
    layer,
    depth,
    status,
    at,
    got,
    expected,
    sum,
    start,
    end,
    addressLength,
    source,
    destination,
    protocol,
    length,
  }: FoundChecksum): FoundChecksum => ({
    layer,
    depth,
    status,
    at,
    got,
    expected,
    sum,
    start,
    end,
    addressLength,
    source,
    destination,
    protocol,
    length,
  });
  verifyChecksums(arena, 13, packet.length, { checksum: (one) => list.push(copy(one)) }, linkType);
  return list;
}

/** "ipv4/0 good, udp/0 absent" */
function verdict(packet: Uint8Array, linkType?: number): string {
  return found(packet, linkType)
    .map((one) => `${CHECKSUM_LAYERS[one.layer]}/${one.depth} ${CHECKSUM_STATUSES[one.status]}`)
    .join(', ');
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const eth4 = (protocol: number, payload: Uint8Array, parts = {}): Uint8Array =>
  ethernet(ETHERTYPE_IPV4, ipv4(protocol, payload, parts));
const eth6 = (next: number, payload: Uint8Array): Uint8Array => ethernet(ETHERTYPE_IPV6, ipv6(next, payload));

const inner4 = eth4(6, tcp(data(11)));
const inner6 = eth6(17, udp(data(10), V6_A, V6_B));
const vxlan = (inner: Uint8Array): Uint8Array => bytes(8, 0, 0, 0, 0, 0, 42, 0, inner);
const geneve = (options: number, type: number, inner: Uint8Array): Uint8Array =>
  bytes(options, 0, u16(type), 0, 0, 42, 0, data(options * 4), inner);

/** Packets in which every checksum is right. */
const GOOD: Record<string, [packet: Uint8Array, verdict: string]> = {
  'an ICMP echo': [eth4(1, icmp(8, 0, [0, 1, 0, 1], data(56))), 'ipv4/0 good, icmp/0 good'],
  'an ICMP echo of odd length': [eth4(1, icmp(8, 0, [0, 1, 0, 1], data(55))), 'ipv4/0 good, icmp/0 good'],
  TCP: [eth4(6, tcp(data(33))), 'ipv4/0 good, tcp/0 good'],
  UDP: [eth4(17, udp(data(7))), 'ipv4/0 good, udp/0 good'],
  'IPv4 options': [eth4(17, udp(data(8)), { options: [7, 7, 4, 0, 0, 0, 0, 0] }), 'ipv4/0 good, udp/0 good'],
  'an unfinished source route, whose last address is in the pseudo-header': [
    eth4(17, udp(data(8), V4_A, [10, 9, 9, 9]), { options: [131, 7, 4, 10, 9, 9, 9, 0] }),
    'ipv4/0 good, udp/0 good',
  ],
  'Ethernet padding': [bytes(eth4(17, udp(data(2))), data(16)), 'ipv4/0 good, udp/0 good'],
  'bytes behind the UDP length': [
    ethernet(ETHERTYPE_IPV4, ipv4(17, bytes(udp(data(6)), data(5)))),
    'ipv4/0 good, udp/0 good',
  ],
  'one VLAN tag': [vlan(5, ETHERTYPE_IPV4, ipv4(6, tcp(data(3)))), 'ipv4/0 good, tcp/0 good'],
  'two VLAN tags': [
    vlan(5, 0x8100, bytes(u16(6), u16(ETHERTYPE_IPV6), ipv6(6, tcp(data(3), V6_A, V6_B))), 0x88a8),
    'tcp/0 good',
  ],
  ICMPv6: [eth6(58, icmpv6(128, [0, 1, 0, 1], data(57))), 'icmpv6/0 good'],
  'UDP over IPv6': [eth6(17, udp(data(9), V6_A, V6_B)), 'udp/0 good'],
  'hop-by-hop and destination options': [
    eth6(0, bytes(60, 0, [5, 2, 0, 0, 1, 0], 17, 1, [1, 12], new Uint8Array(12), udp(data(4), V6_A, V6_B))),
    'udp/0 good',
  ],
  'a routing header with segments left: the last address is the destination': [
    eth6(43, bytes(17, 4, 0, 2, 0, 0, 0, 0, data(16), V6_A, udp(data(4), V6_A, V6_A))),
    'udp/0 good',
  ],
  'a used-up routing header: the destination stays': [
    eth6(43, bytes(17, 2, 0, 0, 0, 0, 0, 0, data(16), udp(data(4), V6_A, V6_B))),
    'udp/0 good',
  ],
  'a segment routing header: the first address of the list is the last segment': [
    eth6(43, bytes(17, 4, 4, 1, 1, 0, 0, 0, V6_A, V6_B, udp(data(4), V6_A, V6_A))),
    'udp/0 good',
  ],
  'a home address option: it is the source': [
    eth6(60, bytes(17, 2, [1, 2, 0, 0], 0xc9, 16, V6_B, udp(data(4), V6_B, V6_B))),
    'udp/0 good',
  ],
  'an atomic fragment': [eth6(44, bytes(6, 0, 0, 0, 0, 0, 0, 9, tcp(data(8), V6_A, V6_B))), 'tcp/0 good'],
  'an authentication header over IPv4': [
    eth4(51, bytes(6, 1, 0, 0, data(8), tcp(data(3)))),
    'ipv4/0 good, tcp/0 good',
  ],
  'IP in IP': [eth4(4, ipv4(17, udp(data(5)))), 'ipv4/0 good, ipv4/1 good, udp/0 good'],
  '6in4': [eth4(41, ipv6(58, icmpv6(135, [0, 0, 0, 0], data(16)))), 'ipv4/0 good, icmpv6/0 good'],
  '4in6': [eth6(4, ipv4(6, tcp(data(5)))), 'ipv4/0 good, tcp/0 good'],
  GRE: [eth4(47, bytes(0, 0, u16(0x0800), ipv4(6, tcp(data(5))))), 'ipv4/0 good, ipv4/1 good, tcp/0 good'],
  'GRE with checksum, key and sequence number': [
    eth4(47, withChecksum(bytes(0xb0, 0, u16(0x6558), 0, 0, data(10), inner6), 4)),
    'ipv4/0 good, gre/0 good, udp/0 good',
  ],
  VXLAN: [eth4(17, udp(vxlan(inner4), V4_A, V4_B, 4789)), 'ipv4/0 good, udp/0 good, ipv4/1 good, tcp/0 good'],
  'Geneve with options': [
    eth4(17, udp(geneve(3, 0x6558, inner6), V4_A, V4_B, 6081)),
    'ipv4/0 good, udp/0 good, udp/1 good',
  ],
  'an ICMP error that quotes a whole datagram': [
    eth4(1, icmp(3, 1, [0, 0, 0, 0], ipv4(17, udp(data(8))))),
    'ipv4/0 good, icmp/0 good, ipv4/1 good, udp/0 good',
  ],
  'an ICMPv6 error': [
    eth6(58, icmpv6(1, [0, 0, 0, 0], ipv6(17, udp(data(8), V6_A, V6_B)))),
    'icmpv6/0 good, udp/0 good',
  ],
};

describe('verifyChecksums finds everything right in', () => {
  for (const [name, [packet, expected]] of Object.entries(GOOD)) {
    it(name, () => expect(verdict(packet)).toBe(expected));
  }
});

describe('verifyChecksums', () => {
  it('sees every flipped bit in what a checksum covers', () => {
    const missed: string[] = [];
    for (const [name, [packet]] of Object.entries(GOOD)) {
      for (const one of found(packet)) {
        const places: number[] = [];
        for (let at = one.start; at < one.end; at++) places.push(at);
        for (let index = 0; index < one.addressLength; index++) {
          places.push(one.source + index, one.destination + index);
        }
        for (const place of places) {
          for (let bit = 0; bit < 8; bit++) {
            const flipped = packet.slice();
            flipped[place]! ^= 1 << bit;
            const after = found(flipped).find(
              (other) => other.start === one.start && other.layer === one.layer,
            );
            // A flip in a length, a header length or an option may hide the layer, but never leave it "good".
            if (after?.status === CHECKSUM.good) missed.push(`${name}: byte ${place}, bit ${bit}`);
          }
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it('says what should stand there, and that value is right', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(GOOD).map(([packet]) => packet)),
        fc.nat(1000),
        fc.integer({ min: 1, max: 0xffff }),
        (packet, choice, change) => {
          const list = found(packet);
          const one = list[choice % list.length]!;
          const broken = packet.slice();
          broken.set(u16(one.got ^ change), one.at);
          const bad = found(broken).find((other) => other.at === one.at)!;
          if (CHECKSUM_STATUSES[bad.status] === 'absent' || CHECKSUM_STATUSES[bad.status] === 'good') return;
          expect(['bad', 'illegal']).toContain(CHECKSUM_STATUSES[bad.status]);
          expect(bad.got).toBe(one.got ^ change);
          broken.set(u16(bad.expected), one.at);
          const repaired = found(broken).find((other) => other.at === one.at)!;
          expect(CHECKSUM_STATUSES[repaired.status]).toBe('good');
        },
      ),
    );
  });

  it('accepts both zeros of ones’ complement where both verify, and asks for 0xFFFF over nothing but zeros', () => {
    const zero = bytes(0, 0, 0, 0, 0, 0, 0, 0);
    expect(verdict(eth4(1, zero))).toBe('ipv4/0 good, icmp/0 bad');
    expect(found(eth4(1, zero))[1]!.expected).toBe(0xffff);
    expect(verdict(eth4(1, bytes(0, 0, 0xff, 0xff, 0, 0, 0, 0)))).toBe('ipv4/0 good, icmp/0 good');
    const ones = bytes(0xff, 0xff, 0, 0, 0, 0, 0, 0);
    expect(verdict(eth4(1, ones))).toBe('ipv4/0 good, icmp/0 good');
    ones.set([0xff, 0xff], 2);
    expect(verdict(eth4(1, ones))).toBe('ipv4/0 good, icmp/0 good');
  });

  it('takes UDP checksum 0 for absent over IPv4, illegal over IPv6, absent in tunnels over IPv6 (RFC 6935)', () => {
    const none = (datagram: Uint8Array): Uint8Array => {
      const copy = datagram.slice();
      copy.set([0, 0], 6);
      return copy;
    };
    expect(verdict(eth4(17, none(udp(data(8)))))).toBe('ipv4/0 good, udp/0 absent');
    expect(verdict(eth6(17, none(udp(data(8), V6_A, V6_B))))).toBe('udp/0 illegal');
    expect(found(eth6(17, none(udp(data(8), V6_A, V6_B))))[0]!.expected).toBe(
      found(eth6(17, udp(data(8), V6_A, V6_B)))[0]!.got,
    );
    expect(verdict(eth6(17, none(udp(vxlan(inner4), V6_A, V6_B, 4789))))).toBe(
      'udp/0 absent, ipv4/0 good, tcp/0 good',
    );
  });

  it('asks for 0xFFFF where UDP computes 0', () => {
    const datagram = udp(data(8));
    // Adding the checksum to a word of the payload makes the rest sum up to 0xFFFF: computed 0.
    const moved = datagram.slice();
    const word = ((moved[8]! << 8) | moved[9]!) + ((datagram[6]! << 8) | datagram[7]!);
    moved.set(u16(word > 0xffff ? word - 0xffff : word), 8);
    moved.set(u16(0x1111), 6);
    expect(found(eth4(17, moved))[1]).toMatchObject({ status: 1, got: 0x1111, expected: 0xffff });
  });

  it('calls fragments and cut-off packets unverifiable, never bad', () => {
    expect(verdict(eth4(17, data(32), { fragment: 0x2000 }))).toBe('ipv4/0 good, udp/0 unverifiable');
    expect(verdict(eth4(17, data(32), { fragment: 0x0004 }))).toBe('ipv4/0 good, udp/0 unverifiable');
    expect(verdict(eth4(6, data(2), { fragment: 0x0004 }))).toBe('ipv4/0 good, tcp/0 unverifiable');
    expect(verdict(eth4(1, data(8), { fragment: 0x0004 }))).toBe('ipv4/0 good, icmp/0 unverifiable');
    expect(verdict(eth4(6, tcp(data(9)), { fragment: 0x4000 }))).toBe('ipv4/0 good, tcp/0 good');
    expect(verdict(eth6(44, bytes(58, 0, 0, 1, 0, 0, 0, 9, data(16))))).toBe('icmpv6/0 unverifiable');
    expect(verdict(eth6(44, bytes(58, 0, 0, 8, 0, 0, 0, 9, data(16))))).toBe('icmpv6/0 unverifiable');
    for (const [, [packet]] of Object.entries(GOOD)) {
      const whole = found(packet);
      for (let length = 0; length < packet.length; length++) {
        for (const one of found(packet.subarray(0, length))) {
          const was = whole.find((other) => other.start === one.start && other.layer === one.layer);
          const status = CHECKSUM_STATUSES[one.status];
          if (was === undefined || was.end > length) expect(status).toBe('unverifiable');
          else expect(status).toBe(CHECKSUM_STATUSES[was.status]);
        }
      }
    }
  });

  it('knows that a UDP datagram in a first fragment says whether it has a checksum', () => {
    expect(verdict(eth4(17, bytes(u16(1), u16(2), u16(2000), 0, 0, data(16)), { fragment: 0x2000 }))).toBe(
      'ipv4/0 good, udp/0 absent',
    );
  });

  it('calls lengths that contradict each other unverifiable', () => {
    expect(verdict(eth4(6, tcp(data(4)), { totalLength: 19 }))).toBe('ipv4/0 good, tcp/0 unverifiable');
    expect(verdict(eth4(6, tcp(data(4)), { totalLength: 0 }))).toBe('ipv4/0 good, tcp/0 unverifiable');
    expect(verdict(eth4(17, bytes(u16(1), u16(2), u16(7), 1, 1)))).toBe('ipv4/0 good, udp/0 unverifiable');
    expect(verdict(eth4(17, bytes(u16(1), u16(2), u16(9), 1, 1)))).toBe('ipv4/0 good, udp/0 unverifiable');
    const short = ipv4(6, tcp(data(4)));
    short[0] = 0x44;
    expect(verdict(ethernet(ETHERTYPE_IPV4, short))).toBe('ipv4/0 unverifiable');
  });

  it('leaves alone what carries no checksum', () => {
    expect(verdict(ethernet(0x0806, data(28)))).toBe('');
    expect(verdict(eth6(59, data(8)))).toBe('');
    expect(verdict(eth4(50, data(40)))).toBe('ipv4/0 good');
    expect(verdict(data(13))).toBe('');
    expect(verdict(new Uint8Array(0))).toBe('');
    expect(verdict(ethernet(ETHERTYPE_IPV4, new Uint8Array(0)))).toBe('');
  });

  it('begins where the link type says', () => {
    const packet = ipv4(6, tcp(data(5)));
    const good = 'ipv4/0 good, tcp/0 good';
    expect(verdict(packet, LINKTYPE.RAW)).toBe(good);
    expect(verdict(packet, LINKTYPE.IPV4)).toBe(good);
    expect(verdict(ipv6(6, tcp(data(5), V6_A, V6_B)), LINKTYPE.RAW)).toBe('tcp/0 good');
    expect(verdict(bytes(data(14), u16(0x0800), packet), LINKTYPE.LINUX_SLL)).toBe(good);
    expect(verdict(bytes(u16(0x0800), data(18), packet), LINKTYPE.LINUX_SLL2)).toBe(good);
    expect(verdict(packet, 9999)).toBe('');
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(GOOD).map(([packet]) => packet)),
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 12 }),
        fc.nat(200),
        (packet, changes, length) => {
          const noise = packet.slice(0, length);
          for (const [at, value] of changes) if (at < noise.length) noise[at] = value;
          for (const one of found(noise)) {
            expect(one.start).toBeLessThanOrEqual(one.end);
            expect(one.end).toBeLessThanOrEqual(noise.length);
            expect(one.at).toBeLessThanOrEqual(noise.length - 2);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('goes through the deepest nesting that fits in a frame', () => {
    const core = udp(data(4));
    const packet = new Uint8Array(3000 * 20 + core.length);
    for (let level = 0; level < 3000; level++) {
      const totalLength = packet.length - level * 20;
      packet.set(ipv4(level === 2999 ? 17 : 4, new Uint8Array(0), { totalLength }), level * 20);
    }
    packet.set(core, 3000 * 20);
    const tally = new ChecksumTally();
    verifyChecksums(packet, 0, packet.length, tally, LINKTYPE.RAW);
    expect(tally.count('ipv4', 'good')).toBe(3000);
    expect(tally.count('udp', 'good')).toBe(1);
  });

  it('counts depth by kind of layer', () => {
    const packet = eth4(4, ipv4(1, icmp(11, 0, [0, 0, 0, 0], ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(4))))));
    expect(verdict(packet)).toBe('ipv4/0 good, ipv4/1 good, icmp/0 good, ipv4/2 good, icmp/1 good');
  });

  it('gives the pseudo-header that it used', () => {
    const segment = tcp(data(5));
    const packet = eth4(6, segment);
    const one = found(packet)[1]!;
    const header = [
      ...packet.subarray(one.source, one.source + one.addressLength),
      ...packet.subarray(one.destination, one.destination + one.addressLength),
      ...u16(one.protocol),
      ...u16(one.length),
    ];
    expect(header).toEqual(pseudo(6, segment.length));
    expect(withChecksum(segment, 16, header)).toEqual(segment);
  });
});

describe('ChecksumTally', () => {
  it('counts by layer and status', () => {
    const tally = new ChecksumTally();
    for (const [, [packet]] of Object.entries(GOOD)) verifyChecksums(packet, 0, packet.length, tally);
    const broken = GOOD.TCP![0].slice();
    broken[50]! ^= 1;
    verifyChecksums(broken, 0, broken.length, tally);
    expect(tally.count('tcp', 'bad')).toBe(1);
    expect(tally.toJSON().tcp).toEqual({
      good: tally.count('tcp', 'good'),
      bad: 1,
      illegal: 0,
      absent: 0,
      unverifiable: 0,
    });
  });
});
