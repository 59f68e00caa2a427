/**
 * Finds every checksum of a packet and recomputes it from scratch: IPv4, ICMP, ICMPv6, TCP and UDP, behind VLAN
 * tags, inside tunnels (IP in IP, 6in4, GRE, VXLAN, Geneve) and in the packets that ICMP errors quote. On the way it
 * can report the headers and what they state about lengths.
 *
 * It shares no code with the programs, the models or the codecs, and makes no object per packet: what is found
 * stands in the scanner's own fields while the sink is called.
 */
import { LinkHeader, NEXT } from '../../corpus/formats/link-header.ts';
import { readLinkHeader } from '../../corpus/formats/link-layer.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
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
import { onesAdd, onesSum } from './sum.ts';

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

// What comes next in the packet.
const STOP = 0;
const ETHERNET = 1;
const IPV4 = 2;
const IPV6 = 3;

const { whole: WHOLE, firstFragment: FIRST_FRAGMENT, laterFragment: LATER_FRAGMENT } = PART;

/** The least header of each kind of `LAYER`: a message shorter than that has no checksum to judge. */
const LEAST_HEADER = [20, 8, 8, 20, 8] as const;

const UDP_PORT = { vxlan: 4789, vxlanLinux: 8472, geneve: 6081 } as const;

/**
 * Reusable; not reentrant. `verifyChecksums` keeps one for all. What is private is so for the compiler only: the
 * check that `#names` ask for at every access costs a fifth of the scan.
 */
export class ChecksumScanner implements FoundChecksum, FoundHeader {
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

  private arena: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(this.arena.buffer);
  private base = 0;
  /** The part of the arena that the next header may use. */
  private cursor = 0;
  private limit = 0;
  /** The addresses of the innermost IP header so far, as places in the arena. */
  private ipSource = 0;
  private ipDestination = 0;
  private ipAddressLength = 0;
  /** False behind a routing header that hides the final destination. */
  private destinationKnown = true;
  /** `HEADER_FLAG.quoted` from the packet on that an ICMP error quotes. */
  private quoted = 0;
  private wantsHeaders = false;
  private readonly linkHeader = new LinkHeader();
  /**
   * Is an IP packet with a length of 0 that holds TCP taken to end with the frame? So the kernel hands over segments that are
   * longer than the field can state (BIG TCP), and those that it leaves to the network card to divide.
   */
  bigTcp = false;
  private readonly depths = new Int32Array(CHECKSUM_LAYERS.length);

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
    if (this.arena !== bytes) {
      this.arena = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.wantsHeaders = sink.header !== undefined;
    this.quoted = 0;
    this.base = offset;
    this.cursor = offset;
    this.limit = offset + length;
    for (let layer = 0; layer < CHECKSUM_LAYERS.length; layer++) this.depths[layer] = 0;
    let next = linkType === LINKTYPE.ETHERNET ? ETHERNET : this.link(linkType, sink);
    // Tunnels and quoted packets follow one another in a single line, so a loop is enough.
    while (next !== STOP) {
      if (next === IPV4) next = this.ipv4(sink);
      else if (next === IPV6) next = this.ipv6(sink);
      else next = this.ethernet(sink);
    }
  }

  private link(linkType: number, sink: ChecksumSink): number {
    const header = this.linkHeader;
    if (!readLinkHeader(this.arena, this.cursor, this.limit, linkType, header)) return STOP;
    this.cursor = header.at;
    this.limit = header.end;
    switch (header.next) {
      case NEXT.ethernet:
        return ETHERNET;
      case NEXT.ip:
        return this.arena[this.cursor]! >> 4 === 6 ? IPV6 : IPV4;
      case NEXT.nothing:
        if (header.reason !== '') sink.unreadable?.(header.reason);
        return STOP;
      default:
        return this.etherType(header.next, sink);
    }
  }

  private ethernet(sink: ChecksumSink): number {
    if (this.limit - this.cursor < 14) return STOP;
    this.cursor += 14;
    return this.etherType(this.u16(this.cursor - 2), sink);
  }

  /** `cursor` is behind the EtherType; steps over VLAN tags: those that the kernel knows (`eth_type_vlan`). */
  private etherType(type: number, sink: ChecksumSink): number {
    while (type === 0x8100 || type === 0x88a8) {
      if (this.limit - this.cursor < 4) return STOP;
      type = this.u16(this.cursor + 2);
      this.cursor += 4;
    }
    if (this.cursor === this.limit) return STOP;
    if (type === 0x0800) return IPV4;
    if (type === 0x86dd) return IPV6;
    if (type === 0x6558) return ETHERNET;
    sink.unknown?.(UNKNOWN.etherType, type);
    return STOP;
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
    this.report(sink, LAYER.ipv4, at + 10, onesSum(this.view, at, at + headerLength));

    this.ipAddressLength = 4;
    this.ipSource = at + 12;
    this.ipDestination = headerLength > 20 ? this.sourceRouted(at, headerLength) : at + 16;
    this.destinationKnown = true;
    this.cursor = at + headerLength;
    return this.transport(sink, bytes[at + 9]!, total - headerLength, part);
  }

  /** The final destination: the last address of a source route that is not used up (RFC 791 §3.1, RFC 1122 §4.2.3.8). */
  private sourceRouted(at: number, headerLength: number): number {
    const bytes = this.arena;
    const end = at + headerLength;
    for (let option = at + 20; option + 2 < end && bytes[option] !== 0; ) {
      const type = bytes[option]!;
      if (type === 1) {
        option++;
        continue;
      }
      const size = bytes[option + 1]!;
      if (size < 2 || option + size > end) break;
      if ((type === 131 || type === 137) && size >= 7 && bytes[option + 2]! <= size) return option + size - 4;
      option += size;
    }
    return at + 16;
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
        size = limit - header < 8 ? Number.POSITIVE_INFINITY : (bytes[header + 1]! + 1) * 8;
      } else if (next === 51) {
        size = limit - header < 8 ? Number.POSITIVE_INFINITY : (bytes[header + 1]! + 2) * 4;
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
      if (next >= 135) sink.unknown?.(UNKNOWN.ipProtocol, next);
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
    this.limit = Math.min(this.limit, at + Math.max(0, length));
    const available = this.limit - at;
    switch (protocol) {
      case 6:
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.tcp, 20, length);
        this.segment(sink, LAYER.tcp, 6, 16, length, complete, part);
        return STOP;
      case 17: {
        // The UDP length decides how much is summed; what the IP length says beyond it is not (RFC 768).
        const claimed = available >= 6 && part !== LATER_FRAGMENT ? this.u16(at + 4) : length;
        const fits = claimed >= 8 && (part === WHOLE ? claimed <= length && claimed <= available : complete);
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.udp, 8, claimed);
        this.segment(sink, LAYER.udp, 17, 6, claimed, fits, part);
        return part === LATER_FRAGMENT ? STOP : this.udpTunnel(sink);
      }
      case 1:
        if (this.ipAddressLength !== 4) return STOP;
        if (this.wantsHeaders && part !== LATER_FRAGMENT) this.transportHeader(sink, HEADER.icmp, 8, length);
        this.segment(sink, LAYER.icmp, 0, 2, length, complete, part);
        return part === LATER_FRAGMENT ? STOP : this.icmpError(IPV4);
      case 58:
        if (this.ipAddressLength !== 16) return STOP;
        if (this.wantsHeaders && part !== LATER_FRAGMENT)
          this.transportHeader(sink, HEADER.icmpv6, 8, length);
        this.segment(sink, LAYER.icmpv6, 58, 2, length, complete, part);
        return part === LATER_FRAGMENT ? STOP : this.icmpError(IPV6);
      case 51: {
        const size = available >= 8 ? (this.arena[at + 1]! + 2) * 4 : 0;
        if (size < 8 || size > available || part === LATER_FRAGMENT) return STOP;
        this.cursor = at + size;
        return this.transport(sink, this.arena[at]!, length - size, part);
      }
      default:
        if (part === LATER_FRAGMENT || available === 0) return STOP;
        if (protocol === 4) return IPV4;
        if (protocol === 41) return IPV6;
        if (protocol === 47) return this.gre(sink);
        sink.unknown?.(UNKNOWN.ipProtocol, protocol);
        return STOP;
    }
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
    const end = part === WHOLE ? Math.min(this.limit, at + Math.max(0, length)) : this.limit;
    this.start = at - this.base;
    this.end = end - this.base;
    this.protocol = protocol;
    this.length = length;
    this.addressLength = protocol === 0 || part === LATER_FRAGMENT ? 0 : this.ipAddressLength;
    this.source = this.ipSource - this.base;
    this.destination = this.ipDestination - this.base;
    const held = part !== LATER_FRAGMENT && field + 2 <= end - at;

    const isShort = part !== LATER_FRAGMENT && (!held || length < LEAST_HEADER[layer]!);
    if (!complete || !this.destinationKnown || isShort) {
      if (layer === LAYER.udp && held && this.u16(at + field) === 0) {
        this.sum = -1;
        this.withoutChecksum(sink, at + field);
      } else this.unverifiable(sink, layer, held ? at + field : -1);
      return;
    }

    let sum = onesSum(this.view, at, end);
    if (this.addressLength > 0) {
      sum = onesAdd(sum, onesSum(this.view, this.ipSource, this.ipSource + this.addressLength));
      sum = onesAdd(sum, onesSum(this.view, this.ipDestination, this.ipDestination + this.addressLength));
      sum = onesAdd(sum, protocol);
      if (part === WHOLE) sum = onesAdd(onesAdd(sum, length & 0xffff), Math.floor(length / 0x10000));
    }
    if (layer === LAYER.udp && held && this.u16(at + field) === 0) {
      this.sum = sum;
      this.withoutChecksum(sink, at + field);
    } else if (part === WHOLE) {
      this.report(sink, layer, at + field, sum);
    } else {
      this.unverifiable(sink, layer, held ? at + field : -1, sum);
    }
  }

  /** A UDP checksum field of 0; `sum` is set. */
  private withoutChecksum(sink: ChecksumSink, field: number): void {
    const illegal = this.ipAddressLength === 16 && !isTunnelPort(this.u16(field - 4));
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
      const rest = this.sumWithoutField(field);
      // UDP writes a computed 0 as 0xFFFF (RFC 768).
      this.expected = complement(rest) || (layer === LAYER.udp ? 0xffff : 0);
    }
    this.emit(sink, layer);
  }

  private sumWithoutField(field: number): number {
    const start = this.start + this.base;
    const end = this.end + this.base;
    let sum = onesAdd(onesSum(this.view, start, field), onesSum(this.view, field + 2, end));
    if (this.addressLength > 0) {
      const source = this.source + this.base;
      const destination = this.destination + this.base;
      sum = onesAdd(sum, onesSum(this.view, source, source + this.addressLength));
      sum = onesAdd(sum, onesSum(this.view, destination, destination + this.addressLength));
      sum = onesAdd(sum, this.protocol);
      sum = onesAdd(onesAdd(sum, this.length & 0xffff), Math.floor(this.length / 0x10000));
    }
    return sum;
  }

  private emit(sink: ChecksumSink, layer: number): void {
    this.layer = layer;
    this.depth = this.depths[layer]!;
    this.depths[layer] = this.depth + 1;
    sink.checksum(this);
  }

  /** The packet that an ICMP error quotes begins behind 8 bytes (RFC 792, RFC 4443 §3). */
  private icmpError(quoted: number): number {
    if (this.limit - this.cursor <= 8) return STOP;
    const type = this.arena[this.cursor]!;
    const isError =
      quoted === IPV4
        ? type === 3 || type === 4 || type === 5 || type === 11 || type === 12
        : type >= 1 && type <= 4;
    if (!isError) return STOP;
    this.quoted = HEADER_FLAG.quoted;
    this.cursor += 8;
    return quoted;
  }

  private udpTunnel(sink: ChecksumSink): number {
    const at = this.cursor;
    if (this.limit - at < 16) return STOP;
    const port = this.u16(at + 2);
    if (port === UDP_PORT.vxlan || port === UDP_PORT.vxlanLinux) {
      // RFC 7348 §5: the I flag must be set.
      if ((this.arena[at + 8]! & 0x08) === 0) return STOP;
      this.cursor = at + 16;
      return ETHERNET;
    }
    if (port === UDP_PORT.geneve) {
      // RFC 8926 §3.4: version 0, options in words of four bytes.
      const first = this.arena[at + 8]!;
      const header = at + 16 + (first & 0x3f) * 4;
      if (first >> 6 !== 0 || header > this.limit) return STOP;
      this.cursor = header;
      return this.etherType(this.u16(at + 10), sink);
    }
    return STOP;
  }

  /** RFC 2784 with the key and sequence number of RFC 2890; routing (RFC 1701) and version 1 (PPTP) are not followed. */
  private gre(sink: ChecksumSink): number {
    const at = this.cursor;
    if (this.limit - at < 4) return STOP;
    const flags = this.u16(at);
    if ((flags & 0xc007) !== 0) sink.unknown?.(UNKNOWN.ipProtocol, 47);
    if ((flags & 0x4007) !== 0) return STOP;
    const words = 1 + (flags >> 15) + ((flags >> 13) & 1) + ((flags >> 12) & 1);
    if (this.limit - at < words * 4) return STOP;
    this.cursor = at + words * 4;
    return this.etherType(this.u16(at + 2), sink);
  }

  private u16(at: number): number {
    return (this.arena[at]! << 8) | this.arena[at + 1]!;
  }
}

function complement(sum: number): number {
  return ~sum & 0xffff;
}

/** Tunnels may go without a checksum over IPv6 (RFC 6935 §5). */
function isTunnelPort(port: number): boolean {
  return port === UDP_PORT.vxlan || port === UDP_PORT.vxlanLinux || port === UDP_PORT.geneve;
}

const scanner = new ChecksumScanner();

/**
 * Reports every checksum of one packet to the sink, outermost layer first.
 * @param bytes the arena that holds the packet
 * @param length the bytes that are there, which may be fewer than were on the wire
 * @param linkType what the packet begins with: one of `LINKTYPE` in corpus/formats, Ethernet by default
 */
export function verifyChecksums(
  bytes: Uint8Array,
  offset: number,
  length: number,
  sink: ChecksumSink,
  linkType: number = LINKTYPE.ETHERNET,
): void {
  scanner.scan(bytes, offset, length, sink, linkType);
}
