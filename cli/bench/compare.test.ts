import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runInProcess } from '../test-support/in-process.ts';
import { compareResult } from './compare.ts';
import type { Result } from './measure.ts';
import type { BenchReportJson } from './report-json.ts';
import { otherMachine } from './this-machine.ts';

const rate = (min: number, ratio: number, max: number): Result => ({
  name: 'testrun/c',
  of: 'packets per second',
  runs: 5,
  ratio,
  min,
  max,
});
const time = (min: number, ratio: number, max: number): Result => ({
  ...rate(min, ratio, max),
  of: 'nanoseconds per packet',
});

describe('a figure against an earlier one', () => {
  it('is slower where each round was slower than the slowest before', () => {
    expect(compareResult(rate(0.4, 0.5, 0.59), rate(0.6, 0.8, 1))).toEqual({
      name: 'testrun/c',
      change: 0.5 / 0.8,
      least: 0.4,
      most: 0.59 / 0.6,
      verdict: 'slower',
    });
  });

  it('is the same where the rounds overlap, whatever the medians', () => {
    expect(compareResult(rate(0.4, 0.5, 0.61), rate(0.6, 0.9, 1)).verdict).toBe('same');
    expect(compareResult(rate(0.6, 0.9, 1), rate(0.4, 0.5, 0.6)).verdict).toBe('same');
  });

  it('is better the smaller it is, where it is a time', () => {
    const slower = compareResult(time(2.1, 2.5, 3), time(1, 1.5, 2));
    expect(slower).toMatchObject({ verdict: 'slower', change: expect.closeTo(0.6) });
    expect(slower.most).toBeCloseTo(2 / 2.1);
    expect(slower.least).toBeCloseTo(1 / 3);
    expect(compareResult(time(1, 1.5, 2), time(2.1, 2.5, 3)).verdict).toBe('faster');
  });

  it('is not judged against one of another kind', () => {
    expect(compareResult(rate(1, 2, 3), time(4, 5, 6)).verdict).toBe('not judged');
  });
});

it('takes another processor, number of cores or kernel for another machine, and another Node for the same', () => {
  const here = { processor: 'a', cores: 2, kernel: '6.18', node: '20.20.2' };
  expect(otherMachine(here, { ...here, node: '22.1.0' })).toBeUndefined();
  expect(otherMachine(here, { ...here, kernel: '6.1' })).toBe('the kernel was 6.1, here it is 6.18');
  expect(otherMachine(here, { ...here, cores: 4 })).toBe('the number of cores was 4, here it is 2');
  expect(otherMachine(here, undefined)).toMatch(/does not say/);
});

describe('xdpsim bench --compare', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-bench-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const path = join(scratch, 'base.json');
  const bench = (...args: string[]) => runInProcess('bench', '--only', 'model', '--rounds', '1', ...args);

  /** Writes a report in which the model was so many times as fast. */
  function write(report: BenchReportJson, times: number, more: Partial<BenchReportJson> = {}): void {
    const results = report.results.map((result) => ({
      ...result,
      value: result.value! * times,
      min: result.min * times,
      max: result.max * times,
    }));
    writeFileSync(path, JSON.stringify({ ...report, results, ...more }));
  }

  it('ends with 1 where a figure is slower, 0 where none is, and 4 where the machine is another', async () => {
    const { code, out } = await bench('--json');
    expect(code).toBe(0);
    const report = JSON.parse(out) as BenchReportJson;
    write(report, 1000);
    const slower = await bench('--compare', path);
    expect(slower.code).toBe(1);
    expect(slower.out).toMatch(/^model +0\.00 × +0\.00 … 0\.0\d +slower$/m);
    write(report, 1 / 1000);
    const faster = await bench('--compare', path, '--json');
    expect(faster.code).toBe(0);
    expect(JSON.parse(faster.out)).toMatchObject({ compared: [{ name: 'model', verdict: 'faster' }] });
    write(report, 1000, { machine: { ...report.machine!, processor: 'another' } });
    const elsewhere = await bench('--compare', path);
    expect(elsewhere.code).toBe(4);
    expect(elsewhere.out).toMatch(/^Not judged: the processor was another, here it is /m);
  });

  it.each([
    ['{', /base\.json: .*\n.*xdpsim bench --json > BASE\.json/],
    ['[]', /base\.json: /],
    ['{"version":2,"results":[],"skipped":[]}', /base\.json: version: expected the version 1/],
    ['{"version":1,"results":[{"name":"model"}],"skipped":[]}', /base\.json: results\[0\]\.of: /],
  ])('refuses %s', async (text, message) => {
    writeFileSync(path, text);
    const { code, err } = await bench('--compare', path);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
