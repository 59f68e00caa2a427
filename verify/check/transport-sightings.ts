/** Packets with a transport header, by protocol and by what became of them: what shows by which headers a program decides. */

import { type OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { cameAs, leftAs } from '../rows.ts';
import type { Sighting } from './probe.ts';
import { looseTransportOf, transportOf } from './variants.ts';

/** Packets of each protocol and action that are kept. */
const KEPT = 6;
/** Of longer packets as many are kept by themselves, of all lengths. */
const MAX_LENGTH = 256;
/** Lengths that count as one. */
const LENGTH_STEP = 256;
const MAX_STEP = 6;
/** Packets that are compared with what became of them, beyond those that are kept. */
const MAX_COMPARED = 20_000;

/** Packets that came to one action. */
export interface OfAction {
  readonly all: Sighting[];
  /** Those, and others, that were changed, and that were not; none of long packets. */
  readonly changed: Sighting[];
  readonly unchanged: Sighting[];
}

/** By version, protocol and entry; then by action. */
export type SightingsByKind = ReadonlyMap<string, ReadonlyMap<number, OfAction>>;

export class TransportSightings {
  readonly #short = new Map<string, Map<number, OfAction>>();
  readonly #long = new Map<string, Map<number, OfAction>>();
  #compared = 0;

  get short(): SightingsByKind {
    return this.#short;
  }

  /** Whatever lengths their headers state. */
  get long(): SightingsByKind {
    return this.#long;
  }

  /** All that are kept, short ones first. */
  get all(): Sighting[] {
    return [this.#short, this.#long].flatMap((kinds) =>
      [...kinds.values()].flatMap((byAction) =>
        [...byAction.values()].flatMap(({ all, changed, unchanged }) => [...all, ...changed, ...unchanged]),
      ),
    );
  }

  /** So many of each kind and action, short ones, of those that are wanted: at first one of each. */
  fewOfEach(count: number, isWanted: (packet: Uint8Array) => boolean): Sighting[] {
    const groups = [...this.#short.values()].flatMap((byAction) =>
      [...byAction.values()].map(({ all, changed, unchanged }) =>
        [...all, ...changed, ...unchanged].filter(({ stimulus }) => isWanted(stimulus.packet)),
      ),
    );
    return Array.from({ length: count }, (_, at) =>
      groups.flatMap((group) => group.slice(at, at + 1)),
    ).flat();
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      const frame = cameAs(input, packet);
      const isLong = frame.length > MAX_LENGTH;
      const transport = transportOf(frame) ?? (isLong ? looseTransportOf(frame) : undefined);
      if (transport === undefined) continue;
      const kind = `${transport.version} ${transport.protocol} ${input.entry[packet]}`;
      const kept = keptOf(isLong ? this.#long : this.#short, kind, output.action[packet]!);
      const isWanted = isLong ? !isLikeOne(kept.all, frame) : kept.all.length < KEPT;
      const list = isLong ? undefined : this.#listOf(kept, frame, output, packet);
      if (!isWanted && list === undefined) continue;
      const sighting = { world, stimulus: input.stimulus(packet) };
      if (isWanted) kept.all.push(sighting);
      list?.push(sighting);
    }
  }

  /** @returns where it is wanted by what became of it */
  #listOf(
    { changed, unchanged }: OfAction,
    frame: Uint8Array,
    output: OutcomeBatch,
    packet: number,
  ): Sighting[] | undefined {
    if (changed.length >= KEPT && unchanged.length >= KEPT) return undefined;
    if (this.#compared >= MAX_COMPARED) return undefined;
    this.#compared++;
    const list = equalWhole(frame, leftAs(output, packet)) ? unchanged : changed;
    return list.length < KEPT ? list : undefined;
  }
}

function keptOf(kinds: Map<string, Map<number, OfAction>>, kind: string, action: number): OfAction {
  let byAction = kinds.get(kind);
  if (byAction === undefined) {
    byAction = new Map();
    kinds.set(kind, byAction);
  }
  let kept = byAction.get(action);
  if (kept === undefined) {
    kept = { all: [], changed: [], unchanged: [] };
    byAction.set(action, kept);
  }
  return kept;
}

/** Each of one group with each of another, in turns, so that few pairs see many groups. */
export function* pairsOf(
  groups: readonly (readonly Sighting[])[],
): Generator<[Sighting, Sighting], void, void> {
  const sound = groups.map((group) => group.filter(({ stimulus }) => isSound(stimulus.packet)));
  for (let round = 0; round < KEPT; round++) {
    for (const [a, one] of sound.entries()) {
      if (one.length === 0) continue;
      for (const [b, other] of groups.entries()) {
        if (a === b) continue;
        const first = one[round % one.length]!;
        for (const second of other.slice(0, 3)) yield [first, second];
      }
    }
  }
}

function* pairsWithin(actions: readonly OfAction[]): Generator<[Sighting, Sighting], void, void> {
  for (const { changed, unchanged } of actions) yield* pairsOf([changed, unchanged]);
}

/**
 * Pairs of each kind: as many of each version of IP, and then of whichever has more.
 * @param most of all of them
 * @param areOfOneAction one that was changed, and one that was not; default: two of different actions
 */
export function* sharedPairs(
  packets: SightingsByKind,
  most: number,
  areOfOneAction: boolean = false,
): Generator<{ readonly kind: string; readonly pair: readonly [Sighting, Sighting] }, void, void> {
  const kinds = [...packets].map(([kind, byAction]) => ({
    kind,
    version: kind.split(' ')[0]!,
    pairs: areOfOneAction
      ? pairsWithin([...byAction.values()])
      : pairsOf([...byAction.values()].map(({ all }) => all)),
  }));
  const versions = new Set(kinds.map(({ version }) => version));
  const shares = new Map([...versions].map((version) => [version, Math.floor(most / versions.size)]));
  let left = most;
  for (const isRest of [false, true]) {
    for (const { kind, version, pairs } of kinds) {
      while (left > 0 && (isRest || shares.get(version)! > 0)) {
        const { value: pair } = pairs.next();
        if (pair === undefined) break;
        left--;
        shares.set(version, shares.get(version)! - 1);
        yield { kind, pair };
      }
    }
  }
}

/** Is there a packet of about this length, sound or not as this one is? */
function isLikeOne(kept: readonly Sighting[], frame: Uint8Array): boolean {
  const step = stepOf(frame);
  return kept.some(
    ({ stimulus: { packet } }) => stepOf(packet) === step && isSound(packet) === isSound(frame),
  );
}

/** Longer frames are jumbo frames: one is as good as another. */
function stepOf({ length }: Uint8Array): number {
  return Math.min(Math.floor(length / LENGTH_STEP), MAX_STEP);
}

function isSound(packet: Uint8Array): boolean {
  return transportOf(packet) !== undefined;
}
