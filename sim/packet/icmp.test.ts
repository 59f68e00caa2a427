import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { decodeIcmp, dissectIcmp, encodeIcmp, type IcmpHeader, IcmpView } from './icmp.ts';
import { u8, u16, u32 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol({
  name: 'icmp',
  wire: '08 00 f7fa 0102 0304',
  value: {
    type: 8,
    code: 0,
    checksum: 0xf7fa,
    body: { kind: 'query', identifier: 0x0102, sequence: 0x0304 },
  },
  view: () => new IcmpView(),
  reads: {
    type: 8,
    code: 0,
    checksum: 0xf7fa,
    rest: 0x01020304,
    identifier: 0x0102,
    sequence: 0x0304,
    gateway: 0x01020304,
    pointer: 1,
    quotedLength: 2,
    nextHopMtu: 0x0304,
  },
  decode: decodeIcmp,
  encode: encodeIcmp,
  dissect: dissectIcmp,
  values: fc.record<IcmpHeader>({
    type: fc.constantFrom(0, 8, 15, 16),
    code: u8,
    checksum: u16,
    body: fc.record({ kind: fc.constant('query'), identifier: u16, sequence: u16 }),
  }),
});

describe('icmp bodies', () => {
  const cases: readonly [wire: string, value: IcmpHeader][] = [
    [
      '03 04 0001 00 00 0578',
      {
        type: 3,
        code: 4,
        checksum: 1,
        body: { kind: 'unreachable', unused: 0, quotedLength: 0, nextHopMtu: 1400 },
      },
    ],
    [
      '0b 00 0001 00 20 0000',
      {
        type: 11,
        code: 0,
        checksum: 1,
        body: { kind: 'unreachable', unused: 0, quotedLength: 32, nextHopMtu: 0 },
      },
    ],
    [
      '05 01 0001 0a0b0109',
      { type: 5, code: 1, checksum: 1, body: { kind: 'redirect', gateway: '10.11.1.9' } },
    ],
    [
      '0c 00 0001 14 00 0000',
      {
        type: 12,
        code: 0,
        checksum: 1,
        body: { kind: 'parameter', pointer: 20, quotedLength: 0, unused: 0 },
      },
    ],
    [
      '0d 00 0001 0002 0003 00000004 00000005 fffffff6',
      {
        type: 13,
        code: 0,
        checksum: 1,
        body: {
          kind: 'timestamp',
          identifier: 2,
          sequence: 3,
          originate: 4,
          receive: 5,
          transmit: 0xfffffff6,
        },
      },
    ],
    [
      '12 00 0001 0002 0003 ffffff00',
      {
        type: 18,
        code: 0,
        checksum: 1,
        body: { kind: 'mask', identifier: 2, sequence: 3, mask: '255.255.255.0' },
      },
    ],
    ['0a 00 0001 00000000', { type: 10, code: 0, checksum: 1, body: { kind: 'other', rest: 0 } }],
  ];

  it('decode and encode by type', () => {
    for (const [wire, value] of cases) {
      const bytes = fromHex(wire);
      expect(decodeIcmp(bytes)).toEqual({ ok: true, value, length: bytes.length });
      expect(toHex(encodeIcmp(value))).toBe(toHex(bytes));
    }
  });

  it('need as many bytes as their type has', () => {
    const bytes = fromHex('0d 00 0001 0002 0003 00000004 00000005 000000');
    expect(decodeIcmp(bytes)).toMatchObject({
      ok: false,
      error: { field: 'type', needed: 20, available: 19 },
    });
  });

  it('decode and encode any bytes of any type', () => {
    fc.assert(
      fc.property(u8, u32, u32, (type, first, second) => {
        const bytes = new Uint8Array(20);
        bytes[0] = type;
        new DataView(bytes.buffer).setUint32(4, first);
        new DataView(bytes.buffer).setUint32(8, second);
        const result = decodeIcmp(bytes);
        if (!result.ok) throw new Error('20 bytes are enough for every type');
        expect(toHex(encodeIcmp(result.value))).toBe(toHex(bytes, 0, result.length));
      }),
    );
  });
});
