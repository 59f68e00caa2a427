/**
 * The spine: cases go through every engine, outcomes are compared, and what differs is saved, shrunk and kept.
 *
 *     corpus fills a PacketBatch ─► each engine's run fills an OutcomeBatch ─► compare ─► (agree: next batch)
 *                                                                                   └► save ─► shrink ─► explain
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Case, SavedCase } from '../corpus/case.ts';
import { PacketGenerator } from '../corpus/generator.ts';
import type { LimitsByHook } from '../corpus/packet-limits.ts';
import { type Seed, seedFromText } from '../corpus/random.ts';
import type { Engine, EngineName } from '../sim/engines/engine.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { acceptedPackets } from './accepted.ts';
import { BATCH_SIZE, type BatchPlan, type BatchRange, planBatches } from './batch-plan.ts';
import { mergeCoverage, summarizeCoverage } from './coverage-summary.ts';
import { EngineSide } from './engine-side.ts';
import { examine } from './examine.ts';
import { summarize } from './explain/summary.ts';
import { type Finding, kindOf } from './finding.ts';
import { Ledger } from './ledger.ts';
import type { Divergence, EngineReport, ProgramReport } from './report.ts';
import { type ShrinkOptions, shrink } from './shrink.ts';
import { testify } from './witness.ts';

/** What fills batches; `PacketGenerator` does. */
export interface PacketSource {
  fill(batch: PacketBatch, seed: Seed, firstIndex: number, count: number, limits: LimitsByHook): void;
}

export interface VerifyOptions {
  readonly program: Program;
  /** In any order. Those that cannot run here are reported as skipped. */
  readonly engines: readonly Engine[];
  readonly seed: string;
  /** Replayed before anything is generated. */
  readonly cases?: Iterable<SavedCase> | AsyncIterable<SavedCase>;
  /** How many packets are generated; default 20 000, or without end where `seconds` is given. */
  readonly runs?: number;
  /** After how long to stop. */
  readonly seconds?: number;
  /** Which batches of the run: a worker's share. Default: all. */
  readonly range?: BatchRange;
  readonly batchSize?: number;
  /** Default: the generator with the program's hints. */
  readonly source?: PacketSource;
  /** Worlds of generated packets; default: those of the program's definition. */
  readonly worlds?: readonly NamedWorld[];
  /** Is asked about every divergence that it has no part in: the interpreter. */
  readonly witness?: Engine;
  /** After how many divergences to stop; default 1. */
  readonly maxDivergences?: number;
  /** How to shrink, or false: not at all. */
  readonly shrink?: Omit<ShrinkOptions, 'signal' | 'onSmaller'> | false;
  /** Ends the run early; the report is complete for what was done. */
  readonly signal?: AbortSignal;
  /**
   * Saves a divergence, at once when it is found and again whenever it got smaller (`file` then says where it is).
   * @returns the file
   */
  readonly save?: (divergence: Divergence) => Promise<string>;
  /** Called a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly program: string;
  readonly packets: number;
  /** How many there will be; infinite where time decides. */
  readonly total: number;
  readonly seconds: number;
  readonly divergences: number;
  /** Is a divergence being shrunk? */
  readonly shrinking: boolean;
}

const PROGRESS_EVERY_MS = 200;
/** Timers, signals and progress lines get a turn this often: engines that never wait would starve them. */
const TURN_EVERY_MS = 25;
const SAVE_EVERY_MS = 250;
const DEFAULT_RUNS = 20_000;

/** Holds the engines against each other on the saved cases, then on generated ones. */
export async function verify(options: VerifyOptions): Promise<ProgramReport> {
  const run = new Run(options);
  try {
    for await (const saved of options.cases ?? []) {
      if (run.isOver()) break;
      await run.replay(saved);
    }
    for (const plan of run.plans()) {
      if (run.isOver()) break;
      await run.generated(plan);
    }
  } finally {
    await run.close();
  }
  return run.report();
}

/** The program's examples as cases: one each, since what came before would have a part in what they show. */
export function exampleCases(program: Program): SavedCase[] {
  const definition = program.definition;
  if (definition === undefined) return [];
  return definition.examples.map((example) => ({
    path: `example: ${example.name}`,
    case: {
      program: program.name,
      world:
        (definition.worlds.find((world) => world.name === example.world) ?? definition.worlds[0])?.world ??
        {},
      stimuli: [example.stimulus],
    },
  }));
}

/** A model says what should be; after it, the interpreter judges; the rest only show what they do. */
const RANK: readonly EngineName[] = ['model', 'vm', 'wasm', 'testrun', 'veth'];

/** Where packet `index` of a batch comes from. */
type SeenAt = (index: number) => Divergence['seen'];

class Run {
  readonly #options: VerifyOptions;
  readonly #program: Program;
  readonly #sides: EngineSide[] = [];
  readonly #skipped: EngineReport[] = [];
  readonly #ledger: Ledger;
  readonly #seed: Seed;
  readonly #source: PacketSource;
  readonly #start: number = performance.now();
  readonly #total: number;
  readonly #divergences: Divergence[] = [];
  readonly #kinds = new Set<string>();
  #input: PacketBatch;
  #lastTurn: number = this.#start;
  #lastProgress: number = this.#start;
  #interrupted = false;

  constructor(options: VerifyOptions) {
    const { program } = options;
    this.#options = options;
    this.#program = program;
    this.#ledger = new Ledger(program);
    this.#seed = seedFromText(options.seed);
    this.#source =
      options.source ??
      new PacketGenerator(
        program.definition?.hints,
        program.entries.map((entry) => entry.hook),
      );
    this.#total = options.runs ?? (options.seconds === undefined ? DEFAULT_RUNS : Number.POSITIVE_INFINITY);
    const size = options.batchSize ?? BATCH_SIZE;
    this.#input = new PacketBatch(size);
    const ranked = [...options.engines].sort((a, b) => RANK.indexOf(a.name) - RANK.indexOf(b.name));
    for (const engine of ranked) {
      const availability = engine.availability(program);
      if (availability.available) this.#sides.push(new EngineSide(engine, program, size));
      else {
        const { reason, remedy } = availability;
        this.#skipped.push({ name: engine.name, status: 'skipped', reason, remedy, packets: 0, seconds: 0 });
      }
    }
  }

  plans(): Iterable<BatchPlan> {
    const { range, batchSize, worlds } = this.#options;
    return planBatches(this.#program, this.#total, range, batchSize, worlds);
  }

  isOver(): boolean {
    const { seconds, signal, maxDivergences = 1 } = this.#options;
    if (signal?.aborted === true) {
      this.#interrupted = true;
      return true;
    }
    return (
      this.#divergences.length >= maxDivergences ||
      (seconds !== undefined && this.#seconds() >= seconds) ||
      this.#sides.every((side) => side.failure !== undefined)
    );
  }

  async generated(plan: BatchPlan): Promise<void> {
    this.#input.clear();
    this.#source.fill(this.#input, this.#seed, plan.first, plan.count, plan.limits);
    await this.#hold(plan.world.world, (packet) => ({
      seed: this.#options.seed,
      packet: plan.first + packet,
    }));
  }

  async replay(saved: SavedCase): Promise<void> {
    const { stimuli, world } = saved.case;
    if (stimuli.length > this.#input.capacity) this.#input = new PacketBatch(stimuli.length);
    this.#input.clear();
    for (const stimulus of stimuli) this.#input.push(stimulus);
    await this.#hold(world, () => ({ file: saved.path }), saved);
  }

  /**
   * One case: every engine runs it, the outcomes are compared, and new kinds of divergences are kept. An engine that
   * refuses some of the packets is held against the reference on the others: a case of its own, as state goes.
   */
  async #hold(world: World, seen: SeenAt, saved?: SavedCase): Promise<void> {
    this.#ledger.enterCase(this.#input, saved !== undefined);
    let input = this.#input;
    let seenAt = seen;
    let takers = this.#sides.filter((side) => side.takes(input));
    const reference = this.#sides.find((side) => side.failure === undefined);
    if (takers.length === 0 && reference !== undefined) {
      // Nobody takes it whole: what the reference takes is the case.
      const { batch, origin } = acceptedPackets(input, reference);
      input = batch;
      seenAt = (packet) => seen(origin[packet]!);
      takers = this.#sides.filter((side) => side.takes(batch));
    }
    if (input.count > 0) await this.#compare(world, input, takers, seenAt, saved);
    const picky = this.#sides.filter((side) => side.failure === undefined && !takers.includes(side));
    for (const side of picky) {
      if (this.isOver()) break;
      const { batch, origin } = acceptedPackets(input, side);
      if (batch.count === 0) continue;
      const pair = this.#sides.filter((other) => other === takers[0] || other === side);
      await this.#compare(world, batch, pair, (packet) => seenAt(origin[packet]!), saved, takers[0]);
    }
    await this.#breathe();
  }

  /** @param again the engine that has run these packets before, if any */
  async #compare(
    world: World,
    input: PacketBatch,
    sides: readonly EngineSide[],
    seen: SeenAt,
    saved?: SavedCase,
    again?: EngineSide,
  ): Promise<void> {
    const showings: EngineSide[] = [];
    for (const side of sides) if (await side.run(world, input, side === again)) showings.push(side);
    this.#ledger.enterShowings(input, showings, again !== undefined && showings[0] === again);
    for (const finding of examine(this.#program, input, showings)) {
      if (this.#kinds.has(kindOf(finding))) continue;
      this.#kinds.add(kindOf(finding));
      await this.#keep(finding, this.#caseOf(finding, world, input), seen(finding.packet), saved);
      if (this.isOver()) break;
    }
  }

  /** The sequence up to the packet that shows it: a program's state may have a part in it. */
  #caseOf(finding: Finding, world: World, input: PacketBatch): Case {
    const stimuli = Array.from({ length: finding.packet + 1 }, (_, index) => input.stimulus(index));
    return { program: this.#program.name, world, stimuli };
  }

  /** Saves the divergence before anything else is done, then makes it small and saves it again. */
  async #keep(
    finding: Finding,
    found: Case,
    seen: Divergence['seen'],
    saved: SavedCase | undefined,
  ): Promise<void> {
    const at = this.#divergences.length;
    // A case with a note is a divergence of an earlier run, small already and in its file.
    const again = saved?.case.note !== undefined ? saved : undefined;
    const state = again === undefined ? 'found' : 'saved';
    this.#divergences.push(this.#divergence(finding, found, seen, state, again?.path));
    if (again !== undefined) return this.#askWitness(at);
    await this.#save(at);
    if (this.#options.shrink === false) return this.#askWitness(at);
    const engines = this.#sides
      .map((side) => side.engine)
      .filter((engine) => finding.engines.includes(engine.name));
    let lastSave = performance.now();
    const shrunk = await shrink(
      { program: this.#program, engines, case: found, finding },
      {
        ...this.#options.shrink,
        ...(this.#options.signal === undefined ? {} : { signal: this.#options.signal }),
        onSmaller: async (smaller, shown) => {
          this.#progress(true);
          if (performance.now() - lastSave < SAVE_EVERY_MS) return;
          lastSave = performance.now();
          const { file } = this.#divergences[at]!;
          this.#divergences[at] = this.#divergence(shown, smaller, seen, 'found', file);
          await this.#save(at);
        },
      },
    );
    const { file } = this.#divergences[at]!;
    this.#divergences[at] = this.#divergence(shrunk.finding, shrunk.case, seen, shrunk.state, file);
    await this.#save(at);
    await this.#askWitness(at);
  }

  async #askWitness(at: number): Promise<void> {
    const { witness } = this.#options;
    const divergence = this.#divergences[at]!;
    const { engines, case: shown, finding } = divergence;
    if (witness === undefined || engines.includes(witness.name)) return;
    const outcome = await testify(witness, this.#program, shown, finding.packet);
    if (outcome !== undefined) this.#divergences[at] = { ...divergence, witness: outcome };
  }

  #divergence(
    finding: Finding,
    shown: Case,
    seen: Divergence['seen'],
    state: Divergence['state'],
    file: string | undefined,
  ): Divergence {
    const { engines, part, field, severity = 'error' } = finding;
    const summary = summarize(this.#program, shown, finding);
    const note = { seed: this.#options.seed, engines, field, summary };
    return {
      program: this.#program.name,
      engines,
      part,
      field,
      severity,
      summary,
      case: { ...shown, note },
      finding,
      seen,
      state,
      ...(file === undefined ? {} : { file }),
    };
  }

  async #save(at: number): Promise<void> {
    const file = await this.#options.save?.(this.#divergences[at]!);
    if (file !== undefined) this.#divergences[at] = { ...this.#divergences[at]!, file };
  }

  async #breathe(): Promise<void> {
    this.#progress(false);
    if (performance.now() - this.#lastTurn < TURN_EVERY_MS) return;
    await nextTurn();
    this.#lastTurn = performance.now();
  }

  #progress(shrinking: boolean): void {
    const now = performance.now();
    if (now - this.#lastProgress < PROGRESS_EVERY_MS) return;
    this.#lastProgress = now;
    this.#options.onProgress?.({
      program: this.#program.name,
      packets: this.#ledger.packets,
      total: this.#total,
      seconds: this.#seconds(),
      divergences: this.#divergences.length,
      shrinking,
    });
  }

  #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  async close(): Promise<void> {
    for (const side of this.#sides) await side.close();
  }

  report(): ProgramReport {
    for (const side of this.#sides) this.#ledger.refused(side.engine, side.refused);
    const coverage = mergeCoverage(this.#sides.flatMap((side) => side.coverages()));
    return {
      name: this.#program.name,
      packets: this.#ledger.packets,
      savedPackets: this.#ledger.savedPackets,
      savedCases: this.#ledger.savedCases,
      seconds: this.#seconds(),
      interrupted: this.#interrupted,
      engines: [...this.#sides.map(engineReport), ...this.#skipped],
      notCompared: this.#ledger.notCompared(),
      divergences: this.#divergences,
      warnings: [],
      defects: [],
      actions: this.#ledger.actions(),
      ...(coverage === undefined ? {} : { coverage: summarizeCoverage(coverage), fullCoverage: coverage }),
    };
  }
}

function engineReport({ engine, failure, packets, seconds }: EngineSide): EngineReport {
  const done = { name: engine.name, packets, seconds };
  if (failure === undefined) return { ...done, status: 'ran' };
  const { message, remedy } = failure;
  return { ...done, status: 'failed', reason: message, failure, ...(remedy === undefined ? {} : { remedy }) };
}
