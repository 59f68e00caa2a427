import { expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Guidance, GuidedCase } from './guide.ts';
import { GuidedSource, guidedWorlds } from './guided-source.ts';

const SEED = seedFromText('source');
const PROGRAM: Program = { name: 'any', entries: [{ function: 'any', hook: 'xdp' }] };
const MARK = 0xa7;
const HERE = { time: 1n };

/** A case of packets that no generator makes. */
function kept(count: number, length: number = 60): GuidedCase {
  const stimuli = Array.from({ length: count }, () => ({ packet: new Uint8Array(length).fill(MARK) }));
  return { world: HERE, stimuli, reached: [] };
}

function source(...cases: GuidedCase[]): GuidedSource {
  return sourceFor(PROGRAM, ...cases);
}

function sourceFor(program: Program, ...cases: GuidedCase[]): GuidedSource {
  const guidance: Guidance = {
    cases,
    hints: {},
    branches: { reached: 0, total: 0 },
    missing: [],
    runs: 0,
    instructions: 0,
    share: 0,
  };
  return new GuidedSource(new PacketGenerator({}, [program.entries[0]!.hook]), program, guidance);
}

function packets(from: GuidedSource, first: number, count: number, limits = NO_LIMITS): Stimulus[] {
  const batch = new PacketBatch(count);
  from.fill(batch, SEED, first, count, limits, HERE);
  return Array.from({ length: count }, (_, index) => batch.stimulus(index));
}

function isKept({ packet }: Stimulus): boolean {
  return packet.filter((byte) => byte === MARK).length > packet.length / 2;
}

it('makes half of the packets of kept cases', () => {
  const all = packets(source(kept(3)), 0, 512);
  expect(all.filter(isKept)).toHaveLength(256);
});

it('makes the same packets however a run is cut', () => {
  const whole = packets(source(kept(3), kept(1)), 0, 400);
  const one = source(kept(3), kept(1));
  const pieces = [0, 10, 64, 70, 130, 193, 256, 399, 400];
  const cut = pieces.slice(1).flatMap((end, index) => packets(one, pieces[index]!, end - pieces[index]!));
  expect(cut).toEqual(whole);
});

it('changes one or two bytes, most of them in the first 96, and any others now and then', () => {
  const all = packets(source(kept(1, 400)), 0, 4_096).filter(isKept);
  const places = all.map(({ packet }) => [...packet.keys()].filter((at) => packet[at] !== MARK));
  expect(new Set(places.map(({ length }) => length))).toEqual(new Set([0, 1, 2]));
  const changed = places.flat();
  const behind = changed.filter((at) => at >= 96).length / changed.length;
  // A quarter of the changes may be anywhere, three quarters of which are behind.
  expect([behind > 0.1, behind < 0.3]).toEqual([true, true]);
  expect(Math.max(...changed)).toBeGreaterThan(380);
  expect([changed.includes(95), changed.includes(11), changed.includes(14)]).toEqual([true, true, true]);
  // The EtherType stays: it decides how a frame may be.
  expect(changed.filter((at) => at === 12 || at === 13)).toEqual([]);
});

it('lets half of the generated packets come with what kept ones came with, however a run is cut', () => {
  const [one] = kept(1).stimuli;
  const marked = { ...kept(1), stimuli: [{ ...one!, skb: { mark: 7, vlan: { tci: 5 } } }] };
  const all = packets(source(marked), 0, 1024);
  const generated = all.filter((stimulus) => !isKept(stimulus));
  const coming = generated.filter(({ skb }) => skb?.mark === 7);
  expect(coming.length / generated.length).toBeGreaterThan(0.4);
  expect(coming.length / generated.length).toBeLessThan(0.6);
  // A tag beside the frame belongs to the frame.
  expect(coming.filter(({ skb }) => skb?.vlan !== undefined)).toEqual([]);
  const pieces = [0, 10, 64, 70, 130, 1024].map((start, index, { [index + 1]: end = start }) =>
    packets(source(marked), start, end - start),
  );
  expect(pieces.flat()).toEqual(all);
  // Where kept packets come with nothing, generated ones do as ever.
  const plain = new PacketBatch(64);
  new PacketGenerator().fill(plain, SEED, 0, 64, NO_LIMITS);
  expect(packets(source(kept(1)), 0, 64)).toEqual(
    Array.from({ length: 64 }, (_, index) => plain.stimulus(index)),
  );
});

it('leaves out what an engine does not take', () => {
  const all = packets(source(kept(1, 8)), 0, 256, TEST_RUN_LIMITS);
  expect(all.filter(isKept)).toEqual([]);
  expect(Math.min(...all.map(({ packet }) => packet.length))).toBeGreaterThanOrEqual(14);
});

it('takes a second tag at TC ingress only where the first one lies beside the frame', () => {
  const ingress: Program = { name: 'any', entries: [{ function: 'any', hook: 'tc-ingress' }] };
  const packet = new Uint8Array(60).fill(MARK);
  packet.set([0x81, 0], 12);
  const one = (more: Partial<Stimulus>): GuidedCase => ({ ...kept(1), stimuli: [{ packet, ...more }] });
  const both = packets(sourceFor(ingress, one({ skb: { vlan: { tci: 555 } } })), 0, 256, TEST_RUN_LIMITS);
  expect(both.filter(isKept)).toHaveLength(128);
  expect(both.filter(isKept).every(({ skb }) => skb?.vlan?.tci === 555)).toBe(true);
  expect(packets(sourceFor(ingress, one({})), 0, 256, TEST_RUN_LIMITS).filter(isKept)).toEqual([]);
});

it('adds the worlds in which something was kept, each once', () => {
  const guidance = { cases: [kept(1), kept(2)] } as unknown as Guidance;
  expect(guidedWorlds([{ name: 'empty', world: {} }], guidance)).toEqual([
    { name: 'empty', world: {} },
    { name: 'found 1', world: HERE },
  ]);
});
