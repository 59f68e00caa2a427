import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import {
  decodeExtensionHeader,
  dissectExtension,
  type ExtensionHeader,
  encodeExtensionHeader,
  FragmentView,
  routedDestinationAt,
} from './ipv6-extensions.ts';
import { decodeIpv6Options, encodeIpv6Options, jumboLength } from './ipv6-options.ts';
import { IPPROTO } from './numbers.ts';
import { bit, bytesOf, u8, u13, u32 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol<ExtensionHeader, FragmentView>({
  name: 'fragment6',
  wire: '3a 00 0939 12345678',
  value: {
    header: 44,
    nextHeader: 58,
    fragmentOffset: 0x127,
    moreFragments: true,
    identification: 0x12345678,
  },
  view: () => new FragmentView(),
  reads: { nextHeader: 58, fragmentOffset: 0x127, moreFragments: true, identification: 0x12345678 },
  decode: (bytes, offset, end) => decodeExtensionHeader(44, bytes, offset, end),
  encode: encodeExtensionHeader,
  dissect: dissectExtension(44),
  values: fc.record({
    header: fc.constant(44 as const),
    nextHeader: u8,
    fragmentOffset: u13,
    moreFragments: bit,
    identification: u32,
  }),
});

describe('extension headers', () => {
  const cases: readonly { wire: string; value: ExtensionHeader }[] = [
    {
      wire: '06 00 0502 0000 0100',
      value: {
        header: IPPROTO.HOPOPTS,
        nextHeader: 6,
        options: [
          { type: 5, data: new Uint8Array(2) },
          { type: 1, data: new Uint8Array(0) },
        ],
      },
    },
    {
      wire: '11 00 0104 00000000',
      value: { header: IPPROTO.DSTOPTS, nextHeader: 17, options: [{ type: 1, data: new Uint8Array(4) }] },
    },
    {
      wire: '3a 02 04 01 00000000 fc000000000000000000000000000001',
      value: {
        header: IPPROTO.ROUTING,
        nextHeader: 58,
        type: 4,
        segmentsLeft: 1,
        data: fromHex('00000000fc000000000000000000000000000001'),
      },
    },
    {
      wire: '06 03 0000 11223344 00000005 a1a2a3a4a5a6a7a8',
      value: {
        header: IPPROTO.AH,
        nextHeader: 6,
        spi: 0x11223344,
        sequence: 5,
        icv: fromHex('a1a2a3a4a5a6a7a8'),
      },
    },
    {
      wire: '3b 00 050000000000',
      value: { header: IPPROTO.MH, nextHeader: 59, data: fromHex('050000000000') },
    },
  ];

  it('decode and encode what the wire says', () => {
    for (const { wire, value } of cases) {
      const bytes = fromHex(wire);
      expect(decodeExtensionHeader(value.header, bytes)).toEqual({ ok: true, value, length: bytes.length });
      expect(toHex(encodeExtensionHeader(value))).toBe(toHex(bytes));
    }
  });

  it('reject every cut, and say when their length lied', () => {
    for (const { wire, value } of cases) {
      const bytes = fromHex(wire);
      for (let end = 0; end < bytes.length; end++) {
        const error = { kind: 'length', available: end, ...(end >= 8 ? { field: 'length' } : {}) };
        expect(decodeExtensionHeader(value.header, bytes, 0, end)).toMatchObject({ ok: false, error });
      }
    }
  });

  it('refuse parts that fill no multiple of 8 bytes', () => {
    const routing = { header: 43, nextHeader: 6, type: 0, segmentsLeft: 0, data: new Uint8Array(5) } as const;
    expect(() => encodeExtensionHeader(routing)).toThrow(RangeError);
    expect(() =>
      encodeExtensionHeader({ header: 51, nextHeader: 6, spi: 0, sequence: 0, icv: new Uint8Array(3) }),
    ).toThrow(RangeError);
  });
});

describe('routing headers', () => {
  const header = (type: number, segmentsLeft: number, units = 4): Uint8Array =>
    Uint8Array.from([58, units, type, segmentsLeft, ...new Array<number>(4 + units * 8).fill(0)]);

  it('lead to the last address while segments are left (RFC 8200 §8.1)', () => {
    expect(routedDestinationAt(header(0, 1), 0, 99)).toBe(24);
    expect(routedDestinationAt(header(0, 0), 0, 99)).toBe(99);
    expect(routedDestinationAt(header(2, 1, 2), 0, 99)).toBe(8);
  });

  it('lead to the first entry of a segment list, which is encoded backwards (RFC 8754 §2)', () => {
    expect(routedDestinationAt(header(4, 1), 0, 99)).toBe(8);
  });

  it('hide the destination where the type is not known', () => {
    expect(routedDestinationAt(header(3, 1), 0, 99)).toBe(-1);
    expect(routedDestinationAt(header(253, 0), 0, 99)).toBe(99);
  });
});

describe('ipv6 options', () => {
  it('give any bytes back as they were', () => {
    fc.assert(
      fc.property(
        fc.nat(4).chain((units) => bytesOf(6 + units * 8)),
        (bytes) => {
          expect(toHex(encodeIpv6Options(decodeIpv6Options(bytes, 0, bytes.length)))).toBe(toHex(bytes));
        },
      ),
    );
  });

  it('find a jumbo payload length (RFC 2675 §2), and none in its absence or behind a cut', () => {
    const options = fromHex('0100 c204 00010000');
    expect(jumboLength(options, 0, 8)).toBe(65536);
    expect(jumboLength(options, 0, 7)).toBe(0);
    expect(jumboLength(fromHex('010400000000'), 0, 6)).toBe(0);
  });
});
