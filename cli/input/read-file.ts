/** Files that the user names: read whole, with errors that name them. */
import { closeSync, fstatSync, lstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { atPath } from '../../corpus/files/system-error.ts';
import { inputFailure } from '../failure.ts';

const MEGABYTE = 1024 * 1024;
/** The largest compiled objects with debugging information that we have seen are of 8 MB. */
const MAX_BYTES = 64 * MEGABYTE;
/** Text may describe maps with millions of entries. V8 has no longer strings than 512 MB. */
const MAX_TEXT = 256 * MEGABYTE;

/**
 * Reads a file whole. Devices, pipes and sockets are refused: some of them have no end.
 * @throws {Failure} where it is no regular file, or larger than `limit` bytes
 * @throws {NodeJS.ErrnoException} with the path, also where reading itself fails
 */
export function readBytes(path: string, limit: number = MAX_BYTES): Uint8Array {
  requireRegularFile(path, limit);
  try {
    const fd = openSync(path, 'r');
    try {
      return readUpTo(fd, limit, path);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw atPath(error, path);
  }
}

/** The same as text; bytes that are no UTF-8 become U+FFFD. */
export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path, MAX_TEXT));
}

/**
 * Checks what can be known of a file before it is opened; opening a pipe would wait for who writes to it.
 * @throws {Failure}
 */
export function requireRegularFile(path: string, limit: number = MAX_BYTES): void {
  let status: Stats;
  try {
    status = statSync(path);
  } catch (error) {
    throw atPath(error, path);
  }
  // Reading a directory fails, and the error says so.
  if (!status.isFile() && !status.isDirectory()) {
    throw inputFailure(`${path}: is ${kindOf(status)}, not a regular file`, 'copy what it holds to a file');
  }
  if (status.size > limit) throw tooLarge(path, limit);
}

function kindOf(status: Stats): string {
  if (status.isFIFO()) return 'a pipe';
  if (status.isSocket()) return 'a socket';
  return 'a device';
}

function tooLarge(path: string, limit: number): Error {
  return inputFailure(`${path}: is larger than ${limit / MEGABYTE} MB, the limit for such files`);
}

/** Bytes. */
const SMALLEST_BUFFER = 64 * 1024;

/** Some files of /proc and /sys are longer than they say. */
function readUpTo(fd: number, limit: number, path: string): Uint8Array {
  // One more, so that the end shows in the same read.
  const expected = Math.min(fstatSync(fd).size, limit) + 1;
  let bytes = new Uint8Array(Math.max(expected, SMALLEST_BUFFER));
  for (let used = 0; ; ) {
    const read = readSync(fd, bytes, used, bytes.length - used, null);
    if (read === 0) return bytes.slice(0, used);
    used += read;
    if (used > limit) throw tooLarge(path, limit);
    if (used < bytes.length) continue;
    const larger = new Uint8Array(bytes.length * 2);
    larger.set(bytes);
    bytes = larger;
  }
}

/**
 * Is there something of this name? Also true where it cannot be reached (a circle of links, no right to search): opening
 * it then says why.
 */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return (
      code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ERR_INVALID_ARG_VALUE' && code !== 'ENAMETOOLONG'
    );
  }
}

/** False, too, where nobody can tell: what is wrong there is said when it is opened. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
