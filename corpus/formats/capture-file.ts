/** Reading captures from files and standard input; gzip is unpacked on the way. Writing: capture-writer.ts. */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { atPath } from '../files/system-error.ts';
import { AnyCaptureDecoder } from './capture.ts';
import type { CaptureBatch } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';

/** The path that means standard input when reading and standard output when writing. */
export const STANDARD_STREAM = '-';

/** How messages call the file at a path. */
export function captureName(path: string): string {
  return path === STANDARD_STREAM ? 'standard input' : path;
}

/** How much is read at a time. */
const CHUNK_SIZE = 1024 * 1024;

/**
 * Reads a pcap or pcapng file, gzipped or not, in constant memory.
 *
 * A batch is valid until the next one is asked for: it is one object, filled again and again.
 * @param path a file, or `-` for standard input
 * @throws {CaptureError} with the file's name, where it is truncated or malformed: after everything before that
 * @throws {NodeJS.ErrnoException} when the file cannot be opened or read
 */
export async function* readCapture(path: string): AsyncGenerator<CaptureBatch, void, undefined> {
  const chunks: AsyncIterable<Uint8Array> = path === STANDARD_STREAM ? process.stdin : fileChunks(path);
  try {
    yield* decodeCapture(unpacked(chunks));
  } catch (error) {
    if (error instanceof CaptureError && error.file === undefined) throw error.inFile(captureName(path));
    throw path === STANDARD_STREAM ? atPath(error, captureName(path)) : error;
  }
}

/**
 * Decodes a capture that comes in chunks; each chunk may be used again once the next one is asked for.
 * @throws {CaptureError} as `readCapture`, without a file's name
 */
export async function* decodeCapture(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<CaptureBatch, void, undefined> {
  const decoder = new AnyCaptureDecoder();
  for await (const chunk of chunks) {
    decoder.push(chunk);
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) yield batch;
  }
  decoder.end();
  for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) yield batch;
}

/** The file piece by piece, always in the same buffer. */
async function* fileChunks(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path);
  try {
    if ((await file.stat()).isDirectory()) throw new CaptureError(0, 'a capture file', 'a directory');
    const buffer = new Uint8Array(CHUNK_SIZE);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_SIZE, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw atPath(error, path);
  } finally {
    await file.close();
  }
}

/** The chunks themselves, or what they unpack to where they begin with the magic number of gzip (RFC 1952 §2.3.1). */
async function* unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let first: IteratorResult<Uint8Array, unknown>;
  try {
    do {
      first = await source.next();
      if (first.done !== true) head = head.length === 0 ? first.value : Buffer.concat([head, first.value]);
    } while (first.done !== true && head.length < 2);
    const rest = { [Symbol.asyncIterator]: () => source };
    if (head[0] === 0x1f && head[1] === 0x8b) {
      yield* gunzipped(head, rest);
      return;
    }
    yield head;
    yield* rest;
  } finally {
    await source.return?.();
  }
}

async function* gunzipped(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  // Copies: the stream reads ahead, while the file's chunks all lie in one buffer.
  const packed = Readable.from(copies(head, rest), { objectMode: false });
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  packed.on('error', (error) => gunzip.destroy(error));
  packed.pipe(gunzip);
  let offset = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      yield chunk;
      offset += chunk.length;
    }
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new CaptureError(offset, 'more gzip data', error.message);
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}

async function* copies(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield Uint8Array.from(head);
  for await (const chunk of rest) yield Uint8Array.from(chunk);
}

function isZlibError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
