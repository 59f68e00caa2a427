import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { killTree } from './process-tree.ts';

it.skipIf(process.platform !== 'linux')(
  'ends what a process has started, and what that has started',
  async () => {
    const shell = spawn('sh', ['-c', 'sh -c "sleep 1000 & echo \\$!; wait" & wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = await once(createInterface(shell.stdout), 'line');
    const closed = once(shell, 'close');
    killTree(shell.pid!);
    // The pipe closes with the last process that holds it.
    await closed;
    expect(shell.signalCode).toBe('SIGKILL');
    expect(Number(line)).toBeGreaterThan(0);
  },
);
