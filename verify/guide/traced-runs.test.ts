/** What a traced run says of ways, ends and changes of maps, and what keeping machines costs. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { type Edge, edgeId, edgeOf, type TracedRun, TracedRuns } from './traced-runs.ts';

const FRAME = (size: number): string => `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += ${size}
  if r0 > r8 goto out`;
const OUT = `out:
  r0 = 1
  exit`;
/** Passes frames whose first byte is 5, and drops others; the jumps stand at slots 4 and 6. */
const FIVE = `${FRAME(14)}
  r1 = *(u8 *)(r7 + 0)
  if r1 != 5 goto out
  r0 = 2
  exit
  ${OUT}`;

function program(text: string | Record<string, string>, maps: Parameters<typeof writeElf>[1] = []): Program {
  const texts = typeof text === 'string' ? { main: text } : text;
  return { name: 'test', entries: [{ function: 'main', hook: 'xdp' }], object: writeElf(texts, maps) };
}

/** A frame that begins with these bytes. */
function stimulus(...first: readonly number[]): Stimulus {
  const packet = data(60);
  packet.set(first);
  return { packet };
}

const way = (slot: number, taken: boolean): number => edgeId({ program: 0, slot, taken });
const edges = ({ ways }: TracedRun): Edge[] => [...ways].map(edgeOf).filter((one) => one !== undefined);
/** Ways that are neither of a jump nor a change of a map. */
const CHANGES = 2 ** 51;
const ends = ({ ways }: TracedRun): number[] =>
  [...ways].filter((id) => edgeOf(id) === undefined && id < CHANGES);
const changes = ({ fresh }: TracedRun): number[] =>
  fresh.filter(({ id }) => id >= CHANGES).map(({ packet }) => packet);

describe('the number of a way', () => {
  it('says which it is', () => {
    const seen = new Set<number>();
    for (const number of [0, 1, 2, 77])
      for (const slot of [0, 1, 2, 4_095, 4_096, 999_999])
        for (const taken of [true, false]) {
          const id = edgeId({ program: number, slot, taken });
          expect(edgeOf(id)).toEqual({ program: number, slot, taken });
          seen.add(id);
        }
    expect(seen.size).toBe(48);
  });

  it('is of a jump up to 2^40, and of an end or a change from there on', () => {
    expect(edgeOf(2 ** 40 - 1)).toBeDefined();
    expect(edgeOf(2 ** 40)).toBeUndefined();
  });
});

describe('a run', () => {
  it('names the ways that are new, with the packet that went them first', () => {
    const runs = new TracedRuns(program(FIVE));
    const first = runs.run({ world: {}, stimuli: [stimulus(5), stimulus(5), stimulus(6)] })!;
    const fresh = first.fresh.map(({ id, packet }) => [edgeOf(id), packet]);
    expect(fresh).toEqual([
      [{ program: 0, slot: 4, taken: false }, 0],
      [{ program: 0, slot: 6, taken: false }, 0],
      [undefined, 0],
      [{ program: 0, slot: 6, taken: true }, 2],
      [undefined, 2],
    ]);
    expect(first.stopped).toBe(false);
    expect(runs.run({ world: {}, stimuli: [stimulus(5)] })!.fresh).toEqual([]);
    expect(runs.runs).toBe(2);
  });

  it('counts how often each was gone, by all runs', () => {
    const runs = new TracedRuns(program(FIVE));
    const run = runs.run({ world: {}, stimuli: [stimulus(5), stimulus(6), stimulus(7)] })!;
    runs.run({ world: {}, stimuli: [stimulus(5)] });
    const times = [way(4, false), way(4, true), way(6, false), way(6, true)].map((id) => [
      runs.count(id),
      runs.timesOf(edgeOf(id)!),
    ]);
    expect(times).toEqual([
      [4, 4],
      [0, 0],
      [2, 2],
      [2, 2],
    ]);
    expect(ends(run).map((id) => runs.count(id))).toEqual([2, 2]);
  });

  it('has the same signature as another exactly where the ways are the same, in whatever order', () => {
    const runs = new TracedRuns(program(FIVE));
    const signature = (...stimuli: Stimulus[]): number => runs.run({ world: {}, stimuli })!.signature;
    const [five, six] = [stimulus(5), stimulus(6)];
    expect(signature(five, six)).toBe(signature(six, five, five));
    const short = { packet: data(10) };
    const all = [[five], [six], [short], [five, six], [five, short], [six, short], [five, six, short]];
    expect(new Set(all.map((stimuli) => signature(...stimuli))).size).toBe(all.length);
    const signatures = all.map((stimuli) => signature(...stimuli));
    expect(signatures.every(Number.isSafeInteger)).toBe(true);
    // Both halves tell ways apart.
    expect(new Set(signatures.map((one) => one % 2 ** 32)).size).toBe(all.length);
    expect(new Set(signatures.map((one) => Math.floor(one / 2 ** 32))).size).toBe(all.length);
  });

  it('tells ends apart by place and action', () => {
    const runs = new TracedRuns(program(`${FRAME(14)}\nr0 = *(u8 *)(r7 + 0)\nexit\n${OUT}`));
    const all = [0, 1, 2, 3, 4].flatMap((action) =>
      ends(runs.run({ world: {}, stimuli: [stimulus(action)] })!),
    );
    // Another exit, with an action that was there.
    all.push(...ends(runs.run({ world: {}, stimuli: [{ packet: data(10) }] })!));
    expect(new Set(all).size).toBe(6);
    expect(ends(runs.run({ world: {}, stimuli: [stimulus(0, 1)] })!)).toEqual([all[0]]);
  });

  it('says that the machine stopped the program, where it did, as an end of its own', () => {
    const runs = new TracedRuns(
      program(`${FRAME(14)}
        r0 = *(u8 *)(r7 + 0)
        if r0 != 2 goto more
        exit
        more:
        r1 = *(u8 *)(r7 + 100)
        exit
        ${OUT}`),
    );
    const passed = runs.run({ world: {}, stimuli: [stimulus(2)] })!;
    expect(passed.stopped).toBe(false);
    const stopped = runs.run({ world: {}, stimuli: [stimulus(3), stimulus(2)] })!;
    expect([stopped.stopped, ends(stopped).length]).toEqual([true, 2]);
    expect(ends(stopped)).toContain(ends(passed)[0]);
    // What is stopped is stopped, whatever r0 held.
    expect(ends(runs.run({ world: {}, stimuli: [stimulus(0)] })!)).toEqual(
      ends(runs.run({ world: {}, stimuli: [stimulus(9)] })!),
    );
  });

  it('gives packets what they come with, and the device and queue that are usual', () => {
    const asks = (at: number, value: number): TracedRuns =>
      new TracedRuns(
        program(`r0 = *(u32 *)(r1 + ${at})\nr1 = ${value}\nif r0 == r1 goto out\nr0 = 2\nexit\n${OUT}`),
      );
    const isTaken = (runs: TracedRuns, more: Partial<Stimulus>): boolean =>
      edges(runs.run({ world: {}, stimuli: [{ packet: data(60), ...more }] })!)[0]!.taken;
    const device = asks(12, 1);
    expect([isTaken(device, {}), isTaken(device, { ingressIfindex: 2 })]).toEqual([true, false]);
    const queue = asks(16, 0);
    expect([isTaken(queue, {}), isTaken(queue, { rxQueueIndex: 2 })]).toEqual([true, false]);
  });

  it('costs its instructions, and something by itself', () => {
    const runs = new TracedRuns(program(FIVE));
    runs.run({ world: {}, stimuli: [stimulus(5)] });
    const [opened, before] = [runs.steps, runs.steps];
    expect(opened).toBeGreaterThan(10_000);
    const run = runs.run({ world: {}, stimuli: [stimulus(5), stimulus(5)] })!;
    expect(run.trace.steps).toBe(18);
    expect(runs.steps - before).toBe(18 + 60);
  });
});

describe('changes of maps', () => {
  const ENTRY = `*(u32 *)(r10 - 4) = 0
    r1 = map[m]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out`;
  const maps = [testMap('m', 'ARRAY')];
  /** Writes its own constant for each value of the frame’s first byte, all of them at one place. */
  const STATES = `${FRAME(14)}
    r6 = *(u8 *)(r7 + 0)
    ${ENTRY}
    ${Array.from({ length: 20 }, (_, index) => `r1 = ${index + 1}\nif r6 == ${index} goto store`).join('\n')}
    store:
    *(u64 *)(r0 + 0) = r1
    r0 = 2
    exit
    ${OUT}`;

  it('are new for up to 16 values of one place', () => {
    const runs = new TracedRuns(program(STATES, maps));
    const run = runs.run({ world: {}, stimuli: Array.from({ length: 20 }, (_, index) => stimulus(index)) })!;
    expect(changes(run)).toEqual([...Array(16).keys()]);
    expect(changes(runs.run({ world: {}, stimuli: [stimulus(3)] })!)).toEqual([]);
    expect(run.trace.effects).toHaveLength(20);
  });

  it('count a value again where it was written before', () => {
    const runs = new TracedRuns(program(STATES, maps));
    const first = runs.run({ world: {}, stimuli: [stimulus(3)] })!;
    const [id] = [...first.ways].filter((one) => one >= CHANGES);
    runs.run({ world: {}, stimuli: [stimulus(4), stimulus(3)] });
    expect(runs.count(id!)).toBe(2);
  });

  it('are told apart by place', () => {
    const runs = new TracedRuns(
      program(
        `${FRAME(14)}
        r6 = *(u8 *)(r7 + 0)
        ${ENTRY}
        if r6 == 1 goto second
        *(u64 *)(r0 + 0) = 5
        r0 = 2
        exit
        second:
        *(u64 *)(r0 + 0) = 5
        r0 = 2
        exit
        ${OUT}`,
        maps,
      ),
    );
    const run = runs.run({ world: {}, stimuli: [stimulus(0), stimulus(1), stimulus(0)] })!;
    expect(changes(run)).toEqual([0, 1]);
  });

  it('that copy the packet are one', () => {
    const runs = new TracedRuns(
      program(
        `${FRAME(14)}
        r6 = *(u8 *)(r7 + 0)
        ${ENTRY}
        *(u8 *)(r0 + 0) = r6
        r0 = 2
        exit
        ${OUT}`,
        maps,
      ),
    );
    expect(changes(runs.run({ world: {}, stimuli: [stimulus(0), stimulus(1)] })!)).toEqual([0]);
  });

  it('begin anew with each run', () => {
    const runs = new TracedRuns(
      program(
        `${ENTRY}\nr1 = *(u64 *)(r0 + 0)\nif r1 == 9 goto out\n*(u64 *)(r0 + 0) = 9\nr0 = 2\nexit\n${OUT}`,
        maps,
      ),
    );
    const gone = (...stimuli: Stimulus[]): boolean[] => {
      const { ways } = runs.run({ world: {}, stimuli })!;
      return [false, true].map((taken) => ways.has(way(8, taken)));
    };
    expect(gone(stimulus(), stimulus())).toEqual([true, true]);
    expect(gone(stimulus())).toEqual([true, false]);
  });
});

describe('what cannot be had', () => {
  const runs = new TracedRuns(program(FIVE, [testMap('m', 'HASH')]));
  const entry = { key: new Uint8Array(4), value: new Uint8Array(8) };

  it.each<readonly [string, World]>([
    ['a variable that is not there', { globals: { nothing: new Uint8Array(1) } }],
    [
      'a device that no kernel makes',
      {
        devices: [{ ifindex: 2, name: 'a', mac: new Uint8Array(6) }],
        routes: [{ to: '10.0.0.0/8', ifindex: 9 }],
      },
    ],
    ['a key of another size', { maps: { m: [{ ...entry, key: new Uint8Array(5) }] } }],
  ])('%s: no run', (_, world) => {
    expect(runs.run({ world, stimuli: [stimulus(5)] })).toBeUndefined();
  });

  it('in a machine that is open already: no run, and the next one is as ever', () => {
    const maps = { m: [{ ...entry, value: new Uint8Array(9) }] };
    expect(runs.run({ world: {}, stimuli: [stimulus(5)] })).toBeDefined();
    expect(runs.run({ world: { maps }, stimuli: [stimulus(5)] })).toBeUndefined();
    expect(runs.run({ world: { maps: { m: [entry] } }, stimuli: [stimulus(5)] })).toBeDefined();
  });

  it('packets that no engine takes: no run', () => {
    const refused = { packet: data(60), metadata: new Uint8Array(3) };
    const before = runs.runs;
    expect(runs.run({ world: {}, stimuli: [stimulus(5), refused] })).toBeUndefined();
    expect(runs.runs).toBe(before);
    expect(runs.run({ world: {}, stimuli: [stimulus(5)] })).toBeDefined();
  });

  it('no machine and no ways', () => {
    const world: World = { globals: { nothing: new Uint8Array(1) } };
    expect([runs.machineOf(world), runs.edges(world)]).toEqual([undefined, []]);
    expect(runs.machineOf({})!.object.programs).toHaveLength(1);
  });
});

describe('machines', () => {
  it('are kept for the twelve worlds that were run last', () => {
    const runs = new TracedRuns(program(FIVE));
    const world = (hashSeed: number): World => ({ hashSeed });
    /** Was one opened for the world? */
    const opens = (seed: number): boolean => {
      const before = runs.steps;
      runs.run({ world: world(seed), stimuli: [stimulus(5)] });
      return runs.steps - before > 1_000;
    };
    for (let seed = 0; seed < 12; seed++) expect(opens(seed)).toBe(true);
    for (let seed = 0; seed < 12; seed++) expect(opens(seed)).toBe(false);
    // The one that was run longest ago gives way.
    expect(opens(0)).toBe(false);
    expect(opens(12)).toBe(true);
    expect([opens(0), opens(2), opens(11)]).toEqual([false, false, false]);
    expect(opens(1)).toBe(true);
  });

  it('serve worlds that differ in what can be changed', () => {
    const runs = new TracedRuns(program(FIVE));
    runs.run({ world: {}, stimuli: [stimulus(5)] });
    const before = runs.steps;
    runs.run({ world: { time: 5n }, stimuli: [stimulus(5)] });
    expect(runs.steps - before).toBeLessThan(1_000);
  });
});

describe('every way that inputs may go', () => {
  it('is a way of a conditional jump that they reach', () => {
    const runs = new TracedRuns(
      program(`${FRAME(14)}
        r1 = *(u8 *)(r7 + 0)
        if r1 > 255 goto out
        r2 = 5
        if r2 == 5 goto end
        r0 = 3
        exit
        end:
        r0 = 2
        exit
        ${OUT}`),
    );
    expect(runs.edges({})).toEqual([
      { program: 0, slot: 4, taken: true },
      { program: 0, slot: 4, taken: false },
      { program: 0, slot: 6, taken: false },
      { program: 0, slot: 8, taken: true },
    ]);
  });

  it('is of the programs that the entries run alone', () => {
    const both = program({ main: FIVE, other: FIVE });
    expect(new Set(new TracedRuns(both).edges({}).map((one) => one.program))).toEqual(new Set([0]));
    const entries = [...both.entries, { function: 'other', hook: 'xdp' as const }];
    const runs = new TracedRuns({ ...both, entries });
    expect(new Set(runs.edges({}).map((one) => one.program))).toEqual(new Set([0, 1]));
    expect(edges(runs.run({ world: {}, stimuli: [{ ...stimulus(5), entry: 1 }] })!)[0]!.program).toBe(1);
  });
});

describe('a program behind another one', () => {
  const first = `r6 = r1
    ${FRAME(14)}
    r9 = *(u8 *)(r7 + 0)
    if r9 == 5 goto out
    r1 = r6
    r2 = -4
    call bpf_xdp_adjust_meta
    r1 = *(u32 *)(r6 + 8)
    r2 = *(u32 *)(r6 + 0)
    r0 = r1
    r0 += 4
    if r0 > r2 goto out
    *(u32 *)(r1 + 0) = 77
    r0 = 2
    exit
    ${OUT}`;
  const second = `r2 = *(u32 *)(r1 + 140)
    r3 = *(u32 *)(r1 + 76)
    r0 = r2
    r0 += 4
    if r0 > r3 goto none
    r0 = *(u32 *)(r2 + 0)
    exit
    none:
    r0 = 0
    exit`;
  const runs = new TracedRuns({
    ...program({ first, second }),
    entries: [{ function: 'second', hook: 'tc-ingress', after: 'first' }],
  });

  it('runs where that one passes the frame, with what it left', () => {
    const run = runs.run({ world: {}, stimuli: [stimulus(6)] })!;
    expect(new Set(edges(run).map((one) => one.program))).toEqual(new Set([0, 1]));
    const kinds = ends(run).map((id) => id % 512);
    expect(kinds).toEqual([2, 77]);
  });

  it('does not run where that one drops it', () => {
    const run = runs.run({ world: {}, stimuli: [stimulus(5)] })!;
    expect(new Set(edges(run).map((one) => one.program))).toEqual(new Set([0]));
    expect(ends(run).map((id) => id % 512)).toEqual([1]);
  });
});
