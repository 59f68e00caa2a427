/**
 * Removes what dead runs left behind. A run removes its own things however it ends (`cleanup.ts`), but for
 * SIGKILL and the loss of a machine's memory: then the next run does it. Living runs are never touched.
 */
import { lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disposeOnExit } from './cleanup.ts';
import { libc, MNT_DETACH } from './libc.ts';
import { isLeftoverName, runPrefix } from './run-name.ts';

/** Where `ip netns` keeps its names (iproute2, `NETNS_RUN_DIR`). */
export const NETNS_DIRECTORY = '/run/netns';

/** The places where runs make things, and how a thing is removed there. */
const PLACES: readonly { readonly directory: string; readonly remove: (path: string) => void }[] = [
  { directory: NETNS_DIRECTORY, remove: removeNetnsName },
  { directory: '/sys/fs/bpf', remove: removePins },
  { directory: tmpdir(), remove: removeTemporary },
];

/**
 * Removes namespaces, pins and temporary directories of runs that are dead.
 * @returns the paths removed
 */
export function removeLeftovers(): string[] {
  return sweep(isLeftoverName);
}

/**
 * Has everything that this process made removed when it ends, whichever of its threads made it. To be called on
 * the main thread by those who let worker threads make things: a worker ended from outside runs no clean-up.
 */
export function removeOwnOnExit(): () => void {
  const prefix = runPrefix();
  return disposeOnExit(() => void sweep((name) => name.startsWith(prefix)));
}

/** Takes a namespace's name away; the namespace itself ends when nothing uses it any more. */
export function removeNetnsName(path: string): void {
  // Nothing mounted (EINVAL) or no such file (ENOENT): somebody was faster, or its maker died half-way.
  libc().umount2(path, MNT_DETACH);
  ignoreAbsence(() => unlinkSync(path));
}

function sweep(matches: (name: string) => boolean): string[] {
  const removed: string[] = [];
  for (const { directory, remove } of PLACES) {
    for (const name of namesIn(directory)) {
      if (!matches(name)) continue;
      const path = join(directory, name);
      if (!isOwn(path)) continue;
      remove(path);
      removed.push(path);
    }
  }
  return removed;
}

/** In a directory that all may write to, a name proves nothing: only what this user made is removed. */
function isOwn(path: string): boolean {
  try {
    return lstatSync(path).uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/** Removes a directory of pins, if it is there. bpffs knows no recursive removal: pins are files, and directories must be empty. */
export function removePins(path: string): void {
  for (const entry of namesIn(path)) removePins(join(path, entry));
  ignoreAbsence(() => {
    if (lstatSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  });
}

function removeTemporary(path: string): void {
  // A bpffs of the run's own may be mounted there, or one directory below.
  for (const entry of namesIn(path)) libc().umount2(join(path, entry), MNT_DETACH);
  libc().umount2(path, MNT_DETACH);
  rmSync(path, { recursive: true, force: true });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function ignoreAbsence(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
