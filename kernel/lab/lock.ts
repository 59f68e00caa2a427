/**
 * One command at a time changes a lab: what it reads, decides by, makes and writes down belongs together. The lock is
 * on the directory that keeps the labs' state, and ends with the process however that ends.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EngineError } from '../../sim/engines/engine.ts';
import { LOCK_EX, LOCK_NB, lastErrorName, libc } from '../libc.ts';

/** Gone with the next boot, as the labs themselves are. */
export const STATE_DIRECTORY = '/run/xdpsim';

/** What the name of a file ends with while it is written. */
export const UNFINISHED = '.json.new';

/** Milliseconds between two looks at a lock that another command holds. */
const LOOK = 20;
/** Milliseconds after which the user is told what is being waited for. */
const NOTICE = 1000;

/** Locks may be nested within a thread: the outermost counts. */
let depth = 0;

/**
 * Calls `change` while no other process changes a lab; waits until that is so. `change` must be synchronous. May be
 * called within itself.
 * @throws {EngineError} `environment`, where the state directory cannot be made
 */
export function locked<T>(change: () => T): T {
  if (depth > 0) return holding(change);
  const fd = openStateDirectory();
  try {
    if (libc().flock(fd, LOCK_EX) !== 0) throw cannotBeLocked();
    return holding(change);
  } finally {
    closeSync(fd);
  }
}

/**
 * As `locked`, but signals are handled while it waits.
 * @param onWait called once, when another command has held the lock for a second
 */
export async function lockedLater<T>(change: () => T, onWait: () => void): Promise<T> {
  const fd = openStateDirectory();
  try {
    const start = performance.now();
    let noticed = false;
    while (libc().flock(fd, LOCK_EX | LOCK_NB) !== 0) {
      if (lastErrorName() !== 'EAGAIN') throw cannotBeLocked();
      if (!noticed && performance.now() > start + NOTICE) {
        noticed = true;
        onWait();
      }
      await wait(LOOK);
    }
    return holding(change);
  } finally {
    closeSync(fd);
  }
}

function holding<T>(change: () => T): T {
  if (depth === 0) removeUnfinished();
  depth += 1;
  try {
    return change();
  } finally {
    depth -= 1;
  }
}

/** Only the holder of the lock writes: what is unfinished then is of a command that was killed. */
function removeUnfinished(): void {
  for (const name of readdirSync(STATE_DIRECTORY).filter((one) => one.endsWith(UNFINISHED))) {
    try {
      rmSync(join(STATE_DIRECTORY, name), { recursive: true, force: true });
    } catch {
      // Whoever needs to write there is told why that cannot be done.
    }
  }
}

function openStateDirectory(): number {
  try {
    mkdirSync(STATE_DIRECTORY, { recursive: true, mode: 0o700 });
    return openSync(STATE_DIRECTORY, 'r');
  } catch (cause) {
    throw cannotKeepState(cause);
  }
}

/** For what the file system says about the state directory. */
export function cannotKeepState(cause: unknown): EngineError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new EngineError('environment', `the lab cannot keep its state in ${STATE_DIRECTORY} (${code})`, {
    remedy:
      code === 'EROFS'
        ? 'make /run writable: mount -t tmpfs tmpfs /run'
        : `make ${STATE_DIRECTORY} a writable directory of root's`,
    cause,
  });
}

function cannotBeLocked(): EngineError {
  return new EngineError('environment', `cannot lock ${STATE_DIRECTORY}: ${lastErrorName()}`);
}
