/**
 * Copies that a program sends before it ends (`bpf_clone_redirect`): no outcome shows them, so packets run once more in the
 * interpreter, up to the first copy, the second, and so on, and what is sent there is judged like a frame that is redirected.
 */

import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { TC_ACT_REDIRECT } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { isOfHeaders } from '../invariants/rules.ts';
import type { CheckOptions } from './check-options.ts';
import { CheckRuns, type Observe } from './check-runs.ts';
import type { CheckFinding } from './finding.ts';
import { findingOf } from './findings.ts';
import type { GuidedRun } from './guided-run.ts';
import { callsAny, type IsOn } from './judging.ts';
import { LabelTtls } from './label-ttls.ts';
import { mapWordCases } from './map-words.ts';
import { placedFinding } from './placed-finding.ts';
import { divergenceOf } from './probe.ts';
import { RewrittenWords } from './rewritten.ts';
import { TimeBudget } from './time-budget.ts';
import { TtlSteps } from './ttl-steps.ts';
import { TtlWraps } from './ttl-wraps.ts';

const CLONE_REDIRECT = 'bpf_clone_redirect';
/** Copies of one packet that are judged: those of a loop are made alike. */
const MOST_COPIES = 3;
/** Packets for each of them: the interpreter is slow, and the guidance knows what leads there. */
const RUNS = 4096;
/** Words of the first copy that are swept. */
const MOST_SWEPT = 8;

export interface JudgedCopies {
  readonly findings: readonly CheckFinding[];
  /** What of the copies was not judged, a sentence each. */
  readonly notJudged: readonly string[];
}

/** Judges what a program sends with `bpf_clone_redirect`, where it calls that. @param guided the packets of the check */
export async function judgedCopies(
  options: CheckOptions,
  isOn: IsOn,
  guided: GuidedRun,
  budget: TimeBudget = new TimeBudget(),
): Promise<JudgedCopies> {
  const { program, witness } = options;
  const isJudged = program.object !== undefined && witness.availability(program).available;
  if (!isJudged || !callsAny(program, ({ name }) => name === CLONE_REDIRECT))
    return { findings: [], notJudged: [] };
  const findings: CheckFinding[] = [];
  const cut: string[] = [];
  for (let number = 0; number < MOST_COPIES; number++) {
    if (options.signal?.aborted === true) break;
    const copy = new Copy(options, isOn, number, budget);
    findings.push(...(await copy.findings(guided)));
    cut.push(...copy.cutShort);
    if (copy.isSent) continue;
    const notJudged = number > 0 ? [] : [`no packet was copied: what ${CLONE_REDIRECT} sends was not judged`];
    return { findings, notJudged: [...notJudged, ...new Set(cut)] };
  }
  return { findings, notJudged: [...new Set(cut)] };
}

/** Whoever collects copies has no socket to look for. */
const OF_SOCKETS = 'icmp/quote-left';

/** The first copy that packets are sent as, or the second … */
class Copy {
  readonly #options: CheckOptions;
  readonly #program: Program;
  readonly #isOn: IsOn;
  readonly #isFirst: boolean;
  readonly #runs: CheckRuns;
  readonly #ttl: TtlSteps;
  readonly #wraps: TtlWraps;
  readonly #labels: LabelTtls;
  readonly #rewritten: RewrittenWords;
  /** Was any packet sent so? */
  isSent = false;

  constructor({ kernel: _, ...options }: CheckOptions, isOn: IsOn, number: number, budget: TimeBudget) {
    this.#program = { ...options.program, copy: number };
    this.#options = { ...options, program: this.#program };
    this.#isOn = (id) => id !== OF_SOCKETS && isOn(id);
    this.#isFirst = number === 0;
    this.#runs = new CheckRuns(this.#options, this.#isOn, budget);
    const isGiven = options.worlds !== undefined;
    this.#ttl = new TtlSteps(this.#program, isGiven);
    this.#wraps = new TtlWraps(this.#program, isGiven);
    this.#labels = new LabelTtls(this.#program, isGiven);
    this.#rewritten = new RewrittenWords(
      this.#program.entries.map(({ hook }) => hook),
      (...changed) => {
        this.#ttl.enter(...changed);
        this.#wraps.enter(...changed);
      },
    );
  }

  /** What time was too short for, a sentence each. */
  get cutShort(): string[] {
    return this.#runs.cutShort.map((text) => `copies that ${CLONE_REDIRECT} sends: ${text}`);
  }

  async findings({ cases: guidedCases = [], ...guided }: GuidedRun): Promise<CheckFinding[]> {
    const { witness, cases = [], runs = RUNS } = this.#options;
    const engines = [witness];
    const observe = this.#observe;
    const length = { runs: Math.min(runs, RUNS), cases: [...cases, ...guidedCases] };
    await this.#runs.run({ engines, observe, ...guided, ...length }, 'copies');
    if (!this.isSent) return [];
    await this.#runs.vary([...this.#rewritten.words, ...this.#rewritten.moved], engines, observe);
    if (this.#isFirst && this.#options.sweeps !== false) await this.#sweep();
    return [...(await this.#judged()), ...(await this.#probed())];
  }

  /** Every value of words that were rewritten, and of words from maps, unless they are wrong without. */
  async #sweep(): Promise<void> {
    const { witness, worlds } = this.#options;
    const words = this.#rewritten.words.slice(0, MOST_SWEPT);
    if (!this.#isWrong()) await this.#runs.sweep(words, witness);
    if (worlds !== undefined || this.#program.definition !== undefined) return;
    const cases = await mapWordCases(this.#program, witness, words);
    if (cases.length > 0) await this.#runs.run({ engines: [witness], cases, runs: 0 }, 'copies');
  }

  #isWrong(): boolean {
    return this.#runs.reports.some(({ divergences }) => divergences.some(({ part }) => part === 'checksum'));
  }

  readonly #observe: Observe = (world, input, [report]) => {
    if (report === undefined) return;
    const { action, status, count } = report.output;
    for (let packet = 0; packet < count && !this.isSent; packet++)
      this.isSent = status[packet] === STATUS.ran && action[packet] === TC_ACT_REDIRECT;
    this.#rewritten.observe(world, input, report);
    this.#labels.observe(world, input, report);
  };

  /** What judging the frames found; where the program is stopped, the check itself says. */
  async #judged(): Promise<CheckFinding[]> {
    const divergences = this.#runs.reports.flatMap((report) => report.divergences);
    const found: CheckFinding[] = [];
    for (const divergence of divergences) {
      const finding = findingOf(divergence);
      // To which device it goes, and whether there is one, is asked of redirects.
      if (isOfHeaders(finding.invariant)) found.push(await this.#placed(finding));
    }
    return found;
  }

  async #probed(): Promise<CheckFinding[]> {
    const { witness, seed } = this.#options;
    const seen = [
      ...(await this.#ttl.find(witness)),
      await this.#wraps.find(witness, []),
      ...(await this.#labels.find(witness)),
    ];
    const found: CheckFinding[] = [];
    for (const one of seen) {
      if (one === undefined || !this.#isOn(one.breach.invariant)) continue;
      found.push(await this.#placed(findingOf(await divergenceOf(this.#program, seed, one))));
    }
    return found;
  }

  async #placed(finding: CheckFinding): Promise<CheckFinding> {
    const { divergence, ...placed } = await placedFinding(this.#options, finding);
    const inCopy = ({ summary }: { readonly summary: string }): { readonly summary: string } => ({
      summary: `${summary} (in a copy that ${CLONE_REDIRECT} sends)`,
    });
    return {
      ...placed,
      ...inCopy(placed),
      ...(divergence === undefined ? {} : { divergence: { ...divergence, ...inCopy(divergence) } }),
      confirmedBy: [this.#options.witness.name],
    };
  }
}
