/**
 * Compiles every program under test, and what the live engine puts around them (bpf/live/): `npm run bpf` writes
 * bpf/built/, `npm run bpf -- --check` proves that what is committed there is what the sources and the pinned
 * compiler give.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLANG_VERSION, compileBpf, compilerProblem, SOURCE_ROOT } from './compile.ts';

const SOURCE_ENDING = '.bpf.c';
/** Where sources lie, relative to bpf/; objects lie in folders of the same names below bpf/built/. */
const FOLDERS = ['', 'live/'];
const built = join(SOURCE_ROOT, 'bpf/built');

function main(): number {
  const problem = compilerProblem();
  if (problem !== undefined) {
    console.error(problem);
    return 3;
  }
  const programs = FOLDERS.flatMap((folder) =>
    readdirSync(join(SOURCE_ROOT, 'bpf', folder))
      .filter((name) => name.endsWith(SOURCE_ENDING))
      .map((name) => folder + name.slice(0, -SOURCE_ENDING.length))
      .sort(),
  );
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-bpf-'));
  try {
    for (const folder of FOLDERS) mkdirSync(join(scratch, folder), { recursive: true });
    for (const program of programs) {
      compileBpf(`bpf/${program}${SOURCE_ENDING}`, join(scratch, `${program}.o`));
    }
    return process.argv.includes('--check')
      ? compareBuilt(programs, scratch)
      : replaceBuilt(programs, scratch);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function compareBuilt(programs: readonly string[], scratch: string): number {
  const complaints: string[] = [];
  for (const program of programs) {
    const committed = join(built, `${program}.o`);
    const fresh = readFileSync(join(scratch, `${program}.o`));
    if (!existsSync(committed) || !readFileSync(committed).equals(fresh)) {
      complaints.push(
        `bpf/built/${program}.o is not what bpf/${program}${SOURCE_ENDING} gives: run "npm run bpf"`,
      );
    }
  }
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(built, folder))) {
      if (FOLDERS.includes(`${folder}${name}/`)) continue;
      const known = programs.includes(folder + name.replace(/\.o$/, ''));
      if (!known) complaints.push(`bpf/built/${folder}${name} has no source`);
    }
  }
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) return 1;
  console.log(`bpf/built: ${programs.length} objects are what clang ${CLANG_VERSION} makes of their sources`);
  return 0;
}

function replaceBuilt(programs: readonly string[], scratch: string): number {
  for (const folder of FOLDERS) mkdirSync(join(built, folder), { recursive: true });
  for (const program of programs) {
    const target = join(built, `${program}.o`);
    // Through a copy in the same folder, so that a reader never sees half an object.
    copyFileSync(join(scratch, `${program}.o`), `${target}.new`);
    renameSync(`${target}.new`, target);
  }
  console.log(`bpf/built: ${programs.length} objects written`);
  return 0;
}

process.exitCode = main();
