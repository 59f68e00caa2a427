import { expect, it } from 'vitest';
import { NO_LIMITS, TEST_RUN_LIMITS, withinLimits } from './packet-limits.ts';

/** An Ethernet header with this type, and 50 bytes behind it. */
function frame(etherType: number): Uint8Array {
  const packet = new Uint8Array(64);
  packet[12] = etherType >> 8;
  packet[13] = etherType & 0xff;
  return packet;
}

it('takes a second tag at TC ingress, where the first one lies beside the bytes', () => {
  const tagged = frame(0x8100);
  const skb = { vlan: { proto: 0x88a8, tci: 1 } };
  for (const limits of [TEST_RUN_LIMITS, NO_LIMITS]) {
    expect(withinLimits(limits['tc-ingress'], { packet: tagged, skb })).toBe(true);
    expect(withinLimits(limits['tc-ingress'], { packet: tagged })).toBe(false);
    expect(withinLimits(limits['tc-ingress'], { packet: tagged, skb: { mark: 1 } })).toBe(false);
    expect(withinLimits(limits['tc-ingress'], { packet: frame(0x0800) })).toBe(true);
    expect(withinLimits(limits['tc-egress'], { packet: tagged })).toBe(true);
    expect(withinLimits(limits.xdp, { packet: tagged })).toBe(true);
  }
});
