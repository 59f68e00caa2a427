/**
 * Builds the engine's inner loop for x86-64, and the program that runs others in the kernel: `npm run native` writes
 * kernel/native/built/, with `--check` it proves that what is committed there is what the sources and the pinned compiler
 * give. Users need no compiler.
 */
import { spawnSync } from 'node:child_process';
import { CLANG, compileBpf, compilerProblem, SOURCE_ROOT } from '../../bpf/compile.ts';
import { rebuild } from '../../bpf/rebuild.ts';

const LINKER = 'lld-14';
const SOURCE = 'kernel/native/packet-loop.c';
const HARNESS = 'kernel/native/harness.bpf.c';

/** @throws {Error} with the compiler's own messages */
function compile(target: string): void {
  const clang = spawnSync(
    CLANG,
    [
      '-O2',
      '-target',
      'x86_64-linux-gnu',
      '-I/usr/include/x86_64-linux-gnu',
      '-Wall',
      '-Werror',
      '-ffreestanding',
      '-fPIC',
      '-fvisibility=hidden',
      '-nostdlib',
      '-shared',
      `-fuse-ld=${LINKER}`,
      // Nothing may be left to find at load time, and nothing in the file may tell one machine from another.
      '-Wl,-z,defs,--build-id=none,--strip-all',
      SOURCE,
      '-o',
      target,
    ],
    { cwd: SOURCE_ROOT, encoding: 'utf8' },
  );
  if (clang.status !== 0) {
    throw new Error(`${SOURCE} does not compile\n${clang.stderr || String(clang.error)}`);
  }
}

function linkerProblem(): string | undefined {
  if (spawnSync(`ld.${LINKER}`, ['--version']).status === 0) return undefined;
  return `${LINKER} is needed to build kernel/native/: run "npm run setup", or "apt-get install ${LINKER}"`;
}

process.exitCode = rebuild(
  {
    folder: 'kernel/native/built',
    files: [
      { source: SOURCE, built: 'kernel/native/built/packet-loop-x64.so', compile },
      {
        source: HARNESS,
        built: 'kernel/native/built/harness.o',
        compile: (target) => compileBpf(HARNESS, target),
      },
    ],
    command: 'npm run native',
  },
  compilerProblem() ?? linkerProblem(),
);
