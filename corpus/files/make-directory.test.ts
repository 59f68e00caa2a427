import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeDirectory } from './make-directory.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-make-directory-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('makeDirectory', () => {
  it('makes what is missing above, and leaves what is there', async () => {
    const path = join(scratch, 'a', 'b', 'c');
    await makeDirectory(path);
    await makeDirectory(path);
    expect(existsSync(path)).toBe(true);
    symlinkSync(path, join(scratch, 'link'));
    await makeDirectory(join(scratch, 'link'));
  });

  it('refuses a file in the place of the directory or of one above it', async () => {
    const file = join(scratch, 'file');
    writeFileSync(file, '');
    await expect(makeDirectory(file)).rejects.toMatchObject({ code: 'EEXIST', path: file });
    await expect(makeDirectory(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(makeDirectory('')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  // Node's own never returns here.
  it.skipIf(process.platform !== 'linux')('ends below a file system that makes no directories', async () => {
    await expect(makeDirectory('/proc/xdpsim/a')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
