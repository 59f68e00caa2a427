/** Runs of the command under attack. */
import { type ChildProcess, spawn } from 'node:child_process';
import { packageFile } from '../../kernel/package-file.ts';
import { MARK } from './traces.ts';

export interface AttackedRun {
  readonly child: ChildProcess;
  readonly end: Promise<AttackedEnd>;
}

export interface AttackedEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
  /** Was it ended since it did not end by itself? */
  readonly hung: boolean;
}

const MOST_OUTPUT = 4 * 1024 * 1024;

export interface RunOptions {
  readonly mark: string;
  readonly cwd: string;
  /** A command that runs it, with its arguments. */
  readonly before?: readonly string[];
  /** Milliseconds after which it counts as hung. */
  readonly patience: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Does it get a process group of its own? */
  readonly group?: boolean;
}

export function startRun(args: readonly string[], options: RunOptions): AttackedRun {
  const [command, ...rest] = [
    ...(options.before ?? []),
    process.execPath,
    packageFile('dist/bin/xdpsim.cjs'),
    ...args,
  ];
  const child = spawn(command!, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env, [MARK]: options.mark },
    detached: options.group ?? false,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin!.on('error', () => {});
  let out = '';
  let err = '';
  child.stdout!.on('data', (data) => {
    if (out.length < MOST_OUTPUT) out += data;
  });
  child.stderr!.on('data', (data) => {
    if (err.length < MOST_OUTPUT) err += data;
  });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill('SIGKILL');
  }, options.patience);
  const end = new Promise<AttackedEnd>((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      // A grandchild may hold the pipes open: what has come by now has to do.
      setTimeout(() => resolve({ code, signal, out, err, hung }), 50);
    });
  });
  return { child, end };
}

/** Does the output show that something broke, rather than being reported? */
export function looksCrashed({ code, signal, err }: AttackedEnd): boolean {
  if (code === 70 || signal === 'SIGSEGV' || signal === 'SIGABRT' || signal === 'SIGBUS') return true;
  return /\n\s+at .*\(|FATAL ERROR|Segmentation fault|a defect of xdpsim/.test(err);
}
