/**
 * Judges what a program did to checksums, whatever any model says: right before and wrong after is a fault; wrong
 * before by some amount must be wrong by the same amount after, or right.
 */
import { isIcmpError } from '../../sim/packet/icmp.ts';
import { isIcmpv6Error } from '../../sim/packet/icmpv6.ts';
import { lostPacket } from './announcement.ts';
import { CHECKSUM, CHECKSUM_LAYERS, type ChecksumLayer, HEADER, HEADER_FLAG } from './found.ts';
import { FramePair } from './frame-pair.ts';
import { type JudgedChecksum, MATCH, NO_CHECKSUM } from './header-list.ts';

export type { JudgedChecksum } from './header-list.ts';

export interface ChecksumFault {
  readonly layer: ChecksumLayer;
  /** In the packet that left: 0 for the outermost of its kind. */
  readonly depth: number;
  readonly kind: ChecksumFaultKind;
  /** The same checksum in the packet as it came; undefined where the program added the header. */
  readonly before: JudgedChecksum | undefined;
  readonly after: JudgedChecksum;
}

export type ChecksumFaultKind =
  /** Right (or none) before, wrong after. */
  | 'wrong'
  /** Wrong before and wrong after, but not by the same amount. */
  | 'wrong by another amount'
  /** UDP 0 over IPv6: carried over from IPv4, or put in the place of a checksum. */
  | 'illegal'
  /** UDP over IPv4: computed 0x0000 and written as that, which says "no checksum" (RFC 768). */
  | 'lost'
  /** A fragment's part of the sum changed, which no other fragment can make up for. */
  | 'fragment'
  /** A header that the program added has a wrong checksum. */
  | 'wrong from the start';

const COVERS_WRONG = 'checksums of tunnels around packets that came wrong';
const CAME_UNVERIFIABLE = 'checksums of packets that came truncated, contradictory or as fragments';
const REPLACES_WRONG = 'checksums of headers in the place of others that came wrong';
const BECAME_UNVERIFIABLE = 'checksums that were right and can no longer be verified';

/** Reusable; makes an object only for a fault. */
export class ChecksumJudge {
  /** Did the last frame lose a UDP checksum whose value is not the 0x0000 that says so? Then it was taken off on purpose. */
  removed = false;
  /** Which checksums of the last frame could not be judged; undefined where all were. */
  unjudged: string | undefined;
  readonly #pair = new FramePair();
  /** Of the last fault, among the headers of the frame that left. */
  #row = 0;

  /**
   * @param before the arena with the frame as it came
   * @param after the arena with the frame as it left
   * @returns the outermost fault, or undefined where the program did nothing wrong
   */
  judge(
    before: Uint8Array,
    beforeOffset: number,
    beforeLength: number,
    after: Uint8Array,
    afterOffset: number,
    afterLength: number,
  ): ChecksumFault | undefined {
    const pair = this.#pair;
    this.unjudged = undefined;
    if (!pair.set(before, beforeOffset, beforeLength, after, afterOffset, afterLength)) return undefined;
    return this.judgePair(pair);
  }

  /** The same for frames that are paired already. */
  judgePair(pair: FramePair): ChecksumFault | undefined {
    this.#begin(pair);
    return this.#next(pair, 0);
  }

  /** Every fault of frames that are paired already, the outermost first. */
  allOf(pair: FramePair): ChecksumFault[] {
    this.#begin(pair);
    const faults: ChecksumFault[] = [];
    for (let row = 0; row < pair.is.count; row = this.#row + 1) {
      const fault = this.#next(pair, row);
      if (fault === undefined) break;
      faults.push(fault);
    }
    return faults;
  }

  #begin(pair: FramePair): void {
    this.unjudged = undefined;
    this.removed = false;
    if (pair.hidesGoodChecksum()) this.unjudged = BECAME_UNVERIFIABLE;
  }

  /** The first fault from a row on, whose own row is kept. */
  #next(pair: FramePair, from: number): ChecksumFault | undefined {
    for (let row = from; row < pair.is.count; row++) {
      const kind = this.#verdict(pair, row);
      if (kind === undefined) continue;
      if (coversWrong(pair, row)) {
        this.unjudged = COVERS_WRONG;
        continue;
      }
      this.#row = row;
      return faultOf(pair, row, kind);
    }
    return undefined;
  }

  /** Another protocol number makes another header of the same bytes, whose checksum is the program's to put right. */
  #renamedVerdict(pair: FramePair, row: number): ChecksumFaultKind | undefined {
    const { was, is } = pair;
    const other = pair.renamed(row);
    const isBad = is.status[row] === CHECKSUM.bad || is.status[row] === CHECKSUM.illegal;
    if (other < 0 || !isBad || ((is.flags[row]! | was.flags[other]!) & HEADER_FLAG.quoted) !== 0)
      return undefined;
    if (replacesWrong(pair, row)) {
      this.unjudged = REPLACES_WRONG;
      return undefined;
    }
    const before = was.status[other];
    return before === CHECKSUM.good || before === CHECKSUM.absent ? 'wrong from the start' : undefined;
  }

  #verdict(pair: FramePair, row: number): ChecksumFaultKind | undefined {
    const { was, is } = pair;
    const status = is.status[row]!;
    const match = is.match[row]!;
    if (status === CHECKSUM.good || status === NO_CHECKSUM) return undefined;
    if (match === MATCH.exposed) {
      // It came behind something that nobody looked into, and was written since.
      if (status === CHECKSUM.bad && pair.exposedChecksum(row) !== undefined) return 'wrong';
      return this.#renamedVerdict(pair, row);
    }
    const statusBefore = match === MATCH.none ? NO_CHECKSUM : was.status[match]!;
    if (statusBefore === NO_CHECKSUM) {
      if (status !== CHECKSUM.bad && status !== CHECKSUM.illegal) return undefined;
      if (match === MATCH.none && !pair.isWritten(row)) return undefined;
      // A packet that came, behind a wrong number, is no such header: `ethertype` and `protocol` say what is wrong.
      if (is.start[row]! >= (lostPacket(pair)?.start ?? Number.POSITIVE_INFINITY)) {
        this.unjudged = BECAME_UNVERIFIABLE;
        return undefined;
      }
      if (match === MATCH.none && pair.cameUnread(row)) {
        this.unjudged = CAME_UNVERIFIABLE;
        return undefined;
      }
      if (match === MATCH.none && replacesWrong(pair, row)) {
        this.unjudged = REPLACES_WRONG;
        return undefined;
      }
      // A UDP header pushed in front of a packet makes a tunnel, which may go without (RFC 6935 §5), on any port.
      if (status === CHECKSUM.illegal && pair.shift < 0 && is.start[row]! + pair.shift < 14) return undefined;
      return 'wrong from the start';
    }
    switch (status) {
      case CHECKSUM.absent:
        if (statusBefore !== CHECKSUM.absent && is.sum[row]! >= 0 && is.sum[row] !== 0xffff)
          this.removed = true;
        // Without its checksum field the rest sums up to 0xFFFF: the computed checksum is 0x0000.
        return statusBefore === CHECKSUM.good && is.sum[row] === 0xffff ? 'lost' : undefined;
      case CHECKSUM.illegal:
        if (statusBefore === CHECKSUM.illegal || statusBefore === CHECKSUM.unverifiable) return undefined;
        // Over IPv6 a 0 is the sender's choice, and stays so whatever port it goes to (RFC 6935, RFC 6936).
        return statusBefore === CHECKSUM.absent && was.addressLength[match] === 16 ? undefined : 'illegal';
      case CHECKSUM.bad:
        // Its header came longer than the segment: a program that believes it writes behind the segment's end.
        if ((was.flags[match]! & HEADER_FLAG.impossible) !== 0) {
          this.unjudged = CAME_UNVERIFIABLE;
          return undefined;
        }
        if (isResizedData(pair, row, match)) return undefined;
        if (isSendersLength(pair, row, statusBefore)) {
          this.unjudged = CAME_UNVERIFIABLE;
          return undefined;
        }
        if (statusBefore === CHECKSUM.good || statusBefore === CHECKSUM.absent) return 'wrong';
        if (statusBefore === CHECKSUM.unverifiable) this.unjudged = CAME_UNVERIFIABLE;
        if (statusBefore === CHECKSUM.unverifiable || was.sum[match]! < 0) return undefined;
        return was.sum[match]! % 0xffff === is.sum[row]! % 0xffff ? undefined : 'wrong by another amount';
      default:
        // What an ICMP error quotes is seldom all there.
        if (statusBefore === CHECKSUM.good && (is.flags[row]! & HEADER_FLAG.quoted) === 0) {
          this.unjudged = BECAME_UNVERIFIABLE;
        }
        if (statusBefore !== CHECKSUM.unverifiable) return undefined;
        if (was.kind[match] !== is.kind[row] || was.sum[match]! < 0 || is.sum[row]! < 0) {
          this.unjudged = CAME_UNVERIFIABLE;
          return undefined;
        }
        return was.sum[match]! % 0xffff === is.sum[row]! % 0xffff ? undefined : 'fragment';
    }
  }
}

function faultOf(pair: FramePair, row: number, kind: ChecksumFaultKind): ChecksumFault {
  const { was, is } = pair;
  const match = is.match[row]!;
  return {
    layer: CHECKSUM_LAYERS[is.kind[row]!]!,
    depth: is.depth[row]!,
    kind,
    before: match >= 0 && was.status[match] !== NO_CHECKSUM ? was.judged(match) : pair.exposedChecksum(row),
    // By itself, a 0 is no checksum, of which nothing is expected.
    after: kind === 'lost' ? { ...is.judged(row), expected: 0xffff } : is.judged(row),
  };
}

/**
 * Is it the UDP header of a tunnel around a packet that came with contradictory lengths, or wrong by just what that packet's
 * own checksums came wrong by? Who makes one of what the checksums inside say (local checksum offload) need not have looked.
 */
function coversWrong(pair: FramePair, row: number): boolean {
  const { was, is, cameBroken } = pair;
  if (is.kind[row] !== HEADER.udp || is.status[row] !== CHECKSUM.bad || !pair.liesInFrontOfAll(row))
    return false;
  if (cameBroken) return true;
  let sums = [0];
  for (let other = 0; other < was.count; other++) {
    // Who takes its length from IP counts what lies between the two ends, which no checksum covers.
    if (was.kind[other] === HEADER.udp && was.claimedEnd[other] !== was.room[other]) return true;
    if (was.status[other] !== CHECKSUM.bad || was.kind[other] === HEADER.sctp) continue;
    if ((was.flags[other]! & HEADER_FLAG.quoted) === 0)
      sums = sums.flatMap((sum) => [sum, (sum + was.sum[other]!) % 0xffff]);
  }
  return sums.slice(1).includes(is.sum[row]! % 0xffff);
}

/**
 * Does the header stand where one of another kind stood whose checksum came wrong, or as the 0 that IPv6 does not allow (RFC 8200
 * §8.1)? A program that makes TCP of UDP carries the checksum over, and what was wrong before stays so.
 */
function replacesWrong({ was, is, shift, cameBroken }: FramePair, row: number): boolean {
  const start = is.start[row]! + shift;
  for (let other = 0; other < was.count; other++) {
    if (was.start[other] !== start || was.kind[other] === is.kind[row]) continue;
    // A length that contradicts the packet's makes the sum another one.
    if (cameBroken) return true;
    if (was.status[other] === CHECKSUM.bad || was.status[other] === CHECKSUM.illegal) return true;
  }
  return false;
}

/**
 * Did a right update count what lies behind the message's end, in a frame that came with a wrong checksum, with lengths
 * that contradict each other, or with less in a quote than anything sends? Then it is the sender's length that makes it wrong.
 */
function isSendersLength(pair: FramePair, row: number, statusBefore: number): boolean {
  const isOdd = pair.cameBroken || quotesTooLittle(pair, pair.is.match[row]!);
  const cameWrong = statusBefore === CHECKSUM.bad || (isOdd && statusBefore === CHECKSUM.good);
  return cameWrong && pair.isUpdatedToTheEnd(row);
}

const QUOTE = 8;
const QUOTED_DATA = 8;

/**
 * Is it an ICMP error that quotes less than an IP header and 8 bytes (RFC 792; RFC 4443 §2.4 c asks for more)?
 * @param row of the packet as it came
 */
function quotesTooLittle({ was, before, beforeOffset }: FramePair, row: number): boolean {
  const [kind, start, end] = [was.kind[row]!, was.start[row]!, was.end[row]!];
  const isOfIpv4 = kind === HEADER.icmp;
  if ((!isOfIpv4 && kind !== HEADER.icmpv6) || end - start <= QUOTE) return false;
  const type = before[beforeOffset + start]!;
  if (!(isOfIpv4 ? isIcmpError(type) : isIcmpv6Error(type))) return false;
  const size = isOfIpv4 ? 4 * (before[beforeOffset + start + QUOTE]! & 0xf) : 40;
  return end - start < QUOTE + size + QUOTED_DATA;
}

/**
 * Is it a GRE header, left as it came, in the data of a datagram that is longer or shorter now? Its checksum goes as far as
 * the data do, and whoever changes the data of UDP need not know that a port makes them look like a tunnel.
 */
function isResizedData(pair: FramePair, row: number, match: number): boolean {
  const { was, is } = pair;
  const start = is.start[row]!;
  if (is.kind[row] !== HEADER.gre || is.end[row]! - start === was.end[match]! - was.start[match]!)
    return false;
  return pair.isOld(start, start + 8) && is.liesInData(row);
}
