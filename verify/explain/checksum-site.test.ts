/** The words that go into a checksum, by what people call them. */
import { describe, expect, it } from 'vitest';
import { packet as packetOf } from '../../sim/packet/build.ts';
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
  withChecksum,
} from '../test-support/packets.ts';
import { GOOD } from '../test-support/right-packets.ts';
import { checksumSite, checksumSites, fragmentData, summedWords } from './checksum-site.ts';

/** What each word is called, runs of one name once, with how many. */
function groups(packet: Uint8Array, layer: string, depth = 0): string[] {
  const words = summedWords(checksumSite(packet, layer, depth)!);
  const runs: [name: string, count: number][] = [];
  for (const { group } of words) {
    const last = runs.at(-1);
    if (last?.[0] === group) last[1]++;
    else runs.push([group, 1]);
  }
  return runs.map(([name, count]) => (count === 1 ? name : `${name} ×${count}`));
}

/** TCP with four bytes of options. */
const withOptions = (() => {
  const segment = bytes(tcp(data(0)), [1, 1, 1, 0], data(6));
  segment[12] = 0x60;
  return withChecksum(segment, 16, pseudo(6, segment.length));
})();
const TCP_HEADER = [
  'source port',
  'destination port',
  'sequence number ×2',
  'acknowledgment number ×2',
  'offset and flags',
  'window',
  'urgent pointer',
];
const PSEUDO4 = ['source address ×2', 'destination address ×2', 'protocol', 'pseudo-header length'];

describe('the words of a checksum', () => {
  it('are those of extensions, where an ICMP error has them, and not of what it quotes', () => {
    const [error] = GOOD['an ICMPv6 error with extensions behind zeros']!;
    expect(groups(error, 'icmpext')).toEqual(['version', 'objects ×4']);
    expect(groups(error, 'icmpv6').at(-1)).toBe('extensions ×6');
    expect(groups(error, 'icmpv6')).toContain('quoted destination port');
  });

  it.each<[what: string, packet: Uint8Array, layer: string, names: string[]]>([
    [
      'IPv4',
      ethernet(0x0800, ipv4(17, udp(data(8)))),
      'ipv4',
      [
        'version, ihl and TOS',
        'total length',
        'identification',
        'fragment word',
        'TTL and protocol',
        'source address ×2',
        'destination address ×2',
      ],
    ],
    [
      'IPv4 with options',
      ethernet(0x0800, ipv4(17, udp(data(8)), { options: [1, 1, 1, 0] })),
      'ipv4',
      [
        'version, ihl and TOS',
        'total length',
        'identification',
        'fragment word',
        'TTL and protocol',
        'source address ×2',
        'destination address ×2',
        'options ×2',
      ],
    ],
    [
      'UDP',
      ethernet(0x0800, ipv4(17, udp(data(7)))),
      'udp',
      [...PSEUDO4, 'source port', 'destination port', 'length', 'payload ×4'],
    ],
    [
      'UDP over IPv6',
      ethernet(0x86dd, ipv6(17, udp(data(4), V6_A, V6_B))),
      'udp',
      [
        'source address ×8',
        'destination address ×8',
        'protocol',
        'pseudo-header length',
        'source port',
        'destination port',
        'length',
        'payload ×2',
      ],
    ],
    ['TCP', ethernet(0x0800, ipv4(6, tcp(data(6)))), 'tcp', [...PSEUDO4, ...TCP_HEADER, 'payload ×3']],
    [
      'TCP with options',
      ethernet(0x0800, ipv4(6, withOptions)),
      'tcp',
      [...PSEUDO4, ...TCP_HEADER, 'options ×2', 'payload ×3'],
    ],
    [
      'ICMP',
      ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 2], data(4)))),
      'icmp',
      ['type and code', 'rest of header ×2', 'payload ×2'],
    ],
    [
      'ICMPv6',
      ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 2], data(4)))),
      'icmpv6',
      [
        'source address ×8',
        'destination address ×8',
        'protocol',
        'pseudo-header length',
        'type and code',
        'rest of header ×2',
        'payload ×2',
      ],
    ],
  ])('%s', (_what, packet, layer, names) => {
    expect(groups(packet, layer)).toEqual(names);
  });

  it.each([
    [1, [3, 4, 5, 11, 12]],
    [58, [1, 2, 3, 4]],
  ])('of errors of protocol %d are those of a quoted packet', (protocol, errors) => {
    const wrong: number[] = [];
    for (let type = 0; type < 16; type++) {
      const quoted = ipv4(17, udp(data(8)));
      const packet =
        protocol === 1
          ? ethernet(0x0800, ipv4(1, icmp(type, 0, [0, 0, 0, 0], quoted)))
          : ethernet(0x86dd, ipv6(58, icmpv6(type, [0, 0, 0, 0], ipv6(17, udp(data(8), V6_A, V6_B)))));
      const isQuoted = groups(packet, protocol === 1 ? 'icmp' : 'icmpv6').some((name) =>
        name.startsWith('quoted '),
      );
      if (isQuoted !== errors.includes(type)) wrong.push(type);
    }
    expect(wrong).toEqual([]);
  });

  it('of a quoted packet are its fields', () => {
    const names = groups(
      ethernet(0x0800, ipv4(1, icmp(3, 0, [0, 0, 0, 0], ipv4(17, udp(data(8)))))),
      'icmp',
    ).filter((name) => name.startsWith('quoted '));
    expect(names).toEqual([
      'quoted version, ihl and TOS',
      'quoted total length',
      'quoted identification',
      'quoted fragment word',
      'quoted TTL and protocol',
      'quoted header checksum',
      'quoted source address ×2',
      'quoted destination address ×2',
      'quoted source port',
      'quoted destination port',
      'quoted data',
      'quoted checksum',
      'quoted data ×4',
    ]);
  });

  it('have their values and places, the field left out and an odd byte in front', () => {
    const packet = ethernet(0x0800, ipv4(17, udp(data(3))));
    const words = summedWords(checksumSite(packet, 'udp')!);
    expect(words.map(({ at }) => at)).toEqual([-1, -1, -1, -1, -1, -1, 34, 36, 38, 42, 44]);
    const addresses = [...V4_A, ...V4_B];
    expect(words.slice(0, 4).flatMap(({ value }) => u16(value))).toEqual(addresses);
    expect(words.slice(4, 6).map(({ value }) => value)).toEqual([17, 11]);
    expect(words.at(-1)?.value).toBe(packet[44]! << 8);
  });
});

describe('checksums of a packet', () => {
  it('are all that are sums over one range, and no CRC', () => {
    const tunnel = ethernet(0x0800, ipv4(4, ipv4(6, tcp(data(4)))));
    expect(
      checksumSites(tunnel).map(({ layer, depth, at, pseudoAt }) => [layer, depth, at, pseudoAt]),
    ).toEqual([
      ['ipv4', 0, 24, []],
      ['ipv4', 1, 44, []],
      [
        'tcp',
        0,
        70,
        [
          { from: 46, to: 50 },
          { from: 50, to: 54 },
        ],
      ],
    ]);
    const sctp = packetOf.ethernet().ipv4({}).sctp({}).bytes();
    expect(checksumSites(sctp).map(({ layer }) => layer)).toEqual(['ipv4']);
    expect(checksumSite(tunnel, 'udp')).toBeUndefined();
    expect(checksumSite(tunnel, 'ipv4', 2)).toBeUndefined();
  });
});

describe('data of a fragment', () => {
  it('lie behind the headers of a later one, as far as its packet goes', () => {
    const later = ethernet(0x0800, bytes(ipv4(17, data(24), { fragment: 0x0010 }), data(2)));
    expect(fragmentData(later, 'udp', 0)).toEqual({ from: 34, to: 58 });
    const later6 = ethernet(0x86dd, ipv6(44, bytes(6, 0, u16(1480), data(4), data(24))));
    expect(fragmentData(later6, 'tcp', 0)).toEqual({ from: 62, to: 86 });
    expect(fragmentData(later, 'tcp', 0)).toBeUndefined();
  });

  it('are none in a first one, which has a header', () => {
    const first = ethernet(0x0800, ipv4(17, udp(data(24)), { fragment: 0x2000 }));
    expect(fragmentData(first, 'udp', 0)).toBeUndefined();
  });
});
