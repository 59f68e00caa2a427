/** PASS, FAIL or INCOMPLETE, and why, in one line. */
import { isKernel } from '../../sim/engines/register.ts';
import { type CoverageSummary, leastReached } from '../coverage-summary.ts';
import { guessedSlots, slotText } from '../guessed-slots.ts';
import type { ProgramReport } from '../report.ts';
import type { Severity } from '../severity.ts';
import type { Unreached } from '../unreached.ts';
import type { CheckedProgram, CheckFinding, SweepReport } from './finding.ts';
import { MAX_SWEEPS } from './rewritten.ts';

/** Per cent of a program's branches, and of its instructions, from which on a check counts for the program. */
export const ENOUGH_COVERAGE = 80;

/** From what on a program passes. */
export interface Thresholds {
  /** Per cent of the branches, and of the instructions; default 80. */
  readonly minCoverage?: number;
  /** Whether warnings fail, too; default: no. */
  readonly strict?: boolean;
}

export interface Seen extends Thresholds {
  readonly report: ProgramReport;
  readonly findings: readonly CheckFinding[];
  readonly unreached: readonly Unreached[];
  readonly sweeps: SweepReport;
  /** What the machine could not do, a sentence each; default: nothing. */
  readonly gaps?: readonly string[];
  /** What of the frames that it made nobody judged, and why, a sentence each; default: nothing. */
  readonly unjudged?: readonly string[];
  /** For how long packets were run, where time decided how many. */
  readonly runSeconds?: number;
}

/** Packets below which time was too short to say anything. */
const FEWEST_PACKETS = 1_000;

export function verdictOfCheck(seen: Seen): Pick<CheckedProgram, 'verdict' | 'reason' | 'notChecked'> {
  const notChecked = [...notCheckedBy(seen.report), ...(seen.gaps ?? [])];
  const { findings, strict = false } = seen;
  const errors = idsOf(findings, 'error');
  const warnings = idsOf(findings, 'warning');
  const failing = strict ? [...new Set([...errors, ...warnings])] : errors;
  if (failing.length > 0) {
    const why = errors.length === 0 ? ' (strict: warnings fail)' : '';
    return { verdict: 'fail', reason: `${counted(findings)}: ${failing.join(', ')}${why}`, notChecked };
  }
  const gaps = gapsOf(seen);
  if (gaps.length > 0) return { verdict: 'incomplete', reason: gaps.join('; '), notChecked };
  const { report, sweeps } = seen;
  const named = warnings.length === 0 ? '' : ` (${warnings.join(', ')})`;
  const found = findings.length === 0 ? 'nothing found' : `${counted(findings)}${named}`;
  const swept = sweptText(sweeps);
  return {
    verdict: 'pass',
    reason: `${found} in ${report.packets.toLocaleString('en-US')} packets${swept}; ${reached(report.coverage!)}`,
    notChecked,
  };
}

function idsOf(findings: readonly CheckFinding[], wanted: Severity): string[] {
  return [
    ...new Set(findings.flatMap(({ severity, invariant }) => (severity === wanted ? [invariant] : []))),
  ];
}

function gapsOf(seen: Seen): string[] {
  const {
    report,
    findings,
    unreached,
    sweeps,
    minCoverage,
    gaps: stops = [],
    unjudged = [],
    runSeconds,
  } = seen;
  const gaps = [...unjudged];
  if (runSeconds !== undefined && report.packets < FEWEST_PACKETS)
    gaps.push(`only ${of(report.packets, 'packet')} ran in ${runSeconds} s`);
  const failed = report.engines.filter(({ status }) => status === 'failed');
  for (const { name, reason } of failed) gaps.push(`${name} failed: ${reason}`);
  if (report.failure !== undefined) gaps.push(`the run failed: ${report.failure.message}`);
  for (const { summary } of report.defects) gaps.push(summary);
  if (report.interrupted) gaps.push('the run was interrupted');
  const isRun = report.engines.some(({ status }) => status === 'ran');
  const least = minCoverage ?? ENOUGH_COVERAGE;
  if (!isRun) gaps.push(`no engine could run the program${skipped(report)}`);
  else if (report.coverage === undefined)
    gaps.push(`no engine measured how much of the program ran${skipped(report)}`);
  else if (!hasReached(report, least)) {
    const why = [reasonsFor(unreached), ...stops].filter((text) => text !== '').join('; ');
    const packets = `in ${of(report.packets, 'packet')}`;
    const { hit, total, what } = leastReached(report.coverage);
    gaps.push(
      `${hit} of ${of(total, what)} reached ${packets}, ${least} % are asked for${why === '' ? '' : ` (${why})`}`,
    );
  }
  const empty = [...new Set(unreached.flatMap(({ programMap }) => programMap ?? []))];
  for (const map of empty) gaps.push(`tail calls found no program in map ${map}`);
  gaps.push(...guessesIn(findings));
  if (sweeps.left > 0 && (sweeps.least ?? 0) < ENOUGH_VALUES) gaps.push(notSwept(sweeps));
  return gaps;
}

/** Of the values of each word, spread over all, where the user's time is too short for all of them: 4,096. */
export const ENOUGH_VALUES: number = 1 / 16;

function sweptText({ words, left, packets, wanted }: SweepReport): string {
  if (wanted !== undefined) {
    const percent = Math.floor((100 * packets) / wanted);
    return `, ${of(words + left, 'word')} swept over ${percent} % of their values, for lack of time`;
  }
  return words === 0 ? '' : `, ${of(words, 'word')} swept over all values`;
}

function notSwept({ left, beyond = 0, packets, wanted }: SweepReport): string {
  const more = `${of(beyond, 'rewritten word')} beyond the first ${MAX_SWEEPS} not swept: fewer are met where functions are checked one by one`;
  if (beyond === left) return more;
  const text = `${beyond > 0 ? `${more}; ` : ''}${of(left - beyond, 'rewritten word')} not swept`;
  if (wanted === undefined) return text;
  return `${text} to the end, for lack of time: ${packets.toLocaleString('en-US')} of ${of(wanted, 'packet')}`;
}

/** ": wasm: the machine lacks the helper …", of every engine that could not run it. */
function skipped({ engines }: ProgramReport): string {
  const reasons = engines.flatMap(({ name, status, reason }) =>
    status === 'skipped' && reason !== undefined ? [`${name}: ${reason}`] : [],
  );
  return reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
}

/** Have packets reached this share of the branches, and of the instructions, in per cent? */
export function hasReached({ coverage }: ProgramReport, percent: number): boolean {
  // What nobody measures is not missing.
  if (coverage === undefined) return true;
  const { hit, total } = leastReached(coverage);
  return 100 * hit >= percent * total;
}

/**
 * What stands behind branches that were not reached: maps that nobody filled, and first the place behind which most is, where that is
 * more than behind any of the maps.
 */
function reasonsFor(unreached: readonly Unreached[]): string {
  const ofMaps = unreached.filter(({ map }) => map !== undefined);
  const others = unreached.filter(({ map, programMap }) => map === undefined && programMap === undefined);
  const [heaviest] = others.toSorted((a, b) => (b.behind ?? 0) - (a.behind ?? 0));
  const texts = [...new Set(ofMaps.map(({ because }) => because))].sort();
  const ofMap = Math.max(-1, ...ofMaps.map(({ behind = 0 }) => behind));
  if (heaviest !== undefined && (heaviest.behind ?? 0) > ofMap) texts.unshift(placed(heaviest));
  return texts.join('; ');
}

/** The reason, and where. */
function placed({ file, line, instruction, because }: Unreached): string {
  if (line !== undefined) return `${because} at ${file?.split('/').at(-1)}:${line}`;
  return instruction === undefined ? because : `${because} at instruction ${instruction}`;
}

function reached({ branches: [hit, total] }: CoverageSummary): string {
  return total === 0 ? 'the program has no branches' : `${hit} of ${of(total, 'branch')} reached`;
}

/** "2 errors, 1 warning" */
function counted(findings: readonly CheckFinding[]): string {
  const parts = (['error', 'warning'] as const satisfies readonly Severity[]).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [of(count, severity)];
  });
  const notes = findings.filter(({ severity }) => severity === 'info').length;
  const text = [...parts, ...(notes === 0 ? [] : [of(notes, 'note')])].join(', ');
  const more = findings.reduce((sum, { also = [] }) => sum + also.length, 0);
  return more === 0 ? text : `${text} (and ${more} more on the same lines)`;
}

/** "1 packet", "2 branches" */
export function of(count: number, what: string): string {
  if (count === 1) return `1 ${what}`;
  return `${count.toLocaleString('en-US')} ${what}${what.endsWith('ch') ? 'es' : 's'}`;
}

/** What hangs on what slots hold. */
function guessesIn(findings: readonly CheckFinding[]): string[] {
  const slots = findings.flatMap(({ divergence }) =>
    divergence?.isByGuess === true && divergence.severity !== 'info'
      ? guessedSlots(divergence.case.world)
      : [],
  );
  return [...new Set(slots.map(slotText))].map(
    (slot) => `with ${slot}, where the test put it, something is wrong: say what belongs there (--world)`,
  );
}

function notCheckedBy(report: ProgramReport): string[] {
  return report.engines.flatMap(({ name, status, reason, remedy }) =>
    isKernel(name) && status === 'skipped'
      ? [`the kernel was not asked: ${reason}${remedy === undefined ? '' : ` (${remedy})`}`]
      : [],
  );
}
