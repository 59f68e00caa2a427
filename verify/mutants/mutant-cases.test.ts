/** What mutants are tested on: which packets, in which order and worlds, and which are left out. */
import { describe, expect, it } from 'vitest';
import type { SavedCase } from '../../corpus/cases/case.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Engine, Session } from '../../sim/engines/engine.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Guidance } from '../guide/guide.ts';
import { data } from '../test-support/packets.ts';
import { differs, type MutantCase, MutantCases, type MutantTests, Sessions } from './mutant-cases.ts';

const machine = createWasmEngine();
const BATCH = 2048;

/** Counts packets in an array; drops what begins with a 5, and is stopped at what begins with a 6. */
const TEXT = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 1
  if r0 > r8 goto out
  r6 = *(u8 *)(r7 + 0)
  if r6 == 6 goto stop
  *(u32 *)(r10 - 4) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
  if r6 == 5 goto out
  r0 = 2
  exit
  stop:
  r1 = *(u8 *)(r7 + 100)
  out:
  r0 = 1
  exit`;

const program = (text: string = TEXT): Program => ({
  ...{ name: 'test', entries: [{ function: 'main', hook: 'xdp' }] },
  object: writeElf({ main: text }, [testMap('counts', 'ARRAY'), testMap('flows', 'HASH')]),
});

function stimulus(first: number, more: Partial<Stimulus> = {}): Stimulus {
  const packet = data(60);
  packet[0] = first;
  return { packet, ...more };
}

/** Takes every packet. */
const PASSING = program('r0 = 2\nexit');

const saved = (world: World, ...stimuli: readonly Stimulus[]): SavedCase => ({
  path: 'saved',
  case: { program: 'test', world, stimuli },
});

async function chunksOf(
  tests: Partial<MutantTests>,
  own: Program = program(),
): Promise<(readonly MutantCase[])[]> {
  const cases = new MutantCases(own, machine, machine);
  const chunks: (readonly MutantCase[])[] = [];
  for await (const chunk of cases.chunks({ seed: 's', runs: 0, saved: [], ...tests })) chunks.push(chunk);
  await cases.close();
  return chunks;
}

/** The machine, and what is opened, reset and closed of it. */
function watched(): { readonly engine: Engine; readonly log: string[] } {
  const log: string[] = [];
  const open = async (own: Program, world: World): Promise<Session> => {
    const session = await machine.open(own, world);
    const note = (what: string): number => log.push(`${what} ${world.cpu}`);
    note('open');
    return {
      run: (input, output) => session.run(input, output),
      maps: () => session.maps(),
      reset: () => {
        note('reset');
        return session.reset();
      },
      close: () => {
        note('close');
        return session.close();
      },
    };
  };
  return { engine: { ...machine, refuses: machine.refuses, availability: machine.availability, open }, log };
}

describe('sessions', () => {
  it('are opened once for worlds that say the same, and begin anew', async () => {
    const { engine, log } = watched();
    const sessions = new Sessions(engine, program());
    const input = new PacketBatch(1);
    input.push(stimulus(1));
    const counts: number[] = [];
    for (const world of [{ cpu: 1 }, { cpu: 1 }, { cpu: 2 }]) {
      const session = await sessions.of(world);
      await session.run(input, new OutcomeBatch(1));
      const [snapshot] = session.maps();
      counts.push(snapshot!.values[0]!);
    }
    expect(log).toEqual(['open 1', 'reset 1', 'open 2']);
    expect(counts).toEqual([1, 1, 1]);
    await sessions.close();
    expect(log.slice(3)).toEqual(['close 1', 'close 2']);
    await sessions.of({ cpu: 1 });
    expect(log.slice(5)).toEqual(['open 1']);
    await sessions.close();
  });

  it('are eight at a time: the one that was asked for longest ago is closed', async () => {
    const { engine, log } = watched();
    const sessions = new Sessions(engine, program());
    for (let cpu = 0; cpu < 8; cpu++) await sessions.of({ cpu });
    expect(log).toEqual(Array.from({ length: 8 }, (_, cpu) => `open ${cpu}`));
    await sessions.of({ cpu: 0 });
    await sessions.of({ cpu: 8 });
    expect(log.slice(8)).toEqual(['reset 0', 'close 1', 'open 8']);
    await sessions.close();
    expect(log).toHaveLength(19);
  });
});

describe('cases', () => {
  it('are ten generated batches, guided and saved ones, and the other generated ones', async () => {
    const worlds = [{ name: 'w', world: { cpu: 1 } }];
    const many = Array.from({ length: 70 }, () => saved({ cpu: 2 }, stimulus(1), stimulus(2)));
    const guidance = {
      ...{ cases: [{ world: { cpu: 3 }, stimuli: [stimulus(7)], reached: [] }], hints: {} },
    } as unknown as Guidance;
    const chunks = await chunksOf({ runs: 13 * BATCH + 5, saved: many, worlds, guidance }, PASSING);
    const shown = chunks.map((chunk) => [chunk.length, chunk[0]!.world.cpu, chunk.at(-1)!.input.count]);
    expect(shown).toEqual([
      [10, 1, BATCH],
      [64, 3, 2],
      [7, 2, 2],
      [4, 1, 5],
    ]);
    // One packet after the other: no batch is made twice, or left out.
    const generated = [...chunks[0]!, ...chunks[3]!];
    const texts = new Set(
      generated.map(({ input }) => Buffer.from(input.bytes.subarray(0, input.used)).toString('hex')),
    );
    expect(texts.size).toBe(14);
  });

  it.each([
    [0, []],
    [1, [1]],
    [BATCH, [1]],
    [BATCH + 1, [2]],
  ])('of %i packets: chunks of %j', async (runs, sizes) => {
    const chunks = await chunksOf({ runs }, PASSING);
    expect(chunks.map(({ length }) => length)).toEqual(sizes);
    const packets = chunks.flat().reduce((sum, { input }) => sum + input.count, 0);
    expect(packets).toBe(runs);
  });

  it('are the same for the same seed, and others for another', async () => {
    const bytes = async (seed: string): Promise<Uint8Array> => {
      const [[one]] = (await chunksOf({ seed, runs: 50 })) as [[MutantCase]];
      return one.input.bytes.subarray(0, one.input.used);
    };
    expect(await bytes('a')).toEqual(await bytes('a'));
    expect(await bytes('a')).not.toEqual(await bytes('b'));
  });

  it('that were saved in one world follow each other', async () => {
    const worlds = [{ cpu: 1 }, { cpu: 2 }, { cpu: 1 }, { cpu: 3 }, { cpu: 2 }];
    const [chunk] = await chunksOf({
      saved: worlds.map((world, index) => saved(world, stimulus(10 + index))),
    });
    expect(chunk!.map(({ world, input }) => [world.cpu, input.bytes[input.offset[0]!]])).toEqual([
      [1, 10],
      [1, 12],
      [2, 11],
      [2, 14],
      [3, 13],
    ]);
  });

  it('say what comes of them, and how often each instruction runs in them', async () => {
    const [[one]] = (await chunksOf({ saved: [saved({}, stimulus(5), stimulus(1), stimulus(5))] })) as [
      [MutantCase],
    ];
    expect([...one.expected.action.subarray(0, 3)]).toEqual([1, 2, 1]);
    expect(one.maps.map(({ definition }) => definition.name)).toEqual(['counts', 'flows']);
    expect(one.maps[0]!.values[0]).toBe(3);
    const ran = one.ran.get('main')!;
    expect([ran[0], ran[6], ran[18], ran[20], ran[21]]).toEqual([3, 3, 1, 0, 2]);
    // Nothing of the case before it is left.
    const [[, second]] = (await chunksOf({ saved: [saved({}, stimulus(5)), saved({}, stimulus(1))] })) as [
      MutantCase[],
    ];
    expect([second!.maps[0]!.values[0], second!.ran.get('main')![0], second!.ran.get('main')![21]]).toEqual([
      1, 1, 0,
    ]);
  });

  it('leave out packets that no engine takes, and those that the machine stops at', async () => {
    const refused = stimulus(1, { metadata: new Uint8Array(3) });
    const device = stimulus(9, { ingressIfindex: 4, rxQueueIndex: 3 });
    const [[one]] = (await chunksOf({
      saved: [saved({}, stimulus(6), refused, device, stimulus(6), stimulus(5))],
    })) as [[MutantCase]];
    expect(Array.from({ length: one.input.count }, (_, index) => one.input.stimulus(index))).toMatchObject([
      { packet: device.packet, ingressIfindex: 4, rxQueueIndex: 3 },
      { packet: stimulus(5).packet },
    ]);
    expect([one.expected.count, one.maps[0]!.values[0]]).toEqual([2, 2]);
  });

  it('without a packet that is left are none', async () => {
    const refused = stimulus(1, { metadata: new Uint8Array(3) });
    const chunks = await chunksOf({
      saved: [saved({}, stimulus(6)), saved({}, refused), saved({}), saved({}, stimulus(1))],
    });
    expect(chunks.map(({ length }) => length)).toEqual([1]);
  });

  it('in which one stop after the other comes to light are given up after four', async () => {
    // The first packet is stopped where it begins with a 6: once it is gone, it is the next.
    const own = program(`r7 = *(u32 *)(r1 + 0)
      r8 = *(u32 *)(r1 + 4)
      r0 = r7
      r0 += 1
      if r0 > r8 goto out
      r6 = *(u8 *)(r7 + 0)
      *(u32 *)(r10 - 4) = 0
      r1 = map[counts]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 0)
      r2 = 1
      *(u64 *)(r0 + 0) = r2
      if r1 != 0 goto out
      if r6 != 6 goto out
      r1 = *(u8 *)(r7 + 1000)
      out:
      r0 = 2
      exit`);
    const left = async (sixes: number): Promise<number[]> => {
      const stimuli = [...Array(sixes).fill(stimulus(6)), stimulus(1)];
      return (await chunksOf({ saved: [saved({}, ...stimuli)] }, own)).flat().map(({ input }) => input.count);
    };
    expect([await left(0), await left(1), await left(3), await left(4)]).toEqual([[1], [1], [1], []]);
  });
});

describe('what differs from what is expected', () => {
  const own = program();
  async function outcome(changed: string): Promise<boolean> {
    const [[one]] = (await chunksOf({ saved: [saved({}, stimulus(5), stimulus(1))] })) as [[MutantCase]];
    const session = await machine.open(program(changed), {});
    const got = new OutcomeBatch(2);
    await session.run(one.input, got);
    const result = differs(own, machine, machine, one, got, session.maps());
    await session.close();
    return result;
  }

  it.each([
    ['nothing', TEXT, false],
    ['another action', TEXT.replace('r0 = 2', 'r0 = 3'), true],
    ['another value in a map', TEXT.replace('r1 += 1', 'r1 += 2'), true],
    ['another byte of the frame', TEXT.replace('r0 = 2', '*(u8 *)(r7 + 0) = 9\nr0 = 2'), true],
  ])('%s', async (_, text, is) => expect(await outcome(text)).toBe(is));

  it('does not count in maps where a model says that there are none', async () => {
    const definition = programByName('xdp_pass')!;
    const [[one]] = (await chunksOf({ saved: [saved({}, stimulus(1))] })) as [[MutantCase]];
    const session = await machine.open(program(TEXT.replace('r1 += 1', 'r1 += 2')), {});
    await session.run(one.input, new OutcomeBatch(1));
    const maps = session.maps();
    const silent: Program = { ...own, definition: { ...definition, maps: [] } };
    expect(differs(silent, machine, machine, one, one.expected, maps)).toBe(false);
    const counting: Program = { ...own, definition: { ...definition, maps: [one.maps[0]!.definition] } };
    expect(differs(counting, machine, machine, one, one.expected, maps)).toBe(true);
    const other: Program = { ...own, definition: { ...definition, maps: [one.maps[1]!.definition] } };
    expect(differs(other, machine, machine, one, one.expected, maps)).toBe(false);
    await session.close();
  });

  it('is what the model says, where there is one', async () => {
    const definition = programByName('icmp_drop')!;
    const bytes = writeElf({ [definition.entries[0]!.function]: 'r0 = 2\nexit' });
    const wrong: Program = { name: 'icmp_drop', entries: definition.entries, object: bytes, definition };
    const cases = new MutantCases(wrong, createModelEngine(), machine);
    const all = async (): Promise<void> => {
      for await (const _ of cases.chunks({ seed: 's', runs: 500, saved: [] })) break;
    };
    await expect(all()).rejects.toThrow('icmp_drop differs from its model');
    await cases.close();
  });
});
