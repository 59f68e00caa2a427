/**
 * Captured packets by the thousand, as the decoders hand them out: arrays of numbers over the bytes of the file
 * itself. Nothing here makes an object per packet; times and comments become values only when asked for.
 */
import { forEachOption, OPT_COMMENT, optionText, PACKET_OPTION_FLAGS } from './pcapng-options.ts';

/** Longest packet that is believed: libpcap's MAXIMUM_SNAPLEN, which is Wireshark's limit as well. */
export const MAX_CAPTURED = 262_144;

/** How many packets one batch holds at the most. */
export const CAPTURE_BATCH_PACKETS = 4096;

export type CaptureFormat = 'pcap' | 'pcapng' | 'snoop';

/** One section of a pcapng file; any other file is a section with one interface and no options. */
export interface CaptureSection {
  readonly format: CaptureFormat;
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

/** How the packets of a format stand in the file. */
export interface PacketRecords {
  /** Where the packet's record, its header included, starts in the batch's bytes, and how long it is. */
  offset(batch: CaptureBatch, index: number): number;
  length(batch: CaptureBatch, index: number): number;
  /** See `CaptureBatch.original`. */
  original(batch: CaptureBatch, index: number): number;
  /** Time as it stands in the file; pcap and snoop: seconds, pcapng: upper 32 bits of the count of ticks. */
  timeHigh(batch: CaptureBatch, index: number): number;
  /** pcap and snoop: micro- or nanoseconds; pcapng: lower 32 bits of the count of ticks. */
  timeLow(batch: CaptureBatch, index: number): number;
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
  /** Index into `section.interfaces`. */
  readonly interface: Uint32Array;
  /** Where each packet's options start in `bytes`, and how many bytes they take. */
  readonly optionsOffset: Uint32Array;
  readonly optionsLength: Uint32Array;
  /** What is seldom asked for, and read from the packets' own headers in the file. */
  readonly records: PacketRecords;
  count = 0;
  /** The section that all packets of this batch belong to. */
  section: CaptureSection = NO_SECTION;

  /**
   * @param places arrays for `offset` and `length`, of one size, if not new ones
   * @param most how many packets it has to hold where its arrays are new
   */
  constructor(
    records: PacketRecords,
    places?: Pick<CaptureBatch, 'offset' | 'length'>,
    most: number = CAPTURE_BATCH_PACKETS,
  ) {
    const capacity = places?.offset.length ?? most;
    this.records = records;
    this.offset = places?.offset ?? new Uint32Array(capacity);
    this.length = places?.length ?? new Uint32Array(capacity);
    this.interface = new Uint32Array(capacity);
    this.optionsOffset = new Uint32Array(capacity);
    this.optionsLength = new Uint32Array(capacity);
  }

  get capacity(): number {
    return this.offset.length;
  }

  /** A 32-bit number of the file, in the section's byte order. */
  word(at: number): number {
    const { bytes } = this;
    const [first, second, third, fourth] = this.section.littleEndian
      ? [bytes[at + 3]!, bytes[at + 2]!, bytes[at + 1]!, bytes[at]!]
      : [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    return ((first << 24) | (second << 16) | (third << 8) | fourth) >>> 0;
  }

  /** Length on the wire, as the file states it: more than `length` where the packet was cut. */
  original(index: number): number {
    return this.records.original(this, index);
  }

  /** A copy of one packet. */
  packet(index: number): Uint8Array {
    const offset = this.offset[index]!;
    return this.bytes.slice(offset, offset + this.length[index]!);
  }

  /**
   * Captured bytes of one packet without its frame check sequence, which a packet that was cut has lost first. A
   * packet's own flags say more than its interface (draft-ietf-opsawg-pcapng §4.3.1).
   */
  frameLength(index: number): number {
    const captured = this.length[index]!;
    const fcs = this.#fcsOf(index);
    if (fcs === 0) return captured;
    return captured - Math.min(captured, Math.max(0, fcs - this.#cutOff(index)));
  }

  /** Bytes of one packet that were not captured, its frame check sequence left out. */
  missing(index: number): number {
    return Math.max(0, this.#cutOff(index) - this.#fcsOf(index));
  }

  #cutOff(index: number): number {
    return Math.max(0, this.original(index) - this.length[index]!);
  }

  #fcsOf(index: number): number {
    const { fcsLength = 0 } = this.section.interfaces[this.interface[index]!]!;
    return (this.optionsLength[index]! > 0 ? this.#flaggedFcs(index) : 0) || fcsLength;
  }

  /** Could any packet of this batch have a frame check sequence? */
  get mayHaveFcs(): boolean {
    const { format, interfaces } = this.section;
    if (interfaces.some(({ fcsLength = 0 }) => fcsLength > 0)) return true;
    if (format !== 'pcapng') return false;
    for (let index = 0; index < this.count; index++) if (this.optionsLength[index]! > 0) return true;
    return false;
  }

  /** The length of the frame check sequence in the packet's flags; 0: not stated. Malformed options state nothing. */
  #flaggedFcs(index: number): number {
    const start = this.optionsOffset[index]!;
    const end = start + this.optionsLength[index]!;
    const little = this.section.littleEndian;
    for (let at = start; at + 8 <= end; ) {
      const first = this.bytes[at]!;
      const second = this.bytes[at + 1]!;
      const code = little ? first | (second << 8) : (first << 8) | second;
      if (code === 0) return 0;
      const low = this.bytes[at + 2]!;
      const high = this.bytes[at + 3]!;
      const size = little ? low | (high << 8) : (low << 8) | high;
      if (code === PACKET_OPTION_FLAGS) {
        const lowest = little ? at + 4 : at + 6;
        const word = little
          ? this.bytes[lowest]! | (this.bytes[lowest + 1]! << 8)
          : (this.bytes[lowest]! << 8) | this.bytes[lowest + 1]!;
        return size === 4 ? (word >> 5) & 0x0f : 0;
      }
      at += 4 + ((size + 3) & ~3);
    }
    return 0;
  }

  /** Nanoseconds since 1970; 0 for a Simple Packet Block, which has no time. */
  nanoseconds(index: number): bigint {
    const { ticksPerSecond, timeOffset } = this.section.interfaces[this.interface[index]!]!;
    const high = BigInt(this.records.timeHigh(this, index));
    const low = BigInt(this.records.timeLow(this, index));
    if (this.section.format !== 'pcapng') return high * NANOSECONDS + (low * NANOSECONDS) / ticksPerSecond;
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
  /**
   * Takes the next bytes of the file. They must stay as they are until `next` has returned undefined.
   * @param headroom bytes in front of them, in their own buffer, that may be overwritten: so they need not be copied
   */
  push(chunk: Uint8Array, headroom?: number): void;
  /** Says that the file ends here. */
  end(): void;
  /**
   * The next packets, of one section; undefined when more bytes are needed or, after `end`, at the end. The same
   * object every time. A section without packets gives one batch without packets, so that its comments and
   * interfaces are seen.
   * @throws {CaptureError} where the file is truncated or malformed, after all packets before that place
   */
  next(): CaptureBatch | undefined;
  /** Offset in the file of what is not yet decoded: everything before it was handed out, or is no packet. */
  readonly position: number;
}

const NANOSECONDS = 1_000_000_000n;
const NO_SECTION: CaptureSection = {
  format: 'pcap',
  littleEndian: true,
  offset: 0,
  comments: [],
  interfaces: [],
};
