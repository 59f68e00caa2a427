/** What a run has shown of one program. "Agreed" stands beside what was compared and what was reached. */
import { type EngineName, isMachine } from '../sim/engines/register.ts';
import { type CoverageSummary, leastReached, type Reached } from './coverage-summary.ts';
import type { ProgramReport } from './report.ts';
import type { Unreached } from './unreached.ts';

/**
 * - `differs`: engines differ, or the program does something wrong
 * - `failed`: an engine could not go on, so that there is no verdict
 * - `incomplete`: less was reached than was asked for, or the time was up before the first packet
 * - `agreed`: everything compared was equal, and the packets reached most of the program
 * - `agreed on what ran`: the same, but much of the program did not run, or few of the packets were compared
 * - `not compared`: nothing to compare with; only the oracle and the machine's checks judged
 * - `not judged`: nobody judged anything
 */
export type Mark =
  | 'differs'
  | 'failed'
  | 'incomplete'
  | 'agreed'
  | 'agreed on what ran'
  | 'not compared'
  | 'not judged';

export interface Verdict {
  readonly mark: Mark;
  /** Why it is no better, one sentence each; where all agreed, at most what explains a figure. */
  readonly reasons: readonly string[];
}

/** What a run must reach besides agreement. */
export interface Requirements {
  /** Per cent of the branches, and of the instructions. */
  readonly minCoverage?: number;
  /** Engines that must have run. */
  readonly engines?: readonly EngineName[];
}

/** Per cent of a program's branches, and of its instructions, from which on agreement counts as agreement on the program. */
const ENOUGH_COVERAGE = 80;

/** Per cent of the packets from which on what was compared counts as the run. */
const ENOUGH_COMPARED = 50;

/** @param unreached where packets did not go */
export function verdictOf(
  report: ProgramReport,
  required: Requirements = {},
  unreached: readonly Unreached[] = [],
): Verdict {
  if (report.divergences.length > 0) return { mark: 'differs', reasons: [] };
  const failed = report.failure !== undefined || report.engines.some(({ status }) => status === 'failed');
  if (failed) return { mark: 'failed', reasons: [] };
  const missing = [...missingEngines(report, required.engines ?? []), ...missingCoverage(report, required)];
  if (missing.length > 0) return { mark: 'incomplete', reasons: missing };
  if (report.compared === 0) return withoutComparison(report);
  const few = fewCompared(report);
  if (report.coverage === undefined) {
    const reason = 'no engine measured how much of the program ran; vm and wasm do';
    return { mark: 'agreed on what ran', reasons: [...few, reason] };
  }
  const least = leastReached(report.coverage);
  const reasons =
    least.percent >= ENOUGH_COVERAGE ? [...few] : [...few, `${coverageText(least)} were reached`];
  const notes = beyondBranches(report.coverage, required);
  // How much stands behind a tail call nobody knows: it may be most of what is deployed, whatever the share here.
  const empty = [...new Set(unreached.flatMap(({ programMap }) => programMap ?? []))];
  reasons.push(...empty.map((map) => `tail calls found no program in map ${map}`));
  if (report.interrupted) reasons.push('the run was interrupted');
  return { mark: reasons.length === 0 ? 'agreed' : 'agreed on what ran', reasons: [...reasons, ...notes] };
}

/** Coverage is that of all packets: it tells little where the outcomes of most are left out of the comparison. */
function fewCompared({ compared, packets }: ProgramReport): string[] {
  if (100 * compared >= ENOUGH_COMPARED * packets) return [];
  const [of, all] = [compared, packets].map((count) => count.toLocaleString('en-US'));
  return [`${of} of ${all} packets were compared`];
}

/** Who asked for so many per cent sees less of the instructions beside a tick: why that is enough is said. */
function beyondBranches(coverage: CoverageSummary, { minCoverage = 0 }: Requirements): string[] {
  const [hit, total] = coverage.instructions;
  const percent = Math.floor((100 * hit) / Math.max(total, 1));
  if (total === 0 || percent >= minCoverage) return [];
  return [
    `--min-coverage ${minCoverage}: every branch went both ways; ${percent} % of the instructions were reached, since the rest stands behind calls that do not return (tail calls)`,
  ];
}

function coverageText({ hit, total, what }: Reached): string {
  return `${hit} of ${total} ${what === 'branch' ? 'branches' : 'instructions'}`;
}

function withoutComparison(report: ProgramReport): Verdict {
  if (report.packets === 0 && report.engines.some(({ status }) => status === 'ran')) {
    const when = report.interrupted ? 'before the run was interrupted' : 'in the time given';
    return { mark: 'incomplete', reasons: [`no packet ran ${when}`] };
  }
  const judges = judgesOf(report);
  const why =
    report.defects.length > 0
      ? 'the machine stopped the program on every packet'
      : report.engines.filter(({ status }) => status === 'ran').length > 1
        ? 'every outcome is left out of the comparison'
        : 'only one engine ran';
  if (judges.length === 0) {
    return {
      mark: 'not judged',
      reasons: [`nothing was compared (${why}), and nothing else judged the program`],
    };
  }
  return {
    mark: 'not compared',
    reasons: [`nothing was compared (${why}): only ${judges.join(' and ')} judged`],
  };
}

/** Who judged what the program did, besides a comparison. */
function judgesOf({ engines, judged, defects }: ProgramReport): string[] {
  const machine = engines.some(
    ({ name, packets }) => isMachine(name) && packets > 0 && !defects.some((one) => one.engine === name),
  );
  return [...(judged > 0 ? ['the checksum oracle'] : []), ...(machine ? ['the machine’s own checks'] : [])];
}

function missingEngines({ engines }: ProgramReport, required: readonly EngineName[]): string[] {
  return required.flatMap((name) => {
    const engine = engines.find((one) => one.name === name);
    if (engine === undefined) return [`--require ${name}: it is not among the engines of this run`];
    if (engine.status === 'ran' && engine.packets > 0) return [];
    const reason = engine.reason === undefined ? 'it got no packet' : engine.reason;
    return [`--require ${name}: it did not run (${reason})`];
  });
}

function missingCoverage(report: ProgramReport, { minCoverage }: Requirements): string[] {
  if (minCoverage === undefined) return [];
  if (report.coverage === undefined) {
    return [`--min-coverage ${minCoverage}: no engine measured how much of the program ran; vm and wasm do`];
  }
  const least = leastReached(report.coverage);
  if (least.percent >= minCoverage) return [];
  return [`--min-coverage ${minCoverage}: ${least.percent} % (${coverageText(least)}) were reached`];
}
