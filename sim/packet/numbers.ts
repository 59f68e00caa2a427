/** The numbers by which headers announce each other, with the kernel's names (uapi/linux/if_ether.h, in.h, in6.h). */

export const ETHERTYPE = {
  IPV4: 0x0800,
  ARP: 0x0806,
  TRANSPARENT_ETHERNET: 0x6558,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  MPLS: 0x8847,
  MPLS_MULTICAST: 0x8848,
  PPPOE_DISCOVERY: 0x8863,
  PPPOE_SESSION: 0x8864,
  SERVICE_VLAN: 0x88a8,
  /** Tags of equipment from before 802.1ad. */
  OLD_TAG: 0x9100,
  OLDER_TAG: 0x9200,
  /** Cisco's FabricPath. */
  FABRIC_PATH: 0x8903,
  /** IEEE 802 "Local Experimental EtherType 1". */
  LOCAL_EXPERIMENTAL_1: 0x88b5,
  ERSPAN: 0x88be,
  LLDP: 0x88cc,
  /** IEEE 802.1ah, "MAC in MAC". */
  ITAG: 0x88e7,
  NSH: 0x894f,
  /** IEC 62439-3, High-availability Seamless Redundancy. */
  HSR: 0x892f,
  /** IEEE 802.1CB. */
  RTAG: 0xf1c1,
  ERSPAN_III: 0x22eb,
} as const;

const ETHERTYPE_NAMES: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  25944: 'Transparent Ethernet bridging',
  32821: 'RARP',
  33024: '802.1Q VLAN',
  34525: 'IPv6',
  34824: 'MAC control',
  34825: 'Slow protocols',
  34887: 'MPLS',
  34888: 'MPLS multicast',
  34915: 'PPPoE discovery',
  34916: 'PPPoE session',
  34958: '802.1X authentication',
  34984: '802.1ad service VLAN',
  37120: 'old VLAN tag',
  37376: 'older VLAN tag',
  35075: 'FabricPath',
  35006: 'ERSPAN',
  35020: 'LLDP',
  35047: '802.1ah I-tag',
  35151: 'NSH',
  8939: 'ERSPAN III',
  35119: 'HSR',
  61889: '802.1CB R-tag',
  35045: 'MACsec',
  35063: 'PTP',
};

/** Below this an EtherType is a length (IEEE 802.3 §3.2.6). */
export const ETHERTYPE_MIN = 0x0600;

export function etherTypeName(etherType: number): string | undefined {
  return ETHERTYPE_NAMES[etherType];
}

/** Does the kernel take this EtherType for a tag's (`eth_type_vlan`, include/linux/if_vlan.h)? What tags there are: `isTpid`. */
export function isTag(etherType: number): boolean {
  return etherType === ETHERTYPE.VLAN || etherType === ETHERTYPE.SERVICE_VLAN;
}

/** IPv4 protocols and IPv6 next headers: one number space (IANA "Protocol Numbers"). */
export const IPPROTO = {
  HOPOPTS: 0,
  ICMP: 1,
  IGMP: 2,
  IPIP: 4,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  IPV6: 41,
  ROUTING: 43,
  FRAGMENT: 44,
  GRE: 47,
  ESP: 50,
  AH: 51,
  ICMPV6: 58,
  NONE: 59,
  DSTOPTS: 60,
  OSPF: 89,
  ETHERIP: 97,
  PIM: 103,
  VRRP: 112,
  L2TP: 115,
  SCTP: 132,
  MH: 135,
  UDPLITE: 136,
  MPLS: 137,
  HIP: 139,
  SHIM6: 140,
} as const;

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  0: 'IPv6 hop-by-hop options',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPv4 in IP',
  6: 'TCP',
  8: 'EGP',
  17: 'UDP',
  33: 'DCCP',
  41: 'IPv6 in IP',
  43: 'IPv6 routing',
  44: 'IPv6 fragment',
  46: 'RSVP',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'no next header',
  60: 'IPv6 destination options',
  89: 'OSPF',
  97: 'EtherIP',
  103: 'PIM',
  112: 'VRRP',
  115: 'L2TP',
  132: 'SCTP',
  135: 'Mobility',
  136: 'UDP-Lite',
  137: 'MPLS in IP',
  139: 'HIP',
  140: 'Shim6',
  253: 'experiment 1',
  254: 'experiment 2',
  255: 'reserved',
};

export function protocolName(protocol: number): string | undefined {
  return PROTOCOL_NAMES[protocol];
}
