/**
 * What mutants are tested on: cases with the outcomes that they should have, made once and shared by all mutants. A case
 * names the instructions that the unchanged program runs in it: a mutant of any other does in it what the program does.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import type { Coverage, Engine, Session } from '../../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import { hintsOf, type NamedWorld, type Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { copyPacket } from '../accepted.ts';
import { ALL_BATCHES, BATCH_SIZE, planBatches, worldsOf } from '../batch-plan.ts';
import { comparedParts, firstDifference } from '../compare.ts';
import { firstMapDifference } from '../compare-maps.ts';
import type { Guidance } from '../guide/guide.ts';
import { guidedCases } from '../guide/guided-run.ts';
import { GuidedSource, guidedWorlds } from '../guide/guided-source.ts';
import { linesCount } from '../trace-lines.ts';
import { worldKey } from '../world-key.ts';

export interface MutantCase {
  readonly world: World;
  readonly input: PacketBatch;
  readonly expected: OutcomeBatch;
  readonly maps: readonly MapSnapshot[];
  /** By function: how often each instruction ran. */
  readonly ran: ReadonlyMap<string, Float64Array>;
}

/** What the cases are made of. */
export interface MutantTests {
  readonly seed: string;
  /** Generated packets at the most; may be infinite. */
  readonly runs: number;
  readonly saved: readonly SavedCase[];
  readonly worlds?: readonly NamedWorld[];
  readonly guidance?: Guidance | undefined;
}

/** Sessions that stay open: worlds beyond are opened again when their turn comes. */
const MAX_SESSIONS = 8;
/** Leaving packets out may bring others to a stop, as state goes. */
const MAX_STOP_ROUNDS = 3;
/** Batches of the first chunk, which most mutants do not outlive, and of those that follow. */
const FIRST_CHUNK = 10;
const CHUNK = 32;
/** Saved cases of a chunk. */
const SAVED_CHUNK = 64;

/** The unchanged program does not do what its model says: which mutants the model notices means nothing then. */
export class UnchangedDiffersError extends Error {}

/** Sessions of one engine, by world. */
export class Sessions {
  readonly #engine: Engine;
  readonly #program: Program;
  readonly #open = new Map<string, Session>();

  constructor(engine: Engine, program: Program) {
    this.#engine = engine;
    this.#program = program;
  }

  /** A session in the world's state. */
  async of(world: World): Promise<Session> {
    const key = worldKey(world);
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, known);
      await known.reset();
      return known;
    }
    if (this.#open.size >= MAX_SESSIONS) {
      const [oldest, session] = this.#open.entries().next().value!;
      this.#open.delete(oldest);
      await session.close();
    }
    const session = await this.#engine.open(this.#program, world);
    this.#open.set(key, session);
    return session;
  }

  async close(): Promise<void> {
    for (const session of this.#open.values()) await session.close();
    this.#open.clear();
  }
}

export class MutantCases {
  readonly #program: Program;
  readonly #reference: Engine;
  readonly #machine: Engine;
  readonly #expected: Sessions;
  readonly #unchanged: Sessions;

  /**
   * @param reference says what should come of a packet: the model, or the machine itself
   * @param machine runs the unchanged program
   */
  constructor(program: Program, reference: Engine, machine: Engine) {
    this.#program = program;
    this.#reference = reference;
    this.#machine = machine;
    this.#expected = new Sessions(reference, program);
    this.#unchanged = new Sessions(machine, program);
  }

  /**
   * Generated packets first, in few worlds; then guided and saved cases, each in the world that it brings.
   * @throws {UnchangedDiffersError}
   */
  async *chunks(tests: MutantTests): AsyncGenerator<readonly MutantCase[], void, undefined> {
    const first = Math.min(tests.runs, FIRST_CHUNK * BATCH_SIZE);
    yield* this.#generated(tests, 0, FIRST_CHUNK);
    const guided = tests.guidance === undefined ? [] : [...guidedCases(this.#program, tests.guidance)];
    yield* this.#saved([...guided, ...tests.saved]);
    if (tests.runs > first) yield* this.#generated(tests, FIRST_CHUNK, Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    await this.#expected.close();
    await this.#unchanged.close();
  }

  async *#generated(
    { seed, runs, guidance, worlds = worldsOf(this.#program) }: MutantTests,
    from: number,
    to: number,
  ): AsyncGenerator<readonly MutantCase[], void, undefined> {
    const program = this.#program;
    const hooks = program.entries.map(({ hook }) => hook);
    const generator = new PacketGenerator(guidance?.hints ?? hintsOf(program), hooks);
    const source = guidance === undefined ? generator : new GuidedSource(generator, program, guidance);
    const all = guidance === undefined ? worlds : guidedWorlds(worlds, guidance);
    const number = seedFromText(seed);
    let chunk: MutantCase[] = [];
    for (const plan of planBatches(program, runs, { ...ALL_BATCHES, from, to }, BATCH_SIZE, all)) {
      const input = new PacketBatch(plan.count);
      source.fill(input, number, plan.first, plan.count, plan.limits, plan.world.world);
      const one = await this.#case(plan.world.world, input);
      if (one !== undefined) chunk.push(one);
      if (chunk.length < CHUNK) continue;
      yield chunk;
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  }

  /** Those of one world follow each other, so that it is opened once. */
  async *#saved(saved: readonly SavedCase[]): AsyncGenerator<readonly MutantCase[], void, undefined> {
    const byWorld = new Map<string, SavedCase[]>();
    for (const one of saved) {
      const key = worldKey(one.case.world);
      byWorld.set(key, [...(byWorld.get(key) ?? []), one]);
    }
    let chunk: MutantCase[] = [];
    for (const cases of byWorld.values()) {
      const { world } = cases[0]!.case;
      for (const { case: one } of cases) {
        const input = new PacketBatch(one.stimuli.length);
        for (const stimulus of one.stimuli) input.push(stimulus);
        const made = await this.#case(world, input);
        if (made !== undefined) chunk.push(made);
        if (chunk.length < SAVED_CHUNK) continue;
        yield chunk;
        chunk = [];
      }
    }
    if (chunk.length > 0) yield chunk;
  }

  /** @returns undefined where no packet is left that both run to its end */
  async #case(world: World, packets: PacketBatch): Promise<MutantCase | undefined> {
    let input = this.#taken(packets);
    for (let round = 0; round <= MAX_STOP_ROUNDS && input.count > 0; round++) {
      const got = new OutcomeBatch(input.count);
      const unchanged = await this.#unchanged.of(world);
      unchanged.clearCoverage?.();
      await unchanged.run(input, got);
      const maps = unchanged.maps();
      let [expected, expectedMaps] = [got, maps];
      if (this.#reference !== this.#machine) {
        expected = new OutcomeBatch(input.count);
        const session = await this.#expected.of(world);
        await session.run(input, expected);
        expectedMaps = session.maps();
      }
      const left = withoutStops(input, expected, got);
      if (left.count < input.count) {
        input = left;
        continue;
      }
      const one = { world, input, expected, maps: expectedMaps, ran: ranIn(unchanged.coverage?.()) };
      if (differs(this.#program, this.#reference, this.#machine, one, got, maps))
        throw new UnchangedDiffersError(`${this.#program.name} differs from its model`);
      return one;
    }
    return undefined;
  }

  #taken(packets: PacketBatch): PacketBatch {
    const engines = [this.#reference, this.#machine];
    if (engines.every((engine) => engine.refuses(this.#program, packets) === undefined)) return packets;
    const taken = new PacketBatch(packets.count, packets.used);
    const single = new PacketBatch(1, 4096);
    for (let index = 0; index < packets.count; index++) {
      single.clear();
      copyPacket(packets, index, single);
      if (engines.every((engine) => engine.refuses(this.#program, single) === undefined))
        copyPacket(packets, index, taken);
    }
    return taken;
  }
}

/** Does an engine do on a case anything but what is expected? */
export function differs(
  program: Program,
  reference: Engine,
  engine: Engine,
  { input, expected, maps }: MutantCase,
  got: OutcomeBatch,
  gotMaps: readonly MapSnapshot[],
): boolean {
  const hooks = program.entries.map(({ hook }) => hook);
  const lines = linesCount(program, expected);
  const observed = comparedParts(program, reference.observes, engine.observes, lines);
  if (firstDifference(expected, got, observed, hooks, input.entry) !== undefined) return true;
  if (program.definition?.maps.length === 0) return false;
  return firstMapDifference(maps, gotMaps, program.definition?.maps) !== undefined;
}

function withoutStops(input: PacketBatch, a: OutcomeBatch, b: OutcomeBatch): PacketBatch {
  let stops = 0;
  for (let packet = 0; packet < input.count; packet++) if (isStopped(a, b, packet)) stops++;
  if (stops === 0) return input;
  const left = new PacketBatch(input.count, input.used);
  for (let packet = 0; packet < input.count; packet++)
    if (!isStopped(a, b, packet)) copyPacket(input, packet, left);
  return left;
}

function isStopped(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  return a.status[packet] !== STATUS.ran || b.status[packet] !== STATUS.ran;
}

function ranIn(coverage: Coverage | undefined): ReadonlyMap<string, Float64Array> {
  const ran = new Map<string, Float64Array>();
  for (const { function: name, instructions } of coverage?.functions ?? []) {
    const known = ran.get(name);
    // One program may run as several: by itself, and behind another's tail call.
    ran.set(name, known === undefined ? instructions : instructions.map((times, at) => times + known[at]!));
  }
  return ran;
}
