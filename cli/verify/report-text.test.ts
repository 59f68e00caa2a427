import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { ProgramReport } from '../../verify/report.ts';
import type { Unreached } from '../../verify/unreached.ts';
import { verdictOf } from '../../verify/verdict.ts';
import { createTerminal } from '../terminal.ts';
import { closingLines } from './report-closing.ts';
import { detailLines, programLine } from './report-text.ts';
import { type Tested, tested } from './tested.ts';

const terminal = createTerminal({ color: false });

const REPORT: ProgramReport = {
  name: 'echo',
  packets: 1200,
  savedPackets: 0,
  savedCases: 0,
  compared: 1200,
  judged: 0,
  seconds: 1,
  interrupted: false,
  engines: [
    { name: 'model', status: 'ran', packets: 1200, seconds: 0.5 },
    { name: 'vm', status: 'ran', packets: 1200, seconds: 0.5 },
  ],
  notCompared: [],
  divergences: [],
  warnings: [],
  defects: [],
  actions: { XDP_PASS: 1195, XDP_TX: 5 },
};

const ALL = { instructions: [287, 287], branches: [62, 62], lines: [4, 4] } as const;
const HALF = { instructions: [100, 287], branches: [31, 62], lines: [2, 4] } as const;
const PLACE: Unreached = {
  function: 'f',
  file: 'a.c',
  line: 7,
  text: 'if (!rule)',
  because: 'map rules never had the entry that was looked up',
  map: 'rules',
};

const made = (more: Partial<ProgramReport> = {}, unreached: readonly Unreached[] = []): Tested => {
  const report = { ...REPORT, coverage: ALL, ...more };
  return { program: { name: 'echo', entries: [] }, report, verdict: verdictOf(report), unreached };
};
const details = (one: Tested, verbose = false): string => detailLines(one, verbose, terminal).join('\n');
const closing = (all: readonly Tested[], verbose = false): string =>
  closingLines(all, { seed: 's', seconds: 1, verbose }, terminal).join('\n');

describe('of another object than the model’s', () => {
  const built = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  const of = (name: string): Tested => {
    const objectPath = `${name}.o`;
    const program = {
      name,
      entries: [],
      definition: programByName('proto_count')!,
      object: built(name),
      objectPath,
    };
    return tested(program, { ...REPORT, coverage: ALL }, {});
  };

  it('a map of another kind leaves the program agreed on what ran', () => {
    const { verdict } = of('proto_count_hash');
    expect(verdict.mark).toBe('agreed on what ran');
    expect(verdict.reasons.at(-1)).toMatch(
      /^map “rxcnt” is HASH .* in proto_count_hash\.o, and PERCPU_ARRAY /,
    );
    expect(of('proto_count').verdict).toEqual({ mark: 'agreed', reasons: [] });
  });
});

describe('a program’s line', () => {
  it('shows what share of instructions, branches and lines ran, where it is known, rounded down', () => {
    const coverage = { instructions: [287, 287], branches: [61, 62], lines: [3, 4] } as const;
    expect(programLine(made({ coverage }), 6, terminal)).toBe(
      '✓ agreed             echo        1,200 packets   100/98/75 %     XDP_PASS 100 %  XDP_TX <1 %',
    );
  });

  it('has no share of branches where there are none', () => {
    const coverage = { instructions: [2, 2], branches: [0, 0], lines: [1, 1] } as const;
    expect(programLine(made({ coverage }), 4, terminal)).toContain(' 100/–/100 % ');
  });

  it('has no tick where less than 80 % of the branches ran, or nothing was compared', () => {
    expect(programLine(made({ coverage: HALF }), 4, terminal)).toMatch(/^◐ agreed on what ran echo/);
    expect(programLine(made({ compared: 0, judged: 5 }), 4, terminal)).toMatch(/^– not compared/);
    expect(programLine(made({ compared: 0, judged: 0, engines: [] }), 4, terminal)).toMatch(/^– not judged/);
  });
});

describe('below a program’s line', () => {
  it('stands nothing where all agreed', () => {
    expect(details(made({}, [PLACE]))).toBe('');
  });

  it('stand the places that packets did not reach, a few of them, and what would lead there', () => {
    const places = Array.from({ length: 6 }, (_, index): Unreached => ({ ...PLACE, line: 7 + index }));
    const text = details(made({ coverage: HALF }, places));
    expect(text).toContain('100 of 287 instructions were reached.');
    expect(text).toContain('a.c:7  if (!rule): map rules never had the entry that was looked up');
    expect(text).toContain('a.c:10 ');
    expect(text).not.toContain('a.c:11 ');
    expect(text).toContain('… and 2 more (--verbose)');
    expect(text).toContain('--world FILE fills rules');
    expect(details(made({ coverage: HALF }, places), true)).toContain('a.c:12 ');
  });

  it('stand defects and warnings, each with its packets', () => {
    const summary = 'the machine (vm) refused what this kernel ran: no, a defect of xdpsim';
    const text = details(
      made({
        defects: [{ engine: 'vm', summary, packets: 2, seen: { seed: 's', packet: 1 } }],
        warnings: [
          { severity: 'warning', kind: 'k', summary: 'odd', source: { file: 'a.c', line: 3 }, packets: 1 },
        ],
      }),
    );
    expect(text).toContain(`${summary} (2 packets)`);
    expect(text).toContain('warning: a.c:3: odd (1 packet)');
  });
});

describe('the closing lines', () => {
  it('explain the percentages where there are any', () => {
    const { coverage: _coverage, ...report } = made().report;
    expect(closing([made()])).toContain('Coverage: instructions/branches/lines');
    expect(closing([{ ...made(), report }])).not.toContain('Coverage');
  });

  it('sum up what was not compared in one line, and list it when asked to', () => {
    const one = made({
      notCompared: [
        { what: 'redirect target', engine: 'testrun' },
        { what: 'metadata', engine: 'veth' },
        { what: 'short frames', engine: 'testrun', packets: 40 },
      ],
    });
    expect(closing([one]).match(/Not compared/g)).toHaveLength(1);
    expect(closing([one])).toContain(
      'Not compared: redirect target (testrun) and 1 more; parts of 40 packets for 1 reason (--verbose lists them)',
    );
    const all = closing([one, one], true);
    expect(all).toContain('Not compared: metadata (veth)');
    expect(all).toContain('Not compared: 80 packets: short frames (testrun)');
  });

  it('say that no kernel ran the programs, where none did, and what is not checked then', () => {
    const line = 'No kernel ran the programs; vm does not check all that its verifier does';
    expect(closing([made()])).toContain(line);
    expect(closing([made()], true)).toContain('Not checked by vm: anything on paths that no packet took');
    const engines = [...REPORT.engines, { ...REPORT.engines[0]!, name: 'testrun' as const }];
    expect(closing([made({ engines })])).not.toContain('No kernel');
    expect(closing([made({ engines })], true)).not.toContain('Not checked');
  });

  it('claim no agreement for a run that was interrupted', () => {
    const part = made({ interrupted: true });
    expect(closing([part])).toMatch(/Interrupted: .*\n.*: no difference until then\.$/);
    const between = closingLines(
      [made()],
      { seed: 's', seconds: 1, verbose: false, interrupted: true },
      terminal,
    );
    expect(between.join('\n')).toMatch(/Interrupted: .*\n.*: no difference until then\.$/);
  });

  it('end in the result', () => {
    expect(closing([made()])).toMatch(/: all agreed\.$/);
    expect(closing([made({ coverage: HALF })])).toMatch(/: agreed on what ran\.$/);
    expect(closing([made(), made({ coverage: HALF })])).toMatch(/1 of 2 only on what ran \(◐\)\.$/);
    expect(closing([made({ compared: 0, judged: 1 })])).toMatch(/had nothing to be compared with\.$/);
  });
});
