/** Writing pcapng files: sections, interfaces, enhanced packets, with comments on each. Pure. */
import { ByteSink } from './byte-stream.ts';
import { MAX_CAPTURED } from './capture-batch.ts';
import { LINKTYPE } from './link-type.ts';
import {
  BLOCK,
  BYTE_ORDER_MAGIC,
  ENHANCED,
  HEAD,
  INTERFACE,
  INTERFACE_OPTION,
  SECTION,
  SECTION_OPTION,
  TRAILER_SIZE,
  tsresolOf,
} from './pcapng-blocks.ts';
import { OPT_COMMENT, type Option, optionsSize, padded, putOptions, textOption } from './pcapng-options.ts';

export interface PcapngSectionOptions {
  /** Default true. */
  readonly littleEndian?: boolean;
  readonly comments?: readonly string[];
  readonly hardware?: string;
  readonly os?: string;
  /** The program that writes it. */
  readonly application?: string;
}

export interface PcapngInterfaceOptions {
  /** Default Ethernet. */
  readonly linkType?: number;
  /** Default 0: packets are not cut. */
  readonly snapLength?: number;
  /** A power of 10 or of 2; default 1 000 000. */
  readonly ticksPerSecond?: bigint;
  /** Seconds that readers add to every time; default 0. */
  readonly timeOffset?: bigint;
  /** Bytes of frame check sequence behind each packet. */
  readonly fcsLength?: number;
  readonly name?: string;
  readonly description?: string;
  readonly comments?: readonly string[];
}

/** Writes blocks one after the other; `take` hands out the bytes. Texts of more than 65 535 bytes are RangeErrors. */
export class PcapngEncoder {
  readonly #sink: ByteSink = new ByteSink();
  #littleEndian = true;
  #interfaces = 0;

  /** Begins a section. The first thing in every file; interfaces are numbered anew. */
  section(options: PcapngSectionOptions = {}): void {
    const list = texts([
      ...(options.comments ?? []).map((comment) => [OPT_COMMENT, comment] as const),
      [SECTION_OPTION.hardware, options.hardware],
      [SECTION_OPTION.os, options.os],
      [SECTION_OPTION.application, options.application],
    ]);
    const little = options.littleEndian ?? true;
    this.#littleEndian = little;
    this.#interfaces = 0;
    const at = this.#block(BLOCK.sectionHeader, SECTION.options, list);
    const view = this.#sink.view;
    view.setUint32(at + SECTION.byteOrder, BYTE_ORDER_MAGIC, little);
    view.setUint16(at + SECTION.major, 1, little);
    view.setUint16(at + SECTION.minor, 0, little);
    view.setBigInt64(at + SECTION.length, -1n, little);
  }

  /**
   * Describes an interface.
   * @returns its number in this section, for `packet`
   */
  interface(options: PcapngInterfaceOptions = {}): number {
    const list = texts([
      ...(options.comments ?? []).map((comment) => [OPT_COMMENT, comment] as const),
      [INTERFACE_OPTION.name, options.name],
      [INTERFACE_OPTION.description, options.description],
    ]);
    const little = this.#littleEndian;
    if (options.ticksPerSecond !== undefined) {
      const tsresol = tsresolOf(options.ticksPerSecond);
      if (tsresol === undefined) {
        throw new RangeError(`${options.ticksPerSecond} ticks per second are no power of 10 or 2`);
      }
      list.push({ code: INTERFACE_OPTION.tsresol, value: Uint8Array.of(tsresol) });
    }
    if (options.fcsLength !== undefined) {
      list.push({ code: INTERFACE_OPTION.fcsLength, value: Uint8Array.of(options.fcsLength) });
    }
    if (options.timeOffset !== undefined) {
      const value = new Uint8Array(8);
      new DataView(value.buffer).setBigInt64(0, options.timeOffset, little);
      list.push({ code: INTERFACE_OPTION.tsoffset, value });
    }
    const at = this.#block(BLOCK.interfaceDescription, INTERFACE.options, list);
    const view = this.#sink.view;
    view.setUint16(at + INTERFACE.linkType, options.linkType ?? LINKTYPE.ETHERNET, little);
    view.setUint32(at + INTERFACE.snapLength, options.snapLength ?? 0, little);
    return this.#interfaces++;
  }

  /**
   * @param bytes holds the packet at `bytes[offset..offset+length)`
   * @param timeHigh upper 32 bits of the count of ticks since 1970
   * @param timeLow lower 32 bits
   * @param original length on the wire
   * @throws {RangeError} when the packet is longer than any reader accepts, or its interface was never described
   */
  packet(
    bytes: Uint8Array,
    offset: number,
    length: number,
    timeHigh: number,
    timeLow: number,
    original: number = length,
    interfaceId: number = 0,
    comments: readonly string[] = NO_COMMENTS,
  ): void {
    if (length > MAX_CAPTURED) {
      throw new RangeError(`a packet of ${length} bytes: captures hold at most ${MAX_CAPTURED}`);
    }
    if (interfaceId >= this.#interfaces) throw new RangeError(`interface ${interfaceId} was not described`);
    const options =
      comments.length === 0 ? NO_OPTIONS : comments.map((comment) => textOption(OPT_COMMENT, comment));
    const at = this.#block(BLOCK.enhancedPacket, ENHANCED.data + padded(length), options);
    const { view, bytes: written } = this.#sink;
    const little = this.#littleEndian;
    view.setUint32(at + ENHANCED.interface, interfaceId, little);
    view.setUint32(at + ENHANCED.timeHigh, timeHigh, little);
    view.setUint32(at + ENHANCED.timeLow, timeLow, little);
    view.setUint32(at + ENHANCED.captured, length, little);
    view.setUint32(at + ENHANCED.original, original, little);
    written.set(bytes.subarray(offset, offset + length), at + ENHANCED.data);
  }

  /** Bytes written and not yet taken. */
  get pending(): number {
    return this.#sink.length;
  }

  /** The file's next bytes; valid until something is written again. */
  take(): Uint8Array {
    return this.#sink.take();
  }

  /** A block with its lengths and options; the fields between head and options are left to the caller. */
  #block(type: number, optionsAt: number, options: readonly Option[]): number {
    const length = optionsAt + optionsSize(options) + TRAILER_SIZE;
    const at = this.#sink.grow(length);
    const view = this.#sink.view;
    view.setUint32(at + HEAD.type, type, this.#littleEndian);
    view.setUint32(at + HEAD.length, length, this.#littleEndian);
    view.setUint32(at + length - TRAILER_SIZE, length, this.#littleEndian);
    if (options.length > 0) putOptions(this.#sink, at + optionsAt, options, this.#littleEndian);
    return at;
  }
}

function texts(list: readonly (readonly [code: number, text: string | undefined])[]): Option[] {
  return list.flatMap(([code, text]) => (text === undefined ? [] : [textOption(code, text)]));
}

const NO_COMMENTS: readonly string[] = [];
const NO_OPTIONS: readonly Option[] = [];
