/** Reading snoop files (RFC 1761): Solaris' captures. Pure: bytes in, batches out. */
import { type CaptureBatch, type CaptureSection, MAX_CAPTURED } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { LINKTYPE } from './link-type.ts';
import { hasFileHeader, RecordDecoder, type RecordHeader } from './record-decoder.ts';

/** "snoo", read as a big-endian number: the first half of the magic number. */
export const SNOOP_MAGIC = 0x736e6f6f;
const MAGIC_REST = 0x70000000;

/** The file header, by offset. All numbers are big-endian. */
const FILE = { magic: 0, version: 8, dataLink: 12, size: 16 } as const;
/** A packet's header, by offset. */
const RECORD = {
  original: 0,
  included: 4,
  record: 8,
  seconds: 16,
  microseconds: 20,
  size: 24,
} as const;

/** Snoop's numbers for link types (RFC 1761, table 1, and those that Solaris added). */
const LINK_TYPES: Readonly<Record<number, number>> = {
  0: LINKTYPE.ETHERNET,
  2: LINKTYPE.IEEE802_5,
  4: LINKTYPE.ETHERNET,
  8: LINKTYPE.FDDI,
  /** DL_IPNET */
  2147483651: LINKTYPE.IPNET,
};

/** Link types that have no number outside of snoop's: far above all that have. */
const UNKNOWN_LINK_TYPE = 0x1_0000;

export class SnoopDecoder extends RecordDecoder {
  protected expected(left: number): string {
    if (left < RECORD.size) return `a packet header of ${RECORD.size} bytes`;
    return `a packet record of ${this.window.view.getUint32(this.window.start + RECORD.record)} bytes`;
  }

  protected recordHeader(): RecordHeader {
    return { size: RECORD.size, seconds: RECORD.seconds, fraction: RECORD.microseconds };
  }

  protected original(batch: CaptureBatch, index: number): number {
    return batch.word(batch.offset[index]! - RECORD.size + RECORD.original);
  }

  protected recordLength(batch: CaptureBatch, index: number): number {
    return batch.word(batch.offset[index]! - RECORD.size + RECORD.record);
  }

  protected fill(batch: CaptureBatch): void {
    const window = this.window;
    const { view, end } = window;
    let at = window.start;
    let touched = at;
    let count = 0;
    while (count < batch.capacity && end - at >= RECORD.size) {
      if (at >= touched) touched = window.touch(at);
      const captured = view.getUint32(at + RECORD.included);
      const record = view.getUint32(at + RECORD.record);
      if (
        captured > MAX_CAPTURED ||
        record < RECORD.size + captured ||
        record > RECORD.size + MAX_CAPTURED + 4096
      ) {
        if (count > 0) break; // the packets before it first: the next call meets it again
        throw new CaptureError(
          window.base + at + RECORD.included,
          `a packet of at most ${MAX_CAPTURED} bytes within its record`,
          `${captured} in a record of ${record}`,
        );
      }
      if (end - at < record) break;
      batch.offset[count] = at + RECORD.size;
      batch.length[count] = captured;
      count++;
      at += record;
    }
    window.start = at;
    batch.count = count;
  }

  protected fileHeader(): CaptureSection | undefined {
    if (!hasFileHeader(this.window, 'snoop', FILE.size)) return undefined;
    const { view, start, base } = this.window;
    const version = view.getUint32(start + FILE.version);
    if (view.getUint32(start + FILE.magic + 4) !== MAGIC_REST || version !== 2) {
      throw new CaptureError(base + start, 'a snoop file of version 2', `version ${version}`);
    }
    const dataLink = view.getUint32(start + FILE.dataLink);
    this.window.start += FILE.size;
    return {
      format: 'snoop',
      littleEndian: false,
      offset: base + start,
      comments: [],
      interfaces: [
        {
          linkType: LINK_TYPES[dataLink] ?? UNKNOWN_LINK_TYPE + dataLink,
          snapLength: 0,
          ticksPerSecond: 1_000_000n,
          timeOffset: 0n,
          comments: [],
        },
      ],
    };
  }
}
