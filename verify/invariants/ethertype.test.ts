import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { ethertype } from './ethertype.ts';

const pair = new FramePair();

function verdict(before: Uint8Array, after: Uint8Array): string | undefined {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return undefined;
  return ethertype.judge(pair, PASSED)?.sentence;
}

const four = ipv4(6, tcp(data(40)));
const six = ipv6(17, udp(data(40), V6_A, V6_B));
const tagged = (type: number, packet: Uint8Array): Uint8Array =>
  ethernet(0x8100, bytes(0, 5, u16(type), packet));

describe('the EtherType', () => {
  it('is not that of a tag that is gone', () => {
    expect(verdict(tagged(0x0800, four), ethernet(0x8100, four))).toBe(
      'the EtherType says 0x8100 (a VLAN tag), but the IPv4 packet follows right behind it',
    );
    expect(verdict(tagged(0x86dd, six), ethernet(0x8100, six))).toContain('the IPv6 packet follows');
    // One tag of two.
    const two = ethernet(0x88a8, bytes(0, 1, u16(0x8100), 0, 5, u16(0x0800), four));
    expect(verdict(two, ethernet(0x88a8, bytes(0, 1, u16(0x8100), four)))).toContain('0x8100');
    expect(verdict(two, tagged(0x0800, four))).toBeUndefined();
    expect(verdict(tagged(0x0800, four), ethernet(0x0800, four))).toBeUndefined();
  });

  it('is not changed to what does not follow', () => {
    expect(verdict(ethernet(0x0800, four), ethernet(0x8847, four))).toContain('0x8847 (MPLS)');
    expect(verdict(ethernet(0x0800, four), ethernet(0x8864, four))).toContain('PPPoE');
  });

  it('is found by packets whose TTL changed on the way', () => {
    const routed = four.slice();
    routed[8]!--;
    expect(verdict(tagged(0x0800, four), ethernet(0x8100, routed))).toContain('a VLAN tag');
  });

  it('may be of a header that is new, or of what only the program knows', () => {
    const plain = ethernet(0x0800, four);
    expect(verdict(plain, tagged(0x0800, four))).toBeUndefined();
    expect(verdict(plain, ethernet(0x8847, bytes(0, 6, 0x41, 64, four)))).toBeUndefined();
    expect(verdict(plain, ethernet(0x88b5, four))).toBeUndefined();
    // Another packet altogether.
    expect(verdict(plain, ethernet(0x0806, data(28)))).toBeUndefined();
  });
});
