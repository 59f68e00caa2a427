/** Runs a program of somebody else's in a network namespace: it gets the signals, and does not outlive this process. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants as fileConstants, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Netns } from '../../kernel/network/netns.ts';
import { environmentFailure } from '../failure.ts';
import { handleSignals } from '../interrupt.ts';

/** @returns the program's exit code, as a shell would give it */
export function runInside(
  netns: Netns,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const path = pathOf(program);
  if (path === undefined) {
    throw environmentFailure(`${program}: command not found`, 'install it, or give its path');
  }
  const [command, ...rest] = [...dyingWithParent(), path, ...args];
  // A process begins in the namespace of the thread that starts it: no other mounts, as `ip netns exec` makes them.
  const child = netns.enter(() =>
    spawn(command!, rest, { stdio: 'inherit', env: { ...process.env, ...env } }),
  );
  const release = handleSignals((cause) => {
    if (cause === 'output closed' || cause === 'part ended') return;
    // Ctrl-C goes to the whole foreground group: the program has got it already.
    if (cause !== 'SIGINT' || !isInForeground()) child.kill(cause);
  });
  return new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      reject(environmentFailure(`${program} cannot be run: ${error.message}`));
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  }).finally(release);
}

/** Where a shell would find it; undefined: nowhere. */
function pathOf(program: string): string | undefined {
  if (program.includes('/')) return isExecutable(program) ? program : undefined;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, fileConstants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * What starts a program so that it gets SIGHUP, as from a terminal that is closed, when this process ends by SIGKILL:
 * only a process itself can ask for that (prctl(2), PR_SET_PDEATHSIG). Nothing where there is no such tool.
 */
function dyingWithParent(): string[] {
  const setpriv = ['setpriv', '--pdeathsig', 'HUP'];
  return spawnSync(setpriv[0]!, [...setpriv.slice(1), 'true']).status === 0 ? setpriv : [];
}

/** Is this process in the foreground of a terminal (field 5 of proc_pid_stat(5) against field 8)? */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  // The second field is the command's name in parentheses.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
