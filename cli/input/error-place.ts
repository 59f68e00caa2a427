/** Where in a user's module an error lies, for messages: Node's own says so to those only whom it ends. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../../kernel/package-file.ts';

/** How long Node may take to say where a syntax error is. */
const PATIENCE_MS = 10_000;

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/**
 * @param url of the module that could not be imported
 * @returns "line 3, column 7", with the file where that is another; undefined where nobody knows
 */
export function placeOfError(error: unknown, url: string): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined;
  const place =
    shownIn(error.stack) ?? frameIn(error.stack, fileURLToPath(url)) ?? placeOfSyntaxError(error, url);
  return place === undefined ? undefined : placeText(place, fileURLToPath(url));
}

/** What the compiler for TypeScript says of a source that is none: one line for each error, and its own name for the file. */
const COMPILER_ERROR = /^Transform failed with (\d+) errors?:\n(\/.*?):(\d+):(\d+): (?:ERROR|error): (.*)/;

/**
 * The first error of a module that is no TypeScript, as those of modules in JavaScript are told.
 * @param url of the module that could not be imported
 * @returns "Expected identifier but found "," (line 5, column 13)"; undefined where the compiler had nothing against it
 */
export function compilerProblem(error: unknown, url: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const [, count, file, line, column, text] = COMPILER_ERROR.exec(error.message) ?? [];
  if (file === undefined) return undefined;
  const module = fileURLToPath(url);
  // It counts columns from 0.
  const place = { file: sourceOf(file, module), line: Number(line), column: Number(column) + 1 };
  const more = Number(count) === 1 ? '' : `, and ${Number(count) - 1} more`;
  return `${text} (${placeText(place, module)}${more})`;
}

/** The compiler is given `.cts` and `.mts` as `.ts`. */
function sourceOf(file: string, module: string): string {
  const stem = file.replace(/\.ts$/, '');
  const names = [`${stem}.cts`, `${stem}.mts`];
  if (names.includes(module)) return module;
  return existsSync(file) ? file : (names.find((name) => existsSync(name)) ?? file);
}

function placeText({ file, line, column }: Place, module: string): string {
  if (file !== module) return `${file}:${line}${column === undefined ? '' : `:${column}`}`;
  return `line ${line}${column === undefined ? '' : `, column ${column}`}`;
}

/** The file and line that stand above an error with its source text. */
function shownIn(text: string): Place | undefined {
  const [, file, line, marks] = /^(?:file:\/\/)?(\/.*):(\d+)\n.*\n( *)\^/.exec(text) ?? [];
  if (file === undefined) return undefined;
  return { file: decoded(file), line: Number(line), column: marks!.length + 1 };
}

/**
 * Is the file xdpsim's bundle? What V8 compiled when the bundle was built names it by the folder that it was built in,
 * wherever it is installed.
 */
function isOfBundle(path: string): boolean {
  return /\/dist\/bin\/(?:\w+-)?bundle\.cjs$/.test(path);
}

/** The innermost frame of the user's. */
function frameIn(stack: string, module: string): Place | undefined {
  const own = dirname(packageFile('package.json'));
  for (const [, file, line, column] of stack.matchAll(
    /^ +at (?:.*\(|async )?(?:file:\/\/)?(\/[^:()]*):(\d+):(\d+)\)?$/gm,
  )) {
    const path = decoded(file!);
    if (path !== module && (path.startsWith(`${own}/`) || isOfBundle(path))) continue;
    return { file: path, line: Number(line), column: Number(column) };
  }
  return undefined;
}

/**
 * Of a module that is no JavaScript, Node keeps the place to itself, unless it ends by it. A process of its own may: with an
 * error of syntax in what is imported, nothing of the user's has run, and nothing will.
 */
function placeOfSyntaxError(error: Error, url: string): Place | undefined {
  if (error.name !== 'SyntaxError') return undefined;
  const { stderr } = spawnSync(process.execPath, [fileURLToPath(url)], {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return stderr?.includes(`SyntaxError: ${error.message}`) === true ? shownIn(stderr) : undefined;
}

function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
