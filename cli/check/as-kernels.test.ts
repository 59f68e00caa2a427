/** A check that also ran as other kernels says as which. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-as-kernels-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ARGS = ['check', 'icmp_drop', '--runs', '200', '--no-sweeps', '--no-config', '--seed', '1'];

it.each([
  [
    ['--as-kernel', '6.1,6.12'],
    ['6.1', '6.12'],
  ],
  [[], undefined],
])('names them: %j', async (options, kernels) => {
  const args = [...ARGS, '--report', scratch, ...options];
  const { out } = await runInProcess(...args);
  expect(/Also as Linux (.*)/.exec(out)?.[1]).toBe(kernels?.join(', '));
  const [program] = JSON.parse((await runInProcess(...args, '--json')).out).programs;
  expect(program.asKernels).toEqual(kernels);
});
