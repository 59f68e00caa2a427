/** What was found in a program, and which of it the team has accepted. */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import { asFinding, groupsOf, isByWriting, ungrouped } from '../../verify/check/group.ts';
import { type Thresholds, verdictOfCheck } from '../../verify/check/verdict.ts';
import { SEVERITIES } from '../../verify/severity.ts';
import { fingerprintsOf, lineFingerprint } from './fingerprint.ts';
import { sourcePath } from './source-path.ts';

/** What a finding is known by from one run to the next. */
export interface Known {
  readonly finding: CheckFinding;
  readonly fingerprint: string;
  /** Of all that its line breaks; absent without a line, and of what is not written. */
  readonly line?: string;
}

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
  /** All findings, in their order. */
  readonly findings: readonly NamedFinding[];
}

/** With what was not to be judged, a sentence each. */
export function withNotJudged(checked: CheckedProgram, sentences: readonly string[]): CheckedProgram {
  return sentences.length === 0 ? checked : { ...checked, notChecked: [...checked.notChecked, ...sentences] };
}

/** @param reasonFor why a finding is accepted; undefined where it is not */
export function judge(
  program: Program,
  checked: CheckedProgram,
  reasonFor: (fingerprint: string) => string | undefined,
  thresholds: Thresholds,
): JudgedProgram {
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
  const original = checked;
  const accepted = all.length - (reasons.get(undefined)?.length ?? 0);
  if (accepted === 0)
    return { program, checked: { ...checked, findings: open }, original, thresholds, findings };
  const { report, unreached, sweeps } = checked;
  const verdict = verdictOfCheck({ report, unreached, sweeps, findings: open, ...thresholds });
  const { verdict: own, reason } = verdict;
  const shown = { ...checked, verdict: own, reason: `${reason}; ${accepted} accepted`, findings: open };
  return { program, checked: shown, original, thresholds, findings };
}

function severityOf({ finding }: NamedFinding): number {
  return SEVERITIES.indexOf(finding.severity);
}

function knownOf(program: Program, findings: readonly CheckFinding[]): Known[] {
  const each = ungrouped(findings);
  const fingerprints = fingerprintsOf(program, each);
  return each.map((finding, at) => {
    const line = isByWriting(finding) ? lineFingerprint(program, finding) : undefined;
    return { finding, fingerprint: fingerprints[at]!, ...(line === undefined ? {} : { line }) };
  });
}

/** A line that is accepted is so whatever else it breaks. */
function acceptedFor(
  { fingerprint, line }: Known,
  reasonFor: (fingerprint: string) => string | undefined,
): string | undefined {
  return reasonFor(fingerprint) ?? (line === undefined ? undefined : reasonFor(line));
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

/** The line that the program's function begins at. */
function headOf({ object, entries }: Program): { readonly file: string; readonly line: number } | undefined {
  if (object === undefined) return undefined;
  try {
    const names = entries.map((entry) => entry.function);
    return linkedObject(object).programs.find((one) => names.includes(one.function))?.lineInfo[0];
  } catch {
    return undefined;
  }
}
