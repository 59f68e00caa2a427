import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visibleJson, visibleLine, visibleLines } from './visible-text.ts';

/** Everything that a terminal acts on, hides or reorders. */
const HOSTILE: readonly (readonly [string, string])[] = [
  ['\x1b]0;owned\x07', '\\x1b]0;owned\\x07'],
  ['\x1b[2J', '\\x1b[2J'],
  ['\x9b2J', '\\x9b2J'],
  ['a\rb', 'a\\rb'],
  ['a\nb', 'a\\nb'],
  ['\x7f\0', '\\x7f\\x00'],
  ['\u202egpj.o', '\\u202egpj.o'],
  ['\u2066x\u2069', '\\u2066x\\u2069'],
  ['a\u2028b', 'a\\u2028b'],
  ['\ud800x', '\\ud800x'],
  ['\u{e0041}', '\\u{e0041}'],
];
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

describe('text from outside', () => {
  it.each(HOSTILE)('shows %j as %s', (text, shown) => {
    expect(visibleLine(text)).toBe(shown);
  });

  it('leaves what people write as it is', () => {
    for (const text of ['größe', '日本語', 'a\tb', 'émoji 🦀', 'C:\\path'])
      expect(visibleLine(text)).toBe(text);
  });

  it('keeps newlines in a block, and nothing else', () => {
    expect(visibleLines('a\r\nb\n\tc\x1bd\re')).toBe('a\nb\n\tc\\x1bd\\re');
  });

  it('leaves nothing hidden in any string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visibleLine(text).replaceAll('\t', '')).not.toMatch(unsafe);
        expect(visibleLines(text).replaceAll(/[\t\n]/g, '')).not.toMatch(unsafe);
      }),
    );
  });

  it('writes JSON that says the same, with nothing hidden in it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (value) => {
        const text = visibleJson(value, 2);
        expect(text.replaceAll('\n', '')).not.toMatch(unsafe);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
