import { visibleLine } from '../runtime/visible-text.ts';

/** The malformed or unusable object file: one clear line, and its parts. */
export class ObjectError extends Error {
  /** The place: section and byte offset in it, or the name of what it is about. */
  readonly where: string;
  readonly expected: string;
  readonly found: string;

  constructor(where: string, expected: string, found: string) {
    super(visibleLine(`${where}: expected ${expected}, found ${found}`));
    this.name = 'ObjectError';
    this.where = where;
    this.expected = expected;
    this.found = found;
  }
}
