import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { requireOwnEnd } from './tool-ended.ts';

it('lets a tool pass that ended by itself, and names the signal that ended another', () => {
  const ended = spawnSync(process.execPath, [
    '-e',
    'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 1e4)',
  ]);
  expect(() => requireOwnEnd('node', spawnSync(process.execPath, ['-e', '']).signal)).not.toThrow();
  expect(() => requireOwnEnd('node', ended.signal)).toThrow(
    expect.objectContaining({ message: 'node was ended by SIGTERM', signal: 'SIGTERM' }),
  );
});
