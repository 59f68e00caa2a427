/**
 * Does a program look for ports, or flags, where they are not, since it takes a header in front of them for shorter or longer than
 * it is? Bytes in that header, or in the data, then decide as a transport header would, and what lies at its place does not.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { equal } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { insteadOf } from '../instead.ts';
import type { Outcome } from '../outcome.ts';
import { type Displaced, displaced, withoutData } from './displaced.ts';
import { type Fate, fateOf, isSameFate } from './fate.ts';
import {
  CaseRunner,
  hasContents,
  inBareWorld,
  partingLine,
  type Seen,
  type Sighting,
  simplestWorld,
} from './probe.ts';
import { partsRelatives } from './relatives.ts';
import { pairsOf, type TransportSightings } from './transport-sightings.ts';
import { headerSize, transportOf } from './variants.ts';

/** Pairs that are tried, of each version, protocol and entry. */
const MAX_PAIRS = 12;

export class HeaderLengths {
  readonly #isGiven: boolean;
  readonly #sightings: TransportSightings;
  /** Which headers were found to be taken for another length. */
  readonly taken = new Set<string>();

  /** @param isGiven has the user said what the worlds are? */
  constructor(isGiven: boolean, sightings: TransportSightings) {
    this.#isGiven = isGiven;
    this.#sightings = sightings;
  }

  /** One for each header whose length is taken for another, with empty maps where that shows it. */
  async find(program: Program, machine: Engine): Promise<Seen[]> {
    const runner = new CaseRunner(program, machine);
    try {
      const found = await this.#all(program, runner, machine, new Map(), (one) => one);
      const byContents = [...found].filter(([, { world }]) => hasContents(world));
      for (const name of found.keys()) this.taken.add(name);
      if (this.#isGiven || byContents.length === 0) return [...found.values()];
      // What a test made up weighs less, and which pair came first is chance.
      const others = new Map([...found].filter(([, { world }]) => !hasContents(world)));
      const better = await this.#all(program, runner, machine, others, inBareWorld);
      return [...new Map([...found, ...better]).values()];
    } finally {
      await runner.close();
    }
  }

  /**
   * @param known what need not be found any more
   * @param inWorld the packet in the world that it is tried in
   */
  async #all(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    known: ReadonlyMap<string, Seen>,
    inWorld: (sighting: Sighting) => Sighting,
  ): Promise<Map<string, Seen>> {
    const found = new Map(known);
    for (const byAction of this.#sightings.short.values()) {
      const groups = [...byAction.values()].flatMap(({ changed, unchanged }) => [changed, unchanged]);
      let left = MAX_PAIRS;
      for (const [one, other] of pairsOf(groups)) {
        if (left-- <= 0) break;
        for (const seen of await this.#differ(program, runner, machine, inWorld(one), other, found)) {
          found.set(seen.name, seen.seen);
        }
      }
    }
    return found;
  }

  async #differ(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    one: Sighting,
    other: Sighting,
    known: ReadonlyMap<string, Seen>,
  ): Promise<{ readonly name: string; readonly seen: Seen }[]> {
    const own = headerOf(one.stimulus.packet);
    const header = headerOf(other.stimulus.packet);
    const usual = await fateOf(runner, one.world, one.stimulus);
    const wanted = await fateOf(runner, one.world, other.stimulus);
    if (own === undefined || header === undefined || usual === undefined || wanted === undefined) return [];
    // The maps may be other ones than those with which the other packet was seen.
    if (isSameFate(usual, wanted)) return [];
    const found = new Map<string, Seen>();
    for (const base of [withoutData(one.stimulus.packet), one.stimulus.packet]) {
      const firsts = [...displaced(base, own)];
      for (const second of displaced(base, header)) {
        const { name, at } = second;
        if (known.has(name) || found.has(name)) continue;
        const first = firsts.find((twin) => twin.name === name && twin.at === at);
        if (first === undefined) continue;
        const holds = async (world: World): Promise<boolean> =>
          (await comesTo(runner, world, one.stimulus, second.packet, wanted)) &&
          (await comesTo(runner, world, one.stimulus, first.packet, usual)) &&
          !(await isOfData(runner, world, one.stimulus, first, second));
        if (!(await holds(one.world))) continue;
        if (!(await isOfPlace(runner, one, first, second))) continue;
        const world = await simplestWorld(one, this.#isGiven, holds);
        const seen = await this.#show(
          program,
          runner,
          machine,
          { world, stimulus: one.stimulus },
          first,
          second,
        );
        if (seen !== undefined) found.set(name, seen);
      }
    }
    return [...found].map(([name, seen]) => ({ name, seen }));
  }

  async #show(
    program: Program,
    runner: CaseRunner,
    machine: Engine,
    { world, stimulus }: Sighting,
    first: Displaced,
    second: Displaced,
  ): Promise<Seen | undefined> {
    const one = { ...stimulus, packet: first.packet };
    const other = { ...stimulus, packet: second.packet };
    const got = await runner.outcome(world, other);
    const before = await runner.outcome(world, one);
    if (got === undefined || before === undefined) return undefined;
    const source = await partingLine(program, world, one, other);
    const { name, at, size, transport } = second;
    const { hook } = program.entries[stimulus.entry ?? 0]!;
    const written = isWritten(second, got) || isWritten(first, before);
    const lies = `behind ${name} the transport header lies at byte ${transport}`;
    const what = Buffer.from(second.packet.subarray(at, at + size)).toString('hex');
    return {
      world,
      stimuli: [other],
      engine: machine,
      got,
      ...(source === undefined ? {} : { source }),
      ...(written ? { severity: 'error' } : {}),
      breach: {
        invariant: 'lengths/misplaced',
        at,
        size: 0,
        expected: `the header at byte ${transport}`,
        got: `bytes at ${at}`,
        sentence: written
          ? `${lies}, and the program wrote at byte ${at} as if it were there`
          : `${lies}, but ${what} at byte ${at} decides: the program ${insteadOf(hook, got, before)}`,
      },
    };
  }
}

async function comesTo(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  packet: Uint8Array,
  wanted: Fate,
): Promise<boolean> {
  const fate = await fateOf(runner, world, { ...stimulus, packet });
  return fate !== undefined && isSameFate(fate, wanted);
}

/** Do the bytes decide in the data of a packet without the header in front, too? Then the program looks at data. */
async function isOfData(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  first: Displaced,
  second: Displaced,
): Promise<boolean> {
  if (first.bare === undefined || second.bare === undefined) return false;
  const one = await fateOf(runner, world, { ...stimulus, packet: first.bare });
  const other = await fateOf(runner, world, { ...stimulus, packet: second.bare });
  return one === undefined || other === undefined || !isSameFate(one, other);
}

/** Does the place decide, and not a hash of all the frame? */
function isOfPlace(
  runner: CaseRunner,
  { world, stimulus }: Sighting,
  first: Displaced,
  second: Displaced,
): Promise<boolean> {
  const kept = { at: second.at, size: Math.max(first.size, second.size) };
  const fate = (inside: World, packet: Uint8Array): Promise<Fate | undefined> =>
    fateOf(runner, inside, { ...stimulus, packet });
  return partsRelatives(world, [first.packet, second.packet], kept, fate, isSameFate);
}

/** Was something written where the bytes lie? */
function isWritten({ packet, at, size }: Displaced, { packet: left }: Outcome): boolean {
  return left.length === packet.length && !equal(packet, at, left, at, size);
}

function headerOf(packet: Uint8Array): Uint8Array | undefined {
  const found = transportOf(packet);
  if (found === undefined) return undefined;
  return packet.slice(found.at, Math.min(found.end, found.at + headerSize(found.protocol)));
}
