/**
 * Packets in which every checksum is right, and whatever leads to them: built by hand from the RFCs, no builder or codec is
 * asked.
 */
import {
  bytes,
  data,
  ethernet,
  type Ipv4Parts,
  icmp,
  icmpv6,
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
} from './packets.ts';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const eth4 = (protocol: number, payload: Uint8Array, parts: Ipv4Parts = {}): Uint8Array =>
  ethernet(ETHERTYPE_IPV4, ipv4(protocol, payload, parts));
export const eth6 = (next: number, payload: Uint8Array): Uint8Array =>
  ethernet(ETHERTYPE_IPV6, ipv6(next, payload));

export const inner4: Uint8Array = eth4(6, tcp(data(11)));
export const inner6: Uint8Array = eth6(17, udp(data(10), V6_A, V6_B));
export const vxlan = (inner: Uint8Array): Uint8Array => bytes(8, 0, 0, 0, 0, 0, 42, 0, inner);
export const geneve = (options: number, type: number, inner: Uint8Array): Uint8Array =>
  bytes(options, 0, u16(type), 0, 0, 42, 0, data(options * 4), inner);

/** Of an ICMP message: a label of MPLS (RFC 4950 §3). */
export const extension: Uint8Array = withChecksum(bytes(0x20, 0, 0, 0, 0, 8, 1, 1, 0, 6, 0x41, 1), 2);

/** Packets in which every checksum is right. */
export const GOOD: Record<string, [packet: Uint8Array, verdict: string]> = {
  'an ICMP echo': [eth4(1, icmp(8, 0, [0, 1, 0, 1], data(56))), 'ipv4/0 good, icmp/0 good'],
  'an ICMP echo of odd length': [eth4(1, icmp(8, 0, [0, 1, 0, 1], data(55))), 'ipv4/0 good, icmp/0 good'],
  TCP: [eth4(6, tcp(data(33))), 'ipv4/0 good, tcp/0 good'],
  UDP: [eth4(17, udp(data(7))), 'ipv4/0 good, udp/0 good'],
  'IPv4 options': [eth4(17, udp(data(8)), { options: [7, 7, 4, 0, 0, 0, 0, 0] }), 'ipv4/0 good, udp/0 good'],
  'an unfinished source route, whose last address is in the pseudo-header': [
    eth4(17, udp(data(8), V4_A, [10, 9, 9, 9]), { options: [131, 7, 4, 10, 9, 9, 9, 0] }),
    'ipv4/0 good, udp/0 good',
  ],
  'Ethernet padding': [bytes(eth4(17, udp(data(2))), data(16)), 'ipv4/0 good, udp/0 good'],
  'bytes behind the UDP length': [
    ethernet(ETHERTYPE_IPV4, ipv4(17, bytes(udp(data(6)), data(5)))),
    'ipv4/0 good, udp/0 good',
  ],
  'one VLAN tag': [vlan(5, ETHERTYPE_IPV4, ipv4(6, tcp(data(3)))), 'ipv4/0 good, tcp/0 good'],
  'two VLAN tags': [
    vlan(5, 0x8100, bytes(u16(6), u16(ETHERTYPE_IPV6), ipv6(6, tcp(data(3), V6_A, V6_B))), 0x88a8),
    'tcp/0 good',
  ],
  ICMPv6: [eth6(58, icmpv6(128, [0, 1, 0, 1], data(57))), 'icmpv6/0 good'],
  'UDP over IPv6': [eth6(17, udp(data(9), V6_A, V6_B)), 'udp/0 good'],
  'hop-by-hop and destination options': [
    eth6(0, bytes(60, 0, [5, 2, 0, 0, 1, 0], 17, 1, [1, 12], new Uint8Array(12), udp(data(4), V6_A, V6_B))),
    'udp/0 good',
  ],
  'a routing header with segments left: the last address is the destination': [
    eth6(43, bytes(17, 4, 0, 2, 0, 0, 0, 0, data(16), V6_A, udp(data(4), V6_A, V6_A))),
    'udp/0 good',
  ],
  'a used-up routing header: the destination stays': [
    eth6(43, bytes(17, 2, 0, 0, 0, 0, 0, 0, data(16), udp(data(4), V6_A, V6_B))),
    'udp/0 good',
  ],
  'a segment routing header: the first address of the list is the last segment': [
    eth6(43, bytes(17, 4, 4, 1, 1, 0, 0, 0, V6_A, V6_B, udp(data(4), V6_A, V6_A))),
    'udp/0 good',
  ],
  'a home address option: it is the source': [
    eth6(60, bytes(17, 2, [1, 2, 0, 0], 0xc9, 16, V6_B, udp(data(4), V6_B, V6_B))),
    'udp/0 good',
  ],
  'an atomic fragment': [eth6(44, bytes(6, 0, 0, 0, 0, 0, 0, 9, tcp(data(8), V6_A, V6_B))), 'tcp/0 good'],
  'an authentication header over IPv4': [
    eth4(51, bytes(6, 1, 0, 0, data(8), tcp(data(3)))),
    'ipv4/0 good, tcp/0 good',
  ],
  'IP in IP': [eth4(4, ipv4(17, udp(data(5)))), 'ipv4/0 good, ipv4/1 good, udp/0 good'],
  '6in4': [eth4(41, ipv6(58, icmpv6(135, [0, 0, 0, 0], data(16)))), 'ipv4/0 good, icmpv6/0 good'],
  '4in6': [eth6(4, ipv4(6, tcp(data(5)))), 'ipv4/0 good, tcp/0 good'],
  GRE: [eth4(47, bytes(0, 0, u16(0x0800), ipv4(6, tcp(data(5))))), 'ipv4/0 good, ipv4/1 good, tcp/0 good'],
  'GRE with checksum, key and sequence number': [
    eth4(47, withChecksum(bytes(0xb0, 0, u16(0x6558), 0, 0, data(10), inner6), 4)),
    'ipv4/0 good, gre/0 good, udp/0 good',
  ],
  VXLAN: [eth4(17, udp(vxlan(inner4), V4_A, V4_B, 4789)), 'ipv4/0 good, udp/0 good, ipv4/1 good, tcp/0 good'],
  'Geneve with options': [
    eth4(17, udp(geneve(3, 0x6558, inner6), V4_A, V4_B, 6081)),
    'ipv4/0 good, udp/0 good, udp/1 good',
  ],
  'an ICMP error that quotes a whole datagram': [
    eth4(1, icmp(3, 1, [0, 0, 0, 0], ipv4(17, udp(data(8))))),
    'ipv4/0 good, icmp/0 good, ipv4/1 good, udp/0 good',
  ],
  'an ICMPv6 error': [
    eth6(58, icmpv6(1, [0, 0, 0, 0], ipv6(17, udp(data(8), V6_A, V6_B)))),
    'icmpv6/0 good, udp/0 good',
  ],
  'an ICMP error with extensions behind a part of a datagram': [
    eth4(1, icmp(11, 0, [0, 33, 0, 0], bytes(ipv4(17, udp(data(300))).subarray(0, 132), extension))),
    'ipv4/0 good, icmp/0 good, ipv4/1 good, udp/0 unverifiable, icmpext/0 good',
  ],
  'an ICMPv6 error with extensions behind zeros': [
    eth6(
      58,
      icmpv6(3, [16, 0, 0, 0], bytes(ipv6(17, udp(data(8), V6_A, V6_B)), new Uint8Array(72), extension)),
    ),
    'icmpv6/0 good, udp/0 good, icmpext/0 good',
  ],
  'an extended echo request': [
    eth4(1, icmp(42, 0, [0, 1, 1, 1], withChecksum(bytes(0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, 1), 2))),
    'ipv4/0 good, icmp/0 good, icmpext/0 good',
  ],
};

export const onPort = (port: number, payload: Uint8Array): Uint8Array =>
  eth4(17, udp(payload, V4_A, V4_B, port));
/** What every tunnel below carries: its checksums are found only where the way to it is right. */
export const ip: Uint8Array = ipv4(6, tcp(data(11)));
export const frame: Uint8Array = ethernet(0x0800, ip);
export const ip6: Uint8Array = ipv6(17, udp(data(10), V6_A, V6_B));

export const TUNNELS: Record<string, Uint8Array> = {
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
  HSR: ethernet(0x892f, bytes(0x10, 6 + ip.length, u16(7), u16(0x0800), ip)),
  'a redundancy tag': ethernet(0xf1c1, bytes(u16(0), u16(7), u16(0x0800), ip)),
  'a redundancy tag in front of a VLAN': ethernet(
    0xf1c1,
    bytes(u16(0), u16(7), u16(0x8100), u16(5), u16(0x0800), ip),
  ),
  'a redundancy tag in front of LLC': ethernet(
    0xf1c1,
    bytes(u16(0), u16(7), u16(3 + ip.length), 6, 6, 3, ip),
  ),
};

/** Behind an IPv4 header of their own. */
export const IN_IP: Record<string, Uint8Array> = {
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

export const IN_UDP: Record<string, Uint8Array> = {
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
  'LISP with IPv4': onPort(4341, bytes(0x80, 1, 2, 3, 0, 0, 0, 0, ip)),
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

export const with4 = (protocol: number, message: Uint8Array, field: number): Uint8Array =>
  eth4(protocol, withChecksum(message, field, pseudo(protocol, message.length)));
export const with6 = (protocol: number, message: Uint8Array, field: number): Uint8Array =>
  eth6(protocol, withChecksum(message, field, pseudo(protocol, message.length, V6_A, V6_B)));

/** Each message right; the place of its checksum, from the message's start. */
export const MESSAGES: Record<string, [packet: Uint8Array, layer: string, field: number]> = {
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
  'VRRP 3, without one': [eth4(112, withChecksum(bytes(0x31, 5, 100, 1, 0, 100, 0, 0, V4_A), 6)), 'vrrp', 6],
  'VRRP 3 over IPv6': [with6(112, bytes(0x31, 5, 100, 1, 0, 100, 0, 0, V6_A), 6), 'vrrp', 6],
  'OSPF 3': [with6(89, bytes(3, 1, u16(20), data(8), 0, 0, 0, 0, data(4)), 12), 'ospf3', 12],
  'GRE with a checksum': [
    eth4(47, withChecksum(bytes(0x80, 0, u16(0x88b5), 0, 0, 0, 0, data(9)), 4)),
    'gre',
    4,
  ],
};

const tagged = (payload: Uint8Array): Uint8Array => ethernet(0x894f, payload);
const NSH_OF = (protocol: number, inside: Uint8Array): Uint8Array =>
  tagged(bytes(0x0f, 0xc2, 2, protocol, 0, 0, 42, 255, inside));
const labels = (...inside: (number | Uint8Array)[]): Uint8Array =>
  ethernet(0x8847, bytes(0, 1, 1, 64, ...inside));
const arp: Uint8Array = ethernet(0x0806, bytes(u16(1), u16(0x0800), 6, 4, u16(1), data(20)));
const none = (datagram: Uint8Array): Uint8Array => {
  const copy = datagram.slice();
  copy.set([0, 0], 6);
  return copy;
};

/** What the others do not lead to: rarer forms, and what looks like a tunnel and is none. */
export const UNUSUAL: Record<string, Uint8Array> = {
  ARP: arp,
  'NSH with IPv4': NSH_OF(1, ip),
  'NSH with IPv6': NSH_OF(2, ip6),
  'NSH with Ethernet': NSH_OF(3, frame),
  'NSH with NSH': NSH_OF(4, bytes(0x0f, 0xc2, 2, 1, 0, 0, 42, 255, ip)),
  'NSH with MPLS': NSH_OF(5, bytes(0, 1, 1, 64, ip)),
  'MPLS with IPv6': labels(ip6),
  'MPLS with a pseudowire': labels(frame),
  'MPLS with a pseudowire and a control word': labels(0, 0, 0, 0, frame),
  'MPLS with a pseudowire of ARP': labels(0, 0, 0, 0, arp),
  'MPLS with a frame whose address begins like IPv4': labels(bytes(0x42, frame.subarray(1))),
  'MPLS with a frame whose address begins like IPv6': labels(
    bytes(0x62, 0, 0, 0, 0xff, 0xff, eth6(17, udp(data(4), V6_A, V6_B)).subarray(6)),
  ),
  'MPLS with a tagged pseudowire': labels(vlan(5, 0x0800, ip)),
  'MPLS for several': ethernet(0x8848, bytes(0, 1, 1, 64, ip)),
  'PPPoE with IPv6': ethernet(0x8864, bytes(0x11, 0, 0, 1, u16(ip6.length + 2), 0, 0x57, ip6)),
  'PPPoE with MPLS': ethernet(0x8864, bytes(0x11, 0, 0, 1, u16(ip.length + 6), 2, 0x81, 0, 1, 1, 64, ip)),
  'PPPoE with MPLS for several': ethernet(
    0x8864,
    bytes(0x11, 0, 0, 1, u16(ip.length + 6), 2, 0x83, 0, 1, 1, 64, ip),
  ),
  'PPPoE discovery': ethernet(0x8863, bytes(0x11, 9, 0, 0, u16(4), 1, 1, 0, 0)),
  'LLC with IPv4': ethernet(3 + ip.length, bytes(6, 6, 3, ip)),
  'LLC in a numbered frame': ethernet(4 + ip.length, bytes(6, 6, 0, 0, ip)),
  'LLC with SNAP of bridges': ethernet(8 + ip.length, bytes(0xaa, 0xaa, 3, 0, 0, 0xf8, u16(0x0800), ip)),
  'SNAP with a frame and no check sequence': ethernet(
    8 + frame.length,
    bytes(0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 1, frame),
  ),
  'LLC with spanning tree': ethernet(38, bytes(0x42, 0x42, 3, data(35))),
  'IPv4 behind three tags': vlan(1, 0x88a8, bytes(u16(2), u16(0x8100), u16(3), u16(0x0800), ip), 0x88a8),
  '802.1ah with LLC': ethernet(0x88e7, bytes(0, 0, 0, 42, data(12), u16(3 + ip.length), 6, 6, 3, ip)),
  'ERSPAN III with IP': eth4(
    47,
    bytes(0x10, 0, u16(0x22eb), 0, 0, 0, 1, 0x20, 5, 0, 1, data(4), 0, 0, 8, 0, ip),
  ),
  'GRE with source routes': eth4(47, bytes(0x40, 0, u16(0x0800), 0, 0, 0, 0, ip)),
  'GRE of PPTP': eth4(47, bytes(0x30, 1, u16(0x880b), 0, 0, 0, 0, 0, 0, 0, 1, ip)),
  'GRE with a wrong checksum of nothing': eth4(47, bytes(0x80, 0, u16(0x0800), 0, 0, 0, 0, ip)),
  'an L2TPv3 control message over IP': eth4(115, bytes(0, 0, 0, 0, frame)),
  'VXLAN-GPE with IPv6 on a port that says nothing': onPort(9999, bytes(0x0c, 0, 0, 2, 0, 0, 42, 0, ip6)),
  'VXLAN-GPE with IPv4 on a port that says nothing': onPort(9999, bytes(0x0c, 0, 0, 1, 0, 0, 42, 0, ip)),
  'VXLAN-GPE without its P flag': onPort(4790, bytes(8, 0, 0, 0, 0, 0, 42, 0, frame)),
  'VXLAN-GPE of management': onPort(4790, bytes(0x0d, 0, 0, 3, 0, 0, 42, 0, frame)),
  'Geneve with IPv4': onPort(6081, geneve(1, 0x0800, ip)),
  'GTP-U with a sequence number': onPort(
    2152,
    bytes(0x32, 0xff, u16(ip.length + 4), 0, 0, 0, 42, 0, 1, 0, 0, ip),
  ),
  'GTP-U with two extensions': onPort(
    2152,
    bytes(
      0x34,
      0xff,
      u16(ip6.length + 16),
      0,
      0,
      0,
      42,
      0,
      0,
      0,
      0x85,
      1,
      0x10,
      9,
      0x85,
      2,
      1,
      2,
      3,
      4,
      5,
      6,
      0,
      ip6,
    ),
  ),
  'LISP with IPv6 and an instance': onPort(4341, bytes(0x48, 0, 0, 0, 0, 0, 42, 1, ip6)),
  'GRE in UDP': onPort(4754, bytes(0, 0, u16(0x0800), ip)),
  Teredo: onPort(3544, ip6),
  'Teredo with authentication and origin': onPort(
    3544,
    bytes(0, 1, 1, 2, data(3), data(9), 0, 0, data(6), ip6),
  ),
  'Teredo from its port': eth4(17, from(3544, ip6)),
  'CAPWAP with 802.11': onPort(
    5247,
    bytes(0, 0x10, 0x43, 0, 0, 0, 0, 0, 8, 1, data(20), 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, ip),
  ),
  'CAPWAP with swapped 802.11': onPort(
    5247,
    bytes(0, 0x10, 0x43, 0, 0, 0, 0, 0, 1, 8, data(20), 0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0, ip),
  ),
  'a CAPWAP fragment': onPort(5247, bytes(0, 0x10, 0x42, 0x80, 0, 0, 0, 0, frame)),
  'GUE with IPv4': onPort(6080, bytes(0, 4, 0, 0, ip)),
  'GUE with EtherIP': onPort(6080, bytes(0, 97, 0, 0, 0x30, 0, frame)),
  'GUE with MPLS': onPort(6080, bytes(0, 137, 0, 0, 0, 1, 1, 64, ip)),
  'GUE with TCP, whose addresses are outside': onPort(6080, bytes(0, 6, 0, 0, tcp(data(4)))),
  'GUE, version 1, with IPv6': onPort(6080, ip6),
  'IPv6 right behind UDP': onPort(5555, ip6),
  L2TPv2: onPort(1701, bytes(0, 2, 0, 7, 0, 9, 0xff, 3, 0, 0x21, ip)),
  'L2TPv2 with everything': onPort(
    1701,
    bytes(0x4a, 2, u16(ip6.length + 20), 0, 7, 0, 9, 0, 1, 0, 2, 0, 3, data(3), 0xff, 3, 0x57, ip6),
  ),
  'L2TPv2 with short PPP': onPort(1701, bytes(0, 2, 0, 7, 0, 9, 0x21, ip)),
  'an L2TPv2 control message': onPort(1701, bytes(0xc8, 2, 0, 12, 0, 7, 0, 0, 0, 1, 0, 1)),
  'an L2TPv3 control message over UDP': onPort(1701, bytes(0x80, 3, 0, 0, 0, 0, 0, 7, frame)),
  'a name that looks like a packet': onPort(53, ip),
  'UDP without a checksum': eth4(17, none(udp(data(8)))),
  'UDP over IPv6 without a checksum': eth6(17, none(udp(data(9), V6_A, V6_B))),
  'VXLAN over IPv6 without a checksum': eth6(17, none(udp(vxlan(inner4), V6_A, V6_B, 4789))),
  'GRE in UDP over IPv6 without a checksum': eth6(
    17,
    none(udp(bytes(0, 0, u16(0x0800), ip), V6_A, V6_B, 4754)),
  ),
  'MPLS in UDP over IPv6 without a checksum': eth6(17, none(udp(bytes(0, 1, 1, 64, ip), V6_A, V6_B, 6635))),
  'a first fragment of UDP': eth4(17, bytes(udp(data(24)).subarray(0, 24)), { fragment: 0x2000 }),
  'a first fragment of UDP without a checksum': eth4(17, none(udp(data(24))), { fragment: 0x2000 }),
  'a later fragment of UDP': eth4(17, data(24), { fragment: 0x2003 }),
  'a later fragment of TCP': eth4(6, data(24), { fragment: 3 }),
  'a later fragment of ICMP': eth4(1, data(24), { fragment: 3 }),
  'a later fragment of UDP-Lite': eth4(136, data(24), { fragment: 3 }),
  'a later fragment of SCTP': eth4(132, data(24), { fragment: 3 }),
  'a first fragment over IPv6': eth6(44, bytes(17, 0, 0, 1, 0, 0, 0, 9, udp(data(24), V6_A, V6_B))),
  'a later fragment over IPv6': eth6(44, bytes(17, 0, 0, 9, 0, 0, 0, 9, data(24))),
  'a later fragment over IPv6 with options': eth6(
    44,
    bytes(60, 0, 0, 9, 0, 0, 0, 9, 17, 0, 1, 4, 0, 0, 0, 0, data(16)),
  ),
  'an authentication header over IPv6': eth6(51, bytes(17, 1, 0, 0, data(8), udp(data(3), V6_A, V6_B))),
  'Mobile IPv6, Shim6 and HIP headers': eth6(
    135,
    bytes(
      139,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      140,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      17,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      udp(data(3), V6_A, V6_B),
    ),
  ),
  'a routing header of type 2': eth6(43, bytes(17, 2, 2, 1, 0, 0, 0, 0, V6_A, udp(data(4), V6_A, V6_A))),
  'a routing header that hides the destination': eth6(
    43,
    bytes(17, 2, 3, 1, 0, 0, 0, 0, V6_A, udp(data(4), V6_A, V6_B)),
  ),
  'a routing header without addresses': eth6(43, bytes(17, 0, 0, 1, 0, 0, 0, 0, udp(data(4), V6_A, V6_B))),
  'a jumbogram that is shorter than it says': ethernet(
    0x86dd,
    bytes(
      0x60,
      0,
      0,
      0,
      0,
      0,
      0,
      64,
      V6_A,
      V6_B,
      17,
      0,
      0xc2,
      4,
      0,
      1,
      0,
      0,
      u16(9),
      u16(9),
      0,
      0,
      1,
      1,
      data(9),
    ),
  ),
  'a loose source route that is used up': eth4(17, udp(data(8)), { options: [131, 7, 8, 10, 9, 9, 9, 0] }),
  'a strict source route behind no-ops': eth4(17, udp(data(8), V4_A, [10, 9, 9, 9]), {
    options: [1, 137, 7, 4, 10, 9, 9, 9],
  }),
  'options that end early': eth4(17, udp(data(8)), { options: [0, 131, 7, 4, 10, 9, 9, 9] }),
  'an ICMP time exceeded': eth4(1, icmp(11, 0, [0, 0, 0, 0], ipv4(6, tcp(data(8))))),
  'an ICMP redirect': eth4(1, icmp(5, 1, [10, 0, 0, 9], ipv4(17, udp(data(8))).subarray(0, 28))),
  'an ICMP parameter problem': eth4(1, icmp(12, 0, [1, 0, 0, 0], ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(8))))),
  'an ICMPv6 packet too big': eth6(58, icmpv6(2, [0, 0, 5, 0], ip6)),
  'an ICMPv6 parameter problem': eth6(58, icmpv6(4, [0, 0, 0, 6], ip6.subarray(0, 50))),
  'ICMPv6 over IPv4': eth4(58, icmpv6(128, [0, 1, 0, 1], data(8))),
  'ICMP over IPv6': eth6(1, icmp(8, 0, [0, 1, 0, 1], data(8))),
  'IGMP over IPv6': eth6(2, withChecksum(bytes(0x16, 0, 0, 0, 224, 0, 0, 9), 2)),
  'PIM of version 1': eth4(103, withChecksum(bytes(0x10, 0, 0, 0, data(6)), 2)),
  'a PIM register over IPv6': eth6(
    103,
    bytes(withChecksum(bytes(0x21, 0, 0, 0, 0, 0, 0, 0), 2, pseudo(103, 8, V6_A, V6_B)), ip6),
  ),
  'a PIM register, all of it covered': eth4(103, withChecksum(bytes(0x21, 0, 0, 0, 0, 0, 0, 0, ip), 2)),
  'VRRP of version 1': eth4(112, withChecksum(bytes(0x11, 5, 100, 1, 0, 1, 0, 0, V4_A), 6)),
  'OSPF with a password': eth4(89, ospf(1)),
  'OSPF with a digest': eth4(89, ospf(2)),
  'OSPF 2 over IPv6': eth6(89, ospf(0)),
  'DCCP over its header alone': with4(33, bytes(u16(7), u16(9), 4, 1, 0, 0, 5, 0, data(6)), 6),
  'DCCP with a header that is too long': eth4(33, bytes(u16(7), u16(9), 40, 1, 0, 0, 5, 0, data(9))),
  'UDP-Lite over its header alone': eth4(
    136,
    bytes(withChecksum(bytes(u16(7), u16(9), u16(8), 0, 0), 6, pseudo(136, 17)), data(9)),
  ),
  'UDP-Lite that covers less than its header': eth4(136, bytes(u16(7), u16(9), u16(7), 1, 1, data(9))),
  'UDP-Lite that covers more than there is': eth4(136, bytes(u16(7), u16(9), u16(90), 1, 1, data(9))),
  'UDP-Lite without a checksum': eth4(136, bytes(u16(7), u16(9), 0, 0, 0, 0, data(9))),
  'a protocol that nothing is known of': eth4(253, data(20)),
  'an EtherType that nothing is known of': ethernet(0x88b5, data(20)),
  'IPv4 with no length': eth4(6, tcp(data(9)), { totalLength: 0 }),
  'an IP version that is none': ethernet(0x0800, bytes(0x55, ip.subarray(1))),
  'IPv6 with another version': ethernet(0x86dd, bytes(0x40, ip6.subarray(1))),
  'TCP with options': eth4(6, tcpOf(8, data(3))),
};

function from(port: number, payload: Uint8Array): Uint8Array {
  const datagram = udp(payload);
  datagram.set([...u16(port), ...u16(9999)]);
  return withChecksum(datagram, 6, pseudo(17, datagram.length));
}

function ospf(authentication: number): Uint8Array {
  const header = bytes(
    2,
    1,
    u16(28),
    V4_A,
    0,
    0,
    0,
    0,
    0,
    0,
    u16(authentication),
    new Uint8Array(8),
    data(4),
  );
  const right = withChecksum(header, 12);
  right.set(data(8), 16);
  return right;
}

/** TCP with so many bytes of options. */
function tcpOf(options: number, payload: Uint8Array): Uint8Array {
  const segment = tcp(bytes(new Uint8Array(options).fill(1), payload));
  segment[12] = (5 + options / 4) << 4;
  return withChecksum(segment, 16, pseudo(6, segment.length));
}

/** All of them, by name. */
export const RIGHT_PACKETS: Readonly<Record<string, Uint8Array>> = {
  ...Object.fromEntries(Object.entries(GOOD).map(([name, [packet]]) => [name, packet])),
  ...TUNNELS,
  ...IN_IP,
  ...IN_UDP,
  ...Object.fromEntries(Object.entries(MESSAGES).map(([name, [packet]]) => [name, packet])),
  ...UNUSUAL,
};
