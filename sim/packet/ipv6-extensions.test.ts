import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import {
  AH,
  DSTOPTS,
  FRAGMENT,
  HIP,
  HOPOPTS,
  MOBILITY,
  ROUTING,
  routedDestinationAt,
  SHIM6,
} from './ipv6-extensions.ts';
import { IPV6_OPTIONS, jumboLength } from './ipv6-options.ts';
import { bytesOf } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { decodeTree } from './tree.ts';

describeProtocol(FRAGMENT, {
  wire: '3a 00 0939 12345678',
  value: {
    nextHeader: 58,
    reserved: 0,
    fragmentOffset: 0x127,
    reservedBits: 0,
    moreFragments: true,
    identification: 0x12345678,
  },
});
describeProtocol(HOPOPTS, {
  wire: '06 00 0502 0000 0100',
  value: {
    nextHeader: 6,
    options: [
      { type: 5, data: new Uint8Array(2) },
      { type: 1, data: new Uint8Array(0) },
    ],
  },
});
describeProtocol(DSTOPTS, {
  wire: '11 00 0104 00000000',
  value: { nextHeader: 17, options: [{ type: 1, data: new Uint8Array(4) }] },
});
describeProtocol(ROUTING, {
  wire: '3a 02 04 01 00000000 fc000000000000000000000000000001',
  value: {
    nextHeader: 58,
    type: 4,
    segmentsLeft: 1,
    data: fromHex('00000000fc000000000000000000000000000001'),
  },
});
describeProtocol(AH, {
  wire: '06 03 0000 11223344 00000005 a1a2a3a4a5a6a7a8',
  value: {
    nextHeader: 6,
    reserved: 0,
    spi: 0x11223344,
    sequence: 5,
    icv: fromHex('a1a2a3a4a5a6a7a8'),
  },
});
describeProtocol(MOBILITY, {
  wire: '3b 00 050000000000',
  value: { nextHeader: 59, data: fromHex('050000000000') },
});
describeProtocol(HIP, {
  wire: '3b 00 050000000000',
  value: { nextHeader: 59, data: fromHex('050000000000') },
});
describeProtocol(SHIM6, {
  wire: '3b 00 050000000000',
  value: { nextHeader: 59, data: fromHex('050000000000') },
});

describe('extension headers', () => {
  it('say when their length lied', () => {
    const bytes = fromHex('3a 02 04 01 00000000 fc000000000000000000000000000001');
    expect(ROUTING.decode(bytes, 0, 23)).toMatchObject({
      ok: false,
      error: { kind: 'length', field: 'length', needed: 24, available: 23 },
    });
  });

  it('refuse parts that fill no multiple of 8 bytes (AH: of 4)', () => {
    expect(() => ROUTING.encode(ROUTING.complete({ data: new Uint8Array(5) }))).toThrow(RangeError);
    expect(() => AH.encode(AH.complete({ icv: new Uint8Array(3) }))).toThrow(RangeError);
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
          expect(toHex(IPV6_OPTIONS.encode(IPV6_OPTIONS.decode(bytes, 0, bytes.length)))).toBe(toHex(bytes));
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

describe('what a routing header holds', () => {
  const FIRST = 'fc000000000000000000000000000001';
  const LAST = 'fc000000000000000000000000000002';
  const shown = (wire: string): string[] =>
    decodeTree(fromHex(wire), 0, undefined, 'routing')[0]!
      .children.slice(4)
      .map(({ label, text, note }) => `${label}: ${text}${note === undefined ? '' : ` [${note}]`}`);

  it('is shown segment by segment, the last one first (RFC 8754 §2)', () => {
    expect(shown(`3b 05 04 01 01 08 0007 ${LAST} ${FIRST} 0506000000000000`)).toEqual([
      'Last Entry: 1',
      'Flags: 0x08',
      'Tag: 0x0007',
      'Segment 0: fc00::2 [the last one]',
      'Segment 1: fc00::1 [the active one]',
      'TLVs: 8 bytes: 0506000000000000',
    ]);
  });

  it('is shown as far as it is there, where the last entry says more', () => {
    expect(shown(`3b 03 04 00 04 00 0000 ${LAST} 0102030405060708`)).toEqual([
      'Last Entry: 4',
      'Flags: 0x00',
      'Tag: 0x0000',
      'Segment 0: fc00::2 [the last one, the active one]',
      'Segment that is cut off: 8 bytes: 0102030405060708',
    ]);
  });

  it('is addresses in a source route, and bytes in types of which nothing is known', () => {
    expect(shown(`3b 02 00 01 00000000 ${FIRST}`)).toEqual([
      'Reserved: 4 bytes: 00000000',
      'Address 0: fc00::1',
    ]);
    expect(shown(`3b 00 fd 00 01020304`)).toEqual(['Type-specific data: 4 bytes: 01020304']);
  });
});
