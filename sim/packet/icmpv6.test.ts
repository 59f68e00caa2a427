import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { ICMPV6 } from './icmpv6.ts';
import { linkLayerAddressOption, mtuOption, NEIGHBOUR_OPTIONS } from './neighbour-options.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const linkLayer = linkLayerAddressOption(1, '02:00:00:00:00:02');

describeProtocol(
  ICMPV6,
  {
    wire: '80 00 abcd 0102 0304',
    value: {
      type: 128,
      code: 0,
      checksum: 0xabcd,
      body: { kind: 'echo', identifier: 0x0102, sequence: 0x0304 },
    },
  },
  { wire: '02 00 0001 00000500', value: { type: 2, code: 0, checksum: 1, body: { kind: 'mtu', mtu: 1280 } } },
  {
    wire: '04 01 0001 00000028',
    value: { type: 4, code: 1, checksum: 1, body: { kind: 'pointer', pointer: 40 } },
  },
  {
    wire: '01 04 0001 00000000',
    value: { type: 1, code: 4, checksum: 1, body: { kind: 'unreachable', quotedLength: 0, unused: 0 } },
  },
  {
    wire: '87 00 0001 00000000 fe800000000000000000000000000001 0101020000000002',
    value: {
      type: 135,
      code: 0,
      checksum: 1,
      body: { kind: 'neighbourSolicitation', reserved: 0, target: 'fe80::1', options: [linkLayer] },
    },
  },
  {
    wire: '86 00 0001 40 80 0708 00000000 000003e8 0501 0000 000005dc',
    value: {
      type: 134,
      code: 0,
      checksum: 1,
      body: {
        kind: 'routerAdvertisement',
        curHopLimit: 64,
        flags: 0x80,
        lifetime: 1800,
        reachableTime: 0,
        retransTimer: 1000,
        options: [mtuOption(1500)],
      },
    },
  },
  {
    wire: '85 00 0001 00000000',
    value: {
      type: 133,
      code: 0,
      checksum: 1,
      body: { kind: 'routerSolicitation', reserved: 0, options: [] },
    },
  },
  {
    wire: '89 00 0001 00000000 fe800000000000000000000000000001 fc000000000000000000000000000005',
    value: {
      type: 137,
      code: 0,
      checksum: 1,
      body: { kind: 'redirect', reserved: 0, target: 'fe80::1', destination: 'fc00::5', options: [] },
    },
  },
  {
    wire: '82 00 0001 03e8 0000 ff020000000000000000000000000001',
    value: {
      type: 130,
      code: 0,
      checksum: 1,
      body: {
        kind: 'listenerQuery',
        maximumResponseDelay: 1000,
        reserved: 0,
        group: 'ff02::1',
        querier: undefined,
      },
    },
  },
  {
    wire: '82 00 0001 03e8 0000 ff020000000000000000000000000001 02 7d 0001 fe800000000000000000000000000001',
    value: {
      type: 130,
      code: 0,
      checksum: 1,
      body: {
        kind: 'listenerQuery',
        maximumResponseDelay: 1000,
        reserved: 0,
        group: 'ff02::1',
        querier: { flags: 2, interval: 125, count: 1, sources: ['fe80::1'], rest: new Uint8Array(0) },
      },
    },
  },
  {
    wire: '8f 00 0001 0000 0001 04 01 0000 ff020000000000000000000000000005 01020304',
    value: {
      type: 143,
      code: 0,
      checksum: 1,
      body: {
        kind: 'listenerReport2',
        reserved: 0,
        records: 1,
        groups: [{ type: 4, group: 'ff02::5', sources: [], auxiliary: fromHex('01020304') }],
      },
    },
  },
  {
    wire: '88 00 0001 e0000000 fe800000000000000000000000000001',
    value: {
      type: 136,
      code: 0,
      checksum: 1,
      body: {
        kind: 'neighbourAdvertisement',
        router: true,
        solicited: true,
        override: true,
        reserved: 0,
        target: 'fe80::1',
        options: [],
      },
    },
  },
);

describe('icmpv6 bodies', () => {
  it('need as many bytes as their type has', () => {
    const wire = '87 00 0001 00000000 fe800000000000000000000000000001';
    expect(ICMPV6.decode(fromHex(wire), 0, 23)).toMatchObject({
      ok: false,
      error: { field: 'type', needed: 24, available: 23 },
    });
  });
});

describe('neighbour discovery options', () => {
  it('give any bytes back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64, size: 'max' }), (bytes) => {
        expect(toHex(NEIGHBOUR_OPTIONS.encode(NEIGHBOUR_OPTIONS.decode(bytes, 0, bytes.length)))).toBe(
          toHex(bytes),
        );
      }),
    );
  });

  it('stop at a length of zero (RFC 4861 §4.6)', () => {
    expect(NEIGHBOUR_OPTIONS.decode(fromHex('0100000000000000'), 0, 8)).toEqual([
      { type: 'rest', data: fromHex('0100000000000000') },
    ]);
  });

  it('refuse what is no multiple of 8 bytes', () => {
    expect(() => NEIGHBOUR_OPTIONS.encode([{ type: 1, data: new Uint8Array(7) }])).toThrow(RangeError);
  });
});
