/** The runs of `verify` that make up a check: what all of them have in common, and their reports put together. */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { worldsOf } from '../batch-plan.ts';
import type { Progress } from '../collector.ts';
import type { ProofAid } from '../prove/aid.ts';
import { withoutImpossible } from '../prove/proved-coverage.ts';
import { mergeReports, type ProgramReport, withCoverageFigures } from '../report.ts';
import { verify } from '../run.ts';
import type { BrokenLines } from './broken-lines.ts';
import type { CheckOptions, CheckProgress } from './check-options.ts';
import { checkJudging, type IsOn } from './judging.ts';

const DEFAULT_SHRINK_SECONDS = 3;
/** More would not be read. */
const MAX_FINDINGS = 32;

type VerifyOptions = Parameters<typeof verify>[0];

export type Observe = NonNullable<VerifyOptions['observe']>;

/** In what one run differs from the others. */
export type Part = Pick<
  VerifyOptions,
  'engines' | 'observe' | 'cases' | 'source' | 'worlds' | 'runs' | 'seconds' | 'batchSize'
>;

export class CheckRuns {
  readonly #options: CheckOptions;
  readonly #isOn: IsOn;
  readonly #lines: BrokenLines;
  #reports: ProgramReport[] = [];

  constructor(options: CheckOptions, isOn: IsOn, lines: BrokenLines) {
    this.#options = options;
    this.#isOn = isOn;
    this.#lines = lines;
  }

  /** In the order in which they ran. */
  get reports(): readonly ProgramReport[] {
    return this.#reports;
  }

  /** Takes the last report back: what it says is said in another way. */
  dropLast(): void {
    this.#reports.pop();
  }

  /** @param phase what is shown while it runs */
  async run(part: Part, phase: CheckProgress['phase']): Promise<ProgramReport> {
    const { program, seed, worlds, source, witness, kernel, signal, save, onProgress } = this.#options;
    const { testedApart } = this.#options;
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
      ...(save === undefined ? {} : { save }),
      ...(onProgress === undefined
        ? {}
        : { onProgress: (progress: Progress) => onProgress({ ...progress, phase }) }),
      ...part,
    });
    this.#reports.push(report);
    return report;
  }

  /** All runs in one report, as if it were one. @param proof what of the program nothing reaches */
  summary(proof: ProofAid | undefined): ProgramReport {
    const [first, ...others] = this.#reports;
    // Sweeps are of one engine: what the first run says of engines is what counts.
    const all = others.map((other) => ({
      ...other,
      engines: first!.engines.map((one) => ({ ...one, packets: 0, seconds: 0 })),
    }));
    const sum = mergeReports([first!, ...all]);
    const seen = sum.fullCoverage;
    const { object } = this.#options.program;
    const coverage =
      seen === undefined || object === undefined || proof === undefined
        ? seen
        : withoutImpossible(seen, linkedObject(object), proof.impossible);
    return withCoverageFigures({
      ...sum,
      packets: first!.packets,
      ...(coverage === undefined ? {} : { fullCoverage: coverage }),
    });
  }
}
