/** As the first process of a container: signals have no default effect there, so every one needs a handler. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCommand, Started } from '../cli/test-support/built-command.ts';
import { writeModule } from '../cli/test-support/user-modules.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-first-'));
beforeAll(buildCommand);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc'];

describeKernel('the first process of a PID namespace', ['root'], () => {
  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'ends on %s, in the middle of a model that loops, and with its workers',
    async (signal) => {
      const module = writeModule(scratch, 'loops', {
        model: "if (n === 100) { console.error('now it loops'); for (;;); }",
      });
      const run = new Started(['verify', module, '--engines', 'model,vm'], scratch, UNSHARE);
      await run.says('now it loops');
      process.kill(childOf(run.process.pid!), signal);
      const { end, ms } = await run.ended();
      expect(end).toBe(130);
      expect(ms).toBeLessThan(3000);
      expect(run.out).toContain('Interrupted');
    },
  );

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGHUP'])('ends on %s though no command listens', async (signal) => {
    // Waits for its input: nothing has been said, so the test knows from /proc that the command is there.
    const run = new Started(['run', '--bytecode'], scratch, UNSHARE);
    while (grandchildren(run.process.pid!) === 0) await new Promise((resolve) => setImmediate(resolve));
    process.kill(childOf(run.process.pid!), signal);
    const { end } = await run.ended();
    expect(end).toBe(130);
  });
});

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

function childOf(pid: number): number {
  return childrenOf(pid)[0]!;
}

/** Has the supervisor started the process that it supervises? Then it has its handlers, too. */
function grandchildren(pid: number): number {
  return childrenOf(pid).flatMap(childrenOf).length;
}
