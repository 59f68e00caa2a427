/**
 * Does a program look for data, or write it, where no data is, since it takes the header in front for as long as a header without
 * options? What it does with a packet then hangs on bytes of the options, and not on the data that they have moved.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { insteadOf } from '../instead.ts';
import { type Fate, fateOf, isSameWithMaps } from './fate.ts';
import { changedData, type MovableData, type MovedData, movableData } from './moved-payload.ts';
import { CaseRunner, hasContents, partingLine, type Seen, type Sighting, simplestWorld } from './probe.ts';
import { partsRelatives } from './relatives.ts';

/** Packets that are tried. */
const MAX_TRIED = 400;

type MakeData = (data: Uint8Array) => Uint8Array;

/** Data that is put in place of a packet's own. */
const OTHERS: readonly MakeData[] = [
  (data) => new Uint8Array(data.length),
  (data) => data.map((byte) => ~byte),
  (data) => data.map((_, at) => 0x80 + at * 37),
  (data) => data.map(() => 0x20),
  (data) => data.map(() => 0x55),
];

interface Movable {
  readonly sighting: Sighting;
  readonly movable: MovableData;
}

export class PayloadPlaces {
  readonly #program: Program;
  readonly #isGiven: boolean;

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  /**
   * One for each kind of options that are overlooked.
   * @param but kinds of which more is known: ports are looked for in them, too
   */
  async find(machine: Engine, sightings: readonly Sighting[], but: ReadonlySet<string>): Promise<Seen[]> {
    const runner = new CaseRunner(this.#program, machine);
    const found = new Map<string, Seen>();
    try {
      for (const { sighting, movable } of this.#movable(sightings)) {
        for (const way of movable.ways) {
          const known = `${sighting.stimulus.entry ?? 0} ${way.name}`;
          if (but.has(way.name) || found.has(known)) continue;
          const seen = await this.#try(runner, sighting, movable.data, way);
          if (seen !== undefined) found.set(known, seen);
        }
      }
    } finally {
      await runner.close();
    }
    return [...found.values()];
  }

  /** Those whose data options can move, once each. */
  #movable(sightings: readonly Sighting[]): Movable[] {
    const known = new Map<string, Movable>();
    for (const sighting of sightings) {
      const { packet, entry = 0 } = sighting.stimulus;
      const kind = `${entry} ${hasContents(sighting.world)}`;
      for (const movable of movableData(packet)) {
        if (known.size >= MAX_TRIED) return [...known.values()];
        const id = `${kind} ${Buffer.from(movable.ways[0]!.plain(movable.data)).toString('latin1')}`;
        if (!known.has(id)) known.set(id, { sighting, movable });
      }
    }
    return [...known.values()];
  }

  async #try(
    runner: CaseRunner,
    { world, stimulus }: Sighting,
    data: Uint8Array,
    way: MovedData,
  ): Promise<Seen | undefined> {
    const trial = new Trial(runner, stimulus, data, way);
    if (await trial.isWritten(world)) {
      const simple = await simplestWorld({ world, stimulus }, this.#isGiven, (one) => trial.isWritten(one));
      return this.#written(runner, simple, trial);
    }
    const other = await trial.decides(world);
    if (other === undefined) return undefined;
    const simple = await simplestWorld(
      { world, stimulus },
      this.#isGiven,
      async (one) => (await trial.decides(one)) === other,
    );
    return this.#decided(runner, simple, trial, other(data));
  }

  async #written(
    runner: CaseRunner,
    world: World,
    { stimulus, way, data }: Trial,
  ): Promise<Seen | undefined> {
    const one = { ...stimulus, packet: way.disguised(data) };
    const got = await runner.outcome(world, one);
    if (got === undefined) return undefined;
    const [at] = changedData(one.packet, got.packet, way.from);
    return {
      world,
      stimuli: [one],
      engine: runner.engine,
      got,
      severity: 'error',
      breach: {
        ...this.#breach(way, at ?? way.from),
        size: 1,
        sentence: `behind ${way.name} the data begins at byte ${way.to}, and the program wrote at byte ${at} as if it were there`,
      },
    };
  }

  async #decided(
    runner: CaseRunner,
    world: World,
    { stimulus, way, data }: Trial,
    otherData: Uint8Array,
  ): Promise<Seen | undefined> {
    const one = { ...stimulus, packet: way.disguised(data) };
    const other = { ...stimulus, packet: way.disguised(otherData) };
    const got = await runner.outcome(world, one);
    const before = await runner.outcome(world, other);
    if (got === undefined || before === undefined) return undefined;
    const source = await partingLine(this.#program, world, one, other);
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    return {
      world,
      stimuli: [one],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      breach: {
        ...this.#breach(way, way.from),
        size: 0,
        sentence: `behind ${way.name} the data begins at byte ${way.to}, but bytes from ${way.from} on decide, where data begins without options: the program ${insteadOf(hook, got, before)}`,
      },
    };
  }

  #breach(way: MovedData, at: number): { invariant: string; at: number; expected: string; got: string } {
    return {
      invariant: 'payload/misplaced',
      at,
      expected: `the data at byte ${way.to}`,
      got: `bytes at ${way.from}`,
    };
  }
}

/** One packet, and one kind of options. */
class Trial {
  readonly #runner: CaseRunner;
  readonly stimulus: Stimulus;
  readonly data: Uint8Array;
  readonly way: MovedData;
  /** Data that differs where options are that look like it: what is read behind them, or from the end of the frame, is data. */
  readonly #others: readonly MakeData[];

  constructor(runner: CaseRunner, stimulus: Stimulus, data: Uint8Array, way: MovedData) {
    this.#runner = runner;
    this.stimulus = stimulus;
    this.data = data;
    this.way = way;
    const size = way.optionsEnd - way.from;
    this.#others = OTHERS.map((make) => (own) => {
      const other = own.slice();
      other.set(make(own).subarray(0, size));
      return other;
    });
  }

  /** Does it write into options what it writes into the data where there are none, and leave them to be options? */
  async isWritten(world: World): Promise<boolean> {
    const { data, way } = this;
    const came = way.plain(data);
    const left = (await this.#fate(world, came))?.outcome.packet;
    if (left === undefined) return false;
    const places = changedData(came, left, way.from).filter((at) => at < way.optionsEnd);
    if (places.length === 0) return false;
    const disguised = way.disguised(data);
    const wrong = (await this.#fate(world, disguised))?.outcome.packet;
    if (wrong === undefined || wrong.length !== disguised.length || !way.keeps(disguised, wrong))
      return false;
    return places.some((at) => wrong[at] !== disguised[at] && wrong[at] === left[at]);
  }

  /** @returns what makes the data that another outcome hangs on; undefined where none hangs on bytes of the options */
  async decides(world: World): Promise<MakeData | undefined> {
    const { data, way } = this;
    const own = await this.#fate(world, way.plain(data));
    if (own === undefined) return undefined;
    const deciding: { make: MakeData; fate: Fate }[] = [];
    for (const make of this.#others) {
      const fate = await this.#fate(world, way.plain(make(data)));
      if (fate !== undefined && !isSameWithMaps(fate, own)) deciding.push({ make, fate });
    }
    if (deciding.length === 0) return undefined;
    if (!(await this.#comesTo(world, way.disguised(data), own))) return undefined;
    for (const { make, fate } of deciding)
      if (!(await this.#isOverlooked(world, make(data), own, fate))) return undefined;
    const [{ make }] = deciding as [(typeof deciding)[0]];
    return (await this.#isOfPlace(world, make(data))) ? make : undefined;
  }

  /** Does the place decide, and not a hash of all the frame? */
  #isOfPlace(world: World, other: Uint8Array): Promise<boolean> {
    const { data, way } = this;
    const packets = [way.disguised(data), way.disguised(other)] as const;
    const kept = { at: way.from, size: packets[0].length - way.from };
    return partsRelatives(
      world,
      packets,
      kept,
      (inside, packet) => this.#fate(inside, packet),
      isSameWithMaps,
    );
  }

  /** Do bytes that are no data make the difference that data makes, which itself makes none where it truly lies? */
  async #isOverlooked(world: World, other: Uint8Array, own: Fate, fate: Fate): Promise<boolean> {
    const { data, way } = this;
    if (!(await this.#comesTo(world, way.disguised(other), fate))) return false;
    for (const moved of way.moved) {
      const isSeenBehind =
        (await this.#comesTo(world, moved(data), own)) && (await this.#comesTo(world, moved(other), fate));
      if (isSeenBehind) return false;
    }
    const truly = await this.#fate(world, way.bare(data));
    return truly !== undefined && (await this.#comesTo(world, way.bare(other), truly));
  }

  async #comesTo(world: World, packet: Uint8Array, wanted: Fate): Promise<boolean> {
    const fate = await this.#fate(world, packet);
    return fate !== undefined && isSameWithMaps(fate, wanted);
  }

  #fate(world: World, packet: Uint8Array): Promise<Fate | undefined> {
    return fateOf(this.#runner, world, { ...this.stimulus, packet });
  }
}
