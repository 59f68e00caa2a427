/** What was found in a program, and which of it the team has accepted. */
import { isKernel } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import { asFinding, groupsOf, isByWriting, ungrouped } from '../../verify/check/group.ts';
import { type Thresholds, verdictOfCheck } from '../../verify/check/verdict.ts';
import { isNamed } from '../../verify/invariants/rules.ts';
import { SEVERITIES } from '../../verify/severity.ts';
import { fingerprintsOf, lineFingerprint } from './fingerprint.ts';
import { headOf } from './home.ts';
import { sourcePath } from './source-path.ts';

/** What a finding is known by from one run to the next. */
export interface Known {
  readonly finding: CheckFinding;
  readonly fingerprint: string;
  /** Of all that its line breaks; absent without a line, and of what is not written. */
  readonly line?: string;
  /** The file to show it in. */
  readonly path: string;
}

/** Why a finding in a file is accepted; undefined where it is not. */
export type ReasonFor = (fingerprint: string, path: string) => string | undefined;

export interface NamedFinding {
  /** As it is shown: what has one cause is one. */
  readonly finding: CheckFinding;
  /** Its own; of a line that breaks everything, the line's. */
  readonly fingerprint: string;
  /** The finding and what it stands for, each by itself. */
  readonly members: readonly Known[];
  /** The file to show it in, and the line from 1; for what has no line, the object or source itself. */
  readonly path: string;
  readonly line: number;
  /** Why it is accepted; absent where it is not. */
  readonly accepted?: string;
}

export interface JudgedProgram {
  readonly program: Program;
  /** With the findings that are not accepted, and the verdict on these. */
  readonly checked: CheckedProgram;
  /** As it was before anything was accepted. */
  readonly original: CheckedProgram;
  /** That the verdict was made with. */
  readonly thresholds: Thresholds;
  /** Was it looked for: by the options, and by what could run? */
  readonly isJudged: (invariant: string) => boolean;
  /** All findings, in their order. */
  readonly findings: readonly NamedFinding[];
}

/** How a program's findings are looked at. */
export interface JudgeOptions {
  readonly reasonFor: ReasonFor;
  readonly thresholds: Thresholds;
  /** By the options of the run. */
  readonly isOn: (invariant: string) => boolean;
}

/** With what was not to be judged, a sentence each. */
export function withNotJudged(checked: CheckedProgram, sentences: readonly string[]): CheckedProgram {
  return sentences.length === 0 ? checked : { ...checked, notChecked: [...checked.notChecked, ...sentences] };
}

/** What was found, with what is accepted of it apart. */
export function judge(program: Program, checked: CheckedProgram, options: JudgeOptions): JudgedProgram {
  const { reasonFor, thresholds, isOn } = options;
  const all = knownOf(program, checked.findings);
  const reasons = new Map<string | undefined, Known[]>();
  for (const one of all) {
    const reason = one.finding.severity === 'info' ? undefined : acceptedFor(one, reasonFor);
    reasons.set(reason, [...(reasons.get(reason) ?? []), one]);
  }
  const findings = [...reasons]
    .flatMap(([reason, some]) => namedOf(program, some, reason))
    .sort((a, b) => severityOf(a) - severityOf(b));
  const open = findings.filter(({ accepted }) => accepted === undefined).map(({ finding }) => finding);
  const isJudged = (id: string): boolean => isOn(id) && isRun(checked, id);
  const known = { program, original: checked, thresholds, isJudged, findings };
  const accepted = all.length - (reasons.get(undefined)?.length ?? 0);
  if (accepted === 0) return { ...known, checked: { ...checked, findings: open } };
  const { report, unreached, sweeps } = checked;
  const verdict = verdictOfCheck({ report, unreached, sweeps, findings: open, ...thresholds });
  const { verdict: own, reason } = verdict;
  const shown = { ...checked, verdict: own, reason: `${reason}; ${accepted} accepted`, findings: open };
  return { ...known, checked: shown };
}

/** What only a kernel shows. */
const OF_KERNELS = ['load', 'agreement', 'determinism'];

/** Did the engines run that show it? */
function isRun({ report }: CheckedProgram, invariant: string): boolean {
  const ran = report.engines.filter(({ status }) => status === 'ran').map(({ name }) => name);
  if (OF_KERNELS.some((group) => isNamed(invariant, group))) return ran.some(isKernel);
  // A kernel that is there is asked first, and what it refuses is found by another name.
  if (isNamed(invariant, 'verifier')) return ran.length > 0 && !ran.some(isKernel);
  return ran.length > 0;
}

function severityOf({ finding }: NamedFinding): number {
  return SEVERITIES.indexOf(finding.severity);
}

function knownOf(program: Program, findings: readonly CheckFinding[]): Known[] {
  const each = ungrouped(findings);
  const fingerprints = fingerprintsOf(program, each);
  return each.map((finding, at) => {
    const line = isByWriting(finding) ? lineFingerprint(program, finding) : undefined;
    const { path } = placeOf(program, finding);
    return { finding, fingerprint: fingerprints[at]!, path, ...(line === undefined ? {} : { line }) };
  });
}

/** A line that is accepted is so whatever else it breaks. */
function acceptedFor({ fingerprint, line, path }: Known, reasonFor: ReasonFor): string | undefined {
  return reasonFor(fingerprint, path) ?? (line === undefined ? undefined : reasonFor(line, path));
}

/** Findings of one lot, accepted for the same reason or not at all, as they are shown. */
function namedOf(program: Program, some: readonly Known[], accepted: string | undefined): NamedFinding[] {
  const known = new Map(some.map((one) => [one.finding, one]));
  return groupsOf(some.map(({ finding }) => finding)).map((group): NamedFinding => {
    const finding = asFinding(group);
    const members = group.members.map((one) => known.get(one)!);
    const { fingerprint, line } = members[0]!;
    return {
      finding,
      fingerprint: group.isWholeLine ? line! : fingerprint,
      members,
      ...placeOf(program, finding),
      ...(accepted === undefined ? {} : { accepted }),
    };
  });
}

function placeOf(program: Program, { source }: CheckFinding): { path: string; line: number } {
  if (source !== undefined) return { path: sourcePath(source.file, program), line: Math.max(1, source.line) };
  const own = headOf(program);
  if (own !== undefined) return { path: sourcePath(own.file, program), line: own.line };
  return { path: sourcePath(program.objectPath ?? program.name, program), line: 1 };
}
