/** Where the C line of a finding lies, as code hosts want it: relative to the folder that the command runs in. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Program } from '../../sim/runtime/program.ts';

/**
 * Objects name files as the compiler was told them: relative to the folder that it ran in, which nobody knows, or from the
 * root of the machine that it ran on.
 * @returns with slashes; outside of the current folder, or where no such file is found, as the object says it
 */
export function sourcePath(file: string, { objectPath }: Pick<Program, 'objectPath'>): string {
  const found = sourceFile(file, { objectPath });
  const here = real('.');
  const near = found === undefined ? undefined : relative(here, real(found));
  const path = near === undefined || near.startsWith('..') || isAbsolute(near) ? file : near;
  return path
    .split(sep)
    .join('/')
    .replace(/^(\.\/)+/, '');
}

/**
 * The file itself, looked for from the object's folder upwards: what lies beside it is nearer to it than what is called alike
 * elsewhere.
 */
export function sourceFile(
  file: string,
  { objectPath }: { readonly objectPath?: string | undefined },
): string | undefined {
  const beside = objectPath === undefined ? [] : foldersAbove(dirname(resolve(objectPath)));
  const candidates = isAbsolute(file)
    ? [file]
    : [...beside.map((folder) => join(folder, file)), resolve(file)];
  return candidates.find((path) => existsSync(path));
}

/** A folder and those above it, as far as the current one. */
function foldersAbove(folder: string): string[] {
  const here = resolve('.');
  const folders = [folder];
  while (folders.at(-1) !== here && folders.at(-1)!.startsWith(here + sep))
    folders.push(dirname(folders.at(-1)!));
  return folders;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
