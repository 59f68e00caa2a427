/** The files that `check` writes besides its report: for build servers and code scanning. */
import { requireWritable, writeAtomically } from '../../corpus/files/atomic-file.ts';
import { visibleJson } from '../../sim/runtime/visible-text.ts';
import { inputFailure } from '../failure.ts';
import { isDirectory } from '../input/read-file.ts';
import type { JudgedProgram } from './judged.ts';
import { checkToJunit } from './report-junit.ts';
import { toSarif } from './report-sarif.ts';

export interface OutputOptions {
  readonly json?: boolean;
  readonly junit?: string;
  readonly sarif?: string;
  readonly github?: boolean;
}

/** What can be seen to go wrong before the run starts: it may take long. */
export async function requireOutputs({ junit, sarif }: OutputOptions): Promise<void> {
  for (const path of [junit, sarif]) {
    if (path === undefined) continue;
    if (isDirectory(path))
      throw inputFailure(`${path}: expected the name of a file to write, found a directory`);
    await requireWritable(path);
  }
}

export async function writeOutputs(
  judged: readonly JudgedProgram[],
  seed: string,
  interrupted: boolean,
  { junit, sarif }: OutputOptions,
): Promise<void> {
  if (junit !== undefined) await write(junit, checkToJunit(judged, seed));
  if (sarif !== undefined) await write(sarif, `${visibleJson(toSarif(judged, interrupted), 2)}\n`);
}

function write(path: string, text: string): Promise<void> {
  return writeAtomically(path, [new TextEncoder().encode(text)]);
}
