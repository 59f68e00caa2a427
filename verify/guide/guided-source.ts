/**
 * Packets of a guided run: half of them generated as ever, half made of the kept cases of the world at hand, as they are or
 * changed in a place or two. Packet i is a matter of seed, guidance, world and i, like every packet.
 */
import { BYTES } from '../../corpus/generate/boundaries.ts';
import { type LimitsByHook, withinLimits } from '../../corpus/generate/packet-limits.ts';
import { fork, Random, type Seed } from '../../corpus/generate/random.ts';
import { repair } from '../../corpus/simplify/packet-layout.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { PacketSource } from '../packet-source.ts';
import type { Guidance } from './guide.ts';

/** Packets that come from one side or the other in a row: sequences need some room. */
const BLOCK = 64;
const GUIDED = 0x6b65_7074;

export class GuidedSource implements PacketSource {
  readonly #base: PacketSource;
  readonly #hooks: Program['entries'];
  readonly #byWorld = new Map<World, readonly (readonly Stimulus[])[]>();
  readonly #all: readonly (readonly Stimulus[])[];
  readonly #random = new Random();
  readonly #block = new PacketBatch(BLOCK, BLOCK * 2048);
  #seed: Seed | undefined;
  #own: Seed | undefined;

  constructor(base: PacketSource, program: Program, guidance: Guidance) {
    this.#base = base;
    this.#hooks = program.entries;
    // Longer than a block is what repeats one packet: it runs as a case of its own.
    const short = guidance.cases.filter(({ stimuli }) => stimuli.length <= BLOCK / 2);
    this.#all = short.map(({ stimuli }) => stimuli);
    for (const { world, stimuli } of short)
      this.#byWorld.set(world, [...(this.#byWorld.get(world) ?? []), stimuli]);
  }

  fill(
    batch: PacketBatch,
    seed: Seed,
    firstIndex: number,
    count: number,
    limits: LimitsByHook,
    world?: World,
  ): void {
    const end = firstIndex + count;
    for (let index = firstIndex; index < end; ) {
      const block = Math.floor(index / BLOCK);
      const next = Math.min(end, (block + 1) * BLOCK);
      const isKept = block % 2 === 1 && this.#all.length > 0;
      if (!isKept) this.#base.fill(batch, seed, index, next - index, limits, world);
      else this.#fillKept(batch, seed, block, index - block * BLOCK, next - block * BLOCK, limits, world);
      index = next;
    }
  }

  /** The packets from `from` to `to` of a block: the others are made, too, since sequences run through it. */
  #fillKept(
    batch: PacketBatch,
    seed: Seed,
    block: number,
    from: number,
    to: number,
    limits: LimitsByHook,
    world: World | undefined,
  ): void {
    if (seed !== this.#seed) {
      this.#seed = seed;
      this.#own = fork(seed, GUIDED);
    }
    const target = from === 0 ? batch : this.#block;
    if (target !== batch) target.clear();
    const random = this.#random;
    random.start(this.#own!, block);
    const kept = (world === undefined ? undefined : this.#byWorld.get(world)) ?? this.#all;
    let made = 0;
    while (made < to) {
      const stimuli = kept[random.below(kept.length)]!;
      const changes = random.bits();
      for (const stimulus of stimuli) {
        if (made >= to) break;
        this.#append(target, stimulus, changes < 0, limits, seed, block * BLOCK + made);
        made++;
      }
    }
    if (target === batch) return;
    for (let index = from; index < to; index++) copyTo(batch, target, index);
  }

  #append(
    batch: PacketBatch,
    stimulus: Stimulus,
    changes: boolean,
    limits: LimitsByHook,
    seed: Seed,
    index: number,
  ): void {
    const { hook } = this.#hooks[stimulus.entry ?? 0]!;
    if (
      !withinLimits(limits[hook], stimulus.packet) ||
      (stimulus.metadata?.length ?? 0) > limits[hook].maxMetadata
    ) {
      this.#base.fill(batch, seed, index, 1, limits);
      return;
    }
    const at = batch.push(stimulus);
    if (!changes) return;
    const start = batch.offset[at]!;
    const length = batch.length[at]!;
    const before = (batch.bytes[start + 12]! << 8) | batch.bytes[start + 13]!;
    change(batch.bytes, start, length, this.#random);
    // The EtherType decides how short a frame may be, and a tag whether it may come at all.
    if (length < 14) return;
    batch.bytes[start + 12] = before >> 8;
    batch.bytes[start + 13] = before;
  }
}

/** One or two bytes of a packet, most of them in its headers; half of the time its checksums are made right again. */
function change(bytes: Uint8Array, start: number, length: number, random: Random): void {
  if (length === 0) return;
  const bits = random.bits();
  for (let left = 1 + (bits & 1); left > 0; left--) {
    const at = start + random.below((bits & 6) === 0 ? length : Math.min(length, 96));
    const how = random.bits();
    switch (how & 3) {
      case 0:
        bytes[at]! ^= 1 << ((how >>> 8) & 7);
        break;
      case 1:
        bytes[at]! += (how & 4) === 0 ? 1 : 255;
        break;
      case 2:
        bytes[at] = how >>> 16;
        break;
      default:
        bytes[at] = random.pick(BYTES);
    }
  }
  if ((bits & 8) === 0) repair(bytes.subarray(start, start + length), 'checksum');
}

function copyTo(batch: PacketBatch, from: PacketBatch, index: number): void {
  const at = batch.pushFrom(from, index);
  batch.ingressIfindex[at] = from.ingressIfindex[index]!;
  batch.rxQueueIndex[at] = from.rxQueueIndex[index]!;
  batch.entry[at] = from.entry[index]!;
  const skb = from.skb.get(index);
  if (skb !== undefined) batch.skb.set(at, skb);
}

/** The worlds of a guided run: those that it has anyway, and those in which the guidance has kept something. */
export function guidedWorlds(worlds: readonly NamedWorld[], guidance: Guidance): NamedWorld[] {
  const known = new Set(worlds.map(({ world }) => world));
  const more = new Set(guidance.cases.map(({ world }) => world).filter((world) => !known.has(world)));
  return [
    ...worlds,
    ...[...more].slice(0, MAX_WORLDS).map((world, index) => ({ name: `found ${index + 1}`, world })),
  ];
}

/** Engines keep sessions of a few worlds open: more would open one for each batch. */
const MAX_WORLDS = 6;
