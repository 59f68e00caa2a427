/** Runs cases through the engines of one program and compares them; what it finds it hands over, segment by segment. */
import type { SavedCase } from '../corpus/cases/case.ts';
import { exampleAt } from '../corpus/cases/kept.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { type Seed, seedFromText } from '../corpus/generate/random.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { asReceived } from '../sim/engines/received.ts';
import { byRank, type EngineName, isKernel } from '../sim/engines/register.ts';
import { mayReadUnwritten } from '../sim/engines/unwritten-stack.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { hintsOf, type NamedWorld, type Program } from '../sim/runtime/program.ts';
import { letOthersTurn } from '../sim/runtime/turns.ts';
import type { World } from '../sim/runtime/world.ts';
import { acceptedPackets } from './accepted.ts';
import { BATCH_SIZE, type BatchPlan, type BatchRange, planBatches, worldsOf } from './batch-plan.ts';
import type { BatchReport } from './batch-report.ts';
import { ClockMask } from './clock-mask.ts';
import { mergeCoverage, withoutFunctions } from './coverage-summary.ts';
import { type EngineFailure, EngineSide } from './engine-side.ts';
import { examineOutcomes } from './examine.ts';
import { exampleFindings } from './example-findings.ts';
import { type Finding, kindOf } from './finding.ts';
import { guessedSlots } from './guessed-slots.ts';
import type { Guidance } from './guide/guide.ts';
import { GuidedSource, guidedWorlds } from './guide/guided-source.ts';
import { type Judging, judgingOf, type Oracle } from './judging.ts';
import type { PacketSource } from './packet-source.ts';
import type { Divergence, EngineReport, ProgramReport } from './report.ts';
import { type Found, SEGMENT_MS, type Segment } from './segment.ts';
import { ownerOf } from './slot-owner.ts';
import { isBetweenMachineAndKernel, StackMask } from './stack-mask.ts';
import { RunStatistics } from './statistics.ts';
import { BEHIND_STOP, comparablePackets, cutAtStop, hasStops, packetsWithoutStops } from './stops.ts';
import { certainPackets, MAX_PIECES, packetsBetween, UNCERTAIN } from './uncertain.ts';
import { ViolationJudge } from './violation-judge.ts';
import { worldKey } from './world-key.ts';

export type { PacketSource } from './packet-source.ts';

export interface RunnerOptions {
  readonly program: Program;
  /** In any order. Those that cannot run here are reported as skipped. */
  readonly engines: readonly Engine[];
  readonly seed: string;
  /** How many packets the whole run has; infinite where time decides. */
  readonly total: number;
  readonly batchSize?: number;
  /** Default: the generator with the program's hints. */
  readonly source?: PacketSource;
  /** Worlds of generated packets; default: those of the program's definition. */
  readonly worlds?: readonly NamedWorld[];
  /** Worlds that somebody has stated; others are left out by engines that cannot make them. Default: `worlds`. */
  readonly stated?: readonly NamedWorld[];
  /** What half of the packets are made of, and worlds besides those. */
  readonly guidance?: Guidance;
  /** What is judged of frames that leave; default: all. */
  readonly oracle?: Oracle | Judging;
  /** Says why the machine stops a program: the interpreter. */
  readonly witness?: Engine;
  /** Is shown what became of every case, before the next one overwrites it. */
  readonly observe?: (world: World, input: PacketBatch, reports: readonly BatchReport[]) => void;
  /** Runs programs in the kernel; is asked about what the machine stops where none of the engines does. */
  readonly kernel?: Engine;
  /** How often a kind of what the oracle finds is handed over, each time on another case; default: once. */
  readonly sightings?: number;
  /** Functions of the same object that are tested by themselves in the same run: what is theirs is reported there. */
  readonly testedApart?: ReadonlySet<string>;
  /** Asked between batches: should it hand over what it has, and stop? */
  readonly isOver: () => boolean;
}

/** Where packet `index` of a batch comes from. */
type SeenAt = (index: number) => Divergence['seen'];

/** A case, or a part of one that some engines take. */
interface Part {
  readonly world: World;
  readonly input: PacketBatch;
  readonly seen: SeenAt;
  readonly saved: SavedCase | undefined;
}

/** Leaving packets out may bring others to a stop, as state goes. */
const MAX_STOP_ROUNDS = 3;

/** Its kind, told apart further where what is special about the packet is known. */
function shapeOf(finding: Finding): string {
  return finding.shape === undefined ? kindOf(finding) : `${kindOf(finding)} ${finding.shape}`;
}

function throughSlot(finding: Finding): string {
  return `${shapeOf(finding)} through a slot`;
}

function byGuess(finding: Finding): string {
  return `${shapeOf(finding)} by a guess`;
}

export class BatchRunner {
  readonly #options: RunnerOptions;
  readonly #program: Program;
  readonly #skipped: EngineReport[] = [];
  readonly #able: Engine[] = [];
  readonly #seed: Seed;
  readonly #source: PacketSource;
  /** How often each was met. */
  readonly #kinds = new Map<string, number>();
  /** Kinds and worlds with guessed slots of which it is known whose they are. */
  readonly #asked = new Set<string>();
  readonly #judge: ViolationJudge;
  /** Default: what is judged where nothing is said. */
  readonly #judging: Oracle | Judging | undefined;
  #mask: ClockMask | undefined;
  #stack: StackMask | undefined;
  #stackIsAsked = false;
  #sides: EngineSide[] = [];
  #input: PacketBatch;
  #statistics: RunStatistics;
  #found: Found[] = [];
  #failures = 0;
  #segmentStart: number = performance.now();

  constructor(options: RunnerOptions) {
    const { program } = options;
    this.#options = options;
    this.#program = program;
    this.#statistics = new RunStatistics(program);
    this.#judge = new ViolationJudge(options);
    this.#judging = judgedBy(options);
    this.#seed = seedFromText(options.seed);
    const source =
      options.source ??
      new PacketGenerator(
        options.guidance?.hints ?? hintsOf(program),
        program.entries.map((entry) => entry.hook),
      );
    this.#source =
      options.guidance === undefined ? source : new GuidedSource(source, program, options.guidance);
    this.#input = new PacketBatch(this.#batchSize);
    for (const { engine } of byRank(options.engines.map((engine) => ({ engine })))) {
      const availability = engine.availability(program);
      if (availability.available) this.#able.push(engine);
      else {
        const { reason, remedy } = availability;
        this.#skipped.push({ name: engine.name, status: 'skipped', reason, remedy, packets: 0, seconds: 0 });
      }
    }
    this.#sides = this.#freshSides();
  }

  /** The engines that can run here, the reference first. */
  get engines(): readonly Engine[] {
    return this.#able;
  }

  /** The saved cases, one after the other. */
  async *replay(
    cases: Iterable<SavedCase> | AsyncIterable<SavedCase>,
  ): AsyncGenerator<Segment, void, undefined> {
    for await (const saved of cases) {
      if (this.#isOver()) break;
      await this.#replayOne(saved);
      if (this.#isDue()) yield this.segment(0);
    }
    yield this.segment(0);
  }

  /** A part of the run. */
  async *run(range: BatchRange): AsyncGenerator<Segment, void, undefined> {
    const { total, batchSize } = this.#options;
    const worlds = this.#worlds();
    let next = range.from;
    for (const plan of planBatches(this.#program, total, range, batchSize, worlds)) {
      if (this.#isOver()) break;
      await this.#generated(plan);
      next = plan.number + range.step;
      if (this.#isDue()) yield this.segment(next);
    }
    yield this.segment(next);
  }

  #worlds(): readonly NamedWorld[] {
    const { worlds = worldsOf(this.#program), guidance } = this.#options;
    return guidance === undefined ? worlds : guidedWorlds(worlds, guidance);
  }

  /**
   * Starts anew with fresh sessions, without some of the engines: another runner has seen them fail on an earlier
   * batch, so that nothing behind it was to be run by them.
   */
  async restart(failed: ReadonlyMap<EngineName, EngineFailure>): Promise<void> {
    await this.close();
    this.segment(0);
    this.#kinds.clear();
    this.#asked.clear();
    this.#judge.clear();
    this.#sides = this.#freshSides();
    for (const side of this.#sides) side.failure = failed.get(side.engine.name);
    this.#failures = this.#countFailures();
  }

  /** Closes the sessions. @returns a segment that holds nothing but engines which failed in this */
  async finish(): Promise<Segment> {
    const failed = this.#sides.filter((side) => side.failure !== undefined);
    await this.close();
    for (const side of failed) side.failure = undefined;
    return this.segment(0);
  }

  async close(): Promise<void> {
    for (const side of this.#sides) await side.close();
    await this.#mask?.close();
    this.#mask = undefined;
    await this.#stack?.close();
    this.#stack = undefined;
  }

  /** What has been done since the last segment. */
  segment(next: number): Segment {
    for (const side of this.#sides) this.#statistics.refused(side.engine, side.refused);
    const { testedApart = new Set<string>() } = this.#options;
    // What is tested by itself is not to be reached through another program, too: its own report counts it.
    const coverage = mergeCoverage(
      this.#sides
        .flatMap((side) => side.takeCoverage() ?? [])
        .map((one) => withoutFunctions(one, testedApart)),
    );
    const report: ProgramReport = {
      name: this.#program.name,
      packets: this.#statistics.packets,
      savedPackets: this.#statistics.savedPackets,
      savedCases: this.#statistics.savedCases,
      seconds: 0,
      interrupted: false,
      engines: [...this.#sides.map(engineReport), ...this.#skipped],
      notCompared: this.#statistics.notCompared(),
      divergences: [],
      warnings: this.#statistics.warnings(),
      defects: this.#statistics.defects(),
      compared: this.#statistics.compared,
      judged: this.#statistics.judging.judged,
      actions: this.#statistics.actions(),
      ...(coverage === undefined ? {} : { fullCoverage: coverage }),
    };
    const found = this.#found;
    const waits = found.length > 0 || this.#countFailures() > this.#failures;
    this.#statistics = new RunStatistics(this.#program);
    this.#found = [];
    this.#failures = this.#countFailures();
    for (const side of this.#sides) side.clearAccount();
    this.#segmentStart = performance.now();
    return { next, report, found, waits };
  }

  #isDue(): boolean {
    return (
      this.#found.length > 0 ||
      this.#countFailures() > this.#failures ||
      performance.now() - this.#segmentStart > SEGMENT_MS
    );
  }

  #isOver(): boolean {
    return this.#options.isOver() || this.#sides.every((side) => side.failure !== undefined);
  }

  /** Packets of a batch, at the most. Memory that a short run does not use costs the time to fill it with zeros. */
  get #batchSize(): number {
    const { batchSize = BATCH_SIZE, total } = this.#options;
    return Math.max(1, Math.min(batchSize, total));
  }

  #freshSides(): EngineSide[] {
    const { stated = this.#options.worlds ?? worldsOf(this.#program) } = this.#options;
    const known = new Set(stated.map(({ world }) => world));
    return this.#able.map(
      (engine) => new EngineSide(engine, this.#program, this.#batchSize, (world) => !known.has(world)),
    );
  }

  #countFailures(): number {
    return this.#sides.filter((side) => side.failure !== undefined).length;
  }

  async #generated(plan: BatchPlan): Promise<void> {
    this.#input.clear();
    this.#source.fill(this.#input, this.#seed, plan.first, plan.count, plan.limits, plan.world.world);
    await this.#hold(plan.world.world, (packet) => ({
      seed: this.#options.seed,
      packet: plan.first + packet,
    }));
  }

  async #replayOne(saved: SavedCase): Promise<void> {
    const { stimuli, world, note } = saved.case;
    if (stimuli.length > this.#input.capacity) this.#input = new PacketBatch(stimuli.length);
    this.#input.clear();
    for (const stimulus of stimuli) this.#input.push(asReceived(this.#program, stimulus));
    const seen: SeenAt = (packet) => ({ file: exampleAt(note, packet + 1, stimuli.length) ?? saved.path });
    await this.#hold(world, seen, saved);
  }

  /**
   * One case: every engine runs it, the outcomes are compared, and new kinds of divergences are kept. An engine that
   * refuses some of the packets is held against the reference on the others: a case of its own, as state goes.
   */
  async #hold(world: World, seen: SeenAt, saved?: SavedCase): Promise<void> {
    this.#statistics.enterCase(this.#input, saved !== undefined);
    let input = this.#input;
    let seenAt = seen;
    let participants = this.#sides.filter((side) => side.takes(input));
    const reference = this.#sides.find((side) => side.failure === undefined);
    if (participants.length === 0 && reference !== undefined) {
      // Nobody takes it whole: what the reference takes is the case.
      const { batch, origin } = acceptedPackets(input, reference);
      input = batch;
      seenAt = (packet) => seen(origin[packet]!);
      participants = this.#sides.filter((side) => side.takes(batch));
    }
    let compared = 0;
    if (input.count > 0) compared = await this.#compare({ world, input, seen: seenAt, saved }, participants);
    const limited = this.#sides.filter((side) => side.failure === undefined && !participants.includes(side));
    for (const side of limited) {
      const { batch, origin } = acceptedPackets(input, side);
      if (batch.count === 0) continue;
      const pair = this.#sides.filter((other) => other === participants[0] || other === side);
      const again = (other: EngineSide): boolean => other === participants[0];
      const part = { world, input: batch, seen: (packet: number) => seenAt(origin[packet]!), saved };
      compared = Math.max(compared, await this.#compare(part, pair, again));
    }
    this.#statistics.compared += compared;
    // Engines that never wait would starve everybody else.
    await letOthersTurn();
  }

  /**
   * @param again which engines have run these packets before
   * @param round how often packets were left out that an engine did not run to their end
   * @returns on how many packets outcomes were compared
   */
  async #compare(
    part: Part,
    sides: readonly EngineSide[],
    again: (side: EngineSide) => boolean = () => false,
    round: number = 0,
  ): Promise<number> {
    const { world, input, seen } = part;
    let ran: EngineSide[] = [];
    for (const side of sides) if (await side.run(world, input, again(side))) ran.push(side);
    const certain = certainPackets(ran, input.count);
    let compared = 0;
    if (certain < input.count) {
      compared = await this.#compareInPieces(part, ran, certain);
      // The others do the same whatever the kernel forgets; they run once more, since they have run the pieces.
      ran = ran.filter(({ engine }) => !isKernel(engine.name));
      for (const side of ran) await side.run(world, input, true);
    }
    const live = ran.filter((side) => side.live.length > 0);
    if (live.length > 0) {
      this.#mask ??= new ClockMask(this.#program, this.#able);
      const left = await this.#mask.apply(world, input, live);
      if (!sides.some(again)) this.#statistics.leave(left);
    }
    // After the first round, what stops now has not stopped before.
    const news = ran.filter((side) => round > 0 || !again(side));
    for (const side of news) side.countStopped();
    const reports = byRank(ran);
    this.#statistics.addReports(input, reports, sides.some(again));
    const failure = this.#sides.find(({ engine }) => isKernel(engine.name))?.failure;
    const { findings, defects } = await this.#judge.judge(world, input, reports, failure, seen);
    this.#statistics.addDefects(
      defects.filter((defect) => news.some(({ engine }) => engine.name === defect.engine)),
    );
    const account = sides.some(again) ? undefined : this.#statistics.judging;
    const oracle = this.#judging;
    let differences = [...examineOutcomes(this.#program, input, reports, account, oracle)];
    if (this.#mayComeFromStack(differences)) {
      this.#stack ??= new StackMask(this.#program, this.#options.witness);
      const settled = await this.#stack.apply(world, input, ran);
      if (settled !== undefined) {
        this.#statistics.addWarnings(settled.warnings);
        if (!sides.some(again)) this.#statistics.leave(settled.left);
        differences = [...examineOutcomes(this.#program, input, reports, undefined, oracle)];
      }
    }
    const isGuessed = guessedSlots(world).length > 0;
    const held = exampleFindings(this.#program, part.saved?.example, input, reports);
    // The example first: where model and program differ, it says which of them is wrong.
    for (const finding of [...held, ...findings, ...differences]) {
      if (isGuessed) await this.#noteOwn(finding, part);
      else this.#note(finding, part);
    }
    if (!sides.some(again)) this.#options.observe?.(world, input, reports);
    compared = Math.max(compared, comparablePackets(reports.filter((report) => !hasStops(report))));
    if (!reports.some(hasStops)) return compared;
    // Where one engine stopped and another went on, their states differ: the rest is compared as a case of its own.
    if (round >= MAX_STOP_ROUNDS) return Math.max(compared, await this.#compareToStop(part, ran, round));
    const { batch, origin } = packetsWithoutStops(input, reports);
    if (batch.count === 0) return compared;
    const rest = { ...part, input: batch, seen: (packet: number) => seen(origin[packet]!) };
    return Math.max(compared, await this.#compare(rest, sides, () => true, round + 1));
  }

  /**
   * Leaving packets out has not helped: the program stops on what is the twentieth packet then, say. Up to the first stop
   * all have the same state; what is behind it nobody can hold against each other, and is counted.
   */
  async #compareToStop(part: Part, ran: readonly EngineSide[], round: number): Promise<number> {
    const { before, behind } = cutAtStop(part.input, ran);
    const stopped = ran.filter(hasStops).map(({ engine }) => engine.name);
    if (behind > 0)
      this.#statistics.leave(stopped.map((engine) => ({ what: BEHIND_STOP, engine, packets: behind })));
    // An engine that stops elsewhere on the same packets is not asked for ever.
    if (before.count === 0 || round > MAX_STOP_ROUNDS) return 0;
    return await this.#compare({ ...part, input: before }, ran, () => true, round + 1);
  }

  /**
   * Is something new between the machine and the kernel, for which bytes of the stack may be to blame? A program that
   * may read unwritten ones is looked at once, whatever the kernel's stack holds.
   */
  #mayComeFromStack(differences: readonly Finding[]): boolean {
    if (differences.some((one) => isBetweenMachineAndKernel(one) && !this.#kinds.has(kindOf(one))))
      return true;
    if (this.#stackIsAsked) return false;
    this.#stackIsAsked = true;
    return mayReadUnwritten(this.#program);
  }

  /**
   * Compares the kernel with the others on pieces of a case that are short enough for no LRU map to forget anything.
   * @param certain how many packets the first piece may have
   */
  async #compareInPieces(part: Part, ran: readonly EngineSide[], certain: number): Promise<number> {
    const { input, seen } = part;
    const kernels = ran.filter(({ engine }) => isKernel(engine.name));
    const others = ran.filter(({ engine }) => !isKernel(engine.name));
    let compared = 0;
    let at = 0;
    for (let pieces = 0; at < input.count && certain > 0 && pieces < MAX_PIECES; pieces++) {
      const batch = packetsBetween(input, at, Math.min(at + certain, input.count));
      const first = at;
      // How far this piece is certain is known before the kernel runs it.
      const [reference] = others;
      if (reference === undefined || !(await reference.run(part.world, batch, true))) break;
      const length = Math.min(batch.count, reference.output.uncertainFrom);
      if (length === 0) break;
      const piece = packetsBetween(batch, 0, length);
      const pieceSeen = (packet: number): Divergence['seen'] => seen(first + packet);
      compared += await this.#compare({ ...part, input: piece, seen: pieceSeen }, ran, () => true);
      at += length;
    }
    const left = input.count - at;
    if (left > 0)
      this.#statistics.leave(
        kernels.map(({ engine }) => ({ what: UNCERTAIN, engine: engine.name, packets: left })),
      );
    return compared;
  }

  /** Where guidance has filled slots, what is a program's own is noted without them, and what is another's is not noted. */
  async #noteOwn(finding: Finding, part: Part): Promise<void> {
    const { world, input } = part;
    // What takes both programs is another kind than what one of them does alone.
    const isKnown = this.#kinds.has(shapeOf(finding)) || this.#kinds.has(throughSlot(finding));
    const asked = `${shapeOf(finding)} ${worldKey(world)}`;
    if (isKnown || this.#asked.has(asked)) return;
    this.#asked.add(asked);
    const { oracle, testedApart = new Set<string>() } = this.#options;
    const stimuli = Array.from({ length: finding.packet + 1 }, (_, index) => input.stimulus(index));
    const shown = { program: this.#program.name, world, stimuli };
    const options = { testedApart, ...(oracle === undefined ? {} : { oracle }) };
    const owner = await ownerOf(this.#program, this.#able, finding, shown, options);
    if (owner.is === 'caller') this.#note(owner.finding, { ...part, world: owner.case.world });
    if (owner.is === 'both') this.#note(finding, part, throughSlot(finding));
    if (owner.is !== 'guess') return;
    this.#note(finding, part, byGuess(finding), { isByGuess: true });
    // With another packet it may be somebody's own.
    if (!this.#isSeenEnough(finding, byGuess(finding))) this.#asked.delete(asked);
  }

  #isSeenEnough(finding: Finding, kind: string): boolean {
    const most = finding.engines[0] === 'oracle' ? (this.#options.sightings ?? 1) : 1;
    return (this.#kinds.get(kind) ?? 0) >= most;
  }

  #note(
    finding: Finding,
    { world, input, seen, saved }: Part,
    kind: string = shapeOf(finding),
    more: Pick<Found, 'isByGuess'> = {},
  ): void {
    if (this.#isSeenEnough(finding, kind)) return;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    const stimuli = Array.from({ length: finding.packet + 1 }, (_, index) => input.stimulus(index));
    this.#found.push({
      finding,
      case: { program: this.#program.name, world, stimuli },
      seen: seen(finding.packet),
      ...more,
      // A case whose note names a field is a divergence of an earlier run.
      ...(saved?.case.note?.field === undefined ? {} : { savedIn: saved.path }),
    });
  }
}

/** Where a kind of finding is handed over several times, packets that are special in other ways are handed over as well. */
function judgedBy({ oracle, sightings }: RunnerOptions): Oracle | Judging | undefined {
  return sightings === undefined ? oracle : { ...judgingOf(oracle ?? 'all'), tellsShapes: true };
}

function engineReport({ engine, failure, packets, seconds, pinned }: EngineSide): EngineReport {
  const helpers = pinned.size === 0 ? {} : { pinned: [...pinned].sort() };
  const availability = engine.availability();
  const note = availability.available ? availability.note : undefined;
  const noted = note === undefined ? {} : { note };
  const done = { name: engine.name, packets, seconds, ...helpers, ...noted };
  if (failure === undefined) return { ...done, status: 'ran' };
  const { message, remedy } = failure;
  // What the engine lacks says nothing about the program.
  if (failure.lacking === true)
    return { ...done, status: 'skipped', reason: message, ...(remedy === undefined ? {} : { remedy }) };
  return { ...done, status: 'failed', reason: message, failure, ...(remedy === undefined ? {} : { remedy }) };
}
