import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeFully } from './write-fully.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-write-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('writeFully', () => {
  it('says how far it came where a pipe that does not wait is full, or fails', () => {
    const pipe = join(scratch, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      const bytes = Uint8Array.from({ length: 4 * 1024 * 1024 }, (_, at) => at % 251);
      const written = writeFully(fd, bytes, true);
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThan(bytes.length);
      expect(() => writeFully(fd, bytes.subarray(written))).toThrow('EAGAIN');
      const read = new Uint8Array(written);
      for (let at = 0; at < written; ) at += readSync(fd, read, at, written - at, null);
      expect(Buffer.compare(read, bytes.subarray(0, written))).toBe(0);
      expect(writeFully(fd, bytes.subarray(0, 10))).toBe(10);
    } finally {
      closeSync(fd);
    }
  });
});
