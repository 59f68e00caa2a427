import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../sim/runtime/actions.ts';
import { EngineSide } from './engine-side.ts';
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
});
