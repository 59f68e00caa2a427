/** Numbers that a program compares in the wrong byte order, or that are wrong: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import { hashBytes } from '../../sim/runtime/chance.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, ipv6, tcp, udp, V4_A, V4_B, vlan } from '../test-support/packets.ts';
import { MalformedOnly } from './malformed-only.ts';
import { OrderComparisons } from './order-comparisons.ts';
import type { Seen } from './probe.ts';
import { swappedProtocols } from './protocol-order.ts';
import { SwappedAddresses } from './swapped-addresses.ts';
import { SwappedNumbers } from './swapped-numbers.ts';

interface Probe {
  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void;
}

/** What a probe finds once it has seen what becomes of these packets. */
async function found(
  probe: Probe & { find(engine: ReturnType<typeof fakeEngine>): Promise<Seen[]> },
  behaviour: Behaviour,
  packets: readonly Uint8Array[],
  world: World = {},
): Promise<Seen[]> {
  const engine = fakeEngine('wasm', behaviour);
  const side = new EngineSide(engine, FAKE_PROGRAM, packets.length);
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  await side.run(world, input);
  probe.observe(world, input, { output: side.output });
  await side.close();
  return probe.find(engine);
}

const ip = (port = 80): Uint8Array => ipv4(17, udp(data(8), V4_A, V4_B, port));
const typed = (type: number): Uint8Array => ethernet(type, ip());
const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;
const drops =
  (condition: (packet: Uint8Array) => boolean): Behaviour =>
  ({ packet }) => ({ action: condition(packet) ? XDP_DROP : XDP_PASS });
const swappedIn = (
  condition: (packet: Uint8Array) => boolean,
  packets: readonly Uint8Array[],
  world?: World,
  isGiven = false,
): Promise<Seen[]> => found(new SwappedNumbers(FAKE_PROGRAM, isGiven), drops(condition), packets, world);

describe('an EtherType is compared in the wrong byte order', () => {
  it.each([
    [0x0008, '0x0800 (IPv4)'],
    [0xdd86, '0x86dd (IPv6)'],
    [0x0608, '0x0806 (ARP)'],
    [0x0081, '0x8100 (802.1Q VLAN)'],
  ])('where it stands for something: %i', async (type, expected) => {
    const [seen, ...others] = await swappedIn((packet) => word(packet, 12) === type, [typed(type)]);
    expect(others).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'ethertype/compared',
      ...{ at: 12, size: 0, expected, got: `0x${type.toString(16).padStart(4, '0')}` },
      sentence: `for EtherType 0x${type.toString(16).padStart(4, '0')} the program returns XDP_DROP instead of XDP_PASS, and ${expected} comes to the same as any other: as it seems, the number is in the machine’s byte order`,
    });
  });

  it('behind a tag', async () => {
    const seen = await swappedIn((one) => word(one, 16) === 0x0008, [vlan(7, 0x0008, ip())]);
    expect(seen.map(({ breach }) => breach.at)).toEqual([16]);
  });

  it('where what is counted shows it', async () => {
    const counts: Behaviour = ({ packet }, state) => {
      if (word(packet, 12) === 0x0008) state.counts.set(1, 1);
      return { action: XDP_PASS };
    };
    const seen = await found(new SwappedNumbers(FAKE_PROGRAM, false), counts, [typed(0x0008)]);
    expect(seen.length).toBe(1);
  });

  const keeping =
    (condition: (packet: Uint8Array) => boolean, number: (packet: Uint8Array) => number): Behaviour =>
    ({ packet }, state) => {
      state.counts.set(0, number(packet));
      const is = condition(packet);
      if (is) state.counts.set(1, 1);
      return { action: is && packet.length > 60 ? XDP_DROP : XDP_PASS };
    };

  it('where the number itself goes through an entry of a map', async () => {
    const long = ethernet(0x0008, ipv4(17, udp(data(40))));
    for (const number of [
      (one: Uint8Array) => word(one, 12),
      (one: Uint8Array) => (one[13]! << 8) | one[12]!,
      (one: Uint8Array) => (word(one, 12) << 8) | 7,
    ]) {
      for (const packet of [typed(0x0008), long]) {
        const behaviour = keeping((one) => word(one, 12) === 0x0008, number);
        const seen = await found(new SwappedNumbers(FAKE_PROGRAM, false), behaviour, [packet]);
        expect(seen.map(({ breach }) => breach.invariant)).toEqual(['ethertype/compared']);
        const right = keeping((one) => word(one, 12) === 0x0800, number);
        expect(await found(new SwappedNumbers(FAKE_PROGRAM, false), right, [packet])).toEqual([]);
      }
    }
  });

  it('where the packets part, whatever is kept of each', async () => {
    const behaviour: Behaviour = ({ packet }, state) => {
      state.counts.set(0, word(packet, 12) * 3);
      return { action: word(packet, 12) === 0x0008 ? XDP_DROP : XDP_PASS };
    };
    const seen = await found(new SwappedNumbers(FAKE_PROGRAM, false), behaviour, [typed(0x0008)]);
    expect(seen.length).toBe(1);
  });

  it.each<readonly [string, (packet: Uint8Array) => boolean]>([
    ['where the right one is something of its own, too', (one) => [0x0008, 0x0800].includes(word(one, 12))],
    ['where the right one is something else', (one) => word(one, 12) === 0x0008 || word(one, 12) !== 0x0800],
    ['where all lengths are treated alike', (one) => word(one, 12) < 0x0600],
    ['where other numbers are treated so, too', (one) => word(one, 12) !== 0x0800],
    ['where a bit decides', (one) => (word(one, 12) & 8) !== 0],
    ['where nothing depends on it', () => true],
  ])('not %s', async (_what, condition) => {
    expect(await swappedIn(condition, [typed(0x0008), typed(0x0800)])).toEqual([]);
  });

  it('not where a map that a test filled holds the number', async () => {
    const value = Uint8Array.of(8, 0, 0, 0);
    const world: World = { maps: { counts: [{ key: new Uint8Array(4), value }] } };
    const byMap: Behaviour = ({ packet }, state) => ({
      action: state.world.maps !== undefined && word(packet, 12) === 0x0008 ? XDP_DROP : XDP_PASS,
    });
    const seen = (isGiven: boolean): Promise<Seen[]> =>
      found(new SwappedNumbers(FAKE_PROGRAM, isGiven), byMap, [typed(0x0008)], world);
    expect(await seen(false)).toEqual([]);
    expect((await seen(true)).length).toBe(1);
  });
});

const hashOf = (packet: Uint8Array, at: number, size: number): number =>
  hashBytes(new DataView(packet.buffer, packet.byteOffset, packet.length), at, size);

/** Whatever a number is, where the kernel's hash of the flow is another one, another packet is special. */
const whereHashIsZero =
  (condition: (packet: Uint8Array) => boolean): Behaviour =>
  ({ packet }, { world }) => ({
    action: condition(packet) && (world.hashSeed ?? 0) === 0 ? XDP_DROP : XDP_PASS,
  });

describe('a port is compared in the wrong byte order', () => {
  const PORT = 14 + 20 + 2;
  const SPECIAL = ethernet(0x0800, ip(13_568));
  const segment = (port: number): Uint8Array => {
    const packet = ethernet(0x0800, ipv4(6, tcp(data(8))));
    packet.set([port >> 8, port & 0xff], PORT);
    return packet;
  };

  it('where it stands for a service', async () => {
    const [seen] = await swappedIn((packet) => word(packet, PORT) === 13_568, [ethernet(0x0800, ip(13_568))]);
    expect(seen?.breach).toMatchObject({
      invariant: 'port/compared',
      ...{ at: PORT, expected: '53 (DNS)', got: '13568' },
    });
  });

  it.each<readonly [string, (packet: Uint8Array) => boolean]>([
    ['where a range is', (one) => word(one, PORT) >= 1024],
    ['where the service is meant, too', (one) => [53, 13_568].includes(word(one, PORT))],
    ['where the data decides', (one) => one.length > 3],
    ['where a range is that is meant', (one) => word(one, PORT) >= 13_500 && word(one, PORT) <= 13_600],
    ['where one of two is', (one) => word(one, PORT) >>> 1 === 13_568 >>> 1],
    ['where its last bits decide', (one) => word(one, PORT) % 16 === 0],
    ['where the rest of a division does', (one) => word(one, PORT) % 106 === 0],
    ['where a hash of it does', (one) => hashOf(one, PORT, 2) % 64 === hashOf(SPECIAL, PORT, 2) % 64],
  ])('not %s', async (_what, condition) => {
    expect(await swappedIn(condition, [ethernet(0x0800, ip(13_568))])).toEqual([]);
  });

  it.each([
    ['not where a socket that the test opened has that port', '0.0.0.0:13568', undefined, 0],
    ['not where the other end of one has', '10.0.0.1:4000', '10.0.0.2:13568', 0],
    ['where the socket that was found has the right one', '0.0.0.0:53', undefined, 1],
  ])('%s', async (_what, local, remote, count) => {
    const world: World = {
      sockets: [{ protocol: 'udp', local, ...(remote === undefined ? {} : { remote }) }],
    };
    const byLookup: Behaviour = ({ packet }, state) => ({
      action: state.world.sockets !== undefined && word(packet, PORT) === 13_568 ? XDP_DROP : XDP_PASS,
    });
    const packets = [ethernet(0x0800, ip(13_568))];
    const seen = (isGiven: boolean): Promise<Seen[]> =>
      found(new SwappedNumbers(FAKE_PROGRAM, isGiven), byLookup, packets, world);
    expect((await seen(false)).length).toBe(count);
    expect((await seen(true)).length).toBe(1);
  });

  it('where the next one is, too', async () => {
    const [seen] = await swappedIn(
      (packet) => [0x1400, 0x1500, 0x1600].includes(word(packet, PORT)),
      [segment(0x1500)],
    );
    expect(seen?.breach).toMatchObject({ expected: '21 (FTP)', got: '5376' });
  });

  it.each([
    [5632, 'TCP', segment(5632), ['22 (SSH)']],
    [5632, 'UDP', ethernet(0x0800, ip(5632)), []],
    [27_655, 'TCP', segment(27_655), []],
    [27_655, 'UDP', ethernet(0x0800, ip(27_655)), ['1900 (SSDP)']],
  ] as const)(
    '%i of %s: only where its protocol has the service',
    async (port, _protocol, packet, expected) => {
      const seen = await swappedIn((one) => word(one, PORT) === port, [packet]);
      expect(seen.map(({ breach }) => breach.expected)).toEqual(expected);
    },
  );

  it('not where it hangs on the flow hash', async () => {
    const probe = new SwappedNumbers(FAKE_PROGRAM, false);
    const behaviour = whereHashIsZero((packet) => word(packet, PORT) === 13_568);
    expect(await found(probe, behaviour, [SPECIAL])).toEqual([]);
  });

  it('not of what is no service either way', async () => {
    expect(await swappedIn((one) => word(one, PORT) === 999, [ethernet(0x0800, ip(999))])).toEqual([]);
  });
});

describe('an address is compared in the wrong byte order', () => {
  const FROM = 14 + 12;
  const TO = FROM + 4;
  const FROM6 = 14 + 8;
  const little = (packet: Uint8Array, at: number): number => Buffer.from(packet).readUInt32LE(at);
  const big = (packet: Uint8Array, at: number): number => Buffer.from(packet).readUInt32BE(at);
  const from = (...address: readonly number[]): Uint8Array => {
    const packet = typed(0x0800);
    packet.set(address, FROM);
    return packet;
  };
  const from6 = (...begin: readonly number[]): Uint8Array => {
    const packet = ethernet(0x86dd, ipv6(17, udp(data(8), V4_A, V4_B)));
    packet.set(begin, FROM6);
    return packet;
  };
  const among = (
    condition: (packet: Uint8Array) => boolean,
    packets: readonly Uint8Array[],
    world?: World,
    isGiven = false,
  ): Promise<Seen[]> => found(new SwappedAddresses(FAKE_PROGRAM, isGiven), drops(condition), packets, world);

  it('where mirror images of a network are special', async () => {
    const [seen, ...more] = await among((one) => little(one, FROM) >>> 24 === 10, [from(1, 2, 3, 10)]);
    expect(more).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'address/compared',
      ...{ at: FROM, size: 0, expected: '10.0.0.0/8', got: '1.2.3.10' },
      sentence:
        'for source 1.2.3.10 the program returns XDP_DROP instead of XDP_PASS, and 10.3.2.1 (10.0.0.0/8) comes to the same as any other: as it seems, what it compares the address with is in the machine’s byte order',
    });
  });

  it.each<readonly [string, (packet: Uint8Array) => boolean, Uint8Array, string]>([
    [
      '10/8, seen on an address that is in it itself',
      (one) => little(one, FROM) >>> 24 === 10,
      from(10, 1, 1, 10),
      '10.0.0.0/8',
    ],
    ['172.16/12', (one) => little(one, FROM) >>> 20 === 0xac1, from(1, 2, 20, 172), '172.16.0.0/12'],
    ['groups', (one) => little(one, FROM) >>> 28 === 0xe, from(1, 2, 3, 230), '224.0.0.0/4'],
    ['a host', (one) => little(one, FROM) === 0xc0a80101, from(1, 1, 168, 192), '192.168.0.0/16'],
    ['the first of 10/8', (one) => little(one, FROM) === 0x0a000001, from(1, 0, 0, 10), '10.0.0.0/8'],
    [
      'the first network of 10/8',
      (one) => (little(one, FROM) & 0xffffff00) === 0x0a000000,
      from(192, 0, 0, 10),
      '10.0.0.0/8',
    ],
    [
      'a network of 192.168/16',
      (one) => little(one, FROM) >>> 8 === 0xc0a805,
      from(1, 5, 168, 192),
      '192.168.0.0/16',
    ],
    [
      '2001:db8::/32',
      (one) => little(one, FROM6) === 0x20010db8,
      from6(0xb8, 0x0d, 1, 0x20),
      '2001:db8::/32',
    ],
    ['fe80::/10', (one) => little(one, FROM6) >>> 22 === 0x3fa, from6(1, 2, 0x80, 0xfe), 'fe80::/10'],
    ['fe80, a half', (one) => (little(one, FROM6) & 0xffff) === 0xfe80, from6(0x80, 0xfe), 'fe80::/10'],
  ])('%s', async (_what, condition, packet, expected) => {
    expect((await among(condition, [packet])).map(({ breach }) => breach.expected)).toEqual([expected]);
  });

  it.each<readonly [string, (packet: Uint8Array) => boolean, Uint8Array]>([
    ['where the network is meant', (one) => big(one, FROM) >>> 24 === 10, from(1, 2, 3, 10)],
    [
      'where both are',
      (one) => big(one, FROM) >>> 24 === 10 || little(one, FROM) >>> 24 === 10,
      from(1, 2, 3, 10),
    ],
    ['where the last byte says broadcast', (one) => one[TO - 1] === 255, from(10, 0, 0, 255)],
    ['where the last byte chooses', (one) => one[TO - 1]! % 16 === 10, from(1, 2, 3, 10)],
    ['where more than it is special', (one) => one[TO - 1]! < 100, from(1, 2, 3, 10)],
    ['of a network as small as one', (one) => big(one, FROM) >>> 8 === 0xc00000, from(192, 0, 0, 10)],
    ['of a smaller one', (one) => big(one, FROM) >>> 3 === 0x54c8a8c0 >>> 3, from(84, 200, 168, 192)],
    ['of an address with a meaning of its own', (one) => big(one, FROM) === 0xc000000a, from(192, 0, 0, 10)],
    ['of one address that may be another one', (one) => big(one, FROM) === 0x0804040a, from(8, 4, 4, 10)],
    ['of an address that is one of both ways', (one) => big(one, FROM) === 0x0a01010a, from(10, 1, 1, 10)],
    [
      'of one that a hash chooses',
      (one) => hashOf(one, FROM, 4) % 64 === hashOf(from(1, 0, 0, 10), FROM, 4) % 64,
      from(1, 0, 0, 10),
    ],
    ['of a range of last bytes', (one) => [10, 11].includes(one[TO - 1]!), from(1, 2, 3, 10)],
    ['of a global address', (one) => big(one, FROM6) === 0x2a0080fe, from6(0x2a, 0, 0x80, 0xfe)],
  ])('not %s', async (_what, condition, packet) => {
    expect(await among(condition, [packet])).toEqual([]);
  });

  it('where all of the first byte is compared that a prefix begins with', async () => {
    const seen = await among((one) => one[TO - 1] === 172, [from(1, 2, 20, 172)]);
    expect(seen.map(({ breach }) => breach.expected)).toEqual(['172.16.0.0/12']);
  });

  it('not where it hangs on the flow hash', async () => {
    const probe = new SwappedAddresses(FAKE_PROGRAM, false);
    const behaviour = whereHashIsZero((one) => little(one, FROM) >>> 24 === 10);
    expect(await found(probe, behaviour, [from(1, 2, 3, 10)])).toEqual([]);
  });

  it.each<readonly [string, World]>([
    ['a route', { routes: [{ to: '1.0.0.10/32', ifindex: 2 }] }],
    ['a route to its network', { routes: [{ to: '1.0.0.0/24', ifindex: 2 }] }],
    ['a gateway', { routes: [{ to: '0.0.0.0/0', via: '1.0.0.10' }] }],
    ['a neighbour', { neighbours: [{ ifindex: 2, address: '1.0.0.10', mac: new Uint8Array(6) }] }],
    ['a socket', { sockets: [{ protocol: 'udp', local: '1.0.0.10:7' }] }],
    [
      'a device',
      { devices: [{ ifindex: 2, name: 'two', mac: new Uint8Array(6), addresses: ['1.0.0.1/28'] }] },
    ],
  ])('not where the test made up %s for it', async (_what, world) => {
    const condition = (one: Uint8Array): boolean => big(one, FROM) === 0x0100000a;
    const seen = (isGiven: boolean): Promise<Seen[]> => among(condition, [from(1, 0, 0, 10)], world, isGiven);
    expect(await seen(false)).toEqual([]);
    expect((await seen(true)).length).toBe(1);
  });

  it('where the routes of the world lead elsewhere, or everywhere', async () => {
    const routes = ['0.0.0.0/0', '10.0.0.0/8', '::/0', '100::/8'].map((to) => ({ to, ifindex: 2 }));
    const condition = (one: Uint8Array): boolean => big(one, FROM) === 0x0100000a;
    expect((await among(condition, [from(1, 0, 0, 10)], { routes })).length).toBe(1);
  });

  it('where what is counted shows it, and not what each address keeps of its own', async () => {
    const counts: Behaviour = ({ packet }, state) => {
      if (little(packet, FROM) >>> 24 === 10) state.counts.set(1, 1);
      return { action: XDP_PASS };
    };
    const keeps: Behaviour = ({ packet }, state) => {
      state.counts.set(packet[TO - 1]! % 4, 1);
      return { action: little(packet, FROM) >>> 24 === 10 ? XDP_DROP : XDP_PASS };
    };
    for (const behaviour of [counts, keeps])
      expect(
        (await found(new SwappedAddresses(FAKE_PROGRAM, false), behaviour, [from(1, 2, 3, 10)])).length,
      ).toBe(1);
  });

  it('where the address itself goes through an entry of a map', async () => {
    const keeps =
      (isSpecial: (address: number) => boolean): Behaviour =>
      ({ packet }, state) => {
        state.counts.set(0, big(packet, FROM));
        if (isSpecial(little(packet, FROM))) state.counts.set(1, 1);
        return { action: XDP_PASS };
      };
    const seen = (isSpecial: (address: number) => boolean): Promise<Seen[]> =>
      found(new SwappedAddresses(FAKE_PROGRAM, false), keeps(isSpecial), [from(1, 2, 3, 10)]);
    expect((await seen((address) => address >>> 24 === 10)).length).toBe(1);
    expect(await seen((address) => (address & 0xff) === 10)).toEqual([]);
  });

  it('not where a map that a test filled decides', async () => {
    const world: World = {
      maps: { counts: [{ key: new Uint8Array(4), value: Uint8Array.of(1, 2, 3, 10) }] },
    };
    const byMap: Behaviour = ({ packet }, state) => ({
      action: state.world.maps !== undefined && little(packet, FROM) >>> 24 === 10 ? XDP_DROP : XDP_PASS,
    });
    for (const [isGiven, count] of [
      [false, 0],
      [true, 1],
    ] as const)
      expect(
        (await found(new SwappedAddresses(FAKE_PROGRAM, isGiven), byMap, [from(1, 2, 3, 10)], world)).length,
      ).toBe(count);
  });
});

describe('only malformed packets are changed or sent', () => {
  const malformed = ethernet(
    0x0800,
    Uint8Array.from(ip(), (byte, at) => (at === 0 ? 0x35 : byte)),
  );
  const answers =
    (version: (version: number) => boolean): Behaviour =>
    ({ packet }) => ({ action: version(packet[14]! >> 4) ? XDP_TX : XDP_PASS });
  const sent = (behaviour: Behaviour, packets: readonly Uint8Array[]): Promise<Seen[]> =>
    found(new MalformedOnly(FAKE_PROGRAM), behaviour, packets);

  it('where it is so of all', async () => {
    const [seen] = await sent(
      answers((version) => version === 3),
      [typed(0x0800), malformed],
    );
    expect(seen?.breach).toEqual({
      invariant: 'action/malformed-only',
      ...{ at: 14, size: 0, expected: 'version 4', got: 'version 3' },
      sentence:
        'no packet that the program changed or sent on has the IP version that its EtherType says; this one says IPv4, and has version 3',
    });
  });

  it('not where the same packet would be with the right version: it was malformed by chance', async () => {
    const routed: Behaviour = ({ packet }) => ({ action: packet[30] === V4_B[0] ? XDP_TX : XDP_PASS });
    expect(await sent(routed, [malformed])).toEqual([]);
    // Nor where it takes a right checksum besides.
    const whole = typed(0x0800);
    const exact: Behaviour = ({ packet }) => ({
      action:
        packet[14] === 0x35 || (packet[24] === whole[24] && packet[25] === whole[25]) ? XDP_TX : XDP_PASS,
    });
    const broken = malformed.slice();
    broken[24] = broken[24]! ^ 1;
    expect(await sent(exact, [broken])).toEqual([]);
    expect(
      await sent(
        answers((version) => version === 3),
        [malformed],
      ),
    ).toHaveLength(1);
  });

  it('not where one is what it says, or is no IP', async () => {
    const any = answers(() => true);
    expect(await sent(any, [malformed, typed(0x0800)])).toEqual([]);
    expect(await sent(any, [malformed, ethernet(0x86dd, ipv6(17, udp(data(8))))])).toEqual([]);
    expect(await sent(any, [malformed, typed(0x0806)])).toEqual([]);
  });

  it('not where they are dropped', async () => {
    const drop = drops((packet) => packet[14]! >> 4 !== 4);
    expect(await sent(drop, [malformed, typed(0x0800)])).toEqual([]);
  });
});

describe('skb->protocol is compared in the wrong byte order', () => {
  const compared = (text: string, hook: 'tc-ingress' | 'xdp' = 'tc-ingress'): string[] =>
    swappedProtocols({
      name: 'p',
      entries: [{ function: 'main', hook }],
      object: writeElf({ main: `${text}\n r0 = 0\n exit\n out:\n r0 = 2\n exit` }, []),
    }).map(({ summary }) => summary);
  const LOAD = 'r2 = *(u32 *)(r1 + 16)';

  it('with a known type', () => {
    expect(compared(`${LOAD}\n if r2 == 2048 goto out`)).toEqual([
      'p: ethertype/compared: skb->protocol is compared with 0x0008, which is 0x0800 (IPv4) in the machine’s byte order; the field is in the network’s (instruction 1)',
    ]);
  });

  it('through copies and masks, behind jumps, and with !=', () => {
    expect(
      compared(`${LOAD}\n r6 = r2\n r6 &= 65535\n if r1 == 0 goto out\n if r6 != 34525 goto out`).length,
    ).toBe(1);
  });

  it('not in the network’s order, with another number, another field, or what is computed of it', () => {
    for (const text of [
      `${LOAD}\n if r2 == 8 goto out`,
      `${LOAD}\n if r2 == 1234 goto out`,
      'r2 = *(u32 *)(r1 + 0)\n if r2 == 2048 goto out',
      `${LOAD}\n r2 = be16 r2\n if r2 == 2048 goto out`,
      `${LOAD}\n r2 = 5\n if r2 == 2048 goto out`,
    ])
      expect(compared(text), text).toEqual([]);
  });

  it('not by XDP programs, which have no such field', () => {
    expect(compared('r2 = *(u32 *)(r1 + 16)\n if r2 == 2048 goto out', 'xdp')).toEqual([]);
  });
});

describe('a number that a hash makes special', () => {
  const sum = (packet: Uint8Array, from: number, to: number): number =>
    packet.subarray(from, to).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5) >>>
    7;
  const from = (port: number, last: number): Uint8Array => {
    const packet = typed(0x0800);
    packet.set([port >> 8, port & 0xff], 36);
    packet[29] = last;
    return packet;
  };
  const many = (port: number): Uint8Array[] => Array.from({ length: 64 }, (_, last) => from(port, last));

  it.each([2, 8, 64])('of the flow, in one packet of %i', async (share) => {
    const hashed = (packet: Uint8Array): boolean => sum(packet, 26, 38) % share === 0;
    expect(await swappedIn(hashed, many(0x5000))).toEqual([]);
  });

  it.each([2, 8])('of an Ethernet header, in one packet of %i', async (share) => {
    const packets = many(0x5000).map((packet, at) => {
      packet.set([0x00, 0x08], 12);
      packet[11] = at;
      return packet;
    });
    expect(await swappedIn((packet) => sum(packet, 0, 14) % share === 0, packets)).toEqual([]);
  });

  it('is none where the source is asked for as well', async () => {
    const condition = (packet: Uint8Array): boolean => word(packet, 36) === 0x5000 && packet[29] === 7;
    expect(await swappedIn(condition, many(0x5000))).toHaveLength(1);
  });
});

describe('a packet whose checksum is wrong', () => {
  const broken = (packet: Uint8Array): Uint8Array => packet.with(24, packet[24]! ^ 1);

  it('is special for that, and not for its port', async () => {
    const packet = ethernet(0x0800, ip(0x5000));
    expect(await swappedIn((one) => word(one, 24) !== word(packet, 24), [broken(packet)])).toEqual([]);
  });

  it('shows a port all the same', async () => {
    const packet = broken(ethernet(0x0800, ip(0x5000)));
    expect(await swappedIn((one) => word(one, 36) === 0x5000, [packet])).toHaveLength(1);
  });
});

describe('a number is held against a limit in the wrong byte order', () => {
  const TOTAL = 16;
  const SOURCE = 34;
  const DESTINATION = 36;
  const UDP_LENGTH = 38;
  const misread = (packet: Uint8Array, at: number): number => packet[at]! | (packet[at + 1]! << 8);
  const put = (packet: Uint8Array, at: number, value: number): Uint8Array =>
    packet.with(at, value & 0xff).with(at + 1, value >> 8);
  const plain = typed(0x0800);
  const tagged = (value: number): Uint8Array => put(vlan(7, 0x0800, ip()), 14, value);
  const told = async (
    condition: (packet: Uint8Array) => boolean,
    packets: readonly Uint8Array[],
    world?: World,
  ): Promise<string[]> => {
    const seen = await found(new OrderComparisons(FAKE_PROGRAM, false), drops(condition), packets, world);
    return seen.map(({ breach }) => `${breach.invariant}: ${breach.expected}`);
  };

  it.each<readonly [string, (packet: Uint8Array) => boolean, Uint8Array]>([
    ['length/compared: IPv4 total length at least 1401', (one) => misread(one, TOTAL) > 1400, plain],
    ['length/compared: UDP length at least 8', (one) => misread(one, UDP_LENGTH) < 8, plain],
    ['length/compared: UDP length below 30726', (one) => misread(one, UDP_LENGTH) > 0x7805, plain],
    [
      'port/compared: destination port 6881 to 6889',
      (one) => misread(one, DESTINATION) >= 6881 && misread(one, DESTINATION) <= 6889,
      put(plain, DESTINATION, 6885),
    ],
    [
      'port/compared: source port at least 5000',
      (one) => misread(one, SOURCE) < 5000 && word(one, DESTINATION) === 80,
      plain,
    ],
    ['port/compared: destination port at least 1024', (one) => misread(one, DESTINATION) < 1024, plain],
    ['vlan/compared: VLAN id 100', (one) => (misread(one, 14) & 0xfff) === 100, tagged(0x5064)],
    [
      'vlan/compared: VLAN id 100 to 199',
      (one) => (misread(one, 14) & 0xfff) >= 100 && (misread(one, 14) & 0xfff) < 200,
      tagged(0x5064),
    ],
  ])('%s', async (expected, condition, packet) => {
    expect(await told(condition, [packet])).toEqual([expected]);
  });

  const syn = ethernet(0x0800, ipv4(6, tcp(Uint8Array.of(2, 4, 5, 0xb4, 7, 7, 7, 7))));
  it.each<readonly [string, number, Uint8Array]>([
    ['number/compared: TCP window below 1000', 34 + 14, syn],
    ['length/compared: maximum segment size at least 1000', 34 + 20 + 2, syn.with(34 + 12, 0x60)],
  ])('%s', async (expected, at, packet) => {
    expect(await told((one) => misread(one, at) < 1000, [packet])).toEqual([expected]);
    expect(await told((one) => word(one, at) < 1000, [packet])).toEqual([]);
  });

  it('warns of what may as well be a test of the lower byte', async () => {
    const severity = async (condition: (packet: Uint8Array) => boolean): Promise<(string | undefined)[]> => {
      const seen = await found(new OrderComparisons(FAKE_PROGRAM, false), drops(condition), [plain]);
      return seen.map(({ severity, breach }) => `${severity} ${breach.expected}`);
    };
    expect(await severity((one) => misread(one, TOTAL) < 512)).toEqual([
      'warning IPv4 total length at least 512',
    ]);
    expect(await severity((one) => word(one, TOTAL) % 256 < 10)).toEqual([
      'warning IPv4 total length at least 2560',
    ]);
    expect(await severity((one) => misread(one, TOTAL) < 513)).toEqual([
      'undefined IPv4 total length at least 513',
    ]);
  });

  it('says for which number what becomes of the packet', async () => {
    const condition = (one: Uint8Array): boolean => (misread(one, 14) & 0xfff) === 100;
    const [seen] = await found(new OrderComparisons(FAKE_PROGRAM, false), drops(condition), [tagged(100)]);
    expect(seen?.breach).toMatchObject({
      got: 'VLAN id 1024',
      sentence:
        'for VLAN id 1024 the program returns XDP_DROP instead of XDP_PASS, as for every one that is 100 once its two bytes are swapped (100 here): it takes the number as it lies in the packet, without `bpf_ntohs`',
    });
  });

  it('where only what is counted shows it', async () => {
    const counts: Behaviour = ({ packet }, state) => {
      if (misread(packet, TOTAL) > 1400) state.counts.set(1, 1);
      return { action: XDP_PASS };
    };
    const seen = await found(new OrderComparisons(FAKE_PROGRAM, false), counts, [plain]);
    expect(seen.map(({ breach }) => breach.invariant)).toEqual(['length/compared']);
    const keeps =
      (isSpecial: (packet: Uint8Array) => boolean): Behaviour =>
      ({ packet }, state) => {
        state.counts.set(0, word(packet, TOTAL));
        if (isSpecial(packet)) state.counts.set(1, 1);
        return { action: XDP_PASS };
      };
    const kept = (isSpecial: (packet: Uint8Array) => boolean): Promise<Seen[]> =>
      found(new OrderComparisons(FAKE_PROGRAM, false), keeps(isSpecial), [plain]);
    expect((await kept((one) => misread(one, TOTAL) > 1400)).length).toBe(1);
    expect(await kept((one) => word(one, TOTAL) > 1400)).toEqual([]);
  });

  const PORT = put(plain, DESTINATION, 0x1234);
  it.each<readonly [string, (packet: Uint8Array) => boolean, Uint8Array]>([
    ['where it is held against it as it is meant', (one) => word(one, TOTAL) > 1400, plain],
    ['where a range is as it is meant', (one) => word(one, SOURCE) < 5000 && word(one, SOURCE) > 9, plain],
    ['where the VLAN is as it is meant', (one) => (word(one, 14) & 0xfff) === 100, tagged(0x6400)],
    ['where the whole tag is asked for', (one) => word(one, 14) === 0x6400, tagged(0x0064)],
    ['where the lowest bits of the VLAN decide', (one) => (word(one, 14) & 0xf) < 3, tagged(0x0064)],
    ['where a range of them does', (one) => [5, 6, 7, 8, 9].includes(word(one, 14) & 0xf), tagged(0x0064)],
    ['where the priority is asked for', (one) => one[14]! >> 5 === 3, tagged(0x0064)],
    ['where a remainder decides', (one) => word(one, DESTINATION) % 255 < 3, put(plain, DESTINATION, 1)],
    ['where a remainder decides, misread', (one) => misread(one, DESTINATION) % 7 < 3, PORT],
    ['where lower bits decide', (one) => (word(one, DESTINATION) & 0xff) < 26, PORT],
    ['where upper bits decide', (one) => misread(one, DESTINATION) < 0x4000, PORT],
    ['where a third of the ports is meant', (one) => misread(one, DESTINATION) < 0x5556, PORT],
    [
      'where one port is held against the other',
      (one) => misread(one, SOURCE) < misread(one, DESTINATION),
      PORT,
    ],
    ['where ports are listed', (one) => [53, 123, 500, 4500].includes(word(one, DESTINATION)), plain],
    [
      'where a hash decides',
      (one) => Math.imul(word(one, SOURCE) ^ (one[29]! << 8), 0x9e3779b1) >>> 24 < 26,
      PORT,
    ],
    ['where nothing depends on it', () => true, plain],
  ])('not %s', async (_what, condition, packet) => {
    expect(await told(condition, [packet])).toEqual([]);
  });

  it('not where a map that a test filled holds the number', async () => {
    const byMap: Behaviour = ({ packet }, state) => ({
      action: state.world.maps !== undefined && misread(packet, TOTAL) > 1400 ? XDP_DROP : XDP_PASS,
    });
    const value = Uint8Array.of(0x78, 5, 0, 0);
    const world: World = { maps: { counts: [{ key: new Uint8Array(4), value }] } };
    const seen = (isGiven: boolean): Promise<Seen[]> =>
      found(new OrderComparisons(FAKE_PROGRAM, isGiven), byMap, [plain], world);
    expect(await seen(false)).toEqual([]);
    expect((await seen(true)).length).toBe(1);
  });
});
