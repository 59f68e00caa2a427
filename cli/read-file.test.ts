import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCapture } from '../corpus/capture-file.ts';
import { writeCapture } from '../corpus/capture-writer.ts';
import { toFailure } from './failure.ts';
import { isThere, readText } from './read-file.ts';

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

  it('is there when it cannot be reached', () => {
    expect([isThere(LOOP), isThere(scratch), isThere(join(scratch, 'x')), isThere('a\0b')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
