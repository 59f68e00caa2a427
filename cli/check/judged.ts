/** What was found in a program, and which of it the team has accepted. */
import { loadObject } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import { verdictOfCheck } from '../../verify/check/verdict.ts';
import { fingerprintsOf } from './fingerprint.ts';
import { sourcePath } from './source-path.ts';

export interface NamedFinding {
  readonly finding: CheckFinding;
  readonly fingerprint: string;
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
  readonly minCoverage: number | undefined;
  /** All findings, in their order. */
  readonly findings: readonly NamedFinding[];
}

/** With a sentence for each invariant that the configuration switches off. */
export function withReasons(checked: CheckedProgram, reasons: ReadonlyMap<string, string>): CheckedProgram {
  const off = [...reasons].map(([name, reason]) => `${name} is switched off: ${reason}`);
  return off.length === 0 ? checked : { ...checked, notChecked: [...checked.notChecked, ...off] };
}

/** @param reasonFor why a finding is accepted; undefined where it is not */
export function judge(
  program: Program,
  checked: CheckedProgram,
  reasonFor: (fingerprint: string) => string | undefined,
  minCoverage: number | undefined,
): JudgedProgram {
  const fingerprints = fingerprintsOf(program, checked.findings);
  const findings = checked.findings.map((finding, at): NamedFinding => {
    const fingerprint = fingerprints[at]!;
    const accepted = finding.severity === 'info' ? undefined : reasonFor(fingerprint);
    return {
      finding,
      fingerprint,
      ...placeOf(program, finding),
      ...(accepted === undefined ? {} : { accepted }),
    };
  });
  const open = findings.filter(({ accepted }) => accepted === undefined).map(({ finding }) => finding);
  const original = checked;
  if (open.length === checked.findings.length) return { program, checked, original, minCoverage, findings };
  const { report, unreached, sweeps } = checked;
  const verdict = verdictOfCheck({
    ...{ report, unreached, sweeps, findings: open },
    ...(minCoverage === undefined ? {} : { minCoverage }),
  });
  const { verdict: own, reason } = verdict;
  const accepted = checked.findings.length - open.length;
  const shown = { ...checked, verdict: own, reason: `${reason}; ${accepted} accepted`, findings: open };
  return { program, checked: shown, original, minCoverage, findings };
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
    return loadObject(object).programs.find((one) => names.includes(one.function))?.lineInfo[0];
  } catch {
    return undefined;
  }
}
