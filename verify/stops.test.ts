/** Packets that an engine did not run to their end: who says so, where, and what is left to compare. */
import { describe, expect, it } from 'vitest';
import type { EngineName } from '../sim/engines/register.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../sim/runtime/actions.ts';
import type { BatchReport } from './batch-report.ts';
import { EngineSide } from './engine-side.ts';
import {
  comparablePackets,
  hasStops,
  modelFaults,
  packetsWithoutStops,
  placeOf,
  violationFindings,
  violationsOf,
} from './stops.ts';
import { FAKE_PROGRAM, type FakeOutcome, fakeEngine } from './test-support/engines.ts';

const COUNT = 5;

function input(): PacketBatch {
  const batch = new PacketBatch(COUNT);
  for (let number = 0; number < COUNT; number++) batch.push({ packet: new Uint8Array(60).fill(number) });
  return batch;
}

/** What an engine reports of five packets, of which some are stopped. */
async function report(
  name: EngineName,
  stops: Readonly<Record<number, Partial<FakeOutcome>>> = {},
): Promise<BatchReport> {
  const engine = fakeEngine(name, ({ packet }) => ({ action: XDP_PASS, ...stops[packet[0]!] }));
  const side = new EngineSide(engine, FAKE_PROGRAM, COUNT);
  expect(await side.run({}, input())).toBe(true);
  return side as unknown as BatchReport;
}

const at = (violation: string): Partial<FakeOutcome> => ({ violation });

describe('the place where a program was stopped', () => {
  it('is an instruction and its line, else the message', () => {
    const source = { file: 'a.c', line: 3, text: 'x = *y;' };
    expect(placeOf(undefined)).toBe('');
    expect(placeOf({ message: 'why' })).toBe('why');
    expect(placeOf({ message: 'why', instruction: 0 })).toBe('0');
    expect(placeOf({ message: 'why', instruction: 7, source })).toBe('a.c:3 7');
  });
});

describe('stops', () => {
  it('are violations and faults, but not outcomes that cannot be seen', async () => {
    expect(hasStops(await report('wasm'))).toBe(false);
    expect(hasStops(await report('wasm', { 4: at('a') }))).toBe(true);
    expect(hasStops(await report('wasm', { 0: { fault: 'gave up' } }))).toBe(true);
    expect(hasStops(await report('wasm', { 0: { unseen: 'lost' } }))).toBe(false);
  });

  it('of one place are one violation, in order of their first packet', async () => {
    const { output } = await report('wasm', {
      ...{ 0: { fault: 'gave up' }, 1: at('a'), 2: at('b'), 4: at('a') },
    });
    expect(violationsOf(output)).toEqual([
      { packet: 1, packets: 2, note: { message: 'a' } },
      { packet: 2, packets: 1, note: { message: 'b' } },
    ]);
  });

  it('are findings against the model where it ran, else against the oracle', async () => {
    const model = await report('model', { 2: { fault: 'threw' } });
    const wasm = await report('wasm', { 1: at('a'), 2: at('b') });
    const found = [...violationFindings([model, wasm])];
    expect(
      found.map(({ finding, packets }) => [finding.engines, finding.packet, finding.place, packets]),
    ).toEqual([
      [['model', 'wasm'], 1, 'a', 1],
      [['oracle', 'wasm'], 2, 'b', 1],
    ]);
    expect(found[0]!.finding).toMatchObject({
      part: 'status',
      field: 'status',
      got: { status: 'violation' },
    });
    expect(found[0]!.finding.expected?.status).toBe('ran');
    expect(found[1]!.finding.expected).toBeUndefined();
  });

  it('of one packet are told by one machine', async () => {
    const vm = await report('vm', { 1: at('a'), 3: at('c') });
    const wasm = await report('wasm', { 1: at('other'), 2: at('b') });
    expect(
      [...violationFindings([vm, wasm])].map(({ finding }) => [finding.engines[1], finding.packet]),
    ).toEqual([
      ['vm', 1],
      ['vm', 3],
      ['wasm', 2],
    ]);
  });

  it('of the model are findings where another engine ran, one for each message', async () => {
    const model = await report('model', {
      ...{ 0: { fault: 'x' }, 1: { fault: 'x' }, 2: { fault: 'y' }, 3: { fault: 'z' } },
    });
    const wasm = await report('wasm', { 0: at('a'), 3: at('a') });
    expect(
      [...modelFaults([model, wasm])].map(({ engines, packet, place }) => [engines, packet, place]),
    ).toEqual([
      [['model', 'wasm'], 1, 'x'],
      [['model', 'wasm'], 2, 'y'],
    ]);
    expect([...modelFaults([wasm])]).toEqual([]);
    expect([...modelFaults([await report('model'), wasm])]).toEqual([]);
  });

  it('of any engine leave a packet out', async () => {
    const reports = [await report('vm', { 0: at('a') }), await report('wasm', { 3: { fault: 'gave up' } })];
    const { batch, origin } = packetsWithoutStops(input(), reports);
    expect(batch.count).toBe(3);
    expect([...origin.subarray(0, 3)]).toEqual([1, 2, 4]);
    expect(batch.stimulus(2).packet[0]).toBe(4);
  });

  it('leave what two engines ran to compare', async () => {
    const vm = await report('vm', { 0: at('a'), 1: { unseen: 'lost' } });
    const wasm = await report('wasm', { 0: at('a') });
    const testrun = await report('testrun', { 2: { fault: 'gave up' } });
    expect(comparablePackets([])).toBe(0);
    expect(comparablePackets([wasm])).toBe(0);
    expect(comparablePackets([vm, wasm])).toBe(3);
    expect(comparablePackets([vm, wasm, testrun])).toBe(4);
  });
});
