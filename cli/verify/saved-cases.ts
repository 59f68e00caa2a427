/** Where cases are saved, and which ones are replayed before anything is generated. */
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { casesFromCapture, encodeCase, type SavedCase, saveCase } from '../../corpus/cases/case.ts';
import { removeUnfinished } from '../../corpus/files/atomic-file.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { systemProblem } from '../../corpus/files/system-error.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Divergence, Saved } from '../../verify/report.ts';
import { heldExamples } from '../../verify/run.ts';
import { corpusFile } from '../corpus/corpus-file.ts';

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
 * Saves divergences below `directory`, each kind in a file of its own that is overwritten as the case gets smaller.
 * What cannot be saved there goes to a temporary directory, and where that fails, too, into the report as base64: a
 * full disk hides no finding.
 * @returns what `verify` calls
 */
export function saveBelow(directory: string): (divergence: Divergence) => Promise<Saved> {
  return async (divergence) => {
    const folder = join(directory, fileNameOf(divergence.program));
    const path = join(folder, `${nameOf(divergence)}.pcapng`);
    try {
      await makeDirectory(folder);
      await saveCase(path, divergence.case);
      return { file: path };
    } catch (error) {
      return await saveElsewhere(divergence, path, error);
    }
  };
}

/** Removes what runs that were killed left unfinished in the folder of a program. */
export function tidy(directory: string, program: Program): Promise<void> {
  return removeUnfinished(join(directory, folderOf(program)));
}

async function saveElsewhere(
  { case: shown, file }: Divergence,
  path: string,
  error: unknown,
): Promise<Saved> {
  const reason = reasonOf(error, path);
  try {
    const other = join(temporaryFolder(), basename(path));
    await saveCase(other, shown);
    return { file: other, unsaved: { path, reason } };
  } catch {
    // An earlier, larger case of it may be in its place.
    if (file !== undefined) return { file, unsaved: { path, reason } };
  }
  try {
    return { unsaved: { path, reason, base64: Buffer.from(encodeCase(shown)).toString('base64') } };
  } catch {
    // A world too large for any file.
    return { unsaved: { path, reason } };
  }
}

/** "no space left on the device": without the path, where it is the one that was meant. */
function reasonOf(error: unknown, path: string): string {
  const message = systemProblem(error)?.message ?? (error instanceof Error ? error.message : String(error));
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}

let temporary: string | undefined;

/** One for the process, made when it is first needed. */
function temporaryFolder(): string {
  temporary ??= mkdtempSync(join(tmpdir(), 'xdpsim-unsaved-'));
  return temporary;
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
