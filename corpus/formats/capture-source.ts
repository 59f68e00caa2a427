/** The bytes of captures, from files and standard input; gzip and zstd are unpacked on the way. */
import {
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { atPath } from '../files/system-error.ts';
import type { Allocate } from './byte-stream.ts';
import { CaptureError } from './capture-error.ts';
import { isZstd, unpackZstd } from './zstd.ts';

/** The path that means standard input when reading and standard output when writing. */
export const STANDARD_STREAM = '-';

/** How messages call the file at a path. */
export function captureName(path: string): string {
  return path === STANDARD_STREAM ? 'standard input' : path;
}

/** How much is read at a time: what stays in a processor's cache until it has been looked at. */
const CHUNK_SIZE = 512 * 1024;

/** Bytes in front of each chunk of a file that may be overwritten: what the chunk before has left fits in as a rule. */
const HEADROOM: number = 64 * 1024;

/** The chunks that have it. */
const withHeadroom: WeakSet<Uint8Array> = new WeakSet();

/** How many bytes in front of a chunk, in its own buffer, may be overwritten. */
export function headroomOf(chunk: Uint8Array): number {
  return withHeadroom.has(chunk) ? HEADROOM : 0;
}

/** How far reading has come, in bytes of the file as it is, packed or not. */
export interface ReadProgress {
  read: number;
  /** 0 where the size is not known: standard input, devices. */
  size: number;
}

/**
 * The unpacked bytes of a capture. A chunk is valid until the next one is asked for.
 * @param progress is kept up to date
 * @param allocate where chunks shall lie
 * @param signal ends the wait for a pipe or standard input, too
 * @throws the signal's reason, where it is aborted while a pipe or standard input is read
 * @throws {CaptureError} with the file's name, where packed data are malformed or end early
 * @throws {NodeJS.ErrnoException} when the file cannot be opened or read
 */
export async function* captureBytes(
  path: string,
  progress: ReadProgress = { read: 0, size: 0 },
  allocate: Allocate = () => undefined,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks: AsyncIterable<Uint8Array> =
    path === STANDARD_STREAM
      ? counted(process.stdin, progress, signal)
      : fileChunks(path, progress, allocate, signal);
  try {
    yield* unpacked(chunks);
  } catch (error) {
    if (error instanceof CaptureError && error.file === undefined) throw error.inFile(captureName(path));
    throw path === STANDARD_STREAM ? atPath(error, captureName(path)) : error;
  }
}

async function* counted(
  stream: Readable,
  progress: ReadProgress,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const end = (): void => void stream.destroy();
  signal?.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      progress.read += chunk.length;
      yield chunk;
    }
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

/** Up to this size a file is read at once: its turns in pieces would take longer than what is in it. */
const SMALL = 64 * 1024;

/**
 * All of a small regular file that is not packed; undefined of any other, and of what says that it is empty: in /proc, that may
 * be as long as it likes.
 * @throws {NodeJS.ErrnoException} when the file cannot be opened or read
 */
export function smallFile(path: string): Uint8Array | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isFile() !== true || status.size === 0 || status.size > SMALL) return undefined;
  try {
    const bytes = readFileSync(path);
    return isGzip(bytes) || isZstd(bytes) ? undefined : bytes;
  } catch (error) {
    throw atPath(error, path);
  }
}

// Not those of node:fs/promises: loading that takes as long as reading a capture of ten megabytes.
const openFile = promisify(open);
const statFile = promisify(fstat);
const readFile = promisify(read);
const closeFile = promisify(close);
const nextTurn = promisify(setImmediate);

/** Whatever is neither a regular file nor a named pipe goes through threads. */
function fileChunks(
  path: string,
  progress: ReadProgress,
  allocate: Allocate,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isFIFO() === true) return namedPipe(path, progress, signal);
  return (status?.isFile() === true ? regularFile : streamed)(path, progress, allocate);
}

/**
 * A named pipe. A thread that opens one waits for who writes to it, and no signal ends the process meanwhile: so it is opened without
 * waiting, and the event loop waits.
 */
async function* namedPipe(
  path: string,
  progress: ReadProgress,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { Socket } = await import('node:net');
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    yield* counted(new Socket({ fd, readable: true, writable: false }), progress, signal);
  } catch (error) {
    throw atPath(error, path);
  }
}

/** Timers, signals and messages get a turn this often. */
const TURN_EVERY_SECONDS = 0.02;

/**
 * A regular file piece by piece. Reading one takes less time than having a thread read it, and while a piece is looked at, the system reads
 * on.
 */
async function* regularFile(
  path: string,
  progress: ReadProgress,
  allocate: Allocate,
): AsyncGenerator<Uint8Array, void, undefined> {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { size } = fstatSync(file);
    progress.size = size;
    // Most saved cases are far smaller than a chunk; of a file that grows meanwhile, it takes more reads.
    const most = size > 0 ? Math.min(CHUNK_SIZE, size) : CHUNK_SIZE;
    const buffer = allocate(HEADROOM + most) ?? new Uint8Array(HEADROOM + most);
    let turn = process.uptime();
    for (;;) {
      const read = readSync(file, buffer, HEADROOM, most, null);
      if (read === 0) return;
      progress.read += read;
      yield withRoom(buffer, read);
      if (process.uptime() - turn < TURN_EVERY_SECONDS) continue;
      await nextTurn();
      turn = process.uptime();
    }
  } catch (error) {
    throw atPath(error, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** What was read into a buffer, behind its headroom. */
function withRoom(buffer: Uint8Array, length: number): Uint8Array {
  const chunk = buffer.subarray(HEADROOM, HEADROOM + length);
  withHeadroom.add(chunk);
  return chunk;
}

/** A device piece by piece: one is read while the other is looked at. */
async function* streamed(
  path: string,
  progress: ReadProgress,
  allocate: Allocate,
): AsyncGenerator<Uint8Array, void, undefined> {
  let file: number | undefined;
  let pending: Promise<{ readonly bytesRead: number }> | undefined;
  try {
    file = await openFile(path, 'r');
    if ((await statFile(file)).isDirectory()) throw new CaptureError(0, 'a capture file', 'a directory');
    const size = HEADROOM + CHUNK_SIZE;
    let buffer = allocate(size) ?? new Uint8Array(size);
    let other = allocate(size) ?? new Uint8Array(size);
    pending = readFile(file, buffer, HEADROOM, CHUNK_SIZE, null);
    for (;;) {
      const { bytesRead } = await pending;
      pending = undefined;
      if (bytesRead === 0) return;
      progress.read += bytesRead;
      const chunk = withRoom(buffer, bytesRead);
      [buffer, other] = [other, buffer];
      pending = readFile(file, buffer, HEADROOM, CHUNK_SIZE, null);
      // Whoever stops reading early does not hear of what it would have brought.
      pending.catch(() => {});
      yield chunk;
    }
  } catch (error) {
    throw atPath(error, path);
  } finally {
    await pending?.catch(() => {});
    if (file !== undefined) await closeFile(file);
  }
}

/** What the magic numbers of gzip (RFC 1952 §2.3.1) and zstd (RFC 8878 §3.1) take. */
const MAGIC_SIZE = 4;

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** The chunks themselves, or what they unpack to. */
async function* unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let first: IteratorResult<Uint8Array, unknown>;
  try {
    do {
      first = await source.next();
      if (first.done !== true) head = head.length === 0 ? first.value : Buffer.concat([head, first.value]);
    } while (first.done !== true && head.length < MAGIC_SIZE);
    const rest = { [Symbol.asyncIterator]: () => source };
    if (isGzip(head)) yield* gunzipped(head, rest);
    else if (isZstd(head)) yield* unpackZstd(behind(head, rest));
    else {
      yield head;
      yield* rest;
    }
  } finally {
    await source.return?.();
  }
}

/** Unpacks up to where something is wrong, before it says so. */
async function* gunzipped(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const ready: Uint8Array[] = [];
  let offset = 0;
  let failure: Error | undefined;
  // Not as an iterator of the stream: what is wrong behind a chunk that waits there would throw the chunk away.
  gunzip.on('data', (chunk: Uint8Array) => ready.push(chunk));
  gunzip.on('error', (error) => {
    failure = error;
  });
  // Where a piece is wrong, nobody says that it has been taken.
  let goOn = (): void => {};
  gunzip.on('close', () => goOn());
  function* taken(): Generator<Uint8Array, void, undefined> {
    for (const chunk of ready.splice(0)) {
      yield chunk;
      offset += chunk.length;
    }
  }
  try {
    for await (const piece of pieces(behind(head, rest))) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
        gunzip.write(piece, () => resolve());
      });
      yield* taken();
      if (failure !== undefined) break;
    }
    if (failure === undefined) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
        gunzip.on('end', resolve).end();
      });
    }
    yield* taken();
  } finally {
    gunzip.destroy();
  }
  if (failure === undefined) return;
  if (!isZlibError(failure)) throw failure;
  throw gzipError(offset, failure.message);
}

/** What zlib says, in words for those who have a file. */
function gzipError(offset: number, message: string): CaptureError {
  if (message === 'incorrect data check' || message === 'incorrect length check')
    return new CaptureError(offset, 'gzip data that are not damaged', 'another checksum behind them');
  if (message === 'incorrect header check')
    return new CaptureError(offset, 'the end of the gzip data', 'something else behind them');
  return new CaptureError(offset, 'more gzip data', message);
}

/**
 * Packed bytes that are unpacked at a time: what is wrong among them costs them all, they may unpack to a thousand times as many, and
 * each piece takes a turn of a thread.
 */
const PIECE = 32 * 1024;
/** Near the end, where something that does not belong there is likely, pieces are smaller. */
const END = 64 * 1024;
const END_PIECE = 4096;
/** The last ones go one by one: there are the lengths and check sums, behind all data. */
const TAIL = 64;

/** Copies: unpacking goes on in a thread, while the file's chunks all lie in one buffer. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let kept: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const joined = new Uint8Array(kept.length + chunk.length);
    joined.set(kept);
    joined.set(chunk, kept.length);
    const end = Math.max(0, joined.length - END);
    yield* cut(joined.subarray(0, end), PIECE);
    kept = joined.subarray(end);
  }
  const tail = Math.max(0, kept.length - TAIL);
  yield* cut(kept.subarray(0, tail), END_PIECE);
  yield* cut(kept.subarray(tail), 1);
}

function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* behind(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield head;
  yield* rest;
}

function isZlibError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
