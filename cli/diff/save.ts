/** Saves the examples of what two builds treat differently, as cases that every engine runs. */
import { join, resolve } from 'node:path';
import { changesOf } from '../../verify/diff/describe.ts';
import type { DiffReport } from '../../verify/diff/diff.ts';
import type { Saved } from '../../verify/report.ts';
import { keepCase } from '../verify/keep-case.ts';

/** @returns what became of each class's example; nothing where there is no directory for them */
export async function saveExamples(
  { classes, pair }: DiffReport,
  directory: string | undefined,
): Promise<Saved[]> {
  if (directory === undefined) return [];
  const folder = resolve(directory);
  const saved: Saved[] = [];
  for (const [index, one] of classes.entries()) {
    const [change] = changesOf(pair, one);
    // A map that user space makes has a slash in its name.
    const name = `${pair.old.name}-${index + 1}-${one.finding.field}`.replaceAll(/[^\w.-]+/g, '_');
    const path = join(folder, `${name}.pcapng`);
    const summary = `${change?.what}: ${change?.old} → ${change?.new}`;
    const shown = { ...one.case, note: { field: one.finding.field, summary } };
    saved.push(await keepCase(path, shown));
  }
  return saved;
}
