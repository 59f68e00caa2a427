import { describe, expect, it } from 'vitest';
import { type MapSnapshot, snapshotOf } from '../runtime/map-snapshot.ts';
import { compareRuns } from './compare.ts';
import type { NetworkEvent } from './network.ts';
import type { ScenarioRun } from './run.ts';
import { pair } from './test-support/programs.ts';

const scenario = pair([{ ping: { from: 'client', to: '10.11.1.1' } }], { xdp: 'xdp_pass' });
const place = { namespace: 'server', device: 'veth0' };

function verdict(action: string): NetworkEvent {
  return { kind: 'program', ...place, hook: 'xdp', function: 'xdp_pass', action, trace: [] };
}

function counts(...values: number[]): MapSnapshot {
  return snapshotOf(
    { name: 'counts', type: 'HASH', keySize: 1, valueSize: 1, maxEntries: 8 },
    values.map((value, key) => ({ key: Uint8Array.of(key), value: Uint8Array.of(value) })),
  );
}

function run(events: readonly NetworkEvent[], ...maps: MapSnapshot[]): ScenarioRun {
  return { steps: [{ path: [], events }], maps: [{ namespace: 'server', program: 'xdp_pass', maps }] };
}

describe('two runs', () => {
  it('agree in verdicts and maps', () => {
    const one = run([verdict('XDP_PASS')], counts(1, 2));
    expect(compareRuns(scenario, one, run([verdict('XDP_PASS')], counts(1, 2)))).toBeUndefined();
  });

  it('differ in a verdict, though nothing is seen of it on the wire', () => {
    const difference = compareRuns(scenario, run([verdict('XDP_DROP')]), run([verdict('XDP_ABORTED')]));
    expect(difference).toEqual({
      step: 0,
      summary: 'server:veth0 xdp xdp_pass says something else',
      details: ['sim: XDP_DROP', 'kernel: XDP_ABORTED'],
    });
  });

  it('differ in how often a program ran, whichever ran more', () => {
    const once = run([verdict('XDP_DROP')]);
    const twice = run([verdict('XDP_DROP'), verdict('XDP_DROP')]);
    expect(compareRuns(scenario, once, twice)?.details[1]).toBe('kernel: XDP_DROP, XDP_DROP');
    expect(compareRuns(scenario, run([]), once)).toMatchObject({
      step: 0,
      details: ['sim: nothing', 'kernel: XDP_DROP'],
    });
  });

  it('differ in a map’s values and keys', () => {
    expect(compareRuns(scenario, run([], counts(1, 2)), run([], counts(1, 3)))).toEqual({
      summary: 'map counts of xdp_pass in server differs',
      details: ['key 01: 02 in sim, 03 in kernel'],
    });
    expect(compareRuns(scenario, run([], counts(1, 2)), run([], counts(1)))?.details).toEqual([
      'key 01: 02 in sim, absent in kernel',
    ]);
    expect(compareRuns(scenario, run([], counts(1)), run([], counts(1, 2)))?.details).toEqual([
      'key 01: absent in sim, 02 in kernel',
    ]);
  });

  it('are not compared in a map that only one of them can read', () => {
    expect(compareRuns(scenario, run([], counts(1)), run([]))).toBeUndefined();
  });
});
