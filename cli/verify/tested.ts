/** A program's report with what is made of it: the verdict, and what was not reached. */
import { basename } from 'node:path';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { UNCHECKED, UNCHECKED_BY } from '../../sim/ebpf/unchecked.ts';
import { type EngineName, isKernel, isMachine } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Oracle } from '../../verify/judging.ts';
import { notToReach, type ProofAid } from '../../verify/prove/aid.ts';
import { withoutImpossible } from '../../verify/prove/proved-coverage.ts';
import { type ProgramReport, reportToJson, withCoverageFigures } from '../../verify/report.ts';
import { type Unreached, unreachedOf } from '../../verify/unreached.ts';
import { type Requirements, type Verdict, verdictOf } from '../../verify/verdict.ts';
import { EXIT } from '../failure.ts';
import { otherMaps } from '../input/declared-maps.ts';
import { aidJson } from '../prove/aid-json.ts';

export interface Tested {
  readonly program: Program;
  readonly report: ProgramReport;
  readonly verdict: Verdict;
  readonly unreached: readonly Unreached[];
  /** What was judged of frames; default: all. */
  readonly oracle?: Oracle;
  /** Of `--prove`. */
  readonly aid?: ProofAid;
}

/** @param aid of a proof: what no input reaches leaves the coverage */
export function tested(
  program: Program,
  seen: ProgramReport,
  required: Requirements,
  aid?: ProofAid,
): Tested {
  const report = aid === undefined ? seen : provedReport(program, seen, aid);
  const { fullCoverage } = report;
  const unreached =
    program.object === undefined || fullCoverage === undefined
      ? []
      : unreachedOf(linkedObject(program.object), fullCoverage, program.entries);
  const verdict = withOtherMaps(verdictOf(report, required, unreached), program);
  return { program, report, verdict, unreached, ...(aid === undefined ? {} : { aid }) };
}

/** Of an object whose maps are of other kinds than the model's, no more agreed than what was tried. */
function withOtherMaps(verdict: Verdict, { definition, object, objectPath }: Program): Verdict {
  const isTick = verdict.mark === 'agreed' || verdict.mark === 'agreed on what ran';
  if (!isTick || definition === undefined || object === undefined) return verdict;
  const other = otherMaps(definition.maps, linkedObject(object).maps, basename(objectPath ?? 'the object'));
  if (other.length === 0) return verdict;
  return { mark: 'agreed on what ran', reasons: [...verdict.reasons, ...other] };
}

function provedReport(program: Program, report: ProgramReport, aid: ProofAid): ProgramReport {
  if (program.object === undefined || report.fullCoverage === undefined) return report;
  const fullCoverage = withoutImpossible(report.fullCoverage, linkedObject(program.object), notToReach(aid));
  return withCoverageFigures({ ...report, fullCoverage });
}

/** As `verify --json` prints it. */
export function testedToJson(one: Tested): unknown {
  const { report, verdict, unreached, aid } = one;
  const { coverage, ...plain } = reportToJson(report);
  return {
    ...plain,
    verdict: verdict.mark,
    reasons: verdict.reasons,
    notChecked: notChecked(one),
    ...(coverage === undefined ? {} : { coverage: { ...coverage, unreached } }),
    ...(aid === undefined ? {} : { proof: aidJson(aid) }),
  };
}

/** The worst of all programs. */
export function exitCodeOf(all: readonly Tested[]): number {
  const failures = all.flatMap(({ report }) => [
    ...(report.failure === undefined ? [] : [report.failure]),
    ...report.engines.flatMap((engine) => engine.failure ?? []),
  ]);
  const marks = new Set(all.map(({ verdict }) => verdict.mark));
  if (marks.has('differs')) return EXIT.found;
  if (failures.some((failure) => failure.kind === 'internal')) return EXIT.defect;
  if (failures.some((failure) => failure.kind === 'input')) return EXIT.input;
  if (failures.length > 0) return EXIT.environment;
  if (marks.has('incomplete')) return EXIT.incomplete;
  const idle = all.filter(({ verdict }) => verdict.mark === 'not judged');
  if (idle.some(({ report }) => report.defects.length > 0)) return EXIT.defect;
  return idle.length > 0 ? EXIT.environment : EXIT.agreed;
}

/**
 * What the verifier refuses and the engines that ran let pass: a run without a kernel says nothing of it. Of `oracle`: what the
 * user has switched off.
 */
export interface NotChecked {
  readonly what: string;
  readonly engine: EngineName | 'oracle';
}

/** What is not judged of the frames that leave. */
export const SWITCHED_OFF: Readonly<Record<Oracle, readonly string[]>> = {
  off: ['checksums of frames that leave (--oracle off)', 'invariants of frames that leave (--oracle off)'],
  checksums: ['invariants of frames that leave (--oracle checksums)'],
  all: [],
};

/** Of a program that no kernel ran, what none of its machines checks; and what the oracle was not to judge. */
export function notChecked({ report, oracle = 'all' }: Pick<Tested, 'report' | 'oracle'>): NotChecked[] {
  const ofOracle = SWITCHED_OFF[oracle].map((what) => ({ what, engine: 'oracle' as const }));
  return [...uncheckedByMachines(report), ...ofOracle];
}

export function uncheckedByMachines({ engines }: ProgramReport): NotChecked[] {
  const ran = engines.filter((one) => one.status === 'ran' && one.packets > 0).map((one) => one.name);
  if (ran.some(isKernel)) return [];
  // In order of rank, the stricter first: what it does not check, the other does not either.
  const strictest = ran.find(isMachine);
  if (strictest === undefined) return [];
  return UNCHECKED_BY[strictest].map((kind) => ({ what: UNCHECKED[kind], engine: strictest }));
}
