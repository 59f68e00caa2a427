/** Where cases go that a command has chosen: one file with all of them, or a directory with a file for each. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, encodeCase, saveCase } from '../../corpus/cases/case.ts';
import { contentKey } from '../../corpus/cases/merge.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { inputFailure } from '../failure.ts';
import { isDirectory, isThere } from '../input/read-file.ts';

export interface CaseTarget {
  readonly save: (cases: readonly Case[]) => Promise<void>;
}

/**
 * @param path a name that ends in `.pcapng` is a file, in which each case is a section; any other is a directory, in which
 *   each case gets a file that is named after its content
 * @throws {Failure} where something else is there
 */
export async function openCaseTarget(path: string): Promise<CaseTarget> {
  if (isDirectory(path)) return { save: (cases) => saveEach(path, cases) };
  if (/\.pcapng$/.test(path)) {
    return { save: (cases) => writeAtomically(path, cases.map(encodeCase)) };
  }
  const ending = /\.[A-Za-z][A-Za-z0-9]{0,6}$/.exec(path)?.[0];
  if (ending !== undefined && !isThere(path)) {
    throw inputFailure(`${path}: cases are written as .pcapng, or to a directory, not as ${ending}`);
  }
  // What is there and cannot be looked at says why itself.
  if (isThere(path) && !statSync(path).isDirectory()) {
    throw inputFailure(`${path}: is not a directory`, 'name a directory, or a file that ends in .pcapng');
  }
  return { save: (cases) => saveEach(path, cases) };
}

async function saveEach(directory: string, cases: readonly Case[]): Promise<void> {
  await makeDirectory(directory);
  for (const one of cases) await saveCase(join(directory, `${contentKey(one)}.pcapng`), one);
}
