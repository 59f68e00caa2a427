import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from './bytes.ts';
import { u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { decodeUdp, dissectUdp, encodeUdp, UdpView } from './udp.ts';

const wire = '9c40 0035 0010 abcd';

describeProtocol({
  name: 'udp',
  wire,
  value: { sourcePort: 40000, destinationPort: 53, length: 16, checksum: 0xabcd },
  view: () => new UdpView(),
  reads: { sourcePort: 40000, destinationPort: 53, length: 16, checksum: 0xabcd },
  decode: decodeUdp,
  encode: encodeUdp,
  dissect: dissectUdp,
  values: fc.record({
    sourcePort: u16,
    destinationPort: u16,
    length: fc.integer({ min: 8, max: 0xffff }),
    checksum: u16,
  }),
});

describe('udp lengths', () => {
  it('rejects a length below the header, but for the 0 of a jumbogram (RFC 2675 §4)', () => {
    const bytes = fromHex(wire);
    for (const length of [1, 7]) {
      bytes[5] = length;
      expect(decodeUdp(bytes)).toMatchObject({
        ok: false,
        error: { kind: 'value', field: 'length', got: length },
      });
    }
    bytes[5] = 0;
    expect(decodeUdp(bytes)).toMatchObject({ ok: true });
  });
});
