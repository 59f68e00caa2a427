/** Standard streams that are files: written to the last byte, or an error. */
import { fstatSync, writeSync } from 'node:fs';

/**
 * Writes all of the bytes. Node's own stream for a standard output that is a file calls `write` once and takes the
 * result for granted; on a disk that becomes full (or at `ulimit -f`) the first call writes a part, and only the
 * next one fails.
 * @param mayBeFull is it enough to write as much as a descriptor that does not wait has room for (EAGAIN)?
 * @returns how many were written: all, unless it may be full
 * @throws {NodeJS.ErrnoException} of `write`
 */
export function writeFully(fd: number, bytes: Uint8Array, mayBeFull: boolean = false): number {
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at);
  } catch (error) {
    if (!mayBeFull || (error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return at;
}

/** Does the stream write to a regular file? Not where somebody has replaced its `write`, to see what is printed. */
export function isFile(stream: NodeJS.WriteStream, fd: number): boolean {
  if (Object.hasOwn(stream, 'write')) return false;
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
