/**
 * Reading pcapng files (draft-ietf-opsawg-pcapng): sections in either byte order, several interfaces with their
 * own resolution and link type, comments; enhanced, simple and obsolete packets. Unknown blocks are stepped over
 * without being held in memory, whatever length they claim.
 *
 * Pure: bytes in, batches out.
 */
import { type Allocate, ByteWindow } from './byte-stream.ts';
import {
  CAPTURE_BATCH_PACKETS,
  CaptureBatch,
  type CaptureDecoder,
  type CaptureInterface,
  type CaptureSection,
  MAX_CAPTURED,
  type PacketRecords,
} from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import {
  BLOCK,
  BYTE_ORDER_MAGIC,
  ENHANCED,
  HEAD,
  INTERFACE,
  INTERFACE_OPTION,
  OBSOLETE,
  SECTION,
  SECTION_OPTION,
  SIMPLE,
  SMALLEST_BLOCK,
  TRAILER_SIZE,
  ticksPerSecond,
} from './pcapng-blocks.ts';
import { forEachOption, OPT_COMMENT, optionText, padded } from './pcapng-options.ts';

/** Longest block that is held in memory, as in libpcap and Wireshark. */
export const MAX_BLOCK_LENGTH: number = 16 * 1024 * 1024;
/** Limits for what a hostile section could pile up. */
const MAX_INTERFACES = 65_536;
const MAX_DESCRIPTIONS_LENGTH = 16 * 1024 * 1024;

/** A section while it is read: its interfaces grow. */
interface OpenSection extends CaptureSection {
  readonly interfaces: CaptureInterface[];
}

export class PcapngDecoder implements CaptureDecoder {
  readonly #window: ByteWindow;
  /** Where each packet's block starts in the window. */
  readonly #blocks: Uint32Array;
  readonly #batch: CaptureBatch;
  #section: OpenSection | undefined;
  #littleEndian = true;
  /** Has a batch of this section been handed out? */
  #shown = false;
  /** Bytes that this section's interface descriptions take. */
  #described = 0;
  /** Bytes of an unknown block's body that have yet to pass by. */
  #skip = 0;
  /** That block's length, until its trailer was seen. */
  #skipped = 0;

  push(chunk: Uint8Array, headroom?: number): void {
    this.#window.push(chunk, headroom);
  }

  end(): void {
    this.#window.ended = true;
  }

  /**
   * @param allocate where bytes that have to be joined shall lie
   * @param most how many packets a batch may have
   */
  constructor(allocate?: Allocate, most: number = CAPTURE_BATCH_PACKETS) {
    this.#window = new ByteWindow(allocate);
    this.#blocks = new Uint32Array(most);
    const records: PacketRecords = {
      offset: (_batch, index) => this.#blocks[index]!,
      length: (batch, index) => batch.word(this.#blocks[index]! + HEAD.length),
      original: (batch, index) => batch.word(this.#originalAt(batch, index)),
      timeHigh: (batch, index) => this.#time(batch, index, ENHANCED.timeHigh),
      timeLow: (batch, index) => this.#time(batch, index, ENHANCED.timeLow),
    };
    this.#batch = new CaptureBatch(records, undefined, most);
  }

  get position(): number {
    return this.#window.base + this.#window.start;
  }

  next(): CaptureBatch | undefined {
    const batch = this.#batch;
    batch.count = 0;
    let sectionEnds = false;
    try {
      sectionEnds = this.#fill(batch);
    } catch (error) {
      // The packets before it first: the next call meets the fault again, at the same place.
      if (batch.count === 0) throw error;
    }
    if (this.#section !== undefined && (batch.count > 0 || (sectionEnds && !this.#shown))) {
      batch.section = this.#section;
      batch.bytes = this.#window.bytes;
      batch.base = this.#window.base;
      this.#shown = true;
      return batch;
    }
    this.#window.retain();
    return undefined;
  }

  /**
   * Decodes blocks until the batch is full, bytes run out or the section ends.
   * @returns whether the section ends here
   */
  #fill(batch: CaptureBatch): boolean {
    const window = this.#window;
    const { view, end } = window;
    const capacity = batch.capacity;
    let touched = window.start;
    while (batch.count < capacity) {
      if (window.start >= touched) touched = window.touch(window.start);
      if (this.#skipped > 0 && !this.#passUnknown()) return false;
      const at = window.start;
      const left = end - at;
      if (left < SMALLEST_BLOCK) return this.#short(left, `a block of at least ${SMALLEST_BLOCK} bytes`);
      const type = view.getUint32(at, this.#littleEndian);
      if (type === BLOCK.sectionHeader) {
        if (this.#section !== undefined && (batch.count > 0 || !this.#shown)) return true;
        if (!this.#sectionHeader(at, left)) return false;
        continue;
      }
      if (this.#section === undefined) throw this.#fault(at, 'a pcapng section header', `0x${hex32(type)}`);
      const length = view.getUint32(at + HEAD.length, this.#littleEndian);
      if (length < SMALLEST_BLOCK || length % 4 !== 0) throw this.#badLength(at, length);
      if (!isKnown(type)) {
        window.start = at + HEAD.size;
        this.#skip = length - HEAD.size - TRAILER_SIZE;
        this.#skipped = length;
        continue;
      }
      if (!this.#complete(at, left, length)) return false;
      if (type === BLOCK.interfaceDescription) this.#interfaceDescription(this.#section, at, length);
      else this.#packet(batch, this.#section, type, at, length);
      window.start = at + length;
    }
    return false;
  }

  #originalAt(batch: CaptureBatch, index: number): number {
    const block = this.#blocks[index]!;
    return block + (batch.word(block) === BLOCK.simplePacket ? SIMPLE.original : ENHANCED.original);
  }

  /** A Simple Packet Block has no time. */
  #time(batch: CaptureBatch, index: number, at: number): number {
    const block = this.#blocks[index]!;
    return batch.word(block) === BLOCK.simplePacket ? 0 : batch.word(block + at);
  }

  #packet(batch: CaptureBatch, section: CaptureSection, type: number, at: number, length: number): void {
    const { view } = this.#window;
    const little = this.#littleEndian;
    if (type === BLOCK.simplePacket) {
      this.#simplePacket(batch, section, at, length);
      return;
    }
    if (length < ENHANCED.smallest) throw this.#badLength(at, length);
    const index = batch.count;
    const interfaceId =
      type === BLOCK.enhancedPacket
        ? view.getUint32(at + ENHANCED.interface, little)
        : view.getUint16(at + OBSOLETE.interface, little);
    if (interfaceId >= section.interfaces.length) throw this.#unknownInterface(at, section, interfaceId);
    const captured = view.getUint32(at + ENHANCED.captured, little);
    const room = length - ENHANCED.smallest;
    if (captured > room || captured > MAX_CAPTURED) {
      throw this.#fault(
        at + ENHANCED.captured,
        `a captured length of at most ${Math.min(room, MAX_CAPTURED)}`,
        `${captured}`,
      );
    }
    // A block's length is a multiple of four, so the padding is inside it.
    const options = at + ENHANCED.data + padded(captured);
    batch.interface[index] = interfaceId;
    batch.offset[index] = at + ENHANCED.data;
    batch.length[index] = captured;
    batch.optionsOffset[index] = options;
    batch.optionsLength[index] = at + length - TRAILER_SIZE - options;
    this.#blocks[index] = at;
    batch.count = index + 1;
  }

  /** §4.4: no time, no options, always interface 0; the captured length follows from the snapshot length. */
  #simplePacket(batch: CaptureBatch, section: CaptureSection, at: number, length: number): void {
    if (length < SIMPLE.smallest) throw this.#badLength(at, length);
    const first = section.interfaces[0];
    if (first === undefined) throw this.#unknownInterface(at, section, 0);
    const original = this.#window.view.getUint32(at + SIMPLE.original, this.#littleEndian);
    const room = length - SIMPLE.smallest;
    const captured = first.snapLength === 0 ? original : Math.min(original, first.snapLength);
    if (captured > room || captured > MAX_CAPTURED) {
      throw this.#fault(
        at + SIMPLE.original,
        `a packet of at most ${Math.min(room, MAX_CAPTURED)} bytes`,
        `${captured}`,
      );
    }
    const index = batch.count;
    batch.interface[index] = 0;
    batch.offset[index] = at + SIMPLE.data;
    batch.length[index] = captured;
    batch.optionsOffset[index] = 0;
    batch.optionsLength[index] = 0;
    this.#blocks[index] = at;
    batch.count = index + 1;
  }

  /** @returns false when more bytes are needed */
  #sectionHeader(at: number, left: number): boolean {
    const { bytes, view, base } = this.#window;
    const byteOrder = view.getUint32(at + SECTION.byteOrder, true);
    const littleEndian = byteOrder === BYTE_ORDER_MAGIC;
    if (!littleEndian && view.getUint32(at + SECTION.byteOrder) !== BYTE_ORDER_MAGIC) {
      throw this.#fault(at + SECTION.byteOrder, 'the byte-order magic 1a2b3c4d', `0x${hex32(byteOrder)}`);
    }
    const length = view.getUint32(at + HEAD.length, littleEndian);
    if (length < SECTION.smallest || length % 4 !== 0) throw this.#badLength(at, length);
    this.#littleEndian = littleEndian;
    if (!this.#complete(at, left, length)) return false;
    const major = view.getUint16(at + SECTION.major, littleEndian);
    const minor = view.getUint16(at + SECTION.minor, littleEndian);
    // §4.1: minor 2 was written by mistake and means 0.
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      throw this.#fault(at + SECTION.major, 'pcapng version 1.0', `version ${major}.${minor}`);
    }
    const comments: string[] = [];
    const texts: { hardware?: string; os?: string; application?: string } = {};
    const end = at + length - TRAILER_SIZE;
    forEachOption(bytes, at + SECTION.options, end, littleEndian, base, (code, start, size) => {
      if (code === OPT_COMMENT) comments.push(optionText(bytes, start, size));
      else if (code === SECTION_OPTION.hardware) texts.hardware = optionText(bytes, start, size);
      else if (code === SECTION_OPTION.os) texts.os = optionText(bytes, start, size);
      else if (code === SECTION_OPTION.application) texts.application = optionText(bytes, start, size);
    });
    this.#section = {
      format: 'pcapng',
      littleEndian,
      offset: base + at,
      comments,
      ...texts,
      interfaces: [],
    };
    this.#shown = false;
    this.#described = 0;
    this.#window.start = at + length;
    return true;
  }

  #interfaceDescription(section: OpenSection, at: number, length: number): void {
    if (length < INTERFACE.smallest) throw this.#badLength(at, length);
    const { bytes, view, base } = this.#window;
    const little = this.#littleEndian;
    if (section.interfaces.length >= MAX_INTERFACES) {
      throw this.#fault(at, `at most ${MAX_INTERFACES} interfaces in a section`, 'one more');
    }
    if (this.#described + length > MAX_DESCRIPTIONS_LENGTH) {
      throw this.#fault(
        at,
        `interface descriptions of at most ${MAX_DESCRIPTIONS_LENGTH} bytes in a section`,
        `${this.#described + length}`,
      );
    }
    const comments: string[] = [];
    const texts: { name?: string; description?: string; fcsLength?: number } = {};
    let ticks = 1_000_000n;
    let timeOffset = 0n;
    const fixed = (code: number, start: number, size: number, wanted: number): void => {
      if (size === wanted) return;
      throw this.#fault(start - 2, `interface option ${code} of ${wanted} bytes`, `${size}`);
    };
    const end = at + length - TRAILER_SIZE;
    forEachOption(bytes, at + INTERFACE.options, end, little, base, (code, start, size) => {
      switch (code) {
        case OPT_COMMENT:
          comments.push(optionText(bytes, start, size));
          break;
        case INTERFACE_OPTION.name:
          texts.name = optionText(bytes, start, size);
          break;
        case INTERFACE_OPTION.description:
          texts.description = optionText(bytes, start, size);
          break;
        case INTERFACE_OPTION.tsresol:
          fixed(code, start, size, 1);
          ticks = ticksPerSecond(bytes[start]!);
          break;
        case INTERFACE_OPTION.fcsLength:
          fixed(code, start, size, 1);
          texts.fcsLength = bytes[start]!;
          break;
        case INTERFACE_OPTION.tsoffset:
          fixed(code, start, size, 8);
          timeOffset = view.getBigInt64(start, little);
          break;
      }
    });
    section.interfaces.push({
      linkType: view.getUint16(at + INTERFACE.linkType, little),
      snapLength: view.getUint32(at + INTERFACE.snapLength, little),
      ticksPerSecond: ticks,
      timeOffset,
      ...texts,
      comments,
    });
    this.#described += length;
  }

  /** Lets the body of an unknown block pass by. @returns false when more bytes are needed */
  #passUnknown(): boolean {
    const window = this.#window;
    const passing = Math.min(this.#skip, window.end - window.start);
    window.start += passing;
    this.#skip -= passing;
    const left = window.end - window.start;
    if (this.#skip > 0 || left < TRAILER_SIZE) {
      return this.#short(
        left,
        `${this.#skip + TRAILER_SIZE} more bytes of a block of ${this.#skipped}`,
        'the end of the file',
      );
    }
    this.#trailer(window.start, this.#skipped);
    window.start += TRAILER_SIZE;
    this.#skipped = 0;
    return true;
  }

  /** Is the whole block here? Checks its trailer, too. */
  #complete(at: number, left: number, length: number): boolean {
    if (length > MAX_BLOCK_LENGTH) {
      throw this.#fault(at + HEAD.length, `a block of at most ${MAX_BLOCK_LENGTH} bytes`, `${length}`);
    }
    if (left < length) return this.#short(left, `a block of ${length} bytes`);
    this.#trailer(at + length - TRAILER_SIZE, length);
    return true;
  }

  #trailer(at: number, length: number): void {
    const repeated = this.#window.view.getUint32(at, this.#littleEndian);
    if (repeated !== length) {
      throw this.#fault(at, `the block's length ${length} once more at its end`, `${repeated}`);
    }
  }

  /** Fewer bytes than a block needs: wait for more, or at the end of the file say what is missing. */
  #short(left: number, expected: string, found = `the end of the file after ${left} bytes`): boolean {
    if (!this.#window.ended) return false;
    if (left === 0 && this.#skipped === 0 && this.#section !== undefined) return true;
    throw this.#fault(this.#window.start, expected, found);
  }

  #badLength(at: number, length: number): CaptureError {
    return this.#fault(at + HEAD.length, 'a length that fits the block, a multiple of 4', `${length}`);
  }

  #unknownInterface(at: number, section: CaptureSection, id: number): CaptureError {
    const count = section.interfaces.length;
    return this.#fault(at, 'a packet of an interface described before', `interface ${id} of ${count}`);
  }

  #fault(at: number, expected: string, found: string): CaptureError {
    return new CaptureError(this.#window.base + at, expected, found);
  }
}

function isKnown(type: number): boolean {
  return (
    type === BLOCK.enhancedPacket ||
    type === BLOCK.interfaceDescription ||
    type === BLOCK.simplePacket ||
    type === BLOCK.packet
  );
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
