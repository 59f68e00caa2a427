/** Saves the examples of what two builds treat differently, as cases that every engine runs. */
import { join, resolve } from 'node:path';
import { saveCase } from '../../corpus/cases/case.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { changesOf } from '../../verify/diff/describe.ts';
import type { DiffReport } from '../../verify/diff/diff.ts';

/** @returns the file of each class's example */
export async function saveExamples(
  { classes, pair }: DiffReport,
  directory: string | undefined,
): Promise<(string | undefined)[]> {
  if (directory === undefined) return [];
  const folder = resolve(directory);
  await makeDirectory(folder);
  const files: string[] = [];
  for (const [index, one] of classes.entries()) {
    const [change] = changesOf(pair, one);
    // A map that user space makes has a slash in its name.
    const name = `${pair.old.name}-${index + 1}-${one.finding.field}`.replaceAll(/[^\w.-]+/g, '_');
    const path = join(folder, `${name}.pcapng`);
    const summary = `${change?.what}: ${change?.old} → ${change?.new}`;
    await saveCase(path, { ...one.case, note: { field: one.finding.field, summary } });
    files.push(path);
  }
  return files;
}
