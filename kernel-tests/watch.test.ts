/** `check --watch`: a verdict for each save. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCommand, Started } from '../cli/test-support/built-command.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-watch-')));
const SOURCE = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "action.h"
SEC("xdp") int watched(struct xdp_md *ctx) { return ACTION; }
char _license[] SEC("license") = "GPL";
`;

beforeAll(buildCommand);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describeKernel('check --watch', ['compiler'], () => {
  it('checks again when a source, or what it includes, is saved, and survives what does not compile', async () => {
    const path = join(scratch, 'watched.bpf.c');
    writeFileSync(path, SOURCE);
    writeFileSync(join(scratch, 'action.h'), '#define ACTION XDP_PASS\n');
    const run = new Started(['check', '--watch', 'watched.bpf.c', '--seed', '1', '--no-sweeps'], scratch);
    let from = 0;
    /** What is printed from here on until the text comes. */
    const next = async (text: RegExp): Promise<void> => {
      for (;;) {
        const fresh = run.out.slice(from) + run.err;
        if (text.test(fresh)) {
          from = run.out.length;
          run.err = '';
          return;
        }
        await run.changed();
      }
    };
    await next(/Quick check: PASS after [\d.]+ s[\s\S]*Whole check: PASS[\s\S]*Waiting for changes/);
    // A header, in the way of editors that write a new file beside the old one.
    writeFileSync(join(scratch, 'action.h~'), '#define ACTION 77\n');
    renameSync(join(scratch, 'action.h~'), join(scratch, 'action.h'));
    await next(/Quick check: FAIL after[\s\S]*Waiting for changes/);
    writeFileSync(path, SOURCE.replace('ACTION', 'ACTIN'));
    await next(/use of undeclared identifier 'ACTIN'[\s\S]*does not compile/);
    writeFileSync(path, SOURCE.replace('return ACTION', 'return XDP_DROP'));
    await next(/Quick check: PASS[\s\S]*Whole check: PASS[\s\S]*Waiting for changes/);
    appendFileSync(path, '/* saved while a check runs */\n');
    run.process.kill('SIGINT');
    const { end } = await run.ended();
    expect(end).toBe(130);
    expect(readFileSync(path, 'utf8')).toContain('saved while');
  });
});

it('does not watch what is to be written to a file', async () => {
  const { runInProcess } = await import('../cli/test-support/in-process.ts');
  const { code, err } = await runInProcess('check', 'icmp_drop', '--watch', '--json');
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(/cannot be used with option/) });
});

it('ends at once where a name is no file that may come, and no program', async () => {
  const { runInProcess } = await import('../cli/test-support/in-process.ts');
  const { code, err } = await runInProcess('check', 'no_such_program', '--watch');
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('no_such_program') });
});

it('says which file it waits for, and goes on when that comes', async () => {
  const run = new Started(['check', '--watch', 'new/later.o', '--seed', '1', '--no-sweeps'], scratch);
  const shown = async (text: string): Promise<void> => {
    while (!run.out.includes(text)) await run.changed();
  };
  await shown('Waiting for new/later.o to be there, and for changes');
  mkdirSync(join(scratch, 'new'));
  copyFileSync(new URL('../bpf/built/icmp_drop.o', import.meta.url), join(scratch, 'new', 'later.o'));
  await shown('Quick check: ');
  run.process.kill('SIGINT');
  expect((await run.ended()).end).toBe(130);
});
