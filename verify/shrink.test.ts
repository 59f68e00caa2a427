import { describe, expect, it } from 'vitest';
import type { Case } from '../corpus/cases/case.ts';
import { layout } from '../corpus/simplify/packet-layout.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { readU16, writeU16 } from '../sim/packet/bytes.ts';
import { XDP_DROP, XDP_PASS, XDP_TX } from '../sim/runtime/actions.ts';
import type { World } from '../sim/runtime/world.ts';
import { checksumCause } from './explain/causes.ts';
import { Replay } from './replay.ts';
import { type ShrinkOptions, type Shrunk, shrink } from './shrink.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { bytes, data, ethernet, icmp, ipv4, u16 } from './test-support/packets.ts';
import { partsOfWorld, worldOfParts } from './world-parts.ts';

const pass: Behaviour = () => ({ action: XDP_PASS });
const drop = { action: XDP_DROP };

/** A case of `count` packets of 60 bytes, each beginning with its index. */
function sequence(count: number, world: World = {}): Case {
  const stimuli = Array.from({ length: count }, (_, index) => ({ packet: data(60).fill(index, 0, 1) }));
  return { program: 'fake', world, stimuli };
}

/** The least frame that is whole: an Ethernet header of zeros but for its first byte. */
function frame(first: number): Uint8Array {
  return new Uint8Array(14).fill(first, 0, 1);
}

async function shrunk(
  faulty: Behaviour,
  found: Case,
  options: ShrinkOptions = {},
  reference: Behaviour = pass,
): Promise<Shrunk> {
  const engines: Engine[] = [fakeEngine('model', reference), fakeEngine('vm', faulty)];
  const replay = new Replay(FAKE_PROGRAM, engines);
  const [finding] = await replay.findings(found);
  await replay.close();
  return shrink({ program: FAKE_PROGRAM, engines, case: found, finding: finding! }, options);
}

describe('shrink', () => {
  it('finds the one packet of a sequence that needs no other', async () => {
    const result = await shrunk(
      ({ packet }) => (packet[0] === 37 ? drop : { action: XDP_PASS }),
      sequence(60),
    );
    expect(result.state).toBe('shrunk');
    expect(result.case.stimuli).toEqual([{ packet: frame(37) }]);
    expect(result.finding).toMatchObject({ packet: 0, field: 'action' });
  });

  it('keeps exactly the packets that prepare the divergence', async () => {
    // Drops after a packet 11 and, later, a packet 23 were seen.
    const faulty: Behaviour = ({ packet }, state) => {
      const first = packet[0] ?? 0;
      if (first === 11) state.counts.set(11, 1);
      if (first === 23 && state.counts.has(11)) state.counts.set(23, 1);
      return first >= 50 && state.counts.has(23) ? drop : { action: XDP_PASS };
    };
    const reference: Behaviour = (stimulus, state) => {
      faulty(stimulus, state);
      return { action: XDP_PASS };
    };
    const result = await shrunk(faulty, sequence(60), {}, reference);
    expect(result.case.stimuli.map(({ packet }) => packet)).toEqual([11, 23, 50].map(frame));
  });

  it('shrinks a map that differs to one packet', async () => {
    const counts =
      (step: number): Behaviour =>
      ({ packet }, state) => {
        const key = packet.length >= 16 ? 1 : 0;
        state.counts.set(key, (state.counts.get(key) ?? 0) + (key === 1 ? step : 1));
        return { action: XDP_PASS };
      };
    const result = await shrunk(counts(2), sequence(100), {}, counts(1));
    expect(result.finding.field).toBe('map counts');
    expect(result.case.stimuli).toEqual([{ packet: new Uint8Array(16) }]);
  });

  it('finds the shortest packet and the plainest bytes', async () => {
    const faulty: Behaviour = ({ packet }) =>
      packet.length >= 23 && (packet[20] ?? 0) >= 0x60 && (packet[9]! & 1) === 1
        ? drop
        : { action: XDP_PASS };
    const noise = data(60);
    noise[20] = 0xe5;
    noise[9] = 0xff;
    const result = await shrunk(faulty, { program: 'fake', world: {}, stimuli: [{ packet: noise }] });
    const [stimulus] = result.case.stimuli;
    expect(stimulus!.packet).toEqual(
      Uint8Array.from({ length: 23 }, (_, at) => (at === 9 ? 1 : at === 20 ? 0x60 : 0)),
    );
  });

  it('takes off metadata, device and queue where they play no part', async () => {
    const stimulus = { packet: data(20), metadata: data(8), ingressIfindex: 7, rxQueueIndex: 3 };
    const result = await shrunk(() => drop, { program: 'fake', world: {}, stimuli: [stimulus] });
    const [small] = result.case.stimuli;
    expect(small!.metadata ?? new Uint8Array(0)).toHaveLength(0);
    expect(small).toMatchObject({ ingressIfindex: 1, rxQueueIndex: 0 });
    const needsQueue = await shrunk(
      ({ rxQueueIndex }) => (rxQueueIndex === 3 ? drop : { action: XDP_PASS }),
      {
        program: 'fake',
        world: {},
        stimuli: [stimulus],
      },
    );
    expect(needsQueue.case.stimuli[0]).toMatchObject({ rxQueueIndex: 3 });
  });

  it('empties the world of all that plays no part', async () => {
    const world: World = {
      devices: [2, 3, 4].map((ifindex) => ({ ifindex, name: `d${ifindex}`, mac: data(6) })),
      routes: [{ to: '10.0.0.0/8', ifindex: 3 }, { to: '::/0' }],
      neighbours: [{ ifindex: 3, address: '10.0.0.1', mac: data(6) }],
      maps: {
        a: [1, 2, 3, 4, 5].map((key) => ({ key: Uint8Array.of(key), value: Uint8Array.of(0) })),
        b: [{ key: Uint8Array.of(1), value: Uint8Array.of(1) }],
      },
      globals: { port: Uint8Array.of(80), other: Uint8Array.of(1) },
      time: 5n,
      randomSeed: 3,
      cpu: 1,
    };
    const faulty: Behaviour = (_stimulus, { world: state }) =>
      state.devices?.some(({ ifindex }) => ifindex === 3) === true &&
      state.maps?.a?.some(({ key }) => key[0] === 4) === true &&
      state.globals?.port !== undefined &&
      state.cpu === 1
        ? drop
        : { action: XDP_PASS };
    const result = await shrunk(faulty, sequence(3, world));
    expect(result.case.world).toEqual({
      devices: [world.devices![1]],
      maps: { a: [world.maps!.a![3]] },
      globals: { port: Uint8Array.of(80) },
      cpu: 1,
    });
    expect(worldOfParts(world, partsOfWorld(world))).toEqual(world);
  });

  it('makes four rounds of packets and world, where each makes room for the next', async () => {
    const entries = Array.from({ length: 9 }, (_, key) => ({
      key: Uint8Array.of(key),
      value: Uint8Array.of(0),
    }));
    // The world may be one entry larger than the packet's number, or as large: they shrink in turns.
    const faulty: Behaviour = ({ packet }, { world }) => {
      const more = (world.maps?.a?.length ?? 0) - packet[0]!;
      return more === 0 || more === 1 ? drop : { action: XDP_PASS };
    };
    const found: Case = {
      program: 'fake',
      world: { maps: { a: entries } },
      stimuli: [{ packet: Uint8Array.of(8, ...new Uint8Array(13)) }],
    };
    const simplify: ShrinkOptions['simplify'] = ({ packet }) =>
      packet[0]! > 0 ? [{ packet: Uint8Array.of(packet[0]! - 1, ...packet.subarray(1)) }] : [];
    const result = await shrunk(faulty, found, { simplify });
    // 9 and 8, then 8 and 8, 7 and 7, 6 and 6, 5 and 5.
    expect(result.case.world.maps?.a).toHaveLength(5);
    expect(result.case.stimuli[0]!.packet[0]).toBe(5);
    expect(result.state).toBe('shrunk');
  });

  it('leaves out half of two hundred thousand entries at once', () => {
    const entries = Array.from({ length: 200_000 }, (_, at) => ({
      key: Uint8Array.of(at, at >> 8, at >> 16),
      value: Uint8Array.of(1),
    }));
    const world: World = { maps: { a: entries, b: entries.slice(0, 2) } };
    const parts = partsOfWorld(world);
    expect(worldOfParts(world, parts.slice(100_000))).toEqual({
      maps: { a: entries.slice(100_000), b: entries.slice(0, 2) },
    });
  });

  it('ends when its time is over, also in a world of many parts', async () => {
    const entries = Array.from({ length: 200_000 }, () => ({ key: data(4), value: data(1) }));
    const faulty: Behaviour = (_stimulus, { world }) =>
      world.maps?.a?.length === entries.length ? drop : { action: XDP_PASS };
    const task = sequence(1, { maps: { a: entries } });
    const result = await shrunk(faulty, task, { maxAttempts: 4 });
    expect(result.case.world).toBe(task.world);
    expect(result.stopped).toEqual({ after: 'attempts', limit: 4 });
  });

  it('survives worlds that do not load', async () => {
    const engines = [
      fakeEngine('model', pass),
      fakeEngine('vm', () => drop, {
        openError: (world) => (world.globals?.needed === undefined ? new Error('does not load') : undefined),
      }),
    ];
    const found = sequence(1, { globals: { needed: Uint8Array.of(1), useless: Uint8Array.of(2) } });
    const replay = new Replay(FAKE_PROGRAM, engines);
    const [finding] = await replay.findings(found);
    const result = await shrink({ program: FAKE_PROGRAM, engines, case: found, finding: finding! });
    expect(result.case.world).toEqual({ globals: { needed: Uint8Array.of(1) } });
    await replay.close();
    for (const { log } of engines) expect(log.closed).toBe(log.opened);
  });

  it('does not slip into a divergence of another kind', async () => {
    // Short packets differ in their action, long ones in the redirect target.
    const faulty: Behaviour = ({ packet }) =>
      packet.length < 30 ? drop : { action: XDP_PASS, redirect: packet[0] === 0 ? 1 : 2 };
    const result = await shrunk(faulty, { program: 'fake', world: {}, stimuli: [{ packet: data(60) }] });
    expect(result.finding.field).toBe('redirect');
    expect(result.case.stimuli[0]!.packet).toHaveLength(30);
  });

  it('is deterministic', async () => {
    const faulty: Behaviour = ({ packet }, state) =>
      (state.packets + packet.length) % 7 === 3 ? drop : { action: XDP_PASS };
    const first = await shrunk(faulty, sequence(40));
    expect(await shrunk(faulty, sequence(40))).toEqual(first);
  });

  it('stays within its attempts, and says that it was cut short', async () => {
    let runs = 0;
    const faulty: Behaviour = () => {
      runs++;
      return drop;
    };
    const engines = [fakeEngine('model', pass), fakeEngine('vm', faulty)];
    const replay = new Replay(FAKE_PROGRAM, engines);
    const found = sequence(1);
    const [finding] = await replay.findings(found);
    runs = 0;
    const result = await shrink(
      { program: FAKE_PROGRAM, engines, case: found, finding: finding! },
      { maxAttempts: 2 },
    );
    expect(result).toMatchObject({
      state: 'cut short',
      attempts: 2,
      stopped: { after: 'attempts', limit: 2 },
    });
    expect(runs).toBeLessThanOrEqual(3);
    const controller = new AbortController();
    const aborted = await shrink(
      { program: FAKE_PROGRAM, engines, case: found, finding: finding! },
      { signal: controller.signal, onSmaller: () => controller.abort() },
    );
    expect(aborted).toMatchObject({ state: 'cut short', stopped: { after: 'interrupt' } });
    await replay.close();
  });

  it('stops when its time is over, and tries nothing where it gets none', async () => {
    const always: Behaviour = () => drop;
    expect(await shrunk(always, sequence(40), { maxSeconds: 1e-9 })).toMatchObject({
      state: 'cut short',
      attempts: 1,
      stopped: { after: 'seconds', limit: 1e-9 },
    });
    const off = await shrunk(always, sequence(40), { maxSeconds: 0 });
    expect(off).toMatchObject({ state: 'found', attempts: 0 });
    expect(off.case.stimuli).toHaveLength(40);
    expect((await shrunk(always, sequence(40))).stopped).toBeUndefined();
  });

  it('says when fresh sessions do not repeat what was seen', async () => {
    let calls = 0;
    const flaky: Behaviour = () => (calls++ === 0 ? drop : { action: XDP_PASS });
    const result = await shrunk(flaky, sequence(1));
    expect(result.state).toBe('not repeated');
    expect(result.case.stimuli).toHaveLength(1);
  });

  it('stays with the cause of a wrong checksum, though a smaller packet fails for another', async () => {
    // The carry of the update is lost; without a payload there is no update at all.
    const answer: Behaviour = ({ packet }) => {
      const parts = layout(packet);
      if (parts.version !== 4 || parts.protocol !== 1 || parts.checksumAt < 0 || packet[34] !== 8) {
        return { action: XDP_PASS, packet };
      }
      const reply = packet.slice();
      reply[34] = 0;
      if (packet.length > 42) writeU16(reply, 36, readU16(packet, 36) + 0x0800);
      return { action: XDP_TX, packet: reply };
    };
    // The first payload word makes the checksum 0xfff0.
    const open = icmp(8, 0, [0, 1, 0, 1], bytes(0, 0, data(14)));
    const word = ((open[2]! << 8) | open[3]!) + 0xffff - 0xfff0;
    const message = icmp(8, 0, [0, 1, 0, 1], bytes(u16(word > 0xffff ? word - 0xffff : word), data(14)));
    expect(readU16(message, 2)).toBe(0xfff0);
    const found: Case = {
      program: 'fake',
      world: {},
      stimuli: [{ packet: ethernet(0x0800, ipv4(1, message)) }],
    };
    const engines = [fakeEngine('vm', answer)];
    const replay = new Replay(FAKE_PROGRAM, engines);
    const [finding] = await replay.findings(found);
    await replay.close();
    expect(finding!.field).toBe('icmp.checksum');
    const result = await shrink({ program: FAKE_PROGRAM, engines, case: found, finding: finding! });
    const { packet } = result.case.stimuli[0]!;
    expect(checksumCause(packet, result.finding)?.id).toBe('carry lost');
    expect(packet).toHaveLength(43);
  });

  it('shows what is wrong on a packet whose checksum came right, if it was found on one', async () => {
    // The TTL is lowered, and the checksum stays.
    const answer: Behaviour = ({ packet }) => {
      const parts = layout(packet);
      const lowered = packet.slice();
      if (parts.version === 4 && packet[22]! > 1) lowered[22]!--;
      return { action: XDP_TX, packet: lowered };
    };
    const cameAs = async (packet: Uint8Array): Promise<string | undefined> => {
      const engines = [fakeEngine('vm', answer)];
      const found = { program: 'fake', world: {}, stimuli: [{ packet }] };
      const replay = new Replay(FAKE_PROGRAM, engines);
      const [finding] = await replay.findings(found);
      await replay.close();
      // Offers nothing but packets that come wrong.
      const simplify: ShrinkOptions['simplify'] = ({ packet: from }) =>
        from[24] === 0x12 ? [] : [Uint8Array.from(from).fill(0x12, 24, 26)].map((one) => ({ packet: one }));
      const task = { program: FAKE_PROGRAM, engines, case: found, finding: finding! };
      const { finding: shown } = await shrink(task, { simplify });
      return shown.fault?.before?.status;
    };
    const right = ethernet(0x0800, ipv4(253, data(8)));
    const wrong = right.slice();
    wrong[24]! ^= 0x40;
    expect([await cameAs(right), await cameAs(wrong)]).toEqual(['good', 'bad']);
  });

  it('hands out every smaller case, ever smaller', async () => {
    const sizes: number[] = [];
    await shrunk(({ packet }) => (packet[0] === 37 ? drop : { action: XDP_PASS }), sequence(60), {
      onSmaller: (smaller) => {
        sizes.push(smaller.stimuli.reduce((total, { packet }) => total + packet.length, 0));
      },
    });
    expect(sizes.at(-1)).toBe(14);
    expect([...sizes].sort((a, b) => b - a)).toEqual(sizes);
  });
});
