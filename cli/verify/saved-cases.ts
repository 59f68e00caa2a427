/** Where cases are saved, and which ones are replayed before anything is generated. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { casesFromCapture, type SavedCase } from '../../corpus/cases/case.ts';
import { removeUnfinished } from '../../corpus/files/atomic-file.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Divergence, Saved } from '../../verify/report.ts';
import { heldExamples } from '../../verify/run.ts';
import { corpusFile } from '../corpus/corpus-file.ts';
import { keepCase } from './keep-case.ts';

/**
 * The cases of a program, those that once failed first: saved divergences, a built-in program's corpus, which has its
 * examples, or another program's examples, captures of real traffic, and what the user names beside these.
 */
export async function* casesOf(program: Program, directories: readonly string[]): AsyncGenerator<SavedCase> {
  const folder = folderOf(program);
  const regressions = new Set(
    [...directories, 'corpus/regressions', packageFile('corpus/regressions')].map((one) =>
      resolve(one, folder),
    ),
  );
  for (const directory of regressions) yield* casesIn(directory, program);
  const corpus = corpusOf(program);
  if (corpus === undefined) yield* heldExamples(program);
  else
    for await (const saved of casesFromCapture(corpus, { program: program.name }))
      yield { path: corpus, case: saved };
  yield* casesIn(packageFile('corpus/captures'), program);
}

/** The file of a built-in program's corpus, also where another object takes the place of its own. */
function corpusOf({ definition }: Program): string | undefined {
  if (definition === undefined || programByName(definition.name)?.summary !== definition.summary)
    return undefined;
  const path = corpusFile(definition.name);
  return existsSync(path) ? path : undefined;
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
 * Saves divergences below `directory`, each kind in a file of its own that is overwritten as the case gets smaller, or
 * elsewhere where that fails.
 * @returns what `verify` calls
 */
export function saveBelow(directory: string): (divergence: Divergence) => Promise<Saved> {
  return (divergence) => {
    const path = join(directory, fileNameOf(divergence.program), `${nameOf(divergence)}.pcapng`);
    return keepCase(path, divergence.case, divergence.file);
  };
}

/** Removes what runs that were killed left unfinished in the folder of a program. */
export function tidy(directory: string, program: Program): Promise<void> {
  return removeUnfinished(join(directory, folderOf(program)));
}

function nameOf(divergence: Divergence): string {
  const seen =
    'seed' in divergence.seen
      ? `${divergence.seen.seed}-${divergence.seen.packet}`
      : basename(divergence.seen.file).replace(/\.pcap(ng)?(\.gz)?$/, '');
  const run = divergence.run === undefined ? '' : `-${divergence.run}`;
  return fileNameOf(`${divergence.engines.join('-')}-${divergence.field}-${seen}${run}`);
}

function folderOf(program: Program): string {
  return fileNameOf(program.name);
}

/** What may stand in a file's name on every system. */
function fileNameOf(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(0, 120);
}
