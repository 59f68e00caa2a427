/** What a run of `verify` has to say about one program. */

import type { Case } from '../corpus/cases/case.ts';
import type { Coverage } from '../sim/engines/engine.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { type CoverageSummary, mergeCoverage, summarizeCoverage } from './coverage-summary.ts';
import type { EngineFailure } from './engine-side.ts';
import { checksumCause } from './explain/causes.ts';
import type { MapEntryText } from './explain/map-text.ts';
import { type Disagreeing, type Finding, kindOf } from './finding.ts';
import { checksumId } from './invariants/checksum-rules.ts';
import { type NotCompared, sumNotCompared } from './not-compared.ts';
import type { Outcome } from './outcome.ts';
import type { Severity } from './severity.ts';
import type { ShrinkStop } from './shrink.ts';
import type { SourcePlace, Warning } from './warning.ts';

export interface ProgramReport {
  readonly name: string;
  /** Packets of all cases, saved and generated. */
  readonly packets: number;
  /** Of these, packets of saved cases. */
  readonly savedPackets: number;
  readonly savedCases: number;
  /** Packets on which outcomes of at least two engines were compared. */
  readonly compared: number;
  /** Frames that left the program and that the oracle looked at. */
  readonly judged: number;
  readonly seconds: number;
  /** Was the run ended from outside before it was done? */
  readonly interrupted: boolean;
  /** Why the run could not go on, whichever engine was running. */
  readonly failure?: EngineFailure;
  /** In the order of their rank: the first that ran is the reference. */
  readonly engines: readonly EngineReport[];
  readonly notCompared: readonly NotCompared[];
  /** Findings: where engines differ, and what the program does wrong. */
  readonly divergences: readonly Divergence[];
  /** Other kinds that the packets so far showed, and that `maxDivergences` left no room for. */
  readonly further?: readonly Further[];
  /** What a person should know, and what fails no run. */
  readonly warnings: readonly Warning[];
  /** Where xdpsim itself was wrong. */
  readonly defects: readonly Defect[];
  /** How often the reference returned what, by the kernel's names. */
  readonly actions: Readonly<Record<string, number>>;
  /** Absent where no engine measures it. */
  readonly coverage?: CoverageSummary;
  /** The same in full, for coverage files. */
  readonly fullCoverage?: Coverage;
}

/** A divergence that was seen and not looked into. */
export type Further = Pick<Finding, 'engines' | 'field'>;

/** The machine stopped a program which the kernel ran to its end on the same packet: the machine is wrong. */
export interface Defect {
  readonly engine: EngineName;
  /** One line: "the machine refused what this kernel ran: …, a defect of xdpsim". */
  readonly summary: string;
  readonly instruction?: number;
  readonly source?: SourcePlace;
  readonly packets: number;
  /** Where it was first seen. */
  readonly seen: Divergence['seen'];
}

export interface EngineReport {
  readonly name: EngineName;
  readonly status: 'ran' | 'skipped' | 'failed';
  /** Why it did not run, or stopped. */
  readonly reason?: string;
  readonly remedy?: string;
  /** What was not as usual where it ran. */
  readonly note?: string;
  readonly failure?: EngineFailure;
  readonly packets: number;
  readonly seconds: number;
  /** Helpers whose answers depend on clock or chance, and that gave what the machine's clock and chance give. */
  readonly pinned?: readonly string[];
}

export interface Divergence {
  readonly program: string;
  readonly engines: Disagreeing;
  readonly part: Finding['part'];
  readonly field: string;
  readonly severity: Severity;
  /** One line: what was expected, what came, the likely cause. */
  readonly summary: string;
  /** What of a map's entry differs. */
  readonly map?: MapEntryText;
  /** The smallest case so far that shows it, and what it shows. */
  readonly case: Case;
  readonly finding: Finding;
  /** Set where it takes a program that the test put into a slot, and where a loader may put something else. */
  readonly isByGuess?: true;
  /** The kernel that the machine was when it showed it, where that is another than what the run asks for: "6.1". */
  readonly asKernel?: string;
  /** What the interpreter, who has no part in it, makes of the packet; absent where nobody asked or it could not run. */
  readonly witness?: Outcome;
  /** Where it was first seen. */
  readonly seen: { readonly seed: string; readonly packet: number } | { readonly file: string };
  /** Tells apart what one packet shows in one field, and the runs of one check, whose packets are all numbered from 0. */
  readonly run?: string;
  /** The file that holds the case, once it is saved. */
  readonly file?: string;
  /** Present where it could not be saved as it was to be. */
  readonly unsaved?: Unsaved;
  /**
   * `saved`: from the file of an earlier run; `found`: not shrunk (yet); `shrunk`: as small as it gets;
   * `cut short`: shrinking ended early; `not repeated`: fresh sessions do not show it again.
   */
  readonly state: 'saved' | 'found' | 'shrunk' | 'cut short' | 'not repeated';
  /** Why shrinking was cut short. */
  readonly stopped?: ShrinkStop;
}

/** What became of a case that was to be saved. */
export interface Saved {
  /** The file that holds it; absent where nothing could be written. */
  readonly file?: string;
  /** Present where `file` is not where it should be, or absent. */
  readonly unsaved?: Unsaved;
}

/** Why a case is not in the file that it was meant for. */
export interface Unsaved {
  /** The file that it was meant for. */
  readonly path: string;
  /** In half a sentence: "no space left on the device". */
  readonly reason: string;
  /** The file's bytes in base64, where no other place took them either. */
  readonly base64?: string;
}

/** The report as `verify --json` prints it: plain data, no packets. */
export function reportToJson(
  report: ProgramReport,
): Record<string, unknown> & { coverage?: CoverageSummary } {
  return {
    name: report.name,
    packets: report.packets,
    savedCases: report.savedCases,
    compared: report.compared,
    judged: report.judged,
    seconds: report.seconds,
    ...(report.interrupted ? { interrupted: true } : {}),
    ...(report.failure === undefined ? {} : { failure: report.failure }),
    engines: report.engines.map(({ failure: _failure, ...engine }) => engine),
    notCompared: report.notCompared,
    divergences: report.divergences.map(
      ({
        engines,
        field,
        severity,
        finding,
        map,
        file,
        unsaved,
        summary,
        state,
        stopped,
        case: shown,
        seen,
      }) => ({
        engines,
        field,
        severity,
        ...(finding.source === undefined
          ? {}
          : { source: { file: finding.source.file, line: finding.source.line } }),
        ...invariantOf(finding, shown),
        ...(finding.kernel === undefined ? {} : { kernel: finding.kernel }),
        ...(finding.example === undefined ? {} : { example: finding.example }),
        ...(map === undefined ? {} : { map }),
        ...(file === undefined ? {} : { file }),
        ...(unsaved === undefined ? {} : { unsaved }),
        summary,
        state,
        ...(stopped === undefined ? {} : { stopped }),
        packets: shown.stimuli.length,
        seen,
      }),
    ),
    ...(report.further === undefined ? {} : { further: report.further }),
    warnings: report.warnings,
    defects: report.defects,
    actions: report.actions,
    ...(report.coverage === undefined ? {} : { coverage: report.coverage }),
  };
}

/** What a program did wrong, by a name for programs that read reports: `lengths/total`, `checksum/carry-lost`. */
function invariantOf(finding: Finding, { stimuli }: Case): { readonly invariant?: string } {
  if (finding.breach !== undefined) return { invariant: finding.breach.invariant };
  const came = stimuli[finding.packet]?.packet;
  if (finding.part !== 'checksum' || came === undefined) return {};
  const cause = checksumCause(came, finding);
  return { invariant: checksumId(cause?.id, finding.fault?.layer) };
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
    compared: sum((report) => report.compared),
    judged: sum((report) => report.judged),
    seconds: Math.max(...reports.map((report) => report.seconds)),
    interrupted: reports.some((report) => report.interrupted),
    engines: first.engines.map(({ name }) =>
      mergeEngines(reports.map((report) => engineNamed(report, name))),
    ),
    notCompared: sumNotCompared(reports.flatMap((report) => report.notCompared)),
    divergences: firstOfEachKind(reports.flatMap((report) => report.divergences)),
    warnings: mergeWarnings(reports.flatMap((report) => report.warnings)),
    defects: mergeDefects(reports.flatMap((report) => report.defects)),
    actions: mergeActions(reports),
    ...(fullCoverage === undefined ? {} : { fullCoverage }),
  };
}

/** The report with the figures of its coverage: parts of a report, of which a long run has hundreds, come without. */
export function withCoverageFigures(report: ProgramReport): ProgramReport {
  const { fullCoverage } = report;
  return fullCoverage === undefined ? report : { ...report, coverage: summarizeCoverage(fullCoverage) };
}

function engineNamed(report: ProgramReport, name: EngineName): EngineReport {
  return report.engines.find((engine) => engine.name === name)!;
}

function mergeEngines(engines: readonly EngineReport[]): EngineReport {
  const worst =
    engines.find(({ status }) => status === 'failed') ??
    engines.find(({ status }) => status === 'skipped') ??
    engines[0]!;
  const pinned = [...new Set(engines.flatMap((engine) => engine.pinned ?? []))].sort();
  return {
    ...worst,
    ...(pinned.length === 0 ? {} : { pinned }),
    packets: engines.reduce((total, engine) => total + engine.packets, 0),
    seconds: engines.reduce((total, engine) => total + engine.seconds, 0),
  };
}

/** The same warning of several workers is one, with all of their packets. */
export function mergeWarnings(warnings: readonly Warning[]): Warning[] {
  return merged(
    warnings,
    ({ kind, summary, source }) => `${kind} ${source?.file} ${source?.line} ${summary}`,
    (sum, { packets = 0 }) => (sum.packets === undefined ? sum : { ...sum, packets: sum.packets + packets }),
  );
}

/** The first of each kind, with the packets of all. */
export function mergeDefects(defects: readonly Defect[]): Defect[] {
  return merged(
    [...defects].sort((a, b) => orderSeen(a) - orderSeen(b)),
    ({ engine, summary }) => `${engine} ${summary}`,
    (sum, { packets }) => ({ ...sum, packets: sum.packets + packets }),
  );
}

function merged<T>(items: readonly T[], kind: (item: T) => string, add: (sum: T, item: T) => T): T[] {
  const sums = new Map<string, T>();
  for (const item of items) {
    const sum = sums.get(kind(item));
    sums.set(kind(item), sum === undefined ? item : add(sum, item));
  }
  return [...sums.values()];
}

/** A replayed file comes before every generated packet. */
function orderSeen({ seen }: Pick<Divergence, 'seen'>): number {
  return 'packet' in seen ? seen.packet : -1;
}

function firstOfEachKind(divergences: readonly Divergence[]): Divergence[] {
  const firsts = new Map<string, Divergence>();
  for (const divergence of [...divergences].sort((a, b) => orderSeen(a) - orderSeen(b))) {
    const kind = kindOf(divergence.finding);
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
