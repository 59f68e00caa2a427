/**
 * A frame as it came and as it left, with their headers paired: what checksums and invariants are judged on.
 *
 * Programs push and pop headers at the head, append and cut bytes at the tail, or both; so every header of one frame
 * may lie elsewhere in the other, be new, or have come to light.
 */
import { equalWords, readU16, readU24 } from '../../sim/packet/bytes.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { isTpid } from '../../sim/packet/vlan.ts';
import { verifyChecksums } from './checksums.ts';
import { CHECKSUM, HEADER, HEADER_FLAG, HEADER_NAMES, type HeaderName, isIp, PART } from './found.ts';
import { HeaderList, type JudgedChecksum, MATCH } from './header-list.ts';
import { onesAdd, onesSum } from './sum.ts';

/** The least frame on an Ethernet, without its check sequence: shorter ones are padded up to it (IEEE 802.3 §4.2.3.3). */
export const ETHERNET_MINIMUM = 60;

/** Reusable; makes no object per packet. What is private is so for the compiler only: see `ChecksumScanner`. */
export class FramePair {
  readonly was: HeaderList = new HeaderList();
  readonly is: HeaderList = new HeaderList();
  before: Uint8Array = new Uint8Array(0);
  beforeOffset = 0;
  beforeLength = 0;
  after: Uint8Array = new Uint8Array(0);
  afterOffset = 0;
  afterLength = 0;
  /** A byte of the frame that left at offset n stood at n + shift before, where it stood there at all. */
  shift = 0;
  /** Did the frame come with lengths that contradict each other, or with a header that is not all there? */
  cameBroken = false;
  /** Where `set` found nothing to judge: did the frame leave otherwise than it came all the same? */
  isHeaderless = false;
  /** Where `set` found nothing to judge: did the frame grow beyond what the length of an IP packet can say? */
  isOutgrown = false;
  /** From this row on, headers of the frame that left are read otherwise than they came: see `exposeMisnamed`. */
  private misnamed = Number.POSITIVE_INFINITY;
  private beforeView = new DataView(this.before.buffer);
  private afterView = new DataView(this.after.buffer);

  /**
   * @param before the arena with the frame as it came
   * @param after the arena with the frame as it left
   * @returns false where there is nothing to judge: the frame left as it came, never had a header that is known, or is longer
   * now than any header can say
   */
  set(
    before: Uint8Array,
    beforeOffset: number,
    beforeLength: number,
    after: Uint8Array,
    afterOffset: number,
    afterLength: number,
  ): boolean {
    this.look(before, after);
    this.isHeaderless = false;
    this.isOutgrown = false;
    if (beforeLength === afterLength && this.isUnchanged(beforeOffset, afterOffset, beforeLength)) {
      return false;
    }
    const hasHeader = this.setAny(before, beforeOffset, beforeLength, after, afterOffset, afterLength);
    this.isHeaderless = !hasHeader;
    this.isOutgrown = hasHeader && !this.cameBroken && this.outgrowsLengths();
    return hasHeader && !this.isOutgrown;
  }

  /**
   * Is the IP packet longer than its length field can say, since the program put something in front of a packet that was nearly as long
   * as can be, or behind it? Whatever it writes there is wrong, and no device carries such a frame.
   */
  private outgrowsLengths(): boolean {
    const { is, beforeLength, afterLength } = this;
    if (afterLength <= beforeLength || is.count === 0 || !isIp(is.kind[0]!)) return false;
    // The payload length of IPv6 does not count the header.
    const uncounted = is.kind[0] === HEADER.ipv6 ? 40 : 0;
    return afterLength - is.start[0]! - uncounted > 0xffff;
  }

  /** Like `set`, also of a frame that left as it came. */
  setAny(
    before: Uint8Array,
    beforeOffset: number,
    beforeLength: number,
    after: Uint8Array,
    afterOffset: number,
    afterLength: number,
  ): boolean {
    this.look(before, after);
    this.beforeOffset = beforeOffset;
    this.beforeLength = beforeLength;
    this.afterOffset = afterOffset;
    this.afterLength = afterLength;
    const { was, is } = this;
    was.count = 0;
    is.count = 0;
    verifyChecksums(after, afterOffset, afterLength, is);
    verifyChecksums(before, beforeOffset, beforeLength, was);
    this.shift = 0;
    this.misnamed = Number.POSITIVE_INFINITY;
    this.cameBroken = isBroken(was) || isUnderOtherNull(before, beforeOffset, was);
    if (is.count === 0) {
      this.shift = this.shiftOfHidden(beforeLength - afterLength);
      return was.count > 0;
    }
    if (beforeLength !== afterLength || !this.pairInPlace()) {
      this.shift = this.likeliestShift(beforeLength - afterLength);
      this.pairDisplaced(this.shift);
      this.pairTheRest();
      if (this.cameBroken) this.exposeMisnamed();
      this.leaveOutData();
    }
    return true;
  }

  /**
   * Data of UDP that lay behind the same header, and were none of another packet's, stay data: a port that happens to name
   * a tunnel now, an answered client's say, makes no headers of them.
   */
  private leaveOutData(): void {
    const { was, is, shift } = this;
    if (shift !== 0) return;
    const last = was.count - 1;
    if (last < 0 || was.kind[last] !== HEADER.udp) return;
    for (let row = 0; row < is.count - 1; row++) {
      if (is.match[row] !== last || is.start[row] !== was.start[last]) continue;
      if (this.namesAnother(is.start[row]!, 4)) is.count = row + 1;
      return;
    }
  }

  /**
   * An EtherType may say IPv6 of what begins like IPv4, or the other way round. In a tunnel where only the first bits say
   * what follows, it is read as what it is. Nobody translated it or wrote it: it has only come to light, with all that
   * this reading finds behind it.
   */
  private exposeMisnamed(): void {
    const { is } = this;
    for (let row = 0; row < is.count; row++) {
      if (!this.cameMisnamed(row)) continue;
      this.misnamed = row;
      is.match.fill(MATCH.exposed, row, is.count);
      return;
    }
  }

  /** Did this IP header come under the name of the other version, and with the version that it has? */
  private cameMisnamed(row: number): boolean {
    const { is, was, shift } = this;
    const kind = is.kind[row]!;
    if (!isIp(kind)) return false;
    const version = kind === HEADER.ipv4 ? 4 : 6;
    const start = is.start[row]!;
    for (let other = 0; other < was.count; other++) {
      if (was.start[other] !== start + shift || !isIp(was.kind[other]!) || was.kind[other] === kind) continue;
      const came = this.before[this.beforeOffset + start + shift]! >> 4;
      return came === version && this.isMostlyOld(start, is.headerEnd[row]!);
    }
    return false;
  }

  /** A header that is made anew has some bytes of the old one by chance: zeros, a version. */
  private isMostlyOld(start: number, end: number, shift: number = this.shift): boolean {
    let kept = 0;
    for (let at = start; at < end; at++) if (this.isOld(at, at + 1, shift)) kept++;
    return 2 * kept > end - start;
  }

  /** The arenas stay the same for a batch: a view of one costs more than comparing two frames. */
  private look(before: Uint8Array, after: Uint8Array): void {
    if (this.before !== before) {
      this.before = before;
      this.beforeView = new DataView(before.buffer, before.byteOffset, before.byteLength);
    }
    if (this.after !== after) {
      this.after = after;
      this.afterView = new DataView(after.buffer, after.byteOffset, after.byteLength);
    }
  }

  /** Most frames are. */
  private isUnchanged(beforeOffset: number, afterOffset: number, size: number): boolean {
    return size >= LONG_FRAME
      ? sameBytes(this.before, beforeOffset, this.after, afterOffset, size)
      : equalWords(this.beforeView, beforeOffset, this.afterView, afterOffset, size);
  }

  /**
   * Did the program write this header, which has no counterpart in the frame as it came, on purpose?
   *
   * What `bpf_xdp_adjust_tail` and `bpf_skb_change_tail` append is no header, even where a truncated packet's own
   * lengths and protocol number reach into it. It becomes one only with what the program says about it.
   */
  isWritten(row: number): boolean {
    const { is, was } = this;
    const start = is.start[row]!;
    if (start + this.shift < 0) return true;
    let appended = false;
    for (let at = start; at < is.headerEnd[row]!; at++) {
      const from = at + this.shift;
      const byte = this.after[this.afterOffset + at]!;
      if (from >= this.beforeLength) appended ||= byte !== 0;
      else if (byte !== this.before[this.beforeOffset + from]!) return true;
    }
    // The bytes are the old ones, or new ones where there were none: what named them a header?
    if (row === 0) return this.namesAnother(start - 2, 2);
    const around = is.match[row - 1]!;
    if (around === MATCH.none) return this.isWritten(row - 1);
    if (around < 0) return false;
    const at = is.start[row - 1]!;
    const [protocolAt, lengthAt] = NAMING[is.kind[row - 1]!]!;
    if (is.kind[row - 1] !== was.kind[around]) return true;
    if (this.namesAnother(at + protocolAt, 1)) return true;
    return appended && this.namesAnother(at + lengthAt, 2);
  }

  /** Does all that came, from the network header's addresses on, lie behind this header now, as it came? */
  liesInFrontOfAll(row: number): boolean {
    const { is, was, beforeLength, afterLength } = this;
    const grown = afterLength - beforeLength;
    if (grown <= 0 || was.count === 0 || is.headerEnd[row]! > was.start[0]! + grown) return false;
    // What a router changes on the way stands in front of the addresses of IPv4.
    for (let at = was.start[0]! + 12; at < beforeLength; at++)
      if (this.before[this.beforeOffset + at] !== this.after[this.afterOffset + at + grown]) return false;
    return true;
  }

  /**
   * Did this header come behind an IP header that cannot be read, of version 0 say, which the program has replaced? Nobody
   * knows what its checksum was: what was wrong before stays so where it is brought up to date.
   */
  cameUnread(row: number): boolean {
    const { is, was } = this;
    const last = was.count - 1;
    if (last < 0 || !isIp(was.kind[last]!) || (was.flags[last]! & HEADER_FLAG.impossible) === 0) return false;
    const start = is.start[row]!;
    // The IP header stays where it was and becomes another size, or all in front of this one moves.
    return [this.shift, this.beforeLength - this.afterLength].some(
      (shift) => start + shift >= was.headerEnd[last]! && this.isMostlyOld(start, is.headerEnd[row]!, shift),
    );
  }

  /**
   * Does a header of another kind stand where this one stands, byte for byte, because the program wrote another protocol
   * number into the header around it? @returns the row of the header as it came; -1: none
   */
  renamed(row: number): number {
    const { is, was } = this;
    if (row === 0 || is.match[row] !== MATCH.exposed) return -1;
    const around = is.match[row - 1]!;
    if (around < 0 || is.kind[row - 1] !== was.kind[around]) return -1;
    if (!this.namesAnother(is.start[row - 1]! + NAMING[is.kind[row - 1]!]![0], 1)) return -1;
    const other = around + 1;
    if (other >= was.count || was.start[other] !== is.start[row]! + this.shift) return -1;
    return family(was.kind[other]!) === family(is.kind[row]!) ? -1 : other;
  }

  /**
   * Is a header with a right checksum still there, byte for byte, where nothing leads to it any more: behind another
   * protocol number, EtherType, or fragment offset?
   */
  hidesGoodChecksum(): boolean {
    const { was, is, shift } = this;
    if (was.count <= is.count) return false;
    for (let other = 0; other < was.count; other++) {
      if (was.status[other] !== CHECKSUM.good || this.isTaken(other)) continue;
      const start = was.start[other]! - shift;
      const end = was.headerEnd[other]! - shift;
      if (start >= 0 && end <= this.afterLength && this.isOld(start, end)) return true;
    }
    return false;
  }

  /** Does the frame that left say something else in these bytes? */
  private namesAnother(at: number, size: number): boolean {
    const from = at + this.shift;
    if (at < 0 || at + size > this.afterLength || from < 0 || from + size > this.beforeLength) return false;
    return !sameBytes(this.before, this.beforeOffset + from, this.after, this.afterOffset + at, size);
  }

  /** Does this range of the frame that left consist of the bytes that stood there before? */
  isOld(start: number, end: number, shift: number = this.shift): boolean {
    const from = start + shift;
    const size = end - start;
    return (
      size > 0 &&
      from >= 0 &&
      from + size <= this.beforeLength &&
      sameBytes(this.before, this.beforeOffset + from, this.after, this.afterOffset + start, size)
    );
  }

  /** The usual case: both packets have the same headers in the same places. */
  private pairInPlace(): boolean {
    const { was, is } = this;
    if (was.count !== is.count) return false;
    for (let row = 0; row < is.count; row++) {
      if (was.start[row] !== is.start[row] || was.kind[row] !== is.kind[row]) return false;
      is.match[row] = row;
    }
    return true;
  }

  /**
   * Pairs headers of the same kind that start at the same place, displaced by `shift`. What has no counterpart but
   * consists of the very bytes that were there before has only come to light.
   * @returns how much the displacement explains: comparable with other displacements of the same frames
   */
  private pairDisplaced(shift: number): number {
    const { was, is } = this;
    let explained = 0;
    let next = 0;
    for (let row = 0; row < is.count; row++) {
      const start = is.start[row]!;
      is.match[row] = MATCH.none;
      for (let other = next; other < was.count; other++) {
        if (was.start[other] !== start + shift || !this.isHeld(other)) continue;
        if (family(was.kind[other]!) !== family(is.kind[row]!)) continue;
        is.match[row] = other;
        next = other + 1;
        break;
      }
      const isOld = this.isOld(start, is.end[row]!, shift) || this.isForwarded(is.kind[row]!, start, shift);
      if (isOld && is.match[row] === MATCH.none) is.match[row] = MATCH.exposed;
      // The same bytes say more than the same place; a header that is only named says nothing.
      const isThere = is.headerEnd[row]! > start || is.part[row] === PART.laterFragment;
      explained += isOld ? 2 : isThere && is.match[row] !== MATCH.none ? 1 : 0;
    }
    return explained;
  }

  /** Bytes of headers that stood there before, displaced by `shift`. */
  private keptBytes(shift: number): number {
    const { is } = this;
    let kept = 0;
    for (let row = 0; row < is.count; row++) {
      for (let at = is.start[row]!; at < is.headerEnd[row]!; at++) {
        const from = at + shift;
        if (from < 0 || from >= this.beforeLength) continue;
        if (this.after[this.afterOffset + at] === this.before[this.beforeOffset + from]) kept++;
      }
    }
    return kept;
  }

  /**
   * Does an IP header of the frame that left consist of the bytes that stood there before, but for those that whoever
   * forwards a packet writes: TTL, checksum, traffic class?
   * @param kind what it is
   */
  isForwarded(kind: number, start: number, shift: number): boolean {
    const kept = kind === HEADER.ipv4 ? KEPT4 : kind === HEADER.ipv6 ? KEPT6 : undefined;
    if (kept === undefined || start + kept[kept.length - 1]![1] > this.afterLength) return false;
    for (const [from, to] of kept) if (!this.isOld(start + from, start + to, shift)) return false;
    return true;
  }

  /** Of an IPv4 header that only came to light: its checksum as the frame came, where it was right; undefined: it was not. */
  exposedChecksum(row: number): JudgedChecksum | undefined {
    const { is, shift } = this;
    if (is.match[row] !== MATCH.exposed || is.kind[row] !== HEADER.ipv4) return undefined;
    // Its checksum is one of a header that nobody was told of.
    if (row >= this.misnamed) return undefined;
    const from = is.start[row]! + shift;
    const size = is.headerEnd[row]! - is.start[row]!;
    if (from < 0 || from + size > this.beforeLength) return undefined;
    const begin = this.beforeOffset + from;
    if (onesSum(this.beforeView, begin, begin + size) !== 0xffff) return undefined;
    const got = this.beforeView.getUint16(begin + 10);
    return { status: 'good', at: from + 10, got, expected: got };
  }

  /**
   * Does the sum over a message stay what it was if it goes on to the end of the frame? The program wrote behind the end that
   * the lengths give it, and took that for a part of the message: as it would be in a frame whose lengths are right.
   */
  isUpdatedToTheEnd(row: number): boolean {
    const { was, is } = this;
    const match = is.match[row]!;
    // A header that has a length of its own ends where it says; a message that became shorter left its sum on purpose.
    if (is.kind[row] === HEADER.ipv4 || was.kind[match] !== is.kind[row]) return false;
    const size = is.end[row]! - is.start[row]!;
    if (was.end[match]! - was.start[match]! !== size || was.sum[match]! < 0 || is.sum[row]! < 0) return false;
    const then = tailSum(this.beforeView, this.beforeOffset, was.end[match]!, this.beforeLength, size);
    const now = tailSum(this.afterView, this.afterOffset, is.end[row]!, this.afterLength, size);
    if (then === now) return false;
    return onesAdd(was.sum[match]!, then) % 0xffff === onesAdd(is.sum[row]!, now) % 0xffff;
  }

  /** Either the outermost header of then is one of now, or the other way round. */
  private likeliestShift(growth: number): number {
    const { was, is } = this;
    // The whole packet of then, pushed or with something taken off in front of it.
    const first = was.count === 0 ? 14 : was.start[0]!;
    const moved = first - growth;
    // Where all of the frame is where it was, bytes were appended.
    if (growth < 0 && this.isOld(0, this.beforeLength, 0)) return 0;
    if (growth < 0 && (moved >= this.afterLength || this.isOld(moved, this.afterLength, growth)))
      return growth;
    // The other way round: bytes were cut off at the end, or headers taken off in front.
    if (growth > 0 && this.isOld(0, this.afterLength, 0)) return 0;
    if (growth > 0 && is.start[0]! < this.afterLength && this.isOld(is.start[0]!, this.afterLength, growth))
      return growth;
    let best = 0;
    let most = this.pairDisplaced(0);
    const consider = (shift: number): void => {
      const explained = this.pairDisplaced(shift);
      if (explained < most) return;
      // Where the frame grew, and begins as it did, bytes that are the same, zeros say, do not tell that it lost headers in front.
      if (explained === most && shift > 0 && growth < 0 && this.beginsAlike()) return;
      if (explained === most && this.keptBytes(shift) <= this.keptBytes(best)) return;
      most = explained;
      best = shift;
    };
    consider(growth);
    if (was.count === 0) return best;
    for (let row = 0; row < is.count; row++) consider(was.start[0]! - is.start[row]!);
    for (let other = 1; other < was.count; other++) consider(was.start[other]! - is.start[0]!);
    return best;
  }

  /**
   * By how much the frame moved where nothing leads to a header of it any more: something of the program's own stands in
   * front, say. The outermost header of then tells, wherever its bytes are now.
   */
  private shiftOfHidden(growth: number): number {
    const { was } = this;
    if (was.count === 0 || this.isForwardedBy(0)) return 0;
    if (this.isForwardedBy(growth)) return growth;
    // Bytes were appended or cut off at the end, too: what was put in front, or taken off there, is no more than this.
    for (let size = 1; size <= MAX_MOVE; size++) {
      if (this.isForwardedBy(-size)) return -size;
      if (this.isForwardedBy(size)) return size;
    }
    return 0;
  }

  /** Does the outermost header of then lie in the frame that left, displaced by this? */
  private isForwardedBy(shift: number): boolean {
    const { was } = this;
    const start = was.start[0]! - shift;
    return start >= 0 && this.isForwarded(was.kind[0]!, start, shift);
  }

  /** Is the outermost header of the same kind, at the same place? */
  private beginsAlike(): boolean {
    const { was, is } = this;
    return was.count > 0 && was.start[0] === is.start[0] && was.kind[0] === is.kind[0];
  }

  /** What no place pairs is a header rebuilt elsewhere, if there is one of its kind left: innermost with innermost. */
  private pairTheRest(): void {
    const { was, is } = this;
    for (let row = is.count - 1; row >= 0; row--) {
      if (is.match[row] !== MATCH.none) continue;
      for (let other = was.count - 1; other >= 0; other--) {
        if (family(was.kind[other]!) !== family(is.kind[row]!)) continue;
        if (!this.isHeld(other) || this.isTaken(other) || this.isStillThere(other)) continue;
        is.match[row] = other;
        break;
      }
    }
  }

  /** Were there bytes of this header, or was it only named? A later fragment counts: its header lies in another packet. */
  private isHeld(other: number): boolean {
    const { was } = this;
    return was.headerEnd[other]! > was.start[other]! || was.part[other] === PART.laterFragment;
  }

  /** Do the bytes of this header lie in the frame that left, hidden behind another? */
  private isStillThere(other: number): boolean {
    const { was, shift } = this;
    const start = was.start[other]! - shift;
    const end = was.headerEnd[other]! - shift;
    return shift !== 0 && start >= 0 && end <= this.afterLength && this.isOld(start, end);
  }

  private isTaken(other: number): boolean {
    const { is } = this;
    for (let row = 0; row < is.count; row++) if (is.match[row] === other) return true;
    return false;
  }
}

/** Where each kind of header names what follows it, and states a length; 0 where it does not. */
const NAMING_BY_NAME: Readonly<Record<HeaderName, readonly [protocolAt: number, lengthAt: number]>> = {
  ipv4: [9, 2],
  icmp: [0, 0],
  icmpv6: [0, 0],
  tcp: [12, 12],
  udp: [3, 4],
  udplite: [3, 4],
  dccp: [8, 4],
  sctp: [0, 0],
  igmp: [0, 0],
  pim: [0, 0],
  vrrp: [0, 0],
  ospf: [1, 2],
  ospf3: [1, 2],
  gre: [3, 2],
  icmpext: [0, 0],
  ipv6: [6, 4],
};

const NAMING = HEADER_NAMES.map((name) => NAMING_BY_NAME[name]);

/** Where in an IP header the number of what follows it is. */
export function protocolPlace(kind: number): number {
  return NAMING[kind]![0];
}

/** Bytes of IP headers that forwarding leaves alone: version, lengths, addresses; [from, to). */
const KEPT4 = [
  [0, 1],
  [2, 4],
  [12, 20],
] as const;
const KEPT6 = [
  [0, 1],
  [4, 6],
  [8, 40],
] as const;

/** NAT64 turns IPv4 and ICMP into IPv6 and ICMPv6, and back; every other kind stays what it is. */
function family(kind: number): number {
  return kind === HEADER.icmpv6 ? HEADER.icmp : kind === HEADER.ipv6 ? HEADER.ipv4 : kind;
}

/**
 * The labels that stand for one version of IP alone (RFC 3032 §2.1): the other one behind them is read as what the label says, which
 * it is not.
 */
const EXPLICIT_NULL: ReadonlyMap<number, number> = new Map([
  [0, HEADER.ipv4],
  [2, HEADER.ipv6],
]);

/** An Ethernet header and one entry. */
const BEHIND_LABEL = 18;

function isUnderOtherNull(frame: Uint8Array, offset: number, { count, kind, start }: HeaderList): boolean {
  if (count === 0 || !isIp(kind[0]!) || start[0]! < BEHIND_LABEL) return false;
  let at = offset + 12;
  while (isTpid(readU16(frame, at))) at += 4;
  const type = readU16(frame, at);
  if (type !== ETHERTYPE.MPLS && type !== ETHERTYPE.MPLS_MULTICAST) return false;
  const meant = EXPLICIT_NULL.get(readU24(frame, offset + start[0]! - 4) >>> 4);
  return meant !== undefined && meant !== kind[0];
}

/** Does one of the headers outside of quotes contradict the frame, or another one? */
function isBroken(list: HeaderList): boolean {
  for (let row = 0; row < list.count; row++) {
    const flags = list.flags[row]!;
    if ((flags & HEADER_FLAG.quoted) !== 0) return false;
    if ((flags & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) return true;
    if (list.claimedEnd[row]! < list.headerEnd[row]!) return true;
    // The length in a first fragment is that of the whole datagram.
    const isFragment = list.part[row] !== 0 && list.kind[row] === HEADER.udp;
    if (!isFragment && list.claimedEnd[row]! > list.room[row]!) return true;
  }
  return false;
}

/** What the rest of a frame adds to the sum over a message of this size: behind an odd byte, words begin with their low half. */
function tailSum(view: DataView, offset: number, from: number, length: number, size: number): number {
  const sum = onesSum(view, offset + from, offset + length);
  return (size & 1) === 0 ? sum : ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The room in front of a frame that XDP has (`XDP_PACKET_HEADROOM`): by no more does a program move its start. */
const MAX_MOVE = 256;

/** From here on a `memcmp` is worth its call and the two views that it takes. */
const LONG_FRAME = 512;

function sameBytes(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, size: number): boolean {
  // Frames that differ mostly do so near their start.
  const near = size >= LONG_FRAME ? 64 : size;
  for (let index = 0; index < near; index++) if (a[aStart + index]! !== b[bStart + index]!) return false;
  return (
    size === near ||
    Buffer.compare(a.subarray(aStart + near, aStart + size), b.subarray(bStart + near, bStart + size)) === 0
  );
}
