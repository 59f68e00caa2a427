/** The headers of one packet with their checksums, in typed arrays that are reused from packet to packet. */
import {
  CHECKSUM_STATUSES,
  type ChecksumSink,
  type ChecksumStatus,
  type FoundChecksum,
  type FoundHeader,
  HEADER,
} from './found.ts';

/** The counterpart of a header in the other packet, where it is not an index. */
export const MATCH = {
  none: -1,
  /** The bytes were there before, hidden in a payload: the program did not write them. */
  exposed: -2,
} as const;

/** The status of a header that has no checksum. */
export const NO_CHECKSUM = 255;

export interface JudgedChecksum {
  readonly status: ChecksumStatus;
  /** Offset of the field from the packet's first byte; -1 where the packet does not hold it. */
  readonly at: number;
  readonly got: number;
  readonly expected: number;
}

/**
 * Row by row, outermost first. A later fragment has a row for the transport header that it does not hold. What is private is
 * so for the compiler only: see `ChecksumScanner`.
 */
export class HeaderList implements ChecksumSink {
  count = 0;
  private capacity = 0;
  /** One of `HEADER`. */
  kind!: Uint8Array;
  start!: Int32Array;
  headerEnd!: Int32Array;
  claimedEnd!: Int32Array;
  room!: Int32Array;
  flags!: Uint8Array;
  part!: Uint8Array;
  fragment!: Uint16Array;
  /** 0 for the outermost of its kind. */
  depth!: Uint32Array;
  /** The checksum's, `NO_CHECKSUM` where there is none. */
  status!: Uint8Array;
  at!: Int32Array;
  got!: Uint32Array;
  expected!: Uint32Array;
  sum!: Int32Array;
  /** Where what the checksum covers ends; without a checksum, where the header does. */
  end!: Int32Array;
  /** Length of the addresses in the checksum's pseudo-header. */
  addressLength!: Uint8Array;
  /** Index of the counterpart in the other packet, or one of `MATCH`. */
  match!: Int32Array;

  constructor() {
    this.allocate(16);
  }

  header(found: FoundHeader): void {
    const row = this.append(found.headerKind, found.headerStart, found.headerEnd);
    this.claimedEnd[row] = found.claimedEnd;
    this.room[row] = found.room;
    this.flags[row] = found.headerFlags;
    this.part[row] = found.part;
    this.fragment[row] = found.fragment;
  }

  checksum(found: FoundChecksum): void {
    let row = this.count - 1;
    const isOfLastHeader =
      row >= 0 &&
      this.kind[row] === found.layer &&
      this.start[row] === found.start &&
      this.status[row] === NO_CHECKSUM;
    if (!isOfLastHeader) {
      row = this.append(found.layer, found.start, found.start);
      this.claimedEnd[row] = found.end;
      this.room[row] = found.end;
      this.flags[row] = row === 0 ? 0 : this.flags[row - 1]!;
      this.part[row] = row === 0 ? 0 : this.part[row - 1]!;
      this.fragment[row] = row === 0 ? 0 : this.fragment[row - 1]!;
    }
    this.depth[row] = found.depth;
    this.status[row] = found.status;
    this.at[row] = found.at;
    this.got[row] = found.got;
    this.expected[row] = found.expected;
    this.sum[row] = found.sum;
    this.end[row] = found.end;
    this.addressLength[row] = found.addressLength;
  }

  /** Is it part of a datagram's data: behind a UDP header? */
  liesInData(row: number): boolean {
    for (let outer = 0; outer < row; outer++) {
      if (this.kind[outer] === HEADER.udp && this.start[row]! >= this.start[outer]! + 8) return true;
    }
    return false;
  }

  judged(row: number): JudgedChecksum {
    return {
      status: CHECKSUM_STATUSES[this.status[row]!]!,
      at: this.at[row]!,
      got: this.got[row]!,
      expected: this.expected[row]!,
    };
  }

  private append(kind: number, start: number, end: number): number {
    const row = this.count;
    if (row === this.capacity) this.allocate(row * 2);
    let depth = 0;
    for (let other = 0; other < row; other++) if (this.kind[other] === kind) depth++;
    this.kind[row] = kind;
    this.start[row] = start;
    this.headerEnd[row] = end;
    this.depth[row] = depth;
    this.status[row] = NO_CHECKSUM;
    this.at[row] = -1;
    this.got[row] = 0;
    this.expected[row] = 0;
    this.sum[row] = -1;
    this.end[row] = end;
    this.addressLength[row] = 0;
    this.match[row] = MATCH.none;
    this.count = row + 1;
    return row;
  }

  private allocate(capacity: number): void {
    const grow = <T extends { set(from: T): void }>(fresh: T, old: T | undefined): T => {
      if (old !== undefined) fresh.set(old);
      return fresh;
    };
    this.kind = grow(new Uint8Array(capacity), this.kind);
    this.start = grow(new Int32Array(capacity), this.start);
    this.headerEnd = grow(new Int32Array(capacity), this.headerEnd);
    this.claimedEnd = grow(new Int32Array(capacity), this.claimedEnd);
    this.room = grow(new Int32Array(capacity), this.room);
    this.flags = grow(new Uint8Array(capacity), this.flags);
    this.part = grow(new Uint8Array(capacity), this.part);
    this.fragment = grow(new Uint16Array(capacity), this.fragment);
    this.depth = grow(new Uint32Array(capacity), this.depth);
    this.status = grow(new Uint8Array(capacity), this.status);
    this.at = grow(new Int32Array(capacity), this.at);
    this.got = grow(new Uint32Array(capacity), this.got);
    this.expected = grow(new Uint32Array(capacity), this.expected);
    this.sum = grow(new Int32Array(capacity), this.sum);
    this.end = grow(new Int32Array(capacity), this.end);
    this.addressLength = grow(new Uint8Array(capacity), this.addressLength);
    this.match = grow(new Int32Array(capacity), this.match);
    this.capacity = capacity;
  }
}
