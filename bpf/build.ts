/**
 * Compiles every program under test: `npm run bpf` writes bpf/built/, `npm run bpf -- --check` proves that what
 * is committed there is what the sources and the pinned compiler give.
 *
 * The compiler is pinned because another version gives other (equally right) instructions, and a reader of a
 * failed check should see a changed program, not a changed compiler.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = join(root, 'bpf/built');

const CLANG = 'clang-14';
const CLANG_VERSION = '14.0.6';
const STRIP = 'llvm-strip-14';

function fail(message: string): never {
  console.error(message);
  process.exit(3);
}

function requireCompiler(): void {
  let version: string;
  try {
    version = execFileSync(CLANG, ['--version'], { encoding: 'utf8' });
    execFileSync(STRIP, ['--version'], { stdio: 'ignore' });
  } catch {
    fail(
      `${CLANG} and ${STRIP} are needed to build bpf/: run "npm run setup", or "apt-get install clang-14 llvm-14"`,
    );
  }
  if (!version.includes(CLANG_VERSION)) {
    fail(`bpf/ is built with clang ${CLANG_VERSION}; ${CLANG} says: ${version.split('\n')[0]}`);
  }
}

/** Sources are named relative to the root, so that no path of this machine gets into an object. */
function compile(program: string, directory: string): void {
  const object = join(directory, `${program}.o`);
  try {
    execFileSync(
      CLANG,
      [
        '-O2',
        '-g',
        '-target',
        'bpf',
        '-mcpu=v3',
        '-D__x86_64__',
        '-I/usr/include/x86_64-linux-gnu',
        '-Wall',
        '-Werror',
        '-fdebug-compilation-dir=.',
        '-c',
        `bpf/${program}.bpf.c`,
        '-o',
        object,
      ],
      { cwd: root, stdio: 'inherit' },
    );
  } catch {
    // The compiler has said on stderr what is wrong.
    fail(`bpf/${program}.bpf.c does not compile`);
  }
  // DWARF goes, BTF stays: the loader, line info and the reports need the latter only.
  execFileSync(STRIP, ['-g', object]);
}

requireCompiler();
const programs = readdirSync(join(root, 'bpf'))
  .filter((name) => name.endsWith('.bpf.c'))
  .map((name) => name.slice(0, -'.bpf.c'.length))
  .sort();
const check = process.argv.includes('--check');
const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-bpf-'));
try {
  for (const program of programs) compile(program, scratch);
  if (check) {
    const stale = programs.filter((program) => {
      const committed = join(built, `${program}.o`);
      return (
        !existsSync(committed) || !readFileSync(committed).equals(readFileSync(join(scratch, `${program}.o`)))
      );
    });
    const orphans = readdirSync(built).filter((name) => !programs.includes(name.replace(/\.o$/, '')));
    for (const program of stale)
      console.error(`bpf/built/${program}.o is not what bpf/${program}.bpf.c gives: run "npm run bpf"`);
    for (const name of orphans) console.error(`bpf/built/${name} has no source`);
    if (stale.length + orphans.length > 0) process.exitCode = 1;
    else
      console.log(
        `bpf/built: ${programs.length} objects are what clang ${CLANG_VERSION} makes of their sources`,
      );
  } else {
    mkdirSync(built, { recursive: true });
    for (const program of programs) {
      const target = join(built, `${program}.o`);
      rmSync(target, { force: true });
      // Through a copy in the same folder, so that a reader never sees half an object.
      execFileSync('cp', [join(scratch, `${program}.o`), `${target}.new`]);
      renameSync(`${target}.new`, target);
    }
    console.log(`bpf/built: ${programs.length} objects written`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
