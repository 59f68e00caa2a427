/** The Internet Protocol, version 6: the fixed header (RFC 8200 §3). Extension headers: `ipv6-extensions.ts`. */

import { protocol } from './declaration/declare.ts';
import { constant, hex, ipv6Address, u8, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { followIpv6 } from './ipv6-extensions.ts';
import { ETHERTYPE, IPPROTO, protocolName } from './numbers.ts';

export const IPV6 = protocol({
  name: 'ipv6',
  label: 'Internet Protocol Version 6',
  source: 'RFC 8200',
  fields: {
    version: constant(4, 'Version', 6, { filter: 'ipv6.version', scapy: 'version' }),
    trafficClass: hex(8, 'Traffic Class', { filter: 'ipv6.tclass', scapy: 'tc' }),
    flowLabel: hex(20, 'Flow Label', { filter: 'ipv6.flow', scapy: 'fl' }),
    /** Bytes behind the fixed header, extension headers included. */
    payloadLength: u16('Payload Length', {
      filter: 'ipv6.plen',
      scapy: 'plen',
      computed: { what: 'length', less: 40, unit: 1 },
    }),
    nextHeader: u8('Next Header', {
      filter: 'ipv6.nxt',
      scapy: 'nh',
      names: protocolName,
      computed: { what: 'next', space: 'ipProtocol' },
      preset: IPPROTO.NONE,
    }),
    hopLimit: u8('Hop Limit', { filter: 'ipv6.hlim', scapy: 'hlim', preset: 64, edges: [0, 1, 2] }),
    source: ipv6Address('Source Address', {
      filter: 'ipv6.src',
      scapy: 'src',
      preset: 'fc00:dead:cafe:1::2',
    }),
    destination: ipv6Address('Destination Address', {
      filter: 'ipv6.dst',
      scapy: 'dst',
      preset: 'fc00:dead:cafe:1::1',
    }),
  },
  announcedBy: {
    etherType: [ETHERTYPE.IPV6],
    ipProtocol: [IPPROTO.IPV6],
    pppProtocol: [0x0057],
    nshProtocol: [2],
  },
  summary: ({ source, destination }) => `${source} → ${destination}`,
  follow: ({ value, bytes, offset, end, context }) => {
    const { nextHeader, payloadLength } = value;
    const endsWithFrame = context.isCaptured === true && payloadLength === 0 && nextHeader === IPPROTO.TCP;
    return followIpv6(bytes, offset, end, nextHeader, endsWithFrame ? end - offset - 40 : payloadLength);
  },
});

export type Ipv6Header = ValueOf<typeof IPV6>;

/** May an IPv6 header stand here: 40 bytes and version 6? The gate for hot code. */
export function isIpv6(bytes: Uint8Array, offset: number, end: number): boolean {
  return end - offset >= 40 && bytes[offset]! >> 4 === 6;
}
