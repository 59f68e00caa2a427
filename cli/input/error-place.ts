/** Where in a user's module an error lies, for messages: Node's own says so to those only whom it ends. */
import { spawnSync } from 'node:child_process';
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

/** The innermost frame of the user's. */
function frameIn(stack: string, module: string): Place | undefined {
  const own = dirname(packageFile('package.json'));
  for (const [, file, line, column] of stack.matchAll(
    /^ +at (?:.*\(|async )?(?:file:\/\/)?(\/[^:()]*):(\d+):(\d+)\)?$/gm,
  )) {
    const path = decoded(file!);
    if (path !== module && path.startsWith(`${own}/`)) continue;
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
