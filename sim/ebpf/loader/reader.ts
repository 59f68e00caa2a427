/** Reading little-endian numbers and names from a file that may lie about everything. */
import { ObjectError } from '../object-error.ts';

/** The longest name taken from a string table, in bytes: without a limit, overlapping names cost quadratic memory. */
const LONGEST_NAME = 1024;

const decoder = new TextDecoder();

/** Bytes with a name, each access checked against their end. */
export class Reader {
  readonly bytes: Uint8Array;
  /** What the bytes are, for messages: `section 5 (.maps)`. */
  readonly where: string;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = bytes;
    this.where = where;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** `size` bytes from `at` on, as a reader of its own. */
  slice(at: number, size: number, where: string, what: string): Reader {
    this.require(at, size, what);
    return new Reader(this.bytes.subarray(at, at + size), where);
  }

  u8(at: number, what: string): number {
    this.require(at, 1, what);
    return this.bytes[at]!;
  }

  u16(at: number, what: string): number {
    this.require(at, 2, what);
    return this.#view.getUint16(at, true);
  }

  u32(at: number, what: string): number {
    this.require(at, 4, what);
    return this.#view.getUint32(at, true);
  }

  i32(at: number, what: string): number {
    this.require(at, 4, what);
    return this.#view.getInt32(at, true);
  }

  /** A 64-bit number; those above 2^53 come out inexact, and larger than every file. */
  u64(at: number, what: string): number {
    this.require(at, 8, what);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
  }

  /**
   * The name that begins at `at` and ends before the next NUL.
   * @throws {ObjectError} when there is no end, or none within 1024 bytes
   */
  name(at: number, what: string): string {
    const end = this.#endOfText(at, what);
    if (this.bytes[end] !== 0) {
      const found = end < this.bytes.length ? 'a longer one' : 'the end of the strings';
      throw new ObjectError(this.#place(at), `${what} of at most ${LONGEST_NAME} bytes and a NUL`, found);
    }
    return decoder.decode(this.bytes.subarray(at, end));
  }

  /** Like `name`, but a text without a near end is cut off: for lines of source code. */
  text(at: number, what: string): string {
    return decoder.decode(this.bytes.subarray(at, this.#endOfText(at, what)));
  }

  #endOfText(at: number, what: string): number {
    this.require(at, 1, what);
    const limit = Math.min(this.bytes.length, at + LONGEST_NAME);
    const length = this.bytes.subarray(at, limit).indexOf(0);
    return length < 0 ? limit : at + length;
  }

  #place(at: number): string {
    return `${this.where} +0x${at.toString(16)}`;
  }

  /** @throws {ObjectError} unless `size` bytes are there from `at` on */
  require(at: number, size: number, what: string): void {
    if (at >= 0 && at + size <= this.bytes.length) return;
    const found = `the end at 0x${this.bytes.length.toString(16)}`;
    throw new ObjectError(this.#place(at), `${what} (${size} bytes)`, found);
  }
}
