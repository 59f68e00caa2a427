/** The runs of a check: what they have in common, and all of them as one. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Coverage } from '../../sim/engines/engine.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { XDP_DROP, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { FAKE_PROGRAM, type FakeOptions, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import type { CheckOptions, CheckProgress } from './check-options.ts';
import { CheckRuns, type Part } from './check-runs.ts';
import { ListSource } from './list-source.ts';
import { TimeBudget } from './time-budget.ts';
import { variantsOf } from './variants.ts';

const machine = fakeEngine('wasm', () => ({ action: XDP_PASS }));

function runsOf(more: Partial<CheckOptions> = {}): CheckRuns {
  const program: Program = more.program ?? FAKE_PROGRAM;
  const options = {
    ...{ program, machine, witness: fakeEngine('vm', () => ({ action: XDP_PASS })), seed: 's' },
    ...more,
  };
  return new CheckRuns(options, () => true);
}
const part = (count: number, options: FakeOptions = {}, action: number = XDP_PASS): Part => ({
  ...{ engines: [fakeEngine('wasm', () => ({ action }), options)], runs: count },
  source: new ListSource(Array.from({ length: count }, () => ({ packet: data(60) }))),
});
const covering = (...hits: number[]): { coverage: Coverage } => ({
  coverage: {
    functions: [
      {
        function: 'f',
        instructions: Float64Array.from(hits),
        unreachable: new Uint8Array(hits.length),
        branches: [],
        lines: [],
      },
    ],
  },
});

describe('the runs of a check', () => {
  it('are kept in order, and the last one can be taken back', async () => {
    const runs = runsOf();
    expect(runs.reports).toEqual([]);
    const first = await runs.run(part(5), 'packets');
    const second = await runs.run(part(3), 'sweeps');
    expect(runs.reports).toEqual([first, second]);
    runs.dropLast();
    expect(runs.reports).toEqual([first]);
  });

  it('are one report: packets of the first, and what was judged in all', async () => {
    const runs = runsOf();
    await runs.run(part(5), 'packets');
    await runs.run(part(3, {}, XDP_DROP), 'sweeps');
    const sum = runs.summary(undefined);
    expect(sum).toMatchObject({ name: 'fake', packets: 5, judged: 5, actions: { XDP_PASS: 5, XDP_DROP: 3 } });
    expect(sum.engines.map(({ name, status, packets }) => [name, status, packets])).toEqual([
      ['wasm', 'ran', 5],
    ]);
    expect(sum).not.toHaveProperty('coverage');
  });

  it('take engines as the first run had them: later ones may do without', async () => {
    const runs = runsOf();
    await runs.run(
      { ...part(2), engines: [machine, fakeEngine('testrun', () => ({ action: XDP_PASS }))] },
      'packets',
    );
    await runs.run(part(2), 'variants');
    expect(runs.summary(undefined).engines.map(({ name, packets }) => [name, packets])).toEqual([
      ['testrun', 2],
      ['wasm', 2],
    ]);
  });

  it('vary a packet that meets what wears off alone, too, and others in a row', async () => {
    const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
    const key = new Uint8Array(4);
    const world = { maps: { counts: [{ key, value: new Uint8Array(4) }] } };
    const cases = async (wearsOff: boolean, inWorld: World): Promise<number> => {
      const engine = fakeEngine('wasm', (_, state) => ({
        action: wearsOff && state.packets > 1 ? XDP_DROP : XDP_PASS,
      }));
      const runs = runsOf({ machine: engine });
      await runs.vary([{ world: inWorld, stimulus: { packet } }], [engine], () => {});
      return runs.reports.reduce((sum, { savedCases }) => sum + savedCases, 0);
    };
    expect(await cases(true, world)).toBe(variantsOf({ packet }).length);
    expect(await cases(false, world)).toBe(0);
    expect(await cases(true, {})).toBe(0);
  });

  it('have reached what any of them reached', async () => {
    const runs = runsOf();
    await runs.run(part(2, covering(1, 0, 0)), 'packets');
    await runs.run(part(2, covering(0, 2, 0)), 'paths');
    const { coverage, fullCoverage } = runs.summary(undefined);
    expect(coverage?.instructions).toEqual([2, 3]);
    expect([...fullCoverage!.functions[0]!.instructions]).toEqual([1, 2, 0]);
    const proof = { cases: [], shown: 0, impossible: [], paths: 0, beyond: 0, doubt: undefined, seconds: 0 };
    // Without an object there is nothing that a proof could be of.
    expect(runs.summary(proof).coverage).toEqual(coverage);
  });

  it('have reached less without sweeps, where these reached something', async () => {
    const runs = runsOf();
    await runs.run(part(2, covering(1, 0, 0)), 'packets');
    await runs.run(part(2, covering(0, 0, 3)), 'sweeps');
    await runs.run(part(2, covering(0, 2, 0)), 'variants');
    expect(runs.summaryWithoutSweeps().coverage?.instructions).toEqual([2, 3]);
    expect(runs.summary(undefined).coverage?.instructions).toEqual([3, 3]);
  });

  it('say which phase they are of while they run, and give their findings away', async () => {
    const phases: CheckProgress['phase'][] = [];
    const saved: string[] = [];
    const runs = runsOf({
      shrinkSeconds: 600,
      onProgress: ({ phase }) => void phases.push(phase),
      save: async ({ field }) => {
        saved.push(field);
        return { file: 'x.pcapng' };
      },
    });
    const report = await runs.run(part(2, {}, 77), 'variants');
    expect(report.divergences.map(({ field, file }) => [field, file])).toEqual([
      ['action/unknown', 'x.pcapng'],
    ]);
    expect(saved.length).toBeGreaterThan(0);
    expect(phases.every((phase) => phase === 'variants')).toBe(true);
  });

  it('say what their time was too short for, but for packets that are to go on as long as it goes', async () => {
    let now = 0;
    const budget = new TimeBudget(60, () => now);
    const witness = fakeEngine('vm', () => ({ action: XDP_PASS }));
    const options = { program: FAKE_PROGRAM, machine, witness, seed: 's' };
    const runs = new CheckRuns(options, () => true, budget);
    await runs.run(part(5), 'variants');
    expect(runs.cutShort).toEqual([]);
    now = 61_000;
    await runs.run(part(3), 'variants');
    const { runs: _, ...endless } = part(3);
    await runs.run(endless, 'packets');
    await runs.run(part(2), 'sweeps');
    expect([runs.cutShort, runs.shortened]).toEqual([[], ['variants: 5 of 8 packets, for lack of time']]);
    await runs.run(part(93), 'variants');
    expect([runs.cutShort, runs.shortened]).toEqual([['variants: 5 of 101 packets, for lack of time'], []]);
  });

  it('sweep with a new element of a queue for each packet', async () => {
    const pops = `*(u64 *)(r10 - 8) = 0\nr1 = map[ids]\nr2 = r10\nr2 += -8\ncall bpf_map_pop_elem
      if r0 != 0 goto none\nr0 = 2\nexit\nnone:\nr0 = 1\nexit`;
    const maps = [testMap('ids', 'QUEUE', { valueSize: 8, maxEntries: 100 })];
    const object = writeElf({ main: pops }, maps);
    const program: Program = { name: 'ids', entries: [{ function: 'main', hook: 'xdp' }], object };
    const runs = runsOf({ program });
    const ids = Array.from({ length: 100 }, () => ({ key: new Uint8Array(0), value: new Uint8Array(8) }));
    const word = { stimulus: { packet: data(60) }, name: 'ipv4+4', at: 18, balance: -1 };
    await runs.sweep([{ ...word, world: { maps: { ids } } }], createWasmEngine());
    expect(runs.reports[0]!.actions).toEqual({ XDP_PASS: 65_536 });
  });

  it('end where they are told to', async () => {
    const runs = runsOf({ signal: AbortSignal.abort() });
    expect(await runs.run(part(2), 'packets')).toMatchObject({ interrupted: true, packets: 0 });
  });
});
