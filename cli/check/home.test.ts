import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Program } from '../../sim/runtime/program.ts';
import { homeOf, mayBeSame } from './home.ts';
import { sourceFile } from './source-path.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-home-')));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
mkdirSync(join(scratch, 'a'));
for (const name of ['a/x.bpf.c', 'x.bpf.c']) writeFileSync(join(scratch, name), '');

describe('where a program lies', () => {
  it('is seen from the folder of the baseline, and unknown outside', () => {
    const program = { objectPath: join(scratch, 'a/x.bpf.c'), entries: [] } as unknown as Program;
    expect(homeOf(program, scratch)).toBe('a/x.bpf.c');
    expect(homeOf(program, join(scratch, 'a'))).toBe('x.bpf.c');
    expect(homeOf(program, '/opt')).toBeUndefined();
    expect(homeOf({ ...program, definition: {} } as unknown as Program, scratch)).toBeUndefined();
  });

  it('is looked for beside the object first', () => {
    const before = process.cwd();
    process.chdir(scratch);
    try {
      expect(sourceFile('x.bpf.c', { objectPath: 'a/x.o' })).toBe(join(scratch, 'a/x.bpf.c'));
      expect(sourceFile('x.bpf.c', { objectPath: 'b/x.o' })).toBe(join(scratch, 'x.bpf.c'));
      expect(sourceFile('a/x.bpf.c', { objectPath: 'b/x.o' })).toBe(join(scratch, 'a/x.bpf.c'));
      expect(sourceFile('y.bpf.c', { objectPath: 'a/x.o' })).toBeUndefined();
    } finally {
      process.chdir(before);
    }
  });
});

it('files are taken for the same where one name is the end of the other, by whole folders', () => {
  expect(mayBeSame('src/a/x.c', 'a/x.c')).toBe(true);
  expect(mayBeSame('../a/x.c', 'a/x.c')).toBe(true);
  expect(mayBeSame('a/x.c', 'b/x.c')).toBe(false);
  expect(mayBeSame('aa/x.c', 'a/x.c')).toBe(false);
});
