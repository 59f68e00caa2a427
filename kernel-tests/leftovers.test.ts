import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, builtModule } from '../cli/test-support/built-command.ts';
import { createNetns } from '../kernel/network/netns.ts';
import { lockWhileLiving, removeLeftovers } from '../kernel/process/leftovers.ts';
import { describeKernel } from './test-support/require-kernel.ts';

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

beforeAll(buildCommand, BUILD_TIMEOUT);

describeKernel('what a run makes', ['root', 'libbpf'], () => {
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    removeLeftovers();
  });

  /** @param launcher what starts the process, and in what surroundings */
  async function start(how: string, launcher: readonly string[] = []): Promise<Run> {
    const script = fileURLToPath(builtModule('kernel-tests/test-support/leftovers-child.ts'));
    const [command, ...args] = [...launcher, process.execPath, script, how];
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'ignore'] });
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

  it('is removed though the kernel holds locks of a dead maker while it takes its devices apart', async () => {
    const { process: child, made, end } = await start('wait');
    // In the kernel's place.
    const fd = openSync(made.path, 'r');
    lockWhileLiving(fd);
    child.kill('SIGKILL');
    await end;
    removeLeftovers();
    expect([existsSync(made.path), existsSync(made.directory)]).toEqual([false, false]);
    closeSync(fd);
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

  describe('in a PID namespace of its own, as in a container', () => {
    /** Later than any maker needs to lock what it has made. */
    const later = (): number => Date.now() + 3_600_000;

    it('is not touched by other runs while it lives', async () => {
      const { made } = await start('wait', CONTAINER);
      expect(removeLeftovers(later())).not.toEqual(expect.arrayContaining([made.path]));
      expect([existsSync(made.path), existsSync(made.directory)]).toEqual([true, true]);
    });

    it('does not touch what other runs outside have made', async () => {
      const { made } = await start('wait');
      const module = JSON.stringify(builtModule('kernel/process/leftovers.ts'));
      const script = `import { lockWhileLiving, removeLeftovers } from ${module};
        console.log(JSON.stringify(removeLeftovers(${later()})));`;
      const [command, ...args] = [...CONTAINER, process.execPath, '--input-type=module'];
      const { stdout } = spawnSync(command!, [...args, '-e', script], { encoding: 'utf8' });
      const removed = JSON.parse(stdout) as string[];
      expect(removed).not.toContain(made.path);
      expect(removed).not.toContain(made.directory);
      expect([existsSync(made.path), existsSync(made.directory)]).toEqual([true, true]);
    });

    it('is removed by a later run outside after a SIGKILL', async () => {
      const { process: child, made, end } = await start('wait', CONTAINER);
      child.kill('SIGKILL');
      await end;
      // The locks go with the last process of the namespace, a moment after the first.
      while (existsSync(made.path) || existsSync(made.directory)) {
        removeLeftovers(later());
        await new Promise((resolve) => setImmediate(resolve));
      }
    });

    it('is not taken for a leftover in the moment between being made and being locked', () => {
      const path = join(tmpdir(), 'xdpsim-1-1-000000000000-0');
      mkdirSync(path);
      try {
        expect(removeLeftovers()).not.toContain(path);
        expect(removeLeftovers(later())).toContain(path);
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    });
  });
});

/** Starts a command in PID and mount namespaces of its own, with /run/netns and /tmp as they are outside. */
const CONTAINER = [
  'unshare',
  ...['--pid', '--fork', '--kill-child', '--mount', '--propagation', 'unchanged'],
  ...['sh', '-c', 'mount --make-private /proc 2>/dev/null; mount -t proc proc /proc && exec "$@"', 'sh'],
];
