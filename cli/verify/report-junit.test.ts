import { expect, it } from 'vitest';
import type { ProgramReport } from '../../verify/report.ts';
import { verdictOf } from '../../verify/verdict.ts';
import { toJunit } from './report-junit.ts';
import type { Tested } from './tested.ts';

const REPORT: ProgramReport = {
  name: 'echo',
  packets: 12,
  savedPackets: 0,
  savedCases: 0,
  compared: 12,
  judged: 12,
  seconds: 1,
  interrupted: false,
  engines: [
    { name: 'model', status: 'ran', packets: 12, seconds: 0.5 },
    { name: 'vm', status: 'ran', packets: 12, seconds: 0.5 },
    { name: 'testrun', status: 'skipped', reason: 'not root', packets: 0, seconds: 0 },
  ],
  notCompared: [],
  divergences: [],
  warnings: [],
  defects: [],
  actions: {},
  coverage: { instructions: [1, 1], branches: [9, 10], lines: [1, 1] },
};
const junit = (more: Partial<ProgramReport>, required: Parameters<typeof verdictOf>[1] = {}): string => {
  const report = { ...REPORT, ...more };
  const one: Tested = {
    program: { name: 'echo', entries: [] },
    report,
    verdict: verdictOf(report, required),
    unreached: [],
  };
  return toJunit([one], 's');
};

it('has a test case for each engine and one for the verdict', () => {
  const xml = junit({});
  expect(xml).toContain('<testsuite name="echo" tests="4" failures="0" errors="0" skipped="1" time="1.000">');
  expect(xml).toContain('<skipped message="not root"/>');
  expect(xml).toContain('name="verdict">\n      <system-out>agreed</system-out>');
});

it('fails where the run is incomplete', () => {
  const xml = junit({}, { engines: ['testrun'] });
  expect(xml).toContain('failures="1" errors="0" skipped="1"');
  expect(xml).toContain(
    '<failure type="incomplete" message="--require testrun: it did not run (not root)"/>',
  );
});

it('skips the verdict where nothing was compared, and is an error where nothing judged', () => {
  expect(junit({ compared: 0 })).toMatch(/name="verdict">\s+<skipped message="nothing was compared/);
  const alone = { compared: 0, judged: 0, engines: [{ ...REPORT.engines[0]!, name: 'testrun' as const }] };
  expect(junit(alone)).toMatch(/name="verdict">\s+<error type="not judged"/);
});

it('shows a defect of xdpsim with the engine that has it, as no failure of the program', () => {
  const summary = 'the machine (vm) refused what this kernel ran: <no>, a defect of xdpsim';
  const xml = junit({ defects: [{ engine: 'vm', summary, packets: 3, seen: { seed: 's', packet: 1 } }] });
  expect(xml).toContain('failures="0" errors="0"');
  expect(xml).toContain(
    'name="vm" time="0.500">\n      <system-out>the machine (vm) refused what this kernel ran: &lt;no&gt;, a defect of xdpsim (packets: 3)</system-out>',
  );
});

it('says how much ran where that is too little for a plain agreement', () => {
  const xml = junit({ coverage: { instructions: [1, 1], branches: [1, 10], lines: [1, 1] } });
  expect(xml).toContain('<system-out>agreed on what ran: 1 of 10 branches were reached</system-out>');
});
