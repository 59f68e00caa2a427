/**
 * Does a program take flags of a header apart with a mask that is in the machine's byte order, as in `ip->frag_off & 0x1fff`? Then bits
 * decide that are those of a mask everybody knows, with the two bytes swapped: "do not fragment" and a part of the offset, say, and not
 * the rest of it. Each bit of the word is turned by itself, and then many at once.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { insteadOf } from '../instead.ts';
import { read16 } from '../oracle/announcement.ts';
import { BY_FATE_THEN_MAPS, type Fate, fateOf, type IsSame } from './fate.ts';
import { type FieldSighting, FieldSightings, type SightingLimits } from './field-sightings.ts';
import { type FlagWord, flagWords } from './flag-words.ts';
import { type CaseRunner, partingLine, type Seen, simplestWorld } from './probe.ts';
import { type Held, heldOf, holdsOfRelatives, withOtherHashes } from './relatives.ts';
import { holdsNumber } from './swapped-numbers.ts';
import { withWord } from './with-bytes.ts';

/** Packets of each word, and of what became of them, that are looked at; and of all. */
const LIMITS: SightingLimits = { each: 3, all: 150 };
const BITS = Array.from({ length: 16 }, (_, bit) => 1 << bit);
/** Words from all over that have to come to what the mask says: an odd step, so that they differ in all bits. */
const SCATTERED = Array.from({ length: 48 }, (_, index) => (index * 40_503) & 0xffff);

/** What decides: bits of the word that are as in this packet, or are not. */
interface Decision {
  readonly stimulus: Stimulus;
  readonly word: FlagWord;
  readonly mask: number;
  readonly isSame: IsSame;
}

export class SwappedMasks {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings = new FieldSightings<FlagWord>(LIMITS, flagWords, ({ name, at }) => `${name} ${at}`);

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void {
    this.#sightings.observe(world, input, report);
  }

  /** One for each word that the program takes apart so. */
  find(machine: Engine): Promise<Seen[]> {
    return this.#sightings.firstOfEach(
      this.#program,
      machine,
      ({ name }) => name,
      (runner, sighting) => this.#judge(runner, sighting),
    );
  }

  async #judge(
    runner: CaseRunner,
    { world, stimulus, place }: FieldSighting<FlagWord>,
  ): Promise<Seen | undefined> {
    for (const from of place.from) {
      const value = from === 'own' ? read16(stimulus.packet, place.at) : 0;
      const start = withWord(stimulus, place.at, value);
      for (const isSame of BY_FATE_THEN_MAPS) {
        const mask = await misreadMask(runner, world, start, place, isSame);
        if (mask === undefined) continue;
        const seen = await this.#show(runner, world, { stimulus: start, word: place, mask, isSame });
        if (seen !== undefined) return seen;
      }
    }
    return undefined;
  }

  async #show(runner: CaseRunner, world: World, decision: Decision): Promise<Seen | undefined> {
    const { stimulus, word, mask } = decision;
    const holds = async (inside: World): Promise<boolean> =>
      (await heldBy(runner, inside, stimulus.packet, decision)) === 'same';
    if (!(await holds(world))) return undefined;
    const simple = await simplestWorld({ world, stimulus }, this.#isGiven, holds);
    // What user space states is in the order that it states it in.
    if (!this.#isGiven && holdsNumber(simple, mask)) return undefined;
    for (const around of withOtherHashes(simple)) if (!(await holds(around))) return undefined;
    const look = (packet: Uint8Array): Promise<Held> => heldBy(runner, simple, packet, decision);
    if (!(await holdsOfRelatives(stimulus.packet, { at: word.at, size: 2 }, look))) return undefined;
    const meant = swapped(mask);
    const value = read16(stimulus.packet, word.at);
    // A bit that decides, and is none of those that are meant.
    const misread = withWord(stimulus, word.at, value ^ lowestOf(mask & ~meant));
    const got = await runner.outcome(simple, misread);
    const usual = await runner.outcome(simple, stimulus);
    if (got === undefined || usual === undefined) return undefined;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const source = await partingLine(this.#program, simple, misread, stimulus);
    const shown = hex(read16(misread.packet, word.at));
    const isUnsure = word.unsure?.includes(meant) === true;
    return {
      world: simple,
      stimuli: [misread],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      ...(isUnsure ? { severity: 'warning' } : {}),
      breach: {
        invariant: 'number/compared',
        at: word.at,
        size: 0,
        expected: `mask ${hex(meant)}`,
        got: `mask ${hex(mask)}`,
        sentence: `for ${word.name} ${shown} the program ${insteadOf(hook, got, usual)}, and the bits of ${hex(mask)} decide, which is ${hex(meant)} with its two bytes swapped: the mask lacks \`bpf_htons\``,
      },
    };
  }
}

/** The bits that decide, where they are those of a known mask in the wrong order, and of none in the right one. */
async function misreadMask(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  word: FlagWord,
  isSame: IsSame,
): Promise<number | undefined> {
  const start = await fateOf(runner, world, stimulus);
  if (start === undefined) return undefined;
  const value = read16(stimulus.packet, word.at);
  let mask = 0;
  for (const bit of BITS) {
    const turned = await fateOf(runner, world, withWord(stimulus, word.at, value ^ bit));
    if (turned === undefined) return undefined;
    if (!isSame(turned, start)) mask |= bit;
  }
  return word.masks.includes(swapped(mask)) && !word.masks.includes(mask) ? mask : undefined;
}

/** Do the bits of the mask, and no others, decide on a packet? */
async function heldBy(
  runner: CaseRunner,
  world: World,
  packet: Uint8Array,
  { stimulus, word, mask, isSame }: Decision,
): Promise<Held> {
  const own = read16(stimulus.packet, word.at);
  const [as, other]: Fate[][] = [[], []];
  for (const value of [own, ...BITS.map((bit) => own ^ bit), ...SCATTERED]) {
    const fate = await fateOf(runner, world, withWord({ ...stimulus, packet }, word.at, value));
    if (fate === undefined) return 'otherwise';
    (((value ^ own) & mask) === 0 ? as : other)!.push(fate);
  }
  return heldOf(as!, other!, isSame);
}

function lowestOf(bits: number): number {
  return bits & -bits;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
