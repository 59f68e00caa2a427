/**
 * How programs look at frames unless their text says otherwise: at most two VLAN tags, one IP header, no
 * extension headers. Lengths are judged against the end of the frame, not against the IP header's own length
 * field. Nothing is allocated: one cursor per program is set upon packet after packet.
 */
import { readU16 } from '../packet/bytes.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { IPV4, IPV4_MF, IPV4_OFFSET_MASK } from '../packet/ipv4.ts';
import { IPV6 } from '../packet/ipv6.ts';
import { ETHERTYPE, isTag } from '../packet/numbers.ts';
import { VLAN } from '../packet/vlan.ts';
import type { Frame } from '../runtime/context.ts';

const MOST_TAGS = 2;

export type LinkState =
  /** Ethernet and its tags were read: `etherType` says what follows. */
  | 'parsed'
  /** Fewer than 14 bytes, or a tag that is cut off. */
  | 'too short'
  /** A third tag is announced, whether it is there or not. */
  | 'too many tags';

export class Parsing {
  bytes: Uint8Array = new Uint8Array(0);
  end = 0;
  link: LinkState = 'too short';
  tagCount = 0;
  /** Behind the tags; −1 unless `link` is `parsed`. */
  etherType = -1;
  /** Where the header behind Ethernet and tags starts. */
  l3 = 0;
  /** 4 or 6 where an IP header was parsed, else 0. */
  version = 0;
  /** The protocol field or the next header; −1 where no IP header was parsed. */
  protocol = -1;
  /** Where the header behind IP starts, whether it is there or not. */
  l4 = 0;
  fragment: 'none' | 'first' | 'later' = 'none';

  parse(frame: Frame): this {
    this.bytes = frame.bytes;
    this.end = frame.dataEnd;
    this.link = 'too short';
    this.tagCount = 0;
    this.etherType = -1;
    this.version = 0;
    this.protocol = -1;
    this.fragment = 'none';
    if (frame.dataEnd - frame.data < ETHERNET.headerLength) return this;
    let at = frame.data + ETHERNET.headerLength;
    let etherType = readU16(this.bytes, frame.data + ETHERNET.at.etherType);
    while (isTag(etherType)) {
      if (this.tagCount === MOST_TAGS) {
        this.link = 'too many tags';
        return this;
      }
      if (this.end - at < VLAN.headerLength) return this;
      this.tagCount++;
      etherType = readU16(this.bytes, at + VLAN.at.etherType);
      at += VLAN.headerLength;
    }
    this.link = 'parsed';
    this.etherType = etherType;
    this.l3 = at;
    if (etherType === ETHERTYPE.IPV4) this.parseIpv4();
    else if (etherType === ETHERTYPE.IPV6) this.parseIpv6();
    return this;
  }

  /** Are `length` bytes of the header behind IP there? */
  hasL4(length: number): boolean {
    return this.version !== 0 && this.end - this.l4 >= length;
  }

  private parseIpv4(): void {
    const { bytes, l3 } = this;
    if (this.end - l3 < IPV4.headerLength) return;
    const first = bytes[l3]!;
    const headerLength = (first & 0x0f) * 4;
    if (first >> 4 !== 4 || headerLength < IPV4.headerLength || this.end - l3 < headerLength) return;
    this.version = 4;
    this.protocol = bytes[l3 + IPV4.at.protocol]!;
    this.l4 = l3 + headerLength;
    const flags = readU16(bytes, l3 + IPV4.at.fragmentOffset);
    if ((flags & IPV4_OFFSET_MASK) !== 0) this.fragment = 'later';
    else if ((flags & IPV4_MF) !== 0) this.fragment = 'first';
  }

  private parseIpv6(): void {
    const { bytes, l3 } = this;
    if (this.end - l3 < IPV6.headerLength || bytes[l3]! >> 4 !== 6) return;
    this.version = 6;
    this.protocol = bytes[l3 + IPV6.at.nextHeader]!;
    this.l4 = l3 + IPV6.headerLength;
  }
}
