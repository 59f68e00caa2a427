/** Capture files that are one header and then packets, each behind a header of its own: pcap and snoop. */
import { ByteWindow, type CaptureMemory } from './byte-stream.ts';
import {
  CaptureBatch,
  type CaptureDecoder,
  type CaptureSection,
  type PacketRecords,
} from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';

export interface RecordHeader {
  readonly size: number;
  readonly seconds: number;
  /** Micro- or nanoseconds. */
  readonly fraction: number;
}

export abstract class RecordDecoder implements CaptureDecoder {
  protected readonly window: ByteWindow;
  readonly #batch: CaptureBatch;
  #section: CaptureSection | undefined;
  /** Has a batch been handed out yet? */
  #shown = false;

  protected readonly memory: CaptureMemory | undefined;

  /**
   * @param memory where bytes that have to be joined shall lie
   * @param most how many packets a batch may have where its arrays do not lie there
   */
  constructor(memory?: CaptureMemory, most?: number) {
    this.memory = memory;
    this.window = new ByteWindow(memory?.allocate);
    // The decoder itself knows how large its records' headers are.
    const records: PacketRecords = {
      offset: (batch, index) => this.#headerOf(batch, index),
      length: (batch, index) => this.recordLength(batch, index),
      original: (batch, index) => this.original(batch, index),
      timeHigh: (batch, index) => batch.word(this.#headerOf(batch, index) + this.recordHeader().seconds),
      timeLow: (batch, index) => batch.word(this.#headerOf(batch, index) + this.recordHeader().fraction),
    };
    this.#batch = new CaptureBatch(records, memory, most);
  }

  #headerOf(batch: CaptureBatch, index: number): number {
    return batch.offset[index]! - this.recordHeader().size;
  }

  get position(): number {
    return this.window.base + this.window.start;
  }

  push(chunk: Uint8Array, headroom?: number): void {
    this.window.push(chunk, headroom);
  }

  end(): void {
    this.window.ended = true;
  }

  next(): CaptureBatch | undefined {
    const { window } = this;
    const batch = this.#batch;
    this.#section ??= this.fileHeader();
    if (this.#section === undefined) {
      window.retain();
      return undefined;
    }
    const { littleEndian } = this.#section;
    this.fill(batch, littleEndian);
    batch.bytes = window.bytes;
    batch.base = window.base;
    // A file without packets has one batch, too: its section counts.
    if (batch.count > 0 || (window.ended && !this.#shown)) {
      batch.section = this.#section;
      this.#shown = true;
      return batch;
    }
    const left = window.end - window.start;
    if (window.ended && left > 0) {
      const found = `the end of the file after ${left} bytes`;
      throw new CaptureError(window.base + window.start, this.expected(left, littleEndian), found);
    }
    window.retain();
    return undefined;
  }

  /**
   * Takes the file's header off the window.
   * @returns undefined where it is not there yet
   * @throws {CaptureError}
   */
  protected abstract fileHeader(): CaptureSection | undefined;

  /**
   * Takes as many whole packets off the window as the batch holds.
   * @throws {CaptureError} at one that is none, if it is the first
   */
  protected abstract fill(batch: CaptureBatch, littleEndian: boolean): void;

  /** The size of a packet's header, and where its time stands in it. */
  protected abstract recordHeader(): RecordHeader;

  /** A packet's length on the wire. */
  protected abstract original(batch: CaptureBatch, index: number): number;

  /** How long a packet's record is, header included. */
  protected abstract recordLength(batch: CaptureBatch, index: number): number;

  /** What should have stood at the window's start, where only `left` bytes are. */
  protected abstract expected(left: number, littleEndian: boolean): string;
}

/** @throws {CaptureError} where a file ends within its header of `size` bytes; @returns whether it is all there */
export function hasFileHeader(window: ByteWindow, format: string, size: number): boolean {
  const left = window.end - window.start;
  if (left >= size) return true;
  if (!window.ended) return false;
  throw new CaptureError(
    window.base + window.start,
    `a ${format} file header of ${size} bytes`,
    `the end of the file after ${left} bytes`,
  );
}
