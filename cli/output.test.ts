import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { paint, printJson, printLine, printLines, reportLine, shownLength } from './output.ts';

/** Who may write to the standard streams without `output.ts`, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'cli/output.ts': 'it is the place',
  'cli/standard-streams.ts': 'is what that writes through',
  'cli/main.ts': 'says what it can where nothing can be loaded',
  'corpus/formats/capture-writer.ts': 'writes captures, which are bytes, to a pipe',
  'cli/test-support/built-command.ts': 'builds the command for tests, and is no part of it',
  'cli/test-support/in-process.ts': 'catches for tests what the command prints',
  'kernel/process/cleanup.ts': 'stands below cli/, and makes its one line visible itself',
  'kernel/captures/make.ts': 'a tool of the checkout that prints its own names',
  'kernel/captures/recipes.ts': 'holds the source of a script for another process',
};
/** `isTTY` and `columns` may be asked for anywhere. */
const PRINTS =
  /\bconsole\.|process\.std(out|err)\.(write|on|once)\b|process\.std(out|err)\b(?!\.)|\bfs\.writeSync\(1|writeSync\([12],|process\[name\]/;

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(packageFile(folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) yield path;
  }
}

describe('output', () => {
  afterEach(() => vi.restoreAllMocks());

  function captured(print: () => void): string {
    let text = '';
    const take = (piece: unknown): boolean => {
      text += String(piece);
      return true;
    };
    vi.spyOn(process.stdout, 'write').mockImplementation(take);
    vi.spyOn(process.stderr, 'write').mockImplementation(take);
    print();
    return text;
  }

  it('is printed through one module only', () => {
    const around = ['sim', 'corpus', 'verify', 'kernel', 'cli']
      .flatMap((folder) => [...sources(folder)])
      .filter((path) => EXCEPTIONS[path] === undefined)
      .filter((path) => PRINTS.test(readFileSync(packageFile(path), 'utf8')));
    expect(around).toEqual([]);
  });

  it('has no exception that is not needed', () => {
    for (const path of Object.keys(EXCEPTIONS)) {
      expect(readFileSync(packageFile(path), 'utf8'), path).toMatch(PRINTS);
    }
  });

  it('shows control characters of outside text, in lines, blocks, JSON and on both streams', () => {
    const hostile = 'a\x1b]0;x\x07\x9b\u202e';
    const shown = 'a\\x1b]0;x\\x07\\x9b\\u202e\n';
    expect(captured(() => printLine(hostile))).toBe(shown);
    expect(captured(() => printLines(hostile))).toBe(shown);
    expect(captured(() => reportLine(hostile))).toBe(shown);
    const json = captured(() => printJson([hostile]));
    expect(json).toBe('["a\\u001b]0;x\\u0007\\u009b\\u202e"]\n');
    expect(JSON.parse(json)).toEqual([hostile]);
  });

  it('keeps the colours that the command itself chose, and no others', () => {
    const line = paint('red', 'x\x1b[31m');
    expect(captured(() => printLine(line))).toBe('\x1b[31mx\\x1b[31m\x1b[39m\n');
    expect(shownLength(paint('bold', 'four'))).toBe(4);
  });
});
