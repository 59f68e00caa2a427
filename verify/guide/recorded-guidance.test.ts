/** The same seed gives the same guidance, case by case; and what its parts make of packets and worlds. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { OWN_SPECIMENS } from '../../kernel-tests/check-specimens/specimens.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { PacketSource } from '../packet-source.ts';
import { bytes, data } from '../test-support/packets.ts';
import { fingerprint } from '../test-support/recorded.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { type Guidance, guide } from './guide.ts';
import { GuidedSource, guidedWorlds } from './guided-source.ts';
import { mergeWorlds, union } from './merge-worlds.ts';
import { mutateSequence } from './mutate-sequence.ts';
import { sampled, withOwnPackets } from './own-packets.ts';
import { reversed } from './reversed-packet.ts';
import { resized, withEntry } from './world-edits.ts';

const SEED = seedFromText('recorded');

/** Bytes as hexadecimal text, and numbers of 64 bits as such. */
const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return `${value}n`;
  return value instanceof Uint8Array ? toHex(value) : value;
};
const text = (value: unknown): string => JSON.stringify(value, plain) ?? 'nothing';

function foreign(name: string): Program {
  const entries = programByName(name)!.entries.map(({ model: _, ...entry }) => entry);
  return { name, entries, object: readFileSync(new URL(`../../bpf/built/${name}.o`, import.meta.url)) };
}

describe('guidance', () => {
  it.each([
    ['router', 60_000],
    ['redirect_map', 40_000],
    ['port_filter', 60_000],
    ['layer_coop', 30_000],
    ['meta_mark', 20_000],
    ['account', 20_000],
  ])('of %s is as recorded', async (name, effort) => {
    const found = guide(foreign(name), { seed: 'recorded', effort });
    const { branches, missing, cases, runs, instructions } = found;
    const lines = [
      `${name}: ${branches.reached} of ${branches.total} branches, ${runs} runs, ${instructions} instructions`,
      ...missing.map((one) => text(one)),
      ...cases.map(
        ({ stimuli, reached, world }) =>
          `${stimuli.length} packets, reaches ${reached.length}, ${Object.keys(world).sort()}`,
      ),
      fingerprint(`guided ${name}`, cases.map(text)),
    ];
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`recorded/${name}.txt`);
  });
});

describe('guidance of faulty programs', () => {
  it.each(
    OWN_SPECIMENS.filter(({ hooks }) => hooks.includes('xdp')).map(({ name, source }) => [
      name,
      basename(source),
    ]),
  )('%s is as recorded', async (name, source) => {
    const object = readFileSync(new URL(`../check/recorded/${source}.o`, import.meta.url));
    const program: Program = { name, entries: [{ function: name, hook: 'xdp' }], object };
    const { branches, missing, cases, runs, hints } = guide(program, {
      seed: 'recorded',
      effort: 15_000,
      combinations: true,
    });
    const lines = [
      `${branches.reached} of ${branches.total} branches, ${runs} runs, ${cases.length} cases`,
      ...missing.map((one) => text(one)),
      text(hints),
      fingerprint(`guided ${name}`, cases.map(text)),
    ];
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`recorded/specimens/${name}.txt`);
  });
});

const WORLD: World = {
  maps: {
    rules: [
      { key: Uint8Array.of(1), value: Uint8Array.of(1, 2, 3) },
      { key: Uint8Array.of(2), value: new Uint8Array(0) },
    ],
    none: [],
  },
};

describe('mutations of sequences', () => {
  it('are the same for the same random numbers, as recorded', async () => {
    const packets = Object.entries(RIGHT_PACKETS);
    const random = new Random();
    const lines: string[] = [];
    const lengths = new Map<number, number>();
    for (let round = 0; round < 600; round++) {
      random.start(SEED, round);
      const pick = (step: number): Stimulus => ({ packet: packets[(round * 7 + step) % packets.length]![1] });
      const sequence = { world: round % 2 === 0 ? WORLD : {}, stimuli: [pick(0), pick(1)] };
      const before = text(sequence);
      const result = mutateSequence(sequence, { world: {}, stimuli: [pick(2), pick(3), pick(4)] }, random);
      // What was given stays as it was.
      if (text(sequence) !== before) expect.fail(`round ${round} changed its input`);
      lines.push(text(result));
      lengths.set(result.stimuli.length, (lengths.get(result.stimuli.length) ?? 0) + 1);
      for (const { packet } of result.stimuli) if (packet.length > 1514) expect.fail('longer than a frame');
    }
    const counts = [...lengths].sort(([a], [b]) => a - b).map(([size, count]) => `${size}: ${count}`);
    const record = [...counts, fingerprint('sequences', lengths.size === 0 ? [] : lines)];
    await expect(`${record.join('\n')}\n`).toMatchFileSnapshot('recorded/mutations.txt');
  });

  it('never make more than eight packets, or none', () => {
    const random = new Random();
    const one: Stimulus = { packet: RIGHT_PACKETS.UDP! };
    let sequence = { world: {}, stimuli: [one] as readonly Stimulus[] };
    const seen = new Set<number>();
    for (let round = 0; round < 2_000; round++) {
      random.start(SEED, round);
      sequence = mutateSequence(sequence, { world: {}, stimuli: [one] }, random) as typeof sequence;
      seen.add(sequence.stimuli.length);
    }
    expect([Math.min(...seen), Math.max(...seen)]).toEqual([1, 8]);
  });
});

describe('the packet of the other direction', () => {
  it('has addresses and ports exchanged, and comes back when reversed again', () => {
    for (const packet of Object.values(RIGHT_PACKETS)) {
      const there = { packet, ingressIfindex: 3 };
      if (text(reversed(reversed(there))) !== text(there)) expect.fail(text(there));
    }
    const udp = reversed({ packet: RIGHT_PACKETS.UDP! }).packet;
    const was = RIGHT_PACKETS.UDP!;
    expect(toHex(udp)).toBe(
      toHex(
        bytes(
          ...[was.subarray(6, 12), was.subarray(0, 6), was.subarray(12, 26)],
          ...[was.subarray(30, 34), was.subarray(26, 30), was.subarray(36, 38), was.subarray(34, 36)],
          was.subarray(38),
        ),
      ),
    );
    const six = RIGHT_PACKETS['UDP over IPv6']!;
    expect(toHex(reversed({ packet: six }).packet)).toBe(
      toHex(
        bytes(
          ...[six.subarray(6, 12), six.subarray(0, 6), six.subarray(12, 22)],
          ...[six.subarray(38, 54), six.subarray(22, 38), six.subarray(56, 58), six.subarray(54, 56)],
          six.subarray(58),
        ),
      ),
    );
    const options = RIGHT_PACKETS['IPv4 options']!;
    const back = reversed({ packet: options }).packet;
    expect([...back.subarray(42, 46)]).toEqual([...options.subarray(44, 46), ...options.subarray(42, 44)]);
  });

  it('keeps what is not all there', async () => {
    const lines = ['UDP', 'UDP over IPv6', 'ARP'].flatMap((name) => {
      const packet = RIGHT_PACKETS[name]!;
      return Array.from({ length: 60 }, (_, size) =>
        toHex(reversed({ packet: packet.subarray(0, size) }).packet),
      );
    });
    await expect(`${fingerprint('reversed', lines)}\n`).toMatchFileSnapshot('recorded/reversed.txt');
  });
});

describe('worlds', () => {
  const entry = (key: number, ...value: number[]) => ({
    key: Uint8Array.of(key),
    value: Uint8Array.from(value),
  });
  const inMap = (...entries: ReturnType<typeof entry>[]): World => ({ maps: { m: entries } });

  it('go together where they do not contradict each other', () => {
    expect(union(inMap(entry(1, 1)), inMap(entry(2, 2)))).toEqual(inMap(entry(1, 1), entry(2, 2)));
    expect(union(inMap(entry(1, 1)), inMap(entry(1, 1)))).toEqual(inMap(entry(1, 1)));
    expect(union(inMap(entry(1, 1)), inMap(entry(1, 2)))).toBeUndefined();
    expect(union({}, inMap(entry(1, 1)))).toEqual(inMap(entry(1, 1)));
    expect(union(inMap(entry(1, 1)), {})).toEqual(inMap(entry(1, 1)));
    expect(union(inMap(entry(1, 1)), { maps: { n: [entry(1, 2)] } })).toEqual({
      maps: { m: [entry(1, 1)], n: [entry(1, 2)] },
    });
    // Without keys: one list, where it has the other at an end, and both, one after the other, where not.
    const value = (byte: number) => ({ key: new Uint8Array(0), value: Uint8Array.of(byte) });
    expect(union(inMap(value(1)), inMap(value(1), value(2)))).toEqual(inMap(value(1), value(2)));
    expect(union(inMap(value(1), value(2)), inMap(value(2)))).toEqual(inMap(value(1), value(2)));
    expect(union(inMap(value(1)), inMap(value(2)))).toEqual(inMap(value(1), value(2)));
    expect(union({ time: 1n }, { time: 1n })).toEqual({ time: 1n });
    expect(union({ time: 1n }, { time: 2n })).toBeUndefined();
    expect(union({ cpu: 1 }, { tick: 2n })).toBeUndefined();
    const devices = [{ ifindex: 7, name: 'a', mac: new Uint8Array(6), mtu: 1500 }];
    expect(union({ devices }, { devices })).toEqual({ devices });
    expect(union({ devices }, { devices: [{ ...devices[0]!, ifindex: 8 }] })).toBeUndefined();
    expect(union({ globals: { a: Uint8Array.of(1) } }, { globals: { b: Uint8Array.of(2) } })).toEqual({
      globals: { a: Uint8Array.of(1), b: Uint8Array.of(2) },
    });
    expect(union({ globals: { a: Uint8Array.of(1) } }, { globals: { a: Uint8Array.of(2) } })).toBeUndefined();
  });

  it('of kept cases are put together where each still reaches what it did', () => {
    const [a, b, c] = [inMap(entry(1, 1)), inMap(entry(2, 2)), inMap(entry(1, 9))];
    const sequences = [a, b, c, a].map((world) => ({ world, stimuli: [] as Stimulus[] }));
    const worlds = (reaches: (index: number, world: World) => boolean): World[] =>
      mergeWorlds(sequences, reaches).map(({ world }) => world);
    // The third contradicts the others.
    const both = text(inMap(entry(1, 1), entry(2, 2)));
    expect(worlds(() => true).map(text)).toEqual([both, both, text(c), both]);
    expect(worlds(() => false)).toEqual([a, b, c, a]);
    // Each member of a group is asked, the new one and those that are in it already.
    const asked: string[] = [];
    worlds((index, world) => asked.push(`${index} ${world.maps!.m!.length}`) > 0);
    expect(asked.slice(0, 2)).toEqual(['0 2', '1 2']);
  });

  it('take entries in the place of those with the same key', () => {
    const world = withEntry(inMap(entry(1, 1), entry(2, 2)), 'm', entry(1, 9));
    expect(world).toEqual(inMap(entry(2, 2), entry(1, 9)));
    expect(withEntry({}, 'm', entry(1, 1))).toEqual(inMap(entry(1, 1)));
  });

  it('frames are cut and lengthened up to what every engine takes', () => {
    const packet = data(20);
    expect(resized(packet, 20)).toEqual(packet);
    expect(resized(packet, 14)).toEqual(packet.subarray(0, 14));
    expect(resized(packet, 22)).toEqual(bytes(packet, 0, 0));
    expect(resized(packet, 0)).toEqual(new Uint8Array(0));
    expect(resized(packet, 1514)).toHaveLength(1514);
    expect([resized(packet, 1515), resized(packet, -1)]).toEqual([undefined, undefined]);
  });
});

describe('packets of the user’s', () => {
  it('are spread evenly, the first among them', () => {
    const all = Array.from({ length: 1000 }, (_, index) => index);
    expect(sampled(all, 4)).toEqual([0, 250, 500, 750]);
    expect(sampled(all, 3)).toEqual([0, 333, 666]);
    expect(sampled(all)).toHaveLength(512);
    expect(sampled(all.slice(0, 512))).toEqual(all.slice(0, 512));
    expect(sampled([], 4)).toEqual([]);
  });

  it('are cases in each world, behind those that were found', () => {
    const program = foreign('xdp_pass');
    const worlds: NamedWorld[] = [
      { name: 'a', world: {} },
      { name: 'b', world: WORLD },
    ];
    const packets = [{ packet: data(20) }, { packet: data(30) }];
    const { cases, share } = withOwnPackets(program, undefined, packets, worlds);
    expect(share).toBe(0);
    expect(cases.map(({ world, stimuli }) => [world === WORLD, stimuli[0]!.packet.length])).toEqual([
      [false, 20],
      [false, 30],
      [true, 20],
      [true, 30],
    ]);
    const found = { cases: [{ world: {}, stimuli: [], reached: [] }] } as unknown as Guidance;
    expect(withOwnPackets(program, found, packets, worlds).cases).toHaveLength(5);
  });
});

describe('packets of a guided run', () => {
  /** Marks what is generated with its number. */
  const base: PacketSource = {
    fill: (batch, _seed, firstIndex, count) => {
      for (let index = firstIndex; index < firstIndex + count; index++)
        batch.push({ packet: bytes(0xee, new Uint8Array(61), index >> 8, index & 0xff) });
    },
  };
  const program = foreign('xdp_pass');
  const kept = (name: string): Stimulus => ({ packet: RIGHT_PACKETS[name]!, ingressIfindex: 2 });
  const guidance = {
    cases: [
      { world: WORLD, stimuli: [kept('UDP'), kept('TCP')], reached: [] },
      { world: {}, stimuli: [kept('UDP over IPv6')], reached: [] },
      { world: {}, stimuli: Array.from({ length: 33 }, () => kept('VXLAN')), reached: [] },
    ],
  } as unknown as Guidance;
  const limits = NO_LIMITS;

  function filled(first: number, count: number, world?: World, own = guidance): string[] {
    const batch = new PacketBatch(count);
    new GuidedSource(base, program, own).fill(batch, SEED, first, count, limits, world);
    return Array.from({ length: batch.count }, (_, index) => text(batch.stimulus(index)));
  }

  it('are generated and kept ones in turn, 64 of each, as recorded', async () => {
    const lines = filled(0, 512);
    const sides = lines.map((line) => (line.includes('"packet":"ee') ? 'g' : 'k')).join('');
    expect(sides).toBe(`${'g'.repeat(64)}${'k'.repeat(64)}`.repeat(4));
    await expect(`${fingerprint('guided run', lines)}\n`).toMatchFileSnapshot('recorded/guided-run.txt');
  });

  it('are the same wherever a batch begins and ends', () => {
    const all = filled(0, 300);
    for (const [first, count] of [
      [0, 64],
      [64, 64],
      [60, 10],
      [70, 20],
      [100, 130],
      [127, 2],
      [255, 1],
    ] as const)
      expect(filled(first, count)).toEqual(all.slice(first, first + count));
  });

  it('come from the world at hand where something was kept in it', () => {
    const lengths = (world?: World): Set<number> =>
      new Set(
        filled(64, 64, world).map((line) => (JSON.parse(line) as { packet: string }).packet.length / 2),
      );
    expect(lengths(WORLD)).toEqual(new Set([RIGHT_PACKETS.UDP!.length, RIGHT_PACKETS.TCP!.length]));
    expect(lengths({})).toEqual(
      new Set(['UDP', 'TCP', 'UDP over IPv6'].map((name) => RIGHT_PACKETS[name]!.length)),
    );
  });

  it('are generated where nothing was kept, or where no hook takes it', () => {
    const none = { cases: [] } as unknown as Guidance;
    expect(filled(0, 128, undefined, none).every((line) => line.includes('"packet":"ee'))).toBe(true);
    const huge = {
      cases: [{ world: {}, stimuli: [{ packet: data(70), metadata: data(200) }], reached: [] }],
    } as unknown as Guidance;
    expect(filled(64, 8, undefined, huge).every((line) => line.includes('"packet":"ee'))).toBe(
      NO_LIMITS.xdp.maxMetadata < 200,
    );
  });

  it('run in the worlds that it has, and in up to six that were found', () => {
    const own: NamedWorld[] = [{ name: 'own', world: WORLD }];
    expect(guidedWorlds(own, guidance).map(({ name }) => name)).toEqual(['own', 'found 1', 'found 2']);
    const many = {
      cases: Array.from({ length: 9 }, () => ({ world: {}, stimuli: [], reached: [] })),
    } as unknown as Guidance;
    expect(guidedWorlds(own, many)).toHaveLength(7);
  });
});
