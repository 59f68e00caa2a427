import { describe, expect, it } from 'vitest';
import type { Engine } from '../sim/engines/engine.ts';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import { snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { World } from '../sim/runtime/world.ts';
import { verify } from './run.ts';
import { type Behaviour, COUNTS, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';

const note = { warning: 'unwritten-stack', message: 'reads what it never wrote' } as const;
const passes: Behaviour = () => ({ action: XDP_PASS, note });

/** Its map holds one entry of two words, as the world has them. */
function storing(
  name: 'vm' | 'testrun',
  words: (world: World) => readonly [number, number],
  { key = () => 0, behave = passes }: { key?: (world: World) => number; behave?: Behaviour } = {},
): Engine {
  const engine = fakeEngine(name, behave);
  const definition = { ...COUNTS, valueSize: 8 };
  return {
    ...engine,
    open: async (program, world) => ({
      ...(await engine.open(program, world)),
      maps: () => [
        snapshotOf(definition, [
          {
            key: new Uint8Array(Uint32Array.of(key(world)).buffer),
            value: new Uint8Array(Uint32Array.from(words(world)).buffer),
          },
        ]),
      ],
    }),
  };
}

const filled = ({ stackFill = 0 }: World): number => Number(stackFill);

async function found(vm: Engine, testrun: Engine) {
  const report = await verify({
    program: FAKE_PROGRAM,
    engines: [vm, testrun],
    seed: 'stack',
    runs: 300,
    batchSize: 100,
    shrink: false,
    maxDivergences: 9,
  });
  return { parts: report.divergences.map(({ part }) => part), warnings: report.warnings.length };
}

describe('a map value with bytes that the program never wrote', () => {
  const vm = storing('vm', (world) => [filled(world), 5]);

  it('is no divergence for these', async () => {
    const kernel = storing('testrun', () => [0x77, 5]);
    expect(await found(vm, kernel)).toEqual({ parts: [], warnings: 1 });
  });

  it('is one for its other words', async () => {
    const kernel = storing('testrun', () => [0x77, 6]);
    expect(await found(vm, kernel)).toEqual({ parts: ['map'], warnings: 1 });
  });
});

it('a key with such bytes takes the whole map out of the comparison', async () => {
  const vm = storing('vm', () => [1, 2], { key: filled });
  expect(
    await found(
      vm,
      storing('testrun', () => [1, 9], { key: () => 0x77 }),
    ),
  ).toEqual({
    parts: [],
    warnings: 1,
  });
});

it('a packet that reads such bytes and differs for no reason that the machine knows is warned of', async () => {
  const vm = storing('vm', () => [1, 2]);
  const drops = storing('testrun', () => [1, 2], {
    behave: ({ packet }) => ({ action: packet.length > 14 ? XDP_DROP : XDP_PASS }),
  });
  expect(await found(vm, drops)).toEqual({ parts: [], warnings: 1 });
});

describe('a map that the bytes do not reach in the machine', () => {
  const stays =
    (value: number): ((world: World) => readonly [number, number]) =>
    () => [1, value];
  const leaks: Behaviour = () => ({
    action: XDP_PASS,
    note: { warning: 'leaked-address', message: 'leaks' },
  });
  const gone = (report: Awaited<ReturnType<typeof seen>>): string[] =>
    report.notCompared.map(({ what }) => what);

  const seen = (vm: Engine, testrun: Engine) =>
    verify({
      ...{
        program: FAKE_PROGRAM,
        engines: [vm, testrun],
        seed: 'stack',
        runs: 100,
        batchSize: 100,
        shrink: false,
      },
      maxDivergences: 9,
    });
  const MAP = 'map counts: depends on stack bytes that the program never wrote, or on an address';

  it('is compared where nothing else is open', async () => {
    const report = await seen(storing('vm', stays(2)), storing('testrun', stays(9)));
    expect(report.divergences.map(({ part }) => part)).toEqual(['map']);
    expect(gone(report)).not.toContain(MAP);
    expect(report.warnings).toEqual([]);
  });

  it('is not where an address may have gone there', async () => {
    const report = await seen(storing('vm', stays(2), { behave: leaks }), storing('testrun', stays(9)));
    expect(report.divergences).toEqual([]);
    expect(gone(report)).toContain(MAP);
    expect(report.warnings).toMatchObject([{ kind: 'leaked-address' }]);
    const same = await seen(storing('vm', stays(2), { behave: leaks }), storing('testrun', stays(2)));
    expect(gone(same)).not.toContain(MAP);
    expect(same.warnings).toEqual([]);
  });

  it('is not where a packet that reads such bytes still differs', async () => {
    const drops: Behaviour = () => ({ action: XDP_DROP });
    const report = await seen(storing('vm', stays(2)), storing('testrun', stays(9), { behave: drops }));
    expect(report.divergences).toEqual([]);
    expect(gone(report)).toContain(MAP);
    expect(report.notCompared).toContainEqual({
      ...{ what: MAP.replace('map counts', 'outcomes'), engine: 'testrun', packets: 100 },
    });
    expect(report.warnings).toMatchObject([
      {
        kind: 'unwritten-stack',
        summary: 'the output differs from run to run in the kernel: reads what it never wrote',
      },
    ]);
  });
});

it('a leaked address hides no unwritten byte of the same run', async () => {
  const both: Behaviour = (_stimulus, { world }) => ({
    action: filled(world) === 0 ? XDP_PASS : XDP_DROP,
    note: { warning: 'leaked-address', message: 'leaks an address', further: note },
  });
  const report = await verify({
    program: FAKE_PROGRAM,
    engines: [fakeEngine('vm', both), fakeEngine('testrun', () => ({ action: XDP_DROP }))],
    seed: 'stack',
    runs: 100,
    shrink: false,
  });
  expect(report.divergences).toEqual([]);
  expect(report.warnings).toMatchObject([
    { kind: 'unwritten-stack', summary: expect.stringContaining('reads what it never wrote') },
  ]);
});
