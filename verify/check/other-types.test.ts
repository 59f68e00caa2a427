/** Programs that take any frame for one of IP, and those that do not: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { TC_ACT_OK, TC_ACT_SHOT, XDP_DROP, XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import { hashBytes } from '../../sim/runtime/chance.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, ipv6, tcp, udp, V4_A, V4_B, V6_A, V6_B } from '../test-support/packets.ts';
import { OtherTypes } from './other-types.ts';
import type { Seen } from './probe.ts';
import { TransportSightings } from './transport-sightings.ts';

const IP = 14;
const PACKETS: readonly Uint8Array[] = [
  ethernet(0x0800, ipv4(17, udp(data(20), V4_A, V4_B, 53))),
  ethernet(0x0800, ipv4(6, tcp(data(20)))),
  ethernet(0x0800, ipv4(17, udp(data(20), V4_B, V4_A, 80), { ttl: 1, source: V4_B, destination: V4_A })),
  ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B))),
  ethernet(0x86dd, ipv6(6, tcp(data(20)))),
];

async function found(
  engine: ReturnType<typeof fakeEngine> | ReturnType<typeof createVmEngine>,
  { program = FAKE_PROGRAM, world = {} }: { program?: Program; world?: World } = {},
): Promise<Seen[]> {
  const sightings = new TransportSightings();
  const input = new PacketBatch(PACKETS.length);
  for (const packet of PACKETS) input.push({ packet });
  const side = new EngineSide(engine, program, PACKETS.length);
  await side.run(world, input);
  sightings.observe(world, input, { output: side.output });
  await side.close();
  return new OtherTypes(program, false, sightings).find(engine, []);
}

const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;
const type = (packet: Uint8Array): number => word(packet, 12);
const drops =
  (condition: (packet: Uint8Array) => boolean): Behaviour =>
  ({ packet }) => ({ action: condition(packet) ? XDP_DROP : XDP_PASS });
const ofDrops = (condition: (packet: Uint8Array) => boolean): Promise<Seen[]> =>
  found(fakeEngine('wasm', drops(condition)));
const isUdp = (packet: Uint8Array): boolean => packet[IP + 9] === 17;

describe('a program takes any frame for one of IP', () => {
  it('where it drops by the protocol alone, and says what an ARP packet has there', async () => {
    const [seen, ...more] = await ofDrops(isUdp);
    expect(more).toEqual([]);
    expect(seen?.severity).toBeUndefined();
    expect(seen?.breach).toEqual({
      invariant: 'ethertype/unchecked',
      ...{
        at: 23,
        size: 0,
        expected: 'the same for any ARP',
        got: 'XDP_DROP, and XDP_PASS with other bytes',
      },
      sentence:
        'with EtherType 0x0806 (ARP) and 11 in place of 06 at byte 23, where an IPv4 packet has its protocol, the program returns XDP_DROP instead of XDP_PASS: it takes the frame for IPv4',
    });
    const [{ packet }] = seen!.stimuli as [{ packet: Uint8Array }];
    expect([...packet.subarray(12, 22)]).toEqual([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    expect(packet.length).toBe(60);
  });

  it.each<readonly [string, (packet: Uint8Array) => boolean, string]>([
    ['the TTL', (one) => one[IP + 8]! < 2, 'at byte 22'],
    ['an address', (one) => word(one, IP + 14) === word(PACKETS[2]!, IP + 14), 'at byte 26'],
    ['the next header', (one) => one[IP + 6] === 17, '0x0800 (IPv4) and 11'],
    ['the protocol of all but IPv6', (one) => type(one) !== 0x86dd && isUdp(one), '0x0806 (ARP)'],
    ['the protocol of all but ARP', (one) => type(one) !== 0x0806 && isUdp(one), '0x86dd (IPv6)'],
    ['a protocol that is let through', (one) => !isUdp(one), '0x0806 (ARP)'],
  ])('by %s', async (_what, condition, expected) => {
    const [seen] = await ofDrops(condition);
    expect(seen?.breach.sentence).toContain(expected);
  });

  it('where it changes such frames', async () => {
    const changes: Behaviour = ({ packet }) => {
      const left = packet.slice();
      if (isUdp(packet)) left[5] = 9;
      return { action: XDP_TX, packet: left };
    };
    const [seen] = await found(fakeEngine('wasm', changes));
    expect(seen?.breach.got).toBe('changed with some bytes alone');
  });

  it('with less weight at TC, which may be asked for one protocol alone, and by what a test put into maps', async () => {
    const shoots: Behaviour = ({ packet }) => ({ action: isUdp(packet) ? TC_ACT_SHOT : TC_ACT_OK });
    const entries = [{ function: 'f', hook: 'tc-ingress' }] as const;
    const atTc = await found(fakeEngine('wasm', shoots), { program: { ...FAKE_PROGRAM, entries } });
    expect(atTc.map(({ severity }) => severity)).toEqual(['warning']);
    const byMap: Behaviour = ({ packet }, { world }) => ({
      action: world.maps !== undefined && isUdp(packet) ? XDP_DROP : XDP_PASS,
    });
    const world: World = { maps: { counts: [{ key: new Uint8Array(4), value: new Uint8Array(4) }] } };
    expect((await found(fakeEngine('wasm', byMap), { world })).map(({ severity }) => severity)).toEqual([
      'warning',
    ]);
  });
});

describe('a program tells IP from other frames', () => {
  const hashOf = (packet: Uint8Array, from: number, size: number): number =>
    hashBytes(new DataView(packet.buffer, packet.byteOffset, packet.length), from, size);

  it.each<readonly [string, (packet: Uint8Array) => boolean]>([
    ['by the EtherType', (one) => type(one) === 0x0800 && isUdp(one)],
    ['by the version', (one) => one[IP]! >> 4 === 4 && isUdp(one)],
    ['by the length of the header', (one) => (one[IP]! & 0xf) >= 5 && isUdp(one)],
    [
      'and looks at the senders of ARP, too',
      (one) => (type(one) === 0x0800 && isUdp(one)) || (type(one) === 0x0806 && one[IP + 9] === 17),
    ],
    [
      'and has a protocol of its own',
      (one) => (type(one) === 0x0800 && isUdp(one)) || (type(one) === 0x88b5 && isUdp(one)),
    ],
    ['or asks for nothing of it', (one) => one[5] === 2],
    ['or asks for lengths', (one) => one.length > 62],
    ['or takes a part of all frames by a hash', (one) => hashOf(one, 0, one.length) % 2 === 0],
    ['or by one of all the header', (one) => hashOf(one, IP, 20) % 2 === 0],
    ['or reads another number there', (one) => word(one, IP + 8) === 0x4011],
  ])('%s', async (_what, condition) => {
    expect(await ofDrops(condition)).toEqual([]);
  });

  it('or leaves to whoever redirects to it', async () => {
    for (const behindRedirect of ['devmap', 'cpumap'] as const) {
      const entries = [{ function: 'f', hook: 'xdp', behindRedirect }] as const;
      const program = { ...FAKE_PROGRAM, entries };
      expect(await found(fakeEngine('wasm', drops(isUdp)), { program })).toEqual([]);
    }
  });

  it.each([
    ['alone', [], 1],
    ['behind one that may tail-call it', [['first', true]], 0],
    ['beside one that does not', [['first', false]], 1],
    ['that is the one to tail-call', [['own', true]], 1],
  ] as const)('or leaves to others, as one %s', async (_what, calling, count) => {
    const map = testMap('next', 'PROG_ARRAY', { keySize: 4, valueSize: 4, maxEntries: 2 });
    const call = `r2 = map[next]
      r3 = 0
      call bpf_tail_call`;
    const isCalling = (name: string): boolean => calling.some(([one, calls]) => one === name && calls);
    const text = (name: string, body: string): string => `r6 = r1
      ${isCalling(name) ? call : ''}
      ${body}
      exit`;
    const own = text(
      'own',
      `r2 = *(u32 *)(r6 + 0)
      r3 = *(u32 *)(r6 + 4)
      r4 = r2
      r4 += 34
      r0 = 2
      if r4 > r3 goto out
      r5 = *(u8 *)(r2 + 23)
      if r5 != 17 goto out
      r0 = 1
      out:`,
    );
    const functions = { own, first: text('first', 'r0 = 2') };
    const program: Program = {
      name: 'p',
      entries: [{ function: 'own', hook: 'xdp' }],
      object: writeElf(functions, [map]),
    };
    expect((await found(createVmEngine(), { program })).length).toBe(count);
  });
});
