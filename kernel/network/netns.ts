/** Network namespaces of the run's own: nothing that xdpsim makes ever stands in the host's. */
import { closeSync, existsSync, fstatSync, openSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ToolEnded } from '../../bpf/tool-ended.ts';
import { type Availability, EngineError } from '../../sim/engines/engine.ts';
import { CLONE_NEWNET, lastErrorName, libc } from '../libc.ts';
import { lackOf, NAMESPACES } from '../process/capabilities.ts';
import { disposeOnExit } from '../process/cleanup.ts';
import {
  lockWhileLiving,
  NETNS_DIRECTORY,
  NSFS_MAGIC,
  removeLeftovers,
  removeNetnsName,
} from '../process/leftovers.ts';
import { nextRunName } from '../process/run-name.ts';
import { type Ended, runTool } from '../process/run-tool.ts';
import { writeNetworkSetting } from './sysctl.ts';

/** One network namespace. It is gone, with all devices in it, after `close` and however the process ends. */
export interface Netns {
  /** As `ip netns list` shows it; unique to this run. */
  readonly name: string;
  /** For `nsenter --net=PATH`, which leaves /sys/fs/bpf visible where `ip netns exec` hides it. */
  readonly path: string;
  /**
   * Calls `fn` with the calling thread inside the namespace. Sockets opened meanwhile and processes started
   * meanwhile stay there; `/proc/sys/net` shows the namespace's settings. May be nested.
   * @throws {TypeError} when `fn` returns a promise: the thread would be back before it settles
   */
  enter<T>(fn: () => T): T;
  /**
   * Runs a command inside to its end.
   * @returns what it printed on stdout
   * @throws {EngineError} with what it printed on stderr, when it fails or is not installed
   */
  run(command: string, args: readonly string[], input?: string): string;
  /** Runs `ip` commands inside, in one process: each without the leading `ip`. */
  ip(commands: readonly string[]): void;
  /** Sets `/proc/sys/net/<key>`, the key with slashes: `ipv4/conf/all/forwarding`. */
  sysctl(key: string, value: string | number): void;
  /** Is it still the one that its path leads to, not removed, nor made anew under the same name? */
  isCurrent(): boolean;
  /** May be called more than once. */
  close(): void;
}

let swept = false;

/**
 * Makes a network namespace; only its loopback device is in it, and it is down. The first call of a process also
 * removes what dead runs left behind.
 *
 * Where /run cannot be written, it has no name that `ip netns` knows: `name` and `path` then lead through this process.
 * @throws {EngineError} where the rights or `ip` are missing
 */
export function createNetns(): Netns {
  if (!swept) {
    swept = true;
    removeLeftovers();
  }
  // Another thread of this process counts by itself: the names that it took are stepped over.
  for (;;) {
    const name = nextRunName();
    const { status, stderr } = addName(name);
    if (status === 0) return new OpenNetns(name, join(NETNS_DIRECTORY, name), { ends: true });
    if (stderr.includes('File exists')) continue;
    if (/Read-only file system|Permission denied/.test(stderr)) return unnamed();
    throw cannotBeMade(stderr);
  }
}

/** Where Ctrl-C ends `ip` half-way, what it has made goes again. */
function addName(name: string): Ended {
  const path = join(NETNS_DIRECTORY, name);
  const isTaken = existsSync(path);
  try {
    return runTool('ip', ['netns', 'add', name]);
  } catch (error) {
    if (error instanceof ToolEnded && !isTaken && existsSync(path)) removeNetnsName(path);
    throw error;
  }
}

function unnamed(): Netns {
  const fd = createUnnamedNetns();
  const path = `/proc/${process.pid}/fd/${fd}`;
  return new OpenNetns(path, path, { fd });
}

function cannotBeMade(stderr: string): EngineError {
  const reason = stderr.trim();
  return new EngineError('environment', `a network namespace cannot be created: ${reason}`, {
    remedy: reason.includes('Read-only file system')
      ? 'make /run writable: mount -t tmpfs tmpfs /run'
      : 'run as root (or with CAP_SYS_ADMIN and CAP_NET_ADMIN)',
  });
}

let known: Availability | undefined;

/** Can network namespaces be made and entered? Tried once per thread, where the capabilities do not say no. */
export function netnsAvailability(): Availability {
  known ??= lackOf(NAMESPACES) ?? tryNetns();
  return known;
}

function tryNetns(): Availability {
  try {
    const netns = createNetns();
    try {
      // Being inside is what everything builds on.
      netns.enter(() => {});
      return { available: true };
    } finally {
      netns.close();
    }
  } catch (error) {
    if (!(error instanceof EngineError) || error.remedy === undefined) throw error;
    return { available: false, reason: error.message, remedy: error.remedy };
  }
}

/**
 * Makes a network namespace under a name of the caller's choice that outlives this process: `close` only lets go
 * of it, and `removeNetnsName` ends it.
 * @throws {EngineError} `input`, when there is one of that name already; `environment` without rights or `ip`
 */
export function createLastingNetns(name: string): Netns {
  const { status, stderr } = addName(name);
  if (status === 0) return new OpenNetns(name, join(NETNS_DIRECTORY, name));
  if (stderr.includes('File exists')) {
    throw new EngineError('input', `the network namespace ${name} already exists`, {
      remedy: `choose another name, or remove it: ip netns delete ${name}`,
    });
  }
  throw cannotBeMade(stderr);
}

/**
 * Opens a namespace that somebody else made; `close` leaves it standing.
 * @param path default: where `ip netns` keeps that name
 * @throws {EngineError} `input`, when there is none; a file in which no namespace was mounted yet is none
 */
export function openNetns(name: string, path: string = join(NETNS_DIRECTORY, name)): Netns {
  try {
    if (statfsSync(path).type === NSFS_MAGIC) return new OpenNetns(name, path);
  } catch (cause) {
    throw new EngineError('input', `no network namespace “${name}”`, { cause });
  }
  throw new EngineError('input', `no network namespace “${name}”`);
}

/** The namespace the thread is in, while it is not in the one it started in. */
let inside: number | undefined;

class OpenNetns implements Netns {
  readonly name: string;
  readonly path: string;
  readonly #fd: number;
  readonly #keepOnExit: () => void;
  readonly #ends: boolean;
  #open = true;

  /**
   * @param options `ends`: its name is taken away when it is closed and when the process ends; `fd`: a descriptor of
   *   it, which is taken over
   */
  constructor(name: string, path: string, options: { readonly ends?: boolean; readonly fd?: number } = {}) {
    this.name = name;
    this.path = path;
    this.#ends = options.ends ?? false;
    this.#fd = options.fd ?? openSync(this.path, 'r');
    if (this.#ends) lockWhileLiving(this.#fd);
    this.#keepOnExit = this.#ends ? disposeOnExit(() => removeNetnsName(this.path)) : () => {};
  }

  enter<T>(fn: () => T): T {
    if (!this.#open) throw new Error(`network namespace ${this.name} is closed`);
    return enterNamespace(this.#fd, fn);
  }

  run(command: string, args: readonly string[], input?: string): string {
    const { status, stdout, stderr } = this.enter(() => runTool(command, args, input));
    if (status === 0) return stdout;
    const shown = [command, ...args].join(' ');
    throw new EngineError('environment', `\`${shown}\` failed (${status}): ${stderr.trim()}`);
  }

  ip(commands: readonly string[]): void {
    if (commands.length === 0) return;
    const { status, stderr } = this.enter(() => runTool('ip', ['-batch', '-'], `${commands.join('\n')}\n`));
    if (status === 0) return;
    // "RTNETLINK answers: File exists\nCommand failed -:3"
    const line = /Command failed -:(\d+)/.exec(stderr)?.[1];
    const command = line === undefined ? undefined : commands[Number(line) - 1];
    const reason = stderr.replace(/Command failed -:\d+/, '').trim();
    throw new EngineError('environment', `\`ip ${command ?? commands[0]}\` failed: ${reason}`);
  }

  sysctl(key: string, value: string | number): void {
    this.enter(() => writeNetworkSetting(key, value));
  }

  isCurrent(): boolean {
    if (!this.#open) return false;
    const own = fstatSync(this.#fd);
    const named = statSync(this.path, { throwIfNoEntry: false });
    return named !== undefined && named.ino === own.ino && named.dev === own.dev;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#keepOnExit();
    if (this.#ends) removeNetnsName(this.path);
    closeSync(this.#fd);
  }
}

/**
 * Makes a network namespace without a name: it ends with its last descriptor, so nothing of it can be left behind.
 * @returns a descriptor of it
 * @throws {EngineError} where the rights are missing
 */
export function createUnnamedNetns(): number {
  const before = inside ?? homeNamespace();
  if (libc().unshare(CLONE_NEWNET) !== 0) {
    throw new EngineError('environment', `cannot create a network namespace: ${lastErrorName()}`, {
      remedy: 'run as root (or with CAP_SYS_ADMIN)',
    });
  }
  try {
    return openSync('/proc/thread-self/ns/net', 'r');
  } finally {
    move(undefined, before);
  }
}

/** Calls `fn` with the calling thread inside the namespace that a descriptor stands for: see `Netns.enter`. */
export function enterNamespace<T>(fd: number, fn: () => T): T {
  const before = inside ?? homeNamespace();
  const outer = inside;
  move(before, fd);
  inside = fd;
  let result: T;
  try {
    result = fn();
  } finally {
    move(fd, before);
    inside = outer;
  }
  if (result instanceof Promise)
    throw new TypeError('what runs inside a network namespace must be synchronous');
  return result;
}

let home: number | undefined;

/** Opened once per thread, before the thread leaves it for the first time. */
function homeNamespace(): number {
  home ??= openSync('/proc/thread-self/ns/net', 'r');
  return home;
}

/** setns(2) moves the calling thread alone; Node's other threads stay where they are. */
function move(from: number | undefined, to: number): void {
  if (from === to || libc().setns(to, CLONE_NEWNET) === 0) return;
  throw new EngineError('environment', `the network namespace cannot be entered: ${lastErrorName()}`, {
    remedy: 'run as root (or with CAP_SYS_ADMIN)',
  });
}
