import { expect, it } from 'vitest';
import { overallVerdict, proveReportJson } from './report-json.ts';

const failed = { program: 'b', verdict: 'fail', reason: 'ttl/expired' } as const;
const open = { program: 'a', verdict: 'incomplete', reason: 'too many paths' } as const;

it('says how many programs have the worst verdict, where there are several', () => {
  expect(overallVerdict([open, failed], false).reason).toBe('b: ttl/expired');
  expect(overallVerdict([open, failed, { ...failed, program: 'c' }], false)).toEqual({
    verdict: 'fail',
    reason: '2 of 3 programs: b: ttl/expired',
  });
  expect(overallVerdict([open, open], false).reason).toBe('2 of 2 programs: a: too many paths');
  expect(overallVerdict([failed], true).verdict).toBe('fail');
});

it('says which properties were not to be proved', () => {
  const left = ['ttl/step is switched off (--off)'];
  expect(proveReportJson([], false, left).notChecked).toEqual(left);
  expect(proveReportJson([], false).notChecked).toEqual([]);
});
