/** What the kernel did, and where a case is kept, in words. */
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../outcome.ts';
import { keptLines } from './kept.ts';
import { endOfLog, kernelLines } from './kernel-text.ts';

describe('what the kernel did with a program', () => {
  it('is one sentence', () => {
    expect(kernelLines({ did: 'ran', outcome: {} as Outcome })).toEqual([
      'This kernel runs the program to its end.',
    ]);
    expect(kernelLines({ did: 'accepted', why: 'too long' })).toEqual([
      'This kernel accepts the program, but did not run this packet (too long).',
    ]);
    expect(kernelLines({ did: 'not asked', why: 'no root' })).toEqual([
      'The kernel was not asked (no root).',
    ]);
  });

  it('ends with the last twelve lines of the log where it refuses it', () => {
    const refused = { did: 'refused', message: 'EACCES' } as const;
    expect(kernelLines(refused)).toEqual(['This kernel refuses to load the program: EACCES']);
    const log = (count: number): string =>
      `${Array.from({ length: count }, (_, at) => `line ${at}`).join('\n')}\n`;
    const twelve = kernelLines({ ...refused, log: log(12) });
    expect(twelve.length).toBe(13);
    expect(twelve[1]).toBe('  line 0');
    const fifteen = kernelLines({ ...refused, log: log(15) });
    expect(fifteen[1]).toBe('  … 3 lines of its log before these (--json has all)');
    expect(fifteen.slice(2)).toEqual(Array.from({ length: 12 }, (_, at) => `  line ${at + 3}`));
  });
});

it('the end of a log says who has the rest of it, where there is a rest', () => {
  expect(endOfLog('one\ntwo\n\n', '--verbose has all')).toEqual(['one', 'two']);
  const long = endOfLog('line\n'.repeat(1_505), '--verbose has all');
  expect(long.length).toBe(13);
  expect(long[0]).toBe('… 1493 lines of its log before these (--verbose has all)');
});

describe('where a case is kept', () => {
  const unsaved = { path: 'a.pcapng', reason: 'the disk is full' };

  it('is its file, if it has one', () => {
    expect(keptLines({})).toEqual([]);
    expect(keptLines({ file: 'a.pcapng' })).toEqual(['Saved in a.pcapng']);
  });

  it('is another file where it could not be written to its own', () => {
    const why = 'Not saved in a.pcapng: the disk is full';
    expect(keptLines({ file: 'a.pcapng', unsaved })).toEqual([
      why,
      'That file holds a larger case of the same divergence.',
    ]);
    expect(keptLines({ file: '/tmp/b.pcapng', unsaved })).toEqual([
      why,
      'Saved in /tmp/b.pcapng instead: move it before it is cleaned away.',
    ]);
    expect(keptLines({ unsaved })).toEqual([why]);
  });

  it('is the output where there is no file: rows of 76 characters, up to 32 KiB', () => {
    const lines = keptLines({ unsaved: { ...unsaved, base64: 'A'.repeat(80) } });
    expect(lines.slice(2)).toEqual(["base64 -d > case.pcapng <<'END'", 'A'.repeat(76), 'AAAA', 'END']);
    expect(keptLines({ unsaved: { ...unsaved, base64: 'A'.repeat(32_768) } }).at(-1)).toBe('END');
    expect(keptLines({ unsaved: { ...unsaved, base64: 'A'.repeat(32_769) } }).slice(1)).toEqual([
      'Nor in the temporary directory. Its 32769 characters of base64 are in the output of --json.',
    ]);
  });
});
