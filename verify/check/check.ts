/**
 * Is a program safe to deploy? Everything that can be asked without a model, one after the other:
 *
 *     packets through machine and kernel, every outcome judged ─► what the program rewrites, swept over all values
 *        ─► its text ─► findings ─► verdict
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { type Engine, EngineError } from '../../sim/engines/engine.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { ALL_BATCHES, BATCH_SIZE } from '../batch-plan.ts';
import { guessedSlots } from '../guessed-slots.ts';
import type { Sequence } from '../guide/traced-runs.ts';
import { isOfHeaders } from '../invariants/rules.ts';
import { frameUses } from '../ip-first.ts';
import { isForEthernet, NO_LINK_HEADER, noLinkHeader, sometimesNoLinkHeader } from '../link-header.ts';
import type { ProofAid } from '../prove/aid.ts';
import { PROVED_CASE } from '../prove/proved-case.ts';
import type { Divergence, ProgramReport } from '../report.ts';
import { type Unreached, unreachedOf } from '../unreached.ts';
import { beyondArrays } from './beyond-arrays.ts';
import { BorrowedActions, guessedTypes } from './borrowed-actions.ts';
import { isByChance } from './by-chance.ts';
import type { CheckOptions } from './check-options.ts';
import { CheckRuns, type Observe } from './check-runs.ts';
import { confirmed } from './confirm.ts';
import { judgedCopies } from './copies.ts';
import type { CheckedProgram, CheckFinding, SweepReport } from './finding.ts';
import { findingOf, loadFindings, warningFindings } from './findings.ts';
import { grouped } from './group.ts';
import { type GuidedRun, guidedRun } from './guided-run.ts';
import { checkJudging, type IsOn } from './judging.ts';
import { lostCopies } from './lost-copies.ts';
import { lostUpdates } from './lost-updates.ts';
import { MachineGaps } from './machine-gaps.ts';
import { kindsOf, mapByteCases } from './map-bytes.ts';
import { filledCases, mapWordCases } from './map-words.ts';
import { cutFrames, memoryWaysText } from './memory-ways.ts';
import { kernelDifference, refusedBy } from './other-kernels.ts';
import { withOtherKeys } from './other-keys.ts';
import { isMacChosen } from './own-mac.ts';
import { slicesFrames } from './paged-payload.ts';
import { placedFinding } from './placed-finding.ts';
import { divergenceOf, hasContents, hasValues, type Seen, type Sighting } from './probe.ts';
import { swappedProtocols } from './protocol-order.ts';
import { refusedConstants } from './refused-constants.ts';
import type { Moved, Rewritten } from './rewritten.ts';
import { asksForSocket } from './socket-questions.ts';
import { withSoundPackets } from './sound-cases.ts';
import { SpreadSweeps } from './spread-sweeps.ts';
import { TimeBudget } from './time-budget.ts';
import { ENOUGH_COVERAGE, hasReached, verdictOfCheck } from './verdict.ts';
import { Watchers } from './watchers.ts';

export type { CheckOptions, CheckProgress, OtherKernel } from './check-options.ts';

const DEFAULT_RUNS = 40_000;
/** Of the time that is left when they begin, where time is limited, at the most: the rest is for what comes behind. */
const SHARES = {
  packets: 1 / 4,
  variants: 1 / 4,
  closer: 3 / 4,
  paths: 1 / 2,
  copies: 1 / 2,
  kernels: 1 / 2,
  sweeps: 3 / 4,
  more: 3 / 4,
};
/** Seconds for paths that nobody has to ask for, as packets reached enough. */
const QUICK_PROOF = 3;
/** Packets for each other kernel. */
const OTHER_RUNS = 16_384;

export async function check(options: CheckOptions): Promise<CheckedProgram> {
  const start = performance.now();
  const run = new Check(options);
  const findings = await run.findings();
  const { sweeps } = run;
  const report = run.report();
  const { program } = options;
  const unreached = unreachedIn(program, report);
  const { verdict, reason, notChecked } = verdictOfCheck({
    report,
    gaps: run.gaps.lines(),
    unjudged: [...run.unjudged, ...run.cutShort],
    ...(options.seconds === undefined || options.runs !== undefined ? {} : { runSeconds: options.seconds }),
    findings,
    unreached,
    sweeps,
    ...(options.minCoverage === undefined ? {} : { minCoverage: options.minCoverage }),
    ...(options.strict === undefined ? {} : { strict: options.strict }),
  });
  return {
    name: program.name,
    verdict,
    reason,
    findings,
    report,
    ...(report.coverage === undefined ? {} : { coverage: report.coverage }),
    unreached,
    sweeps,
    ...(run.proof === undefined ? {} : { proof: run.proof }),
    ...(run.asKernels.length === 0 ? {} : { asKernels: run.asKernels }),
    notChecked: [...notChecked, ...run.shortened, ...run.withoutMemory, ...guessedTypes(program)],
    seconds: (performance.now() - start) / 1000,
  };
}

function unreachedIn({ object, entries }: Program, { fullCoverage }: ProgramReport): Unreached[] {
  return object === undefined || fullCoverage === undefined
    ? []
    : unreachedOf(linkedObject(object), fullCoverage, entries);
}

class Check {
  readonly #options: CheckOptions;
  #isOn: IsOn;
  /** Do some runs take the first byte for that of an IP header, and others not? */
  #isMixed = false;
  readonly #watchers: Watchers;
  readonly #actions: BorrowedActions;
  readonly gaps = new MachineGaps();
  /** What of the frames that it made nobody judged, a sentence each. */
  readonly unjudged: string[] = [];
  #made: CheckFinding[] = [];
  /** Replaced once packets have been looked for: that takes as long as it takes. */
  #runs: CheckRuns;
  readonly #spread = new SpreadSweeps();
  /** Packets that were generated in time that was left at the end. */
  #more = 0;
  #guided: GuidedRun = {};
  /** Packets that guidance found contents of maps for, until they have been looked at. */
  #ledOn: readonly Sighting[] = [];
  /** Rewritten words that have been looked at closer. */
  #looked = 0;
  /** Of packets that became longer or shorter, how many have been varied. */
  #varied = 0;
  #swept: SweepReport = { words: 0, packets: 0, left: 0 };
  /** What ran as other kernels, and as which. */
  readonly #ofKernels = new Map<ProgramReport, string>();
  proof: ProofAid | undefined;
  /** Those as which it has run, or was refused. */
  readonly asKernels: string[] = [];
  /** Packets of its paths that have not run. */
  #pathCases: readonly SavedCase[] = [];
  /** All of them. */
  #ofPaths: readonly SavedCase[] = [];
  /** Helpers whose failures only a lack of memory is left for. */
  readonly #failing = new Set<string>();

  constructor(options: CheckOptions) {
    this.#options = options;
    const { program, isOn = () => true } = options;
    this.#isOn = isOn;
    if (!isForEthernet(program)) this.#leaveHeadersOut();
    this.#runs = new CheckRuns(options, this.#isOn);
    this.#watchers = new Watchers(options, () => this.#known());
    this.#actions = new BorrowedActions(program, options.worlds !== undefined);
  }

  /** Its frames are not of the kind that the program is for. */
  #leaveHeadersOut(reason: string = NO_LINK_HEADER): void {
    const isOn = this.#isOn;
    this.#isOn = (id) => isOn(id) && !isOfHeaders(id);
    this.unjudged.push(reason);
  }

  /** What runs take frames for may hang on contents of maps and constants: packets are known that go there. */
  #askWhatFramesAre(cases: readonly SavedCase[]): void {
    const { program } = this.#options;
    if (!isForEthernet(program)) return;
    const uses = frameUses(
      program,
      cases.map((one) => one.case),
    );
    this.#isMixed = uses.ipFirst && uses.ethernet;
    if (this.#isMixed) this.unjudged.push(sometimesNoLinkHeader(uses));
    else if (uses.ipFirst) this.#leaveHeadersOut(noLinkHeader(uses));
  }

  /** Of all that ran. */
  report(): ProgramReport {
    const all = this.#runs.summary(this.proof, this.#more);
    // What did not run any more is no part of any report.
    return this.#isOver() ? { ...all, interrupted: true } : all;
  }

  get sweeps(): SweepReport {
    const beyond = this.#watchers.rewritten.left;
    const more = beyond > 0 ? { beyond } : {};
    if (!this.#runs.budget.isLimited) return this.#swept.left > 0 ? { ...this.#swept, ...more } : this.#swept;
    const spread = this.#spread.report();
    return { ...spread, left: beyond + spread.left, ...more, ...(beyond > 0 ? { least: 0 } : {}) };
  }

  /** What time was too short for, a sentence each. */
  get cutShort(): readonly string[] {
    return this.#runs.cutShort;
  }

  /** What time was too short for to be done to the end. */
  get shortened(): readonly string[] {
    return this.#runs.shortened;
  }

  async findings(): Promise<CheckFinding[]> {
    const { kernel, machine, runs, seconds, cases = [] } = this.#options;
    const engines = kernel === undefined ? [machine] : [kernel, machine];
    const observe = this.#observe;
    const guided = await guidedRun(this.#options);
    this.#guided = guided;
    this.#ledOn = (guided.cases ?? []).flatMap(({ case: { world, stimuli } }) =>
      stimuli.length === 1 && hasContents(world) ? [{ world, stimulus: stimuli[0]! }] : [],
    );
    this.#askWhatFramesAre([...cases, ...(guided.cases ?? [])]);
    const budget = new TimeBudget(seconds);
    this.#runs = new CheckRuns(this.#options, this.#isOn, budget);
    budget.allot(SHARES.packets);
    // With more time than that there are more packets, once all else is done.
    await this.#runs.run(
      { engines, observe, runs: runs ?? DEFAULT_RUNS, ...guided, cases: [...cases, ...(guided.cases ?? [])] },
      'packets',
    );
    this.#requireWorlds();
    if (this.#hasRun()) {
      await this.#fillMaps(engines, observe);
      await this.#lookCloser(engines, observe, SHARES.closer);
      if (slicesFrames(this.#options.program))
        await this.#runs.inPieces(this.#watchers.transports.all, this.#options.machine, observe);
      if (asksForSocket(this.#options.program))
        await this.#runs.withoutSocket(this.#watchers.transports.all, this.#options.machine, observe);
      budget.allot(SHARES.paths);
      await this.#paths(engines, observe);
      await this.#lookCloser(engines, observe, SHARES.closer);
      await this.#probe();
      budget.allot(SHARES.copies);
      await this.#copies();
      budget.allot(SHARES.kernels);
      await this.#otherKernels();
      if (budget.isLimited) await this.#useRest(engines, observe);
    }
    return await this.#collected();
  }

  /** Time that nothing has needed: first for sweeps that are not done, then for more packets, and for what these show. */
  async #useRest(engines: readonly Engine[], observe: Observe): Promise<void> {
    const { budget } = this.#runs;
    budget.allot(SHARES.paths);
    await this.#runPaths(engines, observe);
    budget.allot(SHARES.sweeps);
    await this.#sweepOn();
    budget.allot(SHARES.more);
    await this.#morePackets(engines, observe);
    await this.#lookCloser(engines, observe, 1);
    budget.allot(1);
    await this.#sweepOn();
  }

  async #sweepOn(): Promise<void> {
    await this.#spread.run(this.#runs, this.#options.machine, () => this.#isOver());
  }

  /** Those behind the ones that have run. */
  async #morePackets(engines: readonly Engine[], observe: Observe): Promise<void> {
    const [first] = this.#runs.reports;
    if (this.#options.runs !== undefined || this.#isOver() || this.#runs.budget.isOver) return;
    const { cases: _, ...guided } = this.#guided;
    const from = Math.ceil((first!.packets - first!.savedPackets) / BATCH_SIZE);
    const range = { ...ALL_BATCHES, from };
    const part = { engines, observe, ...guided, range, seconds: this.#runs.budget.left };
    this.#more += (await this.#runs.run(part, 'packets')).packets;
  }

  readonly #observe: Observe = (world, input, reports) => {
    const own = reports.find(({ engine }) => engine.name === this.#options.machine.name);
    if (own === undefined || this.#isOfOthers(world)) return;
    this.#watchers.observe(world, input, own);
    this.#actions.observe(world, input, own);
    this.gaps.observe(own);
  };

  /** In slots that the test filled, are there only programs that are checked by themselves? */
  #isOfOthers(world: World): boolean {
    const { testedApart } = this.#options;
    const slots = guessedSlots(world);
    return slots.length > 0 && slots.every(({ program }) => testedApart?.has(program) === true);
  }

  /** @throws {EngineError} where a world that is stated cannot be made: that says nothing of the program */
  #requireWorlds(): void {
    for (const { name, failure } of this.#runs.reports[0]!.engines) {
      if (failure?.ofWorld !== true) continue;
      const remedy = 'change what the world states; the program was not judged';
      throw new EngineError('input', `${name} cannot make the world: ${failure.message}`, { remedy });
    }
  }

  #hasRun(): boolean {
    const { name } = this.#options.machine;
    return this.#runs.reports[0]!.engines.some((engine) => engine.name === name && engine.status === 'ran');
  }

  /** Neighbours and sweeps of the words that the program was seen to rewrite since the last time. */
  async #lookCloser(engines: readonly Engine[], observe: Observe, share: number): Promise<void> {
    const { machine } = this.#options;
    const fresh = this.#watchers.rewritten.words.slice(this.#looked);
    const moved = this.#watchers.rewritten.moved.slice(this.#varied);
    this.#varied += moved.length;
    if (fresh.length + moved.length === 0) return;
    // Of many variants something is to be left for sweeps.
    this.#runs.budget.allot(SHARES.variants);
    await this.#runs.vary([...fresh, ...moved], engines, observe);
    await this.#otherKeys([...moved, ...fresh], engines, observe);
    const words = this.#watchers.rewritten.words.slice(this.#looked);
    this.#looked += words.length;
    if (this.#options.sweeps === false) return;
    this.#runs.budget.allot(share);
    // First: these are few, and sweeps take all the time that they are given.
    await this.#mapContents(words, moved, machine);
    await this.#sweep(words, machine);
  }

  async #sweep(words: readonly Rewritten[], machine: Engine): Promise<void> {
    if (this.#runs.budget.isLimited) {
      this.#spread.add(this.#runs.worthSweeping(words));
      return this.#sweepOn();
    }
    const swept = await this.#runs.sweep(words, machine);
    this.#swept = {
      words: this.#swept.words + swept.words,
      packets: this.#swept.packets + swept.packets,
      left: this.#watchers.rewritten.left + this.#looked - this.#swept.words - swept.words,
    };
  }

  /** What single cases show that are looked at more closely. */
  async #probe(): Promise<void> {
    if (this.#isOver()) return;
    const { program, machine, kernel } = this.#options;
    const { cases = [], refused = [], worlds = [] } = this.#guided;
    if (kernel !== undefined && refused.length > 0)
      this.#made.push(...refusedConstants(program, worlds[0]?.world ?? {}, refused, kernel.name));
    this.#made.push(
      ...lostUpdates(program, this.#options),
      ...beyondArrays(program, this.#options),
      ...swappedProtocols(program),
      ...lostCopies(
        program,
        cases.map((one) => one.case),
        this.#options.testedApart,
      ),
      ...(await this.#actions.find(machine)),
    );
    for (const probe of this.#watchers.probes) {
      if (this.#isOver()) return;
      for (const seen of await probe()) await this.#enter(seen);
    }
  }

  /** Packets that were looked for. */
  #known(): Sighting[] {
    const cases = [...(this.#guided.cases ?? []), ...this.#ofPaths]
      .map((one) => one.case)
      .filter(({ world }) => !this.#isOfOthers(world));
    return cases.flatMap(({ world, stimuli }) => stimuli.map((stimulus) => ({ world, stimulus })));
  }

  async #enter(seen: Seen, version?: string): Promise<void> {
    if (!this.#isOn(seen.breach.invariant) || this.#isOfOtherFrames(seen.breach.invariant, seen)) return;
    const { program, seed, save } = this.#options;
    const divergence = asOf(await divergenceOf(program, seed, seen), version);
    const saved = save === undefined ? {} : await save({ ...divergence, run: `probe-${this.#made.length}` });
    const finding = await placedFinding(this.#options, findingOf({ ...divergence, ...saved }));
    this.#made.push({ ...finding, confirmedBy: seen.confirmedBy ?? [seen.engine.name] });
  }

  async #copies(): Promise<void> {
    if (this.#isOver()) return;
    const { findings, notJudged } = await judgedCopies(
      this.#options,
      this.#isOn,
      this.#guided,
      this.#runs.budget,
    );
    this.#made.push(...findings);
    this.unjudged.push(...notJudged);
  }

  /** The same packets, and the same sweeps, in the machine as other kernels. */
  async #otherKernels(): Promise<void> {
    const { program, machine, versions = [], signal } = this.#options;
    for (const { version, machine: other } of versions) {
      if (this.#isOver()) return;
      const report = await this.#runs.run({ engines: [other], runs: OTHER_RUNS }, 'other kernels');
      this.asKernels.push(version);
      const refused = refusedBy(program, version, report);
      if (refused !== undefined) {
        this.#made.push(refused);
        this.#runs.dropLast();
        continue;
      }
      const words = this.#watchers.rewritten.words;
      const before = this.#runs.reports.length;
      if (this.#options.sweeps !== false) await this.#runs.sweep(words, other);
      for (const one of [report, ...this.#runs.reports.slice(before)]) this.#ofKernels.set(one, version);
      const seen = await kernelDifference(program, version, machine, other, words, signal);
      if (seen !== undefined) await this.#enter(seen, version);
    }
  }

  /**
   * Branches that no packet has reached: one reaches them, or a proof says that none does. Values in maps that only serve to go a
   * path are none that anybody has to expect; that there is an entry, or an element in a queue, is.
   */
  async #paths(engines: readonly Engine[], observe: Observe): Promise<void> {
    const { program, prove, worlds } = this.#options;
    // Sweeps do not count: what they reach they show with packets of one kind, and those of paths are of others.
    const reached = this.#runs.summaryWithoutSweeps();
    if (this.#isOver() || hasReached(reached, Math.max(100, this.#asked))) return;
    await this.#cutFrames(engines, observe);
    if (prove === undefined || this.#isOver()) return;
    this.proof = await prove(program, this.#proofSeconds());
    this.#pathCases = (this.proof?.cases ?? [])
      // Where the user says what there is, a packet runs with that, whatever its path wants.
      .filter(({ world }) => worlds !== undefined || !hasValues(world))
      .flatMap(withSoundPackets)
      .map((one, index) => ({
        path: `${PROVED_CASE}${index + 1}`,
        case: worlds === undefined ? one : { ...one, world: worlds[0]!.world },
      }));
    this.#ofPaths = this.#pathCases;
    // Following may have taken all of its share.
    this.#runs.budget.allot(SHARES.paths);
    await this.#runPaths(engines, observe);
    if (this.#ofPaths.length > 0) await this.#cutFrames(engines, observe);
  }

  /** Frames that are too short for what a helper is to change, and which of its failures only a lack of memory is left for. */
  async #cutFrames(engines: readonly Engine[], observe: Observe): Promise<void> {
    const known = [...(this.#guided.cases ?? []), ...this.#ofPaths].map((one) => one.case);
    const { fullCoverage } = this.#runs.summaryWithoutSweeps();
    const { cases, left, helpers } = cutFrames(this.#options.program, fullCoverage, known);
    this.#runs.leftOut.push(...left);
    for (const helper of helpers) this.#failing.add(helper);
    if (cases.length > 0) await this.#runs.run({ engines, observe, cases, runs: 0 }, 'variants');
  }

  /** What nobody saw since no test takes the kernel's memory away, a sentence each. */
  get withoutMemory(): readonly string[] {
    return memoryWaysText({ left: this.#runs.leftOut, helpers: [...this.#failing].sort() });
  }

  /** Per cent of the branches below which following paths gets its full time. */
  get #asked(): number {
    return this.#options.proveFrom ?? this.#options.minCoverage ?? ENOUGH_COVERAGE;
  }

  /** For how long paths are followed: where enough was reached, what is left is worth a moment. */
  #proofSeconds(): number | undefined {
    const { budget } = this.#runs;
    if (budget.isLimited) return budget.left;
    return hasReached(this.#runs.summaryWithoutSweeps(), this.#asked) ? QUICK_PROOF : undefined;
  }

  /** Packets of followed paths, as far as time goes: the others stay for later. */
  async #runPaths(engines: readonly Engine[], observe: Observe): Promise<void> {
    const cases = this.#pathCases;
    if (cases.length === 0) return;
    const { packets } = await this.#runs.run({ engines, observe, cases, runs: 0 }, 'paths');
    let ran = 0;
    this.#pathCases = cases.filter((one) => {
      ran += one.case.stimuli.length;
      return ran > packets;
    });
  }

  /** Contents that change what passes unchanged with those that led there: nobody has stated them. */
  async #fillMaps(engines: readonly Engine[], observe: Observe): Promise<void> {
    const { program, worlds, machine } = this.#options;
    if (this.#isOver() || worlds !== undefined || program.definition !== undefined) return;
    const cases = await filledCases(program, machine, this.#guided.cases ?? []);
    this.#runs.budget.allot(SHARES.variants);
    if (cases.length > 0) await this.#runs.run({ engines, observe, cases, runs: 0 }, 'variants');
  }

  /** Packets of other kinds, with entries for them where those at hand have some, and with other values in these. */
  async #otherKeys(
    changed: readonly Sighting[],
    engines: readonly Engine[],
    observe: Observe,
  ): Promise<void> {
    const { program, worlds, machine } = this.#options;
    if (this.#isOver() || worlds !== undefined || program.definition !== undefined) return;
    const led = this.#ledOn;
    this.#ledOn = [];
    const others = await withOtherKeys(program, machine, [...changed, ...led]);
    if (others.length === 0) return;
    await this.#runs.vary(others, engines, observe, true);
    const path = 'other keys';
    const alone = others.map(({ world, stimulus }) => ({
      path,
      case: { program: program.name, world, stimuli: [stimulus] },
    }));
    const cases = await filledCases(program, machine, alone);
    if (cases.length > 0) await this.#runs.run({ engines, observe, cases, runs: 0 }, 'variants');
  }

  /** Contents of maps that nobody has stated, with which the sums of headers come to special values, or a packet comes out wrong. */
  async #mapContents(words: readonly Rewritten[], moved: readonly Moved[], machine: Engine): Promise<void> {
    const { program, worlds } = this.#options;
    if (this.#isOver() || worlds !== undefined || program.definition !== undefined) return;
    const inWords = await mapWordCases(program, machine, words);
    const cases = [...inWords, ...(await mapByteCases(program, machine, kindsOf([...words, ...moved])))];
    if (cases.length > 0) await this.#runs.run({ engines: [machine], cases, runs: 0 }, 'sweeps');
  }

  #isOver(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** One of each invariant and line, and of each cause, errors first. */
  async #collected(): Promise<CheckFinding[]> {
    const findings: CheckFinding[] = [
      ...loadFindings(this.#options.program, this.#runs.reports[0]!),
      ...warningFindings(this.#options.program, this.report().warnings, this.#made),
    ];
    const divergences = this.#runs.reports.flatMap((report) =>
      report.divergences.map((one) => asOf(one, this.#ofKernels.get(report))),
    );
    for (const one of divergences) if (one.isByGuess !== true) await this.#collect(one, findings);
    for (const made of this.#made) if (!findings.some((one) => isSame(one, made))) findings.push(made);
    // Last: a note is not to stand for an error.
    for (const one of divergences) if (one.isByGuess === true) await this.#collect(one, findings);
    return grouped(findings.filter(({ invariant }) => this.#isOn(invariant)));
  }

  /** Is it about headers, and of a run that took the frame for one without a link header? */
  #isOfOtherFrames(invariant: string, shown: Sequence): boolean {
    return this.#isMixed && isOfHeaders(invariant) && frameUses(this.#options.program, [shown]).ipFirst;
  }

  /** Adds what is new. */
  async #collect(divergence: Divergence, findings: CheckFinding[]): Promise<void> {
    const { program, machine, kernel, witness, versions = [] } = this.#options;
    const finding = await placedFinding(this.#options, findingOf(divergence));
    if (this.#isOfOtherFrames(finding.invariant, divergence.case)) return;
    if (!this.#isOn(finding.invariant) || findings.some((one) => isSame(one, finding))) return;
    if (finding.invariant === 'reply/own-mac' && (await isMacChosen(program, divergence))) return;
    const oracle = checkJudging(program, this.#isOn);
    if (await isByChance(program, createVmEngine(), divergence, oracle)) return;
    // The machine shows a packet for what the verifier only says.
    const refused = findings.findIndex(
      ({ invariant, divergence: shown }) => invariant === 'load/refused' && shown === undefined,
    );
    if (finding.invariant === 'load/refused' && refused >= 0) findings.splice(refused, 1);
    const own = [machine, witness, ...(kernel === undefined ? [] : [kernel])];
    // Nobody else is the other kernel.
    const others = versions.filter(({ version }) => version === divergence.asKernel);
    const engines = others.length === 0 ? own : others.map((one) => one.machine);
    // Who else shows it is not asked any more once somebody waits for the report.
    const asked = this.#isOver() ? [] : engines;
    findings.push({ ...finding, confirmedBy: await confirmed(program, divergence, asked, oracle) });
  }
}

/** Says as which kernel it was seen, where that is not the newest. */
function asOf(divergence: Divergence, version: string | undefined): Divergence {
  if (version === undefined) return divergence;
  return { ...divergence, asKernel: version, summary: `${divergence.summary} (as Linux ${version})` };
}

/**
 * Two findings of one invariant at one line are one, seen on two packets. What was found in the program's text, and no packet
 * shows, says in its summary where it is; that alone tells places apart in an object without lines.
 */
function isSame(a: CheckFinding, b: CheckFinding): boolean {
  if (a.invariant !== b.invariant) return false;
  const isText = a.divergence === undefined && b.divergence === undefined;
  if (isText && a.source === undefined && b.source === undefined) return a.summary === b.summary;
  return a.source?.file === b.source?.file && a.source?.line === b.source?.line;
}
