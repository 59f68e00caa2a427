/** Many packets in one test run give what a test run for each gives: outcomes, maps, and nothing left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { bytesOf, expectSame, generated, orders, runAll } from './test-support/harness.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixture, fixtureOf } from './test-support/testrun.ts';

function withFrags(program: Program): Program {
  const entries = program.entries.map((entry) => ({ ...entry, frags: entry.function === 'leave_frags' }));
  return { ...program, entries };
}

function programDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:bpf-prog';
    } catch {
      return false;
    }
  }).length;
}

describeKernel('the harness', ['root', 'testrun', 'compiler'], () => {
  if (process.arch !== 'x64') return;

  for (const name of ['swap', 'grow', 'mark_metadata', 'ingress', 'read_metadata'])
    it(`gives the same of frames of every length: ${name}`, () =>
      expectSame(fixture(name), [generated(3000), generated(100)]));

  for (const name of ['leave', 'leave_tail', 'leave_metadata', 'lead', 'again', 'leave_frags'])
    it(`shows a packet nothing of those before it: ${name}`, () =>
      expectSame(withFrags(fixtureOf('harness', name)), [orders(6000), orders(17)]));

  it('takes packets in any order of the arena', () => {
    const batch = orders(300);
    batch.offset.subarray(0, 300).reverse();
    batch.length.subarray(0, 300).reverse();
    expectSame(fixtureOf('harness', 'leave'), [batch]);
  });

  it('goes on where a signal came in between', async () => {
    const batches = Array.from({ length: 30 }, () => orders(4096));
    const plain = runAll(fixtureOf('harness', 'slow'), batches, 'calls')!;
    let signals = 0;
    const count = (): void => void signals++;
    process.on('SIGUSR2', count);
    // They begin when all is loaded, which they are not to interrupt, and are fewer than libuv can keep: of more, it loses some.
    const sender = spawn('sh', ['-c', `read go; for i in $(seq 3000); do kill -USR2 ${process.pid}; done`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(sender, 'exit');
    try {
      const through = runAll(fixtureOf('harness', 'slow'), batches, 'harness', () =>
        sender.stdin.write('go\n'),
      )!;
      for (const [index, { output }] of through.entries()) {
        expect(output.notes).toEqual(plain[index]!.output.notes);
        expect(Buffer.compare(bytesOf(output), bytesOf(plain[index]!.output)), `batch ${index}`).toBe(0);
      }
      while (signals === 0) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      sender.kill('SIGKILL');
      await ended;
      process.off('SIGUSR2', count);
    }
  });

  it('is not for programs that need all of the stack', () => {
    expect(runAll(fixtureOf('harness', 'deep'), [orders(10)], 'harness')).toBeUndefined();
  });

  it('is what a long session runs through, with nothing left open behind it', async () => {
    const before = programDescriptors();
    const program = fixture('swap');
    const session = await createTestRunEngine().open(program, {});
    const single = programDescriptors() - before;
    const batch = generated(2048);
    const output = new OutcomeBatch(2048);
    const counts: number[] = [];
    let first: string | undefined;
    for (let round = 0; round < 40; round++) {
      await session.reset();
      await session.run(batch, output);
      const seen = `${output.action.join()} ${Buffer.from(output.bytes.subarray(0, output.used)).toString('hex')}`;
      first ??= seen;
      expect(seen === first, `round ${round}`).toBe(true);
      counts.push(programDescriptors() - before);
    }
    expect(counts[0]).toBe(single);
    expect(counts.at(-1)).toBeGreaterThan(single);
    await session.close();
    expect(programDescriptors()).toBe(before);
  });

  it.each([
    ['print where that is looked at', () => fixture('print')],
    ['read memory behind the frame', () => fixtureOf('harness', 'behind')],
  ])('is not loaded for programs that %s', async (_what, program) => {
    const session = await createTestRunEngine().open(program(), {});
    const before = programDescriptors();
    const output = new OutcomeBatch(4096);
    await session.run(generated(2048), output);
    const first = output.action.slice();
    for (let round = 0; round < 19; round++) await session.run(generated(2048), output);
    expect(output.action).toEqual(first);
    expect(programDescriptors()).toBe(before);
    await session.close();
  });
});
