import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { decodeIpv4, dissectIpv4, encodeIpv4, type Ipv4Header, Ipv4View, ipv4HeaderLength } from './ipv4.ts';
import {
  decodeIpv4Options,
  encodeIpv4Options,
  finalDestinationAt,
  type Ipv4Option,
  routeOption,
} from './ipv4-options.ts';
import { bit, bytesOf, ipv4Address, u8, u13, u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

/** With a router alert, so that the header has options. */
const wire = '46 12 0024 abcd 6123 3f 01 e0b4 0a0b0102 0a0b0101 94040000';

const option: fc.Arbitrary<Ipv4Option> = fc.oneof(
  fc.constant<Ipv4Option>({ type: 1 }),
  fc.record({ type: fc.integer({ min: 2, max: 255 }), data: fc.integer({ min: 0, max: 8 }).chain(bytesOf) }),
);

/** Lists that fill whole words: a shorter one reads back with the end of the list, which is its padding. */
const options = fc.array(option, { maxLength: 4 }).map((list) => {
  const length = list.reduce((total, item) => total + ('data' in item ? item.data.length + 2 : 1), 0);
  return [...list, ...new Array<Ipv4Option>((4 - (length % 4)) % 4).fill({ type: 1 })];
});

describeProtocol({
  name: 'ipv4',
  wire,
  value: {
    tos: 0x12,
    totalLength: 36,
    identification: 0xabcd,
    reserved: false,
    dontFragment: true,
    moreFragments: true,
    fragmentOffset: 0x123,
    ttl: 63,
    protocol: 1,
    checksum: 0xe0b4,
    source: '10.11.1.2',
    destination: '10.11.1.1',
    options: [{ type: 148, data: new Uint8Array(2) }],
  },
  view: () => new Ipv4View(),
  reads: {
    version: 4,
    ihl: 6,
    headerLength: 24,
    tos: 0x12,
    totalLength: 36,
    identification: 0xabcd,
    flags: 3,
    fragmentOffset: 0x123,
    isFragment: true,
    isLaterFragment: true,
    ttl: 63,
    protocol: 1,
    checksum: 0xe0b4,
    source: 0x0a0b0102,
    sourceAt: 12,
    destination: 0x0a0b0101,
    destinationAt: 16,
  },
  decode: decodeIpv4,
  encode: encodeIpv4,
  dissect: dissectIpv4,
  values: fc.record<Ipv4Header>({
    tos: u8,
    totalLength: fc.integer({ min: 60, max: 0xffff }),
    identification: u16,
    reserved: bit,
    dontFragment: bit,
    moreFragments: bit,
    fragmentOffset: u13,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: ipv4Address,
    destination: ipv4Address,
    options,
  }),
});

describe('ipv4 lengths', () => {
  it('rejects an ihl below 5 (RFC 791 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x44;
    expect(decodeIpv4(bytes)).toMatchObject({ ok: false, error: { kind: 'value', field: 'ihl', got: 4 } });
    expect(ipv4HeaderLength(bytes, 0, bytes.length)).toBe(0);
  });

  it('rejects an ihl beyond the bytes, and says that it lied', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x4f;
    expect(decodeIpv4(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'length', field: 'ihl', needed: 60 },
    });
    expect(ipv4HeaderLength(bytes, 0, bytes.length)).toBe(0);
  });

  it('rejects a total length below the header length (RFC 791 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[3] = 23;
    expect(decodeIpv4(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'totalLength', got: 23 },
    });
  });

  it('rejects another version', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x65;
    expect(decodeIpv4(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'version', got: 6 },
    });
  });

  it('opens the gate for a header that is all there', () => {
    expect(ipv4HeaderLength(fromHex(wire), 0, 24)).toBe(24);
    expect(ipv4HeaderLength(fromHex(wire), 0, 23)).toBe(0);
  });
});

describe('ipv4 checksums', () => {
  it('verifies what it filled, and what remains after every hop', () => {
    const bytes = fromHex(wire);
    const view = new Ipv4View().at(bytes, 0);
    view.fillChecksum();
    while (view.ttl > 0) {
      expect(view.verifyChecksum()).toBe(true);
      view.decrementTtl();
    }
    expect(view.verifyChecksum()).toBe(true);
    view.ttl = 17;
    expect(view.verifyChecksum()).toBe(false);
  });
});

describe('ipv4 fragments', () => {
  it('tells first, later and whole packets apart, whatever DF and the reserved bit are', () => {
    const bytes = fromHex(wire);
    const view = new Ipv4View().at(bytes, 0);
    for (const ignored of [0, 2, 4, 6]) {
      view.flags = ignored;
      view.fragmentOffset = 0;
      expect([view.isFragment, view.isLaterFragment]).toEqual([false, false]);
      view.flags = ignored | 1;
      expect([view.isFragment, view.isLaterFragment]).toEqual([true, false]);
      view.flags = ignored;
      view.fragmentOffset = 0x100;
      expect([view.isFragment, view.isLaterFragment]).toEqual([true, true]);
    }
  });
});

describe('ipv4 options', () => {
  it('gives any bytes back as they were', () => {
    fc.assert(
      fc.property(
        fc.nat(10).chain((words) => bytesOf(words * 4)),
        (bytes) => {
          expect(toHex(encodeIpv4Options(decodeIpv4Options(bytes, 0, bytes.length)))).toBe(toHex(bytes));
        },
      ),
    );
  });

  it('refuses more than ihl can count', () => {
    expect(() => encodeIpv4Options([{ type: 7, data: new Uint8Array(39) }])).toThrow(RangeError);
  });

  it('finds the final destination of a source route until it is used up (RFC 791 §3.1)', () => {
    const header = new Uint8Array(20);
    const place = (pointer: number, type = 131): number => {
      const list = encodeIpv4Options([{ type: 1 }, routeOption(type, pointer, ['1.1.1.1', '2.2.2.2'])]);
      const bytes = new Uint8Array([...header, ...list]);
      return finalDestinationAt(bytes, 0, bytes.length);
    };
    expect(place(4)).toBe(20 + 1 + 3 + 4);
    expect(place(8, 137)).toBe(20 + 1 + 3 + 4);
    // "If the pointer is greater than the length, the source route is empty": 11 is not.
    expect(place(11)).toBe(20 + 1 + 3 + 4);
    expect(place(12)).toBe(16);
    expect(place(4, 7)).toBe(16);
  });
});
