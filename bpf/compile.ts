/**
 * One C file to one eBPF object, with the compiler that bpf/built/ is made with.
 *
 * The compiler is pinned because another version gives other (equally right) instructions, and a reader of a
 * failed check should see a changed program, not a changed compiler.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { requireOwnEnd } from './tool-ended.ts';

export const CLANG = 'clang-14';
export const CLANG_VERSION = '14.0.6';
const STRIP = 'llvm-strip-14';

/** The folder that `bpf/` lies in; sources are named relative to it, so that no path of a machine gets into an object. */
export const SOURCE_ROOT: string = fileURLToPath(new URL('..', import.meta.url));

/** Says what is missing to compile here; undefined where nothing is. */
export function compilerProblem(): string | undefined {
  let version: string;
  try {
    version = execFileSync(CLANG, ['--version'], { encoding: 'utf8' });
    execFileSync(STRIP, ['--version'], { stdio: 'ignore' });
  } catch {
    return `${CLANG} and ${STRIP} are needed to build bpf/: run "npm run setup", or "apt-get install clang-14 llvm-14"`;
  }
  if (!version.includes(CLANG_VERSION)) {
    return `bpf/ is built with clang ${CLANG_VERSION}; ${CLANG} says: ${version.split('\n')[0]}`;
  }
  return undefined;
}

export interface CompileOptions {
  /** What the source is named relative to; default: the folder that `bpf/` lies in. */
  readonly root?: string;
  /** Further options for the compiler: `-DFAULTY`. */
  readonly options?: readonly string[];
}

/**
 * Compiles a source, named relative to the root.
 * @throws {Error} with the compiler's own messages
 */
export function compileBpf(
  source: string,
  object: string,
  { root = SOURCE_ROOT, options = [] }: CompileOptions = {},
): void {
  const clang = spawnSync(
    CLANG,
    [
      '-O2',
      '-g',
      '-target',
      'bpf',
      '-mcpu=v3',
      // Without this the libc headers ask for gnu/stubs-32.h.
      '-D__x86_64__',
      '-I/usr/include/x86_64-linux-gnu',
      '-Wall',
      '-Werror',
      '-fdebug-compilation-dir=.',
      ...options,
      '-c',
      source,
      '-o',
      object,
    ],
    { cwd: root, encoding: 'utf8' },
  );
  requireOwnEnd(CLANG, clang.signal);
  if (clang.status !== 0) {
    throw new Error(`${source} does not compile\n${clang.stderr || String(clang.error)}`);
  }
  // DWARF goes, BTF stays: the loader, line info and the reports need the latter only.
  execFileSync(STRIP, ['-g', object]);
}
