/**
 * Removes what dead runs left behind. A run removes its own things however it ends (`cleanup.ts`), except after
 * SIGKILL or a crash of the machine: then the next run does it. Living runs are never touched.
 *
 * Whether a maker lives is told by the name of a thing (`run-name.ts`), and where that says nothing, by a lock on the
 * thing itself: its maker holds one as long as it lives (flock(2)). The lock is what counts between containers: whoever
 * sees the thing sees whether it is locked, in whatever PID namespace the maker runs.
 */
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadKoffi } from '../koffi.ts';
import { LOCK_EX, LOCK_NB, LOCK_SH, libc, MNT_DETACH } from '../libc.ts';
import { disposeOnExit } from './cleanup.ts';
import { makerOf, namesOf, nextRunName } from './run-name.ts';

/** Where `ip netns` keeps its names (iproute2, `NETNS_RUN_DIR`). */
export const NETNS_DIRECTORY = '/run/netns';

/** include/uapi/linux/magic.h */
export const NSFS_MAGIC = 0x6e73_6673;

/**
 * Milliseconds after which a thing is locked, if its maker lives: a thing cannot be made and locked in one step, and
 * the maker may be stopped in between. Counts only for things whose maker cannot be looked up by its pid.
 */
const UNLOCKED = 60_000;

/** The places where runs make things, and how a thing is removed there. */
const PLACES: readonly { readonly directory: string; readonly remove: (path: string) => void }[] = [
  { directory: NETNS_DIRECTORY, remove: removeNetnsName },
  { directory: '/sys/fs/bpf', remove: removePins },
  { directory: tmpdir(), remove: removeTemporary },
];

/**
 * Removes namespaces, pins and temporary directories of runs that are dead.
 * @param now milliseconds since 1970
 * @returns the paths removed
 */
export function removeLeftovers(now: number = Date.now()): string[] {
  return sweep((name, path) => isLeftover(name, path, now));
}

/**
 * Removes what a process made that was ended by SIGKILL. It may still be on its way out, which can take the kernel a
 * second where programs and devices go with it: until then its locks say that it lives.
 * @param pid of a child process that has not been waited for yet, or only just now
 */
export function removeThingsOf(pid: number): void {
  const names = namesOf(pid);
  sweep((name) => names.test(name));
}

/**
 * Marks a thing as in use, so that no other run takes it for a leftover.
 * @param fd of the thing; the lock ends with it, so with the process at the latest
 */
export function lockWhileLiving(fd: number): void {
  // Without koffi there is no lock: runs in the same PID namespace still see from the name that the maker lives.
  if (loadKoffi() === undefined || process.platform !== 'linux') return;
  libc().flock(fd, LOCK_SH | LOCK_NB);
}

/** A temporary directory of this run's own; it is removed when the process ends, or by the next run. */
export function makeTemporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = join(tmpdir(), nextRunName());
  mkdirSync(path, { mode: 0o700 });
  const fd = openSync(path, constants.O_RDONLY);
  lockWhileLiving(fd);
  let there = true;
  const dispose = (): void => {
    if (!there) return;
    there = false;
    rmSync(path, { recursive: true, force: true });
    closeSync(fd);
  };
  const forget = disposeOnExit(dispose);
  return {
    path,
    remove() {
      forget();
      dispose();
    },
  };
}

/** Takes a namespace's name away; the namespace itself ends when nothing uses it any more. */
export function removeNetnsName(path: string): void {
  // Nothing mounted (EINVAL) or no such file (ENOENT): somebody was faster, or its maker died half-way.
  libc().umount2(path, MNT_DETACH);
  ignoreAbsence(() => unlinkSync(path));
}

function sweep(matches: (name: string, path: string) => boolean): string[] {
  const removed: string[] = [];
  for (const { directory, remove } of PLACES) {
    for (const name of namesIn(directory)) {
      const path = join(directory, name);
      if (!isOwn(path) || !matches(name, path)) continue;
      remove(path);
      removed.push(path);
    }
  }
  return removed;
}

function isLeftover(name: string, path: string, now: number): boolean {
  const maker = makerOf(name);
  if (maker === undefined || maker === 'living') return false;
  // Of a maker that is surely dead the kernel may still hold locks, while it takes devices and programs apart.
  if (maker === 'dead') return true;
  return isOlderThan(path, now - UNLOCKED) && showsItsLock(path) && !isLocked(path);
}

/** A name in NETNS_DIRECTORY is a mount, and may be one in another mount namespace only: then its lock is not seen here. */
function showsItsLock(path: string): boolean {
  if (dirname(path) !== NETNS_DIRECTORY) return true;
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

function isOlderThan(path: string, time: number): boolean {
  try {
    return lstatSync(path).ctimeMs < time;
  } catch {
    return false;
  }
}

function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Pinned objects cannot be opened (kernel/bpf/inode.c, `bpffs_obj_open`), and so not be locked.
    return false;
  }
  try {
    return libc().flock(fd, LOCK_EX | LOCK_NB) !== 0;
  } finally {
    closeSync(fd);
  }
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
  ignoreAbsence(() => {
    // Asked first: what a link leads to is not ours.
    if (!lstatSync(path).isDirectory()) {
      unlinkSync(path);
      return;
    }
    for (const entry of namesIn(path)) removePins(join(path, entry));
    rmdirSync(path);
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
