/**
 * Does a TTL of 0 wrap? Asked of packets whose TTL the program was seen to lower by one: with 0 in its place they must not
 * leave with 255. A program that gives its answers 255 lowers nothing.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { byRank, type EngineName } from '../../sim/engines/register.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { sameIp, ttlPlace, wrappedBreach, wrappedRow } from '../invariants/ttl.ts';
import { HEADER } from '../oracle/found.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import type { Outcome } from '../outcome.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld } from './probe.ts';
import { ChecksumRepair } from './sweep-packets.ts';

/** A TTL that nobody takes for the end of one, to see it lowered. */
const USUAL_TTL = 64;

interface Lowered extends Sighting {
  /** Where the IP header begins, in the packet as it came. */
  readonly start: number;
  readonly kind: number;
}

export class TtlWraps {
  readonly #program: Program;
  readonly #isGiven: boolean;
  /** The first of each entry, delivery and header. */
  readonly #lowered = new Map<string, Lowered>();
  readonly #pair = new FramePair();
  readonly #repair = new ChecksumRepair();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  /** A packet that was changed and goes on. */
  enter(pair: FramePair, world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const { is, was, before, beforeOffset, after, afterOffset } = pair;
    for (let row = 0; row < is.count; row++) {
      const match = sameIp(pair, row);
      if (match < 0) continue;
      const kind = is.kind[row]!;
      const place = ttlPlace(kind);
      const came = before[beforeOffset + was.start[match]! + place]!;
      if (came - after[afterOffset + is.start[row]! + place]! !== 1) continue;
      const key = `${input.entry[packet]} ${delivery} ${kind} ${is.depth[row]}`;
      if (this.#lowered.has(key)) continue;
      this.#lowered.set(key, { world, stimulus: input.stimulus(packet), start: was.start[match]!, kind });
    }
  }

  /** @param others engines that are asked whether they show the same */
  async find(machine: Engine, others: readonly Engine[]): Promise<Seen | undefined> {
    const runner = new CaseRunner(this.#program, machine);
    try {
      for (const { world, stimulus, start, kind } of this.#lowered.values()) {
        const wrapping = withTtl(this.#repair, stimulus, { start, kind, ttl: 0 });
        const seen = await this.#wrap(runner, machine, { world, stimulus: wrapping });
        if (seen !== undefined)
          return { ...seen, confirmedBy: await this.#confirmed(seen, [machine, ...others]) };
      }
      return undefined;
    } finally {
      await runner.close();
    }
  }

  async #wrap(runner: CaseRunner, machine: Engine, sighting: Sighting): Promise<Seen | undefined> {
    const holds = (world: World, stimulus: Stimulus): Promise<boolean> =>
      this.#wraps(runner, world, stimulus);
    if (!(await holds(sighting.world, sighting.stimulus))) return undefined;
    const world = await simplestWorld(sighting, this.#isGiven, holds);
    const small = await simplest(sighting.stimulus, (simpler) => holds(world, simpler));
    const got = await runner.outcome(world, small);
    if (got === undefined || !this.#leaves(small, got)) return undefined;
    const breach = wrappedBreach(this.#pair);
    return breach === undefined ? undefined : { world, stimuli: [small], engine: machine, got, breach };
  }

  async #confirmed({ world, stimuli }: Seen, engines: readonly Engine[]): Promise<EngineName[]> {
    const names: EngineName[] = [];
    for (const engine of engines) {
      if (!engine.availability(this.#program).available) continue;
      const runner = new CaseRunner(this.#program, engine);
      try {
        if (await this.#wraps(runner, world, stimuli[0]!)) names.push(engine.name);
      } finally {
        await runner.close();
      }
    }
    return byRank(names.map((name) => ({ engine: { name } }))).map(({ engine }) => engine.name);
  }

  /** Does it leave with 255 in the place of 0, and one less than usual where it comes with that? */
  async #wraps(runner: CaseRunner, world: World, stimulus: Stimulus): Promise<boolean> {
    const got = await runner.outcome(world, stimulus);
    if (got === undefined || !this.#leaves(stimulus, got)) return false;
    const row = wrappedRow(this.#pair);
    if (row < 0) return false;
    const { is, was } = this.#pair;
    const kind = is.kind[row]!;
    const at = is.start[row]! + ttlPlace(kind);
    const start = was.start[sameIp(this.#pair, row)]!;
    const usual = withTtl(this.#repair, stimulus, { start, kind, ttl: USUAL_TTL });
    const lowered = await runner.outcome(world, usual);
    return lowered?.action === got.action && lowered.packet[at] === USUAL_TTL - 1;
  }

  /** Shows the pair what a packet came to, where it goes on and was changed. */
  #leaves({ packet, entry = 0 }: Stimulus, got: Outcome): boolean {
    const { hook } = this.#program.entries[entry]!;
    if (got.status !== 'ran' || deliveryOf(hook, got.action) === DELIVERY.dropped) return false;
    return this.#pair.set(packet, 0, packet.length, got.packet, 0, got.packet.length);
  }
}

/** The packet with another TTL in the IP header that begins at `start`, and checksums that are right. */
export function withTtl(
  repair: ChecksumRepair,
  stimulus: Stimulus,
  { start, kind, ttl }: { readonly start: number; readonly kind: number; readonly ttl: number },
): Stimulus {
  const packet = stimulus.packet.slice();
  const at = start + ttlPlace(kind);
  // The field shares a word with the protocol behind it, or before it in IPv6.
  const word = kind === HEADER.ipv4 ? at : at - 1;
  const value = kind === HEADER.ipv4 ? (ttl << 8) | packet[at + 1]! : (packet[word]! << 8) | ttl;
  repair.apply(packet, 0, packet.length, word, value, -1);
  return { ...stimulus, packet };
}
