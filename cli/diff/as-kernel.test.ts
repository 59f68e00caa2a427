/** `--as-kernel` of `diff` and `prove`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-as-kernel-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const written = (name: string, text: string): string => {
  const file = join(scratch, name);
  writeFileSync(file, writeElf({ main: text }, [], {}));
  return file;
};
const grows = written('grows.o', 'r2 = 8\ncall bpf_xdp_adjust_tail\nr0 = 2\nexit');
const passes = written('passes.o', 'r0 = 2\nexit');
const RUNS = ['--runs', '200', '--seed', '1', '--no-sweeps', '--shrink-time', '0'];

it('runs both builds as that kernel, and the command that repeats a difference says so', async () => {
  const newest = await runInProcess('diff', grows, passes, ...RUNS);
  expect([newest.code, newest.out]).toEqual([1, expect.stringContaining('padding')]);
  const newer = await runInProcess('diff', grows, passes, ...RUNS, '--as-kernel', '5.10');
  expect([newer.code, newer.out]).toEqual([1, expect.stringContaining('--as-kernel 5.10 --packet')]);
  const { code, out } = await runInProcess('diff', grows, passes, ...RUNS, '--as-kernel', '5.4');
  expect([code, out]).toEqual([0, expect.stringContaining('no difference in')]);
  expect(out).toContain(
    'proved equal for frames of up to 3,520 bytes on Linux older than 5.8 (bpf_xdp_adjust_tail differs between versions)',
  );
});

it('is what a proof is about', async () => {
  const report = ['--report', join(scratch, 'report')];
  const newest = await runInProcess('prove', grows, '--against', passes, ...report);
  expect(newest.code).toBe(1);
  const old = await runInProcess(
    'prove',
    grows,
    '--against',
    passes,
    '--as-kernel',
    '5.4',
    '--json',
    ...report,
  );
  expect(old.code).toBe(0);
  expect(JSON.parse(old.out).programs[0]).toMatchObject({
    maxLength: 3520,
    kernels: { helpers: ['bpf_xdp_adjust_tail'], before: '5.8' },
  });
  const wrong = await runInProcess('prove', grows, '--as-kernel', '4.4', ...report);
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--as-kernel knows Linux 5.4 to')]);
});
