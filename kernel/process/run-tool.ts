/**
 * A tool from start to end, in the namespaces of the calling thread, without a copy of this process.
 *
 * Node starts programs with fork(2): the kernel copies the tables of all pages that the process has, and gives every page
 * that it writes to afterwards a copy. For `ip`, which ends after two milliseconds, that is most of the time. posix_spawn(3)
 * lends the new process this one's memory until its own program is there.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { requireOwnEnd } from '../../bpf/tool-ended.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { loadKoffi } from '../koffi.ts';
import { errnoName } from '../libbpf/libbpf.ts';
import { type Libc, lastErrorName, libc } from '../libc.ts';

/** linux/memfd.h */
const MFD_CLOEXEC = 1;

/** spawn.h; objects of both types are smaller than this in every C library (glibc: 336 and 80 bytes). */
const OBJECT_SIZE = 1024;
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;
/** `sigset_t` of glibc. */
const SIGNAL_SET_SIZE = 128;

/** How a tool ended by itself. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Which package to install for a missing command, on Debian and Ubuntu. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  ping: 'iputils-ping',
  tcpdump: 'tcpdump',
};

/**
 * Runs a tool to its end. It speaks English, and reads `input`, or nothing.
 * @param command looked for in PATH
 * @throws {EngineError} `environment`, where it cannot be started
 * @throws {ToolEnded} where a signal ended it
 */
export function runTool(command: string, args: readonly string[], input = ''): Ended {
  const c = libc();
  const files: number[] = [];
  try {
    // In memory, so that no pipe fills up while nobody reads it.
    for (const name of ['stdin', 'stdout', 'stderr']) files.push(memoryFile(c, name));
    const [stdin, stdout, stderr] = files as [number, number, number];
    // At a position of its own: the tool reads from the begin.
    if (input !== '') writeWhole(stdin, Buffer.from(input));
    const status = waitFor(c, start(c, command, args, files));
    const signal = status & 0x7f;
    requireOwnEnd(command, signal === 0 ? null : signalName(signal));
    return { status: (status >> 8) & 0xff, stdout: textOf(stdout), stderr: textOf(stderr) };
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

function memoryFile(c: Libc, name: string): number {
  const fd = c.memfd_create(name, MFD_CLOEXEC);
  if (fd >= 0) return fd;
  throw new EngineError('environment', `a file in memory cannot be made: ${lastErrorName()}`);
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
}

function textOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let at = 0;
  while (at < bytes.length) {
    const size = readSync(fd, bytes, at, bytes.length - at, at);
    if (size === 0) break;
    at += size;
  }
  return bytes.toString('utf8', 0, at);
}

/** @returns the process's id */
function start(c: Libc, command: string, args: readonly string[], files: readonly number[]): number {
  // The caller's locale must not translate messages that are read here.
  const variables = Object.entries({ ...process.env, LC_ALL: 'C' }).map(([key, value]) => `${key}=${value}`);
  const actions = new Uint8Array(OBJECT_SIZE);
  c.posix_spawn_file_actions_init(actions);
  try {
    for (const [to, fd] of files.entries()) c.posix_spawn_file_actions_adddup2(actions, fd, to);
    const pid: [number] = [0];
    const argv = [command, ...args, null];
    const error = c.posix_spawnp(pid, command, actions, attributes(c), argv, [...variables, null]);
    if (error === 0) return pid[0];
    const name = errnoName(error);
    throw new EngineError('environment', `\`${command}\` cannot be run: ${name}`, {
      remedy:
        name === 'ENOENT'
          ? `apt-get install ${PACKAGES[command] ?? command}`
          : `look at the file: command -v ${command}`,
    });
  } finally {
    c.posix_spawn_file_actions_destroy(actions);
  }
}

let defaults: Uint8Array | undefined;

/** Signals do to a tool what they do to every program: Node ignores SIGPIPE, and a new program would go on ignoring it. */
function attributes(c: Libc): Uint8Array {
  if (defaults !== undefined) return defaults;
  const made = new Uint8Array(OBJECT_SIZE);
  c.posix_spawnattr_init(made);
  const none = new Uint8Array(SIGNAL_SET_SIZE);
  const all = new Uint8Array(SIGNAL_SET_SIZE);
  for (const signal of Object.values(constants.signals)) all[(signal - 1) >> 3]! |= 1 << ((signal - 1) & 7);
  c.posix_spawnattr_setsigdefault(made, all);
  c.posix_spawnattr_setsigmask(made, none);
  c.posix_spawnattr_setflags(made, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  defaults = made;
  return defaults;
}

/** @returns how it ended, as waitpid(2) says it */
function waitFor(c: Libc, pid: number): number {
  const status: [number] = [0];
  for (;;) {
    if (c.waitpid(pid, status, 0) === pid) return status[0];
    const { EINTR } = constants.errno;
    if (loadKoffi()?.errno() !== EINTR)
      throw new EngineError('environment', `a process cannot be waited for: ${lastErrorName()}`);
  }
}

function signalName(number: number): NodeJS.Signals {
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? ['SIGKILL'];
  return name as NodeJS.Signals;
}
