import { describe, expect, it } from 'vitest';
import { splitWords } from './words.ts';

describe('splitting flags into words, as a shell does', () => {
  it.each([
    ['', []],
    ['  -O1\t-DX=1\n', ['-O1', '-DX=1']],
    ['-I "two words" -DX=\'a b\'c', ['-I', 'two words', '-DX=a bc']],
    ['a\\ b "c\\"d" \'e\\f\'', ['a b', 'c"d', 'e\\f']],
    ['"" x', ['', 'x']],
  ])('%s', (text, words) => {
    expect(splitWords(text, '--cflags')).toEqual(words);
  });

  it('refuses a quote that is not closed', () => {
    expect(() => splitWords('-DX="a b', '--cflags')).toThrow(/--cflags: a quote \("\) is not closed/);
  });
});
