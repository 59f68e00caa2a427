/** Which words of packets count as rewritten, what they are called, and what makes up for a checksum that is swept. */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../sim/runtime/actions.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  tcp,
  udp,
  V6_A,
  V6_B,
  vlan,
} from '../test-support/packets.ts';
import { type Rewritten, RewrittenWords } from './rewritten.ts';

const TCP4 = ethernet(0x0800, ipv4(6, tcp(data(20))));
const UDP4 = ethernet(0x0800, ipv4(17, udp(data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
const PING = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 2], data(20))));
const IP = 14;
const IP_SUM = IP + 10;
const L4 = IP + 20;

interface Found {
  readonly words: RewrittenWords;
  /** Packets that were redirected, by the length that they came with. */
  readonly redirected: readonly number[];
}

async function seen(behaviour: Behaviour, packets: readonly Uint8Array[]): Promise<Found> {
  const redirected: number[] = [];
  const words = new RewrittenWords(['xdp'], (_pair, _world, input, packet, delivery) => {
    if (delivery === DELIVERY.redirected) redirected.push(input.length[packet]!);
  });
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  const side = new EngineSide(fakeEngine('wasm', behaviour), FAKE_PROGRAM, packets.length);
  expect(await side.run({}, input)).toBe(true);
  words.observe({}, input, side);
  await side.close();
  return { words, redirected };
}

/** Those that are rewritten themselves. */
const ownOf = ({ words }: Found): readonly Rewritten[] =>
  words.words.filter(({ name }) => !name.startsWith('what drives'));

/** Turns bytes at these offsets over. */
const turned = (packet: Uint8Array, offsets: readonly number[]): Uint8Array =>
  packet.map((byte, at) => (offsets.includes(at) ? byte ^ 0xff : byte));
const turns =
  (offsets: readonly number[], action = XDP_TX): Behaviour =>
  ({ packet }) => ({ action, packet: turned(packet, offsets) });

async function namesOf(packet: Uint8Array, ...offsets: number[]): Promise<string[]> {
  const { words } = await seen(turns(offsets), [packet]);
  return words.words.map(({ name }) => name);
}

describe('a word that was rewritten', () => {
  it.each<[what: string, packet: Uint8Array, at: number, name: string]>([
    ['a MAC address', TCP4, 0, 'ethernet+0'],
    ['the EtherType', TCP4, 13, 'ethernet+12'],
    ['the identification', TCP4, IP + 5, 'ipv4+4'],
    ['the TTL', TCP4, IP + 8, 'ipv4+8'],
    ['the first word of the source address', TCP4, IP + 12, 'ipv4+12 of tcp'],
    ['the last word of the destination address', TCP4, IP + 19, 'ipv4+18 of tcp'],
    ['an address in front of UDP', UDP4, IP + 16, 'ipv4+16 of udp'],
    ['a port', TCP4, L4, 'tcp+0 over ipv4'],
    ['flags', TCP4, L4 + 13, 'tcp+12 over ipv4'],
    ['the first word of the payload', TCP4, L4 + 20, 'tcp+20 over ipv4'],
    ['an ICMP identifier', PING, L4 + 4, 'icmp+4 over ipv4'],
    ['the hop limit', UDP6, IP + 7, 'ipv6+6'],
    ['the first word of an IPv6 address', UDP6, IP + 8, 'ipv6+8 of udp'],
    ['the last word of an IPv6 address', UDP6, IP + 39, 'ipv6+38 of udp'],
    ['a port over IPv6', UDP6, IP + 43, 'udp+2 over ipv6'],
    ['a tag', vlan(5, 0x0800, ipv4(17, udp(data(8)))), 15, 'ethernet+14'],
    ['an option', ethernet(0x0800, ipv4(17, udp(data(8)), { options: [1, 1, 1, 0] })), L4, 'ipv4+20'],
  ])('%s', async (_what, packet, at, name) => {
    const { words } = await seen(turns([at]), [packet]);
    const [word, ...others] = words.words;
    expect(others).toEqual([]);
    expect(word).toMatchObject({ world: {}, stimulus: { packet }, name, at: at & ~1, balance: -1 });
    expect(words.left).toBe(0);
  });

  it('of what lies in another packet', async () => {
    const packet = ethernet(0x0800, ipv4(4, ipv4(17, udp(data(8)))));
    expect(await namesOf(packet, IP + 4, L4 + 4, L4 + 12, L4 + 20)).toEqual([
      'ipv4+4',
      'inner ipv4+4',
      'inner ipv4+12 of udp',
      'udp+0 over ipv4',
    ]);
  });

  it('of the payload, as far as programs reach', async () => {
    expect(await namesOf(TCP4, L4 + 20 + 15)).toEqual(['tcp+34 over ipv4']);
    expect(await namesOf(TCP4, L4 + 20 + 16)).toEqual([]);
  });

  it('is none where nothing was', async () => {
    expect(await namesOf(TCP4)).toEqual([]);
  });

  it('is found where it stands now', async () => {
    const pushes: Behaviour = ({ packet }) => ({
      action: XDP_TX,
      packet: bytes(packet.subarray(0, 12), [0x81, 0, 0, 5], turned(packet, [IP + 8]).subarray(12)),
    });
    const pops: Behaviour = ({ packet }) => ({
      action: XDP_TX,
      packet: bytes(packet.subarray(0, 12), turned(packet, [IP + 12]).subarray(16)),
    });
    const cuts: Behaviour = ({ packet }) => ({
      action: XDP_TX,
      packet: turned(packet, [IP + 8]).subarray(0, L4 + 24),
    });
    const names = ({ words }: Found): string[] => words.words.map(({ name }) => name);
    expect(names(await seen(cuts, [TCP4]))).toEqual(['ipv4+8']);
    // The addresses in front of the tag stay where they were; what is taken off stands nowhere.
    expect(names(await seen(pushes, [TCP4]))).toEqual(['ipv4+8']);
    const popped = await seen(pops, [vlan(5, 0x0800, ipv4(6, tcp(data(20))))]);
    expect(names(popped)).toEqual(['ethernet+12', 'ethernet+14', 'ipv4+8']);
  });

  it('is none where nobody can say which byte went where', async () => {
    const cut: Behaviour = ({ packet }) => ({
      action: XDP_TX,
      packet: packet.map((byte) => ~byte).subarray(2),
    });
    expect((await seen(cut, [TCP4])).words.words).toEqual([]);
    const garbled: Behaviour = ({ packet }) => ({ action: XDP_TX, packet: packet.map((byte) => ~byte) });
    expect((await seen(garbled, [TCP4])).words.words.length).toBeGreaterThan(20);
  });

  it('is kept once for each action', async () => {
    const byPort: Behaviour = (one) =>
      turns([IP + 8], one.packet[L4 + 1]! % 2 === 0 ? XDP_TX : XDP_PASS)(one, never);
    const other = TCP4.slice();
    const never = { world: {}, counts: new Map<number, number>(), packets: 0 };
    // A port that is one higher, and a checksum one lower.
    other[L4 + 1]! += 1;
    other[L4 + 17]! -= 1;
    const { words } = await seen(byPort, [TCP4, other, TCP4, other]);
    expect(words.words.map(({ name, stimulus }) => [name, stimulus.packet[L4 + 1]])).toEqual([
      ['ipv4+8', TCP4[L4 + 1]],
      ['ipv4+8', other[L4 + 1]],
    ]);
  });
});

describe('a checksum', () => {
  /** What takes its place in the sum, of each packet that is kept. */
  async function balances(
    packet: Uint8Array,
    sum: number,
    others: readonly number[] = [],
  ): Promise<number[]> {
    const { words } = await seen(turns([sum, ...others]), [packet]);
    return words.words.filter(({ at }) => at === sum).map(({ balance }) => balance);
  }

  const bare = ethernet(0x0800, ipv4(6, tcp(data(0))));
  const bareUdp = ethernet(0x0800, ipv4(17, udp(data(0))));
  const bareUdp6 = ethernet(0x86dd, ipv6(17, udp(data(0), V6_A, V6_B)));
  const barePing = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 2], data(0))));
  it.each<[what: string, packet: Uint8Array, sum: number, others: number[], balance: number]>([
    ['of IPv4: the identification', TCP4, IP_SUM, [], IP + 4],
    ['of TCP: the last word of the payload', TCP4, L4 + 16, [], L4 + 38],
    ['of UDP: the last word of the payload', UDP4, L4 + 6, [], L4 + 26],
    ['of UDP over IPv6: the last word of the payload', UDP6, IP + 46, [], IP + 66],
    ['of ICMP: the last word of the payload', PING, L4 + 2, [], L4 + 26],
    [
      'of an odd payload: the last whole word',
      ethernet(0x0800, ipv4(6, tcp(data(21)))),
      L4 + 16,
      [],
      L4 + 38,
    ],
    [
      'of a payload of one byte: the sequence number',
      ethernet(0x0800, ipv4(6, tcp(data(1)))),
      L4 + 16,
      [],
      L4 + 6,
    ],
    ['of a payload of two bytes: these', ethernet(0x0800, ipv4(6, tcp(data(2)))), L4 + 16, [], L4 + 20],
    ['of a payload that was rewritten: the sequence number', TCP4, L4 + 16, [L4 + 38], L4 + 6],
    ['of TCP alone: the sequence number', bare, L4 + 16, [], L4 + 6],
    ['else the acknowledgement', bare, L4 + 16, [L4 + 6], L4 + 10],
    ['else the upper half of the one', bare, L4 + 16, [L4 + 6, L4 + 10], L4 + 4],
    ['or of the other', bare, L4 + 16, [L4 + 4, L4 + 6, L4 + 10], L4 + 8],
    ['of UDP alone: the source port', bareUdp, L4 + 6, [], L4],
    ['of UDP alone over IPv6: the source port', bareUdp6, IP + 46, [], IP + 40],
    ['of ICMP alone: the sequence number', barePing, L4 + 2, [], L4 + 6],
    ['or the identifier', barePing, L4 + 2, [L4 + 6], L4 + 4],
    [
      'around another one: what its own header has',
      ethernet(0x0800, ipv4(4, ipv4(17, udp(data(8))))),
      IP_SUM,
      [],
      IP + 4,
    ],
  ])('%s', async (_what, packet, sum, others, balance) => {
    expect(await balances(packet, sum, others)).toEqual([balance]);
  });

  it('is not swept where nothing is left to take its place', async () => {
    expect(await balances(TCP4, IP_SUM, [IP + 4])).toEqual([]);
    expect(await balances(bare, L4 + 16, [L4 + 4, L4 + 6, L4 + 8, L4 + 10])).toEqual([]);
    expect(await balances(bareUdp, L4 + 6, [L4])).toEqual([]);
  });

  it('is kept with three packets, and other words with one', async () => {
    const { words } = await seen(turns([IP + 8, IP_SUM]), [TCP4, TCP4, TCP4, TCP4]);
    expect(words.words.map(({ name }) => name)).toEqual(['ipv4+8', 'ipv4+10', 'ipv4+10', 'ipv4+10']);
    expect(words.left).toBe(0);
  });

  it('is a word like any other where it is none: a UDP checksum of 0', async () => {
    const none = UDP4.slice();
    none.fill(0, L4 + 6, L4 + 8);
    expect(ownOf(await seen(turns([L4 + 6]), [none, none]))).toMatchObject([
      { name: 'udp+6 over ipv4', balance: -1 },
    ]);
  });
});

describe('packets', () => {
  const count = async (behaviour: Behaviour, packet: Uint8Array): Promise<number> =>
    (await seen(behaviour, [packet])).words.words.length;
  const sized = (size: number): Uint8Array => ethernet(0x0800, ipv4(17, udp(data(size - L4 - 8))));

  it('are looked at where they leave', async () => {
    expect(await count(turns([IP + 8], XDP_PASS), TCP4)).toBe(1);
    expect(await count(turns([IP + 8], XDP_TX), TCP4)).toBe(1);
    expect(await count(turns([IP + 8], XDP_REDIRECT), TCP4)).toBe(1);
    expect(await count(turns([IP + 8], XDP_DROP), TCP4)).toBe(0);
    expect(
      await count((one, state) => ({ ...turns([IP + 8])(one, state), violation: 'stopped' }), TCP4),
    ).toBe(0);
  });

  it('of more than 256 bytes are for words that no shorter one has', async () => {
    const lengths = async (...sizes: number[]): Promise<number[]> => {
      const { words } = await seen(turns([IP + 8]), sizes.map(sized));
      return words.words.map(({ stimulus }) => stimulus.packet.length);
    };
    expect(await lengths(257, 1514, 256, 100)).toEqual([256]);
    expect(await lengths(1514, 257)).toEqual([1514]);
    const mixed: Behaviour = (one, state) => turns([one.packet.length > 256 ? IP + 6 : IP + 8])(one, state);
    const { words } = await seen(mixed, [sized(257), sized(100)]);
    expect(words.words.map(({ name }) => name)).toEqual(['ipv4+6', 'ipv4+8']);
  });

  it('that become shorter are kept, one of each protocol and way, whatever lies inside', async () => {
    const gre = (...inside: number[]): Uint8Array => ethernet(0x0800, ipv4(47, Uint8Array.from(inside)));
    const shorter: Behaviour = ({ packet }) => ({ action: XDP_PASS, packet: packet.subarray(4) });
    const packets = [gre(0, 0, 8, 0, 1, 2, 3, 4), gre(0, 0, 8, 0), sized(80), TCP4];
    const { words } = await seen(shorter, packets);
    expect(words.moved.map(({ stimulus }) => stimulus.packet.length)).toEqual([42, 80, TCP4.length]);
    expect((await seen(turns([IP + 8]), packets)).words.moved).toEqual([]);
  });

  it.each<[what: string, packet: Uint8Array]>([
    ['with a wrong checksum', turned(TCP4, [L4 + 16])],
    ['with a wrong checksum of IP', turned(TCP4, [IP_SUM])],
    ['that are fragments', ethernet(0x0800, ipv4(17, udp(data(20)), { fragment: 0x2000 }))],
    ['that are cut off', TCP4.subarray(0, L4 + 10)],
    ['without a header that is known', ethernet(0x88cc, data(40))],
  ])('are not looked at %s', async (_what, packet) => {
    expect(await count(turns([IP + 8]), packet)).toBe(0);
  });

  it('are not looked at where nothing that is known came, whatever left', async () => {
    const unknown = UDP4.slice();
    unknown.set([0x88, 0xcc], 12);
    expect(await count(() => ({ action: XDP_TX, packet: UDP4 }), unknown)).toBe(0);
  });

  it('are looked at where what they quote is wrong', async () => {
    const quoted = turned(ipv4(17, udp(data(8))), [10]);
    expect(await count(turns([IP + 8]), ethernet(0x0800, ipv4(1, icmp(3, 3, [0, 0, 0, 0], quoted))))).toBe(1);
  });

  it('are ICMP errors whose quotes end early, or say what no packet says', async () => {
    const quote = ipv4(17, udp(data(20)));
    const error = (quoted: Uint8Array): Uint8Array =>
      ethernet(0x0800, ipv4(1, icmp(3, 0, [0, 0, 0, 0], quoted)));
    const nonsense = quote.slice();
    nonsense[0] = 0xe5;
    for (const packet of [error(quote), error(quote.subarray(0, 28)), error(nonsense)])
      expect(await namesOf(packet, IP + 16)).toEqual(['ipv4+16 of icmp']);
  });

  it('with a header put into their middle are rewritten only where they are new, not where they have moved', async () => {
    // Eight bytes behind IP, which says so, and whose checksum follows.
    const inserted: Behaviour = ({ packet }) => {
      const longer = Uint8Array.from([...packet.subarray(0, L4), ...data(8), ...packet.subarray(L4)]);
      longer[IP + 3]! += 8;
      longer[IP + 11]! -= 8;
      return { action: XDP_TX, packet: longer };
    };
    const payload = ethernet(0x0800, ipv4(6, tcp(data(60))));
    expect(ownOf(await seen(inserted, [payload])).map(({ name }) => name)).toEqual(['ipv4+2', 'ipv4+10']);
    const removed: Behaviour = ({ packet }) => {
      const shorter = Uint8Array.from([...packet.subarray(0, L4 + 20), ...packet.subarray(L4 + 28)]);
      shorter[L4]! ^= 0xff;
      return { action: XDP_TX, packet: shorter };
    };
    // What was taken out counts, too.
    expect((await seen(removed, [payload])).words.words.map(({ name }) => name)).toEqual(
      [0, 20, 22, 24, 26].map((offset) => `tcp+${offset} over ipv4`),
    );
  });

  it('are shown to who asks for those that are redirected', async () => {
    const some: Behaviour = (one, state) =>
      turns([IP + 8], one.packet.length === 60 ? XDP_REDIRECT : XDP_TX)(one, state);
    expect((await seen(some, [sized(60), sized(61), sized(60)])).redirected).toEqual([60, 60]);
    expect((await seen(turns([], XDP_REDIRECT), [sized(60)])).redirected).toEqual([]);
  });
});

describe('all sweeps', () => {
  /** Everything is rewritten, under each action. */
  const all =
    (action: number): Behaviour =>
    ({ packet }) => ({ action, packet: packet.map((byte) => byte ^ 0xff) });

  it('are 160: the names of others are counted', async () => {
    const words = new RewrittenWords(['xdp']);
    const found: number[][] = [];
    for (const action of [XDP_PASS, XDP_TX, XDP_REDIRECT]) {
      for (const packet of [TCP4, UDP6]) {
        const input = new PacketBatch(1);
        input.push({ packet });
        const side = new EngineSide(fakeEngine('wasm', all(action)), FAKE_PROGRAM, 1);
        await side.run({}, input);
        words.observe({}, input, side);
        await side.close();
        found.push([words.words.length, words.left]);
      }
    }
    // Ethernet, IPv4, TCP and eight words of payload, without the two checksums; Ethernet is known then.
    expect(found).toEqual([
      [33, 0],
      [64, 0],
      [97, 0],
      [128, 0],
      [160, 1],
      [160, 32],
    ]);
  });
});

describe('what drives a checksum that is made anew', () => {
  const none = UDP4.slice();
  none.fill(0, L4 + 6, L4 + 8);
  /** Fills in a checksum that is no 0: a wrong one is one, too. */
  const filling: Behaviour = ({ packet }) => {
    const left = packet.slice();
    left.set([0x12, 0x34], L4 + 6);
    return { action: XDP_PASS, packet: left };
  };

  it('is data where there was no checksum, from two addresses', async () => {
    const { words } = await seen(filling, [none]);
    expect(words.driving.map(({ name, at }) => [name, at])).toEqual([
      ['what drives udp+6 over ipv4', none.length - 2],
    ]);
    const own = words.words.filter(({ name }) => name.startsWith('what'));
    expect(own.map(({ stimulus }) => stimulus.packet[IP + 15])).toEqual([none[IP + 15], 0xfe]);
  });

  it('is nothing where a checksum is updated', async () => {
    const { words } = await seen(turns([L4, L4 + 6]), [UDP4]);
    expect(words.driving).toEqual([]);
  });
});
