import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findClang } from './find-clang.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-clang-'));

function folder(name: string, compilers: readonly string[]): string {
  const path = join(scratch, name);
  mkdirSync(path);
  for (const compiler of compilers) {
    writeFileSync(join(path, compiler), '#!/bin/sh\n');
    chmodSync(join(path, compiler), 0o755);
  }
  return path;
}

let old: string;
let plain: string;
beforeAll(() => {
  old = folder('old', ['clang-9', 'clang-14', 'clang-cpp-19', 'clang-format-20']);
  plain = folder('plain', ['clang', 'clang-11']);
  writeFileSync(join(old, 'clang-99'), 'not executable');
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

describe('the compiler for C sources', () => {
  it('is clang where there is one, else the newest clang-N in PATH', () => {
    vi.stubEnv('CLANG', undefined);
    vi.stubEnv('PATH', `${old}:${plain}`);
    expect(findClang()).toBe('clang');
    vi.stubEnv('PATH', `${scratch}/nowhere:${old}`);
    expect(findClang()).toBe('clang-14');
  });

  it('is what the user names, by option or by CLANG', () => {
    vi.stubEnv('PATH', `${old}:${plain}`);
    expect(findClang('clang-9')).toBe('clang-9');
    expect(findClang(join(plain, 'clang-11'))).toBe(join(plain, 'clang-11'));
    vi.stubEnv('CLANG', 'clang-9');
    expect(findClang()).toBe('clang-9');
    expect(findClang('clang-14')).toBe('clang-14');
  });

  it('says what to do where there is none', () => {
    vi.stubEnv('CLANG', undefined);
    vi.stubEnv('PATH', join(scratch, 'nowhere'));
    const failure = { exitCode: 3, remedy: expect.stringMatching(/apt-get install clang.*--clang PATH/) };
    expect(() => findClang()).toThrow(
      expect.objectContaining({ ...failure, message: 'clang is not installed: no C source can be compiled' }),
    );
    expect(() => findClang('clang-14')).toThrow(
      expect.objectContaining({ ...failure, message: 'clang-14: there is no such compiler' }),
    );
  });
});
