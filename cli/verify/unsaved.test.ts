/** A divergence is shown whatever becomes of its file. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCase } from '../../corpus/cases/case.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../test-support/built-command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-unsaved-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeAll(buildCommand, BUILD_TIMEOUT);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const DIFFERING = ['icmp_drop', '--object', `${packageFile('bpf/built/xdp_pass.o')}:xdp_pass`];
/** Below a file nothing can be made, not even by root. */
const BLOCKED = join(scratch, 'file', 'below');
writeFileSync(join(scratch, 'file'), '');

const SHIM = join(scratch, 'shim.mjs');
writeFileSync(
  SHIM,
  `import os from 'node:os';
import { syncBuiltinESMExports } from 'node:module';
os.tmpdir = () => process.env.XDPSIM_TEST_TMPDIR;
syncBuiltinESMExports();`,
);

function verify(temporary: string, ...args: string[]): Promise<Ended> {
  const words = [
    'verify',
    ...DIFFERING,
    '--engines',
    'model,wasm',
    '--seed',
    '1',
    '--report',
    BLOCKED,
    ...args,
  ];
  return new Promise((resolve) => {
    execFile(
      COMMAND[0],
      ['--import', SHIM, COMMAND[1], ...words],
      { cwd: packageFile('.'), env: { ...process.env, XDPSIM_TEST_TMPDIR: temporary } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describe('a divergence that cannot be saved where it should be', () => {
  it.each([[[]], [['--workers', '2']]])(
    'is shown, saved elsewhere, and ends with code 1 (%j)',
    async (args) => {
      const { code, out, err } = await verify(scratch, ...args);
      expect({ code, err }).toEqual({ code: 1, err: '' });
      expect(out).toMatch(/Not saved in .*below.*: a part of the path is not a directory/);
      const [, elsewhere] = /Saved in (\S+\.pcapng) instead/.exec(out)!;
      expect(elsewhere).toContain(scratch);
      expect((await loadCase(elsewhere!)).program).toBe('icmp_drop');
    },
  );

  it('is in JSON and JUnit, with the place that it went to', async () => {
    const junit = join(scratch, 'junit.xml');
    const { code, out } = await verify(scratch, '--json', '--junit', junit);
    expect(code).toBe(1);
    const [divergence] = JSON.parse(out).programs[0].divergences;
    expect(divergence.unsaved.path).toContain(BLOCKED);
    expect((await loadCase(divergence.file)).stimuli.length).toBeGreaterThan(0);
    expect(readFileSync(junit, 'utf8')).toMatch(/Not saved in .*\n?.*Saved in .* instead/);
  });

  it('still ends with code 1 where a report cannot be written either', async () => {
    // It opens, and takes no byte: only a disk that is full shows so late.
    const { code, out, err } = await verify(scratch, '--json', '--junit', '/dev/full');
    expect(code).toBe(1);
    expect(JSON.parse(out).programs[0].divergences).toHaveLength(1);
    expect(err).toMatch(/^xdpsim: \/dev\/full: no space left on the device\n/);
  });

  it('is printed as base64 where nothing can be written at all', async () => {
    const text = await verify(BLOCKED);
    expect(text.code).toBe(1);
    const [, rows] = /base64 -d > case\.pcapng <<'END'\n([\s\S]*?)\n\s*END/.exec(text.out)!;
    const copy = join(scratch, 'copy.pcapng');
    writeFileSync(copy, Buffer.from(rows!.replaceAll(/\s/g, ''), 'base64'));
    expect((await loadCase(copy)).program).toBe('icmp_drop');

    const { code, out } = await verify(BLOCKED, '--json');
    expect(code).toBe(1);
    const [{ unsaved, file }] = JSON.parse(out).programs[0].divergences;
    expect(file).toBeUndefined();
    writeFileSync(copy, Buffer.from(unsaved.base64, 'base64'));
    expect((await loadCase(copy)).stimuli.length).toBeGreaterThan(0);
  });
});
