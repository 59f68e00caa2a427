import { describe, expect, it } from 'vitest';
import { lastHunk } from './last-hunk.ts';

const hunk = (a: string, b: string) => lastHunk([...a], [...b]);

describe('where two sequences part for good', () => {
  it('is nowhere in equal ones', () => {
    expect(hunk('', '')).toBeUndefined();
    expect(hunk('abc', 'abc')).toBeUndefined();
  });

  it('is the first element without a counterpart', () => {
    expect(hunk('abX', 'abYZ')).toEqual({ a: 2, b: 2 });
    expect(hunk('ab', 'abc')).toEqual({ a: 2, b: 2 });
  });

  it('is no detour that was joined again', () => {
    expect(hunk('abcX', 'a12bcY')).toEqual({ a: 3, b: 5 });
    expect(hunk('aPbX', 'aQRbYY')).toEqual({ a: 3, b: 4 });
  });

  it('lies before what both do in the end', () => {
    expect(hunk('abXend', 'abYend')).toEqual({ a: 2, b: 2 });
  });

  it('is found in long sequences, too', () => {
    const long = Array.from({ length: 3000 }, (_, at) => `a${at}`);
    const other = Array.from({ length: 3000 }, (_, at) => `b${at}`);
    expect(lastHunk(['same', ...long], ['same', ...other])).toEqual({ a: 1, b: 1 });
  });
});
