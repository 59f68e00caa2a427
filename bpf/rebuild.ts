/** Built files that are committed: made anew, or held against what their sources give today. */
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
import { dirname, join } from 'node:path';
import { CLANG_VERSION, SOURCE_ROOT } from './compile.ts';

/** One built file and what it is made of; paths are relative to `SOURCE_ROOT`. */
export interface BuiltFile {
  readonly source: string;
  readonly built: string;
  /** Compiles the source to an absolute path. */
  compile(target: string): void;
}

export interface Build {
  /** The folder of everything built: a file in it, or in a folder below, that is in no list is a leftover. */
  readonly folder: string;
  readonly files: readonly BuiltFile[];
  /** The command that writes them. */
  readonly command: string;
}

/**
 * Writes what is built; with `--check` on the command line it compares instead, and says what differs.
 * @param problem what is missing to compile here, if anything
 * @returns the exit code
 */
export function rebuild(build: Build, problem: string | undefined): number {
  if (problem !== undefined) {
    console.error(problem);
    return 3;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-build-'));
  try {
    for (const { built, compile } of build.files) {
      mkdirSync(dirname(join(scratch, built)), { recursive: true });
      compile(join(scratch, built));
    }
    return process.argv.includes('--check') ? compareBuilt(build, scratch) : replaceBuilt(build, scratch);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function compareBuilt({ folder, files, command }: Build, scratch: string): number {
  const complaints: string[] = [];
  for (const { source, built } of files) {
    const committed = join(SOURCE_ROOT, built);
    if (!existsSync(committed) || !readFileSync(committed).equals(readFileSync(join(scratch, built)))) {
      complaints.push(`${built} is not what ${source} gives: run "${command}"`);
    }
  }
  const known = new Set(files.map(({ built }) => built));
  for (const entry of readdirSync(join(SOURCE_ROOT, folder), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(SOURCE_ROOT.length);
    if (entry.isFile() && !known.has(path)) complaints.push(`${path} has no source`);
  }
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) return 1;
  console.log(`${folder}: ${counted(files)} what clang ${CLANG_VERSION} makes of their sources`);
  return 0;
}

function replaceBuilt({ folder, files }: Build, scratch: string): number {
  for (const { built } of files) {
    const target = join(SOURCE_ROOT, built);
    mkdirSync(dirname(target), { recursive: true });
    // Through a copy in the same folder, so that a reader never sees half a file.
    copyFileSync(join(scratch, built), `${target}.new`);
    renameSync(`${target}.new`, target);
  }
  console.log(`${folder}: ${files.length === 1 ? '1 file' : `${files.length} files`} written`);
  return 0;
}

function counted(files: readonly BuiltFile[]): string {
  return files.length === 1 ? 'its one file is' : `all ${files.length} files are`;
}
