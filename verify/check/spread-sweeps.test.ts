/** Sweeps that have only so much time: every word gets its part of it, and they go on where they ended. */
import { expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../../sim/runtime/actions.ts';
import { FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data } from '../test-support/packets.ts';
import { CheckRuns } from './check-runs.ts';
import type { Rewritten } from './rewritten.ts';
import { batchSizeFor, SpreadSource, SpreadSweeps, spreadValue } from './spread-sweeps.ts';
import { TimeBudget } from './time-budget.ts';

const word = (at: number, world = {}): Rewritten => ({
  ...{ world, stimulus: { packet: data(60) }, name: `data+${at}`, at, balance: -1 },
});

it('each value comes once, and the first ones are spread over all', () => {
  const values = Array.from({ length: 0x1_0000 }, (_, number) => spreadValue(number));
  expect(new Set(values).size).toBe(0x1_0000);
  expect(values.slice(0, 5)).toEqual([0, 0xffff, 0x8000, 0x7fff, 0x4000]);
  const first = values.slice(0, 256).sort((a, b) => a - b);
  const gaps = first.slice(1).map((value, at) => value - first[at]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(512);
});

it('words take turns, wherever it begins', () => {
  const words = [word(20), word(30), word(40)];
  const input = new PacketBatch(8);
  new SpreadSource(words, 7).fill(input, undefined, 2, 3);
  const read = (packet: number, at: number): number => {
    const start = input.offset[packet]! + at;
    return (input.bytes[start]! << 8) | input.bytes[start + 1]!;
  };
  // Packets 9, 10 and 11: the fourth value of each.
  expect([read(0, 20), read(1, 30), read(2, 40)]).toEqual([0x7fff, 0x7fff, 0x7fff]);
});

let ran = 0;
let waitsUntil = 0;
/** Takes until then for one of its first packets. */
const machine = fakeEngine('wasm', () => {
  if (++ran === 10_000) while (performance.now() < waitsUntil);
  return { action: XDP_PASS };
});

function runsWith(budget: TimeBudget): CheckRuns {
  const witness = fakeEngine('vm', () => ({ action: XDP_PASS }));
  return new CheckRuns({ program: FAKE_PROGRAM, machine, witness, seed: 's' }, () => true, budget);
}

it('say what time was too short for, and go on where they ended', async () => {
  const sweeps = new SpreadSweeps();
  sweeps.add([word(20), word(30)]);
  sweeps.add([word(20, { maps: {} })]);
  const wanted = 3 * 0x1_0000;
  const over = new TimeBudget(0);
  await sweeps.run(runsWith(over), machine, () => false);
  expect(sweeps.report()).toEqual({ words: 0, packets: 0, left: 3, wanted, least: 0 });
  waitsUntil = performance.now() + 2000;
  await sweeps.run(runsWith(new TimeBudget(2)), machine, () => false);
  const { packets } = sweeps.report();
  expect(packets).toBeGreaterThan(0);
  // The world whose turn came last has least of all.
  const { least, ...rest0 } = sweeps.report();
  expect(rest0).toEqual({ words: 0, packets, left: 3, wanted });
  expect(least).toBeLessThanOrEqual(packets / wanted);
  const rest = runsWith(new TimeBudget(600));
  await sweeps.run(rest, machine, () => false);
  expect(sweeps.report()).toEqual({ words: 3, packets: wanted, left: 0 });
  const again = rest.reports.reduce((sum, report) => sum + report.packets, 0);
  expect(again).toBe(wanted - packets);
  expect(sweeps.isPending).toBe(false);
});

it('a batch of a slow program has few packets', () => {
  const report = (packets: number, seconds: number): Parameters<typeof batchSizeFor>[0] => [
    {
      engines: [
        { name: 'wasm', packets, seconds },
        { name: 'testrun', packets: 1, seconds: 9 },
      ],
    } as unknown as Parameters<typeof batchSizeFor>[0][number],
  ];
  expect(batchSizeFor([], 'wasm')).toBe(8192);
  expect(batchSizeFor(report(1_000_000, 1), 'wasm')).toBe(8192);
  expect(batchSizeFor(report(1000, 1), 'wasm')).toBe(100);
  expect(batchSizeFor(report(10, 10), 'wasm')).toBe(64);
});
