import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { verify } from './checksum.ts';
import {
  decrementTtl,
  fillIpv4Checksum,
  IPV4,
  IPV4_DF,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  IPV4_RESERVED,
  ipv4HeaderLength,
} from './ipv4.ts';
import { finalDestinationAt, IPV4_OPTIONS, routeOption } from './ipv4-options.ts';
import { bytesOf } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

/** With a router alert, so that the header has options. */
const wire = '46 12 0024 abcd 6123 3f 01 e0b4 0a0b0102 0a0b0101 94040000';

describeProtocol(IPV4, {
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
});

describe('ipv4 lengths', () => {
  it('rejects an ihl below 5 (RFC 791 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x44;
    expect(IPV4.decode(bytes)).toMatchObject({ ok: false, error: { kind: 'value', field: 'ihl', got: 4 } });
    expect(ipv4HeaderLength(bytes, 0, bytes.length)).toBe(0);
  });

  it('rejects an ihl beyond the bytes, and says that it lied', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x4f;
    expect(IPV4.decode(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'length', field: 'ihl', needed: 60 },
    });
    expect(ipv4HeaderLength(bytes, 0, bytes.length)).toBe(0);
  });

  it('rejects a total length below the header length (RFC 791 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[3] = 23;
    expect(IPV4.decode(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'totalLength', got: 23 },
    });
  });

  it('rejects another version', () => {
    const bytes = fromHex(wire);
    bytes[0] = 0x65;
    expect(IPV4.decode(bytes)).toMatchObject({
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
    fillIpv4Checksum(bytes, 0);
    while (bytes[IPV4.at.ttl]! > 0) {
      expect(verify(bytes, 0, bytes.length)).toBe(true);
      decrementTtl(bytes, 0);
    }
    expect(verify(bytes, 0, bytes.length)).toBe(true);
    bytes[IPV4.at.ttl] = 17;
    expect(verify(bytes, 0, bytes.length)).toBe(false);
  });
});

describe('ipv4 flags', () => {
  it('have the masks that hot code uses', () => {
    const { reserved, dontFragment, moreFragments, fragmentOffset } = IPV4.mask;
    expect([reserved, dontFragment, moreFragments, fragmentOffset]).toEqual([
      IPV4_RESERVED,
      IPV4_DF,
      IPV4_MF,
      IPV4_OFFSET_MASK,
    ]);
  });
});

describe('ipv4 options', () => {
  it('gives any bytes back as they were', () => {
    fc.assert(
      fc.property(
        fc.nat(10).chain((words) => bytesOf(words * 4)),
        (bytes) => {
          expect(toHex(IPV4_OPTIONS.encode(IPV4_OPTIONS.decode(bytes, 0, bytes.length)))).toBe(toHex(bytes));
        },
      ),
    );
  });

  it('refuses more than ihl can count', () => {
    expect(() => IPV4_OPTIONS.encode([{ type: 7, data: new Uint8Array(39) }])).toThrow(RangeError);
  });

  it('finds the final destination of a source route until it is used up (RFC 791 §3.1)', () => {
    const header = new Uint8Array(20);
    const place = (pointer: number, type = 131): number => {
      const list = IPV4_OPTIONS.encode([{ type: 1 }, routeOption(type, pointer, ['1.1.1.1', '2.2.2.2'])]);
      const bytes = new Uint8Array([...header, ...list]);
      return finalDestinationAt(bytes, 0, bytes.length);
    };
    expect(place(4)).toBe(20 + 1 + 3 + 4);
    expect(place(8, 137)).toBe(20 + 1 + 3 + 4);
    // No address begins there, and the kernel drops the packet.
    expect(place(11)).toBe(16);
    expect(place(12)).toBe(16);
    expect(place(4, 7)).toBe(16);
    // "The smallest legal value for the pointer is 4."
    expect(place(3)).toBe(16);
    expect(place(0)).toBe(16);
  });
});
