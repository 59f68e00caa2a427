import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { decodeIcmpv6, dissectIcmpv6, encodeIcmpv6, type Icmpv6Header, Icmpv6View } from './icmpv6.ts';
import {
  decodeNeighbourOptions,
  encodeNeighbourOptions,
  linkLayerAddressOption,
  mtuOption,
} from './neighbour-options.ts';
import { u8, u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol({
  name: 'icmpv6',
  wire: '80 00 abcd 0102 0304',
  value: {
    type: 128,
    code: 0,
    checksum: 0xabcd,
    body: { kind: 'echo', identifier: 0x0102, sequence: 0x0304 },
  },
  view: () => new Icmpv6View(),
  reads: {
    type: 128,
    code: 0,
    checksum: 0xabcd,
    rest: 0x01020304,
    identifier: 0x0102,
    sequence: 0x0304,
    targetAt: 8,
  },
  decode: decodeIcmpv6,
  encode: encodeIcmpv6,
  dissect: dissectIcmpv6,
  values: fc.record<Icmpv6Header>({
    type: fc.constantFrom(128, 129),
    code: u8,
    checksum: u16,
    body: fc.record({ kind: fc.constant('echo'), identifier: u16, sequence: u16 }),
  }),
});

describe('icmpv6 bodies', () => {
  const linkLayer = linkLayerAddressOption(1, '02:00:00:00:00:02');
  const cases: readonly [wire: string, value: Icmpv6Header][] = [
    ['02 00 0001 00000500', { type: 2, code: 0, checksum: 1, body: { kind: 'mtu', mtu: 1280 } }],
    ['04 01 0001 00000028', { type: 4, code: 1, checksum: 1, body: { kind: 'pointer', pointer: 40 } }],
    ['01 04 0001 00000000', { type: 1, code: 4, checksum: 1, body: { kind: 'other', rest: 0 } }],
    [
      '87 00 0001 00000000 fe800000000000000000000000000001 0101020000000002',
      {
        type: 135,
        code: 0,
        checksum: 1,
        body: { kind: 'neighbour', flags: 0, target: 'fe80::1', options: [linkLayer] },
      },
    ],
    [
      '86 00 0001 40 80 0708 00000000 000003e8 0501 0000 000005dc',
      {
        type: 134,
        code: 0,
        checksum: 1,
        body: {
          kind: 'router-advertisement',
          curHopLimit: 64,
          flags: 0x80,
          lifetime: 1800,
          reachableTime: 0,
          retransTimer: 1000,
          options: [mtuOption(1500)],
        },
      },
    ],
    [
      '85 00 0001 00000000',
      { type: 133, code: 0, checksum: 1, body: { kind: 'router-solicitation', options: [] } },
    ],
    [
      '89 00 0001 00000000 fe800000000000000000000000000001 fc000000000000000000000000000005',
      {
        type: 137,
        code: 0,
        checksum: 1,
        body: { kind: 'redirect', target: 'fe80::1', destination: 'fc00::5', options: [] },
      },
    ],
    [
      '82 00 0001 03e8 0000 ff020000000000000000000000000001',
      {
        type: 130,
        code: 0,
        checksum: 1,
        body: { kind: 'listener', maximumResponseDelay: 1000, group: 'ff02::1' },
      },
    ],
  ];

  it('decode and encode by type', () => {
    for (const [wire, value] of cases) {
      const bytes = fromHex(wire);
      expect(decodeIcmpv6(bytes)).toEqual({ ok: true, value, length: bytes.length });
      expect(toHex(encodeIcmpv6(value))).toBe(toHex(bytes));
    }
  });

  it('need as many bytes as their type has', () => {
    const [wire] = cases[3]!;
    expect(decodeIcmpv6(fromHex(wire), 0, 23)).toMatchObject({
      ok: false,
      error: { field: 'type', needed: 24, available: 23 },
    });
  });
});

describe('neighbour discovery options', () => {
  it('give any bytes back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64, size: 'max' }), (bytes) => {
        expect(toHex(encodeNeighbourOptions(decodeNeighbourOptions(bytes, 0, bytes.length)))).toBe(
          toHex(bytes),
        );
      }),
    );
  });

  it('stop at a length of zero (RFC 4861 §4.6)', () => {
    expect(decodeNeighbourOptions(fromHex('0100000000000000'), 0, 8)).toEqual([
      { type: 'rest', data: fromHex('0100000000000000') },
    ]);
  });

  it('refuse what is no multiple of 8 bytes', () => {
    expect(() => encodeNeighbourOptions([{ type: 1, data: new Uint8Array(7) }])).toThrow(RangeError);
  });
});
