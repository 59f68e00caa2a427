import { describe, expect, it } from 'vitest';
import { fromHex } from './bytes.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { UDP } from './udp.ts';

const wire = '9c40 0035 0010 abcd';

describeProtocol(UDP, {
  wire,
  value: { sourcePort: 40000, destinationPort: 53, length: 16, checksum: 0xabcd },
});

describe('udp lengths', () => {
  it('rejects a length below the header, but for the 0 of a jumbogram (RFC 2675 §4)', () => {
    const bytes = fromHex(wire);
    for (const length of [1, 7]) {
      bytes[5] = length;
      expect(UDP.decode(bytes)).toMatchObject({
        ok: false,
        error: { kind: 'value', field: 'length', got: length },
      });
    }
    bytes[5] = 0;
    expect(UDP.decode(bytes)).toMatchObject({ ok: true });
  });
});
