/** The files that `check` writes besides its report: for build servers and code scanning. */
import { visibleJson } from '../../sim/runtime/visible-text.ts';
import { type ReportFile, requireReportFiles, writeReportFiles } from '../report-files.ts';
import type { JudgedProgram } from './judged.ts';
import { checkToJunit } from './report-junit.ts';
import { toSarif } from './report-sarif.ts';

export interface OutputOptions {
  readonly json?: boolean;
  readonly junit?: string;
  readonly sarif?: string;
  readonly github?: boolean;
}

/** What can be seen to go wrong before the run starts. */
export function requireOutputs({ junit, sarif }: OutputOptions): Promise<void> {
  return requireReportFiles([junit, sarif]);
}

/** @param isFound whether the exit code says so, whatever becomes of the files */
export function writeOutputs(
  judged: readonly JudgedProgram[],
  seed: string,
  { interrupted, isFound }: { readonly interrupted: boolean; readonly isFound: boolean },
  { junit, sarif }: OutputOptions,
): Promise<void> {
  const files: ReportFile[] = [
    [junit, () => checkToJunit(judged, seed)],
    [sarif, () => `${visibleJson(toSarif(judged, interrupted), 2)}\n`],
  ];
  return writeReportFiles(files, isFound);
}
