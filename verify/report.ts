/** What a run of `verify` has to say about one program. */

import type { Case } from '../corpus/case.ts';
import type { Coverage, EngineName } from '../sim/engines/engine.ts';
import { type CoverageSummary, mergeCoverage, summarizeCoverage } from './coverage-summary.ts';
import type { EngineFailure } from './engine-side.ts';
import { type Disagreeing, type Finding, kindOf, type Outcome } from './finding.ts';

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
  /** The same in full, for coverage files. */
  readonly fullCoverage?: Coverage;
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
  /** What the interpreter, who has no part in it, makes of the packet; absent where nobody asked or it could not run. */
  readonly witness?: Outcome;
  /** Where it was first seen. */
  readonly seen: { readonly seed: string; readonly packet: number } | { readonly file: string };
  /** The file that holds the case, once it is saved. */
  readonly file?: string;
  /**
   * `saved`: from the file of an earlier run; `found`: not shrunk (yet); `shrunk`: as small as it gets;
   * `cut short`: shrinking ended early; `not repeated`: fresh sessions do not show it again.
   */
  readonly state: 'saved' | 'found' | 'shrunk' | 'cut short' | 'not repeated';
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

/**
 * The reports of several workers on one program as one. Of each kind of divergence the first stays; an engine that
 * failed for one worker has failed.
 * @throws {RangeError} when there is none
 */
export function mergeReports(reports: readonly ProgramReport[]): ProgramReport {
  const [first] = reports;
  if (first === undefined) throw new RangeError('no report to merge');
  const sum = (of: (report: ProgramReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const fullCoverage = mergeCoverage(reports.flatMap((report) => report.fullCoverage ?? []));
  return {
    name: first.name,
    packets: sum((report) => report.packets),
    savedPackets: sum((report) => report.savedPackets),
    savedCases: sum((report) => report.savedCases),
    seconds: Math.max(...reports.map((report) => report.seconds)),
    interrupted: reports.some((report) => report.interrupted),
    engines: first.engines.map(({ name }) =>
      mergeEngines(reports.map((report) => engineNamed(report, name))),
    ),
    notCompared: mergeNotCompared(reports),
    divergences: firstOfEachKind(reports.flatMap((report) => report.divergences)),
    actions: mergeActions(reports),
    ...(fullCoverage === undefined ? {} : { fullCoverage, coverage: summarizeCoverage(fullCoverage) }),
  };
}

function engineNamed(report: ProgramReport, name: EngineName): EngineReport {
  return report.engines.find((engine) => engine.name === name)!;
}

function mergeEngines(engines: readonly EngineReport[]): EngineReport {
  const worst =
    engines.find(({ status }) => status === 'failed') ??
    engines.find(({ status }) => status === 'skipped') ??
    engines[0]!;
  return {
    ...worst,
    packets: engines.reduce((total, engine) => total + engine.packets, 0),
    seconds: engines.reduce((total, engine) => total + engine.seconds, 0),
  };
}

/** Lines are put together; those that count packets are added up. */
function mergeNotCompared(reports: readonly ProgramReport[]): string[] {
  const counts = new Map<string, number | undefined>();
  for (const line of reports.flatMap((report) => report.notCompared)) {
    const counted = /^(\d+) packets: (.*)$/.exec(line);
    if (counted === null) counts.set(line, undefined);
    else counts.set(counted[2]!, (counts.get(counted[2]!) ?? 0) + Number(counted[1]));
  }
  return [...counts].map(([line, count]) => (count === undefined ? line : `${count} packets: ${line}`));
}

function firstOfEachKind(divergences: readonly Divergence[]): Divergence[] {
  const firsts = new Map<string, Divergence>();
  // A replayed file comes before every generated packet.
  const order = ({ seen }: Divergence): number => ('packet' in seen ? seen.packet : -1);
  for (const divergence of [...divergences].sort((a, b) => order(a) - order(b))) {
    const kind = kindOf(divergence);
    if (!firsts.has(kind)) firsts.set(kind, divergence);
  }
  return [...firsts.values()];
}

function mergeActions(reports: readonly ProgramReport[]): Record<string, number> {
  const actions: Record<string, number> = {};
  for (const report of reports) {
    for (const [name, count] of Object.entries(report.actions)) actions[name] = (actions[name] ?? 0) + count;
  }
  return actions;
}
