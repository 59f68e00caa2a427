import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-world-init-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('prints a command that can be copied, whatever the files are called', async () => {
  const [object, out] = ['it’s my.o', 'a world.jsonc'].map((name) => join(scratch, name)) as [string, string];
  copyFileSync(packageFile('bpf/built/icmp_echo.o'), object);
  expect(await runInProcess('world', 'init', object, '--out', out)).toEqual({
    code: 0,
    out: '',
    err: `${out}: edit it, then run: npx xdpsim verify '${object}' --world '${out}'\n`,
  });
});
