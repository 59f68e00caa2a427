/** Which codec reads what a header announces: names of the register in `protocols.ts`, `data` where there is none. */
import { ETHERTYPE, IPPROTO } from './numbers.ts';

export function protocolOfEtherType(etherType: number): string {
  switch (etherType) {
    case ETHERTYPE.IPV4:
      return 'ipv4';
    case ETHERTYPE.IPV6:
      return 'ipv6';
    case ETHERTYPE.ARP:
      return 'arp';
    case ETHERTYPE.VLAN:
    case ETHERTYPE.SERVICE_VLAN:
      return 'vlan';
    case ETHERTYPE.TRANSPARENT_ETHERNET:
      return 'ethernet';
    default:
      return 'data';
  }
}

/** For an IPv4 protocol or an IPv6 next header. */
export function protocolOfNumber(protocol: number): string {
  switch (protocol) {
    case IPPROTO.HOPOPTS:
      return 'hopopts';
    case IPPROTO.ICMP:
      return 'icmp';
    case IPPROTO.IPIP:
      return 'ipv4';
    case IPPROTO.TCP:
      return 'tcp';
    case IPPROTO.UDP:
      return 'udp';
    case IPPROTO.IPV6:
      return 'ipv6';
    case IPPROTO.ROUTING:
      return 'routing';
    case IPPROTO.FRAGMENT:
      return 'fragment6';
    case IPPROTO.AH:
      return 'ah';
    case IPPROTO.ICMPV6:
      return 'icmpv6';
    case IPPROTO.DSTOPTS:
      return 'dstopts';
    case IPPROTO.MH:
      return 'mobility';
    case IPPROTO.HIP:
      return 'hip';
    case IPPROTO.SHIM6:
      return 'shim6';
    default:
      return 'data';
  }
}
