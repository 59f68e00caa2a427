/** Where cases are saved, and which ones are replayed before anything is generated. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { casesFromCapture, type SavedCase, saveCase } from '../corpus/case.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { Divergence } from '../verify/report.ts';
import { exampleCases } from '../verify/run.ts';

/**
 * The cases of a program, those that once failed first: saved divergences, the program's examples, captures of
 * real traffic, and what the user names beside these.
 */
export async function* casesOf(program: Program, directories: readonly string[]): AsyncGenerator<SavedCase> {
  const folder = folderOf(program);
  const regressions = new Set(
    [...directories, 'corpus/regressions', packageFile('corpus/regressions')].map((one) =>
      resolve(one, folder),
    ),
  );
  for (const directory of regressions) yield* casesIn(directory, program);
  yield* exampleCases(program);
  yield* casesIn(packageFile('corpus/captures'), program);
}

async function* casesIn(directory: string, program: Program): AsyncGenerator<SavedCase> {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory).sort()) {
    if (!/\.pcap(ng)?(\.gz)?$/.test(name) || name.startsWith('.')) continue;
    const path = join(directory, name);
    for await (const saved of casesFromCapture(path, { program: program.name })) yield { path, case: saved };
  }
}

/**
 * Saves divergences below `directory`, each kind in a file of its own that is overwritten as the case gets smaller.
 * @returns what `verify` calls
 */
export function saveBelow(directory: string): (divergence: Divergence) => Promise<string> {
  return async (divergence) => {
    const folder = join(directory, fileNameOf(divergence.program));
    await mkdir(folder, { recursive: true });
    const seen =
      'seed' in divergence.seen
        ? `${divergence.seen.seed}-${divergence.seen.packet}`
        : basename(divergence.seen.file);
    const name = fileNameOf(`${divergence.engines.join('-')}-${divergence.field}-${seen}`);
    const path = join(folder, `${name}.pcapng`);
    await saveCase(path, divergence.case);
    return path;
  };
}

function folderOf(program: Program): string {
  return fileNameOf(program.name);
}

/** What may stand in a file's name on every system. */
function fileNameOf(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(0, 120);
}
