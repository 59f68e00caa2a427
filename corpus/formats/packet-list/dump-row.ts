/** Rows of hexadecimal dumps: an offset, bytes in groups, then perhaps the same as text, which may look like bytes, too. */

export interface DumpRow {
  readonly offset: number;
  /** As it stands there. */
  readonly digits: string;
  readonly pairs: readonly Pair[];
  readonly line: string;
}

/** Two digits. */
interface Pair {
  readonly value: number;
  /** Blanks before it. */
  readonly gap: number;
  /** The column behind it. */
  readonly end: number;
}

const OFFSET = /^\s*(?:0x)?([0-9a-fA-F]{4,8}):?(?:\s+|$)/;

/** Undefined for what begins with no offset. One without bytes ends a dump of `hexdump` and `od`. */
export function dumpRow(line: string): DumpRow | undefined {
  const match = OFFSET.exec(line);
  if (match === null) return undefined;
  const pairs: Pair[] = [];
  const next = /(\s*)([0-9a-fA-F]{2})/y;
  next.lastIndex = match[0].length;
  for (let found = next.exec(line); found !== null; found = next.exec(line)) {
    pairs.push({ value: Number.parseInt(found[2]!, 16), gap: found[1]!.length, end: next.lastIndex });
  }
  return { offset: Number.parseInt(match[1]!, 16), digits: match[1]!, pairs, line };
}

/** Where one dump's bytes end: what its rows so far have shown. */
export interface DumpLayout {
  /** The column behind the bytes of a row that is full; 0 where none is known. */
  column: number;
}

/**
 * The bytes of a row without its text. The next row's offset says how many there are; in the last row those of text lie further
 * to the right than any in the rows before; and a row all by itself has text behind a gap.
 * @returns undefined where it is no row of a dump
 */
export function bytesOfRow(
  { offset, pairs, line }: DumpRow,
  next: DumpRow | undefined,
  layout: DumpLayout,
): readonly number[] | undefined {
  const stated = next === undefined ? 0 : next.offset - offset;
  let size = stated > 0 && stated <= pairs.length && endsAfter(line, pairs, stated) ? stated : 0;
  if (size > 0) layout.column = Math.max(layout.column, pairs[size - 1]!.end);
  else if (layout.column > 0) size = pairs.filter(({ end }) => end <= layout.column).length;
  else size = beforeGap(pairs);
  if (size === 0 || !endsAfter(line, pairs, size)) return undefined;
  return pairs.slice(0, size).map(({ value }) => value);
}

/** Can bytes end there: with the line, or in front of a gap or a bar? */
function endsAfter(line: string, pairs: readonly Pair[], size: number): boolean {
  return /^(?:\s*$|\s{2}|\s+\|)/.test(line.slice(pairs[size - 1]!.end));
}

/** Many print a wider gap also in the middle, between eight bytes and eight. */
const HALF = 8;

function beforeGap(pairs: readonly Pair[]): number {
  const areSingle = pairs.slice(1, HALF).every(({ gap }) => gap === 1);
  const gap = pairs.findIndex(
    (pair, index) => index > 0 && pair.gap > 1 && !(areSingle && index === HALF && pair.gap === 2),
  );
  return gap < 0 ? pairs.length : gap;
}
