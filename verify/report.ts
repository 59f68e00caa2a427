/** What a run of `verify` has to say about one program. */

import type { Case } from '../corpus/case.ts';
import type { EngineName } from '../sim/engines/engine.ts';
import type { CoverageSummary } from './coverage-summary.ts';
import type { EngineFailure } from './engine-side.ts';
import type { Disagreeing, Finding } from './finding.ts';

export interface ProgramReport {
  readonly name: string;
  /** Packets of all cases, saved and generated. */
  readonly packets: number;
  /** Of these, packets of saved cases. */
  readonly savedPackets: number;
  readonly savedCases: number;
  readonly seconds: number;
  /** Was the run ended from outside before it was done? */
  readonly interrupted: boolean;
  /** In the order of their rank: the first that ran is the reference. */
  readonly engines: readonly EngineReport[];
  /** What no comparison looked at, and why: "redirect target (testrun)". */
  readonly notCompared: readonly string[];
  readonly divergences: readonly Divergence[];
  /** How often the reference returned what, by the kernel's names. */
  readonly actions: Readonly<Record<string, number>>;
  /** Absent where no engine measures it. */
  readonly coverage?: CoverageSummary;
}

export interface EngineReport {
  readonly name: EngineName;
  readonly status: 'ran' | 'skipped' | 'failed';
  /** Why it did not run, or stopped. */
  readonly reason?: string;
  readonly remedy?: string;
  readonly failure?: EngineFailure;
  readonly packets: number;
  readonly seconds: number;
}

export interface Divergence {
  readonly program: string;
  readonly engines: Disagreeing;
  readonly part: Finding['part'];
  readonly field: string;
  /** One line: what was expected, what came, the likely cause. */
  readonly summary: string;
  /** The smallest case so far that shows it, and what it shows. */
  readonly case: Case;
  readonly finding: Finding;
  /** Where it was first seen. */
  readonly seen: { readonly seed: string; readonly packet: number } | { readonly file: string };
  /** The file that holds the case, once it is saved. */
  readonly file?: string;
  /**
   * `found`: not shrunk (yet); `shrunk`: as small as it gets; `cut short`: shrinking ended early; `not repeated`: fresh sessions do not
   * show it again.
   */
  readonly state: 'found' | 'shrunk' | 'cut short' | 'not repeated';
}

/** The report as `verify --json` prints it: plain data, no packets. */
export function reportToJson(report: ProgramReport): unknown {
  return {
    name: report.name,
    packets: report.packets,
    savedCases: report.savedCases,
    seconds: report.seconds,
    ...(report.interrupted ? { interrupted: true } : {}),
    engines: report.engines.map(({ failure: _failure, ...engine }) => engine),
    notCompared: report.notCompared,
    divergences: report.divergences.map(({ engines, field, file, summary, state, case: shown, seen }) => ({
      engines,
      field,
      ...(file === undefined ? {} : { file }),
      summary,
      state,
      packets: shown.stimuli.length,
      seen,
    })),
    actions: report.actions,
    ...(report.coverage === undefined ? {} : { coverage: report.coverage }),
  };
}
