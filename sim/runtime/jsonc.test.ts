import { describe, expect, it } from 'vitest';
import { InputError } from './input-error.ts';
import { parseJsonc } from './jsonc.ts';

describe('JSON with comments', () => {
  it('takes comments, commas at the end, and numbers of any length', () => {
    expect(parseJsonc('// a comment\n{ "a": [1, 18446744073709551615,], /* b */ }')).toEqual({
      a: [1, 18_446_744_073_709_551_615n],
    });
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
