/**
 * pcap files (draft-ietf-opsawg-pcap), in both byte orders, with micro- or nanoseconds.
 *
 * Pure: bytes in, batches out, and the other way round.
 */
import { ByteSink } from './byte-stream.ts';
import { type CaptureBatch, type CaptureSection, MAX_CAPTURED } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { LINKTYPE } from './link-type.ts';
import { hasFileHeader, RecordDecoder, type RecordHeader } from './record-decoder.ts';

export const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const PCAP_MAGIC_NANOSECONDS = 0xa1b23c4d;

/** The file header, by offset. */
const FILE = { magic: 0, major: 4, minor: 6, snapLength: 16, linkType: 20, size: 24 } as const;
/** A packet's header, by offset. Alexey Kuznetzov's has the device and the protocol behind that. */
const RECORD = { seconds: 0, fraction: 4, captured: 8, original: 12, size: 16, modifiedSize: 24 } as const;

export class PcapDecoder extends RecordDecoder {
  #recordSize: number = RECORD.size;
  /** How a packet's two lengths stand: files older than 2.4 (1996) may have them in the other order. */
  #lengths: 'in order' | 'exchanged' | 'longer last' = 'in order';

  protected recordHeader(): RecordHeader {
    return { size: this.#recordSize, seconds: RECORD.seconds, fraction: RECORD.fraction };
  }

  protected original(batch: CaptureBatch, index: number): number {
    const at = batch.offset[index]! - this.#recordSize;
    const first = batch.word(at + RECORD.captured);
    const second = batch.word(at + RECORD.original);
    if (this.#lengths === 'in order') return second;
    return this.#lengths === 'exchanged' ? first : Math.max(first, second);
  }

  protected recordLength(batch: CaptureBatch, index: number): number {
    return this.#recordSize + batch.length[index]!;
  }

  protected expected(left: number, littleEndian: boolean): string {
    const size = this.#recordSize;
    if (left < size) return `a packet header of ${size} bytes`;
    return `a packet of ${this.#capturedAt(this.window.start, littleEndian)} bytes behind its header of ${size}`;
  }

  protected fill(batch: CaptureBatch, littleEndian: boolean): void {
    // interface, optionsOffset and optionsLength stay 0: this batch never holds anything else.
    batch.count = this.#lengths === 'in order' ? this.#fillInOrder(batch, littleEndian) : 0;
    // The first packet that is none, or lengths in another order.
    if (batch.count === 0) batch.count = this.#fillAny(batch, littleEndian);
  }

  /** For nearly all files. Stops at what is no packet. Arrays in locals: that is felt with every packet. */
  #fillInOrder(batch: CaptureBatch, littleEndian: boolean): number {
    const { window, memory } = this;
    const { view, end } = window;
    const size = this.#recordSize;
    const header = { size, lengthAt: RECORD.captured, littleEndian };
    const walked = memory?.walk(window.bytes, window.start, end, header);
    if (walked !== undefined) {
      window.start = memory!.walked;
      return walked;
    }
    const { capacity, offset, length } = batch;
    let at = window.start;
    let touched = at;
    let count = 0;
    while (count < capacity && end - at >= size) {
      if (at >= touched) touched = window.touch(at);
      const captured = view.getUint32(at + RECORD.captured, littleEndian);
      if (captured > MAX_CAPTURED || end - at - size < captured) break;
      offset[count] = at + size;
      length[count] = captured;
      count++;
      at += size + captured;
    }
    window.start = at;
    return count;
  }

  #fillAny(batch: CaptureBatch, littleEndian: boolean): number {
    const { window } = this;
    const { end } = window;
    const size = this.#recordSize;
    let at = window.start;
    let count = 0;
    while (count < batch.capacity && end - at >= size) {
      const captured = this.#capturedAt(at, littleEndian);
      if (captured > MAX_CAPTURED) {
        if (count > 0) break; // the packets before it first: the next call meets it again
        throw new CaptureError(
          window.base + at + RECORD.captured,
          `a captured length of at most ${MAX_CAPTURED}`,
          `${captured}`,
        );
      }
      if (end - at - size < captured) break;
      batch.offset[count] = at + size;
      batch.length[count] = captured;
      count++;
      at += size + captured;
    }
    window.start = at;
    return count;
  }

  #capturedAt(at: number, littleEndian: boolean): number {
    const { view } = this.window;
    const first = view.getUint32(at + RECORD.captured, littleEndian);
    const second = view.getUint32(at + RECORD.original, littleEndian);
    return this.#lengths === 'in order'
      ? first
      : this.#lengths === 'exchanged'
        ? second
        : Math.min(first, second);
  }

  protected fileHeader(): CaptureSection | undefined {
    if (!hasFileHeader(this.window, 'pcap', FILE.size)) return undefined;
    const { view, start, base } = this.window;
    const magic = view.getUint32(start);
    const byteOrder = pcapByteOrder(magic);
    if (byteOrder === undefined) {
      throw new CaptureError(base + start, 'the magic number of a pcap file', `0x${hex32(magic)}`);
    }
    const { littleEndian, ticksPerSecond, isModified } = byteOrder;
    const major = view.getUint16(start + FILE.major, littleEndian);
    const minor = view.getUint16(start + FILE.minor, littleEndian);
    if (major !== 2 || minor > 4) {
      throw new CaptureError(
        base + start + FILE.major,
        'pcap version 2.0 to 2.4',
        `version ${major}.${minor}`,
      );
    }
    // libpcap, sf-pcap.c: 2.3 was written both ways.
    this.#lengths = minor === 4 ? 'in order' : minor === 3 ? 'longer last' : 'exchanged';
    this.#recordSize = isModified ? RECORD.modifiedSize : RECORD.size;
    const network = view.getUint32(start + FILE.linkType, littleEndian);
    const hasFcsLength = (network & 0x0400_0000) !== 0;
    this.window.start += FILE.size;
    return {
      format: 'pcap',
      littleEndian,
      offset: base + start,
      comments: [],
      interfaces: [
        {
          linkType: network & 0xffff,
          snapLength: view.getUint32(start + FILE.snapLength, littleEndian),
          ticksPerSecond,
          timeOffset: 0n,
          ...(hasFcsLength ? { fcsLength: (network >>> 28) * 2 } : {}),
          comments: [],
        },
      ],
    };
  }
}

interface PcapKind {
  readonly littleEndian: boolean;
  readonly ticksPerSecond: bigint;
  /** Are the headers of packets those of Alexey Kuznetzov's libpcap, as some Linux distributions shipped it? */
  readonly isModified: boolean;
}

/** By magic number, as a big-endian file has it (libpcap, sf-pcap.c). */
const MAGICS: ReadonlyMap<number, Omit<PcapKind, 'littleEndian'>> = new Map([
  [PCAP_MAGIC_MICROSECONDS, { ticksPerSecond: 1_000_000n, isModified: false }],
  [PCAP_MAGIC_NANOSECONDS, { ticksPerSecond: 1_000_000_000n, isModified: false }],
  [0xa1b2cd34, { ticksPerSecond: 1_000_000n, isModified: true }],
]);

/**
 * What the first four bytes of a file say, read as a big-endian number.
 * @returns undefined when they are not the magic number of a pcap file
 */
export function pcapByteOrder(magic: number): PcapKind | undefined {
  const big = MAGICS.get(magic);
  if (big !== undefined) return { ...big, littleEndian: false };
  const little = MAGICS.get(swapped32(magic));
  return little === undefined ? undefined : { ...little, littleEndian: true };
}

function swapped32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

export interface PcapOptions {
  /** Default true. */
  readonly littleEndian?: boolean;
  /** Nanoseconds instead of microseconds; default false. */
  readonly nanoseconds?: boolean;
  /** Default 262144. */
  readonly snapLength?: number;
  /** Default Ethernet. */
  readonly linkType?: number;
}

/** Writes a pcap file: the header at once, then one `packet` after the other; `take` hands out the bytes. */
export class PcapEncoder {
  readonly #sink: ByteSink = new ByteSink();
  readonly #littleEndian: boolean;

  constructor(options: PcapOptions = {}) {
    const littleEndian = options.littleEndian ?? true;
    this.#littleEndian = littleEndian;
    const at = this.#sink.grow(FILE.size);
    const view = this.#sink.view;
    const magic = options.nanoseconds === true ? PCAP_MAGIC_NANOSECONDS : PCAP_MAGIC_MICROSECONDS;
    view.setUint32(at + FILE.magic, magic, littleEndian);
    view.setUint16(at + FILE.major, 2, littleEndian);
    view.setUint16(at + FILE.minor, 4, littleEndian);
    view.setUint32(at + FILE.snapLength, options.snapLength ?? MAX_CAPTURED, littleEndian);
    view.setUint32(at + FILE.linkType, options.linkType ?? LINKTYPE.ETHERNET, littleEndian);
  }

  /**
   * @param bytes holds the packet at `bytes[offset..offset+length)`
   * @param fraction micro- or nanoseconds, as the header says
   * @param original length on the wire
   * @throws {RangeError} when the packet is longer than any reader accepts
   */
  packet(
    bytes: Uint8Array,
    offset: number,
    length: number,
    seconds: number,
    fraction: number,
    original: number = length,
  ): void {
    if (length > MAX_CAPTURED) {
      throw new RangeError(`a packet of ${length} bytes: captures hold at most ${MAX_CAPTURED}`);
    }
    const at = this.#sink.grow(RECORD.size + length);
    const { view, bytes: written } = this.#sink;
    view.setUint32(at + RECORD.seconds, seconds, this.#littleEndian);
    view.setUint32(at + RECORD.fraction, fraction, this.#littleEndian);
    view.setUint32(at + RECORD.captured, length, this.#littleEndian);
    view.setUint32(at + RECORD.original, original, this.#littleEndian);
    written.set(bytes.subarray(offset, offset + length), at + RECORD.size);
  }

  /** Bytes written and not yet taken. */
  get pending(): number {
    return this.#sink.length;
  }

  /** The file's next bytes; valid until something is written again. */
  take(): Uint8Array {
    return this.#sink.take();
  }
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
