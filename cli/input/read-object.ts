/** An object that the user names: read from its file, or compiled where the file is a C source. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Compiled, CompileFailure, compileSource, isSource } from '../compile/compile-source.ts';
import { compilerSettings } from '../compile/settings.ts';
import { reportLines } from '../output.ts';
import { readBytes } from './read-file.ts';

/** Sources that this process has compiled: a command looks at an object more than once. */
const compiled = new Map<
  string,
  { readonly object: Uint8Array; readonly files: string; readonly names: string[] }
>();

let showWarnings: (text: string) => void = reportLines;

/** For a while in which nothing is to be printed: what compilers say about sources that compile goes there. @returns what ends it */
export function giveWarningsTo(receiver: (text: string) => void): () => void {
  const before = showWarnings;
  showWarnings = receiver;
  return () => {
    showWarnings = before;
  };
}

/** The files that each source was made of when it was compiled last, whether it compiled or not. */
const sources = new Map<string, readonly string[]>();

/** The files that decide what an object is: itself, and what a source includes. */
export function filesOf(path: string): readonly string[] {
  return sources.get(resolve(path)) ?? [path];
}

/** @throws {Failure} where it cannot be read, or does not compile */
export function readObject(path: string): Uint8Array {
  if (!isSource(path)) return readBytes(path);
  const key = JSON.stringify([resolve(path), compilerSettings()]);
  const known = compiled.get(key);
  if (known !== undefined && known.files === statesOf(known.names)) return known.object;
  sources.set(resolve(path), [path]);
  const { object, warnings, includes } = compileAndRemember(path);
  if (warnings.trim() !== '') showWarnings(warnings.trimEnd());
  const names = [path, ...includes];
  compiled.set(key, { object, names, files: statesOf(names) });
  return object;
}

function compileAndRemember(path: string): Compiled {
  try {
    const made = compileSource(path);
    sources.set(resolve(path), [path, ...made.includes]);
    return made;
  } catch (error) {
    if (error instanceof CompileFailure) sources.set(resolve(path), [path, ...error.includes]);
    throw error;
  }
}

/** Changes when one of the files does. */
export function statesOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const status = statSync(file, { throwIfNoEntry: false });
      return status === undefined ? 'gone' : `${status.mtimeMs} ${status.size} ${status.ino}`;
    })
    .join();
}
