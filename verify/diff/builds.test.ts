/** Two builds side by side, with functions in their place: which packets differ, and after which one their maps do. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../sim/engines/engine.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { type Behaviour, type FakeOptions, fakeEngine } from '../test-support/engines.ts';
import { Builds, without } from './builds.ts';

/** An object with a map `counts`, as functions in place of programs have one. */
const object = new Uint8Array(readFileSync(new URL('../check/recorded/counters.o', import.meta.url)));
const build = (name: string): Program => ({ name, entries: [{ function: name, hook: 'xdp' }], object });
const pair = { old: build('old'), new: build('new') };
const WORLD: World = {};

/** Packets whose first byte is their number. */
function numbered(count: number): PacketBatch {
  const input = new PacketBatch(count);
  for (let number = 0; number < count; number++) {
    const packet = new Uint8Array(60);
    packet[0] = number;
    input.push({ packet });
  }
  return input;
}

function buildsOf(old: Behaviour, next: Behaviour, options: FakeOptions = {}): Builds {
  const engines = { old: fakeEngine('wasm', old, options), new: fakeEngine('wasm', next, options) };
  const engine: Engine = {
    ...engines.old,
    open: (program, world) => engines[program === pair.old ? 'old' : 'new'].open(program, world),
  };
  return new Builds(pair, engine);
}

const passes: Behaviour = () => ({ action: XDP_PASS });
const number = ({ packet }: { packet: Uint8Array }): number => packet[0]!;

describe('outcomes of two builds', () => {
  async function differing(old: Behaviour, next: Behaviour, stoppedBoth: number = 0): Promise<number[]> {
    const builds = buildsOf(old, next);
    const input = numbered(6);
    expect(await builds.run(WORLD, input)).toBe(true);
    expect(builds.stoppedBoth(input.count)).toBe(stoppedBoth);
    const found = [...builds.differing(input)].sort();
    await builds.close();
    return found;
  }

  it('differ in what they do with a packet', async () => {
    expect(await differing(passes, passes)).toEqual([]);
    const drops: Behaviour = (one) => ({ action: number(one) % 2 === 1 ? XDP_DROP : XDP_PASS });
    expect(await differing(passes, drops)).toEqual([1, 3, 5]);
    expect(await differing(drops, passes)).toEqual([1, 3, 5]);
  });

  it('differ where the machine stops one of them, and not where it stops both', async () => {
    const stops =
      (...numbers: readonly number[]): Behaviour =>
      (one) => ({
        action: XDP_PASS,
        ...(numbers.includes(number(one)) ? { violation: 'stopped' } : {}),
      });
    expect(await differing(passes, stops(0, 4))).toEqual([0, 4]);
    expect(await differing(stops(2, 4), stops(4, 5), 1)).toEqual([2, 5]);
  });

  it('differ in bytes of frames that are not dropped', async () => {
    const writes =
      (byte: number): Behaviour =>
      (one) => ({
        action: number(one) === 2 ? XDP_PASS : XDP_DROP,
        packet: one.packet.with(20, byte),
      });
    expect(await differing(writes(1), writes(2))).toEqual([2]);
  });
});

describe('maps of two builds', () => {
  /** Counts packets up to one of this number. */
  const counts =
    (end: number): Behaviour =>
    (one, { counts: map }) => {
      if (number(one) < end) map.set(0, (map.get(0) ?? 0) + 1);
      return { action: XDP_PASS };
    };

  it.each([1, 2, 5, 8])('differ after packet %i', async (end) => {
    const builds = buildsOf(counts(9), counts(end));
    expect(await builds.firstWithMaps(WORLD, numbered(9))).toBe(end);
    const starts = (await builds.starts(WORLD))!;
    expect(await builds.starts(WORLD)).toBe(starts);
    expect(starts.old.map(({ count }) => count)).toEqual([0]);
    await builds.run(WORLD, numbered(9));
    expect(builds.mapsDiffer(starts)).toBe(true);
    await builds.run(WORLD, numbered(end));
    expect(builds.mapsDiffer(starts)).toBe(false);
    await builds.close();
  });

  it('differ after the first packet', async () => {
    const builds = buildsOf(counts(9), counts(0));
    expect(await builds.firstWithMaps(WORLD, numbered(9))).toBe(0);
    expect(await builds.firstWithMaps(WORLD, numbered(1))).toBe(0);
    await builds.close();
  });

  it('agree after all of them', async () => {
    const builds = buildsOf(counts(9), counts(9));
    expect(await builds.firstWithMaps(WORLD, numbered(9))).toBeUndefined();
    await builds.close();
  });
});

describe('packets for two builds', () => {
  it('are those that the engine takes', async () => {
    const refuses: FakeOptions['refuses'] = (batch) =>
      Array.from({ length: batch.count }, (_, at) => batch.stimulus(at).packet[0]).includes(2)
        ? { rule: 'packets of number 2', packet: 0 }
        : undefined;
    const builds = buildsOf(passes, passes, { refuses: refuses as NonNullable<typeof refuses> });
    const all = numbered(4);
    const input = builds.accepted(all);
    expect(Array.from({ length: input.count }, (_, at) => number(input.stimulus(at)))).toEqual([0, 1, 3]);
    expect(builds.old.refused.get('packets of number 2')).toBe(1);
    expect(builds.sides).toEqual([builds.old, builds.new]);
    const few = numbered(2);
    expect(builds.accepted(few)).toBe(few);
    await builds.close();
  });

  it('are left out by number', () => {
    const input = numbered(5);
    const left = without(input, (packet) => packet % 2 === 0);
    expect(Array.from({ length: left.count }, (_, at) => number(left.stimulus(at)))).toEqual([1, 3]);
    expect(without(input, () => true).count).toBe(0);
    expect(without(new PacketBatch(1), () => false).count).toBe(0);
  });

  it('run in neither where a build cannot be loaded', async () => {
    const builds = buildsOf(passes, passes, { openError: () => new Error('no such object') });
    expect(await builds.starts(WORLD)).toBeUndefined();
    expect(await builds.run(WORLD, numbered(1))).toBe(false);
    expect(builds.failure?.message).toContain('no such object');
    expect(await builds.firstWithMaps(WORLD, numbered(1))).toBeUndefined();
    await builds.close();
  });
});
