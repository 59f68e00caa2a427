/** Who switches the oracle off reads what was not checked: "agreed" says nothing of checksums then. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-oracle-off-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ARGS = ['verify', 'icmp_drop', '--engines', 'model,vm', '--runs', '64', '--seed', '1', '--report'];
const CHECKSUMS = 'checksums of frames that leave';
const INVARIANTS = 'invariants of frames that leave';

it.each([
  ['off', [CHECKSUMS, INVARIANTS]],
  ['checksums', [INVARIANTS]],
  ['all', []],
])('says what --oracle %s leaves out', async (oracle, left) => {
  const args = [...ARGS, scratch, '--oracle', oracle];
  const { out, code } = await runInProcess(...args);
  expect(code).toBe(0);
  expect(out.match(/Not checked: .*\(--oracle/g) ?? []).toHaveLength(left.length);
  for (const what of left) expect(out).toContain(`Not checked: ${what} (--oracle ${oracle})`);
  const [program] = JSON.parse((await runInProcess(...args, '--json')).out).programs;
  const ofOracle = program.notChecked.filter(({ engine }: { engine: string }) => engine === 'oracle');
  expect(ofOracle.map(({ what }: { what: string }) => what)).toEqual(
    left.map((what) => `${what} (--oracle ${oracle})`),
  );
});
