/** What stands above all programs of `verify`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-header-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it.each([
  ['an object alone', packageFile('bpf/built/xdp_pass.o'), /^seed 1, engines (?:testrun, )?wasm$/m],
  ['a built-in program', 'xdp_pass', /^seed 1, engines model, (?:testrun, )?wasm$/m],
])('names a model where there is one: %s', async (_, program, header) => {
  const { out } = await runInProcess('verify', program, '--runs', '64', '--seed', '1', '--report', scratch);
  expect(out).toMatch(header);
});
