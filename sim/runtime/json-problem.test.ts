import { describe, expect, it } from 'vitest';
import { jsonProblem } from './json-problem.ts';

function problemOf(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    return jsonProblem(text, error);
  }
  throw new Error('it is JSON');
}

describe('what is wrong with JSON', () => {
  it.each([
    ['', 'is empty: expected JSON'],
    [' \n', 'is empty: expected JSON'],
    ['\0\x01', 'contains bytes that are no text: expected JSON'],
    ['{"a": ', 'is not valid JSON: unexpected end'],
    ['hello', "is not valid JSON: unexpected token 'h'"],
    ['{"name": 1,\n  "a" 1}', 'is not valid JSON: unexpected number at line 2, column 7'],
    ['[1, 2]x', 'is not valid JSON: unexpected non-whitespace character at line 1, column 7'],
    [
      `[\n"${'a'.repeat(40)}", 1, none, "${'b'.repeat(40)}"]`,
      "is not valid JSON: unexpected token 'o' at line 2, column 49",
    ],
  ])('%j', (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });
});
