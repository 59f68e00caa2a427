/** What `check` looks for on single cases, with functions in place of programs: which packets show it, and which must not. */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../sim/runtime/actions.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, type FakeEngine, fakeEngine } from '../test-support/engines.ts';
import {
  data,
  ethernet,
  ipv4,
  ipv6,
  tcp,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
  withChecksum,
} from '../test-support/packets.ts';
import { FragmentKeys } from './fragment-keys.ts';
import { FragmentReads } from './fragment-reads.ts';
import { HeaderLengths } from './header-lengths.ts';
import { CaseRunner, lastShared } from './probe.ts';
import { RewrittenWords } from './rewritten.ts';
import { TransportSightings } from './transport-sightings.ts';
import { TtlSteps } from './ttl-steps.ts';
import { TtlWraps } from './ttl-wraps.ts';

/** Where the IPv4 header of these packets lies, its TTL, and the ports behind it. */
const IP = 14;
const TTL = IP + 8;
const PORTS = IP + 20;

const WORLD: World = {};
/** With an entry that a test made up. */
const FILLED: World = { maps: { counts: [{ key: new Uint8Array(4), value: new Uint8Array(8).fill(1) }] } };

/** Sends packets to port 7 back where the map has an entry; treats all others, and these otherwise, by what is given. */
const asFilled =
  (behaviour: Behaviour): Behaviour =>
  (one, state) =>
    state.world.maps !== undefined && one.packet[PORTS + 3] === 7
      ? { action: XDP_TX }
      : behaviour(one, state);

/** Runs packets one after the other from the world's state, and shows what came of them. */
async function shown(
  engine: FakeEngine,
  packets: readonly Uint8Array[],
  observe: (world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>) => void,
  world: World = WORLD,
): Promise<void> {
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  const side = new EngineSide(engine, FAKE_PROGRAM, packets.length);
  expect(await side.run(world, input)).toBe(true);
  observe(world, input, side);
  await side.close();
}

describe('by how much TTLs go down', () => {
  /** A router: another destination MAC, and a TTL that is lowered by what `by` says of it. */
  const router =
    (by: (ttl: number) => number): Behaviour =>
    ({ packet }) => {
      const left = packet.slice();
      if (packet.length < IP + 20 || packet[TTL]! <= 2) return { action: XDP_PASS };
      left[5] = 0x77;
      left[TTL] = packet[TTL]! - by(packet[TTL]!);
      left.set(withChecksum(left.slice(IP, IP + 20), 10), IP);
      return { action: XDP_REDIRECT, redirect: 2, packet: left };
    };

  async function found(
    behaviour: Behaviour,
    ttls: readonly number[],
  ): Promise<Awaited<ReturnType<TtlSteps['find']>>[0] | undefined> {
    const engine = fakeEngine('wasm', behaviour);
    const steps = new TtlSteps(FAKE_PROGRAM, false);
    const words = new RewrittenWords(['xdp'], (...changed) => steps.enter(...changed));
    const packets = ttls.map((ttl) => ethernet(0x0800, ipv4(17, udp(data(8)), { ttl })));
    await shown(engine, packets, (world, input, report) => words.observe(world, input, report));
    const [seen] = await steps.find(engine);
    expect(engine.log.closed).toBe(engine.log.opened);
    return seen;
  }

  it('is a fault where three different TTLs went down by two', async () => {
    const seen = await found(
      router(() => 2),
      [64, 64, 63, 3],
    );
    expect(seen?.breach).toEqual({
      invariant: 'ttl/step',
      at: TTL,
      size: 1,
      expected: 'a TTL lowered by one',
      got: 'a TTL lowered by 2',
      sentence: 'all packets that were redirected left with a TTL lowered by 2',
    });
    expect(seen?.severity).toBeUndefined();
    expect(seen?.world).toBe(WORLD);
    expect(seen?.got.action).toBe(XDP_REDIRECT);
    const [{ packet }] = seen!.stimuli as [{ packet: Uint8Array }];
    expect(seen?.stimuli.length).toBe(1);
    // Still a packet that the router takes, and made smaller.
    expect(packet.length).toBeLessThanOrEqual(IP + 20 + 16);
    expect(packet[TTL]! - seen!.got.packet[TTL]!).toBe(2);
  });

  it('is a fault after one packet, where others lose the same', async () => {
    const seen = await found(
      router(() => 2),
      [64],
    );
    expect(seen?.breach.invariant).toBe('ttl/step');
  });

  it('is none after one packet where others lose other numbers: the TTL is set', async () => {
    expect(
      await found(
        router((ttl) => ttl - 62),
        [64],
      ),
    ).toBeUndefined();
  });

  it('is none where it is one', async () => {
    expect(
      await found(
        router(() => 1),
        [64, 63, 62, 3],
      ),
    ).toBeUndefined();
  });

  it('is none where TTLs go down by different numbers', async () => {
    expect(
      await found(
        router((ttl) => (ttl === 60 ? 3 : 2)),
        [64, 63, 62, 61, 60],
      ),
    ).toBeUndefined();
  });

  it('does not count TTLs that were raised', async () => {
    const raises = router((ttl) => (ttl === 60 ? -1 : 2));
    expect((await found(raises, [60, 64, 63, 62]))?.breach.invariant).toBe('ttl/step');
    expect(await found(raises, [60, 60, 60])).toBeUndefined();
  });

  it('is asked of each family by itself', async () => {
    const four = router(() => 1);
    const six: Behaviour = (stimulus, state) => {
      const { packet } = stimulus;
      if (packet[12] !== 0x86) return four(stimulus, state);
      if (packet.length < IP + 40 || packet[IP + 7]! <= 2) return { action: XDP_PASS };
      const left = packet.slice();
      left[5] = 0x77;
      left[IP + 7]! -= 2;
      return { action: XDP_REDIRECT, redirect: 2, packet: left };
    };
    const engine = fakeEngine('wasm', six);
    const steps = new TtlSteps(FAKE_PROGRAM, false);
    const words = new RewrittenWords(['xdp'], (...changed) => steps.enter(...changed));
    const packets = [64, 63, 62].flatMap((ttl) => {
      const v6 = ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, V6_B)));
      v6[IP + 7] = ttl;
      return [ethernet(0x0800, ipv4(17, udp(data(8)), { ttl })), v6];
    });
    await shown(engine, packets, (world, input, report) => words.observe(world, input, report));
    const seen = await steps.find(engine);
    const sentence = 'all IPv6 packets that were redirected left with a TTL lowered by 2';
    expect(seen.map(({ breach }) => breach)).toMatchObject([{ invariant: 'ttl/step', at: IP + 7, sentence }]);
  });

  it('is none where it stays, and the program asks for no route', async () => {
    expect(
      await found(
        router(() => 0),
        [64, 63, 62, 61],
      ),
    ).toBeUndefined();
  });
});

describe('a TTL of 0', () => {
  const V6 = ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, V6_B)));
  const V4 = ethernet(0x0800, ipv4(17, udp(data(8)), { ttl: 64 }));
  /** Sends on what has a TTL of at least `least`, with what `to` makes of it. */
  const sends =
    (to: (ttl: number) => number, least = 0, action = XDP_TX): Behaviour =>
    ({ packet }) => {
      const isFour = packet[12] === 8;
      const at = isFour ? TTL : IP + 7;
      if (packet.length < IP + 20 || packet[at]! < least) return { action: XDP_DROP };
      const left = packet.slice();
      left[at] = to(packet[at]!);
      if (isFour) left.set(withChecksum(left.slice(IP, IP + 20), 10), IP);
      return { action, packet: left };
    };

  async function found(
    behaviour: Behaviour,
    packet: Uint8Array,
  ): Promise<Awaited<ReturnType<TtlWraps['find']>>> {
    const engine = fakeEngine('wasm', behaviour);
    const wraps = new TtlWraps(FAKE_PROGRAM, false);
    const words = new RewrittenWords(['xdp'], (...changed) => wraps.enter(...changed));
    await shown(engine, [packet], (world, input, report) => words.observe(world, input, report));
    const seen = await wraps.find(engine, []);
    expect(engine.log.closed).toBe(engine.log.opened);
    return seen;
  }

  it.each([
    ['IPv4', V4, XDP_TX],
    ['IPv4', V4, XDP_PASS],
    ['IPv6', V6, XDP_TX],
  ])('wraps where an %s program lowers every TTL', async (_, packet, action) => {
    const seen = await found(
      sends((ttl) => ttl - 1, 0, action),
      packet,
    );
    expect(seen?.breach.invariant).toBe('ttl/wrapped');
    const at = seen?.breach.at ?? 0;
    expect([seen?.stimuli[0]?.packet[at], seen?.got.packet[at]]).toEqual([0, 255]);
    expect(seen?.confirmedBy).toEqual(['wasm']);
  });

  it('does not where the program looks at it first', async () => {
    for (const least of [1, 2]) {
      const seen = await found(
        sends((ttl) => ttl - 1, least),
        V4,
      );
      expect(seen).toBeUndefined();
    }
  });

  it('does not where every packet gets 255, nor where all without a TTL do', async () => {
    expect(
      await found(
        sends(() => 255),
        V4,
      ),
    ).toBeUndefined();
    expect(
      await found(
        sends((ttl) => (ttl === 0 ? 255 : ttl - 2)),
        V4,
      ),
    ).toBeUndefined();
  });
});

describe('ports behind headers whose length is taken for another', () => {
  const datagram = (to: number, address: 4 | 6 = 4): Uint8Array =>
    address === 4
      ? ethernet(0x0800, ipv4(17, udp(data(8), V4_A, V4_B, to)))
      : ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, V6_B, to)));
  const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;

  /** Where a program looks for ports. */
  type Find = (packet: Uint8Array) => number;
  const drops =
    (find: Find): Behaviour =>
    ({ packet }) => ({ action: word(packet, find(packet) + 2) === 53 ? XDP_DROP : XDP_PASS });
  const writes =
    (find: Find): Behaviour =>
    ({ packet }) => {
      const at = find(packet);
      if (word(packet, at + 2) !== 53) return { action: XDP_PASS };
      const left = packet.slice();
      left[at + 3] = 54;
      return { action: XDP_PASS, packet: left };
    };
  const fixed: Find = () => PORTS;
  const counted: Find = (packet) => IP + (packet[IP]! & 15) * 4;
  /** Goes past extension headers by what it thinks of their lengths. */
  const past =
    (size: (length: number) => number, authentication: (length: number) => number): Find =>
    (packet) => {
      let at = IP + 40;
      let type = packet[IP + 6]!;
      for (; [0, 43, 60, 51].includes(type) && at < packet.length; type = packet[at]!) {
        const from = at;
        at += type === 51 ? authentication(packet[at + 1]!) : size(packet[at + 1]!);
        if (at === from) break;
        type = packet[from]!;
        if (![0, 43, 60, 51].includes(type)) break;
      }
      return at;
    };
  const eights = (length: number): number => (length + 1) * 8;
  const words = (length: number): number => (length + 2) * 4;

  async function found(
    behaviour: Behaviour,
    packets: readonly Uint8Array[],
    { world = WORLD, isGiven = false }: { readonly world?: World; readonly isGiven?: boolean } = {},
  ): Promise<Awaited<ReturnType<HeaderLengths['find']>>> {
    const engine = fakeEngine('wasm', behaviour);
    const sightings = new TransportSightings();
    await shown(engine, packets, (inside, input, report) => sightings.observe(inside, input, report), world);
    const seen = await new HeaderLengths(isGiven, sightings).find(FAKE_PROGRAM, engine);
    expect(engine.log.closed).toBe(engine.log.opened);
    return seen;
  }

  it('are looked for where options are overlooked', async () => {
    const [seen, ...more] = await found(drops(fixed), [datagram(80), datagram(53)]);
    expect(more).toEqual([]);
    expect(seen?.severity).toBeUndefined();
    expect(seen?.breach).toMatchObject({
      invariant: 'lengths/misplaced',
      at: PORTS,
      expected: `the header at byte ${PORTS + 20}`,
      got: `bytes at ${PORTS}`,
    });
    expect(seen?.breach.sentence).toMatch(
      /^behind IPv4 options the transport header lies at byte 54, but 1e140035[0-9a-f]{8} at byte 34 decides: the program returns XDP_DROP instead of XDP_PASS$/,
    );
  });

  describe('where the source port decides', () => {
    const from = (port: number): Uint8Array => {
      const packet = datagram(80);
      const was = word(packet, PORTS);
      packet.set([port >> 8, port & 255], PORTS);
      // The checksum stays right.
      const sum = (word(packet, PORTS + 6) + was - port + 2 * 0xffff) % 0xffff;
      packet.set([sum >> 8, sum & 255], PORTS + 6);
      return packet;
    };
    const dropsFrom =
      (port: number, find: Find): Behaviour =>
      ({ packet }) => ({ action: word(packet, find(packet)) === port ? XDP_DROP : XDP_PASS });
    const IN_OPTIONS = /^behind IPv4 options the transport header lies at byte 54, but /;

    it('options may hold it that end with its first byte', async () => {
      const [seen, ...more] = await found(dropsFrom(123, fixed), [from(5000), from(123)]);
      expect(more).toEqual([]);
      expect(seen?.breach.sentence).toMatch(IN_OPTIONS);
      expect(seen?.breach.sentence).toMatch(
        /but 007b0050[0-9a-f]{8} at byte 34 decides: the program returns XDP_DROP instead of XDP_PASS$/,
      );
    });

    it('of a port that no options may hold, a packet is shown whose port behind them does not count', async () => {
      const [seen, ...more] = await found(dropsFrom(11211, fixed), [from(5000), from(11211)]);
      expect(more).toEqual([]);
      expect(seen?.breach.sentence).toBe(
        'behind IPv4 options the transport header lies at byte 54, but what is at byte 34 decides: the program returns XDP_PASS instead of XDP_DROP, as it does without them',
      );
      const { packet } = seen!.stimuli[0]!;
      expect([packet[IP], word(packet, PORTS + 20)]).toEqual([0x46 + 4, 11211]);
    });

    it('it is found by who counts what is there, who passes what has options, and who drops wrong ones', async () => {
      const others: Find = (packet) => (packet[IP] === 0x45 ? PORTS : 0);
      for (const port of [123, 11211]) {
        for (const find of [counted, others])
          expect(await found(dropsFrom(port, find), [from(5000), from(port)])).toEqual([]);
      }
      const strict: Behaviour = (one, state) =>
        one.packet[IP]! !== 0x45 && word(one.packet, PORTS) === 11211
          ? { action: XDP_DROP }
          : dropsFrom(11211, counted)(one, state);
      expect(await found(strict, [from(5000), from(11211)])).toEqual([]);
    });
  });

  it('are shown with empty maps where any of the packets shows it with them', async () => {
    // The first packets part by what a map holds.
    const packets = [datagram(80), datagram(7), datagram(53)];
    const world = FILLED;
    for (const [isGiven, expected] of [
      [false, {}],
      [true, world],
    ] as const) {
      const seen = await found(asFilled(drops(fixed)), packets, { world, isGiven });
      expect(seen.map((one) => one.world)).toEqual([expected]);
    }
    const [only] = await found(asFilled(drops(fixed)), [datagram(80), datagram(7)], { world });
    expect(only?.world).toEqual(world);
  });

  it('are an error where something is written there', async () => {
    const [seen] = await found(writes(fixed), [datagram(80), datagram(53)]);
    expect(seen?.severity).toBe('error');
    expect(seen?.breach.sentence).toMatch(/and the program wrote at byte 34 as if it were there$/);
  });

  it.each([
    [53, 80],
    [80, 53],
  ])('are shown on the packet in which something is written, whichever comes first: %i', async (...ports) => {
    const [seen] = await found(
      writes(fixed),
      ports.map((port) => datagram(port)),
    );
    const came = seen!.stimuli[0]!.packet;
    expect(seen!.got.packet[PORTS + 3]).toBe(54);
    expect(came[PORTS + 3]).toBe(53);
  });

  it.each<readonly [string, Find, readonly string[]]>([
    ['authentication headers in eights', past(eights, eights), ['the authentication header']],
    [
      'authentication headers without two words',
      past(eights, (length) => length * 4),
      ['the authentication header'],
    ],
    [
      'extension headers without the first 8 bytes',
      past((length) => length * 8, words),
      ['destination options', 'hop-by-hop options', 'the routing header'],
    ],
    [
      'extension headers in words',
      past(words, words),
      ['destination options', 'hop-by-hop options', 'the routing header'],
    ],
  ])('are looked for elsewhere by who takes %s', async (_, find, names) => {
    for (const behaviour of [drops(find), writes(find)]) {
      const seen = await found(behaviour, [datagram(80, 6), datagram(53, 6)]);
      const said = seen.map(({ breach }) => /^behind (.*) the transport header/.exec(breach.sentence)?.[1]);
      expect(said.sort()).toEqual(names);
    }
  });

  it('are found by who counts what is there, and by who passes what has any', async () => {
    for (const find of [counted, (packet: Uint8Array) => (packet[IP] === 0x45 ? PORTS : 0)])
      for (const behaviour of [drops(find), writes(find)])
        expect(await found(behaviour, [datagram(80), datagram(53)])).toEqual([]);
    for (const find of [past(eights, words), (packet: Uint8Array) => (packet[IP + 6] === 17 ? IP + 40 : 0)])
      for (const behaviour of [drops(find), writes(find)])
        expect(await found(behaviour, [datagram(80, 6), datagram(53, 6)])).toEqual([]);
  });

  it('are not what a program looks at that looks into the data', async () => {
    const deep: Behaviour = ({ packet }) => {
      const at = counted(packet);
      const isDns = word(packet, at + 2) === 53 || word(packet, at + 8 + 14) === 53;
      return { action: isDns ? XDP_DROP : XDP_PASS };
    };
    expect(await found(deep, [datagram(80), datagram(53)])).toEqual([]);
  });

  it.each([
    [53, 80],
    [80, 53],
  ])(
    'are not what a program looks for that searches all behind the IP header, whichever comes first: %i',
    async (...ports) => {
      const searches =
        (from: Find, size: number): Behaviour =>
        ({ packet }) => {
          const window = Buffer.from(packet).subarray(from(packet), from(packet) + size);
          return { action: window.includes(Buffer.of(0, 53)) ? XDP_DROP : XDP_PASS };
        };
      const packets4 = ports.map((port) => datagram(port));
      const packets6 = ports.map((port) => datagram(port, 6));
      for (const [packets, from, headers] of [
        [packets4, fixed, 2],
        [packets4, counted, 1],
        [packets6, () => IP + 40, 4],
      ] as const) {
        expect(await found(searches(from, 128), packets)).toEqual([]);
        // Who searches no further than the header in front does not come to the ports.
        expect((await found(searches(from, 12), packets)).length).toBe(headers);
      }
    },
  );

  it('nor where that is in a field of the header that is made right for every packet: a length', async () => {
    const sized = (size: number): Uint8Array => ethernet(0x0800, ipv4(17, udp(data(size), V4_A, V4_B, 80)));
    const searches: Behaviour = ({ packet }) => ({
      action: Buffer.from(packet)
        .subarray(PORTS)
        .includes(Buffer.of(80, 0, 35))
        ? XDP_DROP
        : XDP_PASS,
    });
    expect(await found(searches, [sized(8), sized(27)])).toEqual([]);
    expect(await found(searches, [sized(27), sized(8)])).toEqual([]);
  });

  it('are not what a hash of all the frame, or of the IP header, goes by', async () => {
    const packets = Array.from({ length: 24 }, (_, at) => datagram(50 + at));
    expect(await found(hashing(0, 60), packets)).toEqual([]);
    expect(await found(hashing(IP, PORTS + 4), packets)).toEqual([]);
  });
});

/** Drops one packet of four, by a hash of these bytes. */
function hashing(from: number, to: number): Behaviour {
  return ({ packet }) => {
    const step = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193) >>> 0;
    const hash = packet.subarray(from, to).reduce(step, 0x811c9dc5);
    return { action: (hash >>> 9) % 4 === 0 ? XDP_DROP : XDP_PASS };
  };
}

describe('ports of later fragments', () => {
  const port = (packet: Uint8Array): number => (packet[PORTS + 2]! << 8) | packet[PORTS + 3]!;
  const isLater = (packet: Uint8Array): boolean =>
    (((packet[IP + 6]! << 8) | packet[IP + 7]!) & 0x1fff) !== 0;
  const segment = (to: number): Uint8Array => {
    const packet = ethernet(0x0800, ipv4(6, tcp(data(8))));
    packet[PORTS + 3] = to;
    // The checksum stays right: what one word loses, its complement gains.
    packet[PORTS + 17]! += 80 - to;
    return packet;
  };
  const blind: Behaviour = ({ packet }) => ({ action: port(packet) === 53 ? XDP_DROP : XDP_PASS });
  const careful: Behaviour = ({ packet }) => ({
    action: !isLater(packet) && port(packet) === 53 ? XDP_DROP : XDP_PASS,
  });
  const datagram = (to: number, size = 8): Uint8Array =>
    ethernet(0x0800, ipv4(17, udp(data(size), V4_A, V4_B, to)));

  async function found(
    behaviour: Behaviour,
    packets: readonly Uint8Array[],
    { world = WORLD, isGiven = false }: { readonly world?: World; readonly isGiven?: boolean } = {},
  ): Promise<Awaited<ReturnType<FragmentReads['find']>>> {
    const engine = fakeEngine('wasm', behaviour);
    const sightings = new TransportSightings();
    const reads = new FragmentReads(isGiven, sightings);
    await shown(engine, packets, (inside, input, report) => sightings.observe(inside, input, report), world);
    return reads.find(FAKE_PROGRAM, engine);
  }

  it('are read where other data in their place changes the action', async () => {
    const seen = await found(blind, [datagram(80), datagram(53)]);
    expect(seen?.breach).toEqual({
      invariant: 'fragments/ports-read',
      at: PORTS,
      size: 0,
      expected: 'the same for any data',
      got: 'XDP_PASS, and XDP_DROP with other data',
      sentence:
        "with 9c400035 in place of the fragment's first bytes the program returns XDP_DROP instead of XDP_PASS",
    });
    expect(seen?.source).toBeUndefined();
    expect(isLater(seen!.stimuli[0]!.packet)).toBe(true);
    expect(seen?.got.action).toBe(XDP_PASS);
  });

  it('are read where they decide on the target of a redirect', async () => {
    const redirects: Behaviour = ({ packet }) =>
      !isLater(packet) && port(packet) === 53
        ? { action: XDP_DROP }
        : { action: XDP_REDIRECT, redirect: port(packet) === 53 ? 3 : 2 };
    const seen = await found(redirects, [datagram(80), datagram(53)]);
    expect(seen?.breach.got).toBe('target 2, and target 3 with other data');
  });

  describe('where the action is the same', () => {
    const marks =
      (isMarked: (packet: Uint8Array) => boolean, at = IP + 1, action = XDP_PASS): Behaviour =>
      ({ packet }) => {
        const left = packet.slice();
        if (isMarked(packet)) left[at] = packet[at]! ^ 0xb8;
        return { action, packet: left };
      };
    const is53 = (packet: Uint8Array): boolean => port(packet) === 53;
    const PAIR = [datagram(80), datagram(53)];

    it('are read where they decide whether headers are rewritten', async () => {
      const seen = await found(marks(is53), PAIR);
      expect(seen?.breach.got).toMatch(
        /^(rewritten, and left as it came|left as it came, and rewritten) with other data$/,
      );
      expect(seen?.breach.sentence).toMatch(
        / the program (rewrites headers that it leaves as they are|leaves headers as they are that it rewrites) else$/,
      );
    });

    it('are not where all are rewritten, where data is, or where no frame leaves', async () => {
      expect(
        await found(
          marks((packet) => is53(packet) && !isLater(packet)),
          PAIR,
        ),
      ).toBeUndefined();
      expect(
        await found(
          marks((packet) => isLater(packet) || is53(packet)),
          PAIR,
        ),
      ).toBeUndefined();
      expect(await found(marks(is53, PORTS + 6), PAIR)).toBeUndefined();
      expect(await found(marks(is53, IP + 1, XDP_DROP), PAIR)).toBeUndefined();
    });
  });

  it('and flags and lengths behind them, as long as a header is', async () => {
    const flags = PORTS + 13;
    const stateless: Behaviour = ({ packet }) => ({ action: packet[flags] === 2 ? XDP_DROP : XDP_PASS });
    const [plain, syn] = [segment(80), segment(80)];
    syn[flags] = 2;
    const seen = await found(stateless, [plain, syn]);
    expect(seen?.breach.sentence).toMatch(
      /^with [0-9a-f]{26}02[0-9a-f]{12} in place of the fragment's first bytes/,
    );
    // Behind the 8 bytes of a UDP header there is data in a first fragment, too.
    const [data80, data2] = [datagram(80, 20), datagram(80, 20)];
    data2[flags] = 2;
    expect(await found(stateless, [data80, data2])).toBeUndefined();
  });

  it('are shown with empty maps where contents that the test made up are not what decides', async () => {
    const key = Uint8Array.of(0, 0, 0, 0);
    const world: World = { maps: { counts: [{ key, value: new Uint8Array(8).fill(1) }] } };
    const packets = [datagram(80), datagram(53)];
    expect((await found(blind, packets, { world }))?.world).toEqual({});
    expect((await found(blind, packets, { world, isGiven: true }))?.world).toEqual(world);
    const filled: Behaviour = (one, state) =>
      state.world.maps === undefined ? { action: XDP_PASS } : blind(one, state);
    expect((await found(filled, packets, { world }))?.world).toEqual(world);
  });

  it('are shown with empty maps where another pair parts with them', async () => {
    const packets = [datagram(80), datagram(7), datagram(53)];
    expect((await found(asFilled(blind), packets, { world: FILLED }))?.world).toEqual({});
    const given = await found(asFilled(blind), packets, { world: FILLED, isGiven: true });
    expect(given?.world).toEqual(FILLED);
    const only = await found(asFilled(blind), packets.slice(0, 2), { world: FILLED });
    expect(only?.world).toEqual(FILLED);
    const checks: Behaviour = (one, state) =>
      isLater(one.packet) ? { action: XDP_PASS } : asFilled(blind)(one, state);
    expect(await found(checks, packets, { world: FILLED })).toBeUndefined();
  });

  it('are not read by a hash of all the frame, and are by one of the flow', async () => {
    const packets = Array.from({ length: 24 }, (_, at) => datagram(50 + at));
    expect(await found(hashing(0, 48), packets)).toBeUndefined();
    expect(await found(hashing(IP + 12, PORTS + 4), packets)).toBeDefined();
  });

  it('are not read by a program that looks at the offset first', async () => {
    expect(await found(careful, [datagram(80), datagram(53)])).toBeUndefined();
  });

  /** Looks at flags and offset through this mask. */
  const masked =
    (mask: number): Behaviour =>
    ({ packet }) => ({
      action: (fragmentWord(packet) & mask) === 0 && port(packet) === 53 ? XDP_DROP : XDP_PASS,
    });
  const fragmentWord = (packet: Uint8Array): number => (packet[IP + 6]! << 8) | packet[IP + 7]!;

  it('are read where the mask has the wrong byte order, and shown in a fragment that it lets through', async () => {
    const seen = await found(masked(0xff1f), [datagram(80), datagram(53)]);
    expect(seen?.breach.invariant).toBe('fragments/ports-read');
    expect(fragmentWord(seen!.stimuli[0]!.packet) & 0xff1f).toBe(0);
    expect(isLater(seen!.stimuli[0]!.packet)).toBe(true);
  });

  it('are read where the mask lacks any of the bits, not where it has all', async () => {
    const missed = Array.from({ length: 13 }, (_, bit) => 0x1fff & ~(1 << bit));
    for (const mask of [...missed, 0x2000])
      expect(await found(masked(mask), [datagram(80), datagram(53)]), mask.toString(16)).toBeDefined();
    for (const mask of [0x1fff, 0x3fff, 0xffff])
      expect(await found(masked(mask), [datagram(80), datagram(53)]), mask.toString(16)).toBeUndefined();
  });

  it('are read where the offset counts in the last fragment alone', async () => {
    const last: Behaviour = ({ packet }) => {
      const word = fragmentWord(packet);
      const isRead = word === 0 || (word & 0x2000) !== 0;
      return { action: isRead && port(packet) === 53 ? XDP_DROP : XDP_PASS };
    };
    expect(await found(last, [datagram(80), datagram(53)])).toBeDefined();
  });

  it('are read over IPv6 by who overlooks a part of the offset behind a fragment header', async () => {
    const atomic = (to: number): Uint8Array => {
      const datagram6 = udp(data(8), V6_A, V6_B, to);
      return ethernet(0x86dd, ipv6(44, Uint8Array.of(17, 0, 0, 0, 0, 0, 0, 7, ...datagram6)));
    };
    const swapped =
      (mask: number): Behaviour =>
      ({ packet }) => {
        const field = (packet[IP + 42]! << 8) | packet[IP + 43]!;
        const isRead = packet[IP + 6] === 44 && packet[IP + 40] === 17 && (field & mask) === 0;
        return { action: isRead && packet[IP + 51] === 53 ? XDP_DROP : XDP_PASS };
      };
    expect((await found(swapped(0xf8ff), [atomic(80), atomic(53)]))?.breach.at).toBe(IP + 48);
    expect(await found(swapped(0xfff8), [atomic(80), atomic(53)])).toBeUndefined();
  });

  it('need packets with two actions of one protocol, run to the end and no longer than 256 bytes', async () => {
    expect(await found(blind, [datagram(80), datagram(81)])).toBeUndefined();
    expect(await found(blind, [ethernet(0x0800, ipv4(6, tcp(data(8)))), datagram(53)])).toBeUndefined();
    const frame = 256 - IP - 20 - 8;
    expect(await found(blind, [datagram(80), datagram(53, frame + 1)])).toBeUndefined();
    expect(await found(blind, [datagram(80), datagram(53, frame)])).toBeDefined();
    const stopped: Behaviour = (one, state) =>
      port(one.packet) === 53 && !isLater(one.packet)
        ? { action: XDP_DROP, violation: 'stopped' }
        : blind(one, state);
    expect(await found(stopped, [datagram(80), datagram(53)])).toBeUndefined();
  });
});

describe('keys of entries made of ports', () => {
  const datagram = (to: number): Uint8Array => ethernet(0x0800, ipv4(17, udp(data(8), V4_A, V4_B, to)));
  const fragmentWord = (packet: Uint8Array): number => (packet[IP + 6]! << 8) | packet[IP + 7]!;
  const ports = (packet: Uint8Array): number => (packet[PORTS + 1]! << 16) | packet[PORTS + 3]!;
  /** Counts by what is given, and passes everything. */
  const counts =
    (key: (packet: Uint8Array) => number | undefined, value = (_: Uint8Array): number => 1): Behaviour =>
    ({ packet }, state) => {
      const at = key(packet);
      if (at !== undefined) state.counts.set(at, value(packet));
      return { action: XDP_PASS };
    };

  async function found(
    behaviour: Behaviour,
    world: World = WORLD,
    isGiven = false,
  ): Promise<Awaited<ReturnType<FragmentKeys['find']>>> {
    const engine = fakeEngine('wasm', behaviour);
    const sightings = new TransportSightings();
    const packets = [datagram(80), datagram(53)];
    await shown(engine, packets, (inside, input, report) => sightings.observe(inside, input, report), world);
    const seen = await new FragmentKeys(isGiven, sightings).find(FAKE_PROGRAM, engine);
    expect(engine.log.closed).toBe(engine.log.opened);
    return seen;
  }

  it('are found where later fragments have any', async () => {
    const seen = await found(counts(ports));
    expect(seen?.breach).toEqual({
      invariant: 'fragments/ports-read',
      at: PORTS,
      size: 0,
      expected: 'the same key for any data',
      got: 'another key of map counts with other data',
      sentence:
        "with 00010001 in place of the fragment's first bytes the program makes its entry of map counts under another key",
    });
    expect(fragmentWord(seen!.stimuli[0]!.packet) & 0x1fff).not.toBe(0);
  });

  it('are found where a mask lacks any bit of the offset, and an entry is made for one port alone', async () => {
    const masked = (mask: number): Behaviour =>
      counts((packet) => ((fragmentWord(packet) & mask) === 0 ? ports(packet) : undefined));
    for (const mask of [0xff1f, 0x1ffe, 0x2000]) expect(await found(masked(mask))).toBeDefined();
    for (const mask of [0x1fff, 0x3fff, 0xffff]) expect(await found(masked(mask))).toBeUndefined();
    expect(
      await found(counts((packet) => (packet[PORTS + 3] === 53 ? packet[IP + 15]! : undefined))),
    ).toBeDefined();
  });

  it('are none where fragments are counted by themselves, nor where only a value holds the data', async () => {
    const apart = (packet: Uint8Array): number => ((fragmentWord(packet) & 0x1fff) === 0 ? ports(packet) : 0);
    expect(await found(counts(apart))).toBeUndefined();
    expect(await found(counts((packet) => packet[IP + 15]!, ports))).toBeUndefined();
  });

  it('are shown with empty maps where these show it, and with what the user says', async () => {
    expect((await found(counts(ports), FILLED))?.world).toEqual({});
    expect((await found(counts(ports), FILLED, true))?.world).toEqual(FILLED);
  });
});

describe('single cases', () => {
  it('go on after one that cannot be run', async () => {
    const engine = fakeEngine('wasm', () => ({ action: XDP_PASS }), {
      openError: ({ randomSeed }) => (randomSeed === 1 ? new Error('no such world') : undefined),
    });
    const runner = new CaseRunner(FAKE_PROGRAM, engine);
    const stimulus = { packet: data(60) };
    expect(await runner.outcome({ randomSeed: 1 }, stimulus)).toBeUndefined();
    expect((await runner.outcome({}, stimulus))?.action).toBe(XDP_PASS);
    await runner.close();
    expect(engine.log.closed).toBe(engine.log.opened);
  });
});

describe('where the ways of packets part', () => {
  const way = (...instructions: readonly number[]): { instruction: number; program: string }[] =>
    instructions.map((instruction) => ({ instruction, program: 'p' }));

  it('is where that one leaves it which goes along the longest', () => {
    const own = way(0, 1, 2, 3, 4);
    expect(lastShared(own, [way(0, 1, 9)])).toBe(1);
    expect(lastShared(own, [way(0, 1, 9), way(0, 1, 2, 3, 8), way(0, 7)])).toBe(3);
    expect(lastShared(own, [own])).toBe(4);
    expect(lastShared(own, [way(5)])).toBe(-1);
    expect(lastShared(own, [])).toBe(-1);
    expect(lastShared(own, [way(0, 1).map((step) => ({ ...step, program: 'q' }))])).toBe(-1);
  });
});
