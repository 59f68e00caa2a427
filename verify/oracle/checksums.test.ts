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
  V6_A,
  V6_B,
  withChecksum,
} from '../test-support/packets.ts';
import { ETHERTYPE_IPV4, eth4, eth6, extension, GOOD, inner4, vxlan } from '../test-support/right-packets.ts';
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

  it('judges the extensions of an ICMP error by themselves, and ends there what it quotes', () => {
    const datagram = ipv4(17, udp(data(300))).subarray(0, 132);
    const error = (structure: Uint8Array): Uint8Array =>
      eth4(1, icmp(11, 0, [0, 33, 0, 0], bytes(datagram, structure)));
    const wrong = extension.slice();
    wrong[9]! ^= 1;
    expect(verdict(error(wrong))).toMatch(/udp\/0 unverifiable, icmpext\/0 bad$/);
    expect(found(error(wrong)).at(-1)).toMatchObject({ at: 176, start: 174, end: 186, addressLength: 0 });
    const none = extension.slice();
    none.set([0, 0], 2);
    expect(verdict(error(none))).toMatch(/icmpext\/0 absent$/);
    // Another version, and less than 128 bytes in front: nobody takes these for extensions.
    expect(verdict(error(bytes(0x10, extension.subarray(1))))).not.toContain('icmpext');
    const short = bytes(ipv4(17, udp(data(8))), extension);
    expect(verdict(eth4(1, icmp(11, 0, [0, 9, 0, 0], short)))).not.toContain('icmpext');
    // ICMPv6 counts words of eight bytes, and has none in a packet that is too big.
    const six = bytes(ipv6(17, udp(data(80), V6_A, V6_B)), extension);
    expect(verdict(eth6(58, icmpv6(1, [16, 0, 0, 0], six)))).toBe(
      'icmpv6/0 good, udp/0 good, icmpext/0 good',
    );
    expect(verdict(eth6(58, icmpv6(2, [16, 0, 0, 0], six)))).toBe('icmpv6/0 good, udp/0 good');
  });

  it('takes for extensions that no length announces only what has a right checksum (RFC 4884 §5.5)', () => {
    const error = (structure: Uint8Array): Uint8Array =>
      eth4(1, icmp(3, 1, [0, 0, 0, 0], bytes(ipv4(17, udp(data(300))).subarray(0, 128), structure)));
    expect(verdict(error(extension))).toMatch(/icmpext\/0 good$/);
    const wrong = extension.slice();
    wrong[9]! ^= 1;
    expect(verdict(error(wrong))).not.toContain('icmpext');
  });

  it('does not judge extensions that are cut off', () => {
    const [packet] = GOOD['an ICMP error with extensions behind a part of a datagram']!;
    expect(verdict(packet.subarray(0, packet.length - 4))).toMatch(/icmpext\/0 unverifiable$/);
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
    // GTP-U, GUE, L2TP, AMT, RoCE.
    for (const port of [2152, 6080, 1701, 2268, 4791])
      expect(verdict(eth6(17, none(udp(data(8), V6_A, V6_B, port))))).toBe('udp/0 absent');
  });

  it('takes UDP checksum 0 over IPv6 for absent in tunnels on ports of their own, as their data shows', () => {
    const none = (payload: Uint8Array): Uint8Array => {
      const datagram = udp(payload, V6_A, V6_B, 5555);
      datagram.set([0, 0], 6);
      return eth6(17, datagram);
    };
    const carried = ipv4(6, tcp(data(20)));
    expect(verdict(none(carried))).toBe('udp/0 absent, ipv4/0 good, tcp/0 good');
    expect(verdict(none(vxlan(inner4)))).toBe('udp/0 absent, ipv4/0 good, tcp/0 good');
    // Cut off where it was captured, and longer or shorter than the datagram's data.
    expect(verdict(none(carried).subarray(0, -30))).toContain('udp/0 absent');
    expect(verdict(none(bytes(carried, 0)))).toBe('udp/0 illegal');
    expect(verdict(none(carried.subarray(0, -1)))).toBe('udp/0 illegal');
  });

  it('takes the checksum of OSPF for absent where a digest takes its place (RFC 2328 appendix D.4.3, RFC 7474 §3, RFC 7166 §4.2)', () => {
    const digest = (type: number): Uint8Array =>
      eth4(89, bytes(2, 1, u16(24), data(8), 0, 0, u16(type), data(8), data(16)));
    for (const type of [2, 3]) expect(verdict(digest(type))).toBe('ipv4/0 good, ospf/0 absent');
    expect(verdict(digest(1))).toBe('ipv4/0 good, ospf/0 bad');

    const ospf3 = (behind: Uint8Array, checksum: number = 0): Uint8Array =>
      eth6(89, bytes(3, 1, u16(20), data(8), u16(checksum), 0, 0, data(4), behind));
    const trailer = bytes(u16(1), u16(48), data(44));
    expect(verdict(ospf3(trailer))).toBe('ospf3/0 absent');
    // It need not be 0, and a block for link-local signalling may stand in between.
    expect(found(ospf3(trailer, 9))[0]).toMatchObject({ got: 9, expected: 9, sum: -1, start: 54, end: 74 });
    const signalling = bytes(u16(0), u16(3), data(8));
    expect(verdict(ospf3(bytes(signalling, trailer)))).toBe('ospf3/0 absent');
    expect(verdict(ospf3(signalling))).toBe('ospf3/0 bad');
    expect(verdict(ospf3(trailer.subarray(1)))).toBe('ospf3/0 bad');
    expect(verdict(ospf3(bytes(trailer, 0)))).toBe('ospf3/0 bad');
    expect(verdict(ospf3(trailer).subarray(0, -1))).toBe('ospf3/0 unverifiable');
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

  it('looks at packets of several arenas in any order', () => {
    const packets = Object.values(GOOD).map(([packet]) => packet);
    const arenas = packets.slice(0, 4);
    const expected = arenas.map((arena) => found(arena).map(({ status, got }) => [status, got]));
    for (const index of [0, 1, 0, 1, 2, 1, 0, 3, 3, 0, 2, 0]) {
      const arena = arenas[index]!;
      const list: number[][] = [];
      const checksum = ({ status, got }: FoundChecksum): void => void list.push([status, got]);
      verifyChecksums(arena, 0, arena.length, { checksum });
      expect(list, `arena ${index}`).toEqual(expected[index]);
    }
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
