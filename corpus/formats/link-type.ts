/** Link-layer header types of captures (https://www.tcpdump.org/linktypes.html): those one meets in practice. */
export const LINKTYPE = {
  NULL: 0,
  ETHERNET: 1,
  PPP: 9,
  RAW: 101,
  IEEE802_11: 105,
  LOOP: 108,
  LINUX_SLL: 113,
  IEEE802_11_RADIOTAP: 127,
  USB_LINUX: 189,
  IPV4: 228,
  IPV6: 229,
  NFLOG: 239,
  NETLINK: 253,
  LINUX_SLL2: 276,
} as const;

/** "LINKTYPE_RAW (101)", or "link type 4711" where the number has no name here. */
export function linkTypeName(linkType: number): string {
  for (const [name, value] of Object.entries(LINKTYPE)) {
    if (value === linkType) return `LINKTYPE_${name} (${linkType})`;
  }
  return `link type ${linkType}`;
}
