import { describe, expect, it } from 'vitest';
import type { ProgramReport } from '../report.ts';
import type { CheckFinding } from './finding.ts';
import { type Seen, verdictOfCheck } from './verdict.ts';

const REPORT: ProgramReport = {
  name: 'p',
  packets: 40_000,
  savedPackets: 0,
  savedCases: 0,
  compared: 40_000,
  judged: 100,
  seconds: 1,
  interrupted: false,
  engines: [
    { name: 'testrun', status: 'ran', packets: 40_000, seconds: 0.1 },
    { name: 'wasm', status: 'ran', packets: 40_000, seconds: 0.1 },
  ],
  notCompared: [],
  divergences: [],
  warnings: [],
  defects: [],
  actions: {},
  coverage: { instructions: [9, 10], branches: [9, 10], lines: [9, 10] },
};
const SEEN: Seen = {
  report: REPORT,
  findings: [],
  unreached: [],
  sweeps: { words: 3, packets: 196_608, left: 0 },
};

function finding(severity: CheckFinding['severity'], invariant: string): CheckFinding {
  return { invariant, severity, summary: 'p: it is so', confirmedBy: ['wasm'] };
}

const verdict = (change: Partial<Seen>): string => {
  const { verdict: mark, reason } = verdictOfCheck({ ...SEEN, ...change });
  return `${mark}: ${reason}`;
};
const report = (change: Partial<ProgramReport>): Partial<Seen> => ({ report: { ...REPORT, ...change } });

describe('the verdict', () => {
  it('passes with what was seen', () => {
    expect(verdict({})).toBe(
      'pass: nothing found in 40,000 packets, 3 words swept over all values; 9 of 10 branches reached',
    );
  });

  it('is incomplete where no engine ran, or none measured, and says what each lacks', () => {
    const skipped = {
      name: 'wasm',
      status: 'skipped',
      reason: 'the machine lacks f',
      packets: 0,
      seconds: 0,
    } as const;
    const { coverage: _, ...unmeasured } = REPORT;
    const none = { ...unmeasured, engines: [skipped] };
    expect(verdict({ report: none })).toBe(
      'incomplete: no engine could run the program (wasm: the machine lacks f)',
    );
    const kernel = { ...unmeasured, engines: [REPORT.engines[0]!, skipped] };
    expect(verdict({ report: kernel })).toBe(
      'incomplete: no engine measured how much of the program ran (wasm: the machine lacks f)',
    );
  });

  it('passes with warnings and notes, and counts them', () => {
    const findings = [finding('warning', 'counter/lost-update'), finding('info', 'action/aborted')];
    expect(verdict({ findings })).toMatch(
      /^pass: 1 warning, 1 note \(counter\/lost-update\) in 40,000 packets/,
    );
  });

  it('fails with warnings where it is strict, and never with notes', () => {
    const warning = finding('warning', 'counter/lost-update');
    const strict = { strict: true };
    expect(verdict({ ...strict, findings: [warning] })).toBe(
      'fail: 1 warning: counter/lost-update (strict: warnings fail)',
    );
    const both = [finding('error', 'ttl/expired'), warning];
    expect(verdict({ ...strict, findings: both })).toBe(
      'fail: 1 error, 1 warning: ttl/expired, counter/lost-update',
    );
    expect(verdict({ ...strict, findings: [finding('info', 'action/aborted')] })).toMatch(/^pass: 1 note/);
  });

  it('fails with one error, and names it', () => {
    const findings = [finding('error', 'checksum/carry-lost'), finding('warning', 'ttl/step')];
    expect(verdict({ findings })).toBe('fail: 1 error, 1 warning: checksum/carry-lost');
  });

  it('is incomplete where too little was reached, and says what was missing', () => {
    const low = report({ coverage: { instructions: [1, 2], branches: [5, 10], lines: [1, 2] } });
    const unreached = [{ function: 'p', because: 'map m never had it', map: 'm' }];
    expect(verdict({ ...low, unreached })).toBe(
      'incomplete: 5 of 10 branches reached in 40,000 packets, 80 % are asked for (map m never had the entry that was looked up)',
    );
    expect(verdict({ ...low, minCoverage: 50 })).toMatch(/^pass/);
    expect(verdict({ minCoverage: 100 })).toMatch(
      /^incomplete: 9 of 10 branches reached in 40,000 packets, 100 % are asked for/,
    );
  });

  it('is incomplete where an engine failed, a signal came, or a tail call led nowhere', () => {
    const failed = [
      { name: 'testrun', status: 'failed', reason: 'no memory', packets: 0, seconds: 0 },
    ] as const;
    expect(verdict(report({ engines: failed }))).toMatch(/^incomplete: testrun failed: no memory/);
    expect(verdict(report({ interrupted: true }))).toBe('incomplete: the run was interrupted');
    const unreached = [{ function: 'p', because: 'empty', programMap: 'jumps' }];
    expect(verdict({ unreached })).toBe('incomplete: tail calls found no program in map jumps');
    expect(verdict({ sweeps: { words: 1, packets: 65_536, left: 2 } })).toBe(
      'incomplete: 2 rewritten words not swept',
    );
  });

  it('says where no kernel was asked', () => {
    const engines = [
      {
        name: 'testrun',
        status: 'skipped',
        reason: 'not running as root',
        remedy: 'use sudo',
        packets: 0,
        seconds: 0,
      },
      REPORT.engines[1]!,
    ] as const;
    expect(verdictOfCheck({ ...SEEN, ...report({ engines }) })).toMatchObject({
      verdict: 'pass',
      notChecked: ['the kernel was not asked: not running as root (use sudo)'],
    });
  });
});
