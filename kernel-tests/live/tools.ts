/** The tools that live scenarios use in a lab: ping, processes that talk in lines, and the devices' own counters. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Netns } from '../../kernel/network/netns.ts';

/** How long anything may take that is waited for, in milliseconds. It takes a few. */
const PATIENCE = 10_000;

export interface PingOptions {
  /** Default 3. */
  readonly count?: number;
  /** Are replies expected? If not, the last one is not waited for as long. */
  readonly dies?: boolean;
}

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  /** Duplicates, corrupted and unexpected replies, errors. */
  readonly oddities: readonly string[];
  /** TTL or hop limit of each reply. */
  readonly ttls: readonly number[];
  readonly output: string;
}

/** Pings to the end. */
export function ping(netns: Netns, to: string, { count = 3, dies = false }: PingOptions): PingResult {
  const args = ['-n', '-c', String(count), '-i', '0.005', '-W', dies ? '0.1' : '10', to];
  const { stdout, stderr } = netns.enter(() => spawnSync('ping', args, { encoding: 'utf8', env: C_LOCALE }));
  const totals = /(\d+) packets transmitted, (\d+) received(.*)/.exec(stdout);
  if (totals === null) throw new Error(`ping did not run: ${stdout}${stderr}`);
  const oddities = stdout.split('\n').filter((line) => /DUP|wrong|truncated|From /.test(line));
  return {
    sent: Number(totals[1]),
    received: Number(totals[2]),
    oddities,
    ttls: [...stdout.matchAll(/ttl=(\d+)/g)].map((match) => Number(match[1])),
    output: stdout,
  };
}

const C_LOCALE = { ...process.env, LC_ALL: 'C' };

/** A process in a namespace that writes lines, and may be written to. */
export class Talker {
  /** Everything it has written so far, on either channel. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<void>;
  #running = true;
  #wake: () => void = () => {};

  constructor(netns: Netns, command: string, args: readonly string[]) {
    this.#name = command;
    // Started by a thread in the namespace, as `nsenter --net=…` would.
    this.#child = netns.enter(() => spawn(command, args, { stdio: 'pipe', env: C_LOCALE }));
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#running = false;
        this.#wake();
        resolve();
      };
      this.#child.once('close', end);
      this.#child.once('error', end);
    });
  }

  /**
   * Waits for a line.
   * @param from index of the first line that counts
   * @returns the line's index
   */
  async line(matches: (line: string) => boolean, from: number = 0): Promise<number> {
    const deadline = AbortSignal.timeout(PATIENCE);
    for (let at = from; ; ) {
      for (; at < this.lines.length; at++) if (matches(this.lines[at]!)) return at;
      if (!this.#running || deadline.aborted) {
        const why = this.#running ? 'did not say it' : 'ended without saying it';
        throw new Error(`${this.#name} ${why}; it said:\n${this.lines.join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.onabort = () => resolve();
      });
    }
  }

  /**
   * Waits for so many lines in a row.
   * @returns the index of the line behind them
   */
  async inARow(count: number, matches: (line: string) => boolean, from: number = 0): Promise<number> {
    let found = 0;
    let at = from;
    while (found < count) {
      at = (await this.line(() => true, at)) + 1;
      found = matches(this.lines[at - 1]!) ? found + 1 : 0;
    }
    return at;
  }

  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Ends the process, if it still runs, and waits for that. */
  async stop(): Promise<void> {
    if (this.#running) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Waits until something holds that the kernel or another process brings about. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(2);
  }
}

/** A device's own counters. */
export function deviceCounters(netns: Netns, device: string): DeviceCounters {
  const [link] = JSON.parse(netns.run('ip', ['-json', '-s', 'link', 'show', 'dev', device])) as {
    stats64: { rx: { packets: number; bytes: number }; tx: { packets: number; bytes: number } };
  }[];
  return link!.stats64;
}

export interface DeviceCounters {
  readonly rx: { readonly packets: number; readonly bytes: number };
  readonly tx: { readonly packets: number; readonly bytes: number };
}
