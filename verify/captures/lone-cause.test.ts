/** What a wrong checksum may come from, where nobody saw the packet before. */
import { describe, expect, it } from 'vitest';
import { data, ethernet, icmp, ipv4, ipv6, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { loneCause } from './lone-cause.ts';

const IP = 14;
const HEADER = { layer: 'ipv4', at: IP + 10 };
const ICMP = { layer: 'icmp', at: IP + 22 };

const packet = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(16))));

/** The cause that is named where one checksum is `by` more, in ones' complement. */
function causeOf({ layer, at }: typeof HEADER, by: number): ReturnType<typeof loneCause> {
  const copy = packet.slice();
  const sum = ((copy[at]! << 8) | copy[at + 1]!) + by;
  const folded = (sum & 0xffff) + (sum >> 16);
  copy[at] = folded >> 8;
  copy[at + 1] = folded;
  return loneCause(copy, layer, 0);
}

describe('a wrong checksum', () => {
  it('is one that nobody filled in where it is 0', () => {
    const copy = packet.slice();
    copy.fill(0, ICMP.at, ICMP.at + 2);
    expect(loneCause(copy, 'icmp', 0)?.id).toBe('not filled in');
    const none = udp(data(8), V6_A, V6_B);
    none.fill(0, 6, 8);
    expect(loneCause(ethernet(0x86dd, ipv6(17, none)), 'udp', 0)?.id).toBe('udp none over ipv6');
    const lite = loneCause(ethernet(0x0800, ipv4(136, none)), 'udplite', 0);
    expect(lite).toEqual({ id: 'udplite none', sentence: 'UDP-Lite must have a checksum (RFC 3828 §3.1)' });
  });

  it('is damage where one bit is as good as a wrong length in the pseudo-header, which is named otherwise', () => {
    const datagram = ethernet(0x0800, ipv4(17, udp(data(8))));
    const at = IP + 26;
    const by = (difference: number): string | undefined => {
      const copy = datagram.slice();
      const sum = ((copy[at]! << 8) | copy[at + 1]!) + difference;
      const folded = (sum & 0xffff) + (sum >> 16);
      copy.set([folded >> 8, folded], at);
      return loneCause(copy, 'udp', 0)?.id;
    };
    // 8 for 16 is one bit, 28 for 16 is none.
    expect(by(8)).toBe('one bit');
    expect(by(0xffff - 12)).toBe('pseudo-header length');
  });

  it.each([1, 2, 3])('is one of a TTL that was lowered by %i without it', (hops) => {
    // The header's sum has lost as much as the checksum should have gained (RFC 1141).
    expect(causeOf(HEADER, 0xffff - hops * 0x100)).toEqual({
      id: 'ttl not updated',
      sentence: `it is right for a TTL of ${64 + hops}: the TTL was lowered without updating the checksum`,
    });
  });

  it('has nothing to do with a TTL where four hops would explain it, or in another layer', () => {
    expect(causeOf(HEADER, 0xffff - 4 * 0x100)?.id).toBe('one bit');
    expect(causeOf(ICMP, 0xffff - 0x100)?.id).toBe('one bit');
  });

  it('has lost a carry where it is off by one, either way', () => {
    expect(causeOf(HEADER, 1)?.id).toBe('carry lost');
    expect(causeOf(ICMP, 0xfffe)?.id).toBe('carry lost');
  });

  it('differs by one bit, whichever it is', () => {
    expect(causeOf(ICMP, 0x0010)?.sentence).toContain('one bit (0x0010)');
    expect(causeOf(ICMP, 0xffff - 0x4000)?.sentence).toContain('one bit (0x4000)');
  });

  it('is a sum of the first bytes only where nothing simpler explains it', () => {
    /** An echo whose checksum leaves out what lies behind four bytes of data. */
    const without = (low: number, high: number): ReturnType<typeof loneCause> => {
      const whole = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], Uint8Array.of(1, 2, 3, 4))));
      const copy = ethernet(
        0x0800,
        ipv4(1, icmp(8, 0, [0, 1, 0, 1], Uint8Array.of(1, 2, 3, 4, high, low, 0, 0))),
      );
      copy.set(whole.subarray(ICMP.at, ICMP.at + 2), ICMP.at);
      return loneCause(copy, 'icmp', 0);
    };
    expect(without(0x10, 0)?.id).toBe('one bit');
    expect(without(0x34, 0x12)?.sentence).toBe('only the first 12 bytes were counted');
  });

  it('has no cause that anybody knows where it differs by more', () => {
    expect(causeOf(ICMP, 0x1235)).toBeUndefined();
    expect(loneCause(packet, 'tcp', 0)).toBeUndefined();
  });
});
