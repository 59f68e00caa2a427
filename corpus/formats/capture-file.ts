/** Reading captures from files and standard input, packed or not. Writing: capture-writer.ts. */
import type { CaptureMemory } from './byte-stream.ts';
import { AnyCaptureDecoder } from './capture.ts';
import type { CaptureBatch } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import {
  captureBytes,
  captureName,
  headroomOf,
  type ReadProgress,
  STANDARD_STREAM,
  smallFile,
} from './capture-source.ts';

export { captureName, STANDARD_STREAM } from './capture-source.ts';

/**
 * Reads a pcap, pcapng or snoop file, packed with gzip, zstd or not at all, in constant memory.
 *
 * A batch is valid until the next one is asked for: it is one object, filled again and again.
 * @param path a file, or `-` for standard input
 * @param options.progress is kept up to date
 * @param options.memory where the bytes of batches shall lie
 * @param options.signal ends the wait for a pipe or standard input
 * @throws the signal's reason, where it is aborted meanwhile
 * @throws {CaptureError} with the file's name, where it is truncated or malformed: after everything before that
 * @throws {NodeJS.ErrnoException} when the file cannot be opened or read
 */
export async function* readCapture(
  path: string,
  options: {
    readonly progress?: ReadProgress;
    readonly memory?: CaptureMemory;
    readonly signal?: AbortSignal;
  } = {},
): AsyncGenerator<CaptureBatch, void, undefined> {
  try {
    const isWatched = options.progress !== undefined || options.memory !== undefined;
    const whole = isWatched || path === STANDARD_STREAM ? undefined : smallFile(path);
    if (whole !== undefined) yield* decodeWhole(whole);
    else {
      const { progress, memory, signal } = options;
      yield* decodeCapture(captureBytes(path, progress, memory?.allocate, signal), memory);
    }
  } catch (error) {
    if (error instanceof CaptureError && error.file === undefined) throw error.inFile(captureName(path));
    throw error;
  }
}

/** Bytes that a packet takes in a file at the least: a record of pcap, or a simple block of pcapng, without any. */
const SMALLEST_RECORD = 16;

function* decodeWhole(bytes: Uint8Array): Generator<CaptureBatch, void, undefined> {
  const decoder = new AnyCaptureDecoder(undefined, Math.max(1, Math.floor(bytes.length / SMALLEST_RECORD)));
  decoder.push(bytes);
  decoder.end();
  for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) yield batch;
}

/**
 * Decodes a capture that comes in chunks; each chunk may be used again once the next one is asked for.
 * @throws {CaptureError} as `readCapture`, without a file's name
 */
export async function* decodeCapture(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  memory?: CaptureMemory,
): AsyncGenerator<CaptureBatch, void, undefined> {
  const decoder = new AnyCaptureDecoder(memory);
  for await (const chunk of chunks) {
    decoder.push(chunk, headroomOf(chunk));
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) yield batch;
  }
  decoder.end();
  for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) yield batch;
}
