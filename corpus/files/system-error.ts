/** Errors of the operating system and of the runtime's limits, in words. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMap } from 'node:util';

/** What a system call says, as a sentence for people. */
export interface SystemProblem {
  /** Whose fault it is: a path that the user named (`input`), or the machine (`environment`). */
  readonly kind: 'input' | 'environment';
  readonly message: string;
  readonly remedy?: string;
}

/**
 * Gives an error of the operating system the path that the user knows: `read` and `write` name none, and a file that
 * is written beside its place has another name meanwhile.
 */
export function atPath(error: unknown, path: string): unknown {
  if (error instanceof Error && 'errno' in error && 'code' in error) Object.assign(error, { path });
  return error;
}

interface Words {
  readonly problem: string;
  readonly remedy?: string;
  /** It is about the machine or the process, whatever path it met. */
  readonly environment?: true;
}

/** The frequent ones in our words; all others in those of libuv. */
const WORDS: Readonly<Record<string, Words>> = {
  ENOENT: { problem: 'no such file or directory' },
  EISDIR: { problem: 'is a directory' },
  ENOTDIR: { problem: 'a part of the path is not a directory' },
  EACCES: { problem: 'permission denied' },
  EPERM: { problem: 'operation not permitted' },
  EROFS: { problem: 'the file system is read-only' },
  EEXIST: { problem: 'already exists, and is not what is needed there' },
  ELOOP: { problem: 'too many symbolic links: they lead in a circle' },
  ENAMETOOLONG: { problem: 'the name is too long' },
  ENXIO: { problem: 'no such device, or nobody reads the other end' },
  EBUSY: { problem: 'is in use' },
  ETXTBSY: { problem: 'is a program that is running' },
  EINVAL: { problem: 'cannot be read or written in this way' },
  ENOSPC: { problem: 'no space left on the device', remedy: 'Free some space, or name another place.' },
  EDQUOT: { problem: 'the disk quota is used up', remedy: 'Free some space, or name another place.' },
  EFBIG: {
    problem: 'the file would be too large',
    remedy: 'Raise the limit (ulimit -f unlimited), or name another file system.',
  },
  EIO: { problem: 'input/output error: the device or file system failed' },
  EMFILE: {
    problem: 'too many open files',
    remedy: 'Raise the limit: ulimit -n 1024',
    environment: true,
  },
  ENFILE: {
    problem: 'the system has too many open files',
    remedy: 'Close other programs, or raise sysctl fs.file-max.',
    environment: true,
  },
  ENOMEM: {
    problem: 'not enough memory',
    remedy: 'Free some memory, or raise the limit (ulimit -v unlimited).',
    environment: true,
  },
  EAGAIN: {
    problem: 'no more processes or threads can be started',
    remedy: 'Raise the limit: ulimit -u',
    environment: true,
  },
  EPIPE: { problem: 'the reader has closed the pipe' },
};

/** Names that the user did not choose: what is wrong there is the machine's, or the installation's. */
const OWN_PLACES = /^\/(proc|sys|run\/xdpsim|run\/netns|var\/run\/netns)(\/|$)/;
/** Is it what npm installed: the package's code or its dependencies? */
function isInstalled(path: string): boolean {
  // This file lies in corpus/files/ or dist/corpus/files/, and in dist/bin/ when bundled.
  const root = import.meta.url.replace(/(dist\/)?(corpus\/files|bin)\/[^/]*$/, '');
  const parts = ['dist/', 'node_modules/', 'package.json'];
  return parts.some((part) => path.startsWith(fileURLToPath(new URL(part, root))));
}

/**
 * The sentence for an error of the operating system, or of a limit of the process (memory, threads, open files).
 * @returns undefined for any other error
 */
export function systemProblem(error: unknown): SystemProblem | undefined {
  if (!(error instanceof Error)) return undefined;
  return errnoProblem(error) ?? limitProblem(error);
}

function errnoProblem(error: NodeJS.ErrnoException): SystemProblem | undefined {
  const { code, syscall = '' } = error;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code) || code.startsWith('ERR_')) return undefined;
  const words = wordsFor(error);
  const remedy = words.remedy === undefined ? {} : { remedy: words.remedy };
  if (syscall === 'uv_cwd' || isBelowNothing(error)) {
    return {
      kind: 'environment',
      message: 'the working directory no longer exists',
      remedy: 'Change to a directory that exists, then run the command again.',
    };
  }
  if (syscall.startsWith('spawn')) return spawnProblem(error, words, remedy);
  // Not every error names its file: `read` and `write` work on descriptors. What opened them adds the path.
  const path = typeof error.path === 'string' ? error.path : undefined;
  if (path === '' && code === 'ENOENT') {
    return { kind: 'input', message: 'a path is empty: expected the name of a file or directory' };
  }
  if (words.environment === true) return { kind: 'environment', message: words.problem, ...remedy };
  const doing = syscall === '' ? '' : `${syscall}: `;
  if (path === undefined) return { kind: 'environment', message: doing + words.problem, ...remedy };
  const installed = isInstalled(path);
  if (installed && code === 'ENOENT') {
    return {
      kind: 'environment',
      message: `${path}: a file of xdpsim itself is missing`,
      remedy: 'Install xdpsim again; in a checkout: npm ci && npm run build',
    };
  }
  const own = installed || OWN_PLACES.test(path);
  return { kind: own ? 'environment' : 'input', message: `${path}: ${words.problem}`, ...remedy };
}

/** A relative path that leads nowhere since the working directory is gone. */
function isBelowNothing({ code, path }: NodeJS.ErrnoException): boolean {
  if (code !== 'ENOENT' || typeof path !== 'string' || path === '' || isAbsolute(path)) return false;
  try {
    process.cwd();
    return false;
  } catch {
    return true;
  }
}

function wordsFor(error: NodeJS.ErrnoException): Words {
  if (error.code === 'EEXIST' && error.syscall === 'mkdir') return { problem: 'is not a directory' };
  return WORDS[error.code!] ?? { problem: systemText(error) };
}

function spawnProblem(
  error: NodeJS.ErrnoException,
  words: Words,
  remedy: Pick<SystemProblem, 'remedy'>,
): SystemProblem {
  const command = error.path ?? error.syscall?.slice('spawn '.length) ?? 'a command';
  // A working directory that is gone makes every command "not found".
  if (error.code === 'ENOENT') {
    return {
      kind: 'environment',
      message: `${command}: command not found`,
      remedy: 'Install it; xdpsim doctor names the package.',
    };
  }
  return { kind: 'environment', message: `${command} cannot be started: ${words.problem}`, ...remedy };
}

/** libuv's words: "operation not supported on socket". */
function systemText({ errno, code }: NodeJS.ErrnoException): string {
  const text = typeof errno === 'number' ? getSystemErrorMap().get(errno)?.[1] : undefined;
  return text === undefined ? `error ${code}` : `${text} (${code})`;
}

const MEMORY = 'Free some memory, or raise the limit (ulimit -v unlimited).';

/** What Node, V8 and WebAssembly report when a limit is reached. */
const LIMITS: readonly (readonly [RegExp, string, string])[] = [
  [/^ERR_WORKER_OUT_OF_MEMORY/, 'a worker thread ran out of memory', MEMORY],
  [/^ERR_WORKER_INIT_FAILED/, 'a worker thread could not be started', 'Use fewer workers: --workers 2'],
  [/Array buffer allocation failed|out of memory|could not allocate memory/i, 'not enough memory', MEMORY],
  [
    /Invalid typed array length: \d{10}|Invalid string length|ERR_STRING_TOO_LONG/,
    'the data is too large to hold in memory',
    MEMORY,
  ],
];

function limitProblem(error: Error & { code?: unknown }): SystemProblem | undefined {
  const code = typeof error.code === 'string' ? error.code : '';
  if (code === 'ERR_INVALID_ARG_VALUE' && /null bytes/.test(error.message)) {
    return { kind: 'input', message: 'a path contains a null byte', remedy: 'Remove it from the name.' };
  }
  if (code === 'ERR_FS_FILE_TOO_LARGE') return { kind: 'input', message: 'a file is larger than 2 GiB' };
  if (!(error instanceof RangeError || error instanceof WebAssembly.RuntimeError || code !== '')) {
    return undefined;
  }
  const found = LIMITS.find(([pattern]) => pattern.test(code) || pattern.test(error.message));
  return found === undefined ? undefined : { kind: 'environment', message: found[1], remedy: found[2] };
}
