/**
 * Packets of a guided run: half of them generated as ever, half made of the kept cases of the world at hand, as they are or
 * changed in a place or two. Half of the generated ones come with what a kept packet came with besides its bytes (a mark, a device): where a
 * program asks for that first, no other packet gets further. Packet i is a matter of seed, guidance, world and i, like every packet.
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
import { MAX_METADATA } from './world-edits.ts';

/** Packets that come from one side or the other in a row: sequences need some room. */
const BLOCK = 64;
const GUIDED = 0x6b65_7074;
const COMING = 0x636f_6d65;

/** What a packet comes with besides its bytes, and for which entry. A tag beside the frame is of the frame. */
type Context = Pick<Stimulus, 'entry' | 'ingressIfindex' | 'rxQueueIndex' | 'skb'>;

export class GuidedSource implements PacketSource {
  readonly #base: PacketSource;
  readonly #hooks: Program['entries'];
  readonly #byWorld = new Map<World, readonly (readonly Stimulus[])[]>();
  readonly #all: readonly (readonly Stimulus[])[];
  readonly #contexts = new Map<readonly (readonly Stimulus[])[], readonly Context[]>();
  readonly #random = new Random();
  readonly #block = new PacketBatch(BLOCK, BLOCK * 2048);
  #seed: Seed | undefined;
  #own: Seed | undefined;
  #coming: Seed | undefined;

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
      if (!isKept) this.#fillGenerated(batch, seed, index, next - index, limits, world);
      else this.#fillKept(batch, seed, block, index - block * BLOCK, next - block * BLOCK, limits, world);
      index = next;
    }
  }

  #fillGenerated(
    batch: PacketBatch,
    seed: Seed,
    index: number,
    count: number,
    limits: LimitsByHook,
    world: World | undefined,
  ): void {
    const first = batch.count;
    this.#base.fill(batch, seed, index, count, limits, world);
    const contexts = this.#contextsOf(this.#keptIn(world));
    if (contexts.length === 0) return;
    this.#setSeed(seed);
    const random = this.#random;
    random.start(this.#coming!, Math.floor(index / BLOCK));
    for (let skipped = 0; skipped < index % BLOCK; skipped++) random.bits();
    for (let at = first; at < batch.count; at++) {
      const bits = random.bits();
      if (bits < 0) comeAs(batch, at, contexts[(bits & 0xffff) % contexts.length]!);
    }
  }

  #keptIn(world: World | undefined): readonly (readonly Stimulus[])[] {
    return (world === undefined ? undefined : this.#byWorld.get(world)) ?? this.#all;
  }

  #contextsOf(kept: readonly (readonly Stimulus[])[]): readonly Context[] {
    let contexts = this.#contexts.get(kept);
    if (contexts === undefined) {
      contexts = contextsIn(kept.flat());
      this.#contexts.set(kept, contexts);
    }
    return contexts;
  }

  #setSeed(seed: Seed): void {
    if (seed === this.#seed) return;
    this.#seed = seed;
    this.#own = fork(seed, GUIDED);
    this.#coming = fork(seed, COMING);
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
    this.#setSeed(seed);
    const target = from === 0 ? batch : this.#block;
    if (target !== batch) target.clear();
    const random = this.#random;
    random.start(this.#own!, block);
    const kept = this.#keptIn(world);
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
    // What guidance gives is more than generated packets have, and no more than every kernel takes; a wire carries none.
    const most = limits[hook].maxMetadata === 0 ? 0 : Math.max(limits[hook].maxMetadata, MAX_METADATA);
    if (!withinLimits(limits[hook], stimulus) || (stimulus.metadata?.length ?? 0) > most) {
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

/** Each once. */
function contextsIn(stimuli: readonly Stimulus[]): Context[] {
  const found = new Map<string, Context>();
  for (const { entry, ingressIfindex, rxQueueIndex, skb: { vlan: _, ...skb } = {} } of stimuli) {
    const context: Context = {
      ...(entry === undefined ? {} : { entry }),
      ...(ingressIfindex === undefined ? {} : { ingressIfindex }),
      ...(rxQueueIndex === undefined ? {} : { rxQueueIndex }),
      ...(Object.keys(skb).length === 0 ? {} : { skb }),
    };
    const isPlain = ingressIfindex === undefined && rxQueueIndex === undefined && context.skb === undefined;
    if (!isPlain) found.set(keyOf(context), context);
  }
  return [...found.values()];
}

function keyOf(context: Context): string {
  return JSON.stringify(context, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}

/** Keeps what a generated packet comes with itself. */
function comeAs(
  batch: PacketBatch,
  at: number,
  { entry = 0, ingressIfindex, rxQueueIndex, skb }: Context,
): void {
  if (batch.entry[at] !== entry) return;
  if (ingressIfindex !== undefined) batch.ingressIfindex[at] = ingressIfindex;
  if (rxQueueIndex !== undefined) batch.rxQueueIndex[at] = rxQueueIndex;
  if (skb !== undefined) batch.skb.set(at, { ...skb, ...batch.skb.get(at) });
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
