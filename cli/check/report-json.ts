/** What `check --json` prints. */

import { ENGINE_NAMES, type EngineName } from '../../sim/engines/register.ts';
import {
  exactly,
  type Fields,
  flag,
  list,
  nonNegative,
  object,
  oneOf,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import type { Unsaved } from '../../verify/report.ts';
import type { Unreached } from '../../verify/unreached.ts';
import type { NotTested } from '../input/program-source.ts';
import { aidJson, type ProofAidJson, proofAidShape } from '../prove/aid-json.ts';
import type { JudgedProgram, NamedFinding } from './judged.ts';
import { overallVerdict } from './verdict.ts';

export interface CheckReportJson {
  readonly version: 1;
  readonly verdict: CheckedProgram['verdict'];
  /** One line. */
  readonly reason: string;
  readonly seed: string;
  /** Was the run ended from outside before it was done? */
  readonly interrupted?: boolean;
  readonly programs: readonly CheckedProgramJson[];
  /** Functions of the objects that are not checked by themselves. */
  readonly notTested: readonly NotTested[];
}

export interface CheckedProgramJson {
  readonly name: string;
  readonly verdict: CheckedProgram['verdict'];
  readonly reason: string;
  readonly seconds: number;
  /** Packets that were generated or replayed; those of sweeps apart. */
  readonly packets: number;
  readonly findings: readonly CheckFindingJson[];
  /** What the baseline accepts: it does not count. */
  readonly accepted: readonly AcceptedJson[];
  readonly coverage?: CoverageJson;
  readonly sweeps: {
    /** That took all of their values. */
    readonly words: number;
    readonly packets: number;
    readonly left: number;
    /** Of these, words that were met when as many were known as a check sweeps. */
    readonly beyond?: number;
    /** Where time was too short: how many packets there would have been. */
    readonly wanted?: number;
    /** With it: the share of its values that each word took at the least, from 0 to 1. */
    readonly least?: number;
  };
  /** Where packets left branches out, and the paths could be followed. */
  readonly proof?: ProofAidJson;
  /** Other kernels as which the machine ran it, too. */
  readonly asKernels?: readonly string[];
  readonly engines: readonly EngineJson[];
  readonly notChecked: readonly string[];
}

export interface CheckFindingJson extends Pick<CheckFinding, 'invariant' | 'severity' | 'summary'> {
  readonly source?: { readonly file: string; readonly line: number };
  /** The saved case. */
  readonly file?: string;
  readonly unsaved?: Unsaved;
  readonly confirmedBy: readonly EngineName[];
  /** The same in every run, also when lines move. */
  readonly fingerprint?: string;
  /** What the same line breaks for the same cause: `invariant` stands for all of them. */
  readonly also?: readonly RelatedFindingJson[];
}

/** Without the place, which is the finding's. */
export type RelatedFindingJson = Pick<
  CheckFindingJson,
  'invariant' | 'severity' | 'summary' | 'file' | 'confirmedBy'
>;

export interface AcceptedJson extends CheckFindingJson {
  readonly reason: string;
}

interface CoverageJson {
  /** Reached and total. */
  readonly instructions: readonly number[];
  readonly branches: readonly number[];
  readonly lines: readonly number[];
  readonly unreached: readonly Unreached[];
}

interface EngineJson {
  readonly name: EngineName;
  readonly status: 'ran' | 'skipped' | 'failed';
  readonly reason?: string;
  readonly remedy?: string;
}

export function checkReportJson(
  all: readonly CheckedProgram[],
  seed: string,
  interrupted: boolean,
  judged: readonly JudgedProgram[] = [],
  notTested: readonly NotTested[] = [],
): CheckReportJson {
  return {
    version: 1,
    ...overallVerdict(all, interrupted),
    seed,
    ...(interrupted ? { interrupted: true } : {}),
    programs: all.map((one, at) => programJson(one, judged[at]?.findings ?? [])),
    notTested,
  };
}

function programJson(checked: CheckedProgram, named: readonly NamedFinding[]): CheckedProgramJson {
  const { name, verdict, reason, seconds, report, findings, coverage, unreached, sweeps, proof, notChecked } =
    checked;
  return {
    name,
    verdict,
    reason,
    seconds,
    packets: report.packets,
    findings: findings.map((one) => {
      const fingerprint = named.find(({ finding }) => finding === one)?.fingerprint;
      return { ...findingJson(one), ...(fingerprint === undefined ? {} : { fingerprint }) };
    }),
    accepted: named.flatMap(({ finding, fingerprint, accepted }) =>
      accepted === undefined ? [] : [{ ...findingJson(finding), fingerprint, reason: accepted }],
    ),
    ...(coverage === undefined ? {} : { coverage: { ...coverage, unreached } }),
    sweeps,
    ...(proof === undefined ? {} : { proof: aidJson(proof) }),
    ...(checked.asKernels === undefined ? {} : { asKernels: checked.asKernels }),
    engines: report.engines.map(({ name: engine, status, reason: why, remedy }) => ({
      name: engine,
      status,
      ...(why === undefined ? {} : { reason: why }),
      ...(remedy === undefined ? {} : { remedy }),
    })),
    notChecked,
  };
}

export function findingJson(finding: CheckFinding): CheckFindingJson {
  const { invariant, severity, source, summary, file, unsaved, confirmedBy, also } = finding;
  return {
    invariant,
    severity,
    ...(source === undefined ? {} : { source: { file: source.file, line: source.line } }),
    summary,
    ...(file === undefined ? {} : { file }),
    ...(unsaved === undefined ? {} : { unsaved }),
    confirmedBy,
    ...(also === undefined ? {} : { also: also.map(relatedJson) }),
  };
}

function relatedJson({ invariant, severity, summary, file, confirmedBy }: CheckFinding): RelatedFindingJson {
  return { invariant, severity, summary, ...(file === undefined ? {} : { file }), confirmedBy };
}

const verdict: Schema<CheckedProgram['verdict']> = oneOf('pass', 'fail', 'incomplete');
const engineName: Schema<EngineName> = oneOf(...ENGINE_NAMES);
const counts: Schema<readonly number[]> = list(nonNegative);

/** Why a case is not where it was to be saved. */
export const unsavedShape: Schema<Unsaved> = object<Unsaved>({
  path: text,
  reason: text,
  base64: optional(text),
});

const findingFields = {
  invariant: text,
  severity: oneOf('error', 'warning', 'info'),
  source: optional(
    object<{ readonly file: string; readonly line: number }>({ file: text, line: nonNegative }),
  ),
  summary: text,
  file: optional(text),
  unsaved: optional(unsavedShape),
  confirmedBy: list(engineName),
  fingerprint: optional(text),
  also: optional(
    list(
      object<RelatedFindingJson>({
        invariant: text,
        severity: oneOf('error', 'warning', 'info'),
        summary: text,
        file: optional(text),
        confirmedBy: list(engineName),
      }),
    ),
  ),
} satisfies Fields<CheckFindingJson>;

const finding: Schema<CheckFindingJson> = object<CheckFindingJson>(findingFields);
const accepted: Schema<AcceptedJson> = object<AcceptedJson>({ ...findingFields, reason: text });

const unreached: Schema<Unreached> = object<Unreached>({
  function: text,
  file: optional(text),
  line: optional(nonNegative),
  instruction: optional(nonNegative),
  text: optional(text),
  because: text,
  map: optional(text),
  programMap: optional(text),
  behind: optional(nonNegative),
});

const program: Schema<CheckedProgramJson> = object<CheckedProgramJson>({
  name: text,
  verdict,
  reason: text,
  seconds: nonNegative,
  packets: nonNegative,
  findings: list(finding),
  accepted: list(accepted),
  coverage: optional(
    object<CoverageJson>({
      instructions: counts,
      branches: counts,
      lines: counts,
      unreached: list(unreached),
    }),
  ),
  sweeps: object<CheckedProgramJson['sweeps']>({
    words: nonNegative,
    packets: nonNegative,
    left: nonNegative,
    beyond: optional(nonNegative),
    wanted: optional(nonNegative),
    least: optional(nonNegative),
  }),
  proof: optional(proofAidShape),
  asKernels: optional(list(text)),
  engines: list(
    object<EngineJson>({
      name: engineName,
      status: oneOf('ran', 'skipped', 'failed'),
      reason: optional(text),
      remedy: optional(text),
    }),
  ),
  notChecked: list(text),
});

/** A function of an object that packets are not given to by itself. */
export const notTestedShape: Schema<NotTested> = object<NotTested>({
  program: text,
  section: optional(text),
  reason: text,
});

/** Published as docs/schema/check.json. */
export const checkReportShape: Schema<CheckReportJson> = object<CheckReportJson>({
  version: exactly(1, 'expected 1'),
  verdict,
  reason: text,
  seed: text,
  interrupted: optional(flag),
  programs: list(program),
  notTested: list(notTestedShape),
});
