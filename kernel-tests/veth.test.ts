import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { liveLimits } from '../corpus/generate/packet-limits.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVethEngine } from '../kernel/veth/veth.ts';
import type { Session } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../sim/runtime/actions.ts';
import type { GeneratorHints, Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { comparedParts, firstDifference } from '../verify/compare.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const veth = createVethEngine();
const testrun = createTestRunEngine();

const SEED = seedFromText('live');
const PACKETS = 2000;

function builtIn(name: string): Program {
  const file = new URL(`../bpf/built/${name}.o`, import.meta.url);
  return { name, entries: [{ function: name, hook: 'xdp' }], object: readFileSync(file) };
}

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const mac = (last: number): Uint8Array => Uint8Array.of(0x02, 0, 0, 0, 0, last);

/** An Ethernet frame of a given type with recognisable bytes behind it. */
function frame(length: number, etherType: number, filling: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(filling);
  bytes.set([...mac(1), ...mac(2), etherType >> 8, etherType & 0xff]);
  return bytes;
}

const LEFT = 10;
const RIGHT = 20;
const ROUTING: World = {
  devices: [
    {
      ifindex: LEFT,
      name: 'left',
      mac: mac(1),
      addresses: ['10.11.1.1/24', 'fc00:dead:cafe:1::1/64'],
      forwarding: true,
    },
    {
      ifindex: RIGHT,
      name: 'right',
      mac: mac(2),
      addresses: ['10.11.2.1/24', 'fc00:dead:cafe:2::1/64'],
      forwarding: true,
    },
  ],
  neighbours: [
    { ifindex: LEFT, address: '10.11.1.2', mac: mac(11) },
    { ifindex: RIGHT, address: '10.11.2.2', mac: mac(12) },
    { ifindex: LEFT, address: 'fc00:dead:cafe:1::2', mac: mac(11) },
    { ifindex: RIGHT, address: 'fc00:dead:cafe:2::2', mac: mac(12) },
  ],
  maps: { tx_port: [LEFT, RIGHT].map((ifindex) => ({ key: u32(ifindex), value: u32(ifindex) })) },
};
const ROUTING_HINTS: GeneratorHints = {
  addresses: ['10.11.1.2', '10.11.2.2', '10.11.2.9', 'fc00:dead:cafe:1::2', 'fc00:dead:cafe:2::2'],
  ingressIfindexes: [LEFT, RIGHT],
};

describeKernel('live veth traffic', ['root', 'testrun', 'frames'], () => {
  const sessions: Session[] = [];
  const open = async (program: Program, world: World = {}): Promise<Session> => {
    const session = await veth.open(program, world);
    sessions.push(session);
    return session;
  };
  afterEach(async () => {
    for (const session of sessions.splice(0)) await session.close();
  });

  async function run(session: Session, stimuli: readonly Stimulus[]): Promise<OutcomeBatch> {
    const input = new PacketBatch(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    const output = new OutcomeBatch(stimuli.length);
    await session.run(input, output);
    return output;
  }

  describe('shows what test runs show', () => {
    it.each<readonly [string, World, GeneratorHints, readonly number[]]>([
      ['xdp_pass', {}, {}, [XDP_PASS]],
      ['xdp_drop', {}, {}, [XDP_DROP]],
      ['icmp_echo', {}, { kinds: { 'icmp-echo': 20, 'icmpv6-echo': 20 } }, [XDP_PASS, XDP_TX]],
      ['tcp_filter', {}, {}, [XDP_DROP, XDP_PASS]],
      ['port_filter', {}, { ports: [80] }, [XDP_DROP, XDP_PASS]],
      ['proto_count_hash', {}, {}, [XDP_PASS]],
      ['router', ROUTING, ROUTING_HINTS, [XDP_DROP, XDP_PASS, XDP_REDIRECT]],
    ])(
      `for ${PACKETS} generated packets through %s: fate, bytes and maps`,
      async (name, world, hints, actions) => {
        const program = builtIn(name);
        const withWorld = {
          ...program,
          definition: { worlds: [{ name: 'only', world }] },
        } as unknown as Program;
        const input = new PacketBatch(PACKETS);
        new PacketGenerator(hints).fill(input, SEED, 0, PACKETS, liveLimits(withWorld));
        expect(veth.refuses(withWorld, input)).toBeUndefined();

        const live = new OutcomeBatch(PACKETS);
        const session = await open(program, world);
        await session.run(input, live);
        const tested = new OutcomeBatch(PACKETS);
        const reference = await testrun.open(program, world);
        sessions.push(reference);
        await reference.run(input, tested);

        const parts = { ...comparedParts(program, testrun.observes, veth.observes), redirect: false };
        const difference = firstDifference(tested, live, parts, ['xdp'], input.entry);
        expect(difference && { ...difference, note: live.notes.get(difference.packet) }).toBeUndefined();
        expect(session.maps()).toEqual(reference.maps());
        const ran = input.entry.subarray(0, PACKETS).keys();
        const seen = new Set(
          [...ran].flatMap((index) => (live.status[index] === STATUS.ran ? [live.action[index]!] : [])),
        );
        expect([...seen].sort()).toEqual(actions);
        const faults = live.status.subarray(0, PACKETS).filter((status) => status === STATUS.fault);
        expect(faults).toHaveLength(0);
        const unseen = live.status.subarray(0, PACKETS).filter((status) => status === STATUS.unseen);
        expect(unseen.length).toBeLessThan(PACKETS / 20);
      },
    );
  });

  it('brings every length from 14 to 3520 bytes through unchanged', async () => {
    const stimuli = Array.from({ length: 3520 - 14 + 1 }, (_, index) => ({
      packet: frame(14 + index, 0x88b5, index & 0xff),
    }));
    const output = await run(await open(builtIn('xdp_pass')), stimuli);
    for (const [index, { packet }] of stimuli.entries()) {
      if (output.action[index] !== XDP_PASS || !sameBytes(output.packet(index), packet)) {
        expect.fail(`${packet.length} bytes: action ${output.action[index]}, ${output.length[index]} bytes`);
      }
    }
  });

  it.each([
    ['802.1Q', 0x8100],
    ['802.1ad', 0x88a8],
  ])('keeps %s tags, which the kernel takes out of the bytes on the way', async (_, etherType) => {
    const tagged = [20, 60, 1400].map((length) => ({ packet: frame(length, etherType, 0x21) }));
    const output = await run(await open(builtIn('xdp_pass')), tagged);
    for (const [index, { packet }] of tagged.entries()) expect(output.packet(index)).toEqual(packet);
  });

  it('says of a frame with a cut-off VLAN tag that it ran, and that its fate cannot be seen', async () => {
    const session = await open(builtIn('proto_count_hash'));
    const output = await run(session, [
      { packet: frame(60, 0x88b5, 1) },
      { packet: frame(17, 0x8100, 2) },
      { packet: frame(60, 0x88b5, 3) },
    ]);
    expect([...output.status.subarray(0, 3)]).toEqual([STATUS.ran, STATUS.unseen, STATUS.ran]);
    expect(output.notes.get(1)?.message).toMatch(/cut-off VLAN tag/);
    expect(output.packet(2)).toEqual(frame(60, 0x88b5, 3));
  });

  it('tells apart what is passed, sent back and dropped, packet for packet', async () => {
    // Every third is an echo request that is answered, the number of the packet in its payload.
    const request = Uint8Array.from(
      Buffer.from(
        '020000000001020000000002080045000054000040004001f6f20a0000010a00000208000000'.padEnd(196, '0'),
        'hex',
      ),
    );
    const stimuli = Array.from({ length: 1000 }, (_, index) => {
      const packet = index % 3 === 0 ? request.slice() : frame(98, 0x88b5, 0);
      new DataView(packet.buffer).setUint32(60, index);
      return { packet };
    });
    const output = await run(await open(builtIn('icmp_echo')), stimuli);
    for (let index = 0; index < stimuli.length; index++) {
      const number = new DataView(output.packet(index).buffer).getUint32(60);
      expect([output.action[index], number]).toEqual([index % 3 === 0 ? XDP_TX : XDP_PASS, index]);
    }
    const dropped = await run(await open(builtIn('xdp_drop')), stimuli);
    expect([...dropped.action]).toEqual(stimuli.map(() => XDP_DROP));
    expect(dropped.used).toBe(0);
  });

  it('shows where a redirect goes, the device that the frame came from included', async () => {
    const session = await open(builtIn('router'), ROUTING);
    const towards = (network: number, ingressIfindex: number): Stimulus => {
      const packet = frame(60, 0x0800, 0);
      packet.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 11, 3 - network, 2, 10, 11, network, 2], 14);
      return { packet, ingressIfindex };
    };
    const output = await run(session, [
      towards(1, RIGHT),
      towards(2, LEFT),
      towards(2, RIGHT),
      towards(3, LEFT),
    ]);
    expect([...output.action]).toEqual([XDP_REDIRECT, XDP_REDIRECT, XDP_REDIRECT, XDP_PASS]);
    expect([...output.redirect]).toEqual([LEFT, RIGHT, RIGHT, 0]);
    expect(output.packet(0).subarray(0, 12)).toEqual(Uint8Array.from([...mac(11), ...mac(1)]));
  });

  it('says of a redirect to no device that nothing can be seen', async () => {
    const program = builtIn('redirect');
    const session = await open(program, { globals: { redirect_ifindex: u32(4711) } });
    const output = await run(session, [{ packet: frame(60, 0x88b5, 7) }]);
    expect(output.status[0]).toBe(STATUS.unseen);
  });

  it('is brought back to the world’s state by reset', async () => {
    const session = await open(builtIn('proto_count_hash'));
    const before = session.maps();
    await run(session, [{ packet: frame(60, 0x88b5, 1) }]);
    expect(session.maps()).not.toEqual(before);
    await session.reset();
    expect(session.maps()).toEqual(before);
  });

  it('loads an object anew whose maps cannot be emptied, and goes on', async () => {
    const session = await open(builtIn('icmp_echo'));
    await session.reset();
    const output = await run(session, [{ packet: frame(60, 0x88b5, 1) }]);
    expect(output.action[0]).toBe(XDP_PASS);
  });

  it('faults a packet that comes in by a device that the world lacks', async () => {
    const output = await run(await open(builtIn('xdp_pass')), [
      { packet: frame(60, 0x88b5, 1), ingressIfindex: 4711 },
      { packet: frame(60, 0x88b5, 2) },
    ]);
    expect([...output.status]).toEqual([STATUS.fault, STATUS.ran]);
    expect(output.notes.get(0)?.message).toBe('the world has no device 4711');
  });

  it.each<readonly [string, Stimulus, string]>([
    ['a frame without a whole Ethernet header', { packet: new Uint8Array(13) }, 'at least 14 bytes'],
    ['a frame longer than native XDP takes', { packet: new Uint8Array(3521) }, 'at most 3520 bytes'],
    ['metadata', { packet: new Uint8Array(60), metadata: new Uint8Array(4) }, 'without metadata'],
    ['another queue', { packet: new Uint8Array(60), rxQueueIndex: 1 }, 'one receive queue'],
  ])('refuses %s', (_, stimulus, reason) => {
    const batch = new PacketBatch(2);
    batch.push({ packet: new Uint8Array(60) });
    batch.push(stimulus);
    expect(veth.refuses(builtIn('xdp_pass'), batch)).toMatchObject({
      packet: 1,
      rule: expect.stringContaining(reason),
    });
  });
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
