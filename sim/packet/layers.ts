/**
 * The walk from a frame to its upper layer: Ethernet, tags, IP, extension headers. One cursor is made once and
 * set upon packet after packet; nothing is allocated.
 *
 * Here is how a packet *is*, with any number of tags and the whole chain of extension headers; how far a program
 * under test looks is that program's business.
 */
import { readU16 } from './bytes.ts';
import { pseudoHeader4, pseudoHeader6 } from './checksum.ts';
import { ETHERNET } from './ethernet.ts';
import { GENEVE_PORT } from './geneve.ts';
import { isIcmpError } from './icmp.ts';
import { IPV4, IPV4_MF, IPV4_OFFSET_MASK } from './ipv4.ts';
import { finalDestinationAt } from './ipv4-options.ts';
import { IPV6 } from './ipv6.ts';
import {
  extensionLength,
  FRAGMENT,
  isExtensionHeader,
  routedDestinationAt,
  SHORTEST,
} from './ipv6-extensions.ts';
import { jumboLength } from './ipv6-options.ts';
import { ETHERTYPE, IPPROTO, isTag } from './numbers.ts';
import { VXLAN_LINUX_PORT, VXLAN_PORT } from './vxlan.ts';

/** Where a walk ended that did not reach an upper layer; '' where it did. */
export type Stop =
  | ''
  /** Fewer than 14 bytes. */
  | 'ethernet too short'
  /** A tag is announced and cut off. */
  | 'tag too short'
  /** Neither IPv4 nor IPv6: see `etherType`. */
  | 'not ip'
  | 'ip too short'
  /** The version nibble contradicts the EtherType. */
  | 'ip version'
  /** ihl below 5, or beyond the end of the frame. */
  | 'ihl'
  /** The IP length field does not cover the header. */
  | 'ip length'
  /** An extension header is cut off or longer than the packet. */
  | 'extension header';

export type FragmentState = 'whole' | 'first' | 'later';

/** What an inner packet begins with. */
export type InnerKind = 'none' | 'icmp error' | 'ip' | 'ethernet';

/** Methods are `private` and not `#private`: the brand check of the latter costs a third of the walk. */
export class Layers {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the walk began, and where the bytes end. */
  offset = 0;
  end = 0;
  stop: Stop = '';
  /** Behind all tags; −1 where there is none, or the walk began at IP. */
  etherType = -1;
  tagCount = 0;
  /** 4, 6, or 0 where no IP header could be read. */
  version = 0;
  /** Where the IP header starts, or whatever follows the EtherType; −1 where there is nothing. */
  l3 = -1;
  /** Where the IP packet ends by its own length field; beyond `end` when it is cut off. */
  l3DeclaredEnd = -1;
  /** The same, but not beyond `end`. */
  l3End = -1;
  /** The upper layer's number: in IPv6, behind all extension headers. −1 where the walk stopped before. */
  l4Protocol = -1;
  /** Where the upper layer starts; −1 where the walk stopped before. For a later fragment: where its data starts. */
  l4 = -1;
  fragment: FragmentState = 'whole';
  /** Where the source and the final destination lie; −1 where they cannot be known. */
  sourceAt = -1;
  destinationAt = -1;
  /** How many extension headers were stepped over. */
  extensionCount = 0;

  innerKind: InnerKind = 'none';
  innerAt = -1;
  innerEnd = -1;

  /** Is the IP packet longer than the bytes that are there? */
  get isTruncated(): boolean {
    return this.l3DeclaredEnd > this.end;
  }

  /** Bytes of the upper layer as the IP header states them. */
  get l4Length(): number {
    return this.l3DeclaredEnd - this.l4;
  }

  /** Sets the cursor upon an Ethernet frame. */
  walk(bytes: Uint8Array, offset: number, end: number): this {
    this.clear(bytes, offset, end);
    if (end - offset < ETHERNET.headerLength) return this.stopAt('ethernet too short');
    return this.readTags(offset + ETHERNET.headerLength);
  }

  /** Sets the cursor upon what an EtherType announced: for tunnels such as GRE. */
  walkEtherType(etherType: number, bytes: Uint8Array, offset: number, end: number): this {
    this.clear(bytes, offset, end);
    this.etherType = etherType;
    this.l3 = offset;
    if (etherType === ETHERTYPE.IPV4) return this.readIpv4(offset);
    if (etherType === ETHERTYPE.IPV6) return this.readIpv6(offset);
    return this.stopAt('not ip');
  }

  /** Sets the cursor upon an IP packet of either version, as in ICMP errors and IP tunnels. */
  walkIp(bytes: Uint8Array, offset: number, end: number): this {
    this.clear(bytes, offset, end);
    this.l3 = offset;
    if (end <= offset) return this.stopAt('ip too short');
    const version = bytes[offset]! >> 4;
    if (version === 4) return this.readIpv4(offset);
    if (version === 6) return this.readIpv6(offset);
    return this.stopAt('ip version');
  }

  /** The pseudo-header's sum for the upper layer; only where both addresses are known. */
  pseudoHeader(protocol: number = this.l4Protocol, length: number = this.l4Length): number {
    return this.version === 4
      ? pseudoHeader4(this.bytes, this.sourceAt, this.destinationAt, protocol, length)
      : pseudoHeader6(this.bytes, this.sourceAt, this.destinationAt, protocol, length);
  }

  /** Where the `index`th tag's control information lies, counted from 0. */
  tagAt(index: number): number {
    return this.offset + ETHERNET.headerLength + index * 4;
  }

  private clear(bytes: Uint8Array, offset: number, end: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.stop = '';
    this.etherType = -1;
    this.tagCount = 0;
    this.version = 0;
    this.l3 = -1;
    this.l3DeclaredEnd = -1;
    this.l3End = -1;
    this.l4Protocol = -1;
    this.l4 = -1;
    this.fragment = 'whole';
    this.sourceAt = -1;
    this.destinationAt = -1;
    this.extensionCount = 0;
    this.innerKind = 'none';
    this.innerAt = -1;
    this.innerEnd = -1;
  }

  private stopAt(stop: Stop): this {
    this.stop = stop;
    return this;
  }

  private readTags(start: number): this {
    const { bytes, end } = this;
    let at = start;
    let etherType = readU16(bytes, at - 2);
    while (isTag(etherType)) {
      if (end - at < 4) {
        this.etherType = etherType;
        return this.stopAt('tag too short');
      }
      etherType = readU16(bytes, at + 2);
      at += 4;
      this.tagCount++;
    }
    this.etherType = etherType;
    this.l3 = at;
    if (etherType === ETHERTYPE.IPV4) return this.readIpv4(at);
    if (etherType === ETHERTYPE.IPV6) return this.readIpv6(at);
    return this.stopAt('not ip');
  }

  private readIpv4(at: number): this {
    const { bytes, end } = this;
    if (end - at < IPV4.headerLength) return this.stopAt('ip too short');
    const first = bytes[at]!;
    if (first >> 4 !== 4) return this.stopAt('ip version');
    const headerLength = (first & 0x0f) * 4;
    if (headerLength < IPV4.headerLength || headerLength > end - at) return this.stopAt('ihl');
    this.version = 4;
    this.sourceAt = at + IPV4.at.source;
    this.destinationAt =
      headerLength === IPV4.headerLength
        ? at + IPV4.at.destination
        : finalDestinationAt(bytes, at, headerLength);
    const totalLength = readU16(bytes, at + IPV4.at.totalLength);
    if (totalLength < headerLength) return this.stopAt('ip length');
    this.l3DeclaredEnd = at + totalLength;
    this.l3End = Math.min(this.l3DeclaredEnd, end);
    const flags = readU16(bytes, at + IPV4.at.fragmentOffset);
    if ((flags & IPV4_OFFSET_MASK) !== 0) this.fragment = 'later';
    else if ((flags & IPV4_MF) !== 0) this.fragment = 'first';
    const protocol = bytes[at + IPV4.at.protocol]!;
    // Of the extension headers IPv4 knows only AH (RFC 4302 §3.1.1).
    if (protocol === IPPROTO.AH && this.fragment !== 'later')
      return this.readExtensions(protocol, at + headerLength);
    this.l4Protocol = protocol;
    this.l4 = at + headerLength;
    return this;
  }

  private readIpv6(at: number): this {
    const { bytes, end } = this;
    if (end - at < IPV6.headerLength) return this.stopAt('ip too short');
    if (bytes[at]! >> 4 !== 6) return this.stopAt('ip version');
    this.version = 6;
    this.sourceAt = at + IPV6.at.source;
    this.destinationAt = at + IPV6.at.destination;
    const start = at + IPV6.headerLength;
    this.l3DeclaredEnd = start + readU16(bytes, at + IPV6.at.payloadLength);
    this.l3End = Math.min(this.l3DeclaredEnd, end);
    const next = bytes[at + IPV6.at.nextHeader]!;
    if (isExtensionHeader(next)) return this.readExtensions(next, start);
    this.l4Protocol = next;
    this.l4 = start;
    return this;
  }

  private readExtensions(first: number, start: number): this {
    const { bytes } = this;
    let header = first;
    let at = start;
    if (header === IPPROTO.HOPOPTS && this.l3DeclaredEnd === start) this.readJumbo(start);
    while (isExtensionHeader(header)) {
      if (this.l3End - at < SHORTEST) return this.stopAt('extension header');
      const length = extensionLength(header, bytes, at);
      if (length > this.l3End - at) return this.stopAt('extension header');
      if (header === IPPROTO.ROUTING && this.destinationAt >= 0) {
        this.destinationAt = routedDestinationAt(bytes, at, this.destinationAt);
      }
      if (header === IPPROTO.FRAGMENT) {
        const offsetAndFlags = readU16(bytes, at + FRAGMENT.at.fragmentOffset);
        if (offsetAndFlags >> 3 !== 0) this.fragment = 'later';
        else if ((offsetAndFlags & 1) !== 0) this.fragment = 'first';
      }
      this.extensionCount++;
      header = bytes[at]!;
      at += length;
      // Behind the header of a later fragment lies data, whatever the next header is (RFC 8200 §4.5).
      if (this.fragment === 'later') break;
    }
    this.l4Protocol = header;
    this.l4 = at;
    return this;
  }

  /** A payload length of 0 with a jumbo payload option: the length is in the option (RFC 2675 §2). */
  private readJumbo(start: number): void {
    if (this.end - start < SHORTEST) return;
    const optionsEnd = Math.min(this.end, start + extensionLength(IPPROTO.HOPOPTS, this.bytes, start));
    const length = jumboLength(this.bytes, start + 2, optionsEnd);
    if (length === 0) return;
    this.l3DeclaredEnd = start + length;
    this.l3End = Math.min(this.l3DeclaredEnd, this.end);
  }

  /**
   * Looks for a packet inside: in an ICMP error, in IP-in-IP, in GRE, in VXLAN and Geneve. Sets `innerKind`,
   * `innerAt` and `innerEnd`, from where another cursor walks on (`walkIp` for `icmp error` and `ip`, `walk` for
   * `ethernet`). The inner packet of an ICMP error is cut off as a rule.
   */
  findInner(): boolean {
    this.innerKind = 'none';
    if (this.l4 < 0 || this.fragment === 'later') return false;
    const { bytes, l4, l3End } = this;
    switch (this.l4Protocol) {
      case IPPROTO.ICMP:
        return l3End - l4 > 8 && isIcmpError(bytes[l4]!) && this.foundInner('icmp error', l4 + 8, l3End);
      case IPPROTO.ICMPV6:
        // Types below 128 are errors (RFC 4443 §2.1); 1 to 4 are assigned.
        return (
          l3End - l4 > 8 && bytes[l4]! >= 1 && bytes[l4]! <= 4 && this.foundInner('icmp error', l4 + 8, l3End)
        );
      case IPPROTO.IPIP:
      case IPPROTO.IPV6:
        return this.foundInner('ip', l4, l3End);
      case IPPROTO.GRE:
        return this.readGre();
      case IPPROTO.UDP:
        return this.readUdpTunnel();
      default:
        return false;
    }
  }

  private foundInner(kind: InnerKind, at: number, end: number): boolean {
    if (at >= end) return false;
    this.innerKind = kind;
    this.innerAt = at;
    this.innerEnd = end;
    return true;
  }

  /** GRE with its optional checksum, key and sequence number (RFC 2784 §2.1, RFC 2890 §2). */
  private readGre(): boolean {
    const { bytes, l4, l3End } = this;
    if (l3End - l4 < 4) return false;
    const flags = readU16(bytes, l4);
    // Version 0 without source routing; version 1 is PPTP.
    if ((flags & 0x4007) !== 0) return false;
    const length =
      4 +
      ((flags & 0x8000) !== 0 ? 4 : 0) +
      ((flags & 0x2000) !== 0 ? 4 : 0) +
      ((flags & 0x1000) !== 0 ? 4 : 0);
    return this.foundAnnounced(readU16(bytes, l4 + 2), l4 + length);
  }

  private readUdpTunnel(): boolean {
    const { bytes, l4, l3End } = this;
    if (l3End - l4 < 16) return false;
    const port = readU16(bytes, l4 + 2);
    // VXLAN: 8 bytes with the I flag (RFC 7348 §5).
    if ((port === VXLAN_PORT || port === VXLAN_LINUX_PORT) && (bytes[l4 + 8]! & 0x08) !== 0) {
      return this.foundInner('ethernet', l4 + 16, l3End);
    }
    // Geneve: version 0, then options in units of 4 bytes (RFC 8926 §3.4).
    if (port === GENEVE_PORT && bytes[l4 + 8]! >> 6 === 0) {
      return this.foundAnnounced(readU16(bytes, l4 + 10), l4 + 16 + (bytes[l4 + 8]! & 0x3f) * 4);
    }
    return false;
  }

  private foundAnnounced(etherType: number, at: number): boolean {
    if (etherType === ETHERTYPE.TRANSPARENT_ETHERNET) return this.foundInner('ethernet', at, this.l3End);
    if (etherType === ETHERTYPE.IPV4 || etherType === ETHERTYPE.IPV6)
      return this.foundInner('ip', at, this.l3End);
    return false;
  }
}
