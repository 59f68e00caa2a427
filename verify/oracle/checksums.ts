/**
 * Finds every checksum of a packet and recomputes it from scratch: those of `CHECKSUM_LAYERS`, behind tags, inside all
 * tunnels that `walk.ts` follows, and in the packets that ICMP errors quote. On the way it can report the headers and
 * what they state about lengths.
 *
 * It shares no code with the programs, the models or the codecs, and makes no object per packet: what is found
 * stands in the scanner's own fields while the sink is called.
 */

import { NEXT as LINK_NEXT, LinkHeader } from '../../corpus/formats/link-header.ts';
import { readLinkHeader } from '../../corpus/formats/link-layer.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { finalDestinationAt } from '../../sim/packet/ipv4-options.ts';
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  type ChecksumSink,
  type FoundChecksum,
  type FoundHeader,
  HEADER,
  HEADER_FLAG,
  LAYER,
  PART,
  UNKNOWN,
} from './found.ts';
import { crcOfSctp, onesAdd, onesFold, onesSum, onesSum20 } from './sum.ts';
import { isTunnelPort, NEXT, PacketWalk } from './walk.ts';

export {
  CHECKSUM,
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type ChecksumLayer,
  type ChecksumSink,
  type ChecksumStatus,
  type FoundChecksum,
  type FoundHeader,
  HEADER,
  HEADER_FLAG,
  LAYER,
  PART,
  UNKNOWN,
} from './found.ts';

const { stop: STOP, ethernet: ETHERNET, ipv4: IPV4, ipv6: IPV6 } = NEXT;

const { whole: WHOLE, firstFragment: FIRST_FRAGMENT, laterFragment: LATER_FRAGMENT } = PART;

/** The least header of each kind of `LAYER`: a message shorter than that has no checksum to judge. */
const LEAST_HEADER = [20, 8, 8, 20, 8, 8, 12, 12, 8, 4, 8, 24, 16, 8, 4] as const;

/** The size of a header that is not all there: longer than any packet, and still a machine integer as infinity is not. */
const BEYOND = 0x4000_0000;

/**
 * Reusable; not reentrant. `verifyChecksums` keeps one for all. What is private is so for the compiler only: the
 * check that `#names` ask for at every access costs a fifth of the scan.
 */
export class ChecksumScanner extends PacketWalk implements FoundChecksum, FoundHeader {
  layer = 0;
  depth = 0;
  status = 0;
  at = -1;
  got = 0;
  expected = 0;
  sum = -1;
  start = 0;
  end = 0;
  addressLength = 0;
  source = 0;
  destination = 0;
  protocol = 0;
  length = 0;

  headerKind = 0;
  headerStart = 0;
  headerEnd = 0;
  claimedEnd = 0;
  room = 0;
  headerFlags = 0;
  part = 0;
  fragment = 0;

  private view: DataView = new DataView(this.arena.buffer);
  /** The arena before this one, and its view. */
  private lastArena: Uint8Array = this.arena;
  private lastView: DataView = this.view;
  private base = 0;
  /** The addresses of the innermost IP header so far, as places in the arena. */
  private ipSource = 0;
  private ipDestination = 0;
  private ipAddressLength = 0;
  /** False behind a routing header that hides the final destination. */
  private destinationKnown = true;
  /** `HEADER_FLAG.quoted` from the packet on that an ICMP error quotes. */
  private quoted = 0;
  private wantsHeaders = false;
  /** Is all there that the headers so far have claimed? */
  private isWhole = true;
  /** The extensions of an ICMP message, which are judged behind the packet that it quotes; -1: it has none. */
  private extensionAt = -1;
  private extensionEnd = 0;
  private extensionPart = 0;
  private isExtensionWhole = false;
  private sink: ChecksumSink | undefined;
  private readonly linkHeader = new LinkHeader();
  /**
   * Is an IP packet with a length of 0 that holds TCP taken to end with the frame? So the kernel hands over segments that are
   * longer than the field can state (BIG TCP), and those that it leaves to the network card to divide.
   */
  bigTcp = false;
  /** One bit for each kind of checksum that occurred: clearing a bit mask is cheaper than clearing `depths`. */
  private seen = 0;
  private readonly depths = new Int32Array(CHECKSUM_LAYERS.length);

  /** Packets as they came and as they left lie in two arenas, and come in turn: a view costs as much as a short packet. */
  private turnTo(bytes: Uint8Array): void {
    const { arena, view } = this;
    this.arena = this.lastArena;
    this.view = this.lastView;
    this.lastArena = arena;
    this.lastView = view;
    if (this.arena === bytes) return;
    this.arena = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reports every checksum of one packet, outermost first.
   * @param length the bytes that are there, which may be fewer than were on the wire
   * @param linkType what the packet begins with
   */
  scan(
    bytes: Uint8Array,
    offset: number,
    length: number,
    sink: ChecksumSink,
    linkType: number = LINKTYPE.ETHERNET,
  ): void {
    if (this.arena !== bytes) this.turnTo(bytes);
    if (this.sink !== sink) this.sink = sink;
    this.wantsHeaders = sink.header !== undefined;
    this.quoted = 0;
    this.base = offset;
    this.cursor = offset;
    this.limit = offset + length;
    this.seen = 0;
    this.isWhole = true;
    this.extensionAt = -1;
    let next = linkType === LINKTYPE.ETHERNET ? this.ethernet() : this.link(linkType, sink);
    // Tunnels and quoted packets follow one another in a single line, so a loop is enough.
    while (next !== STOP) {
      if (next === IPV4) next = this.ipv4(sink);
      else if (next === IPV6) next = this.ipv6(sink);
      else if (next === NEXT.transport)
        // Nothing in between states a length: what is cut off outside is cut off here.
        next = this.transport(sink, this.carried, this.limit - this.cursor + (this.isWhole ? 0 : 1), WHOLE);
      else next = this.step(next);
    }
    if (this.extensionAt >= 0) this.extension(sink);
  }

  private link(linkType: number, sink: ChecksumSink): number {
    const header = this.linkHeader;
    if (!readLinkHeader(this.arena, this.cursor, this.limit, linkType, header)) return STOP;
    this.cursor = header.at;
    this.limit = header.end;
    switch (header.next) {
      case LINK_NEXT.ethernet:
        return ETHERNET;
      case LINK_NEXT.ip:
        return this.arena[this.cursor]! >> 4 === 6 ? IPV6 : IPV4;
      case LINK_NEXT.nothing:
        if (header.reason !== '') sink.unreadable?.(header.reason);
        return STOP;
      default:
        return this.etherType(header.next);
    }
  }

  protected override unknown(space: number, number: number): void {
    this.sink?.unknown?.(space, number);
  }

  private ipv4(sink: ChecksumSink): number {
    const bytes = this.arena;
    const at = this.cursor;
    const available = this.limit - at;
    const headerLength = available > 0 ? (bytes[at]! & 0x0f) * 4 : 0;
    this.addressLength = 0;
    this.start = at - this.base;
    if (available < 20 || bytes[at]! >> 4 !== 4 || headerLength < 20 || headerLength > available) {
      if (this.wantsHeaders) {
        this.setFragment(0, 0);
        const flag = available < 20 ? HEADER_FLAG.cut : HEADER_FLAG.impossible;
        this.header(sink, HEADER.ipv4, at, Math.min(this.limit, at + 20), this.limit, flag);
      }
      this.end = this.limit - this.base;
      this.unverifiable(sink, LAYER.ipv4, available >= 12 ? at + 10 : -1);
      return STOP;
    }
    const stated = this.u16(at + 2);
    const total = stated === 0 && this.bigTcp && bytes[at + 9] === 6 ? available : stated;
    const fragment = this.u16(at + 6);
    const part =
      (fragment & 0x1fff) !== 0 ? LATER_FRAGMENT : (fragment & 0x2000) !== 0 ? FIRST_FRAGMENT : WHOLE;
    if (this.wantsHeaders) {
      this.setFragment(part, ((fragment & 0x1fff) << 3) | ((fragment >> 13) & 1));
      this.header(sink, HEADER.ipv4, at, at + headerLength, at + total, 0);
    }
    this.end = this.start + headerLength;
    const { view } = this;
    const sum = headerLength === 20 ? onesSum20(view, at) : onesSum(view, at, at + headerLength);
    this.report(sink, LAYER.ipv4, at + 10, sum);

    this.ipAddressLength = 4;
    this.ipSource = at + 12;
    this.ipDestination = headerLength > 20 ? finalDestinationAt(this.arena, at, headerLength) : at + 16;
    this.destinationKnown = true;
    this.cursor = at + headerLength;
    return this.transport(sink, bytes[at + 9]!, total - headerLength, part);
  }

  private ipv6(sink: ChecksumSink): number {
    const bytes = this.arena;
    const at = this.cursor;
    if (this.limit - at < 40 || bytes[at]! >> 4 !== 6) {
      if (this.wantsHeaders) {
        this.setFragment(0, 0);
        const flag = this.limit - at < 40 ? HEADER_FLAG.cut : HEADER_FLAG.impossible;
        this.header(sink, HEADER.ipv6, at, Math.min(this.limit, at + 40), this.limit, flag);
      }
      return STOP;
    }
    this.ipAddressLength = 16;
    this.ipSource = at + 8;
    this.ipDestination = at + 24;
    this.destinationKnown = true;
    let header = at + 40;
    let payload = this.u16(at + 4);
    let next = bytes[at + 6]!;
    if (payload === 0 && next === 0) payload = this.jumboLength(header);
    else if (payload === 0 && next === 6 && this.bigTcp) payload = this.limit - header;
    const claimedEnd = header + payload;
    const limit = Math.min(this.limit, claimedEnd);
    let part: number = WHOLE;
    let fragment = 0;
    for (;;) {
      let size: number;
      if (next === 0 || next === 60 || next === 43 || next === 135 || next === 139 || next === 140) {
        size = limit - header < 8 ? BEYOND : (bytes[header + 1]! + 1) * 8;
      } else if (next === 51) {
        // Without an integrity check value it is none (RFC 4302 §2).
        const words = limit - header < 8 ? 0 : bytes[header + 1]!;
        size = words === 0 ? BEYOND : (words + 2) * 4;
      } else if (next === 44) {
        size = 8;
      } else {
        break;
      }
      // The transport cannot be found where the chain of headers is truncated.
      if (header + size > limit || part === LATER_FRAGMENT) {
        if (this.wantsHeaders) {
          this.setFragment(part, fragment);
          const flag = part === LATER_FRAGMENT ? 0 : HEADER_FLAG.impossible;
          this.header(sink, HEADER.ipv6, at, Math.min(limit, header), claimedEnd, flag);
        }
        return STOP;
      }
      if (next >= 135) this.unknown(UNKNOWN.ipProtocol, next);
      if (next === 43) this.routing(header);
      else if (next === 60) this.homeAddress(header, size);
      else if (next === 44) {
        fragment = this.u16(header + 2) & 0xfff9;
        if ((fragment & 0xfff8) !== 0) part = LATER_FRAGMENT;
        else if ((fragment & 1) !== 0) part = FIRST_FRAGMENT;
      }
      next = bytes[header]!;
      header += size;
      payload -= size;
    }
    if (this.wantsHeaders) {
      this.setFragment(part, fragment);
      this.header(sink, HEADER.ipv6, at, header, claimedEnd, 0);
    }
    this.cursor = header;
    return this.transport(sink, next, payload, part);
  }

  private setFragment(part: number, fragment: number): void {
    this.part = part;
    this.fragment = fragment;
  }

  /** Reports a header; places are in the arena. `limit` is where the one around it ends. */
  private header(
    sink: ChecksumSink,
    kind: number,
    start: number,
    end: number,
    claimedEnd: number,
    flags: number,
  ): void {
    this.headerKind = kind;
    this.headerStart = start - this.base;
    this.headerEnd = end - this.base;
    this.claimedEnd = claimedEnd - this.base;
    this.room = this.limit - this.base;
    this.headerFlags = flags | this.quoted;
    sink.header!(this);
  }

  /** The same for a transport header, which may be truncated; `limit` is where its IP packet ends. */
  private transportHeader(sink: ChecksumSink, kind: number, size: number, claimed: number): void {
    const at = this.cursor;
    const available = this.limit - at;
    let headerSize = size;
    let flags = 0;
    if (available < size) flags = HEADER_FLAG.cut;
    else if (kind === HEADER.tcp) {
      headerSize = (this.arena[at + 12]! >> 4) * 4;
      if (headerSize < size || headerSize > available) {
        flags = HEADER_FLAG.impossible;
        headerSize = size;
      }
    }
    this.header(sink, kind, at, at + Math.min(headerSize, available), at + claimed, flags);
  }

  /** The length in a Jumbo Payload option (RFC 2675 §2), 0 where there is none. */
  private jumboLength(hopByHop: number): number {
    if (this.limit - hopByHop < 8) return 0;
    const option = this.option(hopByHop, (this.arena[hopByHop + 1]! + 1) * 8, 0xc2, 4);
    return option < 0 ? 0 : this.view.getUint32(option);
  }

  /** Mobile IPv6: the checksum is made with the home address as the source (RFC 6275 §11.3.1). */
  private homeAddress(header: number, size: number): void {
    const option = this.option(header, size, 0xc9, 16);
    if (option >= 0) this.ipSource = option;
  }

  /** Where the data of an option of this type and size begins, -1 where there is none (RFC 8200 §4.2). */
  private option(header: number, size: number, type: number, dataSize: number): number {
    const bytes = this.arena;
    const end = Math.min(header + size, this.limit);
    for (let at = header + 2; at + 1 < end; at += bytes[at] === 0 ? 1 : 2 + bytes[at + 1]!) {
      if (bytes[at] === type && bytes[at + 1] === dataSize && at + 2 + dataSize <= end) return at + 2;
    }
    return -1;
  }

  /** While segments are left, the final destination is in the routing header (RFC 8200 §8.1). */
  private routing(header: number): void {
    const bytes = this.arena;
    if (bytes[header + 3] === 0) return;
    const type = bytes[header + 2]!;
    const addresses = bytes[header + 1]! >> 1;
    if (addresses === 0) this.destinationKnown = false;
    else if (type === 0) this.ipDestination = header + 8 + 16 * (addresses - 1);
    else if (type === 2 || type === 4) this.ipDestination = header + 8;
    else this.destinationKnown = false;
  }

  /** `cursor` is at the IP payload, which claims to have `length` bytes. */
  private transport(sink: ChecksumSink, protocol: number, length: number, part: number): number {
    const at = this.cursor;
    const complete = length >= 0 && at + length <= this.limit;
    if (complete) this.limit = at + length;
    else {
      this.isWhole = false;
      if (length < 0) this.limit = at;
    }
    const available = this.limit - at;
    switch (protocol) {
      case 6:
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.tcp, 20, length);
        this.segment(sink, LAYER.tcp, 6, 16, length, complete, part);
        return STOP;
      case 17: {
        // The UDP length decides how much is summed; what the IP length says beyond it is not (RFC 768).
        // 0 in a jumbogram (RFC 2675 §4).
        const stated = available >= 6 && part !== LATER_FRAGMENT ? this.u16(at + 4) : length;
        const claimed = stated === 0 && length > 0xffff ? length : stated;
        const fits = claimed >= 8 && (part === WHOLE ? claimed <= length && claimed <= available : complete);
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.udp, 8, claimed);
        this.segment(sink, LAYER.udp, 17, 6, claimed, fits, part);
        if (part === LATER_FRAGMENT) return STOP;
        // What stands behind a datagram within its packet is none of its data (RFC 9868).
        if (claimed > available) this.isWhole = false;
        if (claimed >= 8) this.limit = Math.min(this.limit, at + claimed);
        else if (claimed !== 0) return STOP;
        return this.udpTunnel();
      }
      case 1:
        if (this.ipAddressLength !== 4) return this.notOfThisVersion(protocol, part);
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.icmp, 8, length);
        this.segment(sink, LAYER.icmp, 0, 2, length, complete, part);
        return part === LATER_FRAGMENT ? STOP : this.inIcmp(IPV4, complete, part);
      case 58:
        if (this.ipAddressLength !== 16) return this.notOfThisVersion(protocol, part);
        if (this.wantsHeaders && part !== LATER_FRAGMENT)
          this.transportHeader(sink, HEADER.icmpv6, 8, length);
        this.segment(sink, LAYER.icmpv6, 58, 2, length, complete, part);
        return part === LATER_FRAGMENT ? STOP : this.inIcmp(IPV6, complete, part);
      case 51: {
        const size = available >= 8 ? (this.arena[at + 1]! + 2) * 4 : 0;
        if (size < 12 || size > available || part === LATER_FRAGMENT) return STOP;
        this.cursor = at + size;
        return this.transport(sink, this.arena[at]!, length - size, part);
      }
      default:
        if (part === LATER_FRAGMENT) {
          if (protocol === 136) this.message(sink, LAYER.udplite, 136, 6, length, length, complete, part);
          return STOP;
        }
        return available === 0 ? STOP : this.otherTransport(sink, protocol, length, complete, part);
    }
  }

  /** ICMP over IPv6, or ICMPv6 over IPv4: nobody says what its checksum would cover. */
  private notOfThisVersion(protocol: number, part: number): number {
    if (part !== LATER_FRAGMENT && this.cursor < this.limit) this.unknown(UNKNOWN.ipProtocol, protocol);
    return STOP;
  }

  private otherTransport(
    sink: ChecksumSink,
    protocol: number,
    length: number,
    complete: boolean,
    part: number,
  ): number {
    const at = this.cursor;
    const available = this.limit - at;
    const isFour = this.ipAddressLength === 4;
    switch (protocol) {
      case 4:
        return IPV4;
      case 41:
        return IPV6;
      case 47:
        // Version 0, without the source routes of RFC 1701.
        if (available < 4 || (this.u16(at) & 0x4007) !== 0) {
          if (available >= 4) this.unknown(UNKNOWN.ipProtocol, 47);
          return STOP;
        }
        if ((this.arena[at]! & 0x80) !== 0)
          this.message(sink, LAYER.gre, 0, 4, length, length, complete, part);
        return this.gre();
      case 97:
        return this.etherIp();
      case 115:
        return this.l2tpSession();
      case 137:
        return this.mplsInIp();
      case 136: {
        // 0: all of it (RFC 3828 §3.1).
        const coverage = (available >= 6 ? this.u16(at + 4) : 0) || length;
        this.message(sink, LAYER.udplite, 136, 6, coverage < 8 ? -1 : coverage, length, complete, part);
        return STOP;
      }
      case 33: {
        const header = available >= 5 ? this.arena[at + 4]! * 4 : 0;
        const words = available >= 6 ? this.arena[at + 5]! & 15 : 0;
        // 0: all; 1: the header, and a word of data more for each further one (RFC 4340 §9.2).
        const covered = words === 0 ? length : Math.min(length, header + (words - 1) * 4);
        const fits = header >= 12 && header <= length;
        this.message(sink, LAYER.dccp, 33, 6, fits ? covered : -1, length, complete, part);
        return STOP;
      }
      case 132:
        this.sctp(sink, length, complete && part === WHOLE);
        return STOP;
      case 2:
        if (isFour) this.message(sink, LAYER.igmp, 0, 2, length, length, complete, part);
        else this.unknown(UNKNOWN.ipProtocol, protocol);
        return STOP;
      case 103:
        return this.pim(sink, length, complete, part);
      case 112:
        this.vrrp(sink, length, complete, part);
        return STOP;
      case 89:
        if (isFour && this.arena[at] === 2) this.ospf(sink, length, complete, part);
        else if (!isFour && this.arena[at] === 3) this.ospf3(sink, length, complete, part);
        else this.unknown(UNKNOWN.ipProtocol, protocol);
        return STOP;
      default:
        this.unknown(UNKNOWN.ipProtocol, protocol);
        return STOP;
    }
  }

  /** Of a register only the header is covered, but some cover all, and are to be accepted (RFC 7761 §4.9). */
  private pim(sink: ChecksumSink, length: number, complete: boolean, part: number): number {
    const at = this.cursor;
    if (this.arena[at]! >> 4 !== 2) {
      this.unknown(UNKNOWN.ipProtocol, 103);
      return STOP;
    }
    const isRegister = (this.arena[at]! & 15) === 1;
    const pseudo = this.ipAddressLength === 16 ? 103 : 0;
    let covered = length;
    if (
      isRegister &&
      complete &&
      length >= 8 &&
      (pseudo !== 0 || onesSum(this.view, at, at + length) !== 0xffff)
    )
      covered = 8;
    this.message(sink, LAYER.pim, pseudo, 2, covered, covered, complete, part);
    return isRegister ? this.pimRegister() : STOP;
  }

  /**
   * Version 2 has no pseudo-header (RFC 3768 §5.3.8), version 3 has one over IPv6 (RFC 9568 §5.2.8). Over IPv4 many routers count
   * one, too, as RFC 5798 was read: either form is right.
   */
  private vrrp(sink: ChecksumSink, length: number, complete: boolean, part: number): void {
    const version = this.arena[this.cursor]! >> 4;
    if (version !== 3 && version !== 2) {
      this.unknown(UNKNOWN.ipProtocol, 112);
      return;
    }
    const counts =
      version === 3 &&
      (this.ipAddressLength === 16 || (complete && part === WHOLE && this.isRightWith(112, length)));
    this.message(sink, LAYER.vrrp, counts ? 112 : 0, 6, length, length, complete, part);
  }

  /** Is a message over IPv4 that is all there right with a pseudo-header, and not without? */
  private isRightWith(protocol: number, length: number): boolean {
    const sum = onesSum(this.view, this.cursor, this.cursor + length);
    if (sum === 0xffff || !this.destinationKnown) return false;
    this.addressLength = 4;
    this.protocol = protocol;
    this.length = length;
    return onesFold(sum + this.pseudoHeader()) === 0xffff;
  }

  /** Without the authentication data; there is none where authentication is cryptographic (RFC 2328 appendix D.4). */
  private ospf(sink: ChecksumSink, length: number, complete: boolean, part: number): void {
    const at = this.cursor;
    const claimed = this.limit - at >= 4 ? this.u16(at + 2) : 0;
    const fits = complete && part === WHOLE && claimed >= 24 && claimed <= length;
    this.headed(sink, LAYER.ospf, 24, claimed);
    this.start = at - this.base;
    this.end = at + Math.max(0, Math.min(claimed, this.limit - at)) - this.base;
    this.addressLength = 0;
    if (!fits) {
      this.unverifiable(sink, LAYER.ospf, this.limit - at >= 14 ? at + 12 : -1);
      return;
    }
    // With extended sequence numbers, too (RFC 7474 §3).
    const authentication = this.u16(at + 14);
    if (authentication === 2 || authentication === 3) {
      this.authenticated(sink, LAYER.ospf);
      return;
    }
    this.at = at + 12 - this.base;
    this.got = this.u16(at + 12);
    this.expected = this.got;
    this.sum = onesAdd(onesSum(this.view, at, at + 16), onesSum(this.view, at + 24, at + claimed));
    this.status = this.sum === 0xffff ? CHECKSUM.good : CHECKSUM.bad;
    if (this.status === CHECKSUM.bad) this.expected = complement(onesAdd(this.sum, complement(this.got)));
    this.emit(sink, LAYER.ospf);
  }

  /** Nobody makes nor verifies the checksum in front of an authentication trailer (RFC 7166 §4.2). */
  private ospf3(sink: ChecksumSink, length: number, complete: boolean, part: number): void {
    const at = this.cursor;
    const claimed = this.limit - at >= 4 ? this.u16(at + 2) : 0;
    const fits = complete && claimed >= 16 && claimed <= length;
    if (!fits || part !== WHOLE || !this.hasTrailer(at + claimed, at + length)) {
      this.message(sink, LAYER.ospf3, 89, 12, claimed, claimed, fits, part);
      return;
    }
    this.headed(sink, LAYER.ospf3, 16, claimed);
    this.start = at - this.base;
    this.end = at + claimed - this.base;
    this.addressLength = 0;
    this.authenticated(sink, LAYER.ospf3);
  }

  /** Is what stands behind an OSPFv3 packet an authentication trailer, maybe behind a block for link-local signalling (RFC 7166 §4.1)? */
  private hasTrailer(at: number, end: number): boolean {
    const isTrailer = (start: number): boolean =>
      end - start >= 16 && this.u16(start) === 1 && this.u16(start + 2) === end - start;
    // Its length counts words (RFC 5613 §2.2).
    return isTrailer(at) || (end - at >= 4 && isTrailer(at + Math.max(4, this.u16(at + 2) * 4)));
  }

  /** A checksum of OSPF, at `cursor`, whose place cryptographic authentication takes: it says nothing, whatever it holds. */
  private authenticated(sink: ChecksumSink, layer: number): void {
    const field = this.cursor + 12;
    this.at = field - this.base;
    this.got = this.u16(field);
    this.expected = this.got;
    this.sum = -1;
    this.status = CHECKSUM.absent;
    this.emit(sink, layer);
  }

  private sctp(sink: ChecksumSink, length: number, complete: boolean): void {
    const at = this.cursor;
    this.headed(sink, LAYER.sctp, 12, length);
    this.start = at - this.base;
    this.end = Math.min(this.limit, at + length) - this.base;
    this.addressLength = 0;
    const held = this.limit - at >= 12;
    if (!complete || !held || length < 12) {
      this.at = held ? at + 8 - this.base : -1;
      this.got = held ? this.view.getUint32(at + 8) : 0;
      this.expected = this.got;
      this.status = CHECKSUM.unverifiable;
    } else {
      this.at = at + 8 - this.base;
      this.got = this.view.getUint32(at + 8);
      this.expected = crcOfSctp(this.arena, at, at + length);
      this.status = this.got === this.expected ? CHECKSUM.good : CHECKSUM.bad;
    }
    this.sum = -1;
    this.emit(sink, LAYER.sctp);
  }

  /** Reports the header of a message, whose size is `least` or what is there of it. */
  private headed(sink: ChecksumSink, layer: number, least: number, claimed: number): void {
    if (!this.wantsHeaders) return;
    const at = this.cursor;
    const available = this.limit - at;
    const flags = available < least ? HEADER_FLAG.cut : 0;
    this.header(sink, layer, at, at + Math.min(least, available), at + claimed, flags);
  }

  /**
   * A checksum over a message that is no TCP or UDP, its header reported before.
   * @param pseudo the number in the pseudo-header; 0 where there is none
   * @param covered bytes that the checksum covers, from the message's start; below 0: it contradicts itself
   * @param length the one in the pseudo-header
   */
  private message(
    sink: ChecksumSink,
    layer: number,
    pseudo: number,
    field: number,
    covered: number,
    length: number,
    complete: boolean,
    part: number,
  ): void {
    const at = this.cursor;
    const available = this.limit - at;
    const least = LEAST_HEADER[layer]!;
    if (part !== LATER_FRAGMENT) this.headed(sink, layer, least, length);
    const held = part !== LATER_FRAGMENT && available >= field + 2;
    this.start = at - this.base;
    this.end = at + Math.max(0, Math.min(covered, available)) - this.base;
    this.protocol = pseudo;
    this.length = length;
    this.addressLength = pseudo === 0 ? 0 : this.ipAddressLength;
    this.source = this.ipSource - this.base;
    this.destination = this.ipDestination - this.base;
    const isKnown = pseudo === 0 || this.destinationKnown;
    if (layer === LAYER.icmpext && this.u16(at + field) === 0) {
      this.absent(sink, layer, at + field);
      return;
    }
    if (
      !complete ||
      part !== WHOLE ||
      !isKnown ||
      covered < least ||
      covered > available ||
      available < least
    ) {
      this.unverifiable(sink, layer, held ? at + field : -1);
      return;
    }
    if (layer === LAYER.udplite && this.u16(at + field) === 0) {
      this.sum = -1;
      this.status = CHECKSUM.illegal;
      this.at = at + field - this.base;
      this.got = 0;
      this.expected = complement(this.sumWithoutField(at + field)) || 0xffff;
      this.emit(sink, layer);
      return;
    }
    let sum = onesSum(this.view, at, at + covered);
    if (pseudo !== 0) sum = onesFold(sum + this.pseudoHeader());
    this.report(sink, layer, at + field, sum);
  }

  /**
   * One checksum over an IP payload.
   * @param protocol the number in the pseudo-header; 0 where there is none (ICMP over IPv4)
   * @param field the checksum field's place in the header
   * @param length of the whole segment, as the headers claim it
   * @param complete are all bytes of this packet's part there, and the lengths not contradictory?
   */
  private segment(
    sink: ChecksumSink,
    layer: number,
    protocol: number,
    field: number,
    length: number,
    complete: boolean,
    part: number,
  ): void {
    const at = this.cursor;
    let end = this.limit;
    if (part === WHOLE && length < end - at) end = length > 0 ? at + length : at;
    this.start = at - this.base;
    this.end = end - this.base;
    this.protocol = protocol;
    this.length = length;
    this.addressLength = protocol === 0 || part === LATER_FRAGMENT ? 0 : this.ipAddressLength;
    this.source = this.ipSource - this.base;
    this.destination = this.ipDestination - this.base;
    const held = part !== LATER_FRAGMENT && field + 2 <= this.limit - at;

    const isShort = part !== LATER_FRAGMENT && (!held || length < LEAST_HEADER[layer]!);
    if (!complete || !this.destinationKnown || isShort) {
      if (layer === LAYER.udp && held && this.u16(at + field) === 0) {
        this.sum = -1;
        this.withoutChecksum(sink, at + field);
      } else this.unverifiable(sink, layer, held ? at + field : -1);
      return;
    }

    let sum = onesSum(this.view, at, end);
    if (this.addressLength > 0)
      sum = onesFold(sum + (part === WHOLE ? this.pseudoHeader() : this.constantPart()));
    if (layer === LAYER.udp && held && this.u16(at + field) === 0) {
      this.sum = sum;
      this.withoutChecksum(sink, at + field);
    } else if (part === WHOLE) {
      this.report(sink, layer, at + field, sum);
    } else {
      this.unverifiable(sink, layer, held ? at + field : -1, sum);
    }
  }

  /** A field of 0 that says that there is no checksum (RFC 4884 §7). */
  private absent(sink: ChecksumSink, layer: number, field: number): void {
    this.sum = -1;
    this.status = CHECKSUM.absent;
    this.at = field - this.base;
    this.got = 0;
    this.expected = 0;
    this.emit(sink, layer);
  }

  /** A UDP checksum field of 0; `sum` is set. */
  private withoutChecksum(sink: ChecksumSink, field: number): void {
    const illegal =
      this.ipAddressLength === 16 &&
      !isTunnelPort(this.u16(field - 4)) &&
      !this.looksCarried(field + 2, this.length - 8);
    this.status = illegal ? CHECKSUM.illegal : CHECKSUM.absent;
    this.at = field - this.base;
    this.got = 0;
    this.expected = illegal && this.sum >= 0 ? complement(this.sum) || 0xffff : 0;
    this.emit(sink, LAYER.udp);
  }

  private unverifiable(sink: ChecksumSink, layer: number, field: number, sum: number = -1): void {
    this.status = CHECKSUM.unverifiable;
    this.at = field < 0 ? -1 : field - this.base;
    this.got = field < 0 ? 0 : this.u16(field);
    this.expected = this.got;
    this.sum = sum;
    this.emit(sink, layer);
  }

  /** Everything covered is there: right exactly if the sum is all ones (RFC 1071 §1). */
  private report(sink: ChecksumSink, layer: number, field: number, sum: number): void {
    this.status = sum === 0xffff ? CHECKSUM.good : CHECKSUM.bad;
    this.at = field - this.base;
    this.got = this.u16(field);
    this.sum = sum;
    this.expected = this.got;
    if (sum !== 0xffff) {
      // All but the field adds up to the difference, unless that is zero, which has two names.
      const rest = sum === this.got ? this.sumWithoutField(field) : onesAdd(sum, complement(this.got));
      // UDP writes a computed 0 as 0xFFFF (RFC 768), and in ICMP's extensions a 0 would say that there is none.
      const isZeroNone = layer === LAYER.udp || layer === LAYER.udplite || layer === LAYER.icmpext;
      this.expected = complement(rest) || (isZeroNone ? 0xffff : 0);
    }
    this.emit(sink, layer);
  }

  private sumWithoutField(field: number): number {
    const sum =
      onesSum(this.view, this.start + this.base, field) + onesSum(this.view, field + 2, this.end + this.base);
    return onesFold(this.addressLength > 0 ? sum + this.pseudoHeader() : sum);
  }

  /** What the pseudo-header adds to a sum: at most six words, carries not yet added in. */
  private pseudoHeader(): number {
    return this.constantPart() + (this.length & 0xffff) + (this.length >>> 16);
  }

  /** The pseudo-header without its length, of which a fragment tells only a part. */
  private constantPart(): number {
    const { view, ipSource, ipDestination, addressLength } = this;
    // Most addresses stand one behind the other.
    const addresses =
      ipDestination - ipSource === addressLength
        ? onesSum(view, ipSource, ipSource + 2 * addressLength)
        : onesSum(view, ipSource, ipSource + addressLength) +
          onesSum(view, ipDestination, ipDestination + addressLength);
    return addresses + this.protocol;
  }

  private emit(sink: ChecksumSink, layer: number): void {
    const bit = 1 << layer;
    this.layer = layer;
    this.depth = (this.seen & bit) === 0 ? 0 : this.depths[layer]!;
    this.depths[layer] = this.depth + 1;
    this.seen |= bit;
    sink.checksum(this);
  }

  /** The packet that an ICMP error quotes begins behind 8 bytes (RFC 792, RFC 4443 §3), and so do the extensions of RFC 8335. */
  private inIcmp(quoted: number, complete: boolean, part: number): number {
    if (this.limit - this.cursor <= 8) return STOP;
    const type = this.arena[this.cursor]!;
    if (type === (quoted === IPV4 ? 42 : 160)) {
      this.noteExtension(this.cursor + 8, complete, part);
      return STOP;
    }
    const isError =
      quoted === IPV4
        ? type === 3 || type === 4 || type === 5 || type === 11 || type === 12
        : type >= 1 && type <= 4;
    if (!isError) return STOP;
    const extended = quoted === IPV4 ? type === 3 || type === 11 || type === 12 : type === 1 || type === 3;
    if (extended) this.endQuote(quoted === IPV4, complete, part);
    this.quoted = HEADER_FLAG.quoted;
    this.cursor += 8;
    return quoted;
  }

  /**
   * Ends what an error quotes where its extensions begin (RFC 4884 §4): behind as many words as it states, which are of 4 bytes in ICMP and
   * of 8 in ICMPv6, or, of who states none, behind 128 bytes if a right checksum says so (§5.5).
   */
  private endQuote(isOfIpv4: boolean, complete: boolean, part: number): void {
    const at = this.cursor;
    const words = this.arena[at + (isOfIpv4 ? 5 : 4)]!;
    const stated = words * (isOfIpv4 ? 4 : 8);
    const start = at + 8 + (words === 0 ? 128 : stated);
    if (start > this.limit) return;
    if (words === 0 ? !complete || part !== WHOLE || !this.isExtension(start) : stated < 128) return;
    this.noteExtension(start, complete, part);
    this.limit = start;
  }

  private noteExtension(start: number, complete: boolean, part: number): void {
    if (this.extensionAt >= 0 || this.limit - start < 4 || this.arena[start]! >> 4 !== 2) return;
    this.extensionAt = start;
    this.extensionEnd = this.limit;
    this.extensionPart = part;
    this.isExtensionWhole = complete;
  }

  /** Does a structure with a right checksum begin here? */
  private isExtension(start: number): boolean {
    if (this.limit - start < 4 || this.u16(start) !== 0x2000 || this.u16(start + 2) === 0) return false;
    return onesSum(this.view, start, this.limit) === 0xffff;
  }

  /** Its checksum is over itself alone (RFC 4884 §7). */
  private extension(sink: ChecksumSink): void {
    const { extensionAt: start, extensionEnd: end, extensionPart: part } = this;
    this.cursor = start;
    this.limit = end;
    this.quoted = 0;
    this.setFragment(part, 0);
    this.message(sink, LAYER.icmpext, 0, 2, end - start, end - start, this.isExtensionWhole, part);
  }
}

function complement(sum: number): number {
  return ~sum & 0xffff;
}

const scanner = new ChecksumScanner();

/**
 * Reports every checksum of one packet to the sink, outermost layer first.
 * @param bytes the arena that holds the packet
 * @param length the bytes that are there, which may be fewer than were on the wire
 * @param linkType what the packet begins with: one of `LINKTYPE` in corpus/formats, Ethernet by default
 * @param bigTcp see `ChecksumScanner.bigTcp`
 */
export function verifyChecksums(
  bytes: Uint8Array,
  offset: number,
  length: number,
  sink: ChecksumSink,
  linkType: number = LINKTYPE.ETHERNET,
  bigTcp: boolean = false,
): void {
  scanner.bigTcp = bigTcp;
  scanner.scan(bytes, offset, length, sink, linkType);
}
