/** Reports of workers as one, and what `verify --json` prints. */
import { describe, expect, it } from 'vitest';
import type { Finding } from './finding.ts';
import {
  type Defect,
  type Divergence,
  type EngineReport,
  mergeReports,
  type ProgramReport,
  reportToJson,
} from './report.ts';
import { data } from './test-support/packets.ts';
import type { Warning } from './warning.ts';

const engine = (name: EngineReport['name'], more: Partial<EngineReport> = {}): EngineReport => ({
  ...{ name, status: 'ran', packets: 10, seconds: 1 },
  ...more,
});
const report = (more: Partial<ProgramReport> = {}): ProgramReport => ({
  ...{
    name: 'p',
    packets: 10,
    savedPackets: 2,
    savedCases: 1,
    compared: 8,
    judged: 4,
    seconds: 3,
    interrupted: false,
  },
  ...{ engines: [engine('vm')], notCompared: [], divergences: [], warnings: [], defects: [], actions: {} },
  ...more,
});
function divergence(field: string, seen: Divergence['seen'], more: Partial<Divergence> = {}): Divergence {
  const finding: Finding = {
    ...{ engines: ['vm', 'wasm'], part: 'packet', field, packet: 0, expected: undefined, got: undefined },
  };
  return {
    ...{
      program: 'p',
      engines: finding.engines,
      part: finding.part,
      field,
      severity: 'error',
      summary: field,
    },
    ...{ case: { program: 'p', world: {}, stimuli: [{ packet: data(20) }] }, finding, seen, state: 'shrunk' },
    ...more,
  };
}
const at = (packet: number): Divergence['seen'] => ({ seed: 's', packet });

describe('reports of several workers', () => {
  it('are added up, but for the time, which passed for all at once', () => {
    const sum = mergeReports([
      report(),
      report({ packets: 5, savedPackets: 1, savedCases: 4, compared: 3, judged: 2, seconds: 9 }),
    ]);
    expect(sum).toMatchObject({
      name: 'p',
      packets: 15,
      savedPackets: 3,
      savedCases: 5,
      compared: 11,
      judged: 6,
      seconds: 9,
    });
    expect(sum.interrupted).toBe(false);
    expect(mergeReports([report(), report({ interrupted: true })]).interrupted).toBe(true);
    expect(sum).not.toHaveProperty('coverage');
    expect(() => mergeReports([])).toThrow(RangeError);
  });

  it('have an engine that failed for one, then one that was skipped, then one that ran', () => {
    const merged = (...statuses: EngineReport['status'][]): Partial<EngineReport> =>
      mergeReports(
        statuses.map((status, index) => report({ engines: [engine('vm', { status, reason: `${index}` })] })),
      ).engines[0]!;
    expect(merged('ran', 'ran')).toMatchObject({ status: 'ran', reason: '0', packets: 20, seconds: 2 });
    expect(merged('ran', 'skipped', 'failed')).toMatchObject({
      status: 'failed',
      reason: '2',
      packets: 30,
      seconds: 3,
    });
    expect(merged('ran', 'skipped')).toMatchObject({ status: 'skipped', reason: '1' });
  });

  it('find each engine by its name, and what was pinned for any', () => {
    const pins = (...pinned: string[]): EngineReport => engine('testrun', { pinned });
    const { engines } = mergeReports([
      report({ engines: [engine('vm'), pins('b')] }),
      report({ engines: [pins('a', 'b'), engine('vm', { packets: 7 })] }),
    ]);
    expect(engines).toMatchObject([
      { name: 'vm', packets: 17 },
      { name: 'testrun', packets: 20, pinned: ['a', 'b'] },
    ]);
    expect(engines[0]).not.toHaveProperty('pinned');
  });

  it('keep the first of each kind of divergence, files before packets', () => {
    const { divergences } = mergeReports([
      report({ divergences: [divergence('a', at(9)), divergence('b', at(3))] }),
      report({
        divergences: [divergence('a', at(5)), divergence('b', { file: 'x' }), divergence('c', at(0))],
      }),
    ]);
    expect(divergences.map(({ field, seen }) => [field, seen])).toEqual([
      ['b', { file: 'x' }],
      ['c', at(0)],
      ['a', at(5)],
    ]);
  });

  it('add packets of the same warning, defect and action', () => {
    const warning = (summary: string, packets?: number, line = 1): Warning => ({
      ...{ severity: 'warning', kind: 'k', summary, source: { file: 'a.c', line } },
      ...(packets === undefined ? {} : { packets }),
    });
    const defect = (summary: string, packets: number, first: number): Defect => ({
      engine: 'wasm',
      summary,
      packets,
      seen: at(first),
    });
    const sum = mergeReports([
      report({
        warnings: [warning('w', 2), warning('x'), warning('w', 1, 2)],
        defects: [defect('d', 2, 9), defect('e', 1, 8)],
        actions: { XDP_PASS: 3, XDP_DROP: 1 },
      }),
      report({
        warnings: [warning('w', 5), warning('x', 4)],
        defects: [defect('d', 3, 4)],
        actions: { XDP_PASS: 4, XDP_TX: 2 },
      }),
    ]);
    expect(sum.warnings).toEqual([warning('w', 7), warning('x'), warning('w', 1, 2)]);
    expect(sum.defects).toEqual([{ ...defect('d', 5, 4) }, defect('e', 1, 8)]);
    expect(sum.actions).toEqual({ XDP_PASS: 7, XDP_DROP: 1, XDP_TX: 2 });
  });
});

describe('what is printed as JSON', () => {
  it('is plain, without packets, and without what there is nothing of', () => {
    const json = reportToJson(
      report({
        engines: [engine('vm', { failure: { kind: 'internal', message: 'm' } })],
        divergences: [divergence('a', at(1))],
      }),
    );
    expect(json).toEqual({
      ...{ name: 'p', packets: 10, savedCases: 1, compared: 8, judged: 4, seconds: 3 },
      ...{ engines: [engine('vm')], notCompared: [], warnings: [], defects: [], actions: {} },
      divergences: [
        {
          ...{
            engines: ['vm', 'wasm'],
            field: 'a',
            severity: 'error',
            summary: 'a',
            state: 'shrunk',
            packets: 1,
            seen: at(1),
          },
        },
      ],
    });
  });

  it('says what there is of a run', () => {
    const failure = { kind: 'internal', message: 'm' } as const;
    const coverage = { instructions: [1, 2], branches: [3, 4], lines: [5, 6] } as const;
    const further = [{ engines: ['vm', 'wasm'], field: 'z' }] as const;
    expect(reportToJson(report({ interrupted: true, failure, coverage, further }))).toMatchObject({
      interrupted: true,
      failure,
      coverage,
      further,
    });
  });

  it('says what there is of a divergence', () => {
    const source = { file: 'a.c', line: 3, text: 'x++;' };
    const breach = {
      invariant: 'ttl/step',
      severity: 'error',
      summary: '',
      at: 0,
      size: 0,
      expected: '',
      got: '',
      sentence: '',
    } as const;
    const kernel = { did: 'refused' } as unknown as Finding['kernel'] & object;
    const one = divergence('a', at(1));
    const map = { key: 'k' } as unknown as Divergence['map'] & object;
    const more = {
      file: 'f.pcapng',
      unsaved: { path: 'p', reason: 'r' },
      stopped: 'time',
      map,
    } as unknown as Partial<Divergence>;
    const json = (finding: Partial<Finding>, others: Partial<Divergence> = {}): unknown =>
      (
        reportToJson(
          report({ divergences: [{ ...one, ...others, finding: { ...one.finding, ...finding } }] }),
        ).divergences as unknown[]
      )[0];
    expect(json({ source, breach, kernel }, more)).toMatchObject({
      ...{
        source: { file: 'a.c', line: 3 },
        invariant: 'ttl/step',
        kernel,
        file: 'f.pcapng',
        unsaved: { path: 'p', reason: 'r' },
      },
      ...{ stopped: 'time', map },
    });
    const fault = { layer: 'tcp' } as unknown as Finding['fault'] & object;
    expect(json({ part: 'checksum', fault })).toMatchObject({ invariant: 'checksum/unknown' });
    expect(json({ part: 'checksum', fault, packet: 5 })).not.toHaveProperty('invariant');
  });
});
