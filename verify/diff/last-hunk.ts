/** Where two sequences part for the last time: what comes before was left and joined again, and decided nothing. */

export interface Hunk {
  /** Indices of the first elements that have no counterpart; a side's length where it has none. */
  readonly a: number;
  readonly b: number;
}

/** Beyond this many pairs only the first difference is looked for. */
const MAX_PAIRS = 1_000_000;

/** @returns undefined where the sequences are equal */
export function lastHunk(a: readonly string[], b: readonly string[]): Hunk | undefined {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  if (start === a.length && start === b.length) return undefined;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const rows = endA - start;
  const columns = endB - start;
  if (rows === 0 || columns === 0 || rows * columns > MAX_PAIRS) return { a: start, b: start };
  // Longest common subsequence of what is between, from its end; walked from its start, the last match is found.
  const width = columns + 1;
  const length = new Uint32Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const at = row * width + column;
      length[at] =
        a[start + row] === b[start + column]
          ? length[at + width + 1]! + 1
          : Math.max(length[at + width]!, length[at + 1]!);
    }
  }
  let row = 0;
  let column = 0;
  let last: Hunk = { a: start, b: start };
  while (row < rows && column < columns) {
    if (a[start + row] === b[start + column]) {
      row++;
      column++;
      // What is left after a match is a hunk of its own, unless nothing is.
      if (row < rows || column < columns) last = { a: start + row, b: start + column };
    } else if (length[(row + 1) * width + column]! >= length[row * width + column + 1]!) row++;
    else column++;
  }
  return last;
}
