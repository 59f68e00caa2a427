import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArpView, decodeArp, dissectArp, encodeArp } from './arp.ts';
import { fromHex } from './bytes.ts';
import { ipv4Address, mac, u16 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const wire = '0001 0800 06 04 0001 021122334455 0a0b0102 000000000000 0a0b0101';

describeProtocol({
  name: 'arp',
  wire,
  value: {
    operation: 1,
    senderMac: '02:11:22:33:44:55',
    senderAddress: '10.11.1.2',
    targetMac: '00:00:00:00:00:00',
    targetAddress: '10.11.1.1',
  },
  view: () => new ArpView(),
  reads: {
    hardwareType: 1,
    protocolType: 0x0800,
    hardwareLength: 6,
    protocolLength: 4,
    operation: 1,
    senderMacAt: 8,
    senderAddress: 0x0a0b0102,
    targetMacAt: 18,
    targetAddress: 0x0a0b0101,
  },
  decode: decodeArp,
  encode: encodeArp,
  dissect: dissectArp,
  values: fc.record({
    operation: u16,
    senderMac: mac,
    senderAddress: ipv4Address,
    targetMac: mac,
    targetAddress: ipv4Address,
  }),
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
      expect(decodeArp(bytes)).toMatchObject({ ok: false, error: { kind: 'value', field } });
    }
  });
});
