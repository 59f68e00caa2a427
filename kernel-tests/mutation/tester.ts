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

export class Tester {
  readonly #directory: string;
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async #start(): Promise<ChildProcess> {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(this.#directory, 'kernel-tests', 'mutation', 'host.ts')],
      { cwd: this.#directory, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`the process that runs tests ended with ${code}`)));
    });
    child.removeAllListeners('exit');
    return child;
  }

  /** Undefined where the tests compute for more than `seconds`, or take twenty times as long by the clock. */
  async ask(request: Request, seconds: number): Promise<Reply | undefined>;
  async ask(request: Request): Promise<Reply>;
  async ask(request: Request, seconds = Number.POSITIVE_INFINITY): Promise<Reply | undefined> {
    this.#child ??= await this.#start();
    const child = this.#child;
    const begun = performance.now();
    const computed = secondsOf(child.pid!) ?? 0;
    return await new Promise((resolve) => {
      const finish = (reply: Reply | undefined): void => {
        clearInterval(watch);
        child.removeAllListeners('message');
        child.removeAllListeners('exit');
        resolve(reply);
      };
      const watch = setInterval(() => {
        const now = (performance.now() - begun) / 1000;
        const used = (secondsOf(child.pid!) ?? now) - computed;
        if (used <= seconds && now <= 20 * seconds) return;
        this.stop();
        finish(undefined);
      }, 1000);
      child.once('message', (reply: Reply) => finish(reply));
      child.once('exit', () => {
        this.#child = undefined;
        finish({ failures: ['error: the process that runs tests ended'] });
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
