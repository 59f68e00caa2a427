import { describe, expect, it } from 'vitest';
import { InputError } from './input-error.ts';
import { parseJsonc } from './jsonc.ts';

describe('JSON with comments', () => {
  it('takes comments, commas at the end, and numbers of any length', () => {
    expect(parseJsonc('// a comment\n{ "a": [1, 18446744073709551615,], /* b */ }')).toEqual({
      a: [1, 18_446_744_073_709_551_615n],
    });
  });

  it.each<[text: string, problem: string]>([
    ['', 'is empty: expected JSON'],
    [' \n', 'is empty: expected JSON'],
    ['"a\0"', 'contains bytes that are no text: expected JSON'],
    ['"\ufffd"', 'contains bytes that are no text: expected JSON'],
    ['// nothing', 'is not valid JSON: expected a value at line 1, column 11'],
    [
      'hi',
      'is not valid JSON: expected a string, number, true, false, null, list or object at line 1, column 1',
    ],
    ['{"a":\n  }', 'is not valid JSON: expected a value at line 2, column 3'],
    ['{"a" 1}', 'is not valid JSON: expected a colon at line 1, column 6'],
    ['{"a": 1 "b": 2}', 'is not valid JSON: expected a comma at line 1, column 9'],
    [
      '{a: 1}',
      'is not valid JSON: expected a string, number, true, false, null, list or object at line 1, column 2',
    ],
    ['{1: 1}', 'is not valid JSON: expected a name in double quotes at line 1, column 2'],
    ['{"a": 1', 'is not valid JSON: expected “}” at line 1, column 8'],
    ['[1', 'is not valid JSON: expected “]” at line 1, column 3'],
    ['1 2', 'is not valid JSON: expected the end of the file at line 1, column 3'],
    ['1 /* 2', 'is not valid JSON: the comment does not end at line 1, column 3'],
    ['"a', 'is not valid JSON: the string does not end at line 1, column 1'],
    ['1.', 'is not valid JSON: the number does not end at line 1, column 1'],
    ['"\\u12"', 'is not valid JSON: expected four hexadecimal digits after \\u at line 1, column 1'],
    ['"\\x"', 'is not valid JSON: unknown escape after the backslash at line 1, column 1'],
    ['"a\tb"', 'is not valid JSON: control characters must be escaped at line 1, column 1'],
    ['{"a": 1,\n "a": 2}', 'a: is given a second time, at line 2, column 2'],
    ['[{"b": {"c d": 1, "c d": 2}}]', '[0].b."c d": is given a second time, at line 1, column 19'],
  ])('says what is wrong with %j: %s', (text, problem) => {
    let said: unknown;
    try {
      parseJsonc(text);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      said = (error as Error).message;
    }
    expect(said).toBe(problem);
  });

  it('reads values of every kind as JSON does', () => {
    for (const text of ['null', 'true', '"\\u0041"', '[]', '{}', '-1.5e3', '[[1], {"a": {"b": [null]}}]'])
      expect(parseJsonc(text)).toEqual(JSON.parse(text));
    expect(parseJsonc('\ufeff[1]')).toEqual([1]);
    expect(
      parseJsonc('[9007199254740991, 9007199254740992, -9007199254740992, 1e300, 9007199254740992.0]'),
    ).toEqual([9007199254740991, 9007199254740992n, -9007199254740992n, 1e300, 9007199254740992]);
    expect(Object.keys(parseJsonc('{"__proto__": 1}') as object)).toEqual(['__proto__']);
  });

  // Some depths are too much for the parser, others only for what reads its tree.
  it.each([1_000, 1_500, 2_000, 3_000, 5_000, 100_000])(
    'is refused in a sentence, or read, %i brackets deep',
    (depth) => {
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        const text = `${open.repeat(depth)}1${close.repeat(depth)}`;
        try {
          parseJsonc(text);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).toBe('is nested too deeply');
        }
      }
    },
  );
});
