import { describe, expect, it } from 'vitest';
import type { EngineReport, ProgramReport } from './report.ts';
import { verdictOf } from './verdict.ts';

const engine = (name: EngineReport['name'], more: Partial<EngineReport> = {}): EngineReport => ({
  name,
  status: 'ran',
  packets: 10,
  seconds: 1,
  ...more,
});
const report = (more: Partial<ProgramReport>): ProgramReport => ({
  name: 'p',
  packets: 10,
  savedPackets: 0,
  savedCases: 0,
  compared: 10,
  judged: 0,
  seconds: 1,
  interrupted: false,
  engines: [engine('model'), engine('wasm')],
  notCompared: [],
  divergences: [],
  warnings: [],
  defects: [],
  actions: {},
  coverage: covered(10, 10),
  ...more,
});
const covered = (reached: number, total: number) =>
  ({ instructions: [1, 1], branches: [reached, total], lines: [1, 1] }) as const;
const defect = { engine: 'wasm', summary: 'no', packets: 10, seen: { seed: 's', packet: 0 } } as const;

describe('the verdict', () => {
  it('is agreement on what ran, too, where a branch that was not gone leads to much of the program', () => {
    const coverage = { instructions: [60, 100], branches: [19, 20], lines: [1, 1] } as const;
    expect(verdictOf(report({ coverage }))).toEqual({
      mark: 'agreed on what ran',
      reasons: ['60 of 100 instructions were reached'],
    });
    expect(verdictOf(report({ coverage }), { minCoverage: 60 }).mark).toBe('agreed on what ran');
    expect(verdictOf(report({ coverage }), { minCoverage: 61 })).toEqual({
      mark: 'incomplete',
      reasons: ['--min-coverage 61: 60 % (60 of 100 instructions) were reached'],
    });
  });

  it('is agreement from 80 % of the branches on, and agreement on what ran below', () => {
    expect(verdictOf(report({ coverage: covered(80, 100) })).mark).toBe('agreed');
    expect(verdictOf(report({ coverage: covered(79, 100) }))).toEqual({
      mark: 'agreed on what ran',
      reasons: ['79 of 100 branches were reached'],
    });
    expect(verdictOf(report({ coverage: covered(0, 0) })).mark).toBe('agreed');
  });

  it('is agreement on what ran where a tail call never found a program, whatever else was reached', () => {
    const failed = { function: 'p', because: 'the tail call found no program', programMap: 'stages' };
    expect(verdictOf(report({}), {}, [failed, failed])).toEqual({
      mark: 'agreed on what ran',
      reasons: ['tail calls found no program in map stages'],
    });
    const oneWay = { function: 'p', because: 'the condition went one way only' };
    expect(verdictOf(report({}), {}, [oneWay]).mark).toBe('agreed');
  });

  it('is agreement on what ran where most packets took no part in the comparison, and says how many did', () => {
    const most = { packets: 20_000, compared: 10_000 };
    expect(verdictOf(report(most))).toEqual({ mark: 'agreed', reasons: [] });
    expect(verdictOf(report({ ...most, compared: 9_999 }))).toEqual({
      mark: 'agreed on what ran',
      reasons: ['9,999 of 20,000 packets were compared'],
    });
  });

  it('is agreement on what ran where the run was interrupted', () => {
    expect(verdictOf(report({ interrupted: true }))).toEqual({
      mark: 'agreed on what ran',
      reasons: ['the run was interrupted'],
    });
  });

  it('is agreement on what ran where nobody measured what that is', () => {
    const behindCalls = report({ coverage: { ...covered(10, 10), instructions: [71, 100] } });
    expect(verdictOf(behindCalls, { minCoverage: 70 })).toEqual({ mark: 'agreed', reasons: [] });
    expect(verdictOf(behindCalls, { minCoverage: 80 })).toEqual({
      mark: 'agreed',
      reasons: [
        expect.stringMatching(/^--min-coverage 80: every branch went both ways; 71 % of the instructions/),
      ],
    });
    const { coverage: _coverage, ...unmeasured } = report({});
    expect(verdictOf(unmeasured).mark).toBe('agreed on what ran');
  });

  it('does not say that one engine ran where all outcomes of several were left out', () => {
    const several = { compared: 0, engines: [engine('vm'), engine('testrun')] };
    expect(verdictOf(report(several)).reasons[0]).toContain('every outcome is left out of the comparison');
  });

  it('is incomplete where the time was up before the first packet, and not where no engine could run', () => {
    const engines = [engine('model', { packets: 0 }), engine('wasm', { packets: 0 })];
    const { coverage: _coverage, ...nothing } = report({ packets: 0, compared: 0, engines });
    expect(verdictOf(nothing)).toEqual({
      mark: 'incomplete',
      reasons: ['no packet ran in the time given'],
    });
    expect(verdictOf({ ...nothing, interrupted: true }).reasons).toEqual([
      'no packet ran before the run was interrupted',
    ]);
    const skipped = [engine('testrun', { status: 'skipped', packets: 0 })];
    expect(verdictOf({ ...nothing, engines: skipped }).mark).toBe('not judged');
  });

  it('is no agreement where nothing was compared, and names who judged', () => {
    const alone = { compared: 0, engines: [engine('vm')] };
    expect(verdictOf(report(alone))).toEqual({
      mark: 'not compared',
      reasons: ['nothing was compared (only one engine ran): only the machine’s own checks judged'],
    });
    expect(verdictOf(report({ ...alone, judged: 4 })).reasons[0]).toContain(
      'only the checksum oracle and the machine’s own checks judged',
    );
    expect(verdictOf(report({ compared: 0, engines: [engine('testrun')] })).mark).toBe('not judged');
    const stopped = { compared: 0, engines: [engine('wasm'), engine('testrun')], defects: [defect] };
    expect(verdictOf(report(stopped))).toMatchObject({
      mark: 'not judged',
      reasons: [expect.stringContaining('the machine stopped the program on every packet')],
    });
  });

  it('is agreement on the rest where the machine was wrong about some packets', () => {
    expect(verdictOf(report({ defects: [defect], compared: 6 })).mark).toBe('agreed');
  });

  it('is incomplete where a required engine did not run or coverage is too low, and says which', () => {
    const skipped = engine('testrun', { status: 'skipped', reason: 'not running as root', packets: 0 });
    const without = report({ engines: [engine('model'), engine('wasm'), skipped] });
    expect(verdictOf(without).mark).toBe('agreed');
    expect(verdictOf(without, { engines: ['wasm'] }).mark).toBe('agreed');
    expect(verdictOf(without, { engines: ['testrun', 'veth'] })).toEqual({
      mark: 'incomplete',
      reasons: [
        '--require testrun: it did not run (not running as root)',
        '--require veth: it is not among the engines of this run',
      ],
    });
    const some = report({ coverage: covered(9, 10) });
    expect(verdictOf(some, { minCoverage: 90 }).mark).toBe('agreed');
    expect(verdictOf(some, { minCoverage: 91 })).toEqual({
      mark: 'incomplete',
      reasons: ['--min-coverage 91: 90 % (9 of 10 branches) were reached'],
    });
    const { coverage: _coverage, ...unmeasured } = report({});
    expect(verdictOf(unmeasured, { minCoverage: 1 }).mark).toBe('incomplete');
  });

  it('is a failure before anything else but a finding', () => {
    const failed = report({ engines: [engine('wasm', { status: 'failed' })], compared: 0 });
    expect(verdictOf(failed, { engines: ['wasm'] }).mark).toBe('failed');
    const ended = report({ failure: { kind: 'internal', message: 'out of cheese' } });
    expect(verdictOf(ended).mark).toBe('failed');
  });

  it('is a difference where there is a finding, whatever else there is', () => {
    const divergences = [{}] as unknown as ProgramReport['divergences'];
    const failed = report({ divergences, engines: [engine('wasm', { status: 'failed' })], compared: 0 });
    expect(verdictOf(failed, { minCoverage: 100 })).toEqual({ mark: 'differs', reasons: [] });
  });

  it('needs packets of a required engine', () => {
    const idle = report({ engines: [engine('vm'), engine('wasm', { packets: 0 })] });
    expect(verdictOf(idle, { engines: ['wasm'] }).reasons).toEqual([
      '--require wasm: it did not run (it got no packet)',
    ]);
  });
});
