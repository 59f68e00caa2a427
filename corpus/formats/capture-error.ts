import { InputError } from '../../sim/runtime/input-error.ts';

/** Why a capture or a case file cannot be read, as data: where, what should stand there, what does. */
export class CaptureError extends InputError {
  /** Byte offset in the file (of a compressed one: in what it unpacks to). */
  readonly offset: number;
  /** What should have been there: "a block of 108 bytes". */
  readonly expected: string;
  /** What was there instead: "the end of the file after 40 bytes". */
  readonly found: string;
  /** The file's name, once somebody who knows it has filled it in. */
  readonly file: string | undefined;
  readonly #problem: string;

  /** @param problem the sentence, where "expected …, found …" would be none */
  constructor(
    offset: number,
    expected: string,
    found: string,
    file?: string,
    problem: string = `expected ${expected}, found ${found}`,
  ) {
    super(`${file === undefined ? '' : `${file}: `}at byte ${offset}: ${problem}`);
    this.name = 'CaptureError';
    this.offset = offset;
    this.expected = expected;
    this.found = found;
    this.file = file;
    this.#problem = problem;
  }

  /** The same fault with the file's name in front: codecs do not know where their bytes come from. */
  inFile(file: string): CaptureError {
    return new CaptureError(this.offset, this.expected, this.found, file, this.#problem);
  }
}
