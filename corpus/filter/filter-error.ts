/** What is wrong with a filter expression, and where. */

export class FilterError extends SyntaxError {
  /** Columns of the expression, from 1 on: the first, and the one behind the last. */
  readonly column: number;
  readonly end: number;
  /** Two lines: the expression, and a mark below what is wrong. */
  readonly excerpt: string;

  /** @param at where in the text it is, from 0 on */
  constructor(problem: string, text: string, at: number, length: number) {
    const size = Math.max(1, Math.min(length, text.length - at));
    const mark = `${' '.repeat(at)}^${'~'.repeat(size - 1)}`;
    super(`filter, column ${at + 1}: ${problem}`);
    this.name = 'FilterError';
    this.excerpt = `  ${text}\n  ${mark}`;
    this.column = at + 1;
    this.end = at + 1 + size;
  }
}
