import { expect, it } from 'vitest';
import type { JudgedProgram } from './judged.ts';
import { githubLines } from './report-github.ts';

function judged(
  path: string,
  summary: string,
  severity: 'error' | 'warning' | 'info',
  accepted?: string,
): JudgedProgram {
  const finding = { invariant: 'checksum/other', severity, summary, confirmedBy: [] };
  return {
    program: { name: 'prog.o' },
    checked: { verdict: 'fail', reason: 'because' },
    findings: [{ finding, fingerprint: 'f', path, line: 7, ...(accepted === undefined ? {} : { accepted }) }],
  } as unknown as JudgedProgram;
}

it('escapes what would end a workflow command or one of its properties', () => {
  expect(githubLines([judged('a,b:c%.c', '100 %\r\n::error::forged', 'error')])).toEqual([
    '::error file=a%2Cb%3Ac%25.c,line=7,title=xdpsim%3A checksum/other::100 %25%0D%0A::error::forged',
  ]);
});

it('has a command for each severity, and none for what is accepted', () => {
  const of = (...args: Parameters<typeof judged>) => githubLines([judged(...args)])[0]?.split(' ')[0];
  expect(of('a.c', 'x', 'warning')).toBe('::warning');
  expect(of('a.c', 'x', 'info')).toBe('::notice');
  expect(of('a.c', 'x', 'error', 'known')).toBeUndefined();
});

it('tells of a program that is incomplete', () => {
  const one = judged('a.c', 'x', 'error', 'known');
  const incomplete = {
    ...one,
    checked: { ...one.checked, verdict: 'incomplete', reason: '3 of 9 branches' },
  } as JudgedProgram;
  expect(githubLines([incomplete])).toEqual(['::warning title=xdpsim%3A prog.o incomplete::3 of 9 branches']);
});
