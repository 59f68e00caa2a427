import { describe, expect, it } from 'vitest';
import { LONG_FRAMES, liveLimits, NO_LIMITS, TEST_RUN_LIMITS } from '../corpus/generate/packet-limits.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';
import { BATCH_SIZE, planBatches, worldsOf } from './batch-plan.ts';
import { FailingPackets } from './failing-packets.ts';
import { FAKE_PROGRAM } from './test-support/engines.ts';
import { RIGHT_PACKETS } from './test-support/right-packets.ts';
import { certainPackets, packetsBetween } from './uncertain.ts';

const WORLDS: NamedWorld[] = ['a', 'b', 'c'].map((name) => ({ name, world: {} }));

describe('the batches of a run', () => {
  it('cover its packets once', () => {
    const plans = [...planBatches(FAKE_PROGRAM, 2048 * 2 + 5, undefined, undefined, WORLDS)];
    expect(BATCH_SIZE).toBe(2048);
    expect(plans.map(({ number, first, count }) => [number, first, count])).toEqual([
      [0, 0, 2048],
      [1, 2048, 2048],
      [2, 4096, 5],
    ]);
    expect([...planBatches(FAKE_PROGRAM, 4096)]).toHaveLength(2);
    expect([...planBatches(FAKE_PROGRAM, 0)]).toEqual([]);
  });

  it('are the same in parts', () => {
    const part = (from: number, to: number, step: number): number[] =>
      [...planBatches(FAKE_PROGRAM, 100, { from, to, step }, 10, WORLDS)].map(({ number }) => number);
    expect(part(0, Number.POSITIVE_INFINITY, 3)).toEqual([0, 3, 6, 9]);
    expect(part(1, 7, 3)).toEqual([1, 4]);
    expect(part(1, 8, 3)).toEqual([1, 4, 7]);
  });

  it('visit every world, with frames of any length, too', () => {
    const plans = [...planBatches(FAKE_PROGRAM, 640, undefined, 10, WORLDS)];
    expect(plans.map(({ world }) => world.name).join('')).toBe(
      `${'abc'.repeat(5)}a${'cab'.repeat(5)}c${'bca'.repeat(5)}b${'abc'.repeat(5)}a`,
    );
    const unbounded = plans.filter(({ limits }) => limits === NO_LIMITS);
    expect(unbounded.map(({ number }) => number)).toEqual([5, 21, 37, 53]);
    expect(new Set(unbounded.map(({ world }) => world.name)).size).toBeGreaterThan(1);
    const live = liveLimits(FAKE_PROGRAM);
    for (const { number, limits } of plans)
      if (number % 16 !== 5) expect(limits).toEqual(number % 2 === 0 ? live : TEST_RUN_LIMITS);
  });

  it('bring long frames to programs that take several buffers', () => {
    const frags: Program = { ...FAKE_PROGRAM, entries: [{ function: 'fake', hook: 'xdp', frags: true }] };
    const limits = [...planBatches(frags, 40, undefined, 10, WORLDS)].map((plan) => plan.limits);
    const live = liveLimits(frags);
    expect(limits).toEqual([LONG_FRAMES, live, LONG_FRAMES, live]);
  });

  it('take the worlds of the program’s definition where there are some', () => {
    const definition = { worlds: WORLDS } as unknown as NonNullable<Program['definition']>;
    expect(worldsOf({ ...FAKE_PROGRAM, definition })).toBe(WORLDS);
    const one = WORLDS.slice(0, 1);
    expect(worldsOf({ ...FAKE_PROGRAM, definition: { ...definition, worlds: one } })).toBe(one);
    const none = { worlds: [] } as unknown as NonNullable<Program['definition']>;
    expect(worldsOf({ ...FAKE_PROGRAM, definition: none }).length).toBeGreaterThan(0);
  });
});

describe('packets that fail in one way', () => {
  const input = new PacketBatch(200);
  const broken = RIGHT_PACKETS.UDP!.slice();
  broken[24]! ^= 1;
  for (let index = 0; index < 200; index++)
    input.push({ packet: index % 2 === 0 ? broken : RIGHT_PACKETS.UDP! });

  it('are shown on the first that is whole, others behind it', () => {
    const failing = new FailingPackets<string>();
    for (const packet of [0, 2, 3, 4, 5]) failing.add('x', packet, input, () => `detail ${packet}`);
    failing.add('y', 8, input, () => 'other');
    expect([...failing.best()]).toEqual([
      { kind: 'x', packet: 3, detail: 'detail 3', others: [5, 0, 2, 4] },
      { kind: 'y', packet: 8, detail: 'other', others: [] },
    ]);
  });

  it('are looked at up to 64, and shown up to 16', () => {
    const failing = new FailingPackets<number>();
    let asked = 0;
    for (let packet = 0; packet < 130; packet += 2) failing.add('x', packet, input, () => ++asked);
    // The 65th is the first whole one, and comes too late.
    failing.add('x', 131, input, () => ++asked);
    const [only] = [...failing.best()];
    expect(asked).toBe(64);
    expect(only).toMatchObject({ packet: 0, detail: 1 });
    expect(only!.others).toHaveLength(15);
  });
});

describe('packets that a kernel is compared on', () => {
  const report = (name: string, uncertainFrom: number) =>
    ({ engine: { name }, output: { uncertainFrom } }) as unknown as Parameters<
      typeof certainPackets
    >[0][number];

  it('end where an LRU map may have forgotten something', () => {
    expect(certainPackets([report('vm', 3), report('wasm', 9)], 20)).toBe(20);
    expect(certainPackets([report('vm', 9), report('testrun', 3)], 20)).toBe(3);
    expect(certainPackets([report('vm', 3), report('testrun', 9)], 20)).toBe(3);
    expect(certainPackets([report('testrun', 90)], 20)).toBe(20);
  });

  it('are cut out of a batch as they are', () => {
    const input = new PacketBatch(3);
    for (const [index, packet] of [RIGHT_PACKETS.UDP!, RIGHT_PACKETS.TCP!, RIGHT_PACKETS.ARP!].entries())
      input.push({ packet, ingressIfindex: index + 2, metadata: Uint8Array.of(index, 0, 0, 0) });
    const cut = packetsBetween(input, 1, 3);
    expect(cut.count).toBe(2);
    expect([cut.stimulus(0), cut.stimulus(1)]).toEqual([input.stimulus(1), input.stimulus(2)]);
    expect(packetsBetween(input, 2, 2).count).toBe(0);
  });
});
