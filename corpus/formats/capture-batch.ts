/**
 * Captured packets by the thousand, as the decoders hand them out: arrays of numbers over the bytes of the file
 * itself. Nothing here makes an object per packet; times and comments become values only when asked for.
 */
import { forEachOption, OPT_COMMENT, optionText } from './pcapng-options.ts';

/** Longest packet that is believed: libpcap's MAXIMUM_SNAPLEN, which is Wireshark's limit as well. */
export const MAX_CAPTURED = 262_144;

/** How many packets one batch holds at the most. */
export const CAPTURE_BATCH_PACKETS = 4096;

/** One section of a pcapng file; a pcap file is a section with one interface and no options. */
export interface CaptureSection {
  readonly format: 'pcap' | 'pcapng';
  readonly littleEndian: boolean;
  /** Where it begins in the file. */
  readonly offset: number;
  readonly comments: readonly string[];
  readonly hardware?: string;
  readonly os?: string;
  /** The program that wrote it. */
  readonly application?: string;
  /** In order of description; a section may describe more of them between its packets. */
  readonly interfaces: readonly CaptureInterface[];
}

export interface CaptureInterface {
  /** One of `LINKTYPE`, or any other 16-bit number. */
  readonly linkType: number;
  /** Packets were cut to this many bytes; 0: not cut. */
  readonly snapLength: number;
  readonly ticksPerSecond: bigint;
  /** Seconds to add to every time (`if_tsoffset`). */
  readonly timeOffset: bigint;
  /** Bytes of frame check sequence behind each packet, where the file says so. */
  readonly fcsLength?: number;
  readonly name?: string;
  readonly description?: string;
  readonly comments: readonly string[];
}

export class CaptureBatch {
  /** Read only: bytes of the file. They and the arrays are valid until the decoder is touched again. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset in the file of `bytes[0]`, for messages. */
  base = 0;
  /** Where each packet starts in `bytes`. */
  readonly offset: Uint32Array;
  /** Captured bytes of each packet. */
  readonly length: Uint32Array;
  /** Length on the wire, as the file states it: more than `length` where the packet was cut. */
  readonly original: Uint32Array;
  /** Time as it stands in the file; pcap: seconds, pcapng: upper 32 bits of the count of ticks. */
  readonly timeHigh: Uint32Array;
  /** pcap: micro- or nanoseconds; pcapng: lower 32 bits of the count of ticks. */
  readonly timeLow: Uint32Array;
  /** Index into `section.interfaces`. */
  readonly interface: Uint32Array;
  /** Where each packet's options start in `bytes`, and how many bytes they take. */
  readonly optionsOffset: Uint32Array;
  readonly optionsLength: Uint32Array;
  count = 0;
  /** The section that all packets of this batch belong to. */
  section: CaptureSection = NO_SECTION;

  constructor(capacity: number = CAPTURE_BATCH_PACKETS) {
    this.offset = new Uint32Array(capacity);
    this.length = new Uint32Array(capacity);
    this.original = new Uint32Array(capacity);
    this.timeHigh = new Uint32Array(capacity);
    this.timeLow = new Uint32Array(capacity);
    this.interface = new Uint32Array(capacity);
    this.optionsOffset = new Uint32Array(capacity);
    this.optionsLength = new Uint32Array(capacity);
  }

  get capacity(): number {
    return this.offset.length;
  }

  /** A copy of one packet. */
  packet(index: number): Uint8Array {
    const offset = this.offset[index]!;
    return this.bytes.slice(offset, offset + this.length[index]!);
  }

  /** Nanoseconds since 1970; 0 for a Simple Packet Block, which has no time. */
  nanoseconds(index: number): bigint {
    const { ticksPerSecond, timeOffset } = this.section.interfaces[this.interface[index]!]!;
    const high = BigInt(this.timeHigh[index]!);
    const low = BigInt(this.timeLow[index]!);
    if (this.section.format === 'pcap') return high * NANOSECONDS + (low * NANOSECONDS) / ticksPerSecond;
    const ticks = (high << 32n) | low;
    return timeOffset * NANOSECONDS + (ticks * NANOSECONDS) / ticksPerSecond;
  }

  /**
   * The packet's comments, in order.
   * @throws {CaptureError} when the packet's options are malformed; they are looked at here for the first time
   */
  comments(index: number): string[] {
    const comments: string[] = [];
    const start = this.optionsOffset[index]!;
    const end = start + this.optionsLength[index]!;
    forEachOption(this.bytes, start, end, this.section.littleEndian, this.base, (code, at, length) => {
      if (code === OPT_COMMENT) comments.push(optionText(this.bytes, at, length));
    });
    return comments;
  }
}

/** What decodes a capture: push bytes in, pull batches out until there is none, push more. */
export interface CaptureDecoder {
  /** Takes the next bytes of the file. They must stay as they are until `next` has returned undefined. */
  push(chunk: Uint8Array): void;
  /** Says that the file ends here. */
  end(): void;
  /**
   * The next packets, of one section; undefined when more bytes are needed or, after `end`, at the end. The same
   * object every time. A section without packets gives one batch without packets, so that its comments and
   * interfaces are seen.
   * @throws {CaptureError} where the file is truncated or malformed, after all packets before that place
   */
  next(): CaptureBatch | undefined;
}

const NANOSECONDS = 1_000_000_000n;
const NO_SECTION: CaptureSection = {
  format: 'pcap',
  littleEndian: true,
  offset: 0,
  comments: [],
  interfaces: [],
};
