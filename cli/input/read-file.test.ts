import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../corpus/formats/capture-file.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import { toFailure } from '../failure.ts';
import { resolvePrograms } from './program-source.ts';
import { isThere, readBytes, readText } from './read-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-read-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const LOOP = join(scratch, 'loop');
symlinkSync('loop', LOOP);

async function errorOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    const failure = toFailure(error);
    return `${failure?.exitCode} ${failure?.message}`;
  }
  return 'none';
}

async function drain(path: string): Promise<void> {
  for await (const _ of readCapture(path));
}

describe('what the user names', () => {
  it.each([
    ['a directory', scratch, 'is a directory'],
    ['a circle of links', LOOP, 'too many symbolic links: they lead in a circle'],
    ['a name that is too long', join(scratch, 'n'.repeat(300)), 'the name is too long'],
    ['a part that is a file', '/etc/passwd/x', 'a part of the path is not a directory'],
    ['nothing', join(scratch, 'nothing'), 'no such file or directory'],
  ])('is named in the error: %s', async (_, path, problem) => {
    expect(await errorOf(() => readText(path))).toBe(`2 ${path}: ${problem}`);
    if (problem !== 'is a directory') {
      expect(await errorOf(() => drain(path))).toBe(`2 ${path}: ${problem}`);
      if (problem !== 'no such file or directory')
        expect(await errorOf(() => writeCapture(path, []))).toBe(`2 ${path}: ${problem}`);
    }
  });

  it.runIf(process.platform === 'linux')('is named where only reading or writing fails', async () => {
    expect(await errorOf(() => drain('/proc/self/mem'))).toMatch(/mem: input\/output error/);
    expect(await errorOf(() => writeCapture('/dev/full', []))).toBe(
      '2 /dev/full: no space left on the device',
    );
  });

  it.runIf(process.platform === 'linux')(
    'is refused where it is no regular file, which may have no end',
    async () => {
      const pipe = join(scratch, 'pipe');
      execFileSync('mkfifo', [pipe]);
      expect(await errorOf(() => readBytes('/dev/zero'))).toBe(
        '2 /dev/zero: is a device, not a regular file',
      );
      expect(await errorOf(() => readText('/dev/zero'))).toBe('2 /dev/zero: is a device, not a regular file');
      expect(await errorOf(() => readBytes(pipe))).toBe(`2 ${pipe}: is a pipe, not a regular file`);
      expect(await errorOf(() => resolvePrograms(['/dev/zero']))).toContain('not a regular file');
      expect(await errorOf(() => resolvePrograms(['icmp_echo'], '/dev/zero'))).toContain(
        'not a regular file',
      );
      const model = join(scratch, 'pipe.model.ts');
      renameSync(pipe, model);
      expect(await errorOf(() => resolvePrograms([model]))).toBe(`2 ${model}: is a pipe, not a regular file`);
    },
  );

  it('is refused above 64 MB, as text above 256 MB', async () => {
    const large = join(scratch, 'large');
    writeFileSync(large, '');
    truncateSync(large, 64 * 1024 * 1024 + 1);
    expect(await errorOf(() => readBytes(large))).toBe(
      `2 ${large}: is larger than 64 MB, the limit for such files`,
    );
    truncateSync(large, 256 * 1024 * 1024 + 1);
    expect(await errorOf(() => readText(large))).toBe(
      `2 ${large}: is larger than 256 MB, the limit for such files`,
    );
  });

  it('is there when it cannot be reached', () => {
    expect([isThere(LOOP), isThere(scratch), isThere(join(scratch, 'x')), isThere('a\0b')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
