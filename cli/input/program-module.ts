/** A user's own program: a module that default-exports a `ProgramDefinition`. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { systemProblem } from '../../corpus/files/system-error.ts';
import { packageFile } from '../../kernel/package-file.ts';
import type { ProgramDefinition } from '../../sim/runtime/program.ts';
import { reasonOf, ShapeError } from '../../sim/runtime/shape-error.ts';
import { inputFailure, reportError } from '../failure.ts';
import { compilerProblem, placeOfError } from './error-place.ts';
import { rememberModule } from './module-errors.ts';
import { provideOwnPackage } from './own-package.ts';
import { isThere, readText, requireRegularFile } from './read-file.ts';

const HOW_TO = 'docs/your-own-program.md shows a definition.';

let parentNoticesEnds = false;

/** To be called in a process whose parent notices when a module ends it, and reports that itself. */
export function leaveEndsToParent(): void {
  parentNoticesEnds = true;
}

/** Is the file a module, by its name? */
export function isModule(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path);
}

/**
 * Imports a module and checks what it exports.
 * @throws {Failure} naming the file, and the property that is wrong
 */
export async function definitionOfModule(path: string): Promise<ProgramDefinition> {
  if (!isThere(path)) throw inputFailure(`${path}: no such file`);
  requireRegularFile(path);
  rememberModule(path);
  const exported = await importDefault(path);
  if (exported === undefined)
    throw inputFailure(
      `${path}: has no default export`,
      `End it with “export default definition;”: ${HOW_TO}`,
    );
  const { parseDefinition } = await import('../../sim/runtime/program-schema.ts');
  try {
    return parseDefinition(exported);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const place = error.place === '' ? 'the default export' : error.place;
    throw inputFailure(`${path}: ${place}: ${error.problem}`, HOW_TO);
  }
}

export async function importDefault(path: string): Promise<unknown> {
  const url = pathToFileURL(resolve(path)).href;
  let isIdle = false;
  const idle = (): void => {
    isIdle = true;
  };
  const ended = (code: number): void => {
    const problem = isIdle
      ? inputFailure(
          `${path}: never finishes loading`,
          'A top-level `await` waits for something that never happens.',
        )
      : inputFailure(`${path}: ends the process (exit code ${code})`, 'A module must not call process.exit.');
    process.exitCode = reportError(problem);
  };
  if (!parentNoticesEnds) {
    process.on('beforeExit', idle);
    process.on('exit', ended);
  }
  provideOwnPackage();
  try {
    return await (/ts$/.test(path) ? importTypeScript(url) : defaultOf(await import(url)));
  } catch (error) {
    // Too many open files, no temporary directory: no fault of the module's.
    const problem = systemProblem(error);
    if (problem?.kind === 'environment') throw error;
    // Of what asked for a module, tsx has names of its own, and the file is named already.
    const ofCompiler = problem === undefined ? compilerProblem(error, url) : undefined;
    if (ofCompiler !== undefined) throw inputFailure(`${path}: cannot be imported: ${ofCompiler}`);
    const said = (problem?.message ?? reasonOf(error)).replace(/\s*Require stack:[\s\S]*$/, '');
    const reason = said.replaceAll(/\s*\n\s*/g, ' ');
    const place = problem === undefined ? placeOfError(error, url) : undefined;
    throw inputFailure(
      `${path}: cannot be imported: ${reason}${place === undefined ? '' : ` (${place})`}`,
      lackingRemedy(said),
    );
  } finally {
    process.off('beforeExit', idle);
    process.off('exit', ended);
  }
}

/** Node looks for packages from the module's folder upwards, wherever xdpsim is that runs. */
function lackingRemedy(message: string): string | undefined {
  if (!/^Cannot find (?:module|package) 'xdpsim'/.test(message)) return undefined;
  const own = dirname(packageFile('package.json'));
  const link = `mkdir -p node_modules && ln -s ${own} node_modules/xdpsim`;
  return `xdpsim has to be in node_modules of the module's folder, or of one above: npm install --save-dev xdpsim, or ${link}`;
}

function canWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function defaultOf(module: { readonly default?: unknown }): unknown {
  return module.default;
}

/** Node below 22.18 cannot import TypeScript by itself. */
async function importTypeScript(url: string): Promise<unknown> {
  // It keeps what it has compiled in the folder for temporary files, and cannot do without unless it is told to.
  if (!canWrite(tmpdir())) process.env.TSX_DISABLE_CACHE = '1';
  const { tsImport } = await import('tsx/esm/api');
  const exported = defaultOf((await tsImport(url, import.meta.url)) as { default?: unknown });
  if (exported === null || typeof exported !== 'object') return exported;
  // A module of a CommonJS package arrives wrapped once more: in an object that is there also where it exports nothing.
  if ('default' in exported) return exported.default;
  if ('__esModule' in exported || (Reflect.ownKeys(exported).length === 0 && exportsNothing(url)))
    return undefined;
  return exported;
}

/** Does a module not even name what a default export takes? */
function exportsNothing(url: string): boolean {
  return !/\b(?:default|exports)\b/.test(readText(fileURLToPath(url)));
}
