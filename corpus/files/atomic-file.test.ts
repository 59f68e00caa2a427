import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onUnfinishedFile, removeUnfinished, writeAtomically } from './atomic-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xdpsim-atomic-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('writeAtomically', () => {
  it('writes the file that a link leads to, and keeps the link', async () => {
    writeFileSync(join(folder, 'target'), 'old');
    symlinkSync('target', join(folder, 'link'));
    await writeAtomically(join(folder, 'link'), [bytes('new')]);
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new');
  });

  it('follows a link to a file that does not exist yet, through other links', async () => {
    symlinkSync('second', join(folder, 'first'));
    symlinkSync('target', join(folder, 'second'));
    await writeAtomically(join(folder, 'first'), [bytes('new')]);
    expect(lstatSync(join(folder, 'first')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(folder, 'second')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new');
  });

  it('refuses links that lead in a circle, or into a folder that is not there', async () => {
    symlinkSync('there', join(folder, 'here'));
    symlinkSync('here', join(folder, 'there'));
    await expect(writeAtomically(join(folder, 'here'), [bytes('x')])).rejects.toMatchObject({
      code: 'ELOOP',
    });
    symlinkSync('nowhere/file', join(folder, 'away'));
    await expect(writeAtomically(join(folder, 'away'), [bytes('x')])).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect(readdirSync(folder).sort()).toEqual(['away', 'here', 'there']);
  });

  it('leaves the old file as it is when the new one cannot be finished', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    function* breaking(): Generator<Uint8Array> {
      yield bytes('new');
      throw new Error('no more');
    }
    await expect(writeAtomically(path, breaking())).rejects.toThrow('no more');
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('says which file is unfinished, and when it is no more', async () => {
    const news: [finished: boolean, there: boolean][] = [];
    onUnfinishedFile((path, isFinished) => news.push([isFinished, existsSync(path)]));
    await writeAtomically(join(folder, 'file'), [bytes('new')]);
    onUnfinishedFile(() => {});
    expect(news).toEqual([
      [false, false],
      [true, false],
    ]);
  });

  it('takes names as long as the file system does', async () => {
    const path = join(folder, 'ä'.repeat(127));
    await writeAtomically(path, [bytes('new')]);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });
});

describe.skipIf(process.platform !== 'linux')('removeUnfinished', () => {
  const namespace = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0]);

  it('removes what dead processes left, and nothing else', async () => {
    const own = /\((?:.*)\) \S (?:\S+ ){18}(\d+)/.exec(readFileSync('/proc/self/stat', 'latin1'))![1];
    const dead = `.a.pcapng.${process.pid}-1-${namespace}-0123abcd.tmp`;
    const living = `.a.pcapng.${process.pid}-${own}-${namespace}-0123abcd.tmp`;
    const elsewhere = `.a.pcapng.1-1-1-0123abcd.tmp`;
    const abandoned = `.b.pcapng.1-1-1-0123abcd.tmp`;
    for (const name of [dead, living, elsewhere, abandoned, '.other.tmp', 'a.pcapng']) {
      writeFileSync(join(folder, name), '');
    }
    utimesSync(join(folder, abandoned), 1000, 1000);
    await removeUnfinished(folder);
    expect(readdirSync(folder).sort()).toEqual([elsewhere, living, '.other.tmp', 'a.pcapng'].sort());
  });

  it('minds no folder that is not there', async () => {
    await removeUnfinished(join(folder, 'missing'));
  });
});
