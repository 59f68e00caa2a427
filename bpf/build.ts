/**
 * Compiles every program under test, and what the live engine puts around them (bpf/live/): `npm run bpf` writes
 * bpf/built/, `npm run bpf -- --check` proves that what is committed there is what the sources and the pinned
 * compiler give.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileBpf, compilerProblem, SOURCE_ROOT } from './compile.ts';
import { type BuiltFile, rebuild } from './rebuild.ts';

const SOURCE_ENDING = '.bpf.c';
/** Where sources lie, relative to bpf/; objects lie in folders of the same names below bpf/built/. */
const FOLDERS = ['', 'live/'];

function objectsOf(folder: string): BuiltFile[] {
  return readdirSync(join(SOURCE_ROOT, 'bpf', folder))
    .filter((name) => name.endsWith(SOURCE_ENDING))
    .sort()
    .map((name) => {
      const source = `bpf/${folder}${name}`;
      const built = `bpf/built/${folder}${name.slice(0, -SOURCE_ENDING.length)}.o`;
      return { source, built, compile: (target) => compileBpf(source, target) };
    });
}

process.exitCode = rebuild(
  { folder: 'bpf/built', files: FOLDERS.flatMap(objectsOf), command: 'npm run bpf' },
  compilerProblem(),
);
