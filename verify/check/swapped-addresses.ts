/**
 * Does a program compare addresses with a number that is in the machine's byte order? `(ip->daddr & 0xff000000) == 0x0a000000` is
 * true of addresses that end with 10, and not of those that begin with it. Evidence are prefixes alone that everybody knows:
 * where mirror images of their addresses are something special, and they are like any other.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { RANDOM_STEP, randomOf } from '../../sim/runtime/chance.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { insteadOf } from '../instead.ts';
import { type Fate, fateOf, isSameFate, leavesSameMaps } from './fate.ts';
import { type FieldSighting, FieldSightings, type SightingLimits } from './field-sightings.ts';
import { inPrefix, type KnownPrefix, knownPrefixOf } from './known-prefixes.ts';
import { type CaseRunner, hasValues, lastPartingLine, type Seen, simplestWorld } from './probe.ts';
import { type Held, holdsOfRelatives, withOtherHashes } from './relatives.ts';
import { networkAt } from './variants.ts';
import { withBytes } from './with-bytes.ts';
import { namesAddress } from './world-addresses.ts';

/** Packets of each prefix, field and fate that are looked at; and of all. */
const LIMITS: SightingLimits = { each: 6, all: 400 };
/** Addresses of a prefix, and others, that are tried. */
const MEMBERS = 6;
const OTHERS = 48;
/** Those that show whether it is special by itself. */
const MANY = 1024;
const BITS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];

/** A word of an address: what a program compares at once. */
interface Place {
  readonly version: 4 | 6;
  readonly field: 'source' | 'destination';
  readonly at: number;
  readonly word: readonly number[];
  /** The prefix that its mirror image is in. */
  readonly prefix: KnownPrefix;
}

type Found = FieldSighting<Place>;

export class SwappedAddresses {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings = new FieldSightings(LIMITS, placesIn, kindOf);

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void {
    this.#sightings.observe(world, input, report);
  }

  /** One for each prefix and field that the program compares so. */
  find(machine: Engine): Promise<Seen[]> {
    return this.#sightings.firstOfEach(
      this.#program,
      machine,
      ({ field, prefix }) => `${field} ${prefix.name}`,
      (runner, sighting) => this.#judge(runner, sighting),
    );
  }

  async #judge(runner: CaseRunner, { world, stimulus: came, place }: Found): Promise<Seen | undefined> {
    // Others have their checksums right, too.
    const stimulus = withBytes(came, place.at, place.word);
    const holds = (inside: World): Promise<boolean> =>
      new Trial(runner, inside, stimulus, place).isMirrored();
    if (!(await holds(world))) return undefined;
    const simple = await simplestWorld({ world, stimulus }, this.#isGiven, holds);
    // What user space states is in the order that it states it in.
    if (!this.#isGiven && (hasValues(simple) || namesAddress(simple, place.version, place.word)))
      return undefined;
    for (const around of withOtherHashes(simple)) if (!(await holds(around))) return undefined;
    const look = (packet: Uint8Array): Promise<Held> =>
      new Trial(runner, simple, { ...stimulus, packet }, place).held();
    const kept = { at: place.at, size: place.word.length };
    if (!(await holdsOfRelatives(stimulus.packet, kept, look))) return undefined;
    if (!(await new Trial(runner, simple, stimulus, place).isAlone())) return undefined;
    const meant = withBytes(stimulus, place.at, mirrored(place.word));
    const got = await runner.outcome(simple, stimulus);
    const usual = await runner.outcome(simple, meant);
    if (got === undefined || usual === undefined) return undefined;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const { at, field, prefix, word, version } = place;
    const others = [mirrored(word), ...othersOf(version, word.length)];
    const source = await lastPartingLine(
      this.#program,
      simple,
      stimulus,
      others.map((one) => withBytes(stimulus, place.at, one)),
    );
    const [here, there] = [word, mirrored(word)].map((one) => textOf(version, one));
    return {
      world: simple,
      stimuli: [stimulus],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      breach: {
        invariant: 'address/compared',
        at,
        size: 0,
        expected: prefix.name,
        got: here!,
        sentence: `for ${field} ${here} the program ${insteadOf(hook, got, usual)}, and ${there} (${prefix.name}) comes to the same as any other: as it seems, what it compares the address with is in the machine’s byte order`,
      },
    };
  }
}

/** One packet, and what becomes of it with other addresses. */
class Trial {
  readonly #runner: CaseRunner;
  readonly #world: World;
  readonly #stimulus: Stimulus;
  readonly #place: Place;
  /** Do maps count? Not where actions differ: what is kept of each address differs with each. */
  #countsMaps = false;

  constructor(runner: CaseRunner, world: World, stimulus: Stimulus, place: Place) {
    this.#runner = runner;
    this.#world = world;
    this.#stimulus = stimulus;
    this.#place = place;
  }

  /** Are mirror images of the prefix special, and its addresses are not? */
  async isMirrored(): Promise<boolean> {
    const { word, prefix, version } = this.#place;
    const special = await this.#fate(word);
    const usual = await this.#fate(mirrored(word));
    if (special === undefined || usual === undefined) return false;
    this.#countsMaps = isSameFate(special, usual);
    if (this.#isSame(special, usual)) return false;
    const members = membersOf(prefix, word.length);
    for (const one of [...members, ...othersOf(version, word.length)])
      if (!(await this.#comesTo(one, usual))) return false;
    for (const one of members) {
      if (await this.#comesTo(mirrored(one), special)) continue;
      return isTelling(this.#place) && (await this.#isWhole(usual));
    }
    return this.#endsTell(usual);
  }

  /** Are mirror images special that end so, and not all of a range of ends, or those that have a bit in common? */
  async #endsTell(usual: Fate): Promise<boolean> {
    const { word, version } = this.#place;
    const last = word.length - 1;
    const ends = [...BITS.map((bit) => word[last]! ^ bit), word[last]! - 1, word[last]! + 1];
    for (const end of ends) {
      const one = word.with(last, end & 0xff);
      if (!isUnknown(version, one) || !isUnknown(version, mirrored(one))) continue;
      if (!(await this.#comesTo(one, usual))) return false;
    }
    return true;
  }

  /** Is no other address like it, of very many? A hash of the address has some. */
  async isAlone(): Promise<boolean> {
    const { word, version } = this.#place;
    const usual = await this.#fate(mirrored(word));
    const special = await this.#fate(word);
    if (usual === undefined || special === undefined) return false;
    this.#countsMaps = isSameFate(special, usual);
    for (let seed = 0; seed < MANY; seed++) {
      const other = randomWord(seed, word.length);
      // The first byte of a prefix may be all that is compared.
      if (other.at(-1) === word.at(-1)) continue;
      if (!isUnknown(version, other) || !isUnknown(version, mirrored(other))) continue;
      if (!(await this.#comesTo(other, usual))) return false;
    }
    return true;
  }

  /** What it comes to for this packet: something else where other addresses are special, as they are to a hash. */
  async held(): Promise<Held> {
    if (await this.isMirrored()) return 'same';
    const { word, prefix, version } = this.#place;
    const usual = await this.#fate(mirrored(word));
    if (usual === undefined) return 'otherwise';
    const members = membersOf(prefix, word.length);
    const words = [word, ...members, ...members.map(mirrored), ...othersOf(version, word.length)];
    this.#countsMaps = false;
    for (const one of words) if (!(await this.#comesTo(one, usual))) return 'otherwise';
    return 'nothing';
  }

  /**
   * Do bytes in the middle count, too, and each bit at the end? An address that is compared as a whole is one, and no part of one;
   * where its end is free, it is of a network in its own right, and none in the mirrored prefix.
   */
  async #isWhole(usual: Fate): Promise<boolean> {
    const { word } = this.#place;
    const inner = word.length === 2 ? [0, 1] : [1, 2];
    const last = word.length - 1;
    const others = [
      ...inner.map((at) => changed(word, at, 0x55)),
      ...BITS.map((bit) => changed(word, last, bit)),
    ];
    for (const one of others) if (!(await this.#comesTo(one, usual))) return false;
    // A network of the mirrored prefix leaves the first byte free.
    return !isAssigned(this.#place) || !(await this.#comesTo(changed(word, 0, 0x55), usual));
  }

  async #comesTo(word: readonly number[], wanted: Fate): Promise<boolean> {
    const fate = await this.#fate(word);
    return fate !== undefined && this.#isSame(fate, wanted);
  }

  #isSame(one: Fate, other: Fate): boolean {
    return isSameFate(one, other) && (!this.#countsMaps || leavesSameMaps(one, other));
  }

  #fate(word: readonly number[]): Promise<Fate | undefined> {
    return fateOf(this.#runner, this.#world, withBytes(this.#stimulus, this.#place.at, word), word);
  }
}

/**
 * Is a single address no likely one as it stands? One byte of a prefix is in one address of 256 by chance: the mirror image then has to be one
 * of the first of its network, as 10.0.0.1. Of IPv6 only 2000::/3 is in use beside the prefixes known here.
 */
function isTelling({ version, word, prefix }: Place): boolean {
  if (version === 6) return word[0]! >> 5 !== 1;
  return prefix.bits > 8 || (word[1] === 0 && word[2] === 0);
}

/** Does an address stand for a service as it is? 192.0.0.0/24 is for such addresses (RFC 6890 §2.2.2): 192.0.0.10 is TURN's (RFC 8155). */
function isAssigned({ version, word }: Place): boolean {
  return version === 4 && word[0] === 192 && word[1] === 0 && word[2] === 0;
}

function changed(word: readonly number[], at: number, bits: number): number[] {
  return word.with(at, word[at]! ^ bits);
}

/** Addresses of a prefix whose mirror images are in none that is known. */
function membersOf(prefix: KnownPrefix, size: number): number[][] {
  const members: number[][] = [];
  for (let seed = 0; members.length < MEMBERS && seed < 4 * MEMBERS; seed++) {
    const member = inPrefix(prefix, scattered(seed, size));
    if (isUnknown(prefix.version, mirrored(member))) members.push(member);
  }
  return members;
}

/** Addresses that nobody looks for, whichever way round; with last, and first, bytes from all over. */
function othersOf(version: 4 | 6, size: number): number[][] {
  const others: number[][] = [];
  for (let seed = 0; others.length < OTHERS; seed++) {
    const other = scattered(1000 + seed, size);
    if (isUnknown(version, other) && isUnknown(version, mirrored(other))) others.push(other);
  }
  return others;
}

function isUnknown(version: 4 | 6, word: ArrayLike<number>): boolean {
  return knownPrefixOf(version, word) === undefined && (version === 6 || word[0] !== 0);
}

/** Bytes that look like none in particular; each takes all values in turn. */
function scattered(seed: number, size: number): number[] {
  return Array.from({ length: size }, (_, at) => (seed * (2 * at + 5) + 37 * at + 11) & 0xff);
}

/** Bytes of which nothing is to be told from those of other seeds. */
function randomWord(seed: number, size: number): number[] {
  const random = randomOf(Math.imul(seed + 1, RANDOM_STEP));
  return Array.from({ length: size }, (_, at) => (random >>> (8 * at)) & 0xff);
}

function* placesIn(frame: Uint8Array): Generator<Place, void, void> {
  const ip = networkAt(frame);
  if (ip === undefined) return;
  const version = frame[ip]! >> 4 === 4 ? 4 : 6;
  const [source, size, sizes] = version === 4 ? [ip + 12, 4, [4]] : [ip + 8, 16, [4, 2]];
  for (const field of ['source', 'destination'] as const) {
    const at = field === 'source' ? source : source + size;
    for (const length of sizes) {
      const own = [...frame.subarray(at, at + length)];
      const prefix = knownPrefixOf(version, mirrored(own));
      if (prefix === undefined) continue;
      // 10.1.1.10 is both: another address of the mirrored prefix is none but that.
      const word = isUnknown(version, own) ? own : mirrored(membersOf(prefix, length)[0]!);
      yield { version, field, at, word, prefix };
    }
  }
}

function kindOf({ field, prefix, word }: Place): string {
  return `${field} ${prefix.name} ${word.length}`;
}

function mirrored(word: readonly number[]): number[] {
  return word.toReversed();
}

function textOf(version: 4 | 6, word: readonly number[]): string {
  if (version === 4) return word.join('.');
  const hex = Buffer.from(word).toString('hex');
  return `${hex.replace(/(.{4})(?=.)/g, '$1:')}::`;
}
