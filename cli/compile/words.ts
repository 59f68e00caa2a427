/** Splits a text into words as a shell does: compiler flags, mostly. */
import { inputFailure } from '../failure.ts';

/**
 * Blanks separate words; single and double quotes keep blanks; a backslash keeps the next character, except in single
 * quotes (POSIX shell, 2.2 Quoting). Nothing is expanded.
 * @param what names the text in messages: an option
 * @throws {Failure} for a quote that is not closed
 */
export function splitWords(text: string, what: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\' && quote !== "'" && at + 1 < text.length) word = (word ?? '') + text[++at]!;
    else if (quote !== '' && char === quote) quote = '';
    else if (quote !== '') word = (word ?? '') + char;
    else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') throw inputFailure(`${what}: a quote (${quote}) is not closed: “${text}”`);
  if (word !== undefined) words.push(word);
  return words;
}
