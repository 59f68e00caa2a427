/** For tests: what stands in front of a packet in captures of every link type that carries IP. */
import { NEXT } from '../formats/link-header.ts';
import { LINKTYPE } from '../formats/link-type.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** LLC and SNAP in front of IPv4. */
export const SNAP_IPV4 = 'aaaa03 000000 0800';
/** Of 802.11. */
export const ADDRESSES = '020000000001 020000000002 020000000003';

/** Headers as hexadecimal digits, for a packet that starts right behind them. */
export const LINK_FRAMES: readonly (readonly [
  name: string,
  linkType: number,
  header: string,
  next: number,
])[] = [
  ['Ethernet', LINKTYPE.ETHERNET, '', NEXT.ethernet],
  ['raw IP', LINKTYPE.RAW, '', NEXT.ip],
  ['raw IP as DLT_RAW', LINKTYPE.DLT_RAW, '', NEXT.ip],
  ['IPv4', LINKTYPE.IPV4, '', IPV4],
  ['IPv6', LINKTYPE.IPV6, '', IPV6],
  ['MPLS', LINKTYPE.MPLS, '', 0x8847],
  ['NULL, little-endian', LINKTYPE.NULL, '02000000', IPV4],
  ['NULL, big-endian', LINKTYPE.NULL, '00000002', IPV4],
  ['NULL, IPv6 of Linux', LINKTYPE.NULL, '0a000000', IPV6],
  ['NULL, IPv6 of Windows', LINKTYPE.NULL, '17000000', IPV6],
  ['NULL, IPv6 of OpenBSD', LINKTYPE.NULL, '18000000', IPV6],
  ['NULL, IPv6 of FreeBSD', LINKTYPE.NULL, '0000001c', IPV6],
  ['NULL, IPv6 of macOS', LINKTYPE.NULL, '1e000000', IPV6],
  ['LOOP', LINKTYPE.LOOP, '00000002', IPV4],
  ['LOOP, IPv6', LINKTYPE.LOOP, '00000018', IPV6],
  ['PPP with address and control', LINKTYPE.PPP, 'ff030021', IPV4],
  ['PPP without', LINKTYPE.PPP, '0057', IPV6],
  ['PPP with a compressed protocol field', LINKTYPE.PPP, '21', IPV4],
  ['PPP in HDLC framing', LINKTYPE.PPP_HDLC, 'ff030057', IPV6],
  ['Cisco HDLC under the same number', LINKTYPE.PPP_HDLC, '0f000800', IPV4],
  ['PPP with direction', LINKTYPE.PPP_WITH_DIR, '01ff030021', IPV4],
  ['PPP with MPLS', LINKTYPE.PPP, 'ff030281', 0x8847],
  ['Cisco HDLC', LINKTYPE.C_HDLC, '0f000800', IPV4],
  ['Cisco HDLC, IPv6', LINKTYPE.C_HDLC, '8f0086dd', IPV6],
  ['PPPoE session', LINKTYPE.PPP_ETHER, '110000010006 0021', IPV4],
  ['Linux cooked', LINKTYPE.LINUX_SLL, '0000 0001 0006 0200000000010000 0800', IPV4],
  ['Linux cooked, VLAN', LINKTYPE.LINUX_SLL, '0000 0001 0006 0200000000010000 8100', 0x8100],
  ['Linux cooked, LLC', LINKTYPE.LINUX_SLL, `0000 0001 0006 0200000000010000 0004 ${SNAP_IPV4}`, IPV4],
  ['Linux cooked 2', LINKTYPE.LINUX_SLL2, '86dd 0000 00000001 0001 00 06 0200000000010000', IPV6],
  ['ENC', LINKTYPE.ENC, '00000002 00001234 00000000', IPV4],
  ['PFLOG', LINKTYPE.PFLOG, `3d 02 ${'00'.repeat(62)}`, IPV4],
  ['IPNET', LINKTYPE.IPNET, `01 1a ${'00'.repeat(22)}`, IPV6],
  ['Token Ring', LINKTYPE.IEEE802_5, `1040 020000000001 020000000002 ${SNAP_IPV4}`, IPV4],
  [
    'Token Ring with a route',
    LINKTYPE.IEEE802_5,
    `1040 020000000001 820000000002 0640 0010 0020 ${SNAP_IPV4}`,
    IPV4,
  ],
  ['FDDI', LINKTYPE.FDDI, `50 020000000001 020000000002 ${SNAP_IPV4}`, IPV4],
  ['ATM, routed', LINKTYPE.ATM_RFC1483, SNAP_IPV4, IPV4],
  ['ATM, bridged Ethernet', LINKTYPE.ATM_RFC1483, 'aaaa03 0080c2 0007 0000', NEXT.ethernet],
  ['IP over Fibre Channel', LINKTYPE.IP_OVER_FC, `${'00'.repeat(16)} ${SNAP_IPV4}`, IPV4],
  ['IP over FireWire', LINKTYPE.APPLE_IP_OVER_IEEE1394, `${'00'.repeat(16)} 0800`, IPV4],
  ['802.11 to an access point', LINKTYPE.IEEE802_11, `0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4}`, IPV4],
  ['802.11 with QoS', LINKTYPE.IEEE802_11, `8801 0000 ${ADDRESSES} 0000 0000 ${SNAP_IPV4}`, IPV4],
  [
    '802.11 with QoS and HT control',
    LINKTYPE.IEEE802_11,
    `8881 0000 ${ADDRESSES} 0000 0000 00000000 ${SNAP_IPV4}`,
    IPV4,
  ],
  [
    '802.11 between access points',
    LINKTYPE.IEEE802_11,
    `0803 0000 ${ADDRESSES} 0000 020000000004 ${SNAP_IPV4}`,
    IPV4,
  ],
  [
    '802.11 with SNAP of bridges',
    LINKTYPE.IEEE802_11,
    `0801 0000 ${ADDRESSES} 0000 aaaa03 0000f8 86dd`,
    IPV6,
  ],
  [
    'radiotap',
    LINKTYPE.IEEE802_11_RADIOTAP,
    `0000 0900 02000000 00 0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4}`,
    IPV4,
  ],
  [
    'radiotap with time, two words of fields, and a padded header',
    LINKTYPE.IEEE802_11_RADIOTAP,
    // 4 + 2 × 4 bytes of fields, aligned to 8 for the time, then the flags.
    `0000 1900 03000080 00000000 00000000 0000000000000000 20 8801 0000 ${ADDRESSES} 0000 0000 0000 ${SNAP_IPV4}`,
    IPV4,
  ],
  [
    'Prism',
    LINKTYPE.IEEE802_11_PRISM,
    `44000000 90000000 ${'00'.repeat(136)} 0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4}`,
    IPV4,
  ],
  [
    'AVS',
    LINKTYPE.IEEE802_11_AVS,
    `80211001 00000040 ${'00'.repeat(56)} 0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4}`,
    IPV4,
  ],
  ['PPI around Ethernet', LINKTYPE.PPI, '0000 0800 01000000', NEXT.ethernet],
  ['PPI around 802.11', LINKTYPE.PPI, `0000 0800 69000000 0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4}`, IPV4],
  ['PKTAP around Ethernet', LINKTYPE.PKTAP, `6c000000 01000000 01000000 ${'00'.repeat(96)}`, NEXT.ethernet],
  ['PKTAP around raw IP', LINKTYPE.PKTAP, `6c000000 01000000 0c000000 ${'00'.repeat(96)}`, NEXT.ip],
  ['NFLOG, little-endian', LINKTYPE.NFLOG, '02 00 0000 0800 0100 08000100 0800 0900', IPV4],
  ['NFLOG, big-endian', LINKTYPE.NFLOG, '0a 00 0000 0008 0001 00080001 0008 0009', IPV6],
  ['NFLOG, an attribute that is padded', LINKTYPE.NFLOG, '02 00 0000 0500 0a00 61000000 0800 0900', IPV4],
];
