/** What `diff` says of an example beside its packet, and the commands that it prints for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-examples-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** What is printed of two programs, given as instructions. */
async function differences(old: string, next: string): Promise<string> {
  const files = Object.entries({ old, next }).map(([name, text]) => {
    const file = join(scratch, `${name}.o`);
    writeFileSync(file, writeElf({ main: text }));
    return file;
  });
  const { code, out } = await runInProcess(
    'diff',
    ...files,
    '--runs',
    '500',
    '--no-prove',
    '--seed',
    'examples',
  );
  expect(code).toBe(1);
  return out;
}

const PASSES = 'r0 = 2\nexit';
const DROPS = 'r0 = 1\nexit';

it('names the queue that a packet needs, and prints no command that leaves it out', async () => {
  const field = (queue: number): string =>
    `r1 = *(u32 *)(r1 + 16)\nif r1 == ${queue} goto drop\n${PASSES}\ndrop:\n${DROPS}`;
  const out = await differences(field(1), field(77));
  expect(out).toMatch(/With the packet: .*rx queue (1|77)/);
  expect(out).not.toContain('xdpsim run');
  expect(out).toContain('--report DIR saves the example');
});

it('prints a command for each build where the packet is all that it takes', async () => {
  const out = await differences(PASSES, DROPS);
  expect(out).not.toContain('With the packet');
  expect(out.match(/xdpsim run .*(old|next)\.o.* --packet [0-9a-f]+$/gm)).toHaveLength(2);
});
