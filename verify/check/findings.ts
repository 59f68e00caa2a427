/** From what a run of `verify` found to findings by the names of invariants. */

import { isKernel } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { checksumCause } from '../explain/causes.ts';
import type { Finding } from '../finding.ts';
import { checksumId } from '../invariants/checksum-rules.ts';
import type { Divergence, ProgramReport } from '../report.ts';
import type { Warning } from '../warning.ts';
import type { CheckFinding } from './finding.ts';

/** Who confirms it is not known yet. */
export function findingOf(divergence: Divergence): CheckFinding {
  const { finding, case: shown, severity, summary, file, unsaved } = divergence;
  const source = finding.source ?? finding.got?.note?.source;
  return {
    invariant: invariantOf(finding, shown.stimuli[finding.packet]?.packet),
    severity,
    summary,
    confirmedBy: [],
    divergence,
    ...(source === undefined ? {} : { source: { file: source.file, line: source.line } }),
    ...(file === undefined ? {} : { file }),
    ...(unsaved === undefined ? {} : { unsaved }),
  };
}

/** @param came the packet that shows it, as it came */
export function invariantOf(finding: Finding, came: Uint8Array | undefined): string {
  if (finding.breach !== undefined) return finding.breach.invariant;
  if (finding.part === 'checksum') {
    const cause = came === undefined ? undefined : checksumCause(came, finding)?.id;
    return checksumId(cause, finding.fault?.layer);
  }
  if (finding.part !== 'status') return 'agreement/machine';
  return finding.kernel?.did === 'refused' ? 'load/refused' : 'verifier/stopped';
}

/** The kernel does not load the program: the verifier's log says why. */
export function loadFindings(program: Program, report: ProgramReport): CheckFinding[] {
  return report.engines.flatMap(({ name, failure }): CheckFinding[] => {
    if (!isKernel(name) || failure === undefined || failure.kind !== 'input') return [];
    if (failure.lacking === true || failure.ofWorld === true) return [];
    return [
      {
        invariant: 'load/refused',
        severity: 'error',
        summary: `${program.name}: ${failure.message}`,
        confirmedBy: [name],
        ...(failure.log === undefined ? {} : { log: failure.log }),
        details: failure.remedy === undefined ? [] : [failure.remedy],
      },
    ];
  });
}

/** What runs warned of, where no packet was found that shows it. */
export function warningFindings(
  program: Program,
  warnings: readonly Warning[],
  found: readonly CheckFinding[],
): CheckFinding[] {
  return warnings.flatMap(({ kind, summary, source }): CheckFinding[] => {
    const invariant = WARNINGS[kind];
    if (invariant === undefined) return [];
    const [group] = invariant.split('/');
    if (found.some((one) => one.invariant.startsWith(`${group}/`))) return [];
    const place = source === undefined ? {} : { source };
    // A warning: no packet shows it.
    return [
      {
        invariant,
        severity: 'warning',
        summary: `${program.name}: ${summary}`,
        confirmedBy: ['vm'],
        ...place,
      },
    ];
  });
}

/** Kinds of warnings (`OutcomeNote.warning`), and what they break. */
const WARNINGS: Readonly<Record<string, string>> = {
  'unwritten-stack': 'uninitialized/passed',
  'leaked-address': 'determinism/differs',
};
