/**
 * Does a program compare a number of a header, such as an EtherType or a port, with one that is in the machine's byte order? Then it
 * does for 0x0008 what it was meant to do for 0x0800, and takes 0x0800 for any other number. Packets whose number is a known one in the
 * wrong order are run again with the known one, and with others: where only the wrong order is something special, the program was
 * meant otherwise.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { endpointFromText } from '../../sim/runtime/sockets.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { insteadOf } from '../instead.ts';
import { read16 } from '../oracle/announcement.ts';
import { type Fate, fateOf, isSameFate, isSameWithMaps } from './fate.ts';
import { type FieldSighting, FieldSightings, type SightingLimits } from './field-sightings.ts';
import { isPort, type NumberMeaning, type SwappedPlace, swappedPlaces } from './known-numbers.ts';
import { type CaseRunner, lastPartingLine, type Seen, simplestWorld } from './probe.ts';
import { type Held, holdsOfRelatives, withOtherHashes } from './relatives.ts';
import { withWord } from './with-bytes.ts';

/** Packets of each number, and of what became of them, that are looked at; and of all. */
const LIMITS: SightingLimits = { each: 3, all: 300 };
/** Numbers from all over that show whether relatives of a packet take the same ones for special. */
const SCATTERED = 64;
/** Numbers that show whether it is special by itself. */
const MANY = 1024;
/** The golden part of 2^16: however many steps of it are taken, they lie all over, in all their bits. */
const STRIDE = 40_503;
/** How far off others are that a range, bits or a rest would take in as well. From 256 to 2048 they are next to each other once swapped. */
const DISTANCES = [1, 2, 4, 8, 16, 32, 64, 128, 4096, 8192, 0x4000, 0x8000];
/** Packets whose number was special to a hash: where so many were, nothing else is likely to be found. */
const MOST_HASHED = 12;

/** Numbers of 16 bits, spread evenly, with low bytes of all kinds. @param least the lowest of them */
function scattered(least: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => least + ((index * STRIDE) % (0x10000 - least)));
}

export class SwappedNumbers {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings = new FieldSightings(
    LIMITS,
    swappedPlaces,
    ({ meaning, value }) => `${meaning.what} ${value}`,
  );
  /** By entry and meaning. */
  readonly #hashed = new Map<string, number>();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void {
    this.#sightings.observe(world, input, report);
  }

  /** One for each number that the program compares so. */
  find(machine: Engine): Promise<Seen[]> {
    return this.#sightings.firstOfEach(
      this.#program,
      machine,
      ({ meaning, value }) => `${meaning.what} ${value}`,
      (runner, sighting) => this.#judge(runner, sighting),
    );
  }

  async #judge(
    runner: CaseRunner,
    { world, stimulus: came, place }: FieldSighting<SwappedPlace>,
  ): Promise<Seen | undefined> {
    const hashed = `${came.entry ?? 0} ${place.meaning.what}`;
    if ((this.#hashed.get(hashed) ?? 0) >= MOST_HASHED) return undefined;
    // Others have their checksums right: a packet with a wrong one may be special for that.
    const stimulus = withWord(came, place.at, place.value);
    const holds = (inside: World): Promise<boolean> => new Trial(runner, inside, stimulus, place).isSpecial();
    if (!(await holds(world))) return undefined;
    const simple = await simplestWorld({ world, stimulus }, this.#isGiven, holds);
    // What user space states is in the order that it states it in.
    if (!this.#isGiven && (holdsNumber(simple, place.value) || isOpen(simple, place))) return undefined;
    if (!(await isByNumber(runner, simple, stimulus, place))) {
      this.#hashed.set(hashed, (this.#hashed.get(hashed) ?? 0) + 1);
      return undefined;
    }
    const meant = withWord(stimulus, place.at, swapped(place.value));
    const got = await runner.outcome(simple, stimulus);
    const usual = await runner.outcome(simple, meant);
    if (got === undefined || usual === undefined) return undefined;
    const { meaning, at, value } = place;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const known = `${meaning.write(swapped(value))} (${meaning.nameOf(swapped(value))})`;
    const others = [swapped(value), ...meaning.others(value), ...neighboursOf(place)];
    const source = await lastPartingLine(
      this.#program,
      simple,
      stimulus,
      others.map((other) => withWord(stimulus, place.at, other)),
    );
    return {
      world: simple,
      stimuli: [stimulus],
      engine: runner.engine,
      got,
      ...(meaning.severity === undefined ? {} : { severity: meaning.severity }),
      ...(source === undefined ? {} : { source }),
      breach: {
        invariant: meaning.invariant,
        at,
        size: 0,
        expected: known,
        got: meaning.write(value),
        sentence: `for ${meaning.what} ${meaning.write(value)} the program ${insteadOf(hook, got, usual)}, and ${known} comes to the same as any other: as it seems, the number is in the machine’s byte order`,
      },
    };
  }
}

/** What one packet comes to with one number, and with others. */
class Trial {
  readonly #runner: CaseRunner;
  readonly #world: World;
  readonly #stimulus: Stimulus;
  readonly #place: SwappedPlace;

  constructor(runner: CaseRunner, world: World, stimulus: Stimulus, place: SwappedPlace) {
    this.#runner = runner;
    this.#world = world;
    this.#stimulus = stimulus;
    this.#place = place;
  }

  /** Is the wrong order something special to the program, and the right one is not? */
  async isSpecial(): Promise<boolean> {
    const { meaning, value } = this.#place;
    const isUsual = await this.usual();
    if (isUsual === undefined || isUsual.own) return false;
    for (const other of [...meaning.others(value), ...neighboursOf(this.#place)])
      if ((await isUsual.of(other)) !== true) return false;
    return true;
  }

  /** Is no other number like it, of very many? A hash of the number, or the rest of a division, has some. */
  async isAlone(): Promise<boolean> {
    const { meaning, value } = this.#place;
    const isUsual = await this.usual();
    if (isUsual === undefined) return false;
    for (const number of scattered(meaning.least, MANY))
      if (!isAsked(meaning, value, number) && (await isUsual.of(number)) !== true) return false;
    return true;
  }

  /** Those for which something else becomes of the packet than for the number that was meant. */
  async specialNumbers(): Promise<string | undefined> {
    const { meaning, value } = this.#place;
    const isUsual = await this.usual();
    if (isUsual === undefined) return undefined;
    const special: number[] = isUsual.own ? [] : [value];
    for (const number of [...meaning.others(value), ...scattered(meaning.least, SCATTERED)]) {
      const is = await isUsual.of(number);
      if (is === undefined) return undefined;
      if (!is) special.push(number);
    }
    return special.join();
  }

  /** Tells whether a number comes to what the one that was meant comes to: the own one, and others. */
  async usual(): Promise<
    { readonly own: boolean; readonly of: (number: number) => Promise<boolean | undefined> } | undefined
  > {
    const { value } = this.#place;
    const own = await this.#fate(value);
    const meant = await this.#fate(swapped(value));
    if (own === undefined || meant === undefined) return undefined;
    // Where the packets part, what maps hold does not count: much may be kept of each.
    const isSame = isSameFate(own, meant) ? isSameWithMaps : isSameFate;
    const of = async (number: number): Promise<boolean | undefined> => {
      const fate = await this.#fate(number);
      return fate === undefined ? undefined : isSame(fate, meant);
    };
    return { own: isSame(own, meant), of };
  }

  #fate(number: number): Promise<Fate | undefined> {
    const tried = [number >> 8, number & 0xff];
    return fateOf(this.#runner, this.#world, withWord(this.#stimulus, this.#place.at, number), tried);
  }
}

/**
 * A number that is compared is special by itself. Where those in front of it and behind it are as well, it is one of a range; where those
 * are that differ in one bit, some of its bits decide, or the rest of a division. Those that are next to it in the wrong order alone are
 * none: who forgets the order of one port does of the next one.
 */
function neighboursOf({ meaning, value }: SwappedPlace): number[] {
  return DISTANCES.flatMap((distance) => [value - distance, value + distance]).filter(
    (one) => one > 0 && one <= 0xffff && !isAsked(meaning, value, one),
  );
}

/** May a program that asks for the one number ask for this one, too? */
function isAsked({ nameOf }: NumberMeaning, value: number, one: number): boolean {
  return (
    one === value || one === swapped(value) || nameOf(one) !== undefined || nameOf(swapped(one)) !== undefined
  );
}

/** Is it the number that makes it special, and not what a hash of it and other fields comes to? */
async function isByNumber(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  place: SwappedPlace,
): Promise<boolean> {
  const special = await new Trial(runner, world, stimulus, place).specialNumbers();
  if (special === undefined) return false;
  for (const around of withOtherHashes(world))
    if (!(await new Trial(runner, around, stimulus, place).isSpecial())) return false;
  const look = async (packet: Uint8Array): Promise<Held> => {
    const here = await new Trial(runner, world, { ...stimulus, packet }, place).specialNumbers();
    return here === '' ? 'nothing' : here === special ? 'same' : 'otherwise';
  };
  if (!(await holdsOfRelatives(stimulus.packet, { at: place.at, size: 2 }, look))) return false;
  return await new Trial(runner, world, stimulus, place).isAlone();
}

/** Do maps or variables that a test filled hold the number, in either order? */
export function holdsNumber({ maps, globals }: World, value: number): boolean {
  const contents = [
    ...Object.values(maps ?? {}).flatMap((entries) => entries.flatMap((one) => [one.key, one.value])),
    ...Object.values(globals ?? {}),
  ];
  const numbers = new Set([value, swapped(value)]);
  return contents.some((bytes) =>
    bytes.some((_, at) => at + 2 <= bytes.length && numbers.has(read16(bytes, at))),
  );
}

/** Has a socket that the test opened this port? Then a lookup that found it made the packet special, and no comparison. */
function isOpen({ sockets = [] }: World, { meaning, value }: SwappedPlace): boolean {
  if (!isPort(meaning)) return false;
  const ends = sockets.flatMap(({ local, remote }) => (remote === undefined ? [local] : [local, remote]));
  return ends.some((end) => endpointFromText(end).port === value);
}
