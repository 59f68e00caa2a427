/** What is taken over from the machine where it moves from run to run, part by part, and what stays to be compared. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { type MapSnapshot, snapshotOf } from '../sim/runtime/map-snapshot.ts';
import { ClockMask, mask } from './clock-mask.ts';
import { EngineSide } from './engine-side.ts';
import { MovedParts, type RunOutcome } from './moved.ts';
import type { NotCompared } from './not-compared.ts';
import { COUNTS, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { type MadeOutcome, outcomes } from './test-support/outcomes.ts';

const WHY = 'depends on the time';
const BYTES = { what: `bytes and fields of packets: their value ${WHY}`, engine: 'testrun' };
const OUTCOMES = { what: `outcomes: what a packet comes to ${WHY}`, engine: 'testrun' };

function sideOf(output: OutcomeBatch, maps?: readonly MapSnapshot[]): EngineSide {
  const side = new EngineSide(
    fakeEngine('testrun', () => ({ action: 2 })),
    FAKE_PROGRAM,
    1,
  );
  side.output = output;
  side.maps = maps;
  return side;
}

/** Packets of one entry; the last one is another's. */
const entriesOf = (count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => (at === count - 1 ? 1 : 0));

/** Moves what differs between two runs, and masks the kernel's outcomes by the machine's. */
function masked(
  runs: readonly [readonly MadeOutcome[], readonly MadeOutcome[]],
  kernel: readonly MadeOutcome[],
  machine: readonly MadeOutcome[] | undefined,
  isOpen?: (packet: number) => boolean,
): { readonly output: OutcomeBatch; readonly left: NotCompared[] } {
  const moved = new MovedParts(kernel.length, entriesOf(kernel.length));
  const [a, b] = runs.map((run): RunOutcome => ({ output: outcomes(...run), maps: undefined }));
  moved.enter(a!, b!);
  const side = sideOf(outcomes(...kernel));
  const base = machine === undefined ? undefined : { output: outcomes(...machine), maps: undefined };
  const left = mask(side, base, moved, WHY, isOpen);
  return { output: side.output, left };
}

const frameOf = (output: OutcomeBatch, packet: number): number[] => {
  const from = output.offset[packet]! - output.metaLength[packet]!;
  return [...output.bytes.subarray(from, output.offset[packet]! + output.length[packet]!)];
};
const PLAIN: MadeOutcome = {};

describe('bytes of a packet', () => {
  const moving = (packet: readonly number[]): readonly MadeOutcome[] => [PLAIN, { packet }, PLAIN, PLAIN];
  const runs = [moving([1, 2, 3, 4]), moving([1, 9, 3, 4])] as const;

  it('are the machine’s where they moved, and the kernel’s where not', () => {
    const { output, left } = masked(runs, moving([7, 7, 3, 4]), moving([1, 2, 3, 4]));
    expect(frameOf(output, 1)).toEqual([7, 2, 3, 4]);
    expect(left).toEqual([{ ...BYTES, packets: 1 }]);
  });

  it('are nothing to speak of where the two agree', () => {
    const { output, left } = masked(runs, moving([1, 2, 3, 4]), moving([1, 2, 3, 4]));
    expect(frameOf(output, 1)).toEqual([1, 2, 3, 4]);
    expect(left).toEqual([]);
  });

  it('are those of metadata, too', () => {
    const of = (first: number, second: number): readonly MadeOutcome[] => [
      { metadata: [first, 5], packet: [second, 3] },
      PLAIN,
    ];
    const { output } = masked([of(1, 2), of(9, 2)], of(7, 8), of(1, 2));
    expect(frameOf(output, 0)).toEqual([1, 5, 8, 3]);
  });

  it('may have moved on another packet of the same entry, if nothing else differs', () => {
    const kernel = (packet: readonly number[]): readonly MadeOutcome[] => [
      { packet },
      PLAIN,
      PLAIN,
      { packet },
    ];
    const some = masked(runs, kernel([1, 7, 3, 4]), [PLAIN, PLAIN, PLAIN, PLAIN]);
    expect([frameOf(some.output, 0), frameOf(some.output, 3)]).toEqual([
      [1, 2, 3, 4],
      [1, 7, 3, 4],
    ]);
    expect(some.left).toEqual([{ ...BYTES, packets: 1 }]);
    const more = masked(runs, kernel([1, 7, 3, 8]), [PLAIN, PLAIN, PLAIN, PLAIN]);
    expect(frameOf(more.output, 0)).toEqual([1, 7, 3, 8]);
    const closed = masked(runs, kernel([1, 7, 3, 4]), [PLAIN, PLAIN, PLAIN, PLAIN], (packet) => packet !== 0);
    expect(frameOf(closed.output, 0)).toEqual([1, 7, 3, 4]);
    expect(closed.left).toEqual([]);
  });
});

describe('fields of a packet', () => {
  const around = (one: MadeOutcome): readonly MadeOutcome[] => [PLAIN, one, PLAIN];
  const taken = (a: MadeOutcome, b: MadeOutcome, kernel: MadeOutcome, machine: MadeOutcome): OutcomeBatch => {
    const { output, left } = masked([around(a), around(b)], around(kernel), around(machine));
    expect(left).toEqual([{ ...BYTES, packets: 1 }]);
    return output;
  };

  it('are the machine’s target, where it moved', () => {
    expect([...taken({ redirect: 2 }, { redirect: 3 }, { redirect: 7 }, { redirect: 5 }).redirect]).toEqual([
      0, 5, 0,
    ]);
  });

  it('are the machine’s marks, all of them', () => {
    const machine: MadeOutcome = { mark: 5, priority: 6, cb: [4, 8], tstamp: [1, 9] };
    for (const moving of [{ mark: 1 }, { priority: 1 }, { cb: [0, 1] }, { tstamp: [0, 1] }] as const) {
      const output = taken(PLAIN, moving, { mark: 70, cb: [0, 71] }, machine);
      expect([output.mark[1], output.priority[1]]).toEqual([5, 6]);
      expect([...output.cb.subarray(5, 10)]).toEqual([0, 0, 0, 0, 8]);
      expect([...output.tstamp.subarray(2, 4)]).toEqual([0, 9]);
      expect([output.mark[0], output.mark[2], output.cb[4], output.cb[10]]).toEqual([0, 0, 0, 0]);
    }
  });

  it('are the machine’s lines', () => {
    expect(
      taken({ trace: ['a'] }, { trace: ['b'] }, { trace: ['c'] }, { trace: ['d'] }).trace.get(1),
    ).toEqual(['d']);
    expect(taken({ trace: ['a'] }, { trace: ['b'] }, { trace: ['c'] }, PLAIN).trace.has(1)).toBe(false);
  });

  it('stay where something else moved', () => {
    const { output, left } = masked(
      [around({ redirect: 2 }), around({ redirect: 3 })],
      around({ redirect: 7, mark: 9, trace: ['k'] }),
      around({ redirect: 5 }),
    );
    expect([output.mark[1], output.trace.get(1), output.redirect[1]]).toEqual([9, ['k'], 5]);
    expect(left).toEqual([{ ...BYTES, packets: 1 }]);
  });
});

describe('the outcome of a packet', () => {
  const drop: MadeOutcome = { action: 1 };
  const runs = [
    [PLAIN, PLAIN, PLAIN, PLAIN],
    [PLAIN, drop, PLAIN, PLAIN],
  ] as const;
  const all: readonly MadeOutcome[] = [PLAIN, PLAIN, PLAIN, PLAIN];
  const unseen = ({ output }: { output: OutcomeBatch }): number[] =>
    [...output.status].flatMap((status, packet) => (status === STATUS.unseen ? [packet] : []));

  it('is not compared where it moved', () => {
    const one = masked(runs, all, all);
    expect(unseen(one)).toEqual([1]);
    expect(one.output.notes.get(1)).toEqual({ message: `the outcome ${WHY}` });
    expect(one.left).toEqual([{ ...OUTCOMES, packets: 1 }]);
  });

  it('is not compared where it differs as another one of the same entry moved', () => {
    const one = masked(runs, [drop, PLAIN, drop, drop], all);
    expect(unseen(one)).toEqual([0, 1, 2]);
    expect(one.left).toEqual([{ ...OUTCOMES, packets: 3 }]);
    expect(unseen(masked(runs, [drop, PLAIN, drop, drop], all, (packet) => packet !== 0))).toEqual([1, 2]);
    // Between other actions nothing moved.
    expect(unseen(masked(runs, [{ action: 3 }, PLAIN, PLAIN, PLAIN], all))).toEqual([1]);
  });

  it('is compared where lengths differ and no length moved', () => {
    expect(unseen(masked(runs, [{ packet: [1, 2] }, PLAIN, PLAIN, PLAIN], all))).toEqual([1]);
    const lengths = [all, [PLAIN, { packet: [1] }, PLAIN, PLAIN]] as const;
    expect(unseen(masked(lengths, [{ packet: [1, 2] }, PLAIN, PLAIN, PLAIN], all))).toEqual([0, 1]);
    expect(unseen(masked(lengths, [{ metadata: [1], packet: [2, 3, 4] }, PLAIN, PLAIN, PLAIN], all))).toEqual(
      [0, 1],
    );
  });

  it('of a packet that the kernel did not see to its end stays', () => {
    const one = masked(runs, [PLAIN, { status: STATUS.violation }, PLAIN, PLAIN], all);
    expect(one.output.status[1]).toBe(STATUS.violation);
    expect(one.left).toEqual([]);
  });

  it('is left out where it moved and the machine cannot say', () => {
    expect(unseen(masked(runs, [drop, drop, PLAIN, PLAIN], undefined))).toEqual([1]);
    const stopped = [{ status: STATUS.violation, action: 0 }, PLAIN, PLAIN, PLAIN];
    expect(unseen(masked(runs, [drop, PLAIN, PLAIN, PLAIN], stopped))).toEqual([1]);
  });

  it('is compared where nothing moved', () => {
    const one = masked([all, all], [drop, PLAIN, PLAIN, PLAIN], all);
    expect([unseen(one), one.left]).toEqual([[], []]);
  });
});

describe('maps', () => {
  const entry = (key: number, ...value: number[]) => ({
    key: Uint8Array.of(key, 0, 0, 0),
    value: Uint8Array.from(value),
  });
  const map = (entries: readonly ReturnType<typeof entry>[], name = 'counts'): MapSnapshot =>
    snapshotOf({ ...COUNTS, name, valueSize: entries[0]?.value.length ?? 4 }, entries);

  function maskedMaps(
    runs: readonly [readonly MapSnapshot[], readonly MapSnapshot[]],
    kernel: readonly MapSnapshot[],
    machine: readonly MapSnapshot[] | undefined,
  ): { readonly values: string[]; readonly left: string[] } {
    const moved = new MovedParts(1, Uint8Array.of(0));
    moved.enter({ output: outcomes(PLAIN), maps: runs[0] }, { output: outcomes(PLAIN), maps: runs[1] });
    const side = sideOf(outcomes(PLAIN), kernel);
    const left = mask(side, { output: outcomes(PLAIN), maps: machine }, moved, WHY);
    expect(left.every(({ engine, packets }) => engine === 'testrun' && packets === undefined)).toBe(true);
    const values = side.maps!.map(({ definition, values: own }) => `${definition.name} ${[...own]}`);
    return { values, left: left.map(({ what }) => what) };
  }

  const wide = (first: number, last: number): readonly MapSnapshot[] => [
    map([entry(1, first, 0, 0, 0, 5, 5, 5, 5, last, 0, 0, 0), entry(2, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)]),
  ];

  it('have the machine’s bytes where values moved, word by word, in every entry', () => {
    const kernel = [
      map([entry(1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7), entry(2, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8)]),
    ];
    expect(maskedMaps([wide(1, 1), wide(2, 2)], kernel, wide(3, 4))).toEqual({
      values: ['counts 3,0,0,0,7,7,7,7,4,0,0,0,1,1,1,1,8,8,8,8,3,3,3,3'],
      left: [`map counts: bytes 0-3, 8-11 of its values: ${WHY}`],
    });
  });

  it.each([
    [[9], '0'],
    [[1, 2, 3, 4, 9], '4'],
    [[1, 2, 3, 4, 5, 9], '4-5'],
    [[9, 2, 3, 4, 9], '0-4'],
  ])('say which bytes: %j', (value, ranges) => {
    const before = value.map((byte) => (byte === 9 ? 0 : byte));
    const runs = [[map([entry(1, ...before)])], [map([entry(1, ...value)])]] as const;
    expect(maskedMaps(runs, runs[0], runs[1]).left).toEqual([
      `map counts: bytes ${ranges} of its values: ${WHY}`,
    ]);
  });

  it('are not compared at all where keys moved, keys differ, or the machine has no such map', () => {
    const gone = { values: [], left: [`map counts: ${WHY}`] };
    const one = [map([entry(1, 1, 1, 1, 1)])];
    const two = [map([entry(1, 2, 2, 2, 2)])];
    const other = [map([entry(2, 1, 1, 1, 1)])];
    expect(maskedMaps([one, other], one, one)).toEqual(gone);
    expect(maskedMaps([one, two], other, one)).toEqual(gone);
    expect(maskedMaps([one, two], [map([entry(1, 1, 1, 1, 1), entry(2, 1, 1, 1, 1)])], one)).toEqual(gone);
    expect(maskedMaps([one, two], one, undefined)).toEqual(gone);
  });

  it('stay where another one moved', () => {
    const still = map([entry(1, 6, 6, 6, 6)], 'still');
    const moving = (value: number): readonly MapSnapshot[] => [map([entry(1, value, 0, 0, 0)]), still];
    const kernel = [map([entry(1, 9, 0, 0, 0)]), map([entry(1, 7, 7, 7, 7)], 'still')];
    expect(maskedMaps([moving(1), moving(2)], kernel, moving(3)).values).toEqual([
      'counts 3,0,0,0',
      'still 7,7,7,7',
    ]);
  });
});

describe('runs under other clocks', () => {
  it('are sessions of their own, which are closed', async () => {
    const machine = fakeEngine('wasm', (_, { world }) => ({ action: world.time === undefined ? 2 : 1 }));
    const kernel = fakeEngine('testrun', () => ({ action: 2 }));
    const side = new EngineSide(kernel, FAKE_PROGRAM, 1);
    const input = new PacketBatch(1);
    input.push({ packet: new Uint8Array(20) });
    expect(await side.run({}, input)).toBe(true);
    side.live = ['bpf_ktime_get_ns'];
    const clocks = new ClockMask(FAKE_PROGRAM, [kernel, machine]);
    expect(await clocks.apply({}, input, [side])).toEqual([
      { what: 'outcomes: what a packet comes to depends on bpf_ktime_get_ns', engine: 'testrun', packets: 1 },
    ]);
    // As it is, and under five others; the kernel twice more.
    expect([machine.log.packets, kernel.log.packets]).toEqual([6, 3]);
    await clocks.close();
    expect(machine.log.closed).toBe(machine.log.opened);
    await side.close();
    expect(kernel.log.closed).toBe(kernel.log.opened);
  });

  it('have the same clock where nothing but the order of elements is the kernel’s own', async () => {
    const object = readFileSync(
      new URL('../sim/engines/test-support/recorded/text_and_loops.o', import.meta.url),
    );
    const program = {
      ...FAKE_PROGRAM,
      object: new Uint8Array(object),
      entries: [{ function: 'text_and_loops', hook: 'xdp' }],
    } as const;
    const left = async (live: readonly string[]): Promise<NotCompared[]> => {
      // The first packet comes to what the clock says, the second to what the order of elements says.
      const machine = fakeEngine('wasm', ({ packet }, { world }) => ({
        action: (packet.length === 20 ? world.time : world.hashSeed) === undefined ? 2 : 1,
      }));
      const side = new EngineSide(
        fakeEngine('testrun', () => ({ action: 2 })),
        program,
        2,
      );
      const input = new PacketBatch(2);
      for (const length of [20, 21]) input.push({ packet: new Uint8Array(length) });
      await side.run({}, input);
      expect(side.live).toEqual(['bpf_for_each_map_elem']);
      side.live = live;
      return await new ClockMask(program, [side.engine, machine]).apply({}, input, [side]);
    };
    const both = ['bpf_ktime_get_ns', 'bpf_for_each_map_elem'];
    expect((await left(both)).map(({ packets }) => packets)).toEqual([2]);
    expect((await left(['bpf_for_each_map_elem'])).map(({ packets }) => packets)).toEqual([1]);
  });

  it('say nothing of outcomes that stay', async () => {
    const kernel = fakeEngine('testrun', () => ({ action: 2 }));
    const side = new EngineSide(kernel, FAKE_PROGRAM, 1);
    const input = new PacketBatch(1);
    input.push({ packet: new Uint8Array(20) });
    await side.run({}, input);
    // Without a machine among the engines there is one all the same; it cannot run this program.
    const clocks = new ClockMask(FAKE_PROGRAM, [kernel]);
    expect(await clocks.apply({}, input, [side])).toEqual([]);
    await clocks.close();
    await side.close();
  });
});
