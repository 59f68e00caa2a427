/** The runs of `verify` that make up a check: what all of them have in common, and their reports put together. */

import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { withMadeMaps } from '../../sim/ebpf/made-maps.ts';
import { ETHERNET_HEADER } from '../../sim/ebpf/packet-area.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { asReceived } from '../../sim/engines/received.ts';
import type { SkbInput, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Coverage } from '../../sim/runtime/coverage.ts';
import { SEQUENCES } from '../../sim/runtime/maps.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldsOf } from '../batch-plan.ts';
import type { Progress } from '../collector.ts';
import { outcomeAt } from '../outcome.ts';
import { notToReach, type ProofAid, type ProvedWay } from '../prove/aid.ts';
import { withoutImpossible } from '../prove/proved-coverage.ts';
import { type Divergence, mergeReports, type ProgramReport, withCoverageFigures } from '../report.ts';
import { verify } from '../run.ts';
import { BrokenLines } from './broken-lines.ts';
import type { CheckOptions, CheckProgress } from './check-options.ts';
import { waysIntoEmptyMaps } from './empty-program-maps.ts';
import type { SweepReport } from './finding.ts';
import { checkJudging, type IsOn } from './judging.ts';
import { ListSource } from './list-source.ts';
import { CaseRunner, hasContents, type Sighting } from './probe.ts';
import type { Rewritten } from './rewritten.ts';
import { SWEEP_SIZE, SweepSource } from './sweep-packets.ts';
import { TimeBudget } from './time-budget.ts';
import { variantsOf } from './variants.ts';
import { ENOUGH_VALUES, of } from './verdict.ts';

const DEFAULT_SHRINK_SECONDS = 3;
/** More would not be read. */
const MAX_FINDINGS = 32;

/** Packets whose neighbours are looked at, in each world. */
const MAX_VARIED = 48;
/** How often a packet comes to see whether what it meets in maps wears off. */
const REPEATED = 16;
/** Variants that then run alone: each opens its world anew. */
const MAX_ALONE = 256;
/** Words that are swept where a line writes whatever the packet holds: there are many, and the check has failed. */
const SWEPT_OF_CROWDED = 32;
/** Larger than in other runs: one sweep is eight cases. */
const SWEEP_BATCH = 8192;

type VerifyOptions = Parameters<typeof verify>[0];

export type Observe = NonNullable<VerifyOptions['observe']>;

/** In what one run differs from the others. */
export type Part = Pick<
  VerifyOptions,
  'engines' | 'observe' | 'cases' | 'source' | 'worlds' | 'runs' | 'seconds' | 'batchSize' | 'range'
>;

interface Cut {
  readonly done: number;
  readonly wanted: number;
  readonly isCut: boolean;
}

export class CheckRuns {
  /** No run goes on when it is over. */
  readonly budget: TimeBudget;
  /** Ways that are not asked for, whatever a proof says. */
  readonly leftOut: ProvedWay[] = [];
  readonly #options: CheckOptions;
  readonly #isOn: IsOn;
  readonly #lines: BrokenLines;
  #reports: ProgramReport[] = [];
  readonly #sweeps = new Set<ProgramReport>();
  /** Of phases that time was too short for: packets that ran, and that were to run. */
  readonly #cut = new Map<CheckProgress['phase'], Cut>();

  constructor(options: CheckOptions, isOn: IsOn, budget: TimeBudget = new TimeBudget()) {
    this.budget = budget;
    this.#options = options;
    this.#isOn = isOn;
    this.#lines = new BrokenLines(options.program);
  }

  /** In the order in which they ran. */
  get reports(): readonly ProgramReport[] {
    return this.#reports;
  }

  /** Takes the last report back: what it says is said in another way. */
  dropLast(): void {
    this.#reports.pop();
  }

  /**
   * What time was too short for, a sentence for each phase of which next to nothing ran. Of sweeps, which go on as time comes, they
   * say themselves.
   */
  get cutShort(): string[] {
    return this.#cutPhases((phase, { done, wanted }) => phase !== 'paths' && done < wanted * ENOUGH_VALUES);
  }

  /** The same of phases of which enough ran to tell something, and of followed paths: what these do not reach, coverage says. */
  get shortened(): string[] {
    return this.#cutPhases((phase, { done, wanted }) => phase === 'paths' || done >= wanted * ENOUGH_VALUES);
  }

  #cutPhases(is: (phase: CheckProgress['phase'], cut: Cut) => boolean): string[] {
    return [...this.#cut].flatMap(([phase, cut]) => {
      const { done, wanted, isCut } = cut;
      return isCut && is(phase, cut)
        ? [`${phase}: ${done.toLocaleString('en-US')} of ${of(wanted, 'packet')}, for lack of time`]
        : [];
    });
  }

  /** @param phase what is shown while it runs */
  async run(part: Part, phase: CheckProgress['phase']): Promise<ProgramReport> {
    const seconds = Math.min(part.seconds ?? Number.POSITIVE_INFINITY, this.budget.left);
    const { program, seed, worlds, source, witness, kernel, signal, save, onProgress } = this.#options;
    const { testedApart } = this.#options;
    const copy = program.copy === undefined ? '' : `copy-${program.copy}-`;
    const number = `${copy}run-${this.#reports.length}`;
    const report = await verify({
      program,
      seed,
      witness,
      oracle: checkJudging(program, this.#isOn),
      maxDivergences: MAX_FINDINGS,
      notesGuesses: true,
      shrink: { maxSeconds: this.#options.shrinkSeconds ?? DEFAULT_SHRINK_SECONDS },
      places: this.#lines,
      stated: worlds ?? worldsOf(program),
      ...(testedApart === undefined ? {} : { testedApart }),
      ...(worlds === undefined ? {} : { worlds }),
      ...(source === undefined ? {} : { source }),
      ...(kernel === undefined ? {} : { kernel }),
      ...(signal === undefined ? {} : { signal }),
      ...(save === undefined
        ? {}
        : {
            save: (divergence: Divergence) =>
              save({ ...divergence, run: [number, divergence.run ?? []].flat().join('-') }),
          }),
      ...(onProgress === undefined
        ? {}
        : { onProgress: (progress: Progress) => onProgress({ ...progress, phase }) }),
      ...part,
      ...(Number.isFinite(seconds) ? { seconds } : {}),
    });
    this.#reports.push(report);
    if (phase === 'sweeps') this.#sweeps.add(report);
    if (this.#isAskedFor(phase, part)) this.#count(part, phase, report.packets);
    return report;
  }

  /** Of packets, as many as there is time for are enough, unless somebody wants a number of them. */
  #isAskedFor(phase: CheckProgress['phase'], { runs }: Part): boolean {
    if (phase === 'sweeps' || runs === undefined) return false;
    return phase !== 'packets' || this.#options.runs !== undefined;
  }

  #count({ runs = 0, cases }: Part, phase: CheckProgress['phase'], packets: number): void {
    if (!this.budget.isLimited) return;
    const known = this.#cut.get(phase) ?? { done: 0, wanted: 0, isCut: false };
    const ofCases = Array.isArray(cases) ? cases.reduce((sum, one) => sum + one.case.stimuli.length, 0) : 0;
    const wanted = runs + ofCases;
    const isCut = packets < wanted && this.budget.isOver;
    // Of paths, what is left runs again: the last run says whether something is left.
    this.#cut.set(
      phase,
      phase === 'paths'
        ? { done: known.done + packets, wanted: known.done + wanted, isCut }
        : { done: known.done + packets, wanted: known.wanted + wanted, isCut: known.isCut || isCut },
    );
  }

  /**
   * Neighbours of the packets that the program was seen to change.
   * @param isNew have these packets themselves not run?
   */
  async vary(
    changed: readonly Pick<Rewritten, 'world' | 'stimulus'>[],
    engines: readonly Engine[],
    observe: Observe,
    isNew: boolean = false,
  ): Promise<void> {
    const byWorld = new Map<World, Set<Stimulus>>();
    for (const { world, stimulus } of changed) {
      const known = byWorld.get(world);
      if (known === undefined) byWorld.set(world, new Set([stimulus]));
      else known.add(stimulus);
    }
    for (const [world, stimuli] of byWorld) {
      if (this.#isOver()) return;
      const list = [...stimuli]
        .slice(0, MAX_VARIED)
        .flatMap((one) => (isNew ? [one, ...variantsOf(one)] : variantsOf(one)))
        .map((one) => asReceived(this.#options.program, one));
      if (list.length === 0) continue;
      const source = new ListSource(list);
      const worlds = [{ name: 'varied', world }];
      await this.run({ engines, observe, source, worlds, runs: list.length }, 'variants');
      if (await this.#wearsOff(world, [...stimuli][0]!)) await this.#eachAlone(world, list, engines, observe);
    }
  }

  /** Is what a map holds no longer there once some packets have come: a bucket that is emptied, a connection that ends? */
  async #wearsOff(world: World, stimulus: Stimulus): Promise<boolean> {
    if (!hasContents(world)) return false;
    const runner = new CaseRunner(this.#options.program, this.#options.machine);
    try {
      const ran = await runner.run(world, new Array(REPEATED).fill(stimulus));
      if (ran === undefined) return false;
      const first = outcomeAt(ran.output, 0);
      const last = outcomeAt(ran.output, REPEATED - 1);
      return first.action !== last.action || Buffer.compare(first.packet, last.packet) !== 0;
    } finally {
      await runner.close();
    }
  }

  /** Packets that each meet what the world says is in maps. */
  async #eachAlone(
    world: World,
    list: readonly Stimulus[],
    engines: readonly Engine[],
    observe: Observe,
  ): Promise<void> {
    const cases = list.slice(0, MAX_ALONE).map((stimulus, index) => ({
      path: `varied case ${index + 1}`,
      case: { program: this.#options.program.name, world, stimuli: [stimulus] },
    }));
    await this.run({ engines, observe, cases, runs: 0 }, 'variants');
  }

  /** Frames that ran whole, with nothing but the Ethernet header in one piece: slices of dynptrs are copies then. In the machine alone. */
  async inPieces(whole: readonly Sighting[], machine: Engine, observe: Observe): Promise<void> {
    const long = whole.filter(({ stimulus }) => stimulus.packet.length > ETHERNET_HEADER);
    await this.#asOthers(long, { linear: ETHERNET_HEADER }, 'in pieces', machine, observe);
  }

  /** Frames that ran with a test run's socket, without one, as they come in by a device. In the machine alone. */
  async withoutSocket(ran: readonly Sighting[], machine: Engine, observe: Observe): Promise<void> {
    await this.#asOthers(ran, { noSocket: true }, 'without a socket', machine, observe);
  }

  /** Frames at TC once more, with something beside them that no test run gives them. */
  async #asOthers(
    ran: readonly Sighting[],
    beside: SkbInput,
    name: string,
    machine: Engine,
    observe: Observe,
  ): Promise<void> {
    const byWorld = new Map<World, Stimulus[]>();
    for (const { world, stimulus } of new Set(ran)) {
      const { entry = 0, skb } = stimulus;
      const hook = this.#options.program.entries[entry]?.hook;
      if (hook === undefined || hook === 'xdp') continue;
      const other = { ...stimulus, skb: { ...skb, ...beside } };
      const known = byWorld.get(world);
      if (known === undefined) byWorld.set(world, [other]);
      else known.push(other);
    }
    for (const [world, list] of byWorld) {
      if (this.#isOver()) return;
      const source = new ListSource(list);
      await this.run(
        { engines: [machine], observe, source, worlds: [{ name, world }], runs: list.length },
        'variants',
      );
    }
  }

  /** Every word that the program was seen to rewrite takes all of its values, in the machine alone. */
  async sweep(all: readonly Rewritten[], machine: Engine): Promise<Pick<SweepReport, 'words' | 'packets'>> {
    const byWorld = new Map<World, Rewritten[]>();
    for (const word of this.worthSweeping(all)) {
      const known = byWorld.get(word.world);
      if (known === undefined) byWorld.set(word.world, [word]);
      else known.push(word);
    }
    let words = 0;
    let packets = 0;
    for (const [world, sweeps] of byWorld) {
      if (this.#isOver()) break;
      const report = await this.run(
        {
          engines: [machine],
          source: new SweepSource(sweeps),
          worlds: [{ name: 'swept', world }],
          runs: sweeps.length * SWEEP_SIZE,
          batchSize: this.packetsOfCase(world),
        },
        'sweeps',
      );
      packets += report.packets;
      words += Math.floor(report.packets / SWEEP_SIZE);
    }
    return { words, packets };
  }

  /** Fewer where many would show the same. */
  worthSweeping(all: readonly Rewritten[]): readonly Rewritten[] {
    return this.#lines.isAnyCrowded ? all.slice(0, SWEPT_OF_CROWDED) : all;
  }

  /** Of a sweep. A queue that the world has filled is filled again with each case: one element for each packet. */
  packetsOfCase({ maps = {} }: World): number {
    const { object } = this.#options.program;
    const own = object === undefined ? [] : withMadeMaps(linkedObject(object), { maps }).maps;
    const elements = own
      .filter(({ name, type }) => SEQUENCES.has(type) && (maps[name]?.length ?? 0) > 0)
      .map(({ name }) => maps[name]!.length);
    return Math.min(SWEEP_BATCH, ...elements);
  }

  #isOver(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /**
   * All runs in one report, as if it were one.
   * @param proof what of the program nothing reaches
   * @param more packets that were generated in later runs
   */
  summary(proof: ProofAid | undefined, more: number = 0): ProgramReport {
    return this.#summed(this.#reports, proof, more);
  }

  /** The same of what ran before sweeps and between them. */
  summaryWithoutSweeps(): ProgramReport {
    const others = this.#reports.filter((one) => !this.#sweeps.has(one));
    return this.#summed(others, undefined, 0);
  }

  #summed(reports: readonly ProgramReport[], proof: ProofAid | undefined, more: number): ProgramReport {
    const [first, ...others] = reports;
    // Sweeps are of one engine: what the first run says of engines is what counts.
    const all = others.map((other) => ({
      ...other,
      engines: first!.engines.map((one) => ({ ...one, packets: 0, seconds: 0 })),
    }));
    const sum = mergeReports([first!, ...all]);
    const seen = sum.fullCoverage;
    const coverage = seen === undefined ? undefined : this.#withoutImpossible(seen, proof);
    return withCoverageFigures({
      ...sum,
      packets: first!.packets + more,
      ...(coverage === undefined ? {} : { fullCoverage: coverage }),
    });
  }

  /** Nothing goes where a proof says so, where only a kernel without memory would, or through a map of programs that is stated as empty. */
  #withoutImpossible(seen: Coverage, proof: ProofAid | undefined): Coverage {
    const { program, worlds = [] } = this.#options;
    const isAny = proof !== undefined || worlds.length > 0 || this.leftOut.length > 0;
    if (program.object === undefined || !isAny) return seen;
    const object = linkedObject(program.object);
    return withoutImpossible(seen, object, [
      ...this.leftOut,
      ...(proof === undefined ? [] : notToReach(proof)),
      ...waysIntoEmptyMaps(
        object,
        worlds.map(({ world }) => world),
      ),
    ]);
  }
}
