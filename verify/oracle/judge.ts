/**
 * Judges what a program did to checksums, whatever any model says: right before and wrong after is a fault; wrong
 * before by some amount must be wrong by the same amount after, or right.
 */
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type ChecksumLayer,
  type ChecksumSink,
  type ChecksumStatus,
  type FoundChecksum,
  verifyChecksums,
} from './checksums.ts';

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
  /** UDP 0 over IPv6 where there was none before. */
  | 'illegal'
  /** UDP over IPv4: computed 0x0000 and written as that, which says "no checksum" (RFC 768). */
  | 'lost'
  /** A fragment's part of the sum changed, which no other fragment can make up for. */
  | 'fragment'
  /** A header that the program added has a wrong checksum. */
  | 'wrong from the start';

export interface JudgedChecksum {
  readonly status: ChecksumStatus;
  /** Offset of the field from the packet's first byte; -1 where the packet does not hold it. */
  readonly at: number;
  readonly got: number;
  readonly expected: number;
}

/** The checksums of one packet in typed arrays, reused from packet to packet. */
class ChecksumList implements ChecksumSink {
  count = 0;
  #capacity = 0;
  layer!: Uint8Array;
  depth!: Uint32Array;
  status!: Uint8Array;
  at!: Int32Array;
  got!: Uint16Array;
  expected!: Uint16Array;
  sum!: Int32Array;
  start!: Uint32Array;
  end!: Uint32Array;
  /** Index of the checksum's counterpart in the other packet, or one of `NO_MATCH`, `EXPOSED`. */
  match!: Int32Array;

  constructor() {
    this.#allocate(16);
  }

  checksum(found: FoundChecksum): void {
    const index = this.count;
    if (index === this.#capacity) this.#allocate(index * 2);
    this.layer[index] = found.layer;
    this.depth[index] = found.depth;
    this.status[index] = found.status;
    this.at[index] = found.at;
    this.got[index] = found.got;
    this.expected[index] = found.expected;
    this.sum[index] = found.sum;
    this.start[index] = found.start;
    this.end[index] = found.end;
    this.match[index] = NO_MATCH;
    this.count = index + 1;
  }

  judged(index: number): JudgedChecksum {
    return {
      status: CHECKSUM_STATUSES[this.status[index]!]!,
      at: this.at[index]!,
      got: this.got[index]!,
      expected: this.expected[index]!,
    };
  }

  #allocate(capacity: number): void {
    const grow = <T extends { set(from: T): void }>(fresh: T, old: T | undefined): T => {
      if (old !== undefined) fresh.set(old);
      return fresh;
    };
    this.layer = grow(new Uint8Array(capacity), this.layer);
    this.depth = grow(new Uint32Array(capacity), this.depth);
    this.status = grow(new Uint8Array(capacity), this.status);
    this.at = grow(new Int32Array(capacity), this.at);
    this.got = grow(new Uint16Array(capacity), this.got);
    this.expected = grow(new Uint16Array(capacity), this.expected);
    this.sum = grow(new Int32Array(capacity), this.sum);
    this.start = grow(new Uint32Array(capacity), this.start);
    this.end = grow(new Uint32Array(capacity), this.end);
    this.match = grow(new Int32Array(capacity), this.match);
    this.#capacity = capacity;
  }
}

const NO_MATCH = -1;
/** The bytes were there before, hidden in a payload: not the program's work. */
const EXPOSED = -2;

/** Reusable; makes an object only for a fault. */
export class ChecksumJudge {
  readonly #before = new ChecksumList();
  readonly #after = new ChecksumList();

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
    if (beforeLength === afterLength && sameBytes(before, beforeOffset, after, afterOffset, beforeLength)) {
      return undefined;
    }
    const was = this.#before;
    const is = this.#after;
    was.count = 0;
    is.count = 0;
    verifyChecksums(after, afterOffset, afterLength, is);
    if (is.count === 0) return undefined;
    verifyChecksums(before, beforeOffset, beforeLength, was);

    if (beforeLength !== afterLength || !this.#pairInPlace()) {
      const frames = { before, beforeOffset, beforeLength, after, afterOffset };
      this.#pairDisplaced(frames, this.#likeliestShift(frames, beforeLength - afterLength));
      this.#pairTheRest();
    }

    for (let index = 0; index < is.count; index++) {
      const kind = this.#verdict(index);
      if (kind === undefined) continue;
      const match = is.match[index]!;
      return {
        layer: CHECKSUM_LAYERS[is.layer[index]!]!,
        depth: is.depth[index]!,
        kind,
        before: match >= 0 ? was.judged(match) : undefined,
        after: is.judged(index),
      };
    }
    return undefined;
  }

  /** The usual case: both packets have the same headers in the same places. */
  #pairInPlace(): boolean {
    const was = this.#before;
    const is = this.#after;
    if (was.count !== is.count) return false;
    for (let index = 0; index < is.count; index++) {
      if (was.start[index] !== is.start[index] || was.layer[index] !== is.layer[index]) return false;
      is.match[index] = index;
    }
    return true;
  }

  /**
   * Pairs checksums of the same kind whose headers start at the same place, displaced by `shift`. What has no
   * counterpart but consists of the very bytes that were there before has only come to light.
   * @returns how much the displacement explains: comparable with other displacements of the same frames
   */
  #pairDisplaced(frames: Frames, shift: number): number {
    const was = this.#before;
    const is = this.#after;
    let explained = 0;
    let next = 0;
    for (let index = 0; index < is.count; index++) {
      const start = is.start[index]!;
      is.match[index] = NO_MATCH;
      for (let other = next; other < was.count; other++) {
        if (was.start[other] !== start + shift) continue;
        if (family(was.layer[other]!) !== family(is.layer[index]!)) continue;
        is.match[index] = other;
        next = other + 1;
        break;
      }
      const isOld = isOldStuff(frames, start, is.end[index]!, shift);
      if (isOld && is.match[index] === NO_MATCH) is.match[index] = EXPOSED;
      // The same bytes say more than the same place.
      explained += isOld ? 2 : is.match[index] !== NO_MATCH ? 1 : 0;
    }
    return explained;
  }

  /**
   * Where a byte of the packet that left stood before: headers are pushed and popped at the head, bytes are appended
   * and cut off at the tail, or both. So either the outermost header of then is one of now, or the other way round.
   */
  #likeliestShift(frames: Frames, growth: number): number {
    const was = this.#before;
    const is = this.#after;
    let best = 0;
    let most = this.#pairDisplaced(frames, 0);
    const consider = (shift: number): void => {
      const explained = this.#pairDisplaced(frames, shift);
      if (explained <= most) return;
      most = explained;
      best = shift;
    };
    consider(growth);
    if (was.count === 0) return best;
    for (let index = 0; index < is.count; index++) consider(was.start[0]! - is.start[index]!);
    for (let other = 1; other < was.count; other++) consider(was.start[other]! - is.start[0]!);
    return best;
  }

  /** What no place pairs is a header rebuilt elsewhere, if there is one of its kind left: innermost with innermost. */
  #pairTheRest(): void {
    const was = this.#before;
    const is = this.#after;
    for (let index = is.count - 1; index >= 0; index--) {
      if (is.match[index] !== NO_MATCH) continue;
      for (let other = was.count - 1; other >= 0; other--) {
        if (family(was.layer[other]!) !== family(is.layer[index]!) || this.#isTaken(other)) continue;
        is.match[index] = other;
        break;
      }
    }
  }

  #isTaken(other: number): boolean {
    const is = this.#after;
    for (let index = 0; index < is.count; index++) if (is.match[index] === other) return true;
    return false;
  }

  #verdict(index: number): ChecksumFaultKind | undefined {
    const was = this.#before;
    const is = this.#after;
    const status = is.status[index]!;
    const match = is.match[index]!;
    if (status === CHECKSUM.good || match === EXPOSED) return undefined;
    if (match === NO_MATCH) {
      return status === CHECKSUM.bad || status === CHECKSUM.illegal ? 'wrong from the start' : undefined;
    }
    const statusBefore = was.status[match]!;
    switch (status) {
      case CHECKSUM.absent:
        // Without its checksum field the rest sums up to 0xFFFF: the computed checksum is 0x0000.
        return statusBefore === CHECKSUM.good && is.sum[index] === 0xffff ? 'lost' : undefined;
      case CHECKSUM.illegal:
        return statusBefore === CHECKSUM.illegal || statusBefore === CHECKSUM.unverifiable
          ? undefined
          : 'illegal';
      case CHECKSUM.bad:
        if (statusBefore === CHECKSUM.good || statusBefore === CHECKSUM.absent) return 'wrong';
        if (statusBefore === CHECKSUM.unverifiable || was.sum[match]! < 0) return undefined;
        return was.sum[match]! % 0xffff === is.sum[index]! % 0xffff ? undefined : 'wrong by another amount';
      default:
        if (statusBefore !== CHECKSUM.unverifiable || was.layer[match] !== is.layer[index]) return undefined;
        if (was.sum[match]! < 0 || is.sum[index]! < 0) return undefined;
        return was.sum[match]! % 0xffff === is.sum[index]! % 0xffff ? undefined : 'fragment';
    }
  }
}

/** NAT64 turns ICMP into ICMPv6 and back; every other kind stays what it is. */
function family(layer: number): number {
  return layer === 2 ? 1 : layer;
}

interface Frames {
  readonly before: Uint8Array;
  readonly beforeOffset: number;
  readonly beforeLength: number;
  readonly after: Uint8Array;
  readonly afterOffset: number;
}

function isOldStuff(frames: Frames, start: number, end: number, shift: number): boolean {
  const from = start + shift;
  const size = end - start;
  return (
    size > 0 &&
    from >= 0 &&
    from + size <= frames.beforeLength &&
    sameBytes(frames.before, frames.beforeOffset + from, frames.after, frames.afterOffset + start, size)
  );
}

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
