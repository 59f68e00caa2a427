/** A report that cannot be written does not make a finding undone, whichever command writes it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { runInProcess } from './test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-report-files-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** It opens, and takes no byte: only a disk that is full shows so late. */
const FULL = '/dev/full';
const PROBLEM = `xdpsim: ${FULL}: no space left on the device\n`;

function objectOf(name: string, action: number): string {
  const path = join(scratch, name);
  writeFileSync(path, writeElf({ main: `r0 = ${action}\nexit` }));
  return path;
}

const check = (object: string, ...args: string[]) =>
  runInProcess('check', object, '--no-sweeps', '--runs', '200', '--report', join(scratch, 'r'), ...args);

it('keeps the code of a finding, and the other files are written', async () => {
  const sarif = join(scratch, 'found.sarif');
  const { code, out, err } = await check(objectOf('wrong.o', 9), '--junit', FULL, '--sarif', sarif);
  expect(code).toBe(1);
  expect(out).toContain('FAIL wrong.o');
  expect(err).toContain(PROBLEM);
  expect(JSON.parse(readFileSync(sarif, 'utf8')).version).toBe('2.1.0');
});

it('is what the run ends with where nothing was found', async () => {
  const { code, err } = await check(objectOf('passes.o', 2), '--junit', FULL);
  expect(code).toBe(2);
  expect(err).toContain(PROBLEM);
});

it('is so where what was found is accepted by the same run', async () => {
  const baseline = join(scratch, 'baseline.json');
  const object = objectOf('wrong.o', 9);
  const { code } = await check(object, '--baseline', baseline, '--update-baseline', '--junit', FULL);
  expect(code).toBe(2);
});
