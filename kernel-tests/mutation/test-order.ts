/** Which test files a mutant is tried with, and in what order. */
import { dirname, join, normalize } from 'node:path';

/** What is closest to the bytes comes first: its tests notice its own mutants, before others take long to do so. */
const FOLDERS: readonly string[] = [
  'sim/packet',
  'sim/runtime',
  'sim/programs',
  'sim/ebpf',
  'sim/engines',
  'sim/network',
  'corpus',
  'verify',
  'cli',
  'kernel',
  'kernel-tests',
];

const rank = (file: string): number => FOLDERS.findIndex((folder) => file.startsWith(`${folder}/`));

/** @param seconds by test file, as far as known: of one folder the quick ones come first */
export function ordered(testFiles: readonly string[], seconds: ReadonlyMap<string, number>): string[] {
  const of = (file: string): number => seconds.get(file) ?? 0;
  return [...testFiles].sort((a, b) => rank(a) - rank(b) || of(a) - of(b) || (a < b ? -1 : 1));
}

/** The folder all of whose modules a test loads by their names (`verify/test-support/tables.ts`). */
export function folderLoadedBy(text: string): string | undefined {
  return /\btablesOf\('(\w+)'\)/.exec(text)?.[1];
}

/** What a file imports of ours, and what that imports. */
export function closureOf(file: string, textOf: (file: string) => string): ReadonlySet<string> {
  const closure = new Set([file]);
  for (const each of closure)
    for (const [, path] of textOf(each).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*\.ts)'/g))
      closure.add(normalize(join(dirname(each), path!)));
  return closure;
}
