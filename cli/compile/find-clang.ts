/** Finds the compiler for sources that are named in the place of an object. */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { environmentFailure } from '../failure.ts';

const REMEDY =
  'Install it (Debian, Ubuntu: apt-get install clang; Fedora: dnf install clang), name it (--clang PATH, or the ' +
  'variable CLANG), or compile the source yourself and name the object.';

/**
 * The compiler to run: the one that is named, else `clang` in PATH, else the newest `clang-N` there.
 * @param named `--clang` or the configuration file; default: the environment's CLANG
 * @returns a name or a path that can be started
 * @throws {Failure} where there is none
 */
export function findClang(named: string | undefined = process.env.CLANG): string {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  if (named !== undefined && named !== '') {
    const candidates = named.includes('/') ? [named] : folders.map((folder) => join(folder, named));
    if (!candidates.some(isExecutable))
      throw environmentFailure(`${named}: there is no such compiler`, REMEDY);
    return named;
  }
  if (folders.some((folder) => isExecutable(join(folder, 'clang')))) return 'clang';
  const newest = folders.flatMap(versionsIn).sort((a, b) => b - a)[0];
  if (newest === undefined)
    throw environmentFailure('clang is not installed: no C source can be compiled', REMEDY);
  return `clang-${newest}`;
}

function versionsIn(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const version = /^clang-(\d+)$/.exec(name)?.[1];
    return version !== undefined && isExecutable(join(folder, name)) ? [Number(version)] : [];
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
