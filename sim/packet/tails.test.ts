/** Lists behind headers: options, chunks, records and elements, whole and broken, at the borders of what can be counted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import type { Tail } from './declaration/tail.ts';
import { GENEVE_OPTIONS } from './geneve-options.ts';
import { IGMP_QUERIER, IGMP_RECORDS, MLD_QUERIER, MLD_RECORDS } from './group-records.ts';
import { finalDestinationAt, IPV4_OPTIONS, routeOption } from './ipv4-options.ts';
import { homeAddressAt, IPV6_OPTIONS, jumboLength } from './ipv6-options.ts';
import { LLDP } from './lldp.ts';
import { linkLayerAddressOption, mtuOption, NEIGHBOUR_OPTIONS } from './neighbour-options.ts';
import { SCTP } from './sctp.ts';
import { mssOption, TCP_OPTIONS, tcpOptionFromText } from './tcp-options.ts';

const CHUNKS = SCTP.declaration.tail as Tail;
const ELEMENTS = LLDP.declaration.tail as Tail;

/** All lists, and into what units their bytes have to be filled up. */
const LISTS: readonly [name: string, tail: Tail, unit: number, most: number][] = [
  ['IPv4 options', IPV4_OPTIONS, 4, 10],
  ['TCP options', TCP_OPTIONS, 4, 10],
  ['IPv6 options', IPV6_OPTIONS, 8, 5],
  ['neighbour discovery options', NEIGHBOUR_OPTIONS, 1, 50],
  ['GENEVE options', GENEVE_OPTIONS, 4, 10],
  ['SCTP chunks', CHUNKS, 1, 50],
  ['LLDP elements', ELEMENTS, 1, 50],
  ['IGMP records', IGMP_RECORDS, 1, 50],
  ['MLD records', MLD_RECORDS, 1, 60],
  ['an IGMP querier', IGMP_QUERIER, 1, 30],
  ['an MLD querier', MLD_QUERIER, 1, 50],
];

describe.each(LISTS)('%s', (_name, tail, unit, most) => {
  const bytes = fc
    .tuple(
      fc.integer({ min: unit === 8 ? 1 : 0, max: most }),
      fc.infiniteStream(fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 16, 200)),
    )
    .map(([units, stream]) =>
      Uint8Array.from({ length: units * unit - (unit === 8 ? 2 : 0) }, () => stream.next().value as number),
    );

  it('is written as it was read, at any place, whatever the bytes are', () => {
    fc.assert(
      fc.property(bytes, fc.nat(3), (list, at) => {
        const around = Uint8Array.from([...Array(at).fill(7), ...list, 7, 7]);
        expect(toHex(tail.encode(tail.decode(around, at, at + list.length)))).toBe(toHex(list));
      }),
    );
  });

  it('is shown in parts, one behind the other up to its end', () => {
    fc.assert(
      fc.property(bytes, fc.nat(3), (list, at) => {
        const around = Uint8Array.from([...Array(at).fill(7), ...list, 7, 7]);
        let next = at;
        const names = new Set<string>();
        for (const { name, offset, length } of tail.dissect(around, at, at + list.length)) {
          expect(offset).toBe(next);
          next += length;
          names.add(name);
        }
        expect(next).toBe(at + list.length);
        expect(names.size).toBe(tail.dissect(around, at, at + list.length).length);
      }),
    );
  });
});

/** Labels and texts of a list. */
const shown = (tail: Tail, hex: string): string[] => {
  const bytes = fromHex(hex);
  return tail
    .dissect(bytes, 0, bytes.length)
    .map(({ label, text }) => (text === '' ? label : `${label}: ${text}`));
};

const A = '0a000001';
const A6 = 'fc000000000000000000000000000001';

it.each<[what: string, tail: Tail, hex: string, shown: string[]]>([
  [
    'GENEVE',
    GENEVE_OPTIONS,
    '0102 80 01 deadbeef 0003 7f e0',
    ['Option: class 0x0102, type 0, critical: deadbeef', 'Option: class 0x0003, type 127'],
  ],
  ['GENEVE, a head that is cut off', GENEVE_OPTIONS, '010280', ['Malformed options: 3 bytes: 010280']],
  [
    'GENEVE, data that is cut off',
    GENEVE_OPTIONS,
    '0102 00 02 deadbeef',
    ['Malformed options: 8 bytes: 01020002deadbeef'],
  ],
  ['SCTP, a chunk without data', CHUNKS, '0b 00 0004', ['Chunk: COOKIE ACK: flags 0x00, ']],
  [
    'SCTP, a chunk with padding',
    CHUNKS,
    '00 03 0005 aa 000000 01 00 0004',
    ['Chunk: DATA: flags 0x03, aa', 'Chunk: INIT: flags 0x00, '],
  ],
  ['SCTP, padding that is cut off', CHUNKS, 'c1 ff 0006 aabb 00', ['Chunk: ASCONF: flags 0xff, aabb']],
  ['SCTP, a length below the head', CHUNKS, '00 03 0003', ['Malformed chunks: 4 bytes: 00030003']],
  [
    'SCTP, a length beyond the packet',
    CHUNKS,
    '00 03 0009 aabbccdd',
    ['Malformed chunks: 8 bytes: 00030009aabbccdd'],
  ],
  [
    'SCTP, a head that is cut off',
    CHUNKS,
    '0a 00 0004 0b 00 00',
    ['Chunk: COOKIE ECHO: flags 0x00, ', 'Malformed chunks: 3 bytes: 0b0000'],
  ],
  ['SCTP, a chunk that nobody knows', CHUNKS, '63 00 0004', ['Chunk: type 99: flags 0x00, ']],
  ['IGMP, a group', IGMP_RECORDS, `04 00 0000 ${A}`, ['Group record: change to exclude: 10.0.0.1']],
  [
    'IGMP, sources and more',
    IGMP_RECORDS,
    `01 01 0002 ${A} 0a000002 0a000003 deadbeef 09 00 0000 ${A}`,
    ['Group record: is include: 10.0.0.1 from 10.0.0.2, 10.0.0.3', 'Group record: type 9: 10.0.0.1'],
  ],
  [
    'IGMP, a group that is cut off',
    IGMP_RECORDS,
    '01 00 0000 0a0000',
    ['Malformed record: 7 bytes: 010000000a0000'],
  ],
  [
    'IGMP, sources that are cut off',
    IGMP_RECORDS,
    `01 00 0001 ${A} 0a0000`,
    ['Malformed record: 11 bytes: 010000010a0000010a0000'],
  ],
  [
    'MLD, a group',
    MLD_RECORDS,
    `03 00 0001 ${A6} ${A6}`,
    ['Group record: change to include: fc00::1 from fc00::1'],
  ],
  [
    'MLD, a group that is cut off',
    MLD_RECORDS,
    `03 00 0000 ${A6.slice(2)}`,
    ['Malformed record: 19 bytes: 03000000000000000000000000000000…'],
  ],
  [
    'IGMP, a querier',
    IGMP_QUERIER,
    `0a 7d 0001 ${A}`,
    ['Querier: flags 0x0a, interval 125, 1 sources: 10.0.0.1'],
  ],
  [
    'IGMP, a querier of nobody',
    IGMP_QUERIER,
    '02 7d 0000',
    ['Querier: flags 0x02, interval 125, 0 sources: none'],
  ],
  [
    'IGMP, a querier whose sources are cut off',
    IGMP_QUERIER,
    '02 7d 0002 0a000001 0a0000',
    ['Querier: flags 0x02, interval 125, 2 sources: none'],
  ],
  ['IGMP, a querier that is cut off', IGMP_QUERIER, '027d00', ['Querier, cut off: 3 bytes: 027d00']],
  [
    'MLD, a querier',
    MLD_QUERIER,
    `02 7d 0001 ${A6}`,
    ['Querier: flags 0x02, interval 125, 1 sources: fc00::1'],
  ],
  [
    'ND, MACs',
    NEIGHBOUR_OPTIONS,
    '01 01 020000000001 02 01 020000000002',
    [
      'Option: Source Link-layer Address: 02:00:00:00:00:01',
      'Option: Target Link-layer Address: 02:00:00:00:00:02',
    ],
  ],
  [
    'ND, a longer address',
    NEIGHBOUR_OPTIONS,
    '01 02 0200000000010203040506070809',
    ['Option: Source Link-layer Address: 0200000000010203040506070809'],
  ],
  ['ND, an MTU', NEIGHBOUR_OPTIONS, '05 01 0000 000005dc', ['Option: MTU: 1500']],
  [
    'ND, a longer MTU',
    NEIGHBOUR_OPTIONS,
    '05 02 0000 000005dc 0000000000000000',
    ['Option: MTU: 0000000005dc0000000000000000'],
  ],
  [
    'ND, a prefix',
    NEIGHBOUR_OPTIONS,
    `03 04 40 c0 00000001 00000002 00000000 ${A6}`,
    ['Option: Prefix Information: fc00::1/64'],
  ],
  [
    'ND, a shorter prefix',
    NEIGHBOUR_OPTIONS,
    '03 01 40c000000001',
    ['Option: Prefix Information: 40c000000001'],
  ],
  [
    'ND, no length',
    NEIGHBOUR_OPTIONS,
    '05 01 0000 000005dc 01 00 0000',
    ['Option: MTU: 1500', 'Malformed options: 4 bytes: 01000000'],
  ],
  ['ND, what nobody knows', NEIGHBOUR_OPTIONS, '63 01 000000000000', ['Option: type 99: 000000000000']],
  [
    'LLDP',
    ELEMENTS,
    '0204 04aabbcc 0602 0078 fe01 55 0000',
    ['Chassis ID: 04aabbcc', 'Time to Live: 0078', 'Organizationally specific: 55', 'End of LLDPDU'],
  ],
  [
    'LLDP, a long element',
    ELEMENTS,
    `0900 ${'61'.repeat(256)} 0000`,
    [`Port Description: ${'61'.repeat(256)}`, 'End of LLDPDU'],
  ],
  [
    'LLDP, what stands behind the end',
    ELEMENTS,
    '0000 0001',
    ['End of LLDPDU', 'Behind the last element: 2 bytes: 0001'],
  ],
  ['LLDP, an element that is cut off', ELEMENTS, '0203 aabb', ['Behind the last element: 4 bytes: 0203aabb']],
  [
    'LLDP, a head that is cut off',
    ELEMENTS,
    '0602 0078 02',
    ['Time to Live: 0078', 'Behind the last element: 1 byte: 02'],
  ],
])('%s', (_what, tail, hex, expected) => {
  expect(shown(tail, hex)).toEqual(expected);
});

describe('what cannot be counted is refused', () => {
  const bytes = (length: number): Uint8Array => new Uint8Array(length);
  const group = { type: 1, group: '10.0.0.1', sources: [] };
  it.each<[what: string, tail: Tail, fits: unknown, tooMuch: unknown]>([
    ['GENEVE data', GENEVE_OPTIONS, option({ data: bytes(124) }), option({ data: bytes(128) })],
    ['GENEVE data of odd length', GENEVE_OPTIONS, option({ data: bytes(4) }), option({ data: bytes(5) })],
    [
      'all GENEVE options',
      GENEVE_OPTIONS,
      [{ class: 'rest', data: bytes(252) }],
      [{ class: 'rest', data: bytes(256) }],
    ],
    [
      'GENEVE options of odd length',
      GENEVE_OPTIONS,
      [{ class: 'rest', data: bytes(8) }],
      [{ class: 'rest', data: bytes(6) }],
    ],
    ['SCTP data', CHUNKS, [chunk(65_531)], [chunk(65_532)]],
    ['LLDP data', ELEMENTS, [{ type: 1, data: bytes(511) }], [{ type: 1, data: bytes(512) }]],
    [
      'auxiliary data',
      IGMP_RECORDS,
      [{ ...group, auxiliary: bytes(1020) }],
      [{ ...group, auxiliary: bytes(1024) }],
    ],
    [
      'auxiliary data of odd length',
      IGMP_RECORDS,
      [{ ...group, auxiliary: bytes(4) }],
      [{ ...group, auxiliary: bytes(6) }],
    ],
    ['IPv4 options', IPV4_OPTIONS, [{ type: 7, data: bytes(38) }], [{ type: 7, data: bytes(39) }]],
    ['TCP options', TCP_OPTIONS, [{ type: 9, data: bytes(38) }], [{ type: 9, data: bytes(39) }]],
    ['IPv6 option data', IPV6_OPTIONS, [{ type: 9, data: bytes(255) }], [{ type: 9, data: bytes(256) }]],
    ['ND option data', NEIGHBOUR_OPTIONS, [{ type: 9, data: bytes(2038) }], [{ type: 9, data: bytes(2046) }]],
    [
      'ND option data of odd length',
      NEIGHBOUR_OPTIONS,
      [{ type: 9, data: bytes(6) }],
      [{ type: 9, data: bytes(7) }],
    ],
  ])('%s', (_what, tail, fits, tooMuch) => {
    const list = tail.encode(fits);
    expect(tail.encode(tail.decode(list, 0, list.length))).toEqual(list);
    expect(() => tail.encode(tooMuch)).toThrow(RangeError);
  });

  function option(more: object): unknown {
    return [{ class: 1, type: 2, reserved: 7, ...more }];
  }

  function chunk(length: number): unknown {
    return { type: 1, flags: 2, data: bytes(length), padding: bytes((4 - (length % 4)) % 4) };
  }
});

describe('options are filled up', () => {
  it('with zeros to words of 32 bits: IPv4, TCP', () => {
    for (const tail of [IPV4_OPTIONS, TCP_OPTIONS])
      expect([1, 2, 3, 4, 5].map((count) => toHex(tail.encode(Array(count).fill({ type: 1 }))))).toEqual([
        '01000000',
        '01010000',
        '01010100',
        '01010101',
        '0101010101000000',
      ]);
  });

  it('with Pad1 or PadN to units of 64 bits: IPv6', () => {
    const padded = [0, 1, 2, 3, 4, 5, 6, 7].map((count) =>
      toHex(IPV6_OPTIONS.encode([{ type: 9, data: new Uint8Array(count) }])),
    );
    expect(padded).toEqual([
      '090001020000',
      '090100010100',
      '090200000100',
      '090300000000',
      '090400000000',
      '0905000000000001050000000000',
      '0906000000000000010400000000',
      '0907000000000000000103000000',
    ]);
  });
});

describe('options by their meaning', () => {
  it('are made as RFCs have them', () => {
    expect(TCP_OPTIONS.encode([mssOption(1460)])).toEqual(fromHex('020405b4'));
    expect(
      NEIGHBOUR_OPTIONS.encode([linkLayerAddressOption(2, '02:00:00:00:00:09'), mtuOption(0x01020304)]),
    ).toEqual(fromHex('0201020000000009 0501000001020304'));
    expect(IPV4_OPTIONS.encode([routeOption(131, 4, ['10.0.0.1', '10.0.0.2'])])).toEqual(
      fromHex('830b040a0000010a00000200'),
    );
  });

  it('have names of TCP options in any case', () => {
    expect(['mss', 'Window-Scale', 'SACK_PERMITTED', 'md5'].map(tcpOptionFromText)).toEqual([2, 3, 4, 19]);
    expect(() => tcpOptionFromText('none')).toThrow(
      'no TCP option "none"; known are eol, nop, mss, window-scale',
    );
  });

  it.each([
    // Type, length, pointer, addresses; a route whose pointer is behind its end is used up (RFC 791 §3.1).
    ['none', '', 16],
    ['a loose route', '8307 04 0a000009 00', 23],
    ['a strict route', '8907 04 0a000009 00', 23],
    ['a route of two', '830b 04 0a000008 0a000009 00', 27],
    ['a route behind others', '01 0103 01 8307 04 0a000009', 16],
    ['a route behind padding', '01 8307 04 0a000009', 24],
    ['a route behind an option', '0703 04 8307 04 0a000009 0000', 26],
    ['a route that is used up', '8307 08 0a000009 00', 16],
    ['a route whose pointer is in an address', '8307 07 0a000009 00', 16],
    ['a recorded route', '0707 04 0a000009 00', 16],
    ['a route without an address', '8306 04 0a0000 0000', 16],
    ['a route behind the end of options', '00 8307 04 0a000009', 16],
    ['a route that is cut off', '8308 04 0a000009', 16],
    ['a length of 1', '0701 8307 04 0a000009 000000', 16],
    ['no length', '83', 16],
  ])('the final destination of %s', (_what, options, at) => {
    const header = fromHex(`${'00'.repeat(23)} ${options}`);
    expect(finalDestinationAt(header, 3, header.length - 3)).toBe(at + 3);
  });

  it.each([
    ['nothing', '', 0],
    ['a jumbo payload', 'c204 00012345', 0x12345],
    ['one behind padding', '00 0101 00 c204 00012345', 0x12345],
    ['one of another size', 'c203 000123', 0],
    ['one that is cut off', 'c204 000123', 0],
    ['another option', 'c304 00012345', 0],
  ])('the length of %s', (_what, options, length) => {
    const bytes = fromHex(`00 ${options} ff`);
    expect(jumboLength(bytes, 1, bytes.length - 1)).toBe(length);
  });

  it('a home address lies behind its option’s length', () => {
    const bytes = fromHex(`00 0102 0000 c910 ${A6}`);
    expect([homeAddressAt(bytes, 1, bytes.length), homeAddressAt(bytes, 1, bytes.length - 1)]).toEqual([
      7, -1,
    ]);
  });
});
