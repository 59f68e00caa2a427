/**
 * Is a program safe to deploy? Everything that can be asked without a model, one after the other:
 *
 *     packets through machine and kernel, every outcome judged ─► what the program rewrites, swept over all values
 *        ─► its text ─► findings ─► verdict
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldsOf } from '../batch-plan.ts';
import type { PacketSource } from '../batch-runner.ts';
import type { Progress } from '../collector.ts';
import { mergeCoverage, summarizeCoverage } from '../coverage-summary.ts';
import { guessedSlots } from '../guessed-slots.ts';
import { guide } from '../guide/guide.ts';
import { GuidedSource, guidedWorlds } from '../guide/guided-source.ts';
import type { ProofAid } from '../prove/aid.ts';
import { PROVED_CASE } from '../prove/proved-case.ts';
import { withoutImpossible } from '../prove/proved-coverage.ts';
import { type Divergence, mergeReports, type ProgramReport, type Saved } from '../report.ts';
import { verify } from '../run.ts';
import { type Unreached, unreachedOf } from '../unreached.ts';
import { BrokenLines } from './broken-lines.ts';
import { confirmed } from './confirm.ts';
import { ConstantValues } from './constant-values.ts';
import type { CheckedProgram, CheckFinding, SweepReport } from './finding.ts';
import { findingOf, loadFindings, warningFindings } from './findings.ts';
import { FragmentReads } from './fragment-reads.ts';
import { grouped } from './group.ts';
import { checkJudging, type IsOn } from './judging.ts';
import { ListSource } from './list-source.ts';
import { lostUpdates } from './lost-updates.ts';
import { mapWordCases } from './map-words.ts';
import { kernelDifference, refusedBy } from './other-kernels.ts';
import { decidingLine, divergenceOf, hasContents, type Seen, traceOf } from './probe.ts';
import { Redirects } from './redirects.ts';
import { type Rewritten, RewrittenWords } from './rewritten.ts';
import { SWEEP_SIZE, SweepSource } from './sweep-packets.ts';
import { TtlSteps } from './ttl-steps.ts';
import { Uninitialized } from './uninitialized.ts';
import { variantsOf } from './variants.ts';
import { ENOUGH_COVERAGE, hasReached, type Thresholds, verdictOfCheck } from './verdict.ts';

export interface CheckOptions extends Thresholds {
  readonly program: Program;
  /** The machine that runs everything: `wasm`. */
  readonly machine: Engine;
  /** `testrun`; it may not be able to run here. */
  readonly kernel?: Engine;
  /** The machine as other kernels, whose behaviour is to be the same. */
  readonly versions?: readonly OtherKernel[];
  /** `vm`: explains, and confirms. */
  readonly witness: Engine;
  readonly seed: string;
  /** How many packets are generated; default 40 000. */
  readonly runs?: number;
  /** After how long to stop generating; default: never. */
  readonly seconds?: number;
  /** Replayed before anything is generated. */
  readonly cases?: readonly SavedCase[];
  /** Default: the program's, or those that a program without a definition gets. */
  readonly worlds?: readonly NamedWorld[];
  /** Default: the generator. */
  readonly source?: PacketSource;
  /** Which invariants are judged; default: all. */
  readonly isOn?: IsOn;
  /** Whether words that the program rewrites are swept; default true. */
  readonly sweeps?: boolean;
  /** Instructions that the search for packets may run; default 2 million, about half a second. */
  readonly effort?: number;
  /** Per finding; default 3. */
  readonly shrinkSeconds?: number;
  /** Functions of the same object that are checked by themselves in the same run: what is theirs is reported there. */
  readonly testedApart?: ReadonlySet<string>;
  /** Follows the program's paths, where packets left too many branches out; undefined: nobody can, or not this program. */
  readonly prove?: (program: Program) => Promise<ProofAid | undefined>;
  /** Per cent of the branches below which paths are followed; default: what `minCoverage` asks for. */
  readonly proveFrom?: number;
  readonly signal?: AbortSignal;
  readonly save?: (divergence: Divergence) => Promise<Saved>;
  readonly onProgress?: (progress: CheckProgress) => void;
}

/** The machine as a kernel of some version. */
export interface OtherKernel {
  readonly version: string;
  readonly machine: Engine;
}

export interface CheckProgress extends Progress {
  readonly phase: 'packets' | 'variants' | 'sweeps' | 'other kernels' | 'paths';
}

const DEFAULT_RUNS = 40_000;
const DEFAULT_SHRINK_SECONDS = 3;
/** More would not be read. */
const MAX_FINDINGS = 32;
/** Packets whose neighbours are looked at, in each world. */
const MAX_VARIED = 48;
/** Words that are swept where a line writes whatever the packet holds: there are many, and the check has failed. */
const SWEPT_OF_CROWDED = 32;
/** Packets for each other kernel. */
const OTHER_RUNS = 16_384;
/** Instructions that the search for packets may run: about half a second. */
const GUIDE_EFFORT = 2_000_000;
/** Larger than in other runs: one sweep is eight cases. */
const SWEEP_BATCH = 8192;

export async function check(options: CheckOptions): Promise<CheckedProgram> {
  const start = performance.now();
  const run = new Check(options);
  const findings = await run.findings();
  const { report, sweeps } = run;
  const { program } = options;
  const unreached = unreachedIn(program, report);
  const { verdict, reason, notChecked } = verdictOfCheck({
    report,
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
    notChecked,
    seconds: (performance.now() - start) / 1000,
  };
}

function unreachedIn({ object }: Program, { fullCoverage }: ProgramReport): Unreached[] {
  return object === undefined || fullCoverage === undefined
    ? []
    : unreachedOf(linkedObject(object), fullCoverage);
}

type Observe = NonNullable<Parameters<typeof verify>[0]['observe']>;

class Check {
  readonly #options: CheckOptions;
  readonly #isOn: IsOn;
  readonly #rewritten: RewrittenWords;
  readonly #ttl: TtlSteps;
  readonly #fragments = new FragmentReads();
  readonly #garbage: Uninitialized;
  readonly #redirects: Redirects;
  readonly #lines: BrokenLines;
  #made: CheckFinding[] = [];
  #reports: ProgramReport[] = [];
  sweeps: SweepReport = { words: 0, packets: 0, left: 0 };
  proof: ProofAid | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.#isOn = options.isOn ?? (() => true);
    const { program } = options;
    this.#ttl = new TtlSteps(program, options.worlds !== undefined);
    this.#garbage = new Uninitialized(program);
    this.#lines = new BrokenLines(program);
    this.#redirects = new Redirects(program, options.worlds !== undefined);
    this.#rewritten = new RewrittenWords(
      program.entries.map(({ hook }) => hook),
      (pair, world, input, packet) => this.#ttl.enter(pair, world, input, packet),
    );
  }

  get report(): ProgramReport {
    const [first, ...others] = this.#reports;
    // Sweeps are of one engine: what the first run says of engines is what counts.
    const all = others.map((other) => ({
      ...other,
      engines: first!.engines.map((one) => ({ ...one, packets: 0, seconds: 0 })),
    }));
    const sum = mergeReports([first!, ...all]);
    const seen = mergeCoverage(this.#reports.flatMap(({ fullCoverage }) => fullCoverage ?? []));
    const { object } = this.#options.program;
    const coverage =
      seen === undefined || object === undefined || this.proof === undefined
        ? seen
        : withoutImpossible(seen, linkedObject(object), this.proof.impossible);
    return {
      ...sum,
      packets: first!.packets,
      ...(coverage === undefined ? {} : { fullCoverage: coverage, coverage: summarizeCoverage(coverage) }),
    };
  }

  async findings(): Promise<CheckFinding[]> {
    const { kernel, machine, runs, seconds, cases = [] } = this.#options;
    const engines = kernel === undefined ? [machine] : [kernel, machine];
    const observe = this.#observe;
    const guided = this.#guided();
    const length =
      seconds === undefined
        ? { runs: runs ?? DEFAULT_RUNS }
        : { seconds, ...(runs === undefined ? {} : { runs }) };
    await this.#verify(
      { engines, observe, ...length, ...guided, cases: [...cases, ...(guided.cases ?? [])] },
      'packets',
    );
    if (this.#hasRun()) {
      await this.#variants(engines, observe);
      if (this.#options.sweeps !== false) {
        this.sweeps = await this.#sweep(machine);
        await this.#mapWords(machine);
      }
      await this.#probe();
      await this.#otherKernels();
      await this.#paths(engines, observe);
    }
    return await this.#collected();
  }

  /** Packets and worlds that lead where random ones do not. */
  #guided(): Pick<Parameters<typeof verify>[0], 'source' | 'worlds' | 'cases'> & {
    readonly cases?: readonly SavedCase[];
  } {
    const { program, seed, signal, worlds = worldsOf(program), source, machine } = this.#options;
    if (source !== undefined || program.object === undefined || !machine.availability(program).available)
      return {};
    try {
      linkedObject(program.object);
    } catch (error) {
      // The run says what is wrong with the object.
      if (error instanceof ObjectError) return {};
      throw error;
    }
    const guidance = guide(program, {
      seed,
      worlds,
      effort: this.#options.effort ?? GUIDE_EFFORT,
      combinations: true,
      ...(signal === undefined ? {} : { signal }),
    });
    const base = new PacketGenerator(
      program.definition?.hints,
      program.entries.map(({ hook }) => hook),
    );
    return {
      source: new GuidedSource(base, program, guidance),
      worlds: guidedWorlds(worlds, guidance),
      cases: guidance.cases.map(({ world, stimuli }, index) => ({
        path: `guided case ${index + 1}`,
        case: { program: program.name, world, stimuli },
      })),
    };
  }

  readonly #observe: Observe = (world, input, reports) => {
    const own = reports.find(({ engine }) => engine.name === this.#options.machine.name);
    if (own === undefined || this.#isOfOthers(world)) return;
    this.#rewritten.observe(world, input, own);
    this.#fragments.observe(world, input, own);
    this.#garbage.observe(world, input, own);
    this.#redirects.observe(world, input, own);
  };

  /** In slots that the test filled, are there only programs that are checked by themselves? */
  #isOfOthers(world: World): boolean {
    const { testedApart } = this.#options;
    const slots = guessedSlots(world);
    return slots.length > 0 && slots.every(({ program }) => testedApart?.has(program) === true);
  }

  #hasRun(): boolean {
    const { name } = this.#options.machine;
    return this.#reports[0]!.engines.some((engine) => engine.name === name && engine.status === 'ran');
  }

  /** Neighbours of the packets that the program was seen to change. */
  async #variants(engines: readonly Engine[], observe: Observe): Promise<void> {
    const byWorld = new Map<World, Set<Stimulus>>();
    for (const { world, stimulus } of this.#rewritten.words) {
      const known = byWorld.get(world);
      if (known === undefined) byWorld.set(world, new Set([stimulus]));
      else known.add(stimulus);
    }
    for (const [world, stimuli] of byWorld) {
      if (this.#isOver()) return;
      const list = [...stimuli].slice(0, MAX_VARIED).flatMap(variantsOf);
      if (list.length === 0) continue;
      const source = new ListSource(list);
      const worlds = [{ name: 'varied', world }];
      await this.#verify({ engines, observe, source, worlds, runs: list.length }, 'variants');
    }
  }

  /** What single cases show that are looked at more closely. */
  async #probe(): Promise<void> {
    const { program, machine } = this.#options;
    this.#made.push(...lostUpdates(program));
    const found = [
      await this.#ttl.find(machine),
      await this.#fragments.find(program, machine),
      ...(await this.#garbage.find(machine)),
      ...(await this.#redirects.find()),
    ];
    for (const seen of found) if (seen !== undefined) await this.#enter(seen);
  }

  async #enter(seen: Seen, version?: string): Promise<void> {
    if (!this.#isOn(seen.breach.invariant)) return;
    const { program, seed, save } = this.#options;
    const divergence = await divergenceOf(program, seed, seen);
    const saved = save === undefined ? {} : await save(divergence);
    const finding = await this.#placed(findingOf({ ...divergence, ...saved }));
    const summary = version === undefined ? finding.summary : `${finding.summary} (as Linux ${version})`;
    this.#made.push({ ...finding, summary, confirmedBy: [seen.engine.name] });
  }

  /** With the line that decided, and no error where it took a map's contents that the test made up. */
  async #placed(finding: CheckFinding): Promise<CheckFinding> {
    const { program, worlds } = this.#options;
    const { divergence, source } = finding;
    if (divergence === undefined) return finding;
    const decides = /^(action|redirect|uninitialized)\//.test(finding.invariant);
    const line = source === undefined && decides ? await decidingLine(program, divergence.case) : undefined;
    const placed = line === undefined ? finding : { ...finding, source: line };
    if (worlds !== undefined || program.definition !== undefined) return placed;
    const isMadeUp = hasContents(divergence.case.world);
    if (placed.invariant === 'reply/zero-source' && !isMadeUp && !(await this.#isConstant(divergence)))
      return { ...placed, severity: 'warning' };
    if (!isMadeUp || !DEPENDS_ON_CONTENTS.test(finding.invariant)) return placed;
    return {
      ...placed,
      severity: 'info',
      summary: `${placed.summary} (with contents of maps that the test made up)`,
    };
  }

  /** Are the bytes in question the program's own constants, and none that a map or a variable holds? */
  async #isConstant({ case: shown, finding: { breach } }: Divergence): Promise<boolean> {
    const { program } = this.#options;
    const trace = await traceOf(program, shown);
    if (trace === undefined || breach === undefined) return false;
    return new ConstantValues(program, trace).isWritten(breach.at, breach.at + breach.size);
  }

  /** The same packets, and the same sweeps, in the machine as other kernels. */
  async #otherKernels(): Promise<void> {
    const { program, machine, versions = [], signal } = this.#options;
    for (const { version, machine: other } of versions) {
      if (this.#isOver()) return;
      const before = this.#reports.length;
      const report = await this.#verify({ engines: [other], runs: OTHER_RUNS }, 'other kernels');
      const refused = refusedBy(program, version, report);
      if (refused !== undefined) {
        this.#made.push(refused);
        this.#reports.splice(before);
        continue;
      }
      if (this.#options.sweeps !== false) await this.#sweep(other);
      const words = this.#rewritten.words;
      const seen = await kernelDifference(program, version, machine, other, words, signal);
      if (seen !== undefined) await this.#enter(seen, version);
    }
  }

  /**
   * Branches that no packet has reached: one reaches them, or a proof says that none does. Contents of maps that only
   * serve to go a path are none that anybody has to expect.
   */
  async #paths(engines: readonly Engine[], observe: Observe): Promise<void> {
    const { program, prove, worlds } = this.#options;
    const enough = this.#options.proveFrom ?? this.#options.minCoverage ?? ENOUGH_COVERAGE;
    if (prove === undefined || this.#isOver() || hasReached(this.report, enough)) return;
    this.proof = await prove(program);
    const cases = (this.proof?.cases ?? [])
      .filter(({ world }) => !hasContents(world))
      .map((one, index) => ({
        path: `${PROVED_CASE}${index + 1}`,
        case: worlds === undefined ? one : { ...one, world: worlds[0]!.world },
      }));
    if (cases.length > 0) await this.#verify({ engines, observe, cases, runs: 0 }, 'paths');
  }

  /** Every word that the program was seen to rewrite takes all of its values, in the machine alone. */
  async #sweep(machine: Engine): Promise<SweepReport> {
    const byWorld = new Map<World, Rewritten[]>();
    const all = this.#rewritten.words;
    for (const word of this.#lines.isAnyCrowded ? all.slice(0, SWEPT_OF_CROWDED) : all) {
      const known = byWorld.get(word.world);
      if (known === undefined) byWorld.set(word.world, [word]);
      else known.push(word);
    }
    let words = 0;
    let packets = 0;
    for (const [world, sweeps] of byWorld) {
      if (this.#isOver()) break;
      const report = await this.#verify(
        {
          engines: [machine],
          source: new SweepSource(sweeps),
          worlds: [{ name: 'swept', world }],
          runs: sweeps.length * SWEEP_SIZE,
          batchSize: SWEEP_BATCH,
        },
        'sweeps',
      );
      packets += report.packets;
      words += Math.floor(report.packets / SWEEP_SIZE);
    }
    const left = this.#rewritten.left + all.length - words;
    return { words, packets, left };
  }

  /** Contents of maps that nobody has stated, with which the sums of headers come to special values. */
  async #mapWords(machine: Engine): Promise<void> {
    const { program, worlds } = this.#options;
    if (this.#isOver() || worlds !== undefined || program.definition !== undefined) return;
    const cases = await mapWordCases(program, machine, this.#rewritten.words);
    if (cases.length > 0) await this.#verify({ engines: [machine], cases, runs: 0 }, 'sweeps');
  }

  #isOver(): boolean {
    return this.#options.signal?.aborted === true;
  }

  async #verify(
    part: Pick<
      Parameters<typeof verify>[0],
      'engines' | 'observe' | 'cases' | 'source' | 'worlds' | 'runs' | 'seconds' | 'batchSize'
    >,
    phase: CheckProgress['phase'],
  ): Promise<ProgramReport> {
    const { program, seed, worlds, source, witness, kernel, signal, save, onProgress } = this.#options;
    const { testedApart } = this.#options;
    const report = await verify({
      program,
      seed,
      witness,
      oracle: checkJudging(program, this.#isOn),
      maxDivergences: MAX_FINDINGS,
      shrink: { maxSeconds: this.#options.shrinkSeconds ?? DEFAULT_SHRINK_SECONDS },
      places: this.#lines,
      ...(testedApart === undefined ? {} : { testedApart }),
      ...(worlds === undefined ? {} : { worlds }),
      ...(source === undefined ? {} : { source }),
      ...(kernel === undefined ? {} : { kernel }),
      ...(signal === undefined ? {} : { signal }),
      ...(save === undefined ? {} : { save }),
      ...(onProgress === undefined
        ? {}
        : { onProgress: (progress: Progress) => onProgress({ ...progress, phase }) }),
      ...part,
    });
    this.#reports.push(report);
    return report;
  }

  /** One of each invariant and line, and of each cause, errors first. */
  async #collected(): Promise<CheckFinding[]> {
    const { program, machine, kernel, witness } = this.#options;
    const findings: CheckFinding[] = [
      ...loadFindings(program, this.#reports[0]!),
      ...warningFindings(program, this.report.warnings, this.#made),
    ];
    for (const divergence of this.#reports.flatMap(({ divergences }) => divergences)) {
      const finding = await this.#placed(findingOf(divergence));
      if (!this.#isOn(finding.invariant) || findings.some((one) => isSame(one, finding))) continue;
      // The machine shows a packet for what the verifier only says.
      const refused = findings.findIndex(
        ({ invariant, divergence: shown }) => invariant === 'load/refused' && shown === undefined,
      );
      if (finding.invariant === 'load/refused' && refused >= 0) findings.splice(refused, 1);
      const engines = [machine, witness, ...(kernel === undefined ? [] : [kernel])];
      const oracle = checkJudging(program, this.#isOn);
      findings.push({ ...finding, confirmedBy: await confirmed(program, divergence, engines, oracle) });
    }
    for (const made of this.#made) if (!findings.some((one) => isSame(one, made))) findings.push(made);
    return grouped(findings.filter(({ invariant }) => this.#isOn(invariant)));
  }
}

/** What a program does with a number from a map, it does because the map says so. */
const DEPENDS_ON_CONTENTS = /^(action|redirect|reply|ttl)\/|^fragments\/ports-read$/;

/** Two findings of one invariant at one line are one, seen on two packets. */
function isSame(a: CheckFinding, b: CheckFinding): boolean {
  if (a.invariant !== b.invariant) return false;
  return a.source?.file === b.source?.file && a.source?.line === b.source?.line;
}
