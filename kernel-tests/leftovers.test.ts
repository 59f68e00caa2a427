import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { removeLeftovers } from '../kernel/leftovers.ts';
import { createNetns } from '../kernel/netns.ts';
import { describeKernel } from './require-kernel.ts';

interface Made {
  readonly namespace: string;
  readonly path: string;
  readonly directory: string;
}

interface Run {
  readonly process: ChildProcess;
  readonly made: Made;
  /** Settles when the process has ended: exit code, or the signal that ended it. */
  readonly end: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
}

describeKernel('what a run makes', ['root', 'libbpf'], () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    removeLeftovers();
  });

  async function start(how: string): Promise<Run> {
    const script = fileURLToPath(new URL('leftovers-child.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, how], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    started.push(child);
    const end = once(child, 'exit') as Promise<unknown> as Run['end'];
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    return { process: child, made: JSON.parse(line) as Made, end };
  }

  it.each([
    ['when it ends', 'return', 0],
    ['when an exception ends it', 'throw', 1],
    ['when it exits', 'exit', 3],
  ])('is removed %s', async (_, how, code) => {
    const { made, end } = await start(how);
    expect(await end).toEqual([code, null]);
    expect(existsSync(made.path)).toBe(false);
  });

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'is removed on %s, which still ends the run',
    async (signal) => {
      const { process: child, made, end } = await start('wait');
      expect(existsSync(made.path)).toBe(true);
      child.kill(signal);
      expect(await end).toEqual([null, signal]);
      expect(existsSync(made.path)).toBe(false);
    },
  );

  it('is removed after a signal that the run itself listens to, when it then exits', async () => {
    const { process: child, made, end } = await start('listen');
    child.kill('SIGINT');
    expect(await end).toEqual([1, null]);
    expect(existsSync(made.path)).toBe(false);
  });

  it('is left after a SIGKILL, and removed by the next run', async () => {
    const { process: child, made, end } = await start('wait');
    child.kill('SIGKILL');
    await end;
    expect([existsSync(made.path), existsSync(made.directory)]).toEqual([true, true]);
    const next = await start('return');
    await next.end;
    expect([existsSync(made.path), existsSync(made.directory)]).toEqual([false, false]);
  });

  it('is not touched by other runs while it lives', async () => {
    const { made } = await start('wait');
    const own = createNetns();
    try {
      const removed = removeLeftovers();
      expect(removed).not.toContain(made.path);
      expect(removed).not.toContain(own.path);
      expect([existsSync(made.path), existsSync(made.directory), existsSync(own.path)]).toEqual([
        true,
        true,
        true,
      ]);
    } finally {
      own.close();
    }
  });
});
