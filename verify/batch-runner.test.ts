/** What runners hand over: segments, what is found in them, and who takes part. */
import { describe, expect, it } from 'vitest';
import type { SavedCase } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import type { World } from '../sim/runtime/world.ts';
import { BatchRunner, type RunnerOptions } from './batch-runner.ts';
import type { Segment } from './segment.ts';
import { type Behaviour, FAKE_PROGRAM, type FakeOptions, fakeEngine } from './test-support/engines.ts';
import { data, ethernet, ipv4, udp } from './test-support/packets.ts';

/** All batches of four packets. */
const ALL = { from: 0, to: Number.POSITIVE_INFINITY, step: 1 };
const passes: Behaviour = () => ({ action: XDP_PASS });
/** Its length says which packet it is: 20, 21 … */
const lengths = {
  fill: (
    batch: Parameters<NonNullable<RunnerOptions['source']>['fill']>[0],
    _seed: unknown,
    first: number,
    count: number,
  ) => {
    for (let index = first; index < first + count; index++) batch.push({ packet: data(20 + index) });
  },
};
const dropsFrom =
  (length: number): Behaviour =>
  ({ packet }) => ({ action: packet.length >= length ? XDP_DROP : XDP_PASS });

function runner(engines: readonly Engine[], more: Partial<RunnerOptions> = {}): BatchRunner {
  return new BatchRunner({
    ...{
      program: FAKE_PROGRAM,
      engines,
      seed: 'seed',
      total: 12,
      batchSize: 4,
      source: lengths,
      isOver: () => false,
    },
    ...more,
  });
}

async function all(segments: AsyncGenerator<Segment, void, undefined>): Promise<Segment[]> {
  const list: Segment[] = [];
  for await (const segment of segments) list.push(segment);
  return list;
}

const sum = (segments: readonly Segment[], of: (segment: Segment) => number): number =>
  segments.reduce((total, segment) => total + of(segment), 0);
const found = (segments: readonly Segment[]): string[] =>
  segments.flatMap(({ found: list }) =>
    list.map(({ finding, seen }) => `${finding.engines.join('/')} ${finding.field} ${JSON.stringify(seen)}`),
  );

describe('a run in batches', () => {
  it('runs all packets through all engines, and says where the next part begins', async () => {
    const engines = [fakeEngine('wasm', passes), fakeEngine('vm', passes)];
    const segments = await all(runner(engines).run(ALL));
    expect(segments.at(-1)?.next).toBe(3);
    expect(sum(segments, ({ report }) => report.packets)).toBe(12);
    expect(sum(segments, ({ report }) => report.compared)).toBe(12);
    expect(engines.map(({ log }) => log.packets)).toEqual([12, 12]);
    // The reference first, in any order that they are given in.
    expect(segments[0]!.report.engines.map(({ name, status }) => [name, status])).toEqual([
      ['vm', 'ran'],
      ['wasm', 'ran'],
    ]);
    expect(segments.every(({ waits }) => !waits)).toBe(true);
  });

  it('runs every so many batches', async () => {
    const engine = fakeEngine('vm', passes);
    const segments = await all(runner([engine]).run({ from: 1, to: 3, step: 2 }));
    expect(engine.log.packets).toBe(4);
    expect(segments.at(-1)?.next).toBe(3);
  });

  it('hands over at once what is new, and each kind once', async () => {
    const segments = await all(
      runner([fakeEngine('vm', passes), fakeEngine('wasm', dropsFrom(25))]).run(ALL),
    );
    expect(segments.length).toBe(2);
    expect(segments.map(({ next, waits }) => [next, waits])).toEqual([
      [2, true],
      [3, false],
    ]);
    expect(found(segments)).toEqual(['vm/wasm action {"seed":"seed","packet":5}']);
    const [one] = segments[0]!.found;
    expect(one?.case.stimuli.map(({ packet }) => packet.length)).toEqual([24, 25]);
    expect(one?.finding.packet).toBe(1);
    expect(one).not.toHaveProperty('savedIn');
  });

  it('hands over what the oracle finds as often as asked for, and differences once', async () => {
    const frame = ethernet(0x0800, ipv4(17, udp(data(8))));
    const source: RunnerOptions['source'] = {
      fill: (batch, _seed, _first, count) => {
        for (let index = 0; index < count; index++) batch.push({ packet: frame });
      },
    };
    const spoils: Behaviour = ({ packet }) => ({
      action: XDP_PASS,
      packet: packet.map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
    });
    const lines = async (engines: readonly Engine[], sightings?: number): Promise<number> => {
      const more = sightings === undefined ? {} : { sightings };
      return found(await all(runner(engines, { source, ...more, total: 24 }).run(ALL))).length;
    };
    expect(await lines([fakeEngine('wasm', spoils)])).toBe(1);
    expect(await lines([fakeEngine('wasm', spoils)], 3)).toBe(3);
    expect(await lines([fakeEngine('vm', passes), fakeEngine('wasm', dropsFrom(20))], 3)).toBe(1);
  });

  it('hands over as often what packets show that are special in another way, and once where it is not asked for', async () => {
    const plain = ethernet(0x0800, ipv4(17, udp(data(8))));
    const odd = ethernet(0x0800, ipv4(17, udp(data(9))));
    const source: RunnerOptions['source'] = {
      // One batch in four has an odd packet, behind the others.
      fill: (batch, _seed, first, count) => {
        for (let index = 1; index <= count; index++)
          batch.push({ packet: index === count && first >= 16 ? odd : plain });
      },
    };
    const spoils: Behaviour = ({ packet }) => ({
      action: XDP_PASS,
      packet: packet.map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
    });
    const shapes = async (more: Partial<RunnerOptions>): Promise<(string | undefined)[]> => {
      const segments = await all(
        runner([fakeEngine('wasm', spoils)], { source, ...more, total: 24 }).run(ALL),
      );
      return segments.flatMap(({ found: list }) => list.map(({ finding }) => finding.shape));
    };
    const even = 'wrong good plain even';
    expect(await shapes({ sightings: 2 })).toEqual([
      even,
      even,
      'wrong good plain odd',
      'wrong good plain odd',
    ]);
    expect(await shapes({})).toEqual([undefined]);
  });

  it('begins anew where it is told to: what was found is found again, without engines that failed elsewhere', async () => {
    const one = runner([
      fakeEngine('vm', passes),
      fakeEngine('wasm', dropsFrom(20)),
      fakeEngine('testrun', passes),
    ]);
    expect(found(await all(one.run(ALL))).length).toBeGreaterThan(0);
    expect(found(await all(one.run(ALL)))).toEqual([]);
    await one.restart(new Map([['testrun', { kind: 'environment', message: 'gone', remedy: 'come back' }]]));
    const again = await all(one.run(ALL));
    expect(found(again)).toEqual(['vm/wasm action {"seed":"seed","packet":0}']);
    const engine = again[0]!.report.engines.find(({ name }) => name === 'testrun');
    expect(engine).toMatchObject({ status: 'failed', reason: 'gone', remedy: 'come back', packets: 0 });
    await one.close();
  });

  it('waits where an engine has failed, and goes on without it', async () => {
    const failing: FakeOptions = { openError: () => new Error('no device') };
    const segments = await all(
      runner([fakeEngine('vm', passes), fakeEngine('testrun', passes, failing)]).run(ALL),
    );
    expect(segments.map(({ waits }) => waits)).toEqual([true, false]);
    expect(segments.at(-1)!.report.engines).toMatchObject([
      { name: 'testrun', status: 'failed' },
      { name: 'vm', status: 'ran' },
    ]);
    expect(sum(segments, ({ report }) => report.compared)).toBe(0);
  });

  it('ends where all engines have failed, or it is over', async () => {
    const failing = fakeEngine('vm', passes, { openError: () => new Error('no device') });
    const segments = await all(runner([failing]).run(ALL));
    expect(segments.at(-1)?.next).toBe(1);
    let asked = 0;
    const engine = fakeEngine('vm', passes);
    await all(runner([engine], { isOver: () => asked++ >= 2 }).run(ALL));
    expect(engine.log.packets).toBe(8);
  });

  it('names engines that cannot run here, and says what is not as usual', async () => {
    const absent = fakeEngine('testrun', passes, {
      availability: { available: false, reason: 'not root', remedy: 'use sudo' },
    });
    const noted = fakeEngine('vm', passes, { availability: { available: true, note: 'an old kernel' } });
    const one = runner([absent, noted]);
    expect(one.engines.map(({ name }) => name)).toEqual(['vm']);
    const [segment] = await all(one.run(ALL));
    expect(segment!.report.engines).toMatchObject([
      { name: 'vm', status: 'ran', note: 'an old kernel' },
      { name: 'testrun', status: 'skipped', reason: 'not root', remedy: 'use sudo', packets: 0, seconds: 0 },
    ]);
    expect(segment!.report.engines[0]).not.toHaveProperty('pinned');
  });

  it('compares an engine that does not take some packets on the others', async () => {
    const even: FakeOptions = {
      refuses: (batch) => {
        for (let packet = 0; packet < batch.count; packet++)
          if (batch.length[packet]! % 2 === 1) return { rule: 'odd', packet };
        return undefined;
      },
    };
    const drops = fakeEngine('testrun', dropsFrom(30), even);
    const segments = await all(runner([fakeEngine('vm', passes), drops]).run(ALL));
    expect(drops.log.packets).toBe(6);
    expect(found(segments)).toEqual(['testrun/vm action {"seed":"seed","packet":10}']);
    expect(sum(segments, ({ report }) => report.compared)).toBe(6);
    expect(sum(segments, ({ report }) => report.packets)).toBe(12);
    // Where nobody takes all of them, what the reference takes is the case.
    const both = await all(
      runner([fakeEngine('vm', passes, even), fakeEngine('testrun', dropsFrom(30), even)]).run(ALL),
    );
    expect(found(both)).toEqual(['testrun/vm action {"seed":"seed","packet":10}']);
  });

  it('shows every case to who watches, once', async () => {
    const seen: string[] = [];
    const observe: RunnerOptions['observe'] = (_world, input, reports) =>
      void seen.push(`${input.count} of ${reports.map(({ engine }) => engine.name).join()}`);
    await all(runner([fakeEngine('wasm', passes), fakeEngine('vm', passes)], { observe }).run(ALL));
    expect(seen).toEqual(['4 of vm,wasm', '4 of vm,wasm', '4 of vm,wasm']);
  });

  it('compares what is left where an engine stopped', async () => {
    const stops: Behaviour = ({ packet }) =>
      packet.length === 21
        ? { action: XDP_PASS, violation: 'out of bounds' }
        : dropsFrom(22)({ packet } as never, undefined as never);
    const segments = await all(runner([fakeEngine('vm', passes), fakeEngine('wasm', stops)]).run(ALL));
    expect(found(segments)).toEqual([
      'oracle/wasm status {"seed":"seed","packet":1}',
      'vm/wasm action {"seed":"seed","packet":2}',
    ]);
    expect(sum(segments, ({ report }) => report.compared)).toBe(11);
  });

  it('compares up to the first stop where leaving packets out does not help, and counts what is behind it', async () => {
    // Whatever is left out, another packet is the sixth then.
    const sixthStops: Behaviour = (_, { packets }) =>
      packets === 6
        ? { action: XDP_PASS, violation: 'what the sixth does' }
        : { action: packets > 6 ? XDP_DROP : XDP_PASS };
    const engines = [fakeEngine('vm', passes), fakeEngine('wasm', sixthStops)];
    const segments = await all(runner(engines, { batchSize: 12 }).run(ALL));
    expect(found(segments)).toEqual(['oracle/wasm status {"seed":"seed","packet":5}']);
    expect(sum(segments, ({ report }) => report.compared)).toBe(5);
    // Four of twelve are stops, one in each round.
    expect(segments.flatMap(({ report }) => report.notCompared)).toEqual(
      expect.arrayContaining([
        { what: 'packets on which the machine stopped the program', engine: 'wasm', packets: 4 },
        { what: 'packets behind one that an engine did not run to its end', engine: 'wasm', packets: 3 },
      ]),
    );
  });
});

describe('a world with a guessed slot', () => {
  const world = {
    slots: { jumps: [{ key: new Uint8Array(4), name: 'other', guessed: true }] },
  } as unknown as World;
  const worlds = [{ name: 'guessed', world }];
  const inSlot: Behaviour = (one, state) =>
    (state.world.slots === undefined ? passes : dropsFrom(20))(one, state);

  it('has findings that are the program’s own without the slot, as such, and asks once', async () => {
    const engines = [fakeEngine('vm', passes), fakeEngine('wasm', dropsFrom(20))];
    const segments = await all(runner(engines, { worlds }).run(ALL));
    expect(found(segments)).toEqual(['vm/wasm action {"seed":"seed","packet":0}']);
    expect(segments[0]!.found[0]!.case.world).toEqual({});
    // Three batches, a fresh session for the question, and no more of them.
    expect(engines.map(({ log }) => log.opened)).toEqual([2, 2]);
  });

  it('has findings that take both, which are shown with it', async () => {
    const engines = [fakeEngine('vm', passes), fakeEngine('wasm', inSlot)];
    const segments = await all(runner(engines, { worlds }).run(ALL));
    expect(found(segments)).toEqual(['vm/wasm action {"seed":"seed","packet":0}']);
    expect(segments[0]!.found[0]!.case.world).toBe(world);
    expect(segments[0]!.found[0]).not.toHaveProperty('isByGuess');
    expect(engines.map(({ log }) => log.opened)).toEqual([2, 2]);
  });

  it('has findings of the guess, which say so; of further packets it is asked as often as they may be seen', async () => {
    const packet = ethernet(0x0800, ipv4(17, udp(data(8))));
    const source = {
      fill: (batch: Parameters<typeof lengths.fill>[0], _seed: unknown, _first: number, count: number) => {
        for (let index = 0; index < count; index++) batch.push({ packet });
      },
    };
    const spoils: Behaviour = (one, state) => ({
      ...{ action: XDP_PASS },
      packet:
        state.world.slots === undefined ? one.packet : one.packet.map((byte, at) => byte ^ Number(at === 22)),
    });
    for (const sightings of [1, 2]) {
      const engine = fakeEngine('wasm', spoils);
      const segments = await all(runner([engine], { worlds, source, sightings }).run(ALL));
      const list = segments.flatMap((segment) => segment.found);
      expect(list.map(({ finding, isByGuess }) => `${finding.field} ${isByGuess}`)).toEqual(
        Array(sightings).fill('ipv4.checksum true'),
      );
      expect(engine.log.opened).toBe(1 + sightings);
    }
  });
});

describe('bytes of the stack', () => {
  it('are asked about in sessions that are closed with the run', async () => {
    const note = { warning: 'unwritten-stack', message: 'reads what it never wrote' } as const;
    const reads: Behaviour = (_, { world }) => ({
      action: world.stackFill === undefined ? XDP_PASS : XDP_DROP,
      note,
    });
    const engines = [fakeEngine('vm', reads), fakeEngine('testrun', dropsFrom(20))];
    const one = runner(engines);
    const segments = await all(one.run(ALL));
    expect(found(segments)).toEqual([]);
    expect(segments.flatMap(({ report }) => report.warnings).length).toBeGreaterThan(0);
    await one.close();
    for (const { log } of engines) expect([log.opened > 1, log.closed]).toEqual([true, log.opened]);
  });
});

describe('saved cases', () => {
  const saved = (path: string, field?: string): SavedCase => ({
    path,
    case: {
      ...{ program: 'fake', world: {}, stimuli: [20, 30].map((size) => ({ packet: data(size) })) },
      ...(field === undefined ? {} : { note: { seed: 's', engines: ['vm', 'wasm'], field, summary: '' } }),
    },
  });

  it('are run first, and counted apart', async () => {
    const one = runner([fakeEngine('vm', passes), fakeEngine('wasm', passes)]);
    const segments = await all(one.replay([saved('a'), saved('b')]));
    expect(sum(segments, ({ report }) => report.savedCases)).toBe(2);
    expect(sum(segments, ({ report }) => report.savedPackets)).toBe(4);
    expect(segments.at(-1)?.next).toBe(0);
  });

  it('are named where they show something, and known where they are divergences of earlier runs', async () => {
    const one = runner([fakeEngine('vm', passes), fakeEngine('wasm', dropsFrom(30))], { batchSize: 1 });
    const segments = await all(one.replay([saved('a', 'action')]));
    const [first] = segments[0]!.found;
    expect(first).toMatchObject({ seen: { file: 'a' }, savedIn: 'a' });
    const other = runner([fakeEngine('vm', passes), fakeEngine('wasm', dropsFrom(30))]);
    const [plain] = (await all(other.replay([saved('a')])))[0]!.found;
    expect(plain).toMatchObject({ seen: { file: 'a' } });
    expect(plain).not.toHaveProperty('savedIn');
  });

  it('end where it is over', async () => {
    const engine = fakeEngine('vm', passes);
    await all(runner([engine], { isOver: () => true }).replay([saved('a')]));
    expect(engine.log.packets).toBe(0);
  });
});

describe('the end of a run', () => {
  it('closes sessions, and says which engines fail at that', async () => {
    const plain = fakeEngine('vm', passes);
    const stubborn = fakeEngine('wasm', passes);
    const failing: Engine = {
      ...stubborn,
      open: async (program, world) => ({
        ...(await stubborn.open(program, world)),
        close: async () => {
          throw new Error('cannot close');
        },
      }),
    };
    const one = runner([plain, failing]);
    await all(one.run(ALL));
    const { report, waits } = await one.finish();
    expect(waits).toBe(true);
    expect(report.engines).toMatchObject([
      { name: 'vm', status: 'ran' },
      { name: 'wasm', status: 'failed' },
    ]);
    expect(plain.log.closed).toBe(plain.log.opened);
  });
});
