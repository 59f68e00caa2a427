/** Checksums of all kinds and tunnels of all kinds, built by hand from the RFCs: no builder or codec is asked. */
import { describe, expect, it } from 'vitest';
import { bytes, data, pseudo, u16, V4_A, V6_A, withChecksum } from '../test-support/packets.ts';
import {
  eth4,
  eth6,
  frame,
  IN_IP,
  IN_UDP,
  ip,
  ip6,
  MESSAGES,
  onPort,
  TUNNELS,
  with4,
} from '../test-support/right-packets.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from './checksums.ts';

/** `ipv4/0 good, udp/0 absent` */
function verdict(packet: Uint8Array): string {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ layer, depth, status }) =>
      found.push(`${CHECKSUM_LAYERS[layer]}/${depth} ${CHECKSUM_STATUSES[status]}`),
  });
  return found.join(', ');
}

describe('the oracle reaches the packet in', () => {
  it.each(Object.entries(TUNNELS))('%s', (_, packet) =>
    expect(verdict(packet)).toBe('ipv4/0 good, tcp/0 good'),
  );

  it.each(Object.entries(IN_IP))('%s', (_, packet) =>
    expect(verdict(packet)).toBe('ipv4/0 good, ipv4/1 good, tcp/0 good'),
  );

  it.each(Object.entries(IN_UDP))('%s', (_, packet) =>
    expect(verdict(packet)).toBe('ipv4/0 good, udp/0 good, ipv4/1 good, tcp/0 good'),
  );

  it('6in4, 4in6 and 6in6', () => {
    expect(verdict(eth4(41, ip6))).toBe('ipv4/0 good, udp/0 good');
    expect(verdict(eth6(4, ip))).toBe('ipv4/0 good, tcp/0 good');
    expect(verdict(eth6(41, ip6))).toBe('udp/0 good');
  });

  it('Teredo, with authentication and origin in front and without', () => {
    const both = bytes(0, 1, 1, 2, data(3), data(9), 0, 0, data(6));
    for (const front of [new Uint8Array(0), both])
      expect(verdict(onPort(3544, bytes(front, ip6)))).toBe('ipv4/0 good, udp/0 good, udp/1 good');
  });

  it('a PIM register, of which the header alone is covered, or all of it (RFC 7761 §4.9)', () => {
    const register = bytes(0x21, 0, 0, 0, 0, 0, 0, 0);
    const rest = 'ipv4/1 good, tcp/0 good';
    const ofHeader = bytes(withChecksum(register, 2), ip);
    expect(verdict(eth4(103, ofHeader))).toBe(`ipv4/0 good, pim/0 good, ${rest}`);
    const ofAll = withChecksum(bytes(register, ip), 2);
    expect([...ofAll.subarray(2, 4)]).not.toEqual([...ofHeader.subarray(2, 4)]);
    expect(verdict(eth4(103, ofAll))).toBe(`ipv4/0 good, pim/0 good, ${rest}`);
    const wrong = ofHeader.slice();
    wrong[3]! ^= 1;
    expect(verdict(eth4(103, wrong))).toBe(`ipv4/0 good, pim/0 bad, ${rest}`);
  });
});

describe('the oracle does not take for a tunnel', () => {
  it.each([
    ['VXLAN without its I flag', onPort(4789, bytes(0, 0, 0, 0, 0, 0, 42, 0, frame))],
    ['bytes like VXLAN’s without a packet behind', onPort(9999, bytes(8, 0, 0, 0, 0, 0, 42, 0, data(60)))],
    ['an IP packet that does not fill its datagram', onPort(9999, bytes(ip, data(1)))],
    ['a CAPWAP fragment', onPort(5247, bytes(0, 0x10, 0x42, 0x80, 0, 0, 0, 0, frame))],
    ['a GUE control message', onPort(6080, bytes(0x20, 4, 0, 0, ip))],
    ['an L2TPv3 control message', onPort(1701, bytes(0x80, 3, 0, 0, 0, 0, 0, 7, frame))],
    ['a GTP-U signal', onPort(2152, bytes(0x30, 1, u16(ip.length), 0, 0, 0, 42, ip))],
    ['a name', onPort(53, ip)],
  ])('%s', (_, packet) => expect(verdict(packet)).toBe('ipv4/0 good, udp/0 good'));

  it.each([4754, 4789, 6081, 6635, 4341])(
    'what comes from port %i, which stands for a flow there',
    (port) => {
      const packet = onPort(51_820, bytes(0x80, 0, u16(0x0800), data(60)));
      packet.set(u16(port), 34);
      packet.set([0, 0], 40);
      expect(verdict(packet)).toBe('ipv4/0 good, udp/0 absent');
    },
  );
});

describe('the oracle judges', () => {
  it.each(Object.entries(MESSAGES))('%s', (_, [packet, layer, field]) => {
    const outer = packet[12] === 0x08 ? 'ipv4/0 good, ' : '';
    expect(verdict(packet)).toBe(`${outer}${layer}/0 good`);
    const at = packet[12] === 0x08 ? 34 : 54;
    const wrong = packet.slice();
    wrong[at + field]! ^= 0x40;
    expect(verdict(wrong)).toBe(`${outer}${layer}/0 bad`);
    // Its IP packet says that there is more.
    expect(verdict(packet.subarray(0, packet.length - 1))).toBe(`${outer}${layer}/0 unverifiable`);
  });

  it('no more of UDP-Lite than it covers (RFC 3828 §3.1)', () => {
    const covered = bytes(u16(7), u16(9), u16(12), 0, 0, data(4));
    const right = withChecksum(covered, 6, pseudo(136, 17));
    expect(verdict(eth4(136, bytes(right, data(5))))).toBe('ipv4/0 good, udplite/0 good');
    expect(verdict(eth4(136, bytes(right, new Uint8Array(5))))).toBe('ipv4/0 good, udplite/0 good');
    const none = bytes(right, data(5));
    none.set([0, 0], 6);
    expect(verdict(eth4(136, none))).toBe('ipv4/0 good, udplite/0 illegal');
  });

  it('no more of DCCP’s data than it covers (RFC 4340 §9.2)', () => {
    const header = bytes(u16(7), u16(9), 4, 0x01, 0, 0, 5, 0, data(6));
    const right = withChecksum(header, 6, pseudo(33, 21));
    expect(verdict(eth4(33, bytes(right, data(5))))).toBe('ipv4/0 good, dccp/0 good');
    expect(verdict(eth4(33, bytes(right, new Uint8Array(5))))).toBe('ipv4/0 good, dccp/0 good');
  });

  it('OSPF without its authentication data, and not where that is cryptographic (RFC 2328 appendix D.4)', () => {
    const header = bytes(2, 1, u16(28), V4_A, 0, 0, 0, 0, 0, 0, 0, 1, new Uint8Array(8), data(4));
    const right = withChecksum(header, 12);
    right.set(data(8), 16);
    expect(verdict(eth4(89, right))).toBe('ipv4/0 good, ospf/0 good');
    right[12]! ^= 1;
    expect(verdict(eth4(89, right))).toBe('ipv4/0 good, ospf/0 bad');
    right[15] = 2;
    expect(verdict(eth4(89, right))).toBe('ipv4/0 good, ospf/0 absent');
  });

  it('VRRP 3 over IPv4 with a pseudo-header, too, but not VRRP 2, nor VRRP 3 over IPv6 without', () => {
    const advertisement = (version: number, addresses: readonly number[]): Uint8Array =>
      bytes((version << 4) | 1, 5, 100, 1, 0, 100, 0, 0, addresses);
    expect(verdict(with4(112, advertisement(3, V4_A), 6))).toBe('ipv4/0 good, vrrp/0 good');
    expect(verdict(with4(112, advertisement(2, V4_A), 6))).toBe('ipv4/0 good, vrrp/0 bad');
    expect(verdict(eth6(112, withChecksum(advertisement(3, V6_A), 6)))).toBe('vrrp/0 bad');
    const wrong = with4(112, advertisement(3, V4_A), 6);
    wrong[40]! ^= 1;
    expect(verdict(wrong)).toBe('ipv4/0 good, vrrp/0 bad');
  });

  it('what should stand there', () => {
    for (const [name, [packet, layer]] of Object.entries(MESSAGES)) {
      const at = (packet[12] === 0x08 ? 34 : 54) + MESSAGES[name]![2];
      const wrong = packet.slice();
      wrong[at]! ^= 0x13;
      verifyChecksums(wrong, 0, wrong.length, {
        checksum({ layer: index, expected }) {
          if (CHECKSUM_LAYERS[index] !== layer) return;
          const size = layer === 'sctp' ? 4 : 2;
          const right = packet.subarray(at, at + size).reduce((value, byte) => value * 256 + byte, 0);
          expect(expected, name).toBe(right);
        },
      });
    }
  });
});
