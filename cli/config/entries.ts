/** Which entries of the configuration hold for what the command line names. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { programByName } from '../../sim/programs/index.ts';
import { type ObjectName, parseObjectName } from '../input/program-source.ts';
import { type LoadedConfig, programOf } from './load.ts';
import type { ConfigProgram } from './shape.ts';

/** Programs that one entry holds for, or none does. */
export interface WithEntry {
  /** As the command line would name them. */
  readonly names: readonly string[];
  readonly own: ConfigProgram | undefined;
  /** What they were named as: of an object that was taken apart, the object, with the first of its parts. */
  readonly asked: readonly string[];
}

/** The functions of a file that are checked, compiled as an entry says. */
export type FunctionsOf = (path: string, own: ConfigProgram) => readonly string[];

/**
 * An entry holds for a program by its file, whatever path leads there, and by its function where both name one. One that names a
 * function counts more than one of the whole file.
 * @returns several for an object of which single functions have entries
 */
export function withEntries(
  name: string,
  loaded: Pick<LoadedConfig, 'path'>,
  configured: readonly ConfigProgram[],
  functionsOf: FunctionsOf,
): WithEntry[] {
  const all = (own: ConfigProgram | undefined): WithEntry[] => [{ names: [name], own, asked: [name] }];
  if (programByName(name) !== undefined) return all(configured.find(({ object }) => object === name));
  const asked = parseObjectName(name);
  const entries = entriesOf(asked, loaded, configured);
  const ownOf = (wanted: string | undefined): ConfigProgram | undefined =>
    (entries.find((one) => one.function === wanted) ?? entries.find((one) => one.function === undefined))
      ?.own;
  const first = entries.find((one) => one.function !== undefined);
  if (asked.function !== undefined || first === undefined) return all(ownOf(asked.function));
  const functions = functionsOf(asked.path, first.own);
  return functions.length === 1 ? all(ownOf(functions[0])) : apart(name, functions, ownOf);
}

interface Entry {
  readonly function: string | undefined;
  readonly own: ConfigProgram;
}

/** Those of the same file. */
function entriesOf(
  { path }: ObjectName,
  loaded: Pick<LoadedConfig, 'path'>,
  configured: readonly ConfigProgram[],
): Entry[] {
  return configured.flatMap((own) => {
    if (programByName(own.object) !== undefined) return [];
    const named = parseObjectName(programOf(loaded, own.object));
    return realPath(named.path) === realPath(path) ? [{ function: named.function, own }] : [];
  });
}

/** Functions with the same entry stay together. */
function apart(
  path: string,
  functions: readonly string[],
  ownOf: (wanted: string) => ConfigProgram | undefined,
): WithEntry[] {
  const parts = new Map<ConfigProgram | undefined, string[]>();
  for (const one of functions) {
    const own = ownOf(one);
    parts.set(own, [...(parts.get(own) ?? []), `${path}:${one}`]);
  }
  return [...parts].map(([own, names], at) => ({ names, own, asked: at === 0 ? [path] : [] }));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
