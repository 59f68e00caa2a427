/** The files that a command writes besides what it prints: for build servers, code scanning and coverage. */
import { requireWritable, writeAtomically } from '../corpus/files/atomic-file.ts';
import { inputFailure, reportError } from './failure.ts';
import { isDirectory } from './input/read-file.ts';

/** Undefined: it is not asked for. */
export type ReportFile = readonly [path: string | undefined, text: () => string];

/**
 * What can be seen to go wrong before the run starts: it may take hours.
 * @throws {Failure} where a path is that of a directory
 */
export async function requireReportFiles(paths: readonly (string | undefined)[]): Promise<void> {
  for (const path of paths) {
    if (path === undefined) continue;
    if (isDirectory(path))
      throw inputFailure(`${path}: expected the name of a file to write, found a directory`);
    await requireWritable(path);
  }
}

/**
 * Writes each that can be written. One that cannot does not make a finding undone.
 * @param isFound whether the exit code says that something was found: it stays then, and the problem is reported
 * @throws what kept the first one from being written, otherwise
 */
export async function writeReportFiles(files: readonly ReportFile[], isFound: boolean): Promise<void> {
  const problems: unknown[] = [];
  for (const [path, text] of files) {
    if (path === undefined) continue;
    try {
      await writeAtomically(path, [new TextEncoder().encode(text())]);
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length === 0) return;
  const others = isFound ? problems : problems.slice(1);
  for (const problem of others) reportError(problem);
  if (!isFound) throw problems[0];
}
