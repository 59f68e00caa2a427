import { describe, expect, it } from 'vitest';
import { type Engine, EngineError } from '../sim/engines/engine.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../sim/runtime/actions.ts';
import { InputError } from '../sim/runtime/input-error.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { EngineSide, failureOf } from './engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';

const LOST = 'the frame got lost';

/** Loses frames of odd length from sight. */
const losing: Behaviour = ({ packet }) =>
  packet.length % 2 === 1 ? { action: XDP_PASS, unseen: LOST } : { action: XDP_PASS };

function batchOf(...lengths: number[]): PacketBatch {
  const batch = new PacketBatch(lengths.length);
  for (const length of lengths) batch.push({ packet: new Uint8Array(length) });
  return batch;
}

describe('one engine in a run', () => {
  it('counts packets that ran and were not seen, by reason', async () => {
    const side = new EngineSide(fakeEngine('veth', losing), FAKE_PROGRAM, 8);
    expect(await side.run({}, batchOf(14, 15, 16, 17, 19))).toBe(true);
    expect([...side.refused]).toEqual([[LOST, 3]]);
    expect(side.packets).toBe(5);
    await side.run({}, batchOf(15));
    expect([...side.refused]).toEqual([[LOST, 4]]);
  });

  it('counts nothing twice when a case runs again', async () => {
    const side = new EngineSide(fakeEngine('veth', losing), FAKE_PROGRAM, 8);
    await side.run({}, batchOf(14, 15));
    const { seconds } = side;
    await side.run({}, batchOf(14, 15), true);
    expect([...side.refused]).toEqual([[LOST, 1]]);
    expect([side.packets, side.seconds]).toEqual([2, seconds]);
  });

  it('counts packets that the engine refuses by their reasons, and takes the others', () => {
    const engine = fakeEngine('testrun', losing, {
      refuses: (batch) => {
        const packet = batch.length.subarray(0, batch.count).findIndex((length) => length < 14);
        return packet < 0 ? undefined : { packet, rule: `${batch.length[packet]} bytes` };
      },
    });
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    expect(side.takes(batchOf(14, 13))).toBe(false);
    expect(side.takes(batchOf(14, 15))).toBe(true);
    for (const length of [13, 13, 12, 14]) side.refusal(batchOf(length));
    expect([...side.refused]).toEqual([
      ['13 bytes', 2],
      ['12 bytes', 1],
    ]);
  });

  it('does not run any more once it has failed, and says why', async () => {
    const engine = fakeEngine('veth', losing, { openError: () => new Error('no device') });
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    expect(await side.run({}, batchOf(14))).toBe(false);
    expect(side.failure?.kind).toBe('internal');
    expect(side.failure?.message).toContain('no device');
    expect(side.takes(batchOf(14))).toBe(false);
    expect(await side.run({}, batchOf(14))).toBe(false);
    expect(engine.log.opened).toBe(0);
  });

  it('leaves out worlds that nobody stated and that it cannot make, and goes on', async () => {
    const stated = {};
    const bad = { cpu: 1 };
    let asked = 0;
    const engine = {
      ...fakeEngine('testrun', losing),
      open: (program: Program, world: World) => {
        if (world === stated) return fakeEngine('testrun', losing).open(program, world);
        asked++;
        throw new EngineError('input', 'bind: EINVAL', { ofWorld: true });
      },
    };
    const side = new EngineSide(engine, FAKE_PROGRAM, 8, (world) => world !== stated);
    for (const again of [false, true, false]) expect(await side.run(bad, batchOf(14, 16), again)).toBe(false);
    expect(side.failure).toBeUndefined();
    expect([...side.refused]).toEqual([['worlds made up for the test that it cannot make', 4]]);
    expect(asked).toBe(1);
    expect(await side.run(stated, batchOf(14))).toBe(true);
    const strict = new EngineSide(engine, FAKE_PROGRAM, 8);
    expect(await strict.run(bad, batchOf(14))).toBe(false);
    expect(strict.failure).toEqual({ kind: 'input', message: 'bind: EINVAL', ofWorld: true });
  });

  it('reads the maps of a case when they are asked for, and once', async () => {
    const engine = fakeEngine('vm', ({ packet }, state) => {
      state.counts.set(packet.length, 1);
      return { action: XDP_PASS };
    });
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    await side.run({}, batchOf(14));
    await side.run({}, batchOf(15));
    expect(engine.log.snapshots).toBe(0);
    expect(side.maps?.map((map) => [...map.keys])).toEqual([[15, 0, 0, 0]]);
    expect(side.maps).toHaveLength(1);
    expect(engine.log.snapshots).toBe(1);
    await side.run({}, batchOf(16));
    side.maps = undefined;
    expect(side.maps).toBeUndefined();
    await side.run({}, batchOf(17));
    await side.close();
    expect(side.maps).toBeUndefined();
    expect(engine.log.snapshots).toBe(1);
  });

  it('fails where its maps cannot be read', async () => {
    const side = new EngineSide(
      fakeEngine('vm', losing, { mapsError: new Error('no maps') }),
      FAKE_PROGRAM,
      8,
    );
    expect(await side.run({}, batchOf(14))).toBe(true);
    expect(side.maps).toBeUndefined();
    expect(side.failure?.message).toContain('no maps');
  });

  it('has one session for worlds that say the same, also where copies share a long list', async () => {
    const engine = fakeEngine('vm', losing);
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    const entry = (key: number) => ({ key: Uint8Array.of(key), value: Uint8Array.of(1) });
    const long = Array.from({ length: 5000 }, (_, at) => entry(at & 0xff));
    await side.run({ maps: { a: [entry(1)], b: long } }, batchOf(14));
    await side.run({ maps: { a: [entry(1)], b: long } }, batchOf(14));
    expect(engine.log).toMatchObject({ opened: 1, resets: 1 });
    await side.run({ maps: { a: [entry(2)], b: long } }, batchOf(14));
    await side.run({ maps: { a: [entry(1)], c: long } }, batchOf(14));
    await side.run({ maps: { a: [entry(1)], b: long.slice(1) } }, batchOf(14));
    await side.run({ maps: { a: [entry(1)], b: long }, time: 1n }, batchOf(14));
    expect(engine.log).toMatchObject({ opened: 5, resets: 1 });
  });

  it('keeps sessions of eight worlds open, and brings each back to its state', async () => {
    const engine = fakeEngine('vm', losing);
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    const world = (time: number) => ({ time: BigInt(time) });
    for (let time = 0; time < 9; time++) await side.run(world(time), batchOf(14));
    expect(engine.log).toMatchObject({ opened: 9, closed: 1, resets: 0 });
    await side.run(world(8), batchOf(14));
    await side.run(world(1), batchOf(14));
    expect(engine.log).toMatchObject({ opened: 9, resets: 2 });
    // World 2 has now been idle for longest.
    await side.run(world(0), batchOf(14));
    await side.run(world(1), batchOf(14));
    expect(engine.log).toMatchObject({ opened: 10, closed: 2, resets: 3 });
    await side.close();
    expect(engine.log.closed).toBe(10);
  });

  it('counts packets that did not run to their end, by what the engine says of them', async () => {
    const behave: Behaviour = ({ packet }) =>
      packet.length === 14
        ? { action: XDP_PASS, violation: 'out of bounds' }
        : packet.length === 15
          ? { action: XDP_PASS, fault: 'EINVAL' }
          : { action: XDP_PASS };
    const side = new EngineSide(fakeEngine('vm', behave), FAKE_PROGRAM, 8);
    await side.run({}, batchOf(14, 16, 15, 14, 17));
    expect([...side.refused]).toEqual([]);
    side.countStopped();
    expect([...side.refused]).toEqual([
      ['packets on which the machine stopped the program', 2],
      ['EINVAL', 1],
    ]);
  });

  it('has a new account of what it did, and the same sessions', async () => {
    const engine = fakeEngine('vm', losing);
    const side = new EngineSide(engine, FAKE_PROGRAM, 8);
    await side.run({}, batchOf(14, 15));
    expect(side.seconds).toBeGreaterThan(0);
    side.clearAccount();
    expect([side.packets, side.seconds, side.refused.size]).toEqual([0, 0, 0]);
    await side.run({}, batchOf(14));
    expect([side.packets, engine.log.opened]).toEqual([1, 1]);
  });

  it('grows where a case has more packets, and fails where outcomes are missing', async () => {
    const side = new EngineSide(fakeEngine('vm', losing), FAKE_PROGRAM, 1);
    expect(await side.run({}, batchOf(14, 16, 18))).toBe(true);
    expect(side.output.count).toBe(3);
    const engine = fakeEngine('vm', losing);
    const lossy: Engine = {
      ...engine,
      open: async (program, world) => ({
        ...(await engine.open(program, world)),
        run: async (_, output) => output.clear(),
      }),
    };
    const short = new EngineSide(lossy, FAKE_PROGRAM, 1);
    expect(await short.run({}, batchOf(14))).toBe(false);
    expect(short.failure).toMatchObject({ kind: 'internal' });
    expect(short.failure?.message).toContain('engine vm returned 0 outcomes of 1 packets');
  });

  it('shows no maps where the engine does not observe them', async () => {
    const engine = fakeEngine('vm', losing, { observes: { maps: false } });
    const side = new EngineSide(engine, FAKE_PROGRAM, 1);
    await side.run({}, batchOf(14));
    expect(side.maps).toBeUndefined();
    expect(engine.log.snapshots).toBe(0);
  });

  it('hands out what was reached since it was asked last, closed sessions included', async () => {
    let hits = 0;
    const engine = fakeEngine('vm', () => {
      hits++;
      return { action: XDP_PASS };
    });
    const row = (count: number) => ({
      functions: [
        {
          function: 'f',
          instructions: Float64Array.of(count),
          unreachable: new Uint8Array(1),
          branches: [],
          lines: [],
        },
      ],
    });
    const measuring: Engine = {
      ...engine,
      open: async (program, world) => {
        const before = hits;
        return { ...(await engine.open(program, world)), coverage: () => row(hits - before) };
      },
    };
    const side = new EngineSide(measuring, FAKE_PROGRAM, 1);
    const taken = (): number | undefined => side.takeCoverage()?.functions[0]?.instructions[0];
    expect(taken()).toBeUndefined();
    await side.run({}, batchOf(14, 15));
    expect(taken()).toBe(2);
    expect(taken()).toBe(0);
    await side.run({}, batchOf(14));
    expect(taken()).toBe(1);
    await side.close();
    expect(taken()).toBe(0);
  });
});

describe('why an engine failed', () => {
  it('is what it says, with what helps', () => {
    const plain = new EngineError('environment', 'no kernel');
    expect(failureOf(plain)).toEqual({ kind: 'environment', message: 'no kernel' });
    expect(failureOf(new InputError('bad world'))).toEqual({ kind: 'input', message: 'bad world' });
    expect(failureOf('nothing')).toEqual({ kind: 'internal', message: 'nothing' });
    expect(failureOf(new Error('a bug'))).toMatchObject({
      kind: 'internal',
      message: expect.stringContaining('a bug'),
    });
  });
});
