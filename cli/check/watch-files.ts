/** Waits for files to change: for `check --watch`. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { statesOf } from '../input/read-object.ts';

export interface WatchOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Asked after each round: what a source includes may have changed. */
  readonly files: () => Promise<readonly string[]>;
  /**
   * A round. Called at once, and whenever a file has changed.
   * @param signal aborts when a file changes meanwhile, or when it all ends
   * @param since when the change was seen, as `performance.now()` counts
   */
  readonly onChange: (signal: AbortSignal, since: number) => Promise<void>;
  /** A round is over, and nothing has changed yet. @param missing files that are not there: waited for, too */
  readonly onWait: (missing: readonly string[]) => void;
}

/** What `statesOf` says of a file that is not there. */
const GONE = 'gone';

/** Editors write a file in several steps. */
const SETTLE_MS = 30;

/** Headers of the system do not change while somebody edits. */
const SYSTEM = /^\/usr\/(include|lib)\//;

export async function watchFiles({ signal, files, onChange, onWait }: WatchOptions): Promise<void> {
  let since = performance.now();
  while (!signal.aborted) {
    const round = new AbortController();
    const end = (): void => round.abort();
    signal.addEventListener('abort', end);
    // What changes from here on counts for the next round.
    const watched = new WatchedFiles(own(await files()), end);
    try {
      await onChange(round.signal, since);
      // A source that was compiled now has told what it includes.
      watched.add(own(await files()));
      if (!round.signal.aborted) {
        onWait(watched.missing());
        await aborted(round.signal);
      }
      since = watched.changedAt ?? performance.now();
    } finally {
      watched.close();
      signal.removeEventListener('abort', end);
    }
  }
}

function own(files: readonly string[]): string[] {
  return [...new Set(files.map((file) => resolve(file)))].filter((file) => !SYSTEM.test(file));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

class WatchedFiles {
  /** When the first change was seen. */
  changedAt: number | undefined;
  readonly #onChange: () => void;
  readonly #files = new Map<string, string>();
  readonly #folders = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(files: readonly string[], onChange: () => void) {
    this.#onChange = onChange;
    this.add(files);
  }

  add(files: readonly string[]): void {
    for (const file of files) {
      if (this.#files.has(file)) continue;
      this.#files.set(file, statesOf([file]));
      this.#watch(file);
    }
    // Between looking at them and watching them, something may have changed.
    this.#look();
  }

  /** Of the files, those that are not there. */
  missing(): string[] {
    return [...this.#files.keys()].filter((file) => statesOf([file]) === GONE);
  }

  /** The folder, not the file: editors put a new file in the place of the old one. One that is not there may come, too. */
  #watch(file: string): void {
    let folder = dirname(file);
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
    if (this.#folders.has(folder)) return;
    try {
      const watcher = watch(folder, () => this.#look());
      watcher.on('error', () => {});
      this.#folders.set(folder, watcher);
    } catch {
      // It has just gone, or may not be read.
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#folders.values()) watcher.close();
  }

  #look(): void {
    for (const [file, before] of this.#files) if (before === GONE) this.#watch(file);
    const changed = [...this.#files].some(([file, before]) => {
      const now = statesOf([file]);
      return now !== before && now !== GONE;
    });
    if (!changed) return;
    this.changedAt ??= performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, SETTLE_MS);
  }
}
