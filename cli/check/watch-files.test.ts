/** Waiting for files to change, and for those that are not there yet. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { watchFiles } from './watch-files.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-watch-files-')));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('says which files are missing, and begins anew when one comes, with its folders', async () => {
  const there = join(scratch, 'there.c');
  const later = join(scratch, 'sub', 'folder', 'later.c');
  writeFileSync(there, '1');
  const ending = new AbortController();
  const waited: (readonly string[])[] = [];
  await watchFiles({
    signal: ending.signal,
    files: async () => [there, later],
    onChange: async () => {},
    onWait: (missing) => {
      waited.push(missing);
      if (missing.length === 0) return ending.abort();
      mkdirSync(join(scratch, 'sub'));
      // What comes in a folder that has just come is seen once that is watched.
      setTimeout(() => {
        mkdirSync(join(scratch, 'sub', 'folder'));
        setTimeout(() => writeFileSync(later, '1'), 100);
      }, 100);
    },
  });
  expect(waited).toEqual([[later], []]);
});
