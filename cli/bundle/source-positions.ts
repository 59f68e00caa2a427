/** Stack traces of the bundle in terms of the sources. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { packageFile } from '../../kernel/package-file.ts';

const POSITION = /[^\s()]*bundle\.cjs:(\d+):(\d+)/g;

/** `…/dist/bin/bundle.cjs:41353:9` as `verify/run.ts:98:5`; unchanged where the source map is missing. */
export function withSourcePositions(stack: string): string {
  if (!stack.includes('bundle.cjs:')) return stack;
  let map: SourceMap;
  try {
    map = new SourceMap(JSON.parse(readFileSync(packageFile('dist/bin/bundle.cjs.map'), 'utf8')));
  } catch {
    return stack;
  }
  return stack.replaceAll(POSITION, (whole, line: string, column: string) => {
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry)) return whole;
    // Sources are named from the bundle's folder.
    const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
