/**
 * What stands in front of a captured packet's network layer, for every link type that carries IP
 * (https://www.tcpdump.org/linktypes.html). Nothing is allocated per packet.
 */
import { radiotap, readIeee80211 } from './link-80211.ts';
import { type LinkHeader, NEXT, protocolOf, readLlc, u16, u16Little, u32Little } from './link-header.ts';
import { LINKTYPE } from './link-type.ts';

/**
 * Reads the header of one packet.
 * @param start where the packet starts in `bytes`, and `end` where its captured bytes end
 * @returns false where the link type is unknown
 */
export function readLinkHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  linkType: number,
  found: LinkHeader,
): boolean {
  found.at = start;
  found.end = end;
  found.next = NEXT.nothing;
  found.reason = '';
  const reader = READERS[linkType];
  if (reader === undefined) return false;
  reader(bytes, start, end, found);
  if (found.at > found.end) {
    found.at = found.end;
    found.next = NEXT.nothing;
  }
  return true;
}

/** Can packets of this link type be looked into? */
export function isReadable(linkType: number): boolean {
  return READERS[linkType] !== undefined;
}

type Reader = (bytes: Uint8Array, start: number, end: number, found: LinkHeader) => void;

/** Always the same thing, behind a header of a fixed size. */
function fixed(size: number, next: number): Reader {
  return (_bytes, start, end, found) => {
    if (end - start < size) return;
    found.at = start + size;
    // An empty packet has no version.
    found.next = next === NEXT.ip && found.at === end ? NEXT.nothing : next;
  };
}

/** A header of a fixed size with an EtherType in it. */
function withEtherType(size: number, typeAt: number): Reader {
  return (bytes, start, end, found) => {
    if (end - start < size) return;
    found.at = start + size;
    found.next = protocolOf(u16(bytes, start + typeAt));
  };
}

/** BSD's loopback: an address family as a 32-bit number, in the order of the machine that captured. */
const NULL: Reader = (bytes, start, end, found) => {
  if (end - start < 4) return;
  const little = u32Little(bytes, start);
  const family = little < 0x1_0000 ? little : u16(bytes, start + 2);
  found.at = start + 4;
  // AF_INET is 2 everywhere; AF_INET6 is 10 (Linux), 23 (Windows), 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS).
  if (family === 2) found.next = 0x0800;
  else if (family === 10 || family === 23 || family === 24 || family === 28 || family === 30) {
    found.next = 0x86dd;
  }
};

/** A PPP protocol field of one or two bytes (RFC 1661 §2, RFC 1662 §3.1), at `found.at`. */
function readPppProtocol(bytes: Uint8Array, found: LinkHeader): void {
  const { at, end } = found;
  if (end - at < 2) return;
  // An odd first byte is a protocol field that was compressed.
  const isShort = (bytes[at]! & 1) === 1;
  const protocol = isShort ? bytes[at]! : u16(bytes, at);
  found.at = at + (isShort ? 1 : 2);
  if (protocol === 0x0021) found.next = 0x0800;
  else if (protocol === 0x0057) found.next = 0x86dd;
  else if (protocol === 0x0281) found.next = 0x8847;
  else if (protocol === 0x0283) found.next = 0x8848;
  else if (protocol === 0x002d || protocol === 0x00fd || protocol === 0x0053) {
    found.reason = protocol === 0x0053 ? 'encrypted PPP' : 'compressed PPP';
  }
}

/** Behind address and control bytes, which may be left out. */
const PPP: Reader = (bytes, start, end, found) => {
  if (end - start >= 2 && bytes[start] === 0xff && bytes[start + 1] === 0x03) found.at = start + 2;
  readPppProtocol(bytes, found);
};

/** PPP or Cisco's HDLC, as the address says (RFC 1547 §4.3.1). */
const PPP_HDLC: Reader = (bytes, start, end, found) => {
  if (end - start >= 4 && (bytes[start] === 0x0f || bytes[start] === 0x8f)) C_HDLC(bytes, start, end, found);
  else PPP(bytes, start, end, found);
};

const C_HDLC: Reader = withEtherType(4, 2);

/** PPPoE without Ethernet (RFC 2516 §4): session data has code 0. */
const PPP_ETHER: Reader = (bytes, start, end, found) => {
  if (end - start < 8 || bytes[start + 1] !== 0) return;
  found.at = start + 6;
  found.end = Math.min(end, found.at + u16(bytes, start + 4));
  readPppProtocol(bytes, found);
};

/** Behind a byte that states the direction. */
function withDirection(reader: Reader): Reader {
  return (bytes, start, end, found) => {
    if (end - start < 1) return;
    found.at = start + 1;
    reader(bytes, start + 1, end, found);
  };
}

/** Linux "cooked" captures: the protocol is an EtherType, except where the device is no network of that kind. */
function cooked(size: number, typeAt: number): Reader {
  return (bytes, start, end, found) => {
    if (end - start < size) return;
    found.at = start + size;
    const type = u16(bytes, start + typeAt);
    if (type === 0x0004) readLlc(bytes, found);
    else found.next = protocolOf(type);
  };
}

/** Token Ring (IEEE 802.5): with a route in the frame where the source address says so. */
const TOKEN_RING: Reader = (bytes, start, end, found) => {
  if (end - start < 22) return;
  const route = (bytes[start + 8]! & 0x80) === 0 ? 0 : bytes[start + 14]! & 0x1f;
  found.at = start + 14 + route;
  if (found.at <= end) readLlc(bytes, found);
};

/** FDDI: only frames with LLC hold packets (frame control 01x1 xxxx). */
const FDDI: Reader = (bytes, start, end, found) => {
  if (end - start < 21 || (bytes[start]! & 0x70) !== 0x50) return;
  found.at = start + 13;
  readLlc(bytes, found);
};

/** RFC 2684 §5.1: LLC, or a bridged Ethernet frame (OUI 00-80-c2). */
const ATM: Reader = (bytes, start, end, found) => {
  const isBridged =
    end - start >= 10 &&
    bytes[start] === 0xaa &&
    bytes[start + 3] === 0 &&
    u16(bytes, start + 4) === 0x80c2 &&
    (bytes[start + 7] === 1 || bytes[start + 7] === 7);
  if (!isBridged) return readLlc(bytes, found);
  found.at = start + 10;
  found.next = NEXT.ethernet;
};

/** OpenBSD's IPsec device: family, SPI and flags. */
const ENC: Reader = (bytes, start, end, found) => {
  if (end - start < 12) return;
  NULL(bytes, start, end, found);
  found.at = start + 12;
};

/** A packet filter's log: its own length, rounded up to words, then the family. */
const PFLOG: Reader = (bytes, start, end, found) => {
  if (end - start < 4) return;
  found.at = start + ((bytes[start]! + 3) & ~3);
  const family = bytes[start + 1];
  if (family === 2) found.next = 0x0800;
  else if (family === 24 || family === 28 || family === 30) found.next = 0x86dd;
};

/** Solaris' view of IP: version 1, family, then zones and interface. */
const IPNET: Reader = (bytes, start, end, found) => {
  if (end - start < 24) return;
  found.at = start + 24;
  if (bytes[start + 1] === 2) found.next = 0x0800;
  else if (bytes[start + 1] === 26) found.next = 0x86dd;
};

/** Netfilter's log: attributes in the order of the machine that captured; one of them is the packet. */
const NFLOG: Reader = (bytes, start, end, found) => {
  const PAYLOAD = 9;
  if (end - start < 8 || bytes[start + 1] !== 0) return;
  const first = u16Little(bytes, start + 4);
  const isLittle = first >= 4 && first <= end - start - 4;
  let at = start + 4;
  while (end - at >= 4) {
    const size = isLittle ? u16Little(bytes, at) : u16(bytes, at);
    const type = (isLittle ? u16Little(bytes, at + 2) : u16(bytes, at + 2)) & 0x7fff;
    if (size < 4 || size > end - at) return;
    if (type === PAYLOAD) {
      found.at = at + 4;
      found.end = at + size;
      // Families without a packet of IP (bridge, ARP) have a payload, too.
      if (bytes[start] === 2) found.next = 0x0800;
      else if (bytes[start] === 10) found.next = 0x86dd;
      else if (bytes[start] === 7 && size >= 18) found.next = NEXT.ethernet;
      return;
    }
    at += (size + 3) & ~3;
  }
};

/** macOS: a header in the machine's order with a link type of its own in it. */
const PKTAP: Reader = (bytes, start, end, found) => {
  if (end - start < 12) return;
  const size = u32Little(bytes, start);
  const linkType = u32Little(bytes, start + 8);
  if (size < 12 || size > end - start || linkType === LINKTYPE.PKTAP) return;
  if (!readLinkHeader(bytes, start + size, end, linkType, found))
    found.reason = `link type ${linkType} in PKTAP`;
};

/** Per-packet information in front of another link type. */
const PPI: Reader = (bytes, start, end, found) => {
  if (end - start < 8) return;
  const size = u16Little(bytes, start + 2);
  const linkType = u32Little(bytes, start + 4);
  if (size < 8 || size > end - start || linkType === LINKTYPE.PPI) return;
  // Field type 2, "802.11-Common": bit 0 of its flags says that there is a frame check sequence.
  let hasFcs = false;
  for (let at = start + 8; at + 4 <= start + size; at += 4 + u16Little(bytes, at + 2)) {
    if (u16Little(bytes, at) === 2 && at + 14 <= end) hasFcs = (bytes[at + 12]! & 1) !== 0;
  }
  const frameEnd = hasFcs && linkType === LINKTYPE.IEEE802_11 ? end - 4 : end;
  if (!readLinkHeader(bytes, start + size, Math.max(start + size, frameEnd), linkType, found)) {
    found.reason = `link type ${linkType} in PPI`;
  }
};

/** Prism's header, or AVS' under the same number (its magic is 802.11's version and 0x80211001). */
const PRISM: Reader = (bytes, start, end, found) => {
  if (end - start < 8) return;
  if (u16(bytes, start) === 0x8021) return AVS(bytes, start, end, found);
  const size = u32Little(bytes, start + 4);
  found.at = start + (size >= 8 && size <= end - start ? size : 144);
  if (found.at <= end) readIeee80211(bytes, found);
};

const AVS: Reader = (bytes, start, end, found) => {
  if (end - start < 8) return;
  found.at = start + ((u16(bytes, start + 4) << 16) | u16(bytes, start + 6));
  if (found.at > start && found.at <= end) readIeee80211(bytes, found);
  else found.at = end;
};

const RADIOTAP: Reader = (bytes, start, end, found) => {
  if (radiotap(bytes, start, end, found)) readIeee80211(bytes, found);
};

const READERS: Readonly<Record<number, Reader>> = {
  [LINKTYPE.NULL]: NULL,
  [LINKTYPE.ETHERNET]: fixed(0, NEXT.ethernet),
  [LINKTYPE.IEEE802_5]: TOKEN_RING,
  [LINKTYPE.PPP]: PPP_HDLC,
  [LINKTYPE.FDDI]: FDDI,
  [LINKTYPE.DLT_RAW]: fixed(0, NEXT.ip),
  [LINKTYPE.DLT_RAW_OPENBSD]: fixed(0, NEXT.ip),
  [LINKTYPE.PPP_HDLC]: PPP_HDLC,
  [LINKTYPE.PPP_ETHER]: PPP_ETHER,
  [LINKTYPE.ATM_RFC1483]: ATM,
  [LINKTYPE.RAW]: fixed(0, NEXT.ip),
  [LINKTYPE.C_HDLC]: C_HDLC,
  [LINKTYPE.IEEE802_11]: (bytes, _start, _end, found) => readIeee80211(bytes, found),
  [LINKTYPE.LOOP]: NULL,
  [LINKTYPE.ENC]: ENC,
  [LINKTYPE.LINUX_SLL]: cooked(16, 14),
  [LINKTYPE.PFLOG]: PFLOG,
  [LINKTYPE.IEEE802_11_PRISM]: PRISM,
  [LINKTYPE.IP_OVER_FC]: (bytes, start, end, found) => {
    if (end - start < 16) return;
    found.at = start + 16;
    readLlc(bytes, found);
  },
  [LINKTYPE.IEEE802_11_RADIOTAP]: RADIOTAP,
  [LINKTYPE.APPLE_IP_OVER_IEEE1394]: withEtherType(18, 16),
  [LINKTYPE.IEEE802_11_AVS]: AVS,
  [LINKTYPE.PPI]: PPI,
  [LINKTYPE.PPP_WITH_DIR]: withDirection(PPP),
  [LINKTYPE.C_HDLC_WITH_DIR]: withDirection(C_HDLC),
  [LINKTYPE.MPLS]: fixed(0, 0x8847),
  [LINKTYPE.IPNET]: IPNET,
  [LINKTYPE.IPV4]: fixed(0, 0x0800),
  [LINKTYPE.IPV6]: fixed(0, 0x86dd),
  [LINKTYPE.NFLOG]: NFLOG,
  [LINKTYPE.PKTAP]: PKTAP,
  [LINKTYPE.LINUX_SLL2]: cooked(20, 0),
};
