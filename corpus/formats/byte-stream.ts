/** The two ends of the codecs: a window over bytes that arrive in pieces, and a buffer that grows while written. */

const NOTHING: Uint8Array = new Uint8Array(0);
const SMALLEST_BUFFER = 65_536;
/** How many bytes are brought into the cache at a time. */
const TOUCHED = 16_384;
const CACHE_LINE = 64;

/** Hands out bytes of a certain place; undefined where that has no room left. */
export type Allocate = (size: number) => Uint8Array | undefined;

/** Memory that captures are read into, and what knows its way there better than a decoder does. */
export interface CaptureMemory {
  readonly allocate: Allocate;
  /** Batches have these arrays as theirs. */
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  /**
   * Goes from packet to packet in files whose packets have headers of one size, with the captured length as a 32-bit number, and writes
   * `offset` and `length`. Ends at what is no whole packet, or longer than `MAX_CAPTURED`.
   * @returns how many there are; undefined where `bytes` does not lie in this memory
   */
  walk(bytes: Uint8Array, start: number, end: number, header: WalkedHeader): number | undefined;
  /** Where the last walk ended, in its `bytes`. */
  readonly walked: number;
}

export interface WalkedHeader {
  readonly size: number;
  /** Where the captured length stands. */
  readonly lengthAt: number;
  readonly littleEndian: boolean;
}

/**
 * What has arrived and is not yet decoded: `bytes[start..end)`.
 *
 * A pushed chunk is read in place where nothing is left of the one before it; otherwise it is joined to the rest
 * in a buffer of the window's own. That buffer never holds more than one unfinished record and one chunk, so
 * whoever decodes bounds the memory by refusing records that are too long.
 */
export class ByteWindow {
  readonly #allocate: Allocate;

  bytes: Uint8Array = NOTHING;
  view: DataView = new DataView(NOTHING.buffer);
  start = 0;
  end = 0;
  /** Offset in the file of `bytes[0]`. */
  base = 0;
  /** No more bytes will come. */
  ended = false;
  /** What `touch` read, lest it read nothing. */
  touched = 0;
  #own: Uint8Array = NOTHING;

  /** @param allocate where the window's own buffer shall lie, if not anywhere */
  constructor(allocate: Allocate = () => undefined) {
    this.#allocate = allocate;
  }

  /**
   * The chunk must stay as it is until `retain` was called, or everything in it was taken.
   * @param headroom bytes in front of the chunk, in its own buffer, that may be overwritten
   */
  push(chunk: Uint8Array, headroom: number = 0): void {
    if (this.ended) throw new Error('bytes were pushed after the end');
    const left = this.end - this.start;
    if (left <= headroom) {
      // What is left goes in front of the chunk, which so need not be copied.
      const joined = new Uint8Array(chunk.buffer, chunk.byteOffset - left, left + chunk.length);
      if (left > 0) joined.set(this.bytes.subarray(this.start, this.end));
      this.base += this.start;
      this.#read(left === 0 ? chunk : joined);
      this.start = 0;
      this.end = left + chunk.length;
    } else {
      if (this.bytes !== this.#own || this.end + chunk.length > this.#own.length) this.#move(chunk.length);
      this.#own.set(chunk, this.end);
      this.end += chunk.length;
    }
  }

  /**
   * Reads some bytes from `at` on, in order, so that they are in the processor's cache. Going from packet to packet, each header
   * is waited for: its place is known only when the one before has been read.
   * @returns where these bytes end
   */
  touch(at: number): number {
    const { bytes } = this;
    const to = Math.min(this.end, at + TOUCHED);
    let read = 0;
    for (let line = at; line < to; line += CACHE_LINE) read ^= bytes[line]!;
    this.touched = read;
    return to;
  }

  /** Copies what is left of a borrowed chunk, so that its owner may use it again. */
  retain(): void {
    if (this.bytes !== this.#own && this.end > this.start) this.#move(0);
  }

  /** Brings what is left to the front of the window's own buffer, with room for `more` behind it. */
  #move(more: number): void {
    const left = this.end - this.start;
    const rest = this.bytes.subarray(this.start, this.end);
    if (left + more > this.#own.length) {
      const size = Math.max(left + more, this.#own.length * 2, SMALLEST_BUFFER);
      this.#own = this.#allocate(size) ?? new Uint8Array(size);
    }
    this.#own.set(rest);
    this.base += this.start;
    this.start = 0;
    this.end = left;
    this.#read(this.#own);
  }

  #read(bytes: Uint8Array): void {
    if (bytes === this.bytes) return;
    // A plain array in any case: `slice` of Node's Buffer would not copy.
    this.bytes =
      bytes.constructor === Uint8Array
        ? bytes
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** Bytes being written: `bytes[0..length)`. */
export class ByteSink {
  bytes: Uint8Array = new Uint8Array(SMALLEST_BUFFER);
  view: DataView = new DataView(this.bytes.buffer);
  length = 0;

  /** Takes `size` more bytes, all zero, and returns where they start. */
  grow(size: number): number {
    const at = this.length;
    const needed = at + size;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    } else {
      this.bytes.fill(0, at, needed);
    }
    this.length = needed;
    return at;
  }

  /** What was written since the last call; valid until something is written again. */
  take(): Uint8Array {
    const written = this.bytes.subarray(0, this.length);
    this.length = 0;
    return written;
  }
}
