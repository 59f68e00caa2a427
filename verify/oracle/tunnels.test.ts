/** Checksums of all kinds and tunnels of all kinds, built by hand from the RFCs: no builder or codec is asked. */
import { describe, expect, it } from 'vitest';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  pseudo,
  tcp,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
  vlan,
  withChecksum,
} from '../test-support/packets.ts';
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

const eth4 = (protocol: number, payload: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(protocol, payload));
const eth6 = (next: number, payload: Uint8Array): Uint8Array => ethernet(0x86dd, ipv6(next, payload));
const onPort = (port: number, payload: Uint8Array): Uint8Array => eth4(17, udp(payload, V4_A, V4_B, port));
/** What every tunnel below carries: its checksums are found only where the way to it is right. */
const ip = ipv4(6, tcp(data(11)));
const frame = ethernet(0x0800, ip);
const ip6 = ipv6(17, udp(data(10), V6_A, V6_B));

const tunnels: Record<string, Uint8Array> = {
  'an 802.1Q tag': vlan(5, 0x0800, ip),
  'an 802.1ad tag': vlan(5, 0x0800, ip, 0x88a8),
  'a tag of 0x9100': vlan(5, 0x0800, ip, 0x9100),
  'a tag of 0x9200': vlan(5, 0x0800, ip, 0x9200),
  'LLC and SNAP, padded': bytes(
    ethernet(8 + ip.length, bytes(0xaa, 0xaa, 3, 0, 0, 0, u16(0x0800), ip)),
    data(7),
  ),
  'SNAP with bridged Ethernet': ethernet(8 + frame.length, bytes(0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, frame)),
  'LLC behind a tag': vlan(5, 8 + ip.length, bytes(0xaa, 0xaa, 3, 0, 0, 0, u16(0x0800), ip)),
  'two MPLS labels': ethernet(0x8847, bytes(0, 1, 0, 64, 0, 2, 1, 64, ip)),
  PPPoE: ethernet(0x8864, bytes(0x11, 0, 0, 1, u16(ip.length + 2), 0, 0x21, ip, data(4))),
  '802.1ah': ethernet(0x88e7, bytes(0, 0, 0, 42, data(12), u16(0x0800), ip)),
  NSH: ethernet(0x894f, bytes(0x0f, 0xc4, 2, 1, 0, 0, 42, 255, data(8), ip)),
  FabricPath: ethernet(0x8903, bytes(0x00, 0x60, frame)),
};

/** Behind an IPv4 header of their own. */
const inIp: Record<string, Uint8Array> = {
  'IPv4 in IPv4': eth4(4, ip),
  'GRE with a key': eth4(47, bytes(0x20, 0, u16(0x0800), 0, 0, 0, 1, ip)),
  NVGRE: eth4(47, bytes(0x20, 0, u16(0x6558), 0, 0x12, 0x34, 1, frame)),
  'ERSPAN I': eth4(47, bytes(0, 0, u16(0x88be), frame)),
  'ERSPAN II': eth4(47, bytes(0x10, 0, u16(0x88be), 0, 0, 0, 1, 0x10, 5, 8, 1, 0, 0, 0, 3, frame)),
  'ERSPAN III': eth4(
    47,
    bytes(0x10, 0, u16(0x22eb), 0, 0, 0, 1, 0x20, 5, 0, 1, data(4), 0, 0, 0x80, 0, frame),
  ),
  'ERSPAN III with a subheader': eth4(
    47,
    bytes(0x10, 0, u16(0x22eb), 0, 0, 0, 1, 0x20, 5, 0, 1, data(4), 0, 0, 0x80, 1, data(8), frame),
  ),
  EtherIP: eth4(97, bytes(0x30, 0, frame)),
  'MPLS in IP': eth4(137, bytes(0, 1, 1, 64, ip)),
  'L2TPv3 without a cookie': eth4(115, bytes(0, 0, 0, 7, frame)),
  'L2TPv3 with a cookie of 8 bytes and a sublayer': eth4(115, bytes(0, 0, 0, 7, data(12), frame)),
};

const inUdp: Record<string, Uint8Array> = {
  VXLAN: onPort(4789, bytes(8, 0, 0, 0, 0, 0, 42, 0, frame)),
  'VXLAN on Linux’s old port': onPort(8472, bytes(8, 0, 0, 0, 0, 0, 42, 0, frame)),
  'VXLAN on a port that says nothing': onPort(9999, bytes(8, 0, 0, 0, 0, 0, 42, 0, frame)),
  'VXLAN-GPE with IPv4': onPort(4790, bytes(0x0c, 0, 0, 1, 0, 0, 42, 0, ip)),
  'VXLAN-GPE with NSH': onPort(
    4790,
    bytes(0x0c, 0, 0, 4, 0, 0, 42, 0, 0x0f, 0xc2, 2, 3, 0, 0, 1, 255, frame),
  ),
  'VXLAN-GPE on a port that says nothing': onPort(9999, bytes(0x0c, 0, 0, 3, 0, 0, 42, 0, frame)),
  'Geneve with options': onPort(6081, bytes(2, 0, u16(0x6558), 0, 0, 42, 0, data(8), frame)),
  'GTP-U': onPort(2152, bytes(0x30, 0xff, u16(ip.length), 0, 0, 0, 42, ip)),
  'GTP-U with a PDU session container': onPort(
    2152,
    bytes(0x34, 0xff, u16(ip.length + 8), 0, 0, 0, 42, 0, 0, 0, 0x85, 1, 0x10, 9, 0, ip),
  ),
  'MPLS in UDP': onPort(6635, bytes(0, 1, 1, 64, ip)),
  'CAPWAP with a radio address': onPort(
    5247,
    bytes(0, 0x20, 0x42, 0x10, 0, 0, 0, 0, 6, 2, 0, 0, 0, 0, 1, 0, frame),
  ),
  'GUE with GRE': onPort(6080, bytes(0x01, 47, 0, 0, data(4), 0, 0, u16(0x0800), ip)),
  'GUE, version 1: IP itself': onPort(6080, ip),
  'FOU: IP right behind UDP': onPort(5555, ip),
  'L2TPv3 over UDP with a cookie of 4 bytes': onPort(1701, bytes(0, 3, 0, 0, 0, 0, 0, 7, data(4), frame)),
};

describe('the oracle reaches the packet in', () => {
  it.each(Object.entries(tunnels))('%s', (_, packet) =>
    expect(verdict(packet)).toBe('ipv4/0 good, tcp/0 good'),
  );

  it.each(Object.entries(inIp))('%s', (_, packet) =>
    expect(verdict(packet)).toBe('ipv4/0 good, ipv4/1 good, tcp/0 good'),
  );

  it.each(Object.entries(inUdp))('%s', (_, packet) =>
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
});

const with4 = (protocol: number, message: Uint8Array, field: number): Uint8Array =>
  eth4(protocol, withChecksum(message, field, pseudo(protocol, message.length)));
const with6 = (protocol: number, message: Uint8Array, field: number): Uint8Array =>
  eth6(protocol, withChecksum(message, field, pseudo(protocol, message.length, V6_A, V6_B)));

/** Each message right; the place of its checksum, from the message's start. */
const messages: Record<string, [packet: Uint8Array, layer: string, field: number]> = {
  'UDP-Lite over all of it': [with4(136, bytes(u16(7), u16(9), 0, 0, 0, 0, data(9)), 6), 'udplite', 6],
  'DCCP over all of it': [with4(33, bytes(u16(7), u16(9), 4, 0, 0, 0, 5, 0, data(6), data(5)), 6), 'dccp', 6],
  'DCCP over IPv6': [with6(33, bytes(u16(7), u16(9), 4, 0, 0, 0, 5, 0, data(6), data(5)), 6), 'dccp', 6],
  // The CRC was computed bit by bit, with RFC 9260's polynomial.
  SCTP: [eth4(132, bytes(0x9c, 0x40, 0, 9, 0, 0, 0, 1, 0x7c, 0xbc, 0x1c, 0x29, 11, 0, 0, 4)), 'sctp', 8],
  IGMP: [eth4(2, withChecksum(bytes(0x16, 0, 0, 0, 224, 0, 0, 9), 2)), 'igmp', 2],
  PIM: [eth4(103, withChecksum(bytes(0x20, 0, 0, 0, data(6)), 2)), 'pim', 2],
  'PIM over IPv6, with a pseudo-header': [with6(103, bytes(0x20, 0, 0, 0, data(6)), 2), 'pim', 2],
  'VRRP 2, without a pseudo-header': [
    eth4(112, withChecksum(bytes(0x21, 5, 100, 1, 0, 1, 0, 0, V4_A, data(8)), 6)),
    'vrrp',
    6,
  ],
  'VRRP 3, with one': [with4(112, bytes(0x31, 5, 100, 1, 0, 100, 0, 0, V4_A), 6), 'vrrp', 6],
  'VRRP 3 over IPv6': [with6(112, bytes(0x31, 5, 100, 1, 0, 100, 0, 0, V6_A), 6), 'vrrp', 6],
  'OSPF 3': [with6(89, bytes(3, 1, u16(20), data(8), 0, 0, 0, 0, data(4)), 12), 'ospf3', 12],
  'GRE with a checksum': [
    eth4(47, withChecksum(bytes(0x80, 0, u16(0x88b5), 0, 0, 0, 0, data(9)), 4)),
    'gre',
    4,
  ],
};

describe('the oracle judges', () => {
  it.each(Object.entries(messages))('%s', (_, [packet, layer, field]) => {
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

  it('what should stand there', () => {
    for (const [name, [packet, layer]] of Object.entries(messages)) {
      const at = (packet[12] === 0x08 ? 34 : 54) + messages[name]![2];
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
