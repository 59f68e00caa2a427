/** What two builds do differently on the packets of one case, and what decides it: both in the interpreter. */
import { MACHINE_OBSERVES } from '../../sim/engines/machine-program.ts';
import { type OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import type { VmOptions } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { World } from '../../sim/runtime/world.ts';
import { firstDifference } from '../compare.ts';
import { differingField } from '../differing-field.ts';
import type { EngineFailure } from '../engine-side.ts';
import type { Finding } from '../finding.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import { type Decision, type Difference, decide, decisionKey } from './decide.ts';
import { pairMapDifference } from './map-pairs.ts';
import { type OutsideDifference, outsideDifferences } from './outside.ts';
import { type BuildPair, FollowedBuild } from './pair.ts';

/** Bytes of frames that are dropped are nobody's. */
export const COMPARED = { ...MACHINE_OBSERVES, packet: 'delivered' } as const;

/** One packet that the builds treat differently; of maps, the last packet of the case. */
export interface PairFinding extends Finding {
  readonly decision: Decision;
  /** May chance have a part in it: random numbers that only one build draws, bytes of the stack that nobody wrote? */
  readonly isDoubtful: boolean;
  readonly pairMap?: Difference['map'];
  /** All that differs besides outcomes, where that is the part. */
  readonly outside?: readonly OutsideDifference[];
}

export class PairLook {
  readonly #pair: BuildPair;
  readonly #hooks: readonly Hook[];
  readonly #old: FollowedBuild;
  readonly #new: FollowedBuild;
  readonly #empty = new PacketBatch(1);

  constructor(pair: BuildPair, options: VmOptions = {}) {
    this.#pair = pair;
    this.#hooks = pair.old.entries.map((entry) => entry.hook);
    this.#old = new FollowedBuild(pair.old, options);
    this.#new = new FollowedBuild(pair.new, options);
  }

  /** Why a build could not run a case. */
  get failure(): EngineFailure | undefined {
    return this.#old.side.failure ?? this.#new.side.failure;
  }

  /** @returns false where one of the builds cannot run the case */
  async run(world: World, input: PacketBatch): Promise<boolean> {
    return (await this.#old.run(world, input)) && (await this.#new.run(world, input));
  }

  /** Packets of the case that ran last whose outcomes differ, in order. */
  *differing(
    input: PacketBatch,
  ): Generator<{ packet: number; part: Finding['part']; field: string }, void, void> {
    const a = this.#old.side.output;
    const b = this.#new.side.output;
    const stops = stopsOf(a, b);
    for (let from = 0; from < input.count; ) {
      const found = firstDifference(a, b, COMPARED, this.#hooks, input.entry, from);
      const end = found?.packet ?? input.count;
      for (let packet = from; packet < end; packet++) {
        if (stops.has(packet)) yield { packet, part: 'status', field: 'status' };
        const [outside] = this.outside(packet);
        if (outside !== undefined) yield { packet, part: 'outside', field: outside.what };
      }
      if (found === undefined) return;
      const { packet, part } = found;
      const field = part === 'packet' ? differingField(a.packet(packet), b.packet(packet)) : part;
      yield { packet, part, field };
      from = packet + 1;
    }
  }

  /** A number that is the same for packets which both builds treated in the same way as each other. */
  signature(packet: number): string {
    return `${this.#old.runs[packet]?.path.signature ?? '-'} ${this.#new.runs[packet]?.path.signature ?? '-'}`;
  }

  /** What each build made of a packet of the case that ran last: the old one's is what is expected. */
  outcomes(packet: number): { readonly expected: Outcome; readonly got: Outcome } {
    return {
      expected: outcomeAt(this.#old.side.output, packet),
      got: outcomeAt(this.#new.side.output, packet),
    };
  }

  /** What of a packet's runs differs besides their outcomes; nothing where a build was stopped. */
  outside(packet: number): readonly OutsideDifference[] {
    const [a, b] = [this.#old, this.#new].map(({ side, runs }) =>
      side.output.status[packet] === STATUS.ran ? runs[packet]?.outside : undefined,
    );
    if (a === undefined || b === undefined) return [];
    const hook = this.#hooks[0] ?? 'xdp';
    return outsideDifferences({ hook, action: this.#old.side.output.action[packet]! }, a, b);
  }

  /** The finding on one packet that differs; undefined where it did not run. */
  finding(packet: number, part: Finding['part'], field: string): PairFinding | undefined {
    const runs = { old: this.#old.runs[packet], new: this.#new.runs[packet] };
    if (runs.old === undefined || runs.new === undefined) return undefined;
    const { expected, got } = this.outcomes(packet);
    const outside = part === 'outside' ? this.outside(packet) : undefined;
    const decision = decide(
      this.#pair,
      { old: runs.old, new: runs.new },
      { part, expected, got, ...(outside?.[0] === undefined ? {} : { outside: outside[0] }) },
    );
    const place = decisionKey(decision);
    return {
      ...ENGINES,
      part,
      field,
      packet,
      expected,
      got,
      place,
      decision,
      isDoubtful: this.#isDoubtful(packet),
      ...(outside === undefined ? {} : { outside }),
    };
  }

  /** The maps after the case that ran last: the finding names the last packet. */
  async mapFinding(world: World, input: PacketBatch): Promise<PairFinding | undefined> {
    const packet = input.count - 1;
    const runs = { old: this.#old.runs[packet], new: this.#new.runs[packet] };
    if (runs.old === undefined || runs.new === undefined) return undefined;
    const { expected, got } = this.outcomes(packet);
    const now = { old: this.#old.side.maps ?? [], new: this.#new.side.maps ?? [] };
    const { old, new: next } = runs;
    const starts = {
      old: (await this.#old.start(world, this.#empty)) ?? [],
      new: (await this.#new.start(world, this.#empty)) ?? [],
    };
    const map = pairMapDifference(
      this.#pair,
      { now: now.old, start: starts.old },
      { now: now.new, start: starts.new },
    );
    if (map === undefined) return undefined;
    const decision = decide(this.#pair, { old, new: next }, { part: 'map', expected, got, map });
    const field = `map ${map.map}`;
    return {
      ...ENGINES,
      ...{ part: 'map', field, packet, expected, got, place: decisionKey(decision), decision, pairMap: map },
      isDoubtful: this.#isDoubtful(packet),
      ...(map.is === 'entry' ? { map: map.difference } : {}),
    };
  }

  /** Did the two draw the same random numbers up to this packet? */
  drewTheSame(packet: number): boolean {
    for (let at = 0; at <= packet; at++) {
      const a = this.#old.runs[at]?.path.chance ?? [];
      const b = this.#new.runs[at]?.path.chance ?? [];
      if (a.join() !== b.join()) return false;
    }
    return true;
  }

  /** Did one of the two read bytes of its stack that it never wrote, or an address, up to this packet? */
  readsUnwritten(packet: number): boolean {
    return [this.#old, this.#new].some(({ side }) =>
      [...side.output.notes].some(([at, note]) => at <= packet && note.warning !== undefined),
    );
  }

  #isDoubtful(packet: number): boolean {
    return !this.drewTheSame(packet) || this.readsUnwritten(packet);
  }

  async close(): Promise<void> {
    await this.#old.side.close();
    await this.#new.side.close();
  }
}

/** What the machinery of shrinking knows of a finding: who takes part does not matter here. */
const ENGINES: Pick<Finding, 'engines'> = { engines: ['vm', 'vm'] };

/** Packets on which the machine stops one build and not the other. */
function stopsOf(a: OutcomeBatch, b: OutcomeBatch): Set<number> {
  const stops = new Set<number>();
  for (let packet = 0; packet < a.count; packet++) {
    const isStopped = (batch: OutcomeBatch): boolean => batch.status[packet] === STATUS.violation;
    if (isStopped(a) !== isStopped(b)) stops.add(packet);
  }
  return stops;
}
