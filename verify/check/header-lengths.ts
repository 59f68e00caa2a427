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
import {
  asPlain,
  atItsPlace,
  behindOptions,
  type Displaced,
  displaced,
  TRANSPORTS,
  withoutData,
} from './displaced.ts';
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
import { headerSize, repaired, transportOf } from './variants.ts';

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
      for (const [one, other] of pairsOf(groups.map((group) => group.map(asPlain)))) {
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
        const { name } = second;
        for (const first of twinsOf(second, firsts)) {
          if (known.has(name) || found.has(name)) break;
          const trial: Trial = { program, runner, machine, one, header, first, second, usual, wanted };
          const seen = await this.#try(trial);
          if (seen !== undefined) found.set(name, seen);
        }
      }
    }
    return [...found].map(([name, seen]) => ({ name, seen }));
  }

  async #try(trial: Trial): Promise<Seen | undefined> {
    const { runner, one, first, second } = trial;
    if (!(await this.#holds(trial, one.world))) return undefined;
    if (!(await isOfPlace(runner, one, first, second))) return undefined;
    const world = await simplestWorld(one, this.#isGiven, (simpler) => this.#holds(trial, simpler));
    return second.isMalformed ? showHidden(trial, world) : show(trial, world);
  }

  async #holds(trial: Trial, world: World): Promise<boolean> {
    const { runner, one, header, first, second, usual, wanted } = trial;
    const to = (packet: Uint8Array, fate: Fate): Promise<boolean> =>
      comesTo(runner, world, one.stimulus, packet, fate);
    if (!(await to(second.packet, wanted)) || !(await to(first.packet, usual))) return false;
    if (await isOfData(runner, world, one.stimulus, first, second)) return false;
    if (await isOfOwnPlace(to, trial)) return false;
    if (second.isMalformed !== true) return true;
    // Nobody has to take such options: with right ones, what is behind them must not decide, as it does without.
    const plain = withHeader(one.stimulus.packet, header);
    const hidden = behindOptions(plain);
    return hidden !== undefined && (await to(hidden, usual)) && (await to(plain, wanted));
  }
}

/** Two packets that come to different ends, and bytes of both in a header in front of the first one. */
interface Trial {
  readonly program: Program;
  readonly runner: CaseRunner;
  readonly machine: Engine;
  readonly one: Sighting;
  /** The other one's. */
  readonly header: Uint8Array;
  readonly first: Displaced;
  readonly second: Displaced;
  readonly usual: Fate;
  readonly wanted: Fate;
}

/** The same of other bytes, first in the same form; none that nobody has to take beside one that everybody does. */
function twinsOf(second: Displaced, all: readonly Displaced[]): Displaced[] {
  const twins = all.filter(({ name, at }) => name === second.name && at === second.at);
  const isSame = ({ form }: Displaced): boolean => form === second.form;
  const others = twins.filter((one) => !isSame(one) && one.isMalformed !== true);
  return [...twins.filter(isSame), ...others].filter(
    ({ isMalformed }) => isMalformed !== true || second.isMalformed === true,
  );
}

/** The packet with bytes of another one's header behind its IP header, sums right. */
function withHeader(packet: Uint8Array, header: Uint8Array): Uint8Array {
  const { at, end } = transportOf(packet)!;
  const copy = packet.slice();
  copy.set(header.subarray(0, end - at), at);
  return repaired(copy, at - 2);
}

async function show(
  { program, runner, machine, one: { stimulus }, first, second }: Trial,
  world: World,
): Promise<Seen | undefined> {
  const one = { ...stimulus, packet: first.packet };
  const other = { ...stimulus, packet: second.packet };
  const got = await runner.outcome(world, other);
  const before = await runner.outcome(world, one);
  if (got === undefined || before === undefined) return undefined;
  const source = await partingLine(program, world, one, other);
  const { name, at, size, transport } = second;
  const { hook } = program.entries[stimulus.entry ?? 0]!;
  // The one that shows it: where only the first is written to, nothing is to be seen of it in the other.
  const isFirst = isWritten(first, before) && !isWritten(second, got);
  const written = isFirst || isWritten(second, got);
  const lies = `behind ${name} the ${headerName(stimulus.packet)} lies at byte ${transport}`;
  const what = Buffer.from(second.packet.subarray(at, at + size)).toString('hex');
  return {
    world,
    stimuli: [isFirst ? one : other],
    engine: machine,
    got: isFirst ? before : got,
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

/** No right options are bytes that decide: a packet whose header behind options does not. */
async function showHidden(
  { program, runner, machine, one: { stimulus }, header, first, second }: Trial,
  world: World,
): Promise<Seen | undefined> {
  const usual = withHeader(stimulus.packet, header);
  const packet = behindOptions(usual)!;
  const hidden = { ...stimulus, packet };
  const got = await runner.outcome(world, hidden);
  const plain = await runner.outcome(world, { ...stimulus, packet: usual });
  if (got === undefined || plain === undefined) return undefined;
  const [a, b] = [first, second].map((one) => ({ ...stimulus, packet: one.packet }));
  const source = await partingLine(program, world, a!, b!);
  const { name, at } = second;
  const transport = transportOf(packet)!.at;
  const { hook } = program.entries[stimulus.entry ?? 0]!;
  return {
    world,
    stimuli: [hidden],
    engine: machine,
    got,
    ...(source === undefined ? {} : { source }),
    breach: {
      invariant: 'lengths/misplaced',
      at: transport,
      size: 0,
      expected: `the header at byte ${transport}`,
      got: `bytes at ${at}`,
      sentence: `behind ${name} the ${headerName(stimulus.packet)} lies at byte ${transport}, but what is at byte ${at} decides: the program ${insteadOf(hook, got, plain)}, as it does without them`,
    },
  };
}

/** What decides of protocols without ports is no transport header to most people. */
function headerName(packet: Uint8Array): string {
  return TRANSPORTS.has(transportOf(packet)?.protocol ?? 0) ? 'transport header' : 'header';
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

/** Does a header decide at its own place, too? What searches all that is there for some bytes finds them wherever they lie. */
async function isOfOwnPlace(
  comes: (packet: Uint8Array, to: Fate) => Promise<boolean>,
  { one: { stimulus }, header, first, second, usual, wanted }: Trial,
): Promise<boolean> {
  const { protocol } = transportOf(stimulus.packet)!;
  for (const packet of atItsPlace(first, protocol, header)) if (await comes(packet, wanted)) return true;
  // Its sum and length were made right, and may have been what was looked for.
  for (const packet of atItsPlace(second, protocol, headerOf(stimulus.packet)!))
    if (await comes(packet, usual)) return true;
  return false;
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
