/** Link-layer header types of captures (https://www.tcpdump.org/linktypes.html): those one meets in practice. */
export const LINKTYPE = {
  NULL: 0,
  ETHERNET: 1,
  IEEE802_5: 6,
  PPP: 9,
  FDDI: 10,
  /** Raw IP under the number that some systems have for it. */
  DLT_RAW: 12,
  DLT_RAW_OPENBSD: 14,
  PPP_HDLC: 50,
  PPP_ETHER: 51,
  ATM_RFC1483: 100,
  RAW: 101,
  C_HDLC: 104,
  IEEE802_11: 105,
  LOOP: 108,
  ENC: 109,
  LINUX_SLL: 113,
  PFLOG: 117,
  IEEE802_11_PRISM: 119,
  IP_OVER_FC: 122,
  IEEE802_11_RADIOTAP: 127,
  APPLE_IP_OVER_IEEE1394: 138,
  IEEE802_11_AVS: 163,
  USB_LINUX: 189,
  PPI: 192,
  BLUETOOTH_HCI_H4_WITH_PHDR: 201,
  PPP_WITH_DIR: 204,
  C_HDLC_WITH_DIR: 205,
  MPLS: 219,
  USB_LINUX_MMAPPED: 220,
  IPNET: 226,
  CAN_SOCKETCAN: 227,
  IPV4: 228,
  IPV6: 229,
  NFLOG: 239,
  USBPCAP: 249,
  NETLINK: 253,
  PKTAP: 258,
  LINUX_SLL2: 276,
} as const;

/** "LINKTYPE_RAW (101)", or "link type 4711" where the number has no name here. */
export function linkTypeName(linkType: number): string {
  for (const [name, value] of Object.entries(LINKTYPE)) {
    if (value === linkType)
      return name.startsWith('DLT_') ? `${name} (${linkType})` : `LINKTYPE_${name} (${linkType})`;
  }
  return `link type ${linkType}`;
}
