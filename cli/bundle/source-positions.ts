/** Stack traces of the bundle in terms of the sources. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { packageFile } from '../../kernel/package-file.ts';

const POSITION = /[^\s()]*?((?:\w+-)?bundle\.cjs):(\d+):(\d+)/g;

/** `…/dist/bin/bundle.cjs:41353:9` as `verify/run.ts:98:5`; unchanged where the source map is missing. */
export function withSourcePositions(stack: string): string {
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replaceAll(POSITION, (whole, file: string, line: string, column: string) => {
    if (!maps.has(file)) maps.set(file, readMap(`dist/bin/${file}.map`));
    const entry = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return whole;
    // Sources are named from the bundle's folder.
    const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function readMap(path: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(packageFile(path), 'utf8')));
  } catch {
    return undefined;
  }
}
