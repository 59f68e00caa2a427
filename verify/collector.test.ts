/** How segments become a report: in order, each divergence once, saved before and after it was made small. */
import { describe, expect, it } from 'vitest';
import { Collector, type CollectorOptions, type Investigator } from './collector.ts';
import type { EngineFailure } from './engine-side.ts';
import type { Divergence, EngineReport, ProgramReport } from './report.ts';
import type { Found, Segment } from './segment.ts';
import { FAKE_PROGRAM } from './test-support/engines.ts';
import { data } from './test-support/packets.ts';
import { plainOutcome } from './test-support/plain-outcome.ts';

const engine = (more: Partial<EngineReport> = {}): EngineReport => ({
  ...{ name: 'vm', status: 'ran', packets: 1, seconds: 0 },
  ...more,
});
function segment(found: readonly Found[] = [], more: Partial<ProgramReport> = {}): Segment {
  const report: ProgramReport = {
    ...{
      name: 'x',
      packets: 10,
      savedPackets: 0,
      savedCases: 0,
      compared: 0,
      judged: 0,
      seconds: 0,
      interrupted: false,
    },
    ...{ engines: [engine()], notCompared: [], divergences: [], warnings: [], defects: [], actions: {} },
    ...more,
  };
  return { next: 1, report, found, waits: found.length > 0 };
}
function found(field: string, more: Partial<Found> = {}): Found {
  const outcome = plainOutcome(data(60));
  return {
    finding: {
      ...{ engines: ['vm', 'wasm'], part: 'action', field, packet: 1 },
      expected: outcome,
      got: { ...outcome, action: 1 },
    },
    case: { program: 'fake', world: {}, stimuli: [{ packet: data(60) }, { packet: data(50) }] },
    seen: { seed: 's', packet: 7 },
    ...more,
  };
}

const collector = (more: Partial<CollectorOptions> = {}): Collector =>
  new Collector({ program: FAKE_PROGRAM, seed: 's', maxDivergences: 2, total: 100, ...more });
/** Makes a case of one packet of it. */
const shrinks: Investigator = async ({ finding, case: shown }) => ({
  ...{
    finding: { ...finding, packet: 0 },
    case: { ...shown, stimuli: shown.stimuli.slice(1) },
    state: 'shrunk',
  },
});
const asFound: Investigator = async ({ finding, case: shown }) => ({ finding, case: shown, state: 'found' });
const fields = ({ divergences }: ProgramReport): string[] => divergences.map(({ field }) => field);

describe('divergences', () => {
  it('are kept once each, as many as asked for, and others are named', async () => {
    const one = collector();
    expect(one.hasEnough()).toBe(false);
    await one.take(segment([found('a'), found('a')]), asFound);
    expect([one.hasEnough(), one.isOver()]).toEqual([false, false]);
    await one.take(segment([found('b'), found('a'), found('c')]), asFound);
    expect([one.hasEnough(), one.isOver()]).toEqual([true, true]);
    const report = one.report();
    expect(fields(report)).toEqual(['a', 'b']);
    expect(report.further).toEqual([{ engines: ['vm', 'wasm'], field: 'c' }]);
    expect(collector().report()).not.toHaveProperty('further');
  });

  it('of one kind are several where they lie in several places, or behind a guessed slot', async () => {
    const places = ['a.c:1', 'a.c:2', 'a.c:1', undefined, undefined];
    const one = collector({ maxDivergences: 9, places: { placeOf: async () => places.shift() } });
    await one.take(segment([found('a'), found('a'), found('a'), found('a'), found('a')]), asFound);
    expect(fields(one.report())).toEqual(['a', 'a', 'a']);
    const guessed = { slots: { m: [{ key: new Uint8Array(4), name: 'f', guessed: true }] } } as never;
    const other = collector({ maxDivergences: 9 });
    const shown = { ...found('a').case, world: guessed };
    await other.take(
      segment([found('a'), found('a', { case: shown }), found('a', { case: shown })]),
      asFound,
    );
    expect(fields(other.report())).toEqual(['a', 'a']);
  });

  it('of one kind and place are several where they have several causes', async () => {
    const causes = ['tail', 'tail', 'padding', undefined, 'tail'];
    const places = { placeOf: async () => 'a.c:1', causeOf: () => causes.shift() };
    const one = collector({ maxDivergences: 9, places });
    await one.take(segment([found('a'), found('a'), found('a'), found('a'), found('a')]), asFound);
    expect(fields(one.report())).toEqual(['a', 'a', 'a']);
  });

  it('of one packet and field are told apart where they are saved', async () => {
    const places = ['a.c:1', 'a.c:2', 'a.c:3'];
    const saved: string[] = [];
    const one = collector({
      ...{ maxDivergences: 9, places: { placeOf: async () => places.shift() } },
      save: async ({ field, run = 'first', case: { stimuli } }) => {
        saved.push(`${field} ${run}: ${stimuli.length}`);
        return { file: `${field} ${run}` };
      },
    });
    await one.take(segment([found('a'), found('a', { seen: { seed: 's', packet: 8 } })]), asFound);
    await one.take(segment([found('a')]), shrinks);
    expect(saved).toEqual(['a first: 2', 'a first: 2', 'a 2: 2', 'a 2: 1']);
    expect(one.report().divergences.map(({ file }) => file)).toEqual(['a first', 'a first', 'a 2']);
  });

  it('of a guess have room of their own where they are notes, and take nobody’s place', async () => {
    const slots = { m: [{ key: new Uint8Array(4), name: 'f', guessed: true }] };
    const guessed = { ...found('a').case, world: { slots } } as Found['case'];
    const byGuess = (field: string): Found => found(field, { isByGuess: true, case: guessed });
    const all = [byGuess('a'), byGuess('b'), byGuess('c'), found('a')];
    const notes = collector({ notesGuesses: true });
    await notes.take(segment(all), asFound);
    expect(notes.report().divergences.map(({ field, isByGuess }) => `${field} ${isByGuess}`)).toEqual([
      'a true',
      'b true',
      'a undefined',
    ]);
    expect(notes.report().further).toHaveLength(1);
    expect(notes.hasEnough()).toBe(false);
    const own = collector();
    await own.take(segment([byGuess('a')]), async ({ finding, case: shown }) => ({
      ...{ finding, case: { ...shown, world: {} }, state: 'shrunk' },
    }));
    expect(own.report().divergences[0]).not.toHaveProperty('isByGuess');
    const errors = collector();
    await errors.take(segment(all), asFound);
    expect(fields(errors.report())).toEqual(['a', 'b']);
    expect(errors.hasEnough()).toBe(true);
  });

  it('are shown as they are when they are small, with the note of where they were seen', async () => {
    const one = collector();
    await one.take(segment([found('a')]), async (...from) => ({
      ...(await shrinks(...from)),
      stopped: { after: 'seconds', limit: 3 },
      witness: plainOutcome(data(50)),
    }));
    const [divergence] = one.report().divergences;
    expect(divergence).toMatchObject({
      ...{
        program: 'fake',
        engines: ['vm', 'wasm'],
        part: 'action',
        field: 'a',
        severity: 'error',
        state: 'shrunk',
      },
      ...{
        seen: { seed: 's', packet: 7 },
        finding: { packet: 0 },
        stopped: { after: 'seconds', limit: 3 },
        witness: { action: 2 },
      },
    });
    expect(divergence!.case.stimuli.map(({ packet }) => packet.length)).toEqual([50]);
    expect(divergence!.case.note).toMatchObject({
      seed: 's',
      engines: ['vm', 'wasm'],
      field: 'a',
      summary: divergence!.summary,
    });
    expect(divergence).not.toHaveProperty('file');
    const plain = collector();
    await plain.take(segment([found('a')]), asFound);
    expect(plain.report().divergences[0]).not.toHaveProperty('witness');
    expect(plain.report().divergences[0]).not.toHaveProperty('stopped');
  });
});

describe('saving', () => {
  async function saved(
    investigate: Investigator,
    one: Found = found('a'),
  ): Promise<{ calls: string[]; divergence: Divergence }> {
    const calls: string[] = [];
    const all = collector({
      save: async ({ state, file, case: shown }) => {
        calls.push(`${state} ${shown.stimuli.length} ${file ?? '-'}`);
        return { file: `${calls.length}.pcapng` };
      },
    });
    await all.take(segment([one]), investigate);
    return { calls, divergence: all.report().divergences[0]! };
  }

  it('is done at once, and again when the case is small', async () => {
    const { calls, divergence } = await saved(shrinks);
    expect(calls).toEqual(['found 2 -', 'shrunk 1 1.pcapng']);
    expect(divergence.file).toBe('2.pcapng');
  });

  it('is not done again where nobody tried to make it smaller', async () => {
    const { calls, divergence } = await saved(asFound);
    expect([calls, divergence.file]).toEqual([['found 2 -'], '1.pcapng']);
  });

  it('is not done again for each of many smaller cases', async () => {
    const { calls, divergence } = await saved(async (one, onSmaller) => {
      for (let times = 0; times < 5; times++)
        await onSmaller({ ...one.case, stimuli: one.case.stimuli.slice(1) }, one.finding);
      return shrinks(one, onSmaller);
    });
    expect(calls[0]).toBe('found 2 -');
    expect(calls.at(-1)).toMatch(/^shrunk 1 /);
    expect(calls.length).toBeLessThan(7);
    expect(divergence.state).toBe('shrunk');
  });

  it('leaves alone what lies in a file already', async () => {
    const { calls, divergence } = await saved(
      async (one) => ({ finding: one.finding, case: one.case, state: 'saved' }),
      found('a', { savedIn: 'old.pcapng' }),
    );
    expect(calls).toEqual([]);
    expect(divergence).toMatchObject({ state: 'saved', file: 'old.pcapng' });
  });

  it('that fails is said, and what was found is reported', async () => {
    const one = collector({
      save: async () => {
        throw new Error('no room');
      },
    });
    await one.take(segment([found('a')]), shrinks);
    expect(one.report().divergences[0]).toMatchObject({
      state: 'shrunk',
      unsaved: { path: 'a file', reason: expect.stringContaining('no room') },
    });
    let times = 0;
    const later = collector({
      save: async () => {
        if (times++ > 0) throw new Error('no room');
        return { file: 'first.pcapng', unsaved: { path: 'p', reason: 'elsewhere' } };
      },
    });
    await later.take(segment([found('a')]), shrinks);
    expect(later.report().divergences[0]).toMatchObject({
      file: 'first.pcapng',
      unsaved: { path: 'first.pcapng', reason: expect.stringContaining('no room') },
    });
  });
});

describe('the report', () => {
  it('adds segments up, and says whether the run was ended', async () => {
    const stop = new AbortController();
    const one = collector({ signal: stop.signal });
    expect([one.packets, one.isOver()]).toEqual([0, false]);
    await one.take(segment([], { actions: { XDP_PASS: 1, custom: 2 } }), asFound);
    await one.take(segment([], { actions: { XDP_DROP: 3, XDP_PASS: 4, another: 1 } }), asFound);
    expect(one.packets).toBe(20);
    expect(one.report()).toMatchObject({ name: 'fake', packets: 20, interrupted: false });
    // In the kernel's order, what it does not know last.
    expect(Object.entries(one.report().actions)).toEqual([
      ['XDP_DROP', 3],
      ['XDP_PASS', 5],
      ['another', 1],
      ['custom', 2],
    ]);
    stop.abort();
    expect([one.isOver(), one.report().interrupted]).toEqual([true, true]);
  });

  it('is complete where nothing ran, and says why', () => {
    const failure: EngineFailure = { kind: 'internal', message: 'out of cheese' };
    const one = collector();
    expect(one.report()).not.toHaveProperty('failure');
    one.fail(failure);
    expect(one.report()).toMatchObject({ name: 'fake', packets: 0, compared: 0, engines: [], failure });
  });

  it('names gaps of all packets first, then counted ones by name', async () => {
    const gap = (what: string, packets?: number) => ({
      what,
      engine: 'vm' as const,
      ...(packets === undefined ? {} : { packets }),
    });
    const one = collector();
    await one.take(segment([], { notCompared: [gap('z', 1), gap('m'), gap('a', 2), gap('b')] }), asFound);
    expect(one.report().notCompared).toEqual([gap('m'), gap('b'), gap('a', 2), gap('z', 1)]);
  });

  it('is enough where no engine runs any more', async () => {
    const failure: EngineFailure = { kind: 'environment', message: 'gone' };
    const failed = engine({ status: 'failed', failure });
    const one = collector();
    expect(await one.take(segment(), asFound)).toBe(false);
    expect(one.failures().size).toBe(0);
    expect(await one.take(segment([], { engines: [failed] }), asFound)).toBe(true);
    expect(one.failures()).toEqual(new Map([['vm', failure]]));
    expect([one.hasEnough(), one.isOver()]).toEqual([true, true]);
    expect(await one.take(segment([], { engines: [failed] }), asFound)).toBe(false);
  });

  it('is over when its time is', () => {
    expect(collector({ seconds: 0 }).isOver()).toBe(true);
    expect(collector({ seconds: 1000 }).isOver()).toBe(false);
  });
});
