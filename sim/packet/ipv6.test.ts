import { describe, expect, it } from 'vitest';
import { fromHex } from './bytes.ts';
import { IPV6, isIpv6 } from './ipv6.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const wire = '6ab12345 0010 3a 40 fc00deadcafe00010000000000000002 fc00deadcafe00010000000000000001';

describeProtocol(IPV6, {
  wire,
  value: {
    trafficClass: 0xab,
    flowLabel: 0x12345,
    payloadLength: 16,
    nextHeader: 58,
    hopLimit: 64,
    source: 'fc00:dead:cafe:1::2',
    destination: 'fc00:dead:cafe:1::1',
  },
});

describe('ipv6 gate', () => {
  it('wants 40 bytes and version 6', () => {
    const bytes = fromHex(wire);
    expect(isIpv6(bytes, 0, 40)).toBe(true);
    expect(isIpv6(bytes, 0, 39)).toBe(false);
    bytes[0] = 0x45;
    expect(isIpv6(bytes, 0, 40)).toBe(false);
    expect(IPV6.decode(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'version', got: 4 },
    });
  });
});
