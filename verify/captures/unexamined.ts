/** Protocols that carry a checksum, or packets, and are not looked into: what a report counts instead of leaving it out. */
import { UNKNOWN } from '../oracle/found.ts';

/** By IP protocol number (https://www.iana.org/assignments/protocol-numbers): those that have a checksum. Of some only other versions than those that are followed. */
const IP_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [1, 'icmp over ipv6'],
  [2, 'igmp'],
  [3, 'ggp'],
  [8, 'egp'],
  [9, 'igrp'],
  [20, 'hmp'],
  [22, 'xns-idp'],
  [27, 'rdp'],
  [46, 'rsvp'],
  [47, 'gre'],
  [88, 'eigrp'],
  [89, 'ospf'],
  [98, 'ip encapsulation (RFC 1241)'],
  [103, 'pim'],
  [108, 'compressed IP payload'],
  [112, 'vrrp'],
  [113, 'pgm'],
  [135, 'mobility header'],
  [138, 'manet'],
  [55, 'minimal encapsulation (RFC 2004)'],
  [94, 'ipip (KA9Q)'],
  [142, 'rohc (compressed headers)'],
  [143, 'ethernet (RFC 8986)'],
  [144, 'aggfrag'],
  [145, 'nsh'],
  [139, 'hip'],
  [140, 'shim6'],
  [50, 'esp (encrypted)'],
  [58, 'icmpv6 over ipv4'],
]);

/** By EtherType: those behind which packets or checksums may lie. */
const ETHER_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6003, 'decnet'],
  [0x6559, 'frame relay'],
  [0x809b, 'appletalk'],
  [0x8137, 'ipx'],
  [0x8870, 'jumbo llc'],
  [0x88e5, 'macsec (encrypted)'],
  [0x2000, 'cdp'],
  [0x2001, 'nhrp'],
  [0x22f3, 'trill'],
  [0x880b, 'ppp'],
  [0x8906, 'fcoe'],
  [0x22e9, 'congestion notification tag'],
  [0x4305, 'batman-adv'],
  [0x883e, 'wccp'],
  [0x8909, 'cisco metadata (security group tag)'],
  [0x8926, 'vn-tag'],
  [0x893f, 'e-tag (802.1BR)'],
  [0x9300, 'vlan (0x9300)'],
  [0xa0ed, '6lowpan'],
  [0xab37, 'bier'],
  [0xdada, 'edsa (switch tag)'],
]);

/** By UDP port (https://www.iana.org/assignments/service-names-port-numbers). */
const UDP_PORTS: ReadonlyMap<number, string> = new Map([
  [2268, 'amt'],
  [4500, 'esp or ike over udp (encrypted)'],
  [4791, 'roce'],
  [6511, 'dccp over udp'],
  [9899, 'sctp over udp'],
  [12222, 'lwapp'],
  [37008, 'tzsp'],
]);

/** By service access point of LLC (https://standards.ieee.org/products-programs/regauth/llc/public/): IS-IS and CLNP share one. */
const LLC_SAPS: ReadonlyMap<number, string> = new Map([
  [0x80, 'xns-idp'],
  [0xbc, 'vines'],
  [0xe0, 'ipx'],
  [0xfe, 'osi (is-is, clnp)'],
  // Without LLC: it begins with its checksum, which is 0xffff.
  [0xff, 'ipx'],
]);

/** By organization and type of SNAP: protocols of vendors. */
const SNAP_TYPES: ReadonlyMap<number, string> = new Map([
  [0x00_00_0c_01_11, 'udld'],
  [0x00_00_0c_20_00, 'cdp'],
  [0x00_e0_2b_00_bb, 'edp'],
  [0x00_e0_52_20_00, 'fdp'],
  [0x08_00_07_80_9b, 'appletalk'],
]);

/** By protocol of PPP (https://www.iana.org/assignments/ppp-numbers): those that carry packets. */
const PPP_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [0x0023, 'osi over ppp'],
  [0x0025, 'xns-idp over ppp'],
  [0x0029, 'appletalk over ppp'],
  [0x002b, 'ipx over ppp'],
  [0x002d, 'compressed tcp over ppp'],
  [0x002f, 'compressed tcp over ppp'],
  [0x0031, 'bridged frames over ppp'],
  [0x003d, 'multilink ppp'],
  [0x0053, 'encrypted ppp'],
  [0x0055, 'encrypted ppp'],
  [0x0059, 'multiplexed ppp'],
  [0x0061, 'compressed headers over ppp'],
  [0x0063, 'compressed headers over ppp'],
  [0x00fb, 'compressed ppp'],
  [0x00fd, 'compressed ppp'],
  [0x0207, 'cdp over ppp'],
]);

/** PPP may leave out the first byte of its protocol (RFC 1661 §6.5); in front of a protocol of two bytes it is even. */
const SHORT_PPP = 'ppp with a protocol of one byte';

const NAMES: Readonly<Record<number, ReadonlyMap<number, string>>> = {
  [UNKNOWN.etherType]: ETHER_TYPES,
  [UNKNOWN.ipProtocol]: IP_PROTOCOLS,
  [UNKNOWN.udpPort]: UDP_PORTS,
  [UNKNOWN.pppProtocol]: PPP_PROTOCOLS,
  [UNKNOWN.llcSap]: LLC_SAPS,
  [UNKNOWN.snap]: SNAP_TYPES,
};

/** The numbers that have a name. @param space one of `UNKNOWN` */
export function namedNumbers(space: number): Iterable<number> {
  return NAMES[space]!.keys();
}

/**
 * The name of a protocol that a scan ended at; undefined where nothing that has a checksum is missed.
 * @param space one of `UNKNOWN`
 */
export function unexaminedName(space: number, number: number): string | undefined {
  if (space === UNKNOWN.pppProtocol && (number & 0x0100) !== 0) return SHORT_PPP;
  return NAMES[space]!.get(number);
}
