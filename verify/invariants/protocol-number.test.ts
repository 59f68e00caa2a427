import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, ipv4, ipv6, PASSED, tcp, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { protocolNumber } from './protocol-number.ts';

const pair = new FramePair();

function verdict(before: Uint8Array, after: Uint8Array): string | undefined {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return undefined;
  return protocolNumber.judge(pair, PASSED)?.sentence;
}

const four = ipv4(6, tcp(data(40)));
const six = ipv6(17, udp(data(40), V6_A, V6_B));
const came4 = ethernet(0x0800, four);
const came6 = ethernet(0x86dd, six);
const inFour = (protocol: number, packet: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(protocol, packet));
const inSix = (next: number, packet: Uint8Array): Uint8Array => ethernet(0x86dd, ipv6(next, packet));

describe('the protocol number of a new header', () => {
  it('names the version of IP behind it', () => {
    expect(verdict(came4, inFour(4, four))).toBeUndefined();
    expect(verdict(came6, inFour(41, six))).toBeUndefined();
    expect(verdict(came4, inSix(4, four))).toBeUndefined();
    expect(verdict(came6, inSix(41, six))).toBeUndefined();
    expect(verdict(came6, inFour(4, six))).toBe(
      'the protocol number says 4 (IPv4 in IP), but the IPv6 packet follows right behind it',
    );
    expect(verdict(came4, inFour(41, four))).toContain('41 (IPv6 in IP), but the IPv4');
    expect(verdict(came6, inSix(4, six))).toContain('4 (IPv4 in IP), but the IPv6');
    expect(verdict(came4, inSix(41, four))).toContain('41 (IPv6 in IP), but the IPv4');
  });

  it('is not that of what lies inside the packet, nor 0', () => {
    expect(verdict(came4, inFour(6, four))).toContain('6 (TCP)');
    expect(verdict(came6, inFour(17, six))).toContain('17 (UDP)');
    expect(verdict(came4, inFour(0, four))).toContain('0 (IPv6 hop-by-hop options)');
  });

  it('is found where the TTL inside was lowered, too', () => {
    const routed = four.slice();
    routed[8]!--;
    expect(verdict(came4, inFour(6, routed))).toContain('6 (TCP)');
  });

  it('may be a program’s own, or of a header between', () => {
    expect(verdict(came4, inFour(99, four))).toBeUndefined();
    expect(verdict(came4, inFour(94, four))).toBeUndefined();
    expect(verdict(came4, inFour(253, four))).toBeUndefined();
    expect(verdict(came4, inFour(17, bytes(udp(four))))).toBeUndefined();
    // Another packet altogether, and one that came so.
    expect(verdict(came4, inFour(6, tcp(data(60))))).toBeUndefined();
    expect(verdict(inFour(6, four), inFour(6, bytes(four, 1)))).toBeUndefined();
  });
});
