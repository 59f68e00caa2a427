import { describe, expect, it } from 'vitest';
import type { ProgramReport } from '../verify/report.ts';
import { closingLines, programLine } from './report-text.ts';
import { createTerminal } from './terminal.ts';

const terminal = createTerminal({ color: false });

const REPORT: ProgramReport = {
  name: 'echo',
  packets: 1200,
  savedPackets: 0,
  savedCases: 0,
  compared: 1200,
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

describe('a program’s line', () => {
  it('shows what share of instructions, branches and lines ran, where it is known, rounded down', () => {
    const coverage = { instructions: [287, 287], branches: [61, 62], lines: [3, 4] } as const;
    expect(programLine({ ...REPORT, coverage }, 6, terminal)).toBe(
      '✓ agreed  echo        1,200 packets   100/98/75 %     XDP_PASS 100 %  XDP_TX <1 %',
    );
    expect(programLine(REPORT, 6, terminal)).toBe(
      '✓ agreed  echo        1,200 packets                   XDP_PASS 100 %  XDP_TX <1 %',
    );
  });

  it('has no share of branches where there are none', () => {
    const coverage = { instructions: [2, 2], branches: [0, 0], lines: [1, 1] } as const;
    expect(programLine({ ...REPORT, coverage }, 4, terminal)).toContain(' 100/–/100 % ');
  });
});

describe('the closing lines', () => {
  it('explain the percentages where there are any', () => {
    const coverage = { instructions: [2, 2], branches: [0, 0], lines: [1, 1] } as const;
    const text = (report: ProgramReport): string => closingLines([report], 's', 1, terminal).join('\n');
    expect(text({ ...REPORT, coverage })).toContain('instructions/branches/lines');
    expect(text(REPORT)).not.toContain('instructions/branches/lines');
  });
});
