/**
 * Does a program read ports, or flags, from later fragments? Two fragments that differ in nothing but the data where a
 * first one has its transport header must come to the same.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { equal } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { actionName, type Hook } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { insteadOf } from '../instead.ts';
import type { Outcome } from '../outcome.ts';
import { MapContents } from './map-contents.ts';
import {
  CaseRunner,
  hasContents,
  inBareWorld,
  partingLine,
  type Seen,
  type Sighting,
  simplest,
  simplestWorld,
  traceOf,
} from './probe.ts';
import { partsRelatives } from './relatives.ts';
import { sharedPairs, type TransportSightings } from './transport-sightings.ts';
import {
  headerSize,
  isLater,
  LATER,
  LATER_WORDS,
  laterFragment,
  looseTransportOf,
  transportOf,
} from './variants.ts';

/** Pairs that are tried: of longer packets fewer, after all others. */
const MAX_PAIRS = 96;
const MAX_LONG_PAIRS = 48;
/** Headers of a protocol that are tried in fragments of all offsets. */
const MAX_DECISIVE = 6;

export class FragmentReads {
  readonly #isGiven: boolean;
  readonly #sightings: TransportSightings;
  /** Headers of the protocol at hand that decide on a whole packet. */
  #decisive = 0;

  /** @param isGiven has the user said what the worlds are? */
  constructor(isGiven: boolean, sightings: TransportSightings) {
    this.#isGiven = isGiven;
    this.#sightings = sightings;
  }

  /** A pair that differs, with empty maps where there is one; undefined where none does. */
  async find(program: Program, machine: Engine): Promise<Seen | undefined> {
    const runner = new CaseRunner(program, machine);
    try {
      const seen = await this.#first(program, runner, machine, (one) => one);
      if (seen === undefined || this.#isGiven || !hasContents(seen.world)) return seen;
      // What a test made up weighs less, and which pair came first is chance.
      return (await this.#first(program, runner, machine, inBareWorld)) ?? seen;
    } finally {
      await runner.close();
    }
  }

  /** @param inWorld the packet in the world that it is tried in */
  async #first(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    inWorld: (sighting: Sighting) => Sighting,
  ): Promise<Seen | undefined> {
    for (const [packets, most, areOfOneAction] of [
      [this.#sightings.short, MAX_PAIRS, false],
      [this.#sightings.long, MAX_LONG_PAIRS, false],
      [this.#sightings.short, MAX_PAIRS, true],
    ] as const) {
      const decisive = new Map<string, number>();
      for (const { kind, pair } of sharedPairs(packets, most, areOfOneAction)) {
        this.#decisive = decisive.get(kind) ?? 0;
        const seen = await this.#differ(program, runner, machine, inWorld(pair[0]), pair[1]);
        if (seen !== undefined) return seen;
        decisive.set(kind, this.#decisive);
      }
    }
    return undefined;
  }

  async #differ(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    { world, stimulus }: Sighting,
    other: Sighting,
  ): Promise<Seen | undefined> {
    const from = transportOf(other.stimulus.packet) ?? looseTransportOf(other.stimulus.packet);
    if (from === undefined) return undefined;
    for (const size of new Set([PORTS, Math.min(headerSize(from.protocol), from.end - from.at)])) {
      const header = other.stimulus.packet.slice(from.at, from.at + size);
      for (const word of await this.#words(program, runner, { world, stimulus }, header)) {
        const packet = laterFragment(stimulus.packet, word);
        if (packet === undefined) return undefined;
        const fragment = { world, stimulus: { ...stimulus, packet } };
        const seen = await this.#show(program, runner, machine, fragment, header);
        if (seen !== undefined) return seen;
      }
    }
    return undefined;
  }

  /**
   * What the fragments say that are tried. To whoever overlooks a part of the offset, some fragment is a whole packet: only
   * where the header decides on that are there more of them.
   */
  async #words(
    program: Program,
    runner: CaseRunner,
    { world, stimulus }: Sighting,
    header: Uint8Array,
  ): Promise<readonly number[]> {
    if (this.#decisive >= MAX_DECISIVE) return [LATER];
    const second = withData(stimulus, header);
    if (second === undefined || !(await areTreatedApart({ program, runner }, world, stimulus, second)))
      return [LATER];
    this.#decisive++;
    return LATER_WORDS;
  }

  /** The smallest fragment that comes to something else with this header in place of its first bytes; undefined: none does. */
  async #show(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    sighting: Sighting,
    header: Uint8Array,
  ): Promise<Seen | undefined> {
    const differs = async (inside: World, fragment: Stimulus): Promise<boolean> => {
      const at = transportOf(fragment.packet, true);
      if (at === undefined || !isLater(at)) return false;
      const second = withData(fragment, header);
      return second !== undefined && (await areTreatedApart({ program, runner }, inside, fragment, second));
    };
    if (!(await differs(sighting.world, sighting.stimulus))) return undefined;
    if (!(await isOfPlace(runner, sighting, header))) return undefined;
    const world = await simplestWorld(sighting, this.#isGiven, differs);
    const smallest = await simplest(sighting.stimulus, (simpler) => differs(world, simpler));
    const [small, second] = await this.#inOrder(program, world, smallest, withData(smallest, header)!);
    const usual = await endOf(runner, world, small);
    const otherwise = await endOf(runner, world, second);
    const at = transportOf(small.packet, true);
    if (usual === undefined || otherwise === undefined || at === undefined) return undefined;
    const got = usual.outcome;
    const data = second.packet.slice(at.at, at.at + header.length);
    const { hook } = program.entries[small.entry ?? 0]!;
    const { own, others, does } = said(hook, usual, otherwise);
    const source = await partingLine(program, world, small, second);
    return {
      world,
      stimuli: [small],
      engine: machine,
      got,
      ...(source === undefined ? {} : { source }),
      breach: {
        invariant: 'fragments/ports-read',
        at: at.at,
        size: 0,
        expected: 'the same for any data',
        got: `${own}, and ${others} with other data`,
        sentence: `with ${Buffer.from(data).toString('hex')} in place of the fragment's first bytes the program ${does}`,
      },
    };
  }

  /** First the one that is read where contents say which the test made up, where the other does not: how much a finding weighs shows in it. */
  async #inOrder(
    program: Program,
    world: World,
    one: Stimulus,
    other: Stimulus,
  ): Promise<readonly [Stimulus, Stimulus]> {
    if (this.#isGiven || !hasContents(world) || (await isReadWhereTold(program, world, one)))
      return [one, other];
    return (await isReadWhereTold(program, world, other)) ? [other, one] : [one, other];
  }
}

/** Is a packet read where maps say? */
export async function isReadWhereTold(program: Program, world: World, stimulus: Stimulus): Promise<boolean> {
  const trace = await traceOf(program, { world, stimuli: [stimulus] });
  return trace !== undefined && new MapContents(program, world, trace).isReadWhereTold();
}

/** Do bytes decide that stand for a header, and not a hash of all the frame? */
async function isOfPlace(
  runner: CaseRunner,
  { world, stimulus }: Sighting,
  header: Uint8Array,
): Promise<boolean> {
  const other = withData(stimulus, header)!;
  const kept = { at: transportOf(stimulus.packet, true)!.at, size: header.length };
  const fate = (inside: World, packet: Uint8Array): Promise<End | undefined> =>
    endOf(runner, inside, { ...stimulus, packet });
  return partsRelatives(world, [stimulus.packet, other.packet], kept, fate, isSameEnd);
}

/** What a fragment comes to. */
interface End {
  readonly outcome: Outcome;
  /** Did it leave with other headers than it came with? What was written to its data says nothing of ports. */
  readonly isRewritten: boolean;
}

/** @returns undefined where it does not run to its end */
async function endOf(runner: CaseRunner, world: World, stimulus: Stimulus): Promise<End | undefined> {
  const outcome = await runner.outcome(world, stimulus);
  if (outcome?.status !== 'ran') return undefined;
  const { packet } = stimulus;
  const size = transportOf(packet, true)?.at ?? 0;
  const isSame = outcome.packet.length === packet.length && equal(packet, 0, outcome.packet, 0, size);
  return { outcome, isRewritten: !isSame };
}

function isSameEnd(a: End, b: End): boolean {
  return isSameWay(a, b) && a.isRewritten === b.isRewritten;
}

function isSameWay({ outcome: a }: End, { outcome: b }: End): boolean {
  return a.action === b.action && a.redirect === b.redirect;
}

/** What two ends differ in, and what the program does for the second one. */
function said(
  hook: Hook,
  usual: End,
  otherwise: End,
): { readonly own: string; readonly others: string; readonly does: string } {
  const ends = [usual, otherwise];
  if (isSameWay(usual, otherwise)) {
    const [own, others] = ends.map(({ isRewritten }) => (isRewritten ? 'rewritten' : 'left as it came'));
    const does = otherwise.isRewritten
      ? 'rewrites headers that it leaves as they are else'
      : 'leaves headers as they are that it rewrites else';
    return { own: own!, others: others!, does };
  }
  const isTarget = usual.outcome.action === otherwise.outcome.action;
  const [own, others] = ends.map(({ outcome: { action, redirect } }) =>
    isTarget ? `target ${redirect}` : actionName(hook, action),
  );
  return { own: own!, others: others!, does: insteadOf(hook, otherwise.outcome, usual.outcome) };
}

/** Do two packets, each by itself, come to other ends? Of those that do not leave, nobody sees the headers. */
async function areTreatedApart(
  { program, runner }: Trying,
  world: World,
  one: Stimulus,
  other: Stimulus,
): Promise<boolean> {
  const a = await endOf(runner, world, one);
  const b = await endOf(runner, world, other);
  if (a === undefined || b === undefined) return false;
  if (!isSameWay(a, b)) return true;
  const { hook } = program.entries[one.entry ?? 0]!;
  return a.isRewritten !== b.isRewritten && leaves(hook, a.outcome.action);
}

interface Trying {
  readonly program: Program;
  readonly runner: CaseRunner;
}

/** Bytes of ports. */
const PORTS = 4;

/** The packet with other data where it has its header, or a first fragment would; undefined where it has no room for that. */
export function withData(stimulus: Stimulus, header: Uint8Array): Stimulus | undefined {
  const at = transportOf(stimulus.packet, true);
  if (at === undefined || at.at + header.length > at.end) return undefined;
  const packet = stimulus.packet.slice();
  packet.set(header, at.at);
  return { ...stimulus, packet };
}
