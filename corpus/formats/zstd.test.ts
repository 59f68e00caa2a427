import { describe, expect, it } from 'vitest';
import { bytesOf } from '../test-support/captures.ts';
import { CaptureError } from './capture-error.ts';
import { isZstd, unpackZstd } from './zstd.ts';

const TEXT = `${'packets and more packets, '.repeat(20)}end\n`;
/** What `zstd -c` makes of the text: with a checksum behind it. */
const PACKED =
  '28b52ffd0458150100b07061636b65747320616e64206d6f7265202c656e640a0300e43d15b0bc9bdcb904893cb099';
/** `zstd -19 --no-check`. */
const UNCHECKED = '28b52ffd00680d0100b87061636b65747320616e64206d6f7265202c20656e640a0200eb3d154eee5c02';
/** A frame of 3 bytes that readers step over. */
const SKIPPED = '502a4d18 03000000 010203';

interface Unpacked {
  readonly text: string;
  readonly error?: unknown;
}

async function unpack(packed: Uint8Array, pieceSize: number = packed.length): Promise<Unpacked> {
  const chunks: Uint8Array[] = [];
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < packed.length; at += pieceSize) yield packed.subarray(at, at + pieceSize);
  }
  const text = (): string => Buffer.concat(chunks).toString();
  try {
    for await (const chunk of unpackZstd(source())) chunks.push(chunk.slice());
    return { text: text() };
  } catch (error) {
    return { text: text(), error };
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe('unpacking zstd (RFC 8878)', () => {
  it.each([
    ['a frame with a checksum', PACKED, TEXT],
    ['a frame without', UNCHECKED, TEXT],
    ['several frames, and one to be stepped over', SKIPPED + PACKED + SKIPPED + UNCHECKED, TEXT + TEXT],
    ['an empty frame', '28b52ffd 20 00 010000', ''],
    ['a block of one byte, repeated', '28b52ffd 00 58 230000 61', 'aaaa'],
  ])('unpacks %s, whatever pieces it comes in', async (_what, hex, text) => {
    const packed = bytesOf(hex);
    expect(isZstd(packed)).toBe(true);
    for (const size of [packed.length, 1, 7]) expect(await unpack(packed, size)).toEqual({ text });
  });

  it.each([
    ['half a frame', PACKED + PACKED.slice(0, 60), TEXT, 'the end of the file'],
    ['half a checksum', PACKED + PACKED.slice(0, -4), TEXT, 'the checksum of a zstd frame'],
    ['something else behind a frame', `${PACKED}00112233`, TEXT, 'a zstd frame'],
    ['a reserved kind of block', '28b52ffd 00 58 270000 61626364', '', 'more zstd data'],
    ['a window of 1 GiB', '28b52ffd 00 a0 230000 61', '', 'a zstd window of at most'],
    ['a content of 2^62 bytes', '28b52ffd e0 0000000000000040 230000 61', '', 'a zstd window of at most'],
    ['a block that is too long', '28b52ffd 00 58 010020', '', 'a zstd block of at most'],
  ])('refuses %s, after what stands before it', async (_what, hex, text, message) => {
    const ended = await unpack(bytesOf(hex), 5);
    expect(ended.text).toBe(text);
    expect(ended.error).toBeInstanceOf(CaptureError);
    expect((ended.error as CaptureError).message).toContain(message);
  });

  it('hands out a block before it unpacks the next one', async () => {
    // 4000 blocks of 128 KiB in 16 KB: a zip bomb of half a gigabyte.
    const block = bytesOf('020010 61');
    const bomb = new Uint8Array(6 + 4000 * 4);
    bomb.set(bytesOf('28b52ffd 00 58'));
    for (let index = 0; index < 4000; index++) bomb.set(block, 6 + index * 4);
    let largest = 0;
    let pieces = 0;
    for await (const piece of unpackZstd(onePiece(bomb))) {
      largest = Math.max(largest, piece.length);
      if (++pieces === 50) break;
    }
    expect(largest).toBe(128 * 1024);
  });
});
