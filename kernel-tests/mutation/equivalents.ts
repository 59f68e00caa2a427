/** Reads the list of mutants that no test can notice from docs/testing.md. */
import type { Mutant } from './mutants.ts';

export interface Equivalent {
  readonly file: string;
  /** A part of the line, without its indentation. */
  readonly source: string;
  readonly change: string;
  readonly reason: string;
}

const code = (cell: string): string => cell.trim().replace(/^(`+) ?(.*?) ?\1$/, '$2');

/** Rows of four cells whose first is the name of a source file. Within a cell `\|` is a bar. */
export function equivalentsIn(markdown: string): Equivalent[] {
  const equivalents: Equivalent[] = [];
  for (const line of markdown.split('\n')) {
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => code(cell.replaceAll('\\|', '|')));
    const [file, source, change, reason] = cells;
    if (cells.length === 4 && file!.endsWith('.ts'))
      equivalents.push({ file: file!, source: source!, change: change!, reason: reason! });
  }
  return equivalents;
}

export function isEquivalent(mutant: Mutant, equivalents: readonly Equivalent[]): boolean {
  return equivalents.some(
    ({ file, source, change }) =>
      file === mutant.file && change === mutant.change && mutant.source.includes(source),
  );
}
