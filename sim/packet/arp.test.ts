import { describe, expect, it } from 'vitest';
import { ARP } from './arp.ts';
import { fromHex } from './bytes.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const wire = '0001 0800 06 04 0001 021122334455 0a0b0102 000000000000 0a0b0101';

describeProtocol(ARP, {
  wire,
  value: {
    operation: 1,
    senderMac: '02:11:22:33:44:55',
    senderAddress: '10.11.1.2',
    targetMac: '00:00:00:00:00:00',
    targetAddress: '10.11.1.1',
  },
});

describe('arp for other networks', () => {
  it('names the field that is not of IPv4 over Ethernet', () => {
    for (const [at, field] of [
      [1, 'hardwareType'],
      [3, 'protocolType'],
      [4, 'hardwareLength'],
      [5, 'protocolLength'],
    ] as const) {
      const bytes = fromHex(wire);
      bytes[at] = 9;
      expect(ARP.decode(bytes)).toMatchObject({ ok: false, error: { kind: 'value', field } });
    }
  });
});
