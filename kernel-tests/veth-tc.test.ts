/** Live frames through TC functions, and through XDP and TC of one device. */
import { afterEach, describe, expect, it } from 'vitest';
import { builtInPrograms } from '../cli/input/program-source.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { liveLimits } from '../corpus/generate/packet-limits.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { createVethEngine } from '../kernel/veth/veth.ts';
import type { Session } from '../sim/engines/engine.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import {
  TC_ACT_OK,
  TC_ACT_PIPE,
  TC_ACT_QUEUED,
  TC_ACT_RECLASSIFY,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  TC_ACT_STOLEN,
  TC_ACT_TRAP,
  TC_ACT_UNSPEC,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from '../sim/runtime/actions.ts';
import { deliveryOf, leaves } from '../sim/runtime/delivery.ts';
import type { Program, ProgramEntry } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { comparedParts, firstDifference } from '../verify/compare.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { liveFixture } from './test-support/testrun.ts';

const PACKETS = 2000;

const XDP: ProgramEntry = { function: 'obey_xdp', hook: 'xdp' };
const INGRESS: ProgramEntry = { function: 'obey_ingress', hook: 'tc-ingress' };
const EGRESS: ProgramEntry = { function: 'obey_egress', hook: 'tc-egress' };
const CHAIN: ProgramEntry = { ...INGRESS, after: 'obey_xdp' };

/** See `struct order` in live.bpf.c. */
const XDP_ORDER = 0x20;
const REDIRECT = 0x10;
const REDIRECT_IN = 0x11;

const LEFT = 10;
const RIGHT = 20;
const TWO_DEVICES: World = {
  devices: [
    { ifindex: LEFT, name: 'left', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) },
    { ifindex: RIGHT, name: 'right', mac: Uint8Array.of(2, 0, 0, 0, 0, 2) },
  ],
};

function frame(
  what: number,
  ifindex: number = 0,
  length: number = 60,
  etherType: number = 0x88b5,
): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => index & 0xff);
  bytes.set([what, ifindex, 7, 8, 9, 0]);
  bytes.set([etherType >> 8, etherType & 0xff], 12);
  return bytes;
}

/** What the functions leave of a frame, after so many of them. */
function touched(packet: Uint8Array, times: number = 1): Uint8Array {
  const copy = packet.slice();
  copy[5] = times;
  return copy;
}

describeKernel('live veth traffic through TC', ['root', 'testrun', 'frames', 'compiler'], () => {
  const sessions: Session[] = [];
  afterEach(async () => {
    for (const session of sessions.splice(0)) await session.close();
  });

  async function open(
    entries: readonly ProgramEntry[],
    world: World = {},
    engine: ReturnType<typeof createVethEngine> = createVethEngine(),
  ): Promise<Session> {
    const session = await engine.open(liveFixture(...entries), world);
    sessions.push(session);
    return session;
  }

  async function run(session: Session, ...stimuli: readonly Stimulus[]): Promise<OutcomeBatch> {
    const input = new PacketBatch(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    const output = new OutcomeBatch(stimuli.length);
    await session.run(input, output);
    return output;
  }

  /** How often the XDP, the ingress and the egress function have run. */
  function runs(session: Session): number[] {
    const [map] = session.maps();
    return map!.list().map(({ value }) => value[0]! + value[1]! * 256);
  }

  describe.each(['tcx', 'clsact'] as const)('attached by %s', (tc) => {
    const engine = createVethEngine({ tc });

    it.each([
      ['tc-ingress', INGRESS],
      ['tc-egress', EGRESS],
    ] as const)('shows verdict, bytes, mark, priority and cb at %s', async (hook, entry) => {
      const verdicts = [
        TC_ACT_OK,
        TC_ACT_SHOT,
        TC_ACT_UNSPEC,
        TC_ACT_PIPE,
        TC_ACT_STOLEN,
        TC_ACT_RECLASSIFY,
        TC_ACT_QUEUED,
        TC_ACT_TRAP,
        TC_ACT_OK,
      ];
      const packets = verdicts.map((verdict, index) => frame(verdict & 0xff, 0, 60 + index));
      const output = await run(await open([entry], {}, engine), ...packets.map((packet) => ({ packet })));
      expect([...output.status]).toEqual(verdicts.map(() => STATUS.ran));
      expect([...output.action]).toEqual(verdicts);
      for (const [index, packet] of packets.entries()) {
        const left = leaves(hook, verdicts[index]!) ? touched(packet) : new Uint8Array(0);
        expect(output.packet(index)).toEqual(left);
        expect([output.mark[index], output.priority[index]]).toEqual([7, 8]);
        expect([...output.cb.subarray(index * 5, index * 5 + 5)]).toEqual([1, 9, 0, 0, 0]);
      }
    });

    it.each([
      ['a device', INGRESS, REDIRECT, LEFT, RIGHT],
      ['the device that it came in by', INGRESS, REDIRECT, LEFT, LEFT],
      ['a device, as if it came in by that', INGRESS, REDIRECT_IN, LEFT, RIGHT],
      ['its own device, as if it came in once more', INGRESS, REDIRECT_IN, LEFT, LEFT],
      ['a device, from egress', EGRESS, REDIRECT, LEFT, RIGHT],
      ['a device, as if it came in by that, from egress', EGRESS, REDIRECT_IN, LEFT, RIGHT],
      ['its own device, as if it came in, from egress', EGRESS, REDIRECT_IN, LEFT, LEFT],
    ] as const)('shows a redirect to %s', async (_, entry, order, from, to) => {
      const session = await open([entry], TWO_DEVICES, engine);
      const packets = [frame(order, to, 61), frame(TC_ACT_OK, 0, 62), frame(order, to, 63)];
      const stimuli = packets.map((packet) => ({ packet, ingressIfindex: from }));
      // More than once: a frame in a tap that was not reckoned with would show up in the next window.
      for (let window = 0; window < 3; window++) {
        const output = await run(session, ...stimuli);
        expect([...output.status]).toEqual([STATUS.ran, STATUS.ran, STATUS.ran]);
        expect([...output.action]).toEqual([TC_ACT_REDIRECT, TC_ACT_OK, TC_ACT_REDIRECT]);
        expect([...output.redirect]).toEqual([to, 0, to]);
        for (const [index, packet] of packets.entries())
          expect(output.packet(index)).toEqual(touched(packet));
      }
      // Wherever it went, each frame had one turn.
      expect(runs(session)).toEqual(entry === INGRESS ? [0, 9, 0] : [0, 0, 9]);
    });

    it('runs XDP and then TC on the same frame, the metadata carried over', async () => {
      const session = await open([CHAIN], TWO_DEVICES, engine);
      const orders = [TC_ACT_OK, TC_ACT_SHOT, XDP_ORDER | XDP_PASS];
      const stimuli = orders.map((order) => ({ packet: frame(order), ingressIfindex: LEFT }));
      const output = await run(session, ...stimuli);
      expect([...output.action]).toEqual([TC_ACT_OK, TC_ACT_SHOT, XDP_ORDER | XDP_PASS]);
      expect([...stimuli.keys()].map((index) => output.cb[index * 5 + 4])).toEqual(
        orders.map(() => 0x01020304),
      );
      expect(output.packet(0)).toEqual(touched(frame(TC_ACT_OK), 2));
      expect(runs(session)).toEqual([3, 3, 0]);
    });
  });

  it('says in the words of TC what XDP does with a frame that it does not pass', async () => {
    const session = await open([CHAIN], TWO_DEVICES);
    const actions = [XDP_DROP, XDP_ABORTED, XDP_TX, XDP_REDIRECT];
    const packets = actions.map((action) => frame(XDP_ORDER | action, RIGHT));
    const output = await run(session, ...packets.map((packet) => ({ packet, ingressIfindex: LEFT })));
    expect([...output.action]).toEqual([TC_ACT_SHOT, TC_ACT_SHOT, TC_ACT_REDIRECT, TC_ACT_REDIRECT]);
    expect([...output.redirect]).toEqual([0, 0, 0, RIGHT]);
    expect(output.packet(2)).toEqual(touched(packets[2]!));
    expect(output.packet(3)).toEqual(touched(packets[3]!));
    expect([...output.mark]).toEqual([0, 0, 0, 0]);
    expect(runs(session)).toEqual([4, 0, 0]);
  });

  it('runs of each packet the entry that it names and no other, in order', async () => {
    const entries = [XDP, INGRESS, EGRESS, CHAIN];
    const session = await open(entries);
    const stimuli = Array.from({ length: 1000 }, (_, index) => ({
      packet: frame(index % 7 === 0 ? TC_ACT_SHOT : TC_ACT_OK, 0, 60 + (index % 100)),
      entry: (index * 5 + (index >> 4)) % entries.length,
    }));
    const output = await run(session, ...stimuli);
    const expected = [0, 0, 0];
    for (const [index, { packet, entry }] of stimuli.entries()) {
      const functions = [[0], [1], [2], [0, 1]][entry]!;
      for (const one of functions) expected[one] = expected[one]! + 1;
      const left = entry === 0 || packet[0] === TC_ACT_OK;
      expect([index, output.status[index], output.packet(index)]).toEqual([
        index,
        STATUS.ran,
        left ? touched(packet, functions.length) : new Uint8Array(0),
      ]);
      expect(output.mark[index]).toBe(entry === 0 ? 0 : 7);
    }
    expect(runs(session)).toEqual(expected);
  });

  it('puts metadata in front of frames that come in, for XDP and for TC', async () => {
    const metadata = Uint8Array.of(0xdd, 0xcc, 0xbb, 0xaa);
    const session = await open([INGRESS, XDP]);
    const output = await run(session, { packet: frame(0), metadata }, { packet: frame(0) });
    expect([output.cb[4], output.cb[9]]).toEqual([0xaabbccdd, 0]);
    const most = Uint8Array.from({ length: 32 }, (_, index) => index);
    const [first] = (await run(session, { packet: frame(0), metadata: most })).cb.subarray(4);
    expect(first).toBe(0x03020100);
    // XDP puts its own word in front: 32 bytes in all is what kernel 6.1 allows.
    const less = most.subarray(4);
    expect((await run(session, { packet: frame(0), metadata: less, entry: 1 })).action[0]).toBe(XDP_PASS);
  });

  it.each([
    ['in', INGRESS],
    ['out', EGRESS],
  ] as const)('brings every length from 14 to 1514 bytes %s, IP headers cut off or not', async (_, entry) => {
    const session = await open([entry]);
    for (const etherType of [0x0800, 0x86dd]) {
      const packets = Array.from({ length: 1514 - 14 + 1 }, (_, index) =>
        frame(TC_ACT_OK, 0, 14 + index, etherType),
      );
      const output = await run(session, ...packets.map((packet) => ({ packet })));
      for (const [index, packet] of packets.entries()) {
        if (
          output.action[index] !== TC_ACT_OK ||
          Buffer.compare(output.packet(index), touched(packet)) !== 0
        ) {
          expect.fail(
            `${packet.length} bytes: action ${output.action[index]}, ${output.length[index]} bytes`,
          );
        }
      }
    }
  });

  it('keeps VLAN tags of frames on their way out, a cut-off one too', async () => {
    const packets = [15, 17, 18, 60].map((length) => frame(TC_ACT_OK, 0, length, 0x8100));
    const output = await run(await open([EGRESS]), ...packets.map((packet) => ({ packet })));
    for (const [index, packet] of packets.entries()) expect(output.packet(index)).toEqual(touched(packet));
  });

  it('tells frames that a CPU hands to the stack from those that XDP passes', async () => {
    const value = new Uint8Array(8);
    value[0] = 192;
    const world = { maps: { cpus: [{ key: new Uint8Array(4), value }] } };
    const actions = [XDP_PASS, XDP_REDIRECT, XDP_TX, XDP_REDIRECT, XDP_DROP, XDP_PASS];
    const session = await open([{ function: 'to_cpu', hook: 'xdp' }], world);
    const packets = actions.map((action, index) => frame(action, 0, 60 + index));
    const output = await run(session, ...packets.map((packet) => ({ packet })));
    expect([...output.action]).toEqual(actions);
    for (const [index, packet] of packets.entries()) {
      expect(output.packet(index)).toEqual(actions[index] === XDP_DROP ? new Uint8Array(0) : packet);
    }
  });

  it('says of a redirect to no device that nothing can be seen', async () => {
    const output = await run(await open([INGRESS]), { packet: frame(REDIRECT, 99) }, { packet: frame(0) });
    expect([...output.status]).toEqual([STATUS.unseen, STATUS.ran]);
    expect(output.notes.get(0)?.message).toContain('could not send');
  });

  it.each<readonly [string, ProgramEntry, Stimulus, string]>([
    ['a tagged frame at ingress', INGRESS, { packet: frame(0, 0, 60, 0x88a8) }, 'takes the VLAN tag out'],
    ['a tagged frame in a chain', CHAIN, { packet: frame(0, 0, 60, 0x8100) }, 'takes the VLAN tag out'],
    ['metadata at egress', EGRESS, { packet: frame(0), metadata: new Uint8Array(4) }, 'at TC egress'],
    ['metadata beyond 32 bytes', INGRESS, { packet: frame(0), metadata: new Uint8Array(36) }, 'at most 32'],
    ['a frame without a whole header', EGRESS, { packet: new Uint8Array(13) }, 'at least 14 bytes'],
  ])('refuses %s', (_, entry, stimulus, reason) => {
    const batch = new PacketBatch(2);
    batch.push({ packet: frame(0) });
    batch.push(stimulus);
    expect(createVethEngine().refuses(liveFixture(entry), batch)).toMatchObject({
      packet: 1,
      rule: expect.stringContaining(reason),
    });
  });

  describe('shows what the models say', () => {
    const builtIn = (name: string): Program => builtInPrograms().find((one) => one.name === name)!;

    it.each(['account', 'layer_coop', 'meta_mark'])(
      `for ${PACKETS} generated packets through all entries of %s`,
      async (name) => {
        const program = builtIn(name);
        const hooks = program.entries.map((entry) => entry.hook);
        const all = new PacketBatch(PACKETS);
        const generator = new PacketGenerator(program.definition!.hints, hooks);
        generator.fill(all, seedFromText(name), 0, PACKETS, liveLimits(program));
        const input = taken(program, all);
        expect(input.count).toBeGreaterThan(PACKETS / 2);
        const { world } = program.definition!.worlds.at(-1)!;
        const live = new OutcomeBatch(PACKETS);
        const modelled = new OutcomeBatch(PACKETS);
        const session = await createVethEngine().open(program, world);
        sessions.push(session);
        const model = await createModelEngine().open(program, world);
        await session.run(input, live);
        await model.run(input, modelled);
        const parts = comparedParts(program, createModelEngine().observes, createVethEngine().observes);
        expect(parts.skb).toBe(true);
        expect(firstDifference(modelled, live, parts, hooks, input.entry)).toBeUndefined();
        const [map] = model.maps();
        if (map !== undefined) expect(session.maps()[0]!.list()).toEqual(map.list());
        expect(live.status.subarray(0, live.count)).not.toContain(STATUS.fault);
        const seen = new Set(input.entry.subarray(0, input.count));
        expect([...seen].sort()).toEqual([...hooks.keys()]);
      },
    );

    it('the mark of meta_mark: 42 behind its XDP half, 41 without', async () => {
      const program = builtIn('meta_mark');
      const session = await createVethEngine().open(program, {});
      sessions.push(session);
      const both = program.entries.findIndex((entry) => entry.after !== undefined);
      const alone = program.entries.findIndex((entry) => entry.hook === 'tc-ingress' && !entry.after);
      const packet = frame(0);
      const output = await run(
        session,
        { packet, entry: both },
        { packet, entry: alone },
        { packet, entry: both },
      );
      expect([...output.mark]).toEqual([42, 41, 42]);
      expect(deliveryOf('tc-ingress', output.action[0]!)).toBe(deliveryOf('tc-ingress', TC_ACT_OK));
    });
  });

  /** The packets of a batch that can be sent. */
  function taken(program: Program, all: PacketBatch): PacketBatch {
    const engine = createVethEngine();
    const single = new PacketBatch(1);
    const input = new PacketBatch(all.count);
    for (let packet = 0; packet < all.count; packet++) {
      single.clear();
      single.push(all.stimulus(packet));
      if (engine.refuses(program, single) === undefined) input.push(all.stimulus(packet));
    }
    return input;
  }
});
