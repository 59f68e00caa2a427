/** The account of a run: packets, actions, and what was not compared. */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import { EngineSide } from './engine-side.ts';
import { RunStatistics } from './statistics.ts';
import { COUNTS, type FakeOptions, type FakeOutcome, fakeEngine } from './test-support/engines.ts';

const PROGRAM: Program = {
  name: 'two',
  entries: [
    { function: 'in', hook: 'xdp' },
    { function: 'out', hook: 'tc-egress' },
  ],
};

/** One packet for each outcome, at the entry that it names. */
async function reported(
  name: 'vm' | 'wasm',
  outcomes: readonly (FakeOutcome & { readonly entry?: number })[],
  options: FakeOptions = {},
): Promise<{ input: PacketBatch; report: BatchReport }> {
  const input = new PacketBatch(outcomes.length);
  for (const [number, { entry = 0 }] of outcomes.entries())
    input.push({ packet: new Uint8Array(60).fill(number), entry });
  const engine = fakeEngine(name, ({ packet }) => outcomes[packet[0]!]!, options);
  const side = new EngineSide(engine, PROGRAM, outcomes.length);
  expect(await side.run({}, input)).toBe(true);
  return { input, report: side as unknown as BatchReport };
}

describe('actions', () => {
  it('are counted by name, in their order, those of packets that ran', async () => {
    const statistics = new RunStatistics(PROGRAM);
    const { input, report } = await reported('vm', [
      ...[{ action: 2 }, { action: 2 }, { action: 1 }, { action: 2 }],
      ...[{ action: 1, violation: 'stopped' }, { action: 0 }],
      ...[
        { action: 2, entry: 1 },
        { action: 2, entry: 1 },
        { action: 0, entry: 1 },
      ],
    ]);
    statistics.addReports(input, [report], false);
    expect(Object.entries(statistics.actions())).toEqual([
      ['XDP_ABORTED', 1],
      ['XDP_DROP', 1],
      ['XDP_PASS', 3],
      ['TC_ACT_OK', 1],
      ['TC_ACT_SHOT', 2],
    ]);
    statistics.addReports(input, [report], true);
    expect(statistics.actions().XDP_PASS).toBe(3);
    statistics.addReports(input, [report], false);
    expect(statistics.actions()).toMatchObject({ XDP_PASS: 6, TC_ACT_SHOT: 4 });
  });

  it('are none before anything ran', () => {
    const statistics = new RunStatistics(PROGRAM);
    statistics.addReports(new PacketBatch(1), [], false);
    expect(statistics.actions()).toEqual({});
    expect(statistics.notCompared()).toEqual([]);
  });
});

describe('packets', () => {
  it('are counted, those of saved cases apart, too', () => {
    const statistics = new RunStatistics(PROGRAM);
    const input = new PacketBatch(2);
    input.push({ packet: new Uint8Array(60) });
    input.push({ packet: new Uint8Array(60) });
    statistics.enterCase(input, false);
    statistics.enterCase(input, true);
    statistics.enterCase(input, true);
    const { packets, savedPackets, savedCases } = statistics;
    expect({ packets, savedPackets, savedCases }).toEqual({ packets: 6, savedPackets: 4, savedCases: 2 });
  });
});

describe('what was not compared', () => {
  it('is what one of two engines cannot see, once for each pair', async () => {
    const one = [{ action: 2 }];
    const { input, report } = await reported('vm', one);
    const blind = await reported('wasm', one, { observes: { redirect: false } });
    const statistics = new RunStatistics(PROGRAM);
    statistics.addReports(input, [report, blind.report], false);
    const once = statistics.notCompared();
    expect(once.map(({ engine }) => engine)).toEqual(['wasm']);
    expect(once[0]?.what).toContain('redirect');
    statistics.addReports(input, [report, blind.report], false);
    expect(statistics.notCompared()).toEqual(once);
    const both = new RunStatistics(PROGRAM);
    both.addReports(input, [report, (await reported('wasm', one)).report], false);
    expect(both.notCompared()).toEqual([]);
  });

  it('is a map that one of two engines does not have', async () => {
    const one = [{ action: 2 }];
    const { input, report } = await reported('vm', one);
    const other = (await reported('wasm', one)).report;
    const more = snapshotOf({ ...COUNTS, name: 'more' }, []);
    const gaps = (a: BatchReport['maps'], b: BatchReport['maps']): string[] => {
      const statistics = new RunStatistics(PROGRAM);
      statistics.addReports(input, [withMaps(report, a), withMaps(other, b)], false);
      return statistics.notCompared().map(({ what, engine }) => `${what} (${engine})`);
    };
    const withMaps = (of: BatchReport, maps: BatchReport['maps']): BatchReport =>
      ({ engine: of.engine, output: of.output, maps }) as BatchReport;
    const counts = snapshotOf(COUNTS, []);
    expect(gaps([counts, more], [counts])).toEqual(['map more (wasm)']);
    expect(gaps([counts], [more, counts])).toEqual(['map more (vm)']);
    expect(gaps([counts, more], [counts, more])).toEqual([]);
    expect(gaps([counts, more], undefined)).toEqual([]);
  });

  it('is what engines refused, and what else was left, added up', () => {
    const statistics = new RunStatistics(PROGRAM);
    const engine = fakeEngine('wasm', () => ({ action: 2 }));
    statistics.refused(engine, new Map([['short frames', 3]]));
    statistics.leave([{ what: 'short frames', engine: 'wasm', packets: 4 }]);
    expect(statistics.notCompared()).toEqual([{ what: 'short frames', engine: 'wasm', packets: 7 }]);
  });
});
