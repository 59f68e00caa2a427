/** An object that the user names: read from its file, or compiled where the file is a C source. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileSource, isSource } from '../compile/compile-source.ts';
import { compilerSettings } from '../compile/settings.ts';
import { reportLines } from '../output.ts';
import { readBytes } from './read-file.ts';

/** Sources that this process has compiled: a command looks at an object more than once. */
const compiled = new Map<
  string,
  { readonly object: Uint8Array; readonly files: string; readonly names: string[] }
>();

let showWarnings: (text: string) => void = reportLines;

/** To be called in a process that prints nothing itself: what compilers say about sources that compile goes there. */
export function giveWarningsTo(receiver: (text: string) => void): void {
  showWarnings = receiver;
}

/** @throws {Failure} where it cannot be read, or does not compile */
export function readObject(path: string): Uint8Array {
  if (!isSource(path)) return readBytes(path);
  const key = JSON.stringify([resolve(path), compilerSettings()]);
  const known = compiled.get(key);
  if (known !== undefined && known.files === statesOf(known.names)) return known.object;
  const { object, warnings, includes } = compileSource(path);
  if (warnings.trim() !== '') showWarnings(warnings.trimEnd());
  const names = [path, ...includes];
  compiled.set(key, { object, names, files: statesOf(names) });
  return object;
}

/** Changes when one of the files does. */
function statesOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const status = statSync(file, { throwIfNoEntry: false });
      return status === undefined ? 'gone' : `${status.mtimeMs} ${status.size} ${status.ino}`;
    })
    .join();
}
