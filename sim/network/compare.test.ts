import { describe, expect, it } from 'vitest';
import { ethernet } from '../packet/build.ts';
import { readU16, toHex } from '../packet/bytes.ts';
import { type MapSnapshot, snapshotOf } from '../runtime/map-snapshot.ts';
import type { MapType } from '../runtime/maps.ts';
import { compareRuns } from './compare.ts';
import type { NetworkEvent } from './network.ts';
import type { Hop } from './path.ts';
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

describe('paths of two runs', () => {
  const hop = (more: Partial<Hop> = {}): Hop => ({
    ...place,
    direction: 'out',
    bytes: ethernet().ipv4({ ttl: 9 }).bytes(),
    mark: 0,
    ...more,
  });
  const along = (...path: Hop[]): ScenarioRun => ({ steps: [{ path, events: [] }], maps: [] });
  const other = ethernet()
    .ipv4({ ttl: 8, checksum: readU16(hop().bytes, 24) })
    .bytes();

  it.each<[what: string, simulated: Hop[], real: Hop[], summary: string, details: string[]]>([
    [
      'a frame too few',
      [hop()],
      [],
      'frame 1 at server:veth0 out: the kernel has none',
      [`sim: ${toHex(hop().bytes)}`],
    ],
    [
      'a frame too many',
      [hop()],
      [hop(), hop()],
      'frame 2 at server:veth0 out: the simulation has none',
      [`kernel: ${toHex(hop().bytes)}`],
    ],
    [
      'a mark',
      [hop({ mark: 1 })],
      [hop({ mark: 2 })],
      'frame 1 at server:veth0 out: the mark differs',
      ['sim: 1', 'kernel: 2'],
    ],
    [
      'a byte',
      [hop(), hop({ direction: 'in' })],
      [hop(), hop({ direction: 'in', bytes: other })],
      'frame 1 at server:veth0 in: the bytes differ',
      ['ipv4.ttl: 9 in sim, 8 in kernel', `sim:    ${toHex(hop().bytes)}`, `kernel: ${toHex(other)}`],
    ],
    [
      'a tag',
      [hop()],
      [hop({ bytes: ethernet().vlan().ipv4({ ttl: 9 }).bytes() })],
      'frame 1 at server:veth0 out: the bytes differ',
      expect.arrayContaining(['vlan: absent in sim, ID 1, priority 0 in kernel']),
    ],
  ])('differ in %s', (_what, simulated, real, summary, details) => {
    expect(compareRuns(scenario, along(...simulated), along(...real))).toEqual({ step: 0, summary, details });
  });

  it('are the same', () => {
    expect(compareRuns(scenario, along(hop(), hop()), along(hop(), hop()))).toBeUndefined();
  });
});

describe('maps of two runs', () => {
  const filled = (type: MapType, count: number, first = 0): MapSnapshot =>
    snapshotOf(
      { name: 'counts', type, keySize: 1, valueSize: 1, maxEntries: 8 },
      Array.from({ length: count }, (_, key) => ({
        key: Uint8Array.of(key + first),
        value: Uint8Array.of(1),
      })),
    );

  it('differ where they may not, and not in what an LRU map may have forgotten', () => {
    const differ = (type: MapType, simulated: number): boolean =>
      compareRuns(scenario, run([], filled(type, simulated)), run([], filled(type, 1))) !== undefined;
    expect([4, 5, 8].map((count) => differ('HASH', count))).toEqual([true, true, true]);
    // Of 8 entries, 4 are surely kept.
    expect([1, 4, 5, 8].map((count) => differ('LRU_HASH', count))).toEqual([false, true, false, false]);
  });

  it('list 32 entries that differ, and no more', () => {
    const details = (count: number): number =>
      compareRuns(scenario, run([], filled('HASH', count)), run([], filled('HASH', 0)))!.details.length;
    expect([31, 32, 33, 100].map(details)).toEqual([31, 32, 32, 32]);
  });

  it('are those of the same program in the same namespace', () => {
    const elsewhere: ScenarioRun = {
      steps: run([]).steps,
      maps: [
        { namespace: 'client', program: 'xdp_pass', maps: [filled('HASH', 2)] },
        { namespace: 'server', program: 'other', maps: [filled('HASH', 2)] },
      ],
    };
    expect(compareRuns(scenario, run([], filled('HASH', 1)), elsewhere)).toBeUndefined();
  });
});
