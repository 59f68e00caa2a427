/** The command as users run it, for tests: what tsc emits, built from the sources as they are now. */
import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFile } from '../../kernel/package-file.ts';

/** What starts it: Node, and its script. Built in `beforeAll(buildCommand, BUILD_TIMEOUT)`. */
export const COMMAND: readonly [node: string, script: string] = [
  process.execPath,
  packageFile('dist/bin/xdpsim.cjs'),
];

/** Milliseconds: others may be building. */
export const BUILD_TIMEOUT = 600_000;

/** The URL of a source's module as tsc emitted it: a process that imports it needs no loader, which takes a second. */
export function builtModule(source: string): string {
  return pathToFileURL(packageFile(`dist/${source.replace(/ts$/, 'js')}`)).href;
}

/** `npm run build` writes the time here; what is younger is not in what it made. */
const STAMP = packageFile('dist/.built');
const SOURCES = [
  ...['sim', 'corpus', 'verify', 'kernel', 'cli', 'kernel-tests/test-support'],
  ...['package.json', 'tsconfig.json'],
];

/** Holding the lock: another one may have built meanwhile, and runs what a second build would take away from under it. */
const BUILD_IF_OLDER = `
  let builtAt = 0;
  try { builtAt = Number(require('node:fs').readFileSync('dist/.built', 'utf8')); } catch {}
  if (builtAt > Number(process.argv[1])) process.exit(0);
  const { status } = require('node:child_process').spawnSync('npm', ['run', 'build', '--silent'], { stdio: 'inherit' });
  process.exit(status ?? 1);`;

/** Builds, unless nothing has changed since the last time. Several test files may want it at once: one builds, the others wait. */
export function buildCommand(): void {
  const changed = Math.max(...SOURCES.map((path) => changedAt(packageFile(path))));
  if (builtAt() > changed) return;
  const options = { cwd: packageFile('.'), encoding: 'utf8' } as const;
  const build = ['package.json', process.execPath, '-e', BUILD_IF_OLDER, String(changed)];
  const locked = spawnSync('flock', build, options);
  const built =
    locked.error === undefined ? locked : spawnSync('npm run build --silent', { ...options, shell: true });
  if (built.status !== 0) throw new Error(`the build failed:\n${built.stdout}${built.stderr}`);
}

/** When the last build ended, in milliseconds; 0: never. */
function builtAt(): number {
  try {
    return Number(readFileSync(STAMP, 'utf8'));
  } catch {
    return 0;
  }
}

/** The youngest change of a file, or of the sources in a folder. */
function changedAt(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(
    stat.mtimeMs,
    ...readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory() || /(?<!\.test)\.c?[jt]s$/.test(entry.name))
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs it to its end, in the package's folder. */
export function xdpsim(...args: string[]): Promise<Ended> {
  return xdpsimIn(packageFile('.'), ...args);
}

/** Runs it to its end, in a folder. */
export function xdpsimIn(cwd: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(COMMAND[0], [COMMAND[1], ...args], { cwd }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** A run that the test ends. */
export class Started {
  readonly process: ChildProcess;
  out = '';
  err = '';
  readonly #end: Promise<void>;
  #listeners: (() => void)[] = [];

  /** @param before a command that runs it, with its arguments */
  constructor(
    args: readonly string[],
    cwd: string,
    before: readonly string[] = [],
    options: SpawnOptions = {},
  ) {
    const [command, ...rest] = [...before, ...COMMAND, ...args];
    this.process = spawn(command!, rest, { ...options, cwd });
    this.process.stdout!.on('data', (data) => {
      this.out += data;
      this.#changed();
    });
    this.process.stderr!.on('data', (data) => {
      this.err += data;
      this.#changed();
    });
    this.#end = new Promise((resolve) => {
      this.process.on('close', () => {
        resolve();
        this.#changed();
      });
    });
  }

  /** Resolves when standard error holds the text; rejects when the run ends before. */
  async says(text: string): Promise<void> {
    while (!this.err.includes(text)) {
      if (this.process.exitCode !== null) throw new Error(`ended without saying ${text}: ${this.err}`);
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** Resolves when something more is printed, or the run ends; rejects when it has ended. */
  async changed(): Promise<void> {
    if (this.process.exitCode !== null) throw new Error(`ended:\n${this.out}${this.err}`);
    await new Promise<void>((resolve) => this.#listeners.push(resolve));
  }

  /** @returns exit code, or signal, and how many milliseconds it took */
  async ended(): Promise<{ readonly end: number | NodeJS.Signals | null; readonly ms: number }> {
    const start = performance.now();
    await this.#end;
    return { end: this.process.exitCode ?? this.process.signalCode, ms: performance.now() - start };
  }

  #changed(): void {
    for (const resolve of this.#listeners.splice(0)) resolve();
  }
}
