/**
 * Where a program lies, seen from the folder of the baseline: what tells programs apart that are called alike, and stays the same
 * where the whole repository moves.
 */
import { realpathSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { sourceFile } from './source-path.ts';

/**
 * The C file that its function begins in, since builds come and go; without one, the object.
 * @returns with slashes; undefined where neither lies below the folder, and of models, which have names of their own
 */
export function homeOf(program: Program, folder: string): string | undefined {
  if (program.definition !== undefined || program.objectPath === undefined) return undefined;
  const head = headOf(program);
  const source = head === undefined ? undefined : sourceFile(head.file, program);
  return below(folder, source) ?? below(folder, program.objectPath);
}

/** The line that the program's function begins at. */
export function headOf({
  object,
  entries,
}: Pick<Program, 'object' | 'entries'>): { readonly file: string; readonly line: number } | undefined {
  if (object === undefined) return undefined;
  try {
    const names = entries.map((entry) => entry.function);
    return linkedObject(object).programs.find((one) => names.includes(one.function))?.lineInfo[0];
  } catch {
    return undefined;
  }
}

/**
 * May two reports mean the same file? They name it from the folder that each ran in, and a file elsewhere as the compiler was told,
 * which differs from machine to machine.
 */
export function mayBeSame(a: string, b: string): boolean {
  if (isAbsolute(a) || isAbsolute(b)) return true;
  const [longer, shorter] = [plain(a), plain(b)].sort((one, other) => other.length - one.length);
  return longer === shorter || longer!.endsWith(`/${shorter}`);
}

/** Without what leads out of the folder. */
function plain(file: string): string {
  return file.replace(/^(\.{1,2}\/)+/, '');
}

function below(folder: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const near = relative(real(folder), real(file));
  return near.startsWith('..') || isAbsolute(near) ? undefined : near.split(sep).join('/');
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
