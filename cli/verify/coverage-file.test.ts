import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { verify } from '../../verify/run.ts';
import { createEngine } from '../engines.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { coverageFile } from './coverage-file.ts';

it('has one test for each program, and names the sources by where they lie', async () => {
  const programs = await resolvePrograms(['xdp_pass', 'icmp_filter']);
  const reports = [];
  for (const program of programs) {
    reports.push(await verify({ program, engines: [createEngine('vm')], seed: 's', runs: 500 }));
  }
  const lines = coverageFile(programs, reports).split('\n');
  const named = (prefix: string): string[] => [...new Set(lines.filter((line) => line.startsWith(prefix)))];
  expect(named('TN:')).toEqual(['TN:xdp_pass', 'TN:icmp_filter']);
  expect(named('SF:')).toEqual(
    expect.arrayContaining([
      `SF:${packageFile('bpf/xdp_pass.bpf.c')}`,
      `SF:${packageFile('bpf/icmp_filter.bpf.c')}`,
      `SF:${packageFile('bpf/include/parsing.h')}`,
    ]),
  );
  expect(lines).toContain('FNDA:500,xdp_pass');
});

it('is empty where no engine counts', () => {
  expect(coverageFile([], [])).toBe('');
});
