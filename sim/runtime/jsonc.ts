/** JSON with comments (after `//`, or between slashes with asterisks) and trailing commas, as people write it in files of settings. */
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { InputError } from './input-error.ts';
import { lineAndColumn } from './json-problem.ts';
import { pathText, ShapeError } from './shape-error.ts';

/**
 * What a text says. Whole numbers beyond 2^53 become `bigint`, so that no digit is lost; a name that stands twice in an
 * object is refused, since JSON would drop the first in silence.
 * @throws {InputError} with the line and column that are wrong, to follow the name of the file
 */
export function parseJsonc(text: string): unknown {
  if (text.trim() === '') throw new InputError('is empty: expected JSON');
  if (/[\0\ufffd]/.test(text)) throw new InputError('contains bytes that are no text: expected JSON');
  try {
    return plain(treeOf(text), text, []);
  } catch (error) {
    // jsonc-parser goes down one call for each bracket, and so does what reads its tree.
    if (error instanceof RangeError) throw new InputError('is nested too deeply');
    throw error;
  }
}

function treeOf(text: string): Node {
  const errors: ParseError[] = [];
  const tree = parseTree(text.replace(/^\ufeff/, ' '), errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined)
    throw notJson(text, PROBLEMS[printParseErrorCode(first.error)] ?? 'it cannot be read', first.offset);
  if (tree === undefined) throw notJson(text, 'expected a value', 0);
  return tree;
}

/** By the names of jsonc-parser's codes. */
const PROBLEMS: Readonly<Record<string, string>> = {
  InvalidSymbol: 'expected a string, number, true, false, null, list or object',
  InvalidNumberFormat: 'expected a number',
  PropertyNameExpected: 'expected a name in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected a colon',
  CommaExpected: 'expected a comma',
  CloseBraceExpected: 'expected “}”',
  CloseBracketExpected: 'expected “]”',
  EndOfFileExpected: 'expected the end of the file',
  InvalidCommentToken: 'expected a comment that starts with // or /*',
  UnexpectedEndOfComment: 'the comment does not end',
  UnexpectedEndOfString: 'the string does not end',
  UnexpectedEndOfNumber: 'the number does not end',
  InvalidUnicode: 'expected four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'unknown escape after the backslash',
  InvalidCharacter: 'control characters must be escaped',
};

function notJson(text: string, problem: string, offset: number): InputError {
  return new InputError(`is not valid JSON: ${problem} at ${lineAndColumn(text, offset)}`);
}

function plain(node: Node, text: string, path: readonly (string | number)[]): unknown {
  switch (node.type) {
    case 'array':
      return (node.children ?? []).map((one, index) => plain(one, text, [...path, index]));
    case 'object':
      return objectFrom(node, text, path);
    case 'number':
      return numberFrom(node.value as number, text.slice(node.offset, node.offset + node.length));
    default:
      return node.value;
  }
}

function numberFrom(value: number, digits: string): number | bigint {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(digits)
    ? BigInt(digits)
    : value;
}

function objectFrom(node: Node, text: string, path: readonly (string | number)[]): unknown {
  const fields: [string, unknown][] = [];
  const seen = new Set<string>();
  for (const property of node.children ?? []) {
    const [name, value] = property.children ?? [];
    if (name === undefined || value === undefined) continue;
    const key = String(name.value);
    const here = [...path, key];
    if (seen.has(key)) {
      const place = lineAndColumn(text, name.offset);
      throw new ShapeError(pathText(here, ''), `is given a second time, at ${place}`);
    }
    seen.add(key);
    fields.push([key, plain(value, text, here)]);
  }
  // Also names that an assignment would not make: `__proto__`.
  return Object.fromEntries(fields);
}
