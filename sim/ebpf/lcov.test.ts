import { describe, expect, it } from 'vitest';
import type { FunctionCoverage } from '../runtime/coverage.ts';
import { lcov } from './lcov.ts';

const main: FunctionCoverage = {
  function: 'main',
  instructions: Float64Array.of(10, 10, Number.NaN, 4, 0, 10),
  unreachable: new Uint8Array(6),
  branches: [
    { instruction: 1, taken: 6, notTaken: 4, takenImpossible: false, notTakenImpossible: false },
    { instruction: 4, taken: 0, notTaken: 0, takenImpossible: false, notTakenImpossible: false },
  ],
  lines: [
    { instruction: 0, file: 'a.c', line: 7 },
    { instruction: 1, file: 'a.c', line: 8 },
    { instruction: 3, file: 'a.h', line: 3 },
    { instruction: 4, file: 'a.c', line: 9 },
    { instruction: 5, file: 'a.c', line: 8 },
  ],
};

describe('lcov', () => {
  it('keeps a record on its line, whatever an object calls its files and functions', () => {
    const hostile = {
      ...main,
      function: 'f\nend_of_record',
      lines: [{ instruction: 0, file: 'a\nSF:b\x1b', line: 1 }],
    };
    const rows = lcov({ functions: [hostile] }).split('\n');
    expect(rows.filter((row) => row.startsWith('SF:'))).toEqual(['SF:a\\nSF:b\\x1b']);
    expect(rows.filter((row) => row === 'end_of_record')).toHaveLength(1);
  });

  it('writes functions, branches and lines of each file in order', () => {
    expect(lcov({ functions: [main] }, { testName: 'run' }).split('\n')).toEqual([
      'TN:run',
      'SF:a.c',
      'FN:7,main',
      'FNDA:10,main',
      'FNF:1',
      'FNH:1',
      'BRDA:8,0,0,6',
      'BRDA:8,0,1,4',
      'BRDA:9,0,0,-',
      'BRDA:9,0,1,-',
      'BRF:4',
      'BRH:2',
      'DA:7,10',
      'DA:8,10',
      'DA:9,0',
      'LF:3',
      'LH:2',
      'end_of_record',
      'TN:run',
      'SF:a.h',
      'FNF:0',
      'FNH:0',
      'BRF:0',
      'BRH:0',
      'DA:3,4',
      'LF:1',
      'LH:1',
      'end_of_record',
      '',
    ]);
  });

  it('adds up a function that is linked into two programs, and lines inlined into two functions', () => {
    const other: FunctionCoverage = { ...main, function: 'other', branches: [] };
    const text = lcov({ functions: [main, main, other] });
    expect(text).toContain('FNDA:20,main');
    expect(text).toContain('FNDA:10,other');
    expect(text).toContain('BRDA:8,0,0,12\nBRDA:8,0,1,8');
    expect(text).toContain('DA:3,12');
  });

  it('names files as it is told to', () => {
    expect(lcov({ functions: [main] }, { path: (file) => `/src/${file}` })).toContain('SF:/src/a.h');
  });

  it('is empty for programs without line info', () => {
    expect(lcov({ functions: [{ ...main, lines: [] }] })).toBe('');
  });
});
