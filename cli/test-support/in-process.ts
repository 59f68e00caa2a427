/** The command in the process of the test: for many calls that end before anything runs. */
import { vi } from 'vitest';
import { runCommand } from '../command.ts';
import { reportError } from '../failure.ts';
import type { Ended } from './built-command.ts';

/** The one that was asked for last: one at a time, since they share the process and its streams. */
let last: Promise<unknown> = Promise.resolve();

/** Runs a command line to its end, after those that were asked for before. What it prints is caught on the way to the streams. */
export function runInProcess(...args: readonly string[]): Promise<Ended> {
  const ended = last.then(() => run(args));
  last = ended.catch(() => undefined);
  return ended;
}

async function run(args: readonly string[]): Promise<Ended> {
  const before = process.exitCode;
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((piece: unknown) => {
      printed[name] += typeof piece === 'string' ? piece : Buffer.from(piece as Uint8Array).toString();
      return true;
    }),
  );
  try {
    process.exitCode = undefined;
    try {
      await runCommand(['node', 'xdpsim', ...args]);
    } catch (error) {
      process.exitCode = reportError(error);
    }
    return { code: Number(process.exitCode ?? 0), out: printed.stdout, err: printed.stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = before;
  }
}
