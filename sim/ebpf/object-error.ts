/** The malformed or unusable object file: one clear line, and its parts. */
export class ObjectError extends Error {
  /** The place: section and byte offset in it, or the name of what it is about. */
  readonly where: string;
  readonly expected: string;
  readonly found: string;

  constructor(where: string, expected: string, found: string) {
    super(printable(`${where}: expected ${expected}, found ${found}`));
    this.name = 'ObjectError';
    this.where = where;
    this.expected = expected;
    this.found = found;
  }
}

/** One line without control characters: names in a malformed file may hold anything. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
