import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { ICMP } from './icmp.ts';
import { u8, u32 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

describeProtocol(
  ICMP,
  {
    wire: '08 00 f7fa 0102 0304',
    value: {
      type: 8,
      code: 0,
      checksum: 0xf7fa,
      body: { kind: 'query', identifier: 0x0102, sequence: 0x0304 },
    },
  },
  {
    wire: '03 04 0001 00 00 0578',
    value: {
      type: 3,
      code: 4,
      checksum: 1,
      body: { kind: 'unreachable', unused: 0, quotedLength: 0, nextHopMtu: 1400 },
    },
  },
  {
    wire: '0b 00 0001 00 20 0000',
    value: {
      type: 11,
      code: 0,
      checksum: 1,
      body: { kind: 'unreachable', unused: 0, quotedLength: 32, nextHopMtu: 0 },
    },
  },
  {
    wire: '05 01 0001 0a0b0109',
    value: { type: 5, code: 1, checksum: 1, body: { kind: 'redirect', gateway: '10.11.1.9' } },
  },
  {
    wire: '0c 00 0001 14 00 0000',
    value: {
      type: 12,
      code: 0,
      checksum: 1,
      body: { kind: 'parameter', pointer: 20, quotedLength: 0, unused2: 0 },
    },
  },
  {
    wire: '0d 00 0001 0002 0003 00000004 00000005 fffffff6',
    value: {
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
  },
  {
    wire: '12 00 0001 0002 0003 ffffff00',
    value: {
      type: 18,
      code: 0,
      checksum: 1,
      body: { kind: 'mask', identifier: 2, sequence: 3, mask: '255.255.255.0' },
    },
  },
  {
    wire: '0a 00 0001 00000000',
    value: { type: 10, code: 0, checksum: 1, body: { kind: 'other', rest: 0 } },
  },
);

describe('icmp bodies', () => {
  it('need as many bytes as their type has', () => {
    const bytes = fromHex('0d 00 0001 0002 0003 00000004 00000005 000000');
    expect(ICMP.decode(bytes)).toMatchObject({
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
        const result = ICMP.decode(bytes);
        if (!result.ok) throw new Error('20 bytes are enough for every type');
        expect(toHex(ICMP.encode(result.value))).toBe(toHex(bytes, 0, result.length));
      }),
    );
  });
});
