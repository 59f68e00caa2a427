/** Two builds of a program side by side in one machine: the same cases, what differs in their outcomes, and in their maps. */
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { World } from '../../sim/runtime/world.ts';
import { acceptedPackets, copyPacket } from '../accepted.ts';
import { firstDifference } from '../compare.ts';
import { type EngineFailure, EngineSide } from '../engine-side.ts';
import { COMPARED } from './look.ts';
import { pairMapDifference } from './map-pairs.ts';
import type { BuildPair } from './pair.ts';

/** The maps of both before any packet. */
export type Starts = { readonly old: readonly MapSnapshot[]; readonly new: readonly MapSnapshot[] };

export class Builds {
  readonly old: EngineSide;
  readonly new: EngineSide;
  readonly #pair: BuildPair;
  readonly #startsOf = new WeakMap<World, Starts>();

  constructor(pair: BuildPair, engine: Engine) {
    this.#pair = pair;
    this.old = new EngineSide(engine, pair.old, 16);
    this.new = new EngineSide(engine, pair.new, 16);
  }

  get sides(): readonly EngineSide[] {
    return [this.old, this.new];
  }

  get failure(): EngineFailure | undefined {
    return this.old.failure ?? this.new.failure;
  }

  /** The packets that both take. */
  accepted(all: PacketBatch): PacketBatch {
    let input = all;
    for (const side of this.sides) {
      if (input.count > 0 && !side.takes(input)) input = acceptedPackets(input, side).batch;
    }
    return input;
  }

  /** Runs one case in both. @returns false where one of them fails */
  async run(world: World, input: PacketBatch): Promise<boolean> {
    return (await this.old.run(world, input)) && (await this.new.run(world, input));
  }

  async close(): Promise<void> {
    await this.old.close();
    await this.new.close();
  }

  /** Decided without looking at single packets where it can be. */
  differing(input: PacketBatch): Set<number> {
    const a = this.old.output;
    const b = this.new.output;
    const hooks = this.#pair.old.entries.map((entry) => entry.hook);
    const found = new Set<number>();
    for (let packet = 0; packet < input.count; packet++) {
      if ((a.status[packet] === STATUS.violation) !== (b.status[packet] === STATUS.violation))
        found.add(packet);
    }
    for (let from = 0; from < input.count; ) {
      const difference = firstDifference(a, b, COMPARED, hooks, input.entry, from);
      if (difference === undefined) break;
      found.add(difference.packet);
      from = difference.packet + 1;
    }
    return found;
  }

  /** How many packets the machine stops both at: of these nothing is known that could differ. */
  stoppedBoth(count: number): number {
    let stopped = 0;
    for (let packet = 0; packet < count; packet++) {
      const both = this.sides.every(({ output }) => output.status[packet] === STATUS.violation);
      if (both) stopped++;
    }
    return stopped;
  }

  mapsDiffer(start: Starts): boolean {
    const old = { now: this.old.maps ?? [], start: start.old };
    const next = { now: this.new.maps ?? [], start: start.new };
    return pairMapDifference(this.#pair, old, next) !== undefined;
  }

  /** The maps before any packet; undefined where a build cannot be loaded. */
  async starts(world: World): Promise<Starts | undefined> {
    const known = this.#startsOf.get(world);
    if (known !== undefined) return known;
    if (!(await this.run(world, new PacketBatch(1)))) return undefined;
    const starts = { old: this.old.maps ?? [], new: this.new.maps ?? [] };
    this.#startsOf.set(world, starts);
    return starts;
  }

  /** The packet after which the maps differ; undefined where they agree after all of them. */
  async firstWithMaps(world: World, input: PacketBatch): Promise<number | undefined> {
    const start = await this.starts(world);
    const differs = async (count: number): Promise<boolean> => {
      const part = without(input, (packet) => packet >= count);
      return start !== undefined && (await this.run(world, part)) && this.mapsDiffer(start);
    };
    if (!(await differs(input.count))) return undefined;
    let low = 0;
    let high = input.count;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (await differs(middle)) high = middle;
      else low = middle;
    }
    return high - 1;
  }
}

/** The packets of a batch that are not left out, in order. */
export function without(input: PacketBatch, isLeftOut: (packet: number) => boolean): PacketBatch {
  const batch = new PacketBatch(Math.max(1, input.count), Math.max(1, input.used));
  for (let packet = 0; packet < input.count; packet++)
    if (!isLeftOut(packet)) copyPacket(input, packet, batch);
  return batch;
}
