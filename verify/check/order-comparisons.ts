/**
 * Does a program ask whether a length or a port is larger than something, or which VLAN a frame is of, and read the number in the
 * machine's byte order? One packet says nothing: so many numbers of the same packet run that what decides is sure to be a range of
 * numbers whose bytes are swapped, and none of numbers as they are; and packets that differ in other fields, since what two fields
 * decide together, as which port is the larger one, says nothing of the order either.
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
import { FieldSightings, type SightingLimits } from './field-sightings.ts';
import {
  isIn,
  isOfLowerByte,
  misreadRange,
  type Range,
  rangeText,
  tellingNumbers,
} from './misread-ranges.ts';
import { misreadAt, type NumberField, type NumberKind, numberFields, sizeOf } from './number-domains.ts';
import { type CaseRunner, lastPartingLine, type Seen, type Sighting, simplestWorld } from './probe.ts';
import { type Held, heldOf, holdsOfRelatives } from './relatives.ts';
import { holdsNumber } from './swapped-numbers.ts';
import { withWord } from './with-bytes.ts';

/** Packets of each field, of numbers of about one size, and of what became of them, that are looked at. */
const LIMITS: SightingLimits = { each: 2, all: 600 };

const INVARIANTS: Readonly<Record<NumberKind, string>> = {
  length: 'length/compared',
  port: 'port/compared',
  vlan: 'vlan/compared',
  window: 'number/compared',
};

interface Place extends Sighting {
  readonly field: NumberField;
}

export class OrderComparisons {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings = new FieldSightings<NumberField>(
    LIMITS,
    numberFields,
    (field, frame) => `${field.name} ${32 - Math.clz32(misreadAt(frame, field))}`,
  );

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void {
    this.#sightings.observe(world, input, report);
  }

  /** One for each field. */
  find(machine: Engine): Promise<Seen[]> {
    return this.#sightings.firstOfEach(
      this.#program,
      machine,
      ({ name }) => name,
      (runner, { place: field, ...sighting }) => this.#judge(runner, { ...sighting, field }),
    );
  }

  async #judge(runner: CaseRunner, place: Place): Promise<Seen | undefined> {
    for (const isSame of BY_FATE_THEN_MAPS) {
      const range = await rangeOf(runner, place, isSame);
      if (range === undefined) continue;
      const simple = await this.#inSimplestWorld(runner, place, range, isSame);
      return simple === undefined ? undefined : await this.#show(runner, simple, range);
    }
    return undefined;
  }

  /** What user space states is in the order that it states it in. */
  async #inSimplestWorld(
    runner: CaseRunner,
    place: Place,
    range: Range,
    isSame: IsSame,
  ): Promise<Place | undefined> {
    const holds = async (world: World): Promise<boolean> =>
      (await heldBy(runner, { ...place, world }, place.stimulus.packet, range, isSame)) === 'same';
    const world = await simplestWorld(place, this.#isGiven, holds);
    const ends = endsOf(range, sizeOf(place.field.bits));
    if (!this.#isGiven && ends.some((end) => holdsNumber(world, end))) return undefined;
    const simple = { ...place, world };
    const kept = { at: place.field.at, size: 2 };
    const look = (packet: Uint8Array): Promise<Held> => heldBy(runner, simple, packet, range, isSame);
    return (await holdsOfRelatives(place.stimulus.packet, kept, look)) ? simple : undefined;
  }

  async #show(runner: CaseRunner, place: Place, range: Range): Promise<Seen | undefined> {
    const { world, field, stimulus } = place;
    const [inside, outside] = shownOf(range, sizeOf(field.bits)).map((one) => withMisread(place, one));
    if (inside === undefined || outside === undefined) return undefined;
    const got = await runner.outcome(world, inside);
    const usual = await runner.outcome(world, outside);
    if (got === undefined || usual === undefined) return undefined;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const others = beyondBoth(range, sizeOf(field.bits)).map((one) => withMisread(place, one));
    const source = await lastPartingLine(this.#program, world, inside, [outside, ...others]);
    const text = rangeText(range, sizeOf(field.bits));
    const number = meantBy(inside.packet, field);
    // Whoever asks for the lower byte of lengths, to take one packet of many, does the same.
    const isUnsure = isOfLowerByte(range, sizeOf(field.bits));
    const why = `${isUnsure ? 'as it seems, ' : ''}it takes the number as it lies in the packet`;
    return {
      world,
      stimuli: [inside],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      ...(isUnsure ? { severity: 'warning' } : {}),
      breach: {
        invariant: INVARIANTS[field.kind],
        at: field.at,
        size: 0,
        expected: `${field.name} ${text}`,
        got: `${field.name} ${number}`,
        sentence: `for ${field.name} ${number} the program ${insteadOf(hook, got, usual)}, as for every one that is ${text} once its two bytes are swapped (${misreadAt(inside.packet, field)} here): ${why}, without \`bpf_ntohs\``,
      },
    };
  }
}

async function rangeOf(runner: CaseRunner, place: Place, isSame: IsSame): Promise<Range | undefined> {
  const { field, stimulus } = place;
  const own = misreadAt(stimulus.packet, field);
  const first = await fateWith(runner, place, own);
  if (first === undefined) return undefined;
  let other: Fate | undefined;
  // Beyond the range all come to one thing: more than two kinds are no matter of a range.
  const alike = async (misread: number): Promise<boolean | undefined> => {
    const verdicts = new Set<boolean>();
    for (const one of uncounted(place, misread)) {
      const fate = await fateWith(runner, place, one);
      if (fate === undefined) return undefined;
      const is = isSame(fate, first);
      if (!is) other ??= fate;
      if (!is && !isSame(fate, other!)) return undefined;
      verdicts.add(is);
    }
    return verdicts.size === 1 ? verdicts.has(true) : undefined;
  };
  return await misreadRange(own, sizeOf(field.bits), field.kind, alike);
}

/** Does a packet with other fields tell the same numbers apart? */
async function heldBy(
  runner: CaseRunner,
  { field, world, stimulus }: Place,
  packet: Uint8Array,
  range: Range,
  isSame: IsSame,
): Promise<Held> {
  const [within, beyond]: Fate[][] = [[], []];
  const place = { field, world, stimulus: { ...stimulus, packet } };
  for (const misread of tellingNumbers(range, sizeOf(field.bits))) {
    const fate = await fateWith(runner, place, misread);
    if (fate === undefined) return 'otherwise';
    (isIn(range, misread) ? within : beyond)!.push(fate);
  }
  return heldOf(within!, beyond!, isSame);
}

/** What a map would hold where it says which numbers these are. */
function endsOf({ low, high }: Range, size: number): number[] {
  return [low - 1, low, high, high + 1].filter((end) => end > 0 && end < size - 1);
}

/** What is in the range once it is misread and not as it is meant, and the other way round: all 16 bits, misread. */
function shownOf(range: Range, size: number): readonly [number, number] | [] {
  const isMisread = (one: number): boolean => isIn(range, one & (size - 1));
  const isMeant = (one: number): boolean => isIn(range, swapped(one) & (size - 1));
  const inside = firstOf((one) => isMisread(one) && !isMeant(one));
  const outside = firstOf((one) => !isMisread(one) && isMeant(one));
  return inside === undefined || outside === undefined ? [] : [inside, outside];
}

/** Some that are in the range neither as they are meant nor misread: a comparison of the number as it is meant does not tell them apart. */
function beyondBoth(range: Range, size: number): number[] {
  return tellingNumbers(range, size).filter(
    (one) => !isIn(range, one & (size - 1)) && !isIn(range, swapped(one) & (size - 1)),
  );
}

function firstOf(holds: (number: number) => boolean): number | undefined {
  for (let number = 0; number <= 0xffff; number++) if (holds(number)) return number;
  return undefined;
}

function meantBy(packet: Uint8Array, { at, bits }: NumberField): number {
  return read16(packet, at) & (sizeOf(bits) - 1);
}

/** A number, once for each of some values of the bits that do not count in it. */
function uncounted(place: Place, misread: number): number[] {
  const rests = place.field.bits === 16 ? [0] : [0x0, 0x5, 0xf];
  return rests.map((rest) => misread | (rest << 12));
}

/** What the packet comes to with a number. */
function fateWith(runner: CaseRunner, place: Place, misread: number): Promise<Fate | undefined> {
  return fateOf(runner, place.world, withMisread(place, misread), [misread & 0xff, misread >> 8]);
}

/** The same packet with another number there, its checksums right. */
function withMisread({ field, stimulus }: Place, misread: number): Stimulus {
  return withWord(stimulus, field.at, swapped(misread));
}
