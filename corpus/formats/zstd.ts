/** Unpacking Zstandard (RFC 8878) block by block, so that no input, however well packed, takes more than a window. */
import { Decompress } from 'fzstd';
import { CaptureError } from './capture-error.ts';

const MAGIC = 0xfd2fb528;
/** Frames to be stepped over (RFC 8878 §3.1.2): 16 magic numbers. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const CHECKSUM_SIZE = 4;
/** A block of one byte, repeated. */
const BLOCK_RLE = 1;
/** RFC 8878 §3.1.1.2.4: a block unpacks to at most 128 KiB, and is never longer than that itself. */
const MAX_BLOCK = 128 * 1024;
/** Longest window that is accepted, as of the `zstd` tool without `--long`. */
export const MAX_ZSTD_WINDOW: number = 128 * 1024 * 1024;

/** Do these bytes start a file that zstd packed? */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < MAGIC_SIZE) return false;
  const magic = u32(head, 0);
  return magic === MAGIC || (magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC;
}

/**
 * Unpacks frames, one after the other.
 * @throws {CaptureError} where the data are malformed or end early: after everything before that. Its offset counts
 *   unpacked bytes.
 */
export async function* unpackZstd(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = new Input(chunks);
  let unpacked = 0;
  const fail = (expected: string, found: string): CaptureError => new CaptureError(unpacked, expected, found);
  const read = async (size: number, what: string): Promise<Uint8Array> => {
    if (await input.has(size)) return input.take(size);
    throw fail(what, 'the end of the file');
  };
  while (await input.has(1)) {
    const magic = u32(await read(MAGIC_SIZE, 'more zstd data'), 0);
    if ((magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC) {
      let rest = u32(await read(4, 'the size of a zstd frame'), 0);
      for (; rest > 0; rest -= Math.min(rest, MAX_BLOCK))
        await read(Math.min(rest, MAX_BLOCK), 'more zstd data');
      continue;
    }
    if (magic !== MAGIC) throw fail('a zstd frame', `0x${magic.toString(16).padStart(8, '0')}`);
    const { header, hasChecksum, window } = await readHeader(read);
    if (window > MAX_ZSTD_WINDOW) {
      throw fail(`a zstd window of at most ${MAX_ZSTD_WINDOW} bytes`, `${window}`);
    }
    const pieces: Uint8Array[] = [];
    const frame = new Decompress((piece) => {
      if (piece.length > 0) pieces.push(piece);
    });
    const push = (bytes: Uint8Array, isLast: boolean): void => {
      try {
        frame.push(bytes, isLast);
      } catch (error) {
        throw fail('more zstd data', error instanceof Error ? error.message : String(error));
      }
    };
    push(header, false);
    for (let isLast = false; !isLast; ) {
      const head = await read(BLOCK_HEADER_SIZE, 'a zstd block');
      const word = head[0]! | (head[1]! << 8) | (head[2]! << 16);
      isLast = (word & 1) === 1;
      const size = word >> 3;
      if (size > MAX_BLOCK) throw fail(`a zstd block of at most ${MAX_BLOCK} bytes`, `${size}`);
      const body = await read(((word >> 1) & 3) === BLOCK_RLE ? 1 : size, `a zstd block of ${size} bytes`);
      push(joined(head, body), false);
      if (isLast)
        push(hasChecksum ? await read(CHECKSUM_SIZE, 'the checksum of a zstd frame') : NOTHING, true);
      for (const piece of pieces.splice(0)) {
        unpacked += piece.length;
        yield piece;
      }
    }
  }
}

/** RFC 8878 §3.1.1.1: everything before the first block. */
async function readHeader(
  read: (size: number, what: string) => Promise<Uint8Array>,
): Promise<{ header: Uint8Array; hasChecksum: boolean; window: number }> {
  const descriptor = (await read(1, 'a zstd frame header'))[0]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const windowBytes = isSingleSegment ? 0 : 1;
  const rest = await read(windowBytes + dictionaryBytes + sizeBytes, 'a zstd frame header');
  const header = new Uint8Array(MAGIC_SIZE + 1 + rest.length);
  new DataView(header.buffer).setUint32(0, MAGIC, true);
  header[MAGIC_SIZE] = descriptor;
  header.set(rest, MAGIC_SIZE + 1);
  let window = 0;
  if (isSingleSegment) {
    for (let at = rest.length - 1; at >= dictionaryBytes; at--) window = window * 256 + rest[at]!;
    if (sizeBytes === 2) window += 256;
  } else {
    const base = 2 ** (10 + (rest[0]! >> 3));
    window = base + (base / 8) * (rest[0]! & 7);
  }
  return { header, hasChecksum: (descriptor & 4) !== 0, window };
}

/** Bytes from chunks, by the piece. What it hands out are copies. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = NOTHING;
  #at = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  async has(size: number): Promise<boolean> {
    while (this.#chunk.length - this.#at < size) {
      const rest = this.#chunk.slice(this.#at);
      const { value, done } = await this.#source.next();
      if (done === true) return false;
      this.#chunk = joined(rest, value);
      this.#at = 0;
    }
    return true;
  }

  take(size: number): Uint8Array {
    const taken = this.#chunk.slice(this.#at, this.#at + size);
    this.#at += size;
    return taken;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
