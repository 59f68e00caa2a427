/** Starts the process that runs tests, asks it, and replaces it where a mutant does not end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reply, Request } from './host.ts';

/** Clock ticks of Linux's /proc per second. */
const TICKS = 100;

/** Seconds that all processes of a group have computed, as far as the system tells. */
function secondsOf(group: number): number | undefined {
  let ticks = 0;
  try {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        // proc(5): after the name in parentheses come state, ppid, pgrp; utime to cstime are fields 14 to 17.
        const fields = readFileSync(`/proc/${entry}/stat`, 'latin1').split(') ')[1]!.split(' ');
        if (Number(fields[2]) === group)
          ticks += Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
      } catch {
        // It has ended meanwhile.
      }
    }
  } catch {
    return undefined;
  }
  return ticks / TICKS;
}

/** What the process that runs tests has begun: the mutant, and how long its test takes without it. */
function currentOf(
  path: string,
): { readonly key: string; readonly id: number; readonly ms: number } | undefined {
  try {
    const key = readFileSync(path, 'utf8');
    const [, , id, ms] = key.split(' ');
    return ms === undefined ? undefined : { key, id: Number(id), ms: Number(ms) };
  } catch {
    return undefined;
  }
}

export class Tester {
  readonly #directory: string;
  readonly #mutants: string;
  #child: ChildProcess | undefined;

  /** @param mutants a file with what `host.ts` reads */
  constructor(directory: string, mutants: string) {
    this.#directory = directory;
    this.#mutants = mutants;
  }

  async #start(): Promise<ChildProcess> {
    const host = join(this.#directory, 'kernel-tests', 'mutation', 'host.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', host, this.#mutants], {
      cwd: this.#directory,
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`the process that runs tests ended with ${code}`)));
    });
    child.removeAllListeners('exit');
    return child;
  }

  /**
   * The mutant that did not end is in `endless`: its test computed for ten times as long as it does without, and 10 s
   * more, or took twenty times that by the clock.
   */
  async ask(request: Request): Promise<Reply & { readonly endless?: number }> {
    this.#child ??= await this.#start();
    const child = this.#child;
    return await new Promise((resolve) => {
      let key: string | undefined;
      let begun = 0;
      let computed = 0;
      const finish = (reply: Reply & { readonly endless?: number }): void => {
        clearInterval(watch);
        child.removeAllListeners('message');
        child.removeAllListeners('exit');
        resolve(reply);
      };
      const watch = setInterval(() => {
        const current = currentOf(request.task.current);
        const now = performance.now() / 1000;
        const used = secondsOf(child.pid!) ?? now;
        if (current?.key !== key) {
          key = current?.key;
          begun = now;
          computed = used;
        }
        if (current === undefined) return;
        const most = 10 + current.ms / 100;
        if (used - computed <= most && now - begun <= 20 * most) return;
        this.stop();
        finish({ endless: current.id });
      }, 1000);
      child.once('message', (reply: Reply) => finish(reply));
      child.once('exit', () => {
        this.#child = undefined;
        finish({ failure: 'error: the process that runs tests ended' });
      });
      child.send(request);
    });
  }

  stop(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined) return;
    child.removeAllListeners('exit');
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}
