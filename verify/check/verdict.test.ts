import { describe, expect, it } from 'vitest';
import type { ProgramReport } from '../report.ts';
import type { CheckFinding } from './finding.ts';
import { hasReached, type Seen, verdictOfCheck } from './verdict.ts';

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

  it('is incomplete where no frame was judged, whatever else was seen', () => {
    expect(verdict({ unjudged: ['nobody knows where headers begin'] })).toBe(
      'incomplete: nobody knows where headers begin',
    );
  });

  it('is incomplete where the time was too short for packets, and not where few were asked for', () => {
    const few = report({ packets: 3 });
    expect(verdict({ ...few, runSeconds: 12 })).toBe('incomplete: only 3 packets ran in 12 s');
    expect(verdict(few)).toMatch(/^pass: nothing found in 3 packets/);
    expect(verdict({ runSeconds: 12 })).toMatch(/^pass/);
  });

  it('is incomplete where a guess shows what may be an error, and names the slot', () => {
    const slots = { jumps: [{ key: Uint8Array.of(6, 0, 0, 0), name: 'v4', guessed: true }] };
    const divergence = { isByGuess: true, severity: 'error', case: { world: { slots } } };
    const note = { ...finding('info', 'checksum/udp'), divergence } as unknown as CheckFinding;
    expect(verdict({ findings: [note, note] })).toBe(
      'incomplete: with v4 in slot 6 of jumps, where the test put it, something is wrong: say what belongs there (--world)',
    );
    const harmless = { ...note, divergence: { ...divergence, severity: 'info' } } as unknown as CheckFinding;
    expect(verdict({ findings: [harmless] })).toMatch(/^pass: /);
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

  it('says what the machine could not do, as the reason where branches are missing', () => {
    const gaps = ['the machine ran 9 packets no further than here'];
    const few = report({ coverage: { instructions: [9, 10], branches: [4, 10], lines: [9, 10] } });
    expect(verdict({ ...few, gaps })).toBe(
      'incomplete: 4 of 10 branches reached in 40,000 packets, 80 % are asked for (the machine ran 9 packets no further than here)',
    );
    expect(verdictOfCheck({ ...SEEN, gaps })).toMatchObject({ verdict: 'pass', notChecked: gaps });
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
    const unreached = [{ function: 'p', because: 'map m never had the entry that was looked up', map: 'm' }];
    expect(verdict({ ...low, unreached })).toBe(
      'incomplete: 5 of 10 branches reached in 40,000 packets, 80 % are asked for (map m never had the entry that was looked up)',
    );
    expect(verdict({ ...low, minCoverage: 50 })).toMatch(/^pass/);
    expect(verdict({ minCoverage: 100 })).toMatch(
      /^incomplete: 9 of 10 branches reached in 40,000 packets, 100 % are asked for/,
    );
  });

  it('names the place behind which most is left, and the maps unless there is less behind them', () => {
    const low = report({ coverage: { instructions: [1, 2], branches: [5, 10], lines: [1, 2] } });
    const at = (line: number, behind?: number) => ({
      ...{ function: 'p', file: 'a/p.c', line, because: `reason ${line}` },
      ...(behind === undefined ? {} : { behind }),
    });
    const why = (...unreached: Seen['unreached']): string =>
      /\((.*)\)$/.exec(verdict({ ...low, unreached }))![1]!;
    expect(why(at(1, 2), at(2, 9), at(3))).toBe('reason 2 at p.c:2');
    expect(why(at(1), at(2))).toBe('reason 1 at p.c:1');
    const map = { ...at(4, 5), map: 'm' };
    expect(why(at(1, 5), map)).toBe('reason 4');
    expect(why(at(1, 6), map)).toBe('reason 1 at p.c:1; reason 4');
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
    expect(verdict({ sweeps: { words: 1, packets: 70_000, left: 2, wanted: 196_608 } })).toBe(
      'incomplete: 2 rewritten words not swept to the end, for lack of time: 70,000 of 196,608 packets',
    );
    // Where each word took many of its values, spread over all, the line says how many.
    const thin = { words: 0, packets: 12_000, left: 3, wanted: 196_608, least: 4000 / 65_536 };
    expect(verdict({ sweeps: thin })).toMatch(/^incomplete: 3 rewritten words not swept to the end/);
    expect(verdict({ sweeps: { ...thin, packets: 100_000, least: 0.4 } })).toMatch(
      /^pass: nothing found in [\d,]+ packets, 3 words swept over 50 % of their values, for lack of time; /,
    );
    expect(verdict({ sweeps: { ...thin, packets: 100_000, least: 0 } })).toMatch(/^incomplete: /);
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

const reaching = (hit: number, total: number): Partial<ProgramReport> => ({
  coverage: { instructions: [1, 1], branches: [hit, total], lines: [1, 1] },
});

describe('what was reached', () => {
  it.each([
    [7, 10, 80, false],
    [8, 10, 80, true],
    [799, 1000, 80, false],
    [0, 1, 0, true],
    [0, 0, 100, true],
    [10, 10, 101, false],
  ])('%d of %d branches against %d %%: %s', (hit, total, percent, isEnough) => {
    const one = { ...REPORT, ...reaching(hit, total) };
    expect(hasReached(one, percent)).toBe(isEnough);
    expect(verdict({ report: one, minCoverage: percent })).toMatch(isEnough ? /^pass: / : /^incomplete: /);
  });

  it('is not missing where nobody measured it', () => {
    const { coverage: _, ...unmeasured } = REPORT;
    expect(hasReached(unmeasured, 80)).toBe(true);
  });

  it('is enough from 80 % on where nothing else is said', () => {
    expect(verdict(report(reaching(80, 100)))).toMatch(/^pass/);
    expect(verdict(report(reaching(79, 100)))).toMatch(/^incomplete/);
  });

  it('is said with its number: none, one, thousands', () => {
    expect(verdict(report(reaching(0, 0)))).toMatch(/; the program has no branches$/);
    expect(verdict(report(reaching(1, 1)))).toMatch(/; 1 of 1 branch reached$/);
    expect(verdict(report(reaching(1900, 2000)))).toMatch(/; 1900 of 2,000 branches reached$/);
    expect(verdict(report({ ...reaching(0, 2), packets: 1 }))).toBe(
      'incomplete: 0 of 2 branches reached in 1 packet, 80 % are asked for',
    );
  });

  it('names what stands behind branches: maps by name, else the first place', () => {
    const of = (unreached: Seen['unreached']): string =>
      /\((.*)\)$/.exec(verdict({ ...report(reaching(0, 2)), unreached }))?.[1] ?? '';
    const map = (name: string): Seen['unreached'][number] => ({
      ...{ function: 'p', map: name },
      because: `map ${name} never had the entry that was looked up`,
    });
    const at = { function: 'p', because: 'no such port', file: '/src/own/p.c', line: 7 };
    expect(of([map('b'), map('a'), map('b'), at])).toBe(
      'map a never had the entry that was looked up; map b never had the entry that was looked up',
    );
    const later = { function: 'p', because: 'no other port' };
    const jumps = { function: 'p', because: 'empty', programMap: 'jumps' };
    expect(of([at, later])).toBe('no such port at p.c:7');
    expect(of([later, at])).toBe('no other port');
    expect(verdict({ unreached: [jumps, jumps, at] })).toBe(
      'incomplete: tail calls found no program in map jumps',
    );
    expect(verdict({ ...report(reaching(0, 2)), unreached: [jumps, at] })).toBe(
      'incomplete: 0 of 2 branches reached in 40,000 packets, 80 % are asked for (no such port at p.c:7); tail calls found no program in map jumps',
    );
  });
});

describe('what is counted', () => {
  const sweeps = (words: number, left: number): Partial<Seen> => ({ sweeps: { words, packets: 0, left } });

  it('is one or several', () => {
    expect(verdict(sweeps(0, 0))).toBe('pass: nothing found in 40,000 packets; 9 of 10 branches reached');
    expect(verdict(sweeps(1, 0))).toMatch(/ 1 word swept over all values;/);
    expect(verdict(sweeps(0, 1))).toBe('incomplete: 1 rewritten word not swept');
    const notes = [finding('info', 'a/a'), finding('info', 'a/b')];
    expect(verdict({ findings: notes })).toMatch(/^pass: 2 notes in /);
    const errors = [finding('error', 'a/a'), finding('error', 'a/b'), finding('error', 'a/a')];
    expect(verdict({ findings: errors })).toBe('fail: 3 errors: a/a, a/b');
    const warnings = [finding('warning', 'a/a'), finding('warning', 'a/b'), finding('warning', 'a/a')];
    expect(verdict({ findings: warnings })).toMatch(/^pass: 3 warnings \(a\/a, a\/b\) in /);
    const both = [finding('error', 'a/a'), finding('warning', 'a/a')];
    expect(verdict({ findings: both, strict: true })).toBe('fail: 1 error, 1 warning: a/a');
  });

  it('says which words are more than are swept', () => {
    const MORE = 'beyond the first 160 not swept: fewer are met where functions are checked one by one';
    const beyond = (left: number) => ({ sweeps: { words: 160, packets: 0, left, beyond: 3 } });
    expect(verdict(beyond(3))).toBe(`incomplete: 3 rewritten words ${MORE}`);
    expect(verdict(beyond(5))).toBe(`incomplete: 3 rewritten words ${MORE}; 2 rewritten words not swept`);
  });

  it('includes what else the same lines break', () => {
    const one = { ...finding('error', 'a/a'), also: [finding('error', 'a/b'), finding('warning', 'a/c')] };
    expect(verdict({ findings: [one, one] })).toBe('fail: 2 errors (and 4 more on the same lines): a/a');
  });
});

describe('a run', () => {
  it('is incomplete for each thing that went wrong, in order', () => {
    const failure = { message: 'no room' } as NonNullable<ProgramReport['failure']>;
    const defects = [{ summary: 'the oracle contradicts itself' }] as unknown as ProgramReport['defects'];
    const engines = [
      { name: 'wasm', status: 'failed', reason: 'no memory', packets: 0, seconds: 0 },
    ] as const;
    const lost = { ...report({ failure, defects, engines, interrupted: true }), ...{ unreached: [] } };
    expect(verdict(lost)).toBe(
      'incomplete: wasm failed: no memory; the run failed: no room; the oracle contradicts itself; the run was interrupted; no engine could run the program',
    );
  });

  it('says what several engines lack, and nothing of those that gave no reason', () => {
    const skipped = { status: 'skipped', packets: 0, seconds: 0 } as const;
    const engines = [
      { ...skipped, name: 'testrun', reason: 'not root' },
      { ...skipped, name: 'vm' },
      { ...skipped, name: 'wasm', reason: 'no helper' },
    ] as const;
    expect(verdict(report({ engines }))).toBe(
      'incomplete: no engine could run the program (testrun: not root; wasm: no helper)',
    );
  });

  it('asks the kernel where it can: what else was skipped is none of it', () => {
    const notChecked = (engines: ProgramReport['engines']): readonly string[] =>
      verdictOfCheck({ ...SEEN, ...report({ engines }) }).notChecked;
    const skipped = { status: 'skipped', reason: 'r', packets: 0, seconds: 0 } as const;
    expect(notChecked([{ ...skipped, name: 'testrun' }, REPORT.engines[1]!])).toEqual([
      'the kernel was not asked: r',
    ]);
    expect(notChecked([REPORT.engines[0]!, { ...skipped, name: 'wasm' }])).toEqual([]);
    expect(notChecked(REPORT.engines)).toEqual([]);
  });
});
