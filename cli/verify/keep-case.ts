/** Saves what shows something, wherever it can be saved: what was found is told whatever becomes of its file. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Case, encodeCase, saveCase } from '../../corpus/cases/case.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { systemProblem } from '../../corpus/files/system-error.ts';
import type { Saved } from '../../verify/report.ts';

/**
 * Saves a case in the file that it is meant for, whose folder is made. Where that fails, it goes to a temporary
 * directory, and where that fails, too, into the report as base64: a full disk hides no finding.
 * @param earlier a file that holds a larger case of the same finding
 */
export async function keepCase(path: string, shown: Case, earlier?: string): Promise<Saved> {
  try {
    await makeDirectory(dirname(path));
    await saveCase(path, shown);
    return { file: path };
  } catch (error) {
    return await keepElsewhere(shown, { path, reason: reasonOf(error, path) }, earlier);
  }
}

async function keepElsewhere(
  shown: Case,
  unsaved: NonNullable<Saved['unsaved']>,
  earlier: string | undefined,
): Promise<Saved> {
  try {
    const other = await elsewhere(unsaved.path);
    await saveCase(other, shown);
    return { file: other, unsaved };
  } catch {
    // An earlier, larger case of it may be in its place.
    if (earlier !== undefined) return { file: earlier, unsaved };
  }
  try {
    return { unsaved: { ...unsaved, base64: Buffer.from(encodeCase(shown)).toString('base64') } };
  } catch {
    // A world too large for any file.
    return { unsaved };
  }
}

/** "no space left on the device": without the path, where it is the one that was meant. */
function reasonOf(error: unknown, path: string): string {
  const message = systemProblem(error)?.message ?? (error instanceof Error ? error.message : String(error));
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}

let temporary: string | undefined;

/** The same file each time, below a folder of the same name: the smaller case takes the place of the larger one. */
async function elsewhere(path: string): Promise<string> {
  temporary ??= mkdtempSync(join(tmpdir(), 'xdpsim-unsaved-'));
  const folder = join(temporary, basename(dirname(path)));
  await makeDirectory(folder);
  return join(folder, basename(path));
}
