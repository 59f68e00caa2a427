/** The register of protocols: one line each. A new protocol joins with its file, its test and a line here. */
import { dissectArp } from './arp.ts';
import type { Dissect } from './dissection.ts';
import { dissectEthernet } from './ethernet.ts';
import { dissectIcmp } from './icmp.ts';
import { dissectIcmpv6 } from './icmpv6.ts';
import { dissectIpv4 } from './ipv4.ts';
import { dissectIpv6 } from './ipv6.ts';
import { dissectExtension } from './ipv6-extensions.ts';
import { IPPROTO } from './numbers.ts';
import { dissectTcp } from './tcp.ts';
import { dissectUdp } from './udp.ts';
import { dissectVlan } from './vlan.ts';

export interface Protocol {
  /** What paths begin with: `icmp` in `icmp.checksum`. */
  readonly name: string;
  /** What people read. */
  readonly label: string;
  readonly dissect: Dissect;
}

export const protocols: readonly Protocol[] = [
  { name: 'ethernet', label: 'Ethernet II', dissect: dissectEthernet },
  { name: 'vlan', label: '802.1Q Virtual LAN', dissect: dissectVlan },
  { name: 'arp', label: 'Address Resolution Protocol', dissect: dissectArp },
  { name: 'ipv4', label: 'Internet Protocol Version 4', dissect: dissectIpv4 },
  { name: 'ipv6', label: 'Internet Protocol Version 6', dissect: dissectIpv6 },
  { name: 'hopopts', label: 'IPv6 Hop-by-Hop Options', dissect: dissectExtension(IPPROTO.HOPOPTS) },
  { name: 'routing', label: 'IPv6 Routing Header', dissect: dissectExtension(IPPROTO.ROUTING) },
  { name: 'fragment6', label: 'IPv6 Fragment Header', dissect: dissectExtension(IPPROTO.FRAGMENT) },
  { name: 'dstopts', label: 'IPv6 Destination Options', dissect: dissectExtension(IPPROTO.DSTOPTS) },
  { name: 'ah', label: 'Authentication Header', dissect: dissectExtension(IPPROTO.AH) },
  { name: 'mobility', label: 'Mobility Header', dissect: dissectExtension(IPPROTO.MH) },
  { name: 'hip', label: 'Host Identity Protocol', dissect: dissectExtension(IPPROTO.HIP) },
  { name: 'shim6', label: 'Shim6', dissect: dissectExtension(IPPROTO.SHIM6) },
  { name: 'icmp', label: 'Internet Control Message Protocol', dissect: dissectIcmp },
  { name: 'icmpv6', label: 'Internet Control Message Protocol v6', dissect: dissectIcmpv6 },
  { name: 'tcp', label: 'Transmission Control Protocol', dissect: dissectTcp },
  { name: 'udp', label: 'User Datagram Protocol', dissect: dissectUdp },
];

const byName: ReadonlyMap<string, Protocol> = new Map(protocols.map((protocol) => [protocol.name, protocol]));

export function protocolByName(name: string): Protocol | undefined {
  return byName.get(name);
}
