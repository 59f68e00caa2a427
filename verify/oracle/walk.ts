/**
 * The oracle's own way through the headers that carry no checksum: Ethernet, tags, LLC, MPLS, PPP, and the tunnels over
 * UDP, GRE and IP. It shares nothing with the decoder of `sim/packet/`; `walk.test.ts` compares where both arrive, so
 * that neither follows a tunnel that the other does not.
 *
 * `cursor` is where the next header starts, `limit` where the bytes end that it may use. Each step moves the cursor and
 * returns what comes next.
 */

import { bodyOfDataFrame } from '../../corpus/formats/link-80211.ts';
import { UNKNOWN } from './found.ts';

/** What comes next in the packet. */
export const NEXT = {
  stop: 0,
  ethernet: 1,
  ipv4: 2,
  ipv6: 3,
  mpls: 4,
  ppp: 5,
  nsh: 6,
  /** An IP protocol in something other than IP: `carried` says which. */
  transport: 7,
} as const;

const { stop: STOP, ethernet: ETHERNET, ipv4: IPV4, ipv6: IPV6, mpls: MPLS, ppp: PPP, nsh: NSH } = NEXT;

const TYPE = {
  ipv4: 0x0800,
  tag: 0x8100,
  serviceTag: 0x88a8,
  oldTag: 0x9100,
  olderTag: 0x9200,
  ipv6: 0x86dd,
  arp: 0x0806,
  bridged: 0x6558,
  mpls: 0x8847,
  mplsMulticast: 0x8848,
  pppoeDiscovery: 0x8863,
  pppoeSession: 0x8864,
  itag: 0x88e7,
  nsh: 0x894f,
  fabricPath: 0x8903,
  erspan: 0x88be,
  erspan3: 0x22eb,
  hsr: 0x892f,
  redundancy: 0xf1c1,
} as const;

/** Those behind which the walk goes on: all but IP itself, tags and ARP. */
export const ETHER_TYPES_FOLLOWED: readonly number[] = [
  TYPE.bridged,
  TYPE.mpls,
  TYPE.mplsMulticast,
  TYPE.pppoeDiscovery,
  TYPE.pppoeSession,
  TYPE.itag,
  TYPE.nsh,
  TYPE.fabricPath,
  TYPE.erspan,
  TYPE.erspan3,
  TYPE.hsr,
  TYPE.redundancy,
];

/** IP protocols, other than TCP, UDP, ICMP and IP itself, that have a checksum or carry packets. */
export const IP_PROTOCOLS_FOLLOWED: readonly number[] = [2, 33, 47, 51, 89, 97, 103, 112, 115, 132, 136, 137];

/** Below this an EtherType is the length of a frame with LLC (IEEE 802.3 §3.2.6). */
const LEAST_TYPE = 0x0600;

const isTag = (type: number): boolean =>
  type === TYPE.tag || type === TYPE.serviceTag || type === TYPE.oldTag || type === TYPE.olderTag;

/** Ports by which UDP announces what it carries; those at the end carry no packet, or are not followed. */
const PORT = {
  vxlan: 4789,
  vxlanLinux: 8472,
  vxlanGpe: 4790,
  geneve: 6081,
  gtpu: 2152,
  mpls: 6635,
  gre: 4754,
  teredo: 3544,
  capwap: 5247,
  gue: 6080,
  l2tp: 1701,
  dns: 53,
  mdns: 5353,
  quic: 443,
  lisp: 4341,
  amt: 2268,
  espInUdp: 4500,
  lwapp: 12222,
  roce: 4791,
  tzsp: 37008,
  sctp: 9899,
  dccp: 6511,
} as const;

/** Ports of what carries packets, or has a checksum of its own, and is not followed. */
export const UDP_PORTS_NOT_FOLLOWED: readonly number[] = [
  PORT.amt,
  PORT.espInUdp,
  PORT.lwapp,
  PORT.roce,
  PORT.tzsp,
  PORT.sctp,
  PORT.dccp,
];

/**
 * Ports that are destinations only: the source port of such a packet stands for a flow (RFC 7348 §5, RFC 7510 §3, RFC 8086 §3.1, RFC 8926
 * §3.3, RFC 9300 §5.3), and answers come to the same port.
 */
const DESTINATIONS: readonly number[] = [
  PORT.vxlan,
  PORT.vxlanLinux,
  PORT.vxlanGpe,
  PORT.geneve,
  PORT.mpls,
  PORT.gre,
  PORT.lisp,
];

/** Ports of what carries packets, with which a datagram may come from whatever port and be answered to this one. */
export const TUNNEL_PORTS: ReadonlySet<number> = new Set(
  Object.values(PORT).filter((port) => port !== PORT.dns && port !== PORT.mdns && port !== PORT.quic),
);

/** IP in IP, GRE, EtherIP, MPLS: what needs no addresses of the header around it. */
const IN_GUE: ReadonlySet<number> = new Set([4, 41, 47, 97, 137]);

/** A bit for each port, set for those above: asked twice for nearly every UDP header, so it has to stay in the cache. */
const knownPorts = portBits(Object.values(PORT));
const answeringPorts = portBits(Object.values(PORT).filter((port) => !DESTINATIONS.includes(port)));

function portBits(ports: readonly number[]): Int32Array {
  const bits = new Int32Array(0x1_0000 / 32);
  for (const port of ports) bits[port >>> 5]! |= 1 << (port & 31);
  return bits;
}

function isIn(bits: Int32Array, port: number): boolean {
  return ((bits[port >>> 5]! >>> (port & 31)) & 1) !== 0;
}

/** The UDP ports that say what is carried: a tunnel, or nothing that has a checksum. All others are looked into. */
export const UDP_PORT_KINDS: ReadonlyMap<number, 'nothing' | 'tunnel'> = new Map(
  Object.values(PORT).map((port) => [
    port,
    port === PORT.dns || port === PORT.mdns || port === PORT.quic ? 'nothing' : 'tunnel',
  ]),
);

/** Tunnels may go without a checksum over IPv6 (RFC 6935 §5); that RoCE does is InfiniBand's rule (`prepare_udp_hdr`, drivers/infiniband/sw/rxe/rxe_net.c). */
export function isTunnelPort(port: number): boolean {
  switch (port) {
    case PORT.vxlan:
    case PORT.vxlanLinux:
    case PORT.vxlanGpe:
    case PORT.geneve:
    // RFC 7510 §3.1, RFC 8086 §6.2.
    case PORT.mpls:
    case PORT.gre:
    // RFC 9300 §5.3.
    case PORT.lisp:
    // RFC 6935 §1.
    case PORT.amt:
    // Linux sends none unless told to (`encap-csum6`, net/ipv6/fou6.c).
    case PORT.gue:
    // `udp6zerocsumtx`, net/l2tp/l2tp_core.c.
    case PORT.l2tp:
    case PORT.gtpu:
    case PORT.roce:
      return true;
    default:
      return false;
  }
}

/** What is protected is so for the compiler only: the check that `#names` ask for at every access costs a fifth of the scan. */
export class PacketWalk {
  protected arena: Uint8Array = new Uint8Array(0);
  protected cursor = 0;
  protected limit = 0;
  /** The IP protocol of what comes next, where that is `transport`. */
  protected carried = 0;

  /** One header that carries no checksum. */
  protected step(next: number): number {
    switch (next) {
      case ETHERNET:
        return this.ethernet();
      case MPLS:
        return this.mpls();
      case PPP:
        return this.ppp();
      case NSH:
        return this.nsh();
      default:
        return STOP;
    }
  }

  protected u16(at: number): number {
    return (this.arena[at]! << 8) | this.arena[at + 1]!;
  }

  /** Steps over so many bytes. @returns false where they are not there */
  private skip(size: number): boolean {
    if (this.limit - this.cursor < size) return false;
    this.cursor += size;
    return true;
  }

  /** Steps over a header that has a frame behind it. */
  private over(size: number, next: number): number {
    return this.skip(size) ? next : STOP;
  }

  protected ethernet(): number {
    if (!this.skip(14)) return STOP;
    const type = this.u16(this.cursor - 2);
    // What most frames carry, before anything else is asked.
    if (this.cursor < this.limit) {
      if (type === TYPE.ipv4) return IPV4;
      if (type === TYPE.ipv6) return IPV6;
    }
    return this.announced(type);
  }

  /** `cursor` is behind an EtherType, which may also be a length. */
  private announced(type: number): number {
    return type < LEAST_TYPE ? this.llc(type) : this.etherType(type);
  }

  /** `cursor` is behind the EtherType of a frame, or of what takes its numbers from there. */
  protected etherType(type: number): number {
    while (isTag(type)) {
      if (!this.skip(4)) return STOP;
      type = this.u16(this.cursor - 2);
      if (type < LEAST_TYPE) return this.llc(type);
    }
    if (this.cursor === this.limit) return STOP;
    switch (type) {
      case TYPE.ipv4:
        return IPV4;
      case TYPE.ipv6:
        return IPV6;
      case TYPE.bridged:
        return ETHERNET;
      case TYPE.mpls:
      case TYPE.mplsMulticast:
        return MPLS;
      case TYPE.pppoeSession:
      case TYPE.pppoeDiscovery:
        return this.pppoe();
      case TYPE.itag:
        // The frame inside begins with its own addresses, without a length (IEEE 802.1Q §9.7).
        return this.skip(18) ? this.announced(this.u16(this.cursor - 2)) : STOP;
      case TYPE.hsr:
      case TYPE.redundancy:
        // A tag with the type of what follows at its end, which may be a length (IEC 62439-3 §5, IEEE 802.1CB §7.8).
        return this.skip(6) ? this.announced(this.u16(this.cursor - 2)) : STOP;
      case TYPE.nsh:
        return NSH;
      case TYPE.fabricPath:
        return this.over(2, ETHERNET);
      case TYPE.erspan:
        return this.erspan(1, 8);
      case TYPE.erspan3:
        return this.erspan3();
      default:
        this.unknown(UNKNOWN.etherType, type);
        return STOP;
    }
  }

  /** Called where a protocol is not followed. */
  protected unknown(_space: number, _number: number): void {}

  /** LLC, with SNAP where it says so (IEEE 802.2, RFC 1042); its frame's length leaves padding out. */
  private llc(length: number): number {
    const at = this.cursor;
    this.limit = Math.min(this.limit, at + length);
    if (this.limit - at < 3) return STOP;
    // Control takes one byte in unnumbered frames, else two.
    const isUnnumbered = (this.arena[at + 2]! & 3) === 3;
    if (!this.skip(isUnnumbered ? 3 : 4)) return STOP;
    switch (this.arena[at]) {
      case 0x06:
        return this.cursor < this.limit ? IPV4 : STOP;
      case 0xaa:
        return this.snap();
      default:
        // Both ends speak the same protocol; the last bit of the source tells answers (IEEE 802.2 §3.3.1.2).
        if ((this.arena[at]! ^ this.arena[at + 1]!) < 2) this.unknown(UNKNOWN.llcSap, this.arena[at]!);
        return STOP;
    }
  }

  private snap(): number {
    const at = this.cursor;
    if (!this.skip(5)) return STOP;
    const organization = (this.u16(at) << 8) | this.arena[at + 2]!;
    const type = this.u16(at + 3);
    // RFC 1042, and what bridges turn Ethernet II into (IEEE 802.1H).
    if (organization === 0 || organization === 0x0000f8) return this.etherType(type);
    // Bridged Ethernet with and without its check sequence (RFC 2684 §5.2).
    if (organization === 0x0080c2 && (type === 1 || type === 7)) {
      return this.cursor < this.limit ? ETHERNET : STOP;
    }
    this.unknown(UNKNOWN.snap, organization * 0x1_0000 + type);
    return STOP;
  }

  private mpls(): number {
    for (;;) {
      if (!this.skip(4)) return STOP;
      if ((this.arena[this.cursor - 2]! & 1) !== 0) return this.belowLabels();
    }
  }

  /** IP, or an Ethernet pseudowire, whose control word begins with four zeros (RFC 4385 §3, RFC 4448 §4.6). */
  private belowLabels(): number {
    const at = this.cursor;
    if (at >= this.limit) return STOP;
    const first = this.arena[at]! >> 4;
    // A frame's address may begin like a version.
    if (first === 4 || first === 6)
      return !this.isPacket(at, false) && this.isFrame(at) ? ETHERNET : this.byVersion();
    if (first === 0 && this.isFrame(at + 4)) return this.over(4, ETHERNET);
    return this.isFrame(at) ? ETHERNET : STOP;
  }

  /** Where nothing says what follows, the first four bits do (RFC 4928 §3). */
  private byVersion(): number {
    if (this.cursor >= this.limit) return STOP;
    const version = this.arena[this.cursor]! >> 4;
    return version === 4 ? IPV4 : version === 6 ? IPV6 : STOP;
  }

  /** Version 1, type 1, session data (RFC 2516 §4). */
  private pppoe(): number {
    const at = this.cursor;
    if (!this.skip(6) || this.arena[at] !== 0x11 || this.arena[at + 1] !== 0) return STOP;
    this.limit = Math.min(this.limit, at + 6 + this.u16(at + 4));
    return PPP;
  }

  private ppp(): number {
    if (!this.skip(2)) return STOP;
    if (this.cursor === this.limit) return STOP;
    switch (this.u16(this.cursor - 2)) {
      case 0x0021:
        return IPV4;
      case 0x0057:
        return IPV6;
      case 0x0281:
      case 0x0283:
        return MPLS;
      default:
        this.unknown(UNKNOWN.pppProtocol, this.u16(this.cursor - 2));
        return STOP;
    }
  }

  /** RFC 8300 §2.2. */
  private nsh(): number {
    const at = this.cursor;
    if (this.limit - at < 8 || this.arena[at]! >> 6 !== 0) return STOP;
    const size = (this.arena[at + 1]! & 0x3f) * 4;
    if (size < 8 || !this.skip(size) || this.cursor === this.limit) return STOP;
    return nshProtocol(this.arena[at + 3]!);
  }

  private erspan(version: number, size: number): number {
    if (this.limit - this.cursor < size || this.arena[this.cursor]! >> 4 !== version) return STOP;
    this.cursor += size;
    return this.cursor < this.limit ? ETHERNET : STOP;
  }

  /** 12 bytes, and 8 more with a subheader; frames are of several types (draft-foschiano-erspan-03 §4.3). */
  private erspan3(): number {
    const at = this.cursor;
    if (this.limit - at < 12 || this.arena[at]! >> 4 !== 2) return STOP;
    const type = (this.arena[at + 10]! >> 2) & 0x1f;
    if (!this.skip((this.arena[at + 11]! & 1) !== 0 ? 20 : 12)) return STOP;
    if (this.cursor === this.limit) return STOP;
    return type === 0 ? ETHERNET : type === 2 ? this.byVersion() : STOP;
  }

  /** RFC 2784 with the key and sequence number of RFC 2890; routing (RFC 1701) and version 1 (PPTP) are not followed. */
  protected gre(): number {
    const at = this.cursor;
    const flags = this.u16(at);
    const words = 1 + (flags >> 15) + ((flags >> 13) & 1) + ((flags >> 12) & 1);
    if (!this.skip(words * 4)) return STOP;
    const type = this.u16(at + 2);
    // Without a sequence number, ERSPAN has no header either: type I.
    if (type === TYPE.erspan && (flags & 0x1000) === 0) return this.cursor < this.limit ? ETHERNET : STOP;
    return this.etherType(type);
  }

  /** Version 3 (RFC 3378). */
  protected etherIp(): number {
    return this.arena[this.cursor]! >> 4 === 3 ? this.over(2, ETHERNET) : STOP;
  }

  protected mplsInIp(): number {
    return MPLS;
  }

  /** Session, cookie and sublayer of lengths that only the ends know (RFC 3931 §4.1): the frame is looked for behind them. */
  protected l2tpSession(): number {
    const at = this.cursor;
    // Session 0: control messages.
    if (!this.skip(4) || (this.u16(at) | this.u16(at + 2)) === 0) return STOP;
    for (let cookie = 0; cookie <= 12; cookie += 4) {
      if (!this.isFrame(at + 4 + cookie)) continue;
      this.cursor = at + 4 + cookie;
      return ETHERNET;
    }
    return STOP;
  }

  /** What UDP carries, by its ports, or else by its looks. `cursor` is at the UDP header, `limit` where its data ends. */
  protected udpTunnel(): number {
    const at = this.cursor;
    if (!this.skip(8) || this.cursor === this.limit) return STOP;
    const destination = this.u16(at + 2);
    if (isIn(knownPorts, destination)) return this.byPort(destination);
    const source = this.u16(at);
    return isIn(answeringPorts, source) ? this.byPort(source) : this.byLooks();
  }

  private byPort(port: number): number {
    switch (port) {
      case PORT.vxlan:
      case PORT.vxlanLinux:
        return this.vxlan();
      case PORT.vxlanGpe:
        return this.vxlanGpe();
      case PORT.geneve:
        return this.geneve();
      case PORT.gtpu:
        return this.gtpu();
      case PORT.lisp:
        return this.lisp();
      case PORT.mpls:
        return MPLS;
      case PORT.gre:
        this.carried = 47;
        return NEXT.transport;
      case PORT.teredo:
        return this.teredo();
      case PORT.capwap:
        return this.capwap();
      case PORT.gue:
        return this.gue();
      case PORT.l2tp:
        return this.l2tpOverUdp();
      case PORT.dns:
      case PORT.mdns:
      case PORT.quic:
        return STOP;
      default:
        return this.notFollowed(port);
    }
  }

  /** What the other port says, or what it looks like, still counts. */
  private notFollowed(port: number): number {
    const header = this.cursor - 8;
    const source = this.u16(header);
    const isOther =
      port === this.u16(header + 2) &&
      isIn(answeringPorts, source) &&
      !UDP_PORTS_NOT_FOLLOWED.includes(source);
    const next = isOther ? this.byPort(source) : this.byLooks();
    if (next === STOP) this.unknown(UNKNOWN.udpPort, port);
    return next;
  }

  /** VXLAN on another port, and IP right behind UDP ("foo over UDP"): only what can hardly be something else. */
  private byLooks(): number {
    const at = this.cursor;
    const first = this.arena[at]!;
    if (first >> 4 === 4 || first >> 4 === 6) return this.isPacket(at, true) ? this.byVersion() : STOP;
    if (first !== 0x08 && first !== 0x0c) return STOP;
    if (this.limit - at < 8 || this.u16(at + 1) !== 0 || this.arena[at + 7] !== 0) return STOP;
    const inner = this.arena[at + 3]!;
    if (first === 0x08) return inner === 0 && this.isFrame(at + 8) ? this.over(8, ETHERNET) : STOP;
    if (inner === 3) return this.isFrame(at + 8) ? this.over(8, ETHERNET) : STOP;
    const version = inner === 1 ? 4 : inner === 2 ? 6 : 0;
    if (version === 0 || at + 8 >= this.limit || this.arena[at + 8]! >> 4 !== version) return STOP;
    return this.isPacket(at + 8, false) ? this.over(8, nshProtocol(inner)) : STOP;
  }

  /**
   * Do the bytes from `at` on look like what a tunnel on a port of its own carries? A packet of IP says so by its length alone: not all
   * of the datagram need be there.
   * @param size of the datagram's data, as it claims
   */
  protected looksCarried(at: number, size: number): boolean {
    const { cursor, limit } = this;
    const end = Math.min(limit, at + size);
    if (end <= at) return false;
    const first = this.arena[at]!;
    const version = first >> 4;
    if (version === 4) {
      const headerSize = (first & 15) * 4;
      return end - at >= 4 && this.u16(at + 2) === size && headerSize >= 20 && headerSize <= size;
    }
    if (version === 6) return end - at >= 6 && 40 + this.u16(at + 4) === size;
    this.cursor = at;
    this.limit = end;
    const next = this.byLooks();
    this.cursor = cursor;
    this.limit = limit;
    return next !== STOP;
  }

  /** Could an IP packet stand here? `exactly`: to the last byte. */
  private isPacket(at: number, exactly: boolean): boolean {
    const left = this.limit - at;
    if (left < 20) return false;
    const bytes = this.arena;
    const version = bytes[at]! >> 4;
    let size: number;
    if (version === 4) {
      size = this.u16(at + 2);
      if ((bytes[at]! & 15) < 5 || size < (bytes[at]! & 15) * 4) return false;
    } else if (version === 6 && left >= 40) size = 40 + this.u16(at + 4);
    else return false;
    return exactly ? size === left : size <= left;
  }

  /** Could an Ethernet frame with IP or ARP stand here? */
  private isFrame(start: number): boolean {
    let at = start + 12;
    while (at + 6 <= this.limit && isTag(this.u16(at))) at += 4;
    if (at + 2 > this.limit) return false;
    const type = this.u16(at);
    if (type === TYPE.arp)
      return this.limit - at >= 30 && this.u16(at + 2) === 1 && this.u16(at + 4) === TYPE.ipv4;
    if (type !== TYPE.ipv4 && type !== TYPE.ipv6) return false;
    if (at + 2 >= this.limit || this.arena[at + 2]! >> 4 !== (type === TYPE.ipv4 ? 4 : 6)) return false;
    return this.isPacket(at + 2, false);
  }

  /** RFC 7348 §5: the I flag must be set. */
  private vxlan(): number {
    if (this.limit - this.cursor < 8 || (this.arena[this.cursor]! & 0x08) === 0) return STOP;
    this.cursor += 8;
    return this.cursor < this.limit ? ETHERNET : STOP;
  }

  /** draft-ietf-nvo3-vxlan-gpe §3.1; without the P flag it is plain VXLAN. */
  private vxlanGpe(): number {
    const at = this.cursor;
    if (this.limit - at < 8 || (this.arena[at]! & 0x30) !== 0) return STOP;
    const inner = (this.arena[at]! & 0x04) === 0 ? 3 : this.arena[at + 3]!;
    this.cursor += 8;
    return this.cursor < this.limit ? nshProtocol(inner) : STOP;
  }

  /** RFC 8926 §3.4: version 0, options in words of four bytes. */
  private geneve(): number {
    const at = this.cursor;
    if (this.limit - at < 8) return STOP;
    const first = this.arena[at]!;
    if (first >> 6 !== 0 || !this.skip(8 + (first & 0x3f) * 4)) return STOP;
    return this.etherType(this.u16(at + 2));
  }

  /** 3GPP TS 29.281 §5: version 1, a user's packet, behind any extension headers. */
  private gtpu(): number {
    const bytes = this.arena;
    const at = this.cursor;
    if (this.limit - at < 8 || bytes[at]! >> 4 !== 3) return STOP;
    const flags = bytes[at]! & 7;
    this.limit = Math.min(this.limit, at + 8 + this.u16(at + 2));
    if (bytes[at + 1] !== 0xff || !this.skip(flags === 0 ? 8 : 12)) return STOP;
    let extension = flags === 0 || (flags & 4) === 0 ? 0 : bytes[this.cursor - 1]!;
    while (extension !== 0) {
      const start = this.cursor;
      const size = start < this.limit ? bytes[start]! * 4 : 0;
      if (size === 0 || !this.skip(size)) return STOP;
      extension = bytes[start + size - 1]!;
    }
    return this.byVersion();
  }

  /** RFC 9300 §5.1: IP, unless the packet is encrypted (RFC 8061 §7) or announced by a number (RFC 9305 §3). */
  private lisp(): number {
    return this.skip(8) && (this.arena[this.cursor - 8]! & 0x07) === 0 ? this.byVersion() : STOP;
  }

  /** RFC 4380 §5.1.1: authentication and origin may stand before the packet. */
  private teredo(): number {
    while (this.limit - this.cursor >= 4 && this.u16(this.cursor) <= 1) {
      const at = this.cursor;
      const size = this.u16(at) === 0 ? 8 : 13 + this.arena[at + 2]! + this.arena[at + 3]!;
      if (!this.skip(size)) return STOP;
    }
    return this.cursor < this.limit && this.arena[this.cursor]! >> 4 === 6 ? IPV6 : STOP;
  }

  /** RFC 5415 §4.3: frames of Ethernet or 802.11 in data packets that are neither encrypted nor fragments. */
  private capwap(): number {
    const at = this.cursor;
    if (this.limit - at < 8 || this.arena[at] !== 0) return STOP;
    const size = (this.arena[at + 1]! >> 3) * 4;
    if (size < 8 || !this.skip(size)) return STOP;
    // Fragments, and what keeps the channel alive.
    if ((this.arena[at + 3]! & 0x88) !== 0 || this.cursor === this.limit) return STOP;
    const isNative = (this.arena[at + 2]! & 1) !== 0;
    if (!isNative) return ETHERNET;
    // The wireless binding of 802.11 (RFC 5416 §1).
    return ((this.arena[at + 2]! >> 1) & 0x1f) === 1 ? this.wireless() : STOP;
  }

  /** IEEE 802.11-2020 §9.2; Cisco's access points send the two bytes of frame control the other way round. */
  private wireless(): number {
    const { arena, cursor: at, limit } = this;
    if (limit - at < 24) return STOP;
    const first = arena[at]!;
    const second = arena[at + 1]!;
    const isSwapped = (first & 3) !== 0 && (second & 0x0f) === 8;
    // There is no other version than 0.
    if (!isSwapped && (first & 3) !== 0) return STOP;
    const body = isSwapped
      ? bodyOfDataFrame(arena, at, limit, second, first, false)
      : bodyOfDataFrame(arena, at, limit, first, second, false);
    if (body < 0) return STOP;
    this.cursor = body;
    return this.llc(limit - body);
  }

  /** draft-ietf-intarea-gue §3: version 0 with an IP protocol, version 1 with IP itself. */
  private gue(): number {
    const at = this.cursor;
    const first = this.arena[at]!;
    if (first >> 6 === 1) return this.byVersion();
    if (first >> 6 !== 0 || this.limit - at < 4) return STOP;
    if (!this.skip(4 + (first & 0x1f) * 4) || (first & 0x20) !== 0) return STOP;
    const protocol = this.arena[at + 1]!;
    if (!IN_GUE.has(protocol) || this.cursor === this.limit) return STOP;
    this.carried = protocol;
    return NEXT.transport;
  }

  /** Data messages of version 2, and of version 3 (RFC 3931 §4.1.2.1). */
  private l2tpOverUdp(): number {
    const at = this.cursor;
    if (this.limit - at >= 2 && (this.arena[at + 1]! & 15) === 2) return this.l2tpv2();
    if (this.limit - at < 8 || (this.u16(at) & 0x800f) !== 3) return STOP;
    this.cursor += 4;
    return this.l2tpSession();
  }

  /** RFC 2661 §3.1: flags, a length, tunnel and session, two sequence numbers, an offset; then PPP. */
  private l2tpv2(): number {
    const at = this.cursor;
    const flags = this.u16(at);
    const hasLength = (flags & 0x4000) !== 0;
    const hasOffset = (flags & 0x0200) !== 0;
    const size = 6 + (hasLength ? 2 : 0) + ((flags & 0x0800) !== 0 ? 4 : 0) + (hasOffset ? 2 : 0);
    if ((flags & 0x8000) !== 0 || !this.skip(size)) return STOP;
    if (hasLength) this.limit = Math.min(this.limit, at + this.u16(at + 2));
    if (this.limit <= this.cursor || (hasOffset && !this.skip(this.u16(at + size - 2)))) return STOP;
    return this.pppInTunnel();
  }

  /** Address and control, and the first byte of the protocol, may be left out (RFC 1661 §6.5 and §6.6). */
  private pppInTunnel(): number {
    if (this.limit - this.cursor >= 2 && this.u16(this.cursor) === 0xff03) this.cursor += 2;
    if (this.cursor >= this.limit) return STOP;
    const first = this.arena[this.cursor]!;
    if ((first & 1) === 0) return PPP;
    this.cursor++;
    if (this.cursor === this.limit) return STOP;
    return first === 0x21 ? IPV4 : first === 0x57 ? IPV6 : STOP;
  }

  /** A PIM register carries a packet behind 8 bytes (RFC 7761 §4.9.3). */
  protected pimRegister(): number {
    if ((this.arena[this.cursor]! & 15) !== 1 || !this.skip(8)) return STOP;
    return this.byVersion();
  }
}

/** "Next protocol" of NSH and VXLAN-GPE (RFC 8300 §2.2). */
function nshProtocol(number: number): number {
  switch (number) {
    case 1:
      return IPV4;
    case 2:
      return IPV6;
    case 3:
      return ETHERNET;
    case 4:
      return NSH;
    case 5:
      return MPLS;
    default:
      return STOP;
  }
}
