/** Protocols that carry a checksum, or packets, and are not looked into: what a report counts instead of leaving it out. */
import { UNKNOWN } from '../oracle/found.ts';

/** By IP protocol number (https://www.iana.org/assignments/protocol-numbers): those that have a checksum. Of some only other versions than those that are followed. */
const IP_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [2, 'igmp'],
  [3, 'ggp'],
  [8, 'egp'],
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
  [139, 'hip'],
  [140, 'shim6'],
  [50, 'esp (encrypted)'],
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
  [0x22f3, 'trill'],
  [0x880b, 'ppp'],
  [0x8906, 'fcoe'],
]);

/** The numbers that have a name. @param space one of `UNKNOWN` */
export function namedNumbers(space: number): Iterable<number> {
  return (space === UNKNOWN.ipProtocol ? IP_PROTOCOLS : ETHER_TYPES).keys();
}

/**
 * The name of a protocol that a scan ended at; undefined where nothing that has a checksum is missed.
 * @param space one of `UNKNOWN`
 */
export function unexaminedName(space: number, number: number): string | undefined {
  return (space === UNKNOWN.ipProtocol ? IP_PROTOCOLS : ETHER_TYPES).get(number);
}
