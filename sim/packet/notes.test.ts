/** What a tree says of lengths and checksums: right, wrong, none, and why nothing can be said. */
import { describe, expect, it } from 'vitest';
import { frame, ipv4, ipv6, packet } from './build.ts';
import { fromHex, readU16, toHex, writeU16 } from './bytes.ts';
import type { Protocol } from './declaration/protocol.ts';
import { PROTOCOLS, protocols } from './protocols.ts';
import { decodeTree } from './tree.ts';
import { walkLayers } from './walk-layers.ts';

/** `udp.checksum: correct`, for every field with a note. */
function notes(bytes: Uint8Array, first: string): string[] {
  return decodeTree(bytes, 0, bytes.length, first).flatMap(({ name, note, children }) => [
    ...(note === undefined ? [] : [`${name}: ${note}`]),
    ...children.flatMap((field) =>
      field.note === undefined ? [] : [`${name}.${field.name}: ${field.note}`],
    ),
  ]);
}

const data = Uint8Array.of(1, 2, 3, 4, 5);
/** What stands there, as notes have it. */
const checksumOf = (bytes: Uint8Array, at: number): string => `0x${toHex(bytes, at, 2)}`;

const noAddress = { segmentsLeft: 1, type: 3, data: new Uint8Array(20) };

it.each<[what: string, first: string, bytes: Uint8Array, notes: string[]]>([
  ['UDP', 'ipv4', ipv4().udp().payload(data).bytes(), ['ipv4.checksum: correct', 'udp.checksum: correct']],
  [
    'a wrong header',
    'ipv4',
    ipv4({ checksum: 0x1234 }).udp().bytes(),
    ['ipv4.checksum: should be 0x64b8', 'udp.checksum: correct'],
  ],
  [
    'a wrong UDP',
    'ipv4',
    ipv4().udp({ checksum: 0x1234 }).bytes(),
    ['ipv4.checksum: correct', 'udp.checksum: should be 0x4d7c'],
  ],
  [
    'UDP without a checksum',
    'ipv4',
    ipv4().udp({ checksum: 0 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udp.checksum: none'],
  ],
  ['UDP alone', 'udp', packet.udp({ checksum: 5 }).payload(data).bytes(), []],
  [
    'UDP that is cut off',
    'ipv4',
    ipv4().udp().payload(data).bytes().subarray(0, 32),
    [
      'ipv4.totalLength: only 32 bytes are there',
      'ipv4.checksum: correct',
      'udp.length: only 12 bytes are there',
      'udp.checksum: unverifiable: cut off',
    ],
  ],
  [
    'UDP that is whole in a packet that is cut off',
    'ipv4',
    ipv4({ totalLength: 60 }).udp().payload(data).bytes(),
    ['ipv4.totalLength: only 33 bytes are there', 'ipv4.checksum: correct', 'udp.checksum: correct'],
  ],
  [
    'TCP in a packet that is cut off',
    'ipv4',
    ipv4({ totalLength: 60 }).tcp().bytes(),
    [
      'ipv4.totalLength: only 40 bytes are there',
      'ipv4.checksum: correct',
      'tcp.checksum: unverifiable: cut off',
    ],
  ],
  [
    'UDP longer than its packet',
    'ipv4',
    ipv4().udp({ length: 40 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udp.length: only 13 bytes are there', 'udp.checksum: unverifiable: cut off'],
  ],
  [
    'UDP of length 0 over IPv4',
    'ipv4',
    ipv4().udp({ length: 0 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udp.checksum: unverifiable: cut off'],
  ],
  [
    'a first fragment',
    'ipv4',
    ipv4({ moreFragments: true }).udp().payload(data).bytes(),
    ['ipv4.checksum: correct', 'udp.checksum: unverifiable: fragment'],
  ],
  [
    'a fragment of IPv6',
    'ipv6',
    ipv6().fragment6({ moreFragments: true }).udp().payload(data).bytes(),
    ['udp.checksum: unverifiable: fragment'],
  ],
  [
    'a fragment that is whole',
    'ipv6',
    ipv6().fragment6().udp().payload(data).bytes(),
    ['udp.checksum: correct'],
  ],
  [
    'a hidden destination',
    'ipv6',
    ipv6().routing(noAddress).udp({ checksum: 9 }).bytes(),
    ['udp.checksum: unverifiable: the final destination is not known'],
  ],
  [
    'a hidden destination, without a checksum',
    'ipv6',
    ipv6().routing(noAddress).udp({ checksum: 0 }).bytes(),
    ['udp.checksum: none, though over IPv6 there has to be one'],
  ],
  [
    'UDP without a checksum over IPv6 (RFC 8200 §8.1)',
    'ipv6',
    ipv6().udp({ checksum: 0 }).payload(data).bytes(),
    [
      `udp.checksum: should be ${checksumOf(ipv6().udp().payload(data).bytes(), 46)}: over IPv6 there has to be one`,
    ],
  ],
  [
    'UDP without a checksum over IPv6, to a tunnel’s port (RFC 6935 §5)',
    'ipv6',
    ipv6().udp({ checksum: 0, destinationPort: 4789 }).vxlan().bytes(),
    ['udp.checksum: none'],
  ],
  [
    'UDP without a checksum over IPv6, to the port of GTP-U',
    'ipv6',
    ipv6().udp({ checksum: 0 }).gtpu().ipv4().udp().bytes(),
    ['udp.checksum: none', 'ipv4.checksum: correct', 'udp#2.checksum: correct'],
  ],
  [
    'UDP without a checksum over IPv6, with an IP packet as data',
    'ipv6',
    ipv6().udp({ checksum: 0, destinationPort: 5555 }).ipv4().udp().bytes(),
    ['udp.checksum: none', 'ipv4.checksum: correct', 'udp#2.checksum: correct'],
  ],
  [
    'UDP without a checksum over IPv6, with an IP packet as data that was not captured whole',
    'ipv6',
    ipv6().udp({ checksum: 0, destinationPort: 5555 }).ipv4().bytes().subarray(0, -1),
    [
      'ipv6.payloadLength: only 27 bytes are there',
      'udp.length: only 27 bytes are there',
      'udp.checksum: none',
    ],
  ],
  [
    'a hidden destination of TCP',
    'ipv6',
    ipv6().routing(noAddress).tcp({ checksum: 9 }).bytes(),
    ['tcp.checksum: unverifiable: the final destination is not known'],
  ],
  [
    'UDP-Lite, all of it',
    'ipv4',
    ipv4().udplite({ coverage: 0 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udplite.checksum: correct'],
  ],
  [
    'UDP-Lite, the header',
    'ipv4',
    ipv4().udplite({ coverage: 8 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udplite.checksum: correct'],
  ],
  [
    'UDP-Lite, less than the header',
    'ipv4',
    ipv4().udplite({ coverage: 7, checksum: 5 }).payload(data).bytes(),
    [
      'ipv4.checksum: correct',
      'udplite: udplite at byte 20: coverage is 7, expected at least 8, or 0 for all',
    ],
  ],
  [
    'UDP-Lite, more than there is',
    'ipv4',
    ipv4().udplite({ coverage: 14, checksum: 5 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udplite.checksum: unverifiable: cut off'],
  ],
  [
    'UDP-Lite without a checksum',
    'ipv4',
    ipv4().udplite({ coverage: 8, checksum: 0 }).payload(data).bytes(),
    ['ipv4.checksum: correct', 'udplite.checksum: should be 0x4d00'],
  ],
  ['SCTP', 'ipv4', ipv4().sctp().payload(data).bytes(), ['ipv4.checksum: correct', 'sctp.checksum: correct']],
  ['a wrong SCTP', 'sctp', packet.sctp({ checksum: 0 }).bytes(), ['sctp.checksum: should be 0x41e250b7']],
  ['ICMP', 'icmp', packet.echoRequest({ checksum: 7 }).bytes(), ['icmp.checksum: should be 0xf7fd']],
  ['ICMPv6 alone', 'icmpv6', packet.echoRequest6({ checksum: 7 }).bytes(), []],
  ['ICMPv6', 'ipv6', ipv6().echoRequest6({ checksum: 7 }).bytes(), ['icmpv6.checksum: should be 0x345b']],
  [
    'GRE',
    'gre',
    packet.gre({ checksum: 7 }).payload(data).bytes(),
    ['gre.checksum: should be 0x6ef9', 'ipv4: ipv4 at byte 8: needs 20 bytes, 5 are there'],
  ],
  ['OSPF over IPv4', 'ipv4', ipv4().ospf().bytes(), ['ipv4.checksum: correct', 'ospf.checksum: correct']],
  [
    'OSPF with extended sequence numbers (RFC 7474 §3)',
    'ipv4',
    ipv4().ospf({ authentication: 3, checksum: 0 }).bytes(),
    ['ipv4.checksum: correct', 'ospf.checksum: none'],
  ],
  [
    'OSPF over IPv6 with an authentication trailer (RFC 7166 §4.2)',
    'ipv6',
    ipv6()
      .ospf3({ checksum: 0, length: 16 })
      .payload(Uint8Array.from({ length: 32 }, (_, at) => [0, 1, 0, 32][at] ?? at))
      .bytes(),
    ['ospf3.checksum: none'],
  ],
  [
    'OSPF over IPv6 with something else behind it',
    'ipv6',
    ipv6()
      .ospf3({ checksum: 0, length: 16 })
      .payload(Uint8Array.of(0, 1, 0, 32, 1, 1))
      .bytes(),
    [`ospf3.checksum: should be ${checksumOf(ipv6().ospf3().bytes(), 52)}`],
  ],
  [
    'OSPF before padding',
    'ipv4',
    Uint8Array.from([...ipv4().ospf().bytes(), 0xff, 0xff]),
    ['ipv4.checksum: correct', 'ospf.checksum: correct'],
  ],
  ['VRRP over IPv4', 'ipv4', ipv4().vrrp().bytes(), ['ipv4.checksum: correct', 'vrrp.checksum: correct']],
  [
    'VRRP over IPv4 with a pseudo-header',
    'ipv4',
    ipv4().vrrp({ checksum: 0x5409 }).bytes(),
    ['ipv4.checksum: correct', 'vrrp.checksum: correct (with a pseudo-header)'],
  ],
  [
    'VRRP over IPv4, wrong in either form',
    'ipv4',
    ipv4().vrrp({ checksum: 7 }).bytes(),
    ['ipv4.checksum: correct', 'vrrp.checksum: should be 0x6a9a'],
  ],
  [
    'VRRP 2 over IPv4 with a pseudo-header, which it has not',
    'ipv4',
    ipv4().vrrp({ version: 2, checksum: 0x6409 }).bytes(),
    ['ipv4.checksum: correct', 'vrrp.checksum: should be 0x7a9a'],
  ],
  ['VRRP over IPv6', 'ipv6', ipv6().vrrp().bytes(), ['vrrp.checksum: correct']],
  [
    'VRRP over IPv6 without a pseudo-header, which it has',
    'ipv6',
    ipv6().vrrp({ checksum: 0x6a9a }).bytes(),
    ['vrrp.checksum: should be 0x1ec2'],
  ],
  ['PIM over IPv6', 'ipv6', ipv6().pim().payload(data).bytes(), ['pim.checksum: correct']],
  ['DCCP', 'ipv4', ipv4().dccp().payload(data).bytes(), ['ipv4.checksum: correct', 'dccp.checksum: correct']],
  [
    'IPv6 that is cut off',
    'ipv6',
    ipv6({ payloadLength: 30 }).tcp().bytes(),
    ['ipv6.payloadLength: only 20 bytes are there', 'tcp.checksum: unverifiable: cut off'],
  ],
  [
    'a code of ICMP',
    'icmp',
    packet.icmp({ type: 3, code: 4 }).bytes(),
    ['icmp.code: fragmentation needed and DF set', 'icmp.checksum: correct'],
  ],
])('%s', (_what, first, bytes, expected) => {
  expect(notes(bytes, first)).toEqual(expected);
});

describe('a sum of 0', () => {
  /** The message with two bytes of data that make its checksum 0, and another one in its place. */
  function withZero(build: (data: Uint8Array) => Uint8Array, checksumAt: number): Uint8Array {
    const bytes = build(Uint8Array.of(0, 0));
    const lacking = readU16(bytes, checksumAt);
    const zero = build(Uint8Array.of(lacking >> 8, lacking & 0xff));
    writeU16(zero, checksumAt, 0x1234);
    return zero;
  }

  it.each<[what: string, build: (data: Uint8Array) => Uint8Array, at: number, note: string]>([
    ['of UDP', (two) => ipv4().udp().payload(two).bytes(), 26, 'udp.checksum: should be 0xffff'],
    ['of UDP-Lite', (two) => ipv4().udplite().payload(two).bytes(), 26, 'udplite.checksum: should be 0xffff'],
    ['of TCP', (two) => ipv4().tcp().payload(two).bytes(), 36, 'tcp.checksum: should be 0x0000'],
    ['of ICMP', (two) => ipv4().echoRequest().payload(two).bytes(), 22, 'icmp.checksum: should be 0x0000'],
  ])('%s', (_what, build, at, note) => {
    expect(notes(withZero(build, at), 'ipv4')).toContain(note);
  });
});

it('says of one byte that it is there', () => {
  expect(notes(fromHex('02'), 'vxlan')).toEqual(['vxlan: vxlan at byte 0: needs 8 bytes, 1 is there']);
  expect(notes(fromHex('0202'), 'vxlan')).toEqual(['vxlan: vxlan at byte 0: needs 8 bytes, 2 are there']);
  expect(notes(ipv4({ totalLength: 22, protocol: 253 }).payload(data.slice(0, 1)).bytes(), 'ipv4')).toEqual([
    'ipv4.totalLength: only 21 bytes are there',
    'ipv4.checksum: correct',
  ]);
});

describe('headers that are none', () => {
  /** How far a header reaches that is cut off after so many bytes, by both ways of walking. */
  const reach = (name: string, bytes: Uint8Array, end: number): number[] => {
    let stepped = -1;
    walkLayers(bytes, 0, end, name, (protocol, at, layerEnd, context) => {
      const step = protocol.step(bytes, at, layerEnd, context);
      if (at === 0) stepped = step.length;
      return { length: step.length };
    });
    return [stepped, decodeTree(bytes, 0, end, name)[0]?.length ?? -1];
  };

  it('reach as far as their fixed fields, or as there are bytes', () => {
    const wrong: unknown[] = [];
    for (const protocol of protocols as readonly Protocol[]) {
      const bytes = protocol.encode(protocol.complete({} as never));
      for (let end = 1; end < bytes.length; end++) {
        if (protocol.decode(bytes, 0, end).ok) continue;
        const [stepped, shown] = reach(protocol.name, bytes, end);
        if (stepped !== shown || stepped! > end) wrong.push([protocol.name, end, stepped, shown]);
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    // An advertisement has 8 bytes more than the shortest ICMPv6 message, and 16 more than its first four.
    ['icmpv6', '86 00 0000 40000000 00000000 00', 13, 13],
    ['icmpv6', '88 00 0000', 4, 4],
    ['icmpv6', '80 00 0000 0001 00', 7, 7],
    ['ipv4', '45000014', 4, 4],
    ['ipv4', `44000014 ${'00'.repeat(20)}`, 24, 20],
    ['icmp', `0d000000 ${'00'.repeat(10)}`, 14, 14],
  ])('%s of %s', (name, hex, end, length) => {
    expect(reach(name, fromHex(hex), end)).toEqual([length, length]);
  });

  it('say what is missing, and nothing that is not known', () => {
    expect(PROTOCOLS.ipv4.decode(fromHex('4500'))).toStrictEqual({
      ok: false,
      error: { kind: 'length', layer: 'ipv4', offset: 0, needed: 20, available: 2 },
    });
    expect(PROTOCOLS.ipv4.decode(frame(ipv4({ options: [{ type: 1 }] })), 0, 21)).toStrictEqual({
      ok: false,
      error: { kind: 'length', layer: 'ipv4', offset: 0, needed: 24, available: 21, field: 'ihl' },
    });
    expect(PROTOCOLS.ipv4.decode(fromHex('45'), 5)).toMatchObject({ error: { available: 0 } });
  });
});

describe('the place of a field', () => {
  const place = (name: keyof typeof PROTOCOLS, hex: string, field: string, end?: number): unknown =>
    (PROTOCOLS[name] as Protocol).placeIn(fromHex(hex), 0, field, end)?.at;

  it('moves behind flags, depends on the type, and is nowhere where the header is cut off', () => {
    expect([
      place('gre', 'b000 0800 00000000 00000001 00000002', 'key'),
      place('gre', 'b000 0800 00000000 00000001 00000002', 'sequence'),
      place('gre', '3000 0800 00000001 00000002', 'key'),
      place('gre', '1000 0800 00000002', 'key'),
      place('gre', '2000 08', 'key'),
      place('gre', '2000 0800 00000001', 'key', 3),
      place('gre', '2000 0800 00000001', 'protocolType', 3),
      place('icmp', '0500 0000 0a000001', 'gateway'),
      place('icmp', '0800 0000 00010001', 'gateway'),
      place('icmp', '0800 0000 00010002', 'sequence'),
    ]).toEqual([8, 12, 4, undefined, undefined, undefined, 2, 4, undefined, 6]);
  });
});

it('what follows a header starts behind it, and ends where the bytes do at the latest', () => {
  const wrong: unknown[] = [];
  for (const protocol of protocols as readonly Protocol[])
    for (const behind of [0, 40]) {
      const header = protocol.encode(protocol.complete({} as never));
      const bytes = Uint8Array.from([...Array(200).fill(0x45), ...header, ...Array(behind).fill(0)]);
      const both = [
        protocol.step(bytes, 200, bytes.length, {}),
        protocol.dissect(bytes, 200, bytes.length, {}),
      ];
      for (const { length, next } of both) {
        if (next === undefined) continue;
        if (next.offset < 200 + length || next.end > bytes.length || next.end < next.offset - 200)
          wrong.push([protocol.name, behind, length, next.offset, next.end]);
      }
    }
  expect(wrong).toEqual([]);
});
