/** The verdict on all programs of a run: the worst of them, and the exit code that says the same. */
import type { CheckedProgram, CheckVerdict } from '../../verify/check/finding.ts';
import { EXIT } from '../failure.ts';

export function overallVerdict(
  all: readonly CheckedProgram[],
  interrupted: boolean,
): { readonly verdict: CheckVerdict; readonly reason: string } {
  const [only] = all;
  if (only === undefined) return { verdict: 'incomplete', reason: 'nothing was checked' };
  for (const verdict of ['fail', 'incomplete'] as const) {
    const some = all.filter((one) => one.verdict === verdict);
    const [first] = some;
    if (first === undefined) continue;
    if (all.length === 1) return { verdict, reason: first.reason };
    return { verdict, reason: `${some.length} of ${all.length} programs: ${first.name}: ${first.reason}` };
  }
  if (interrupted) return { verdict: 'incomplete', reason: 'the run was interrupted' };
  if (all.length === 1) return { verdict: 'pass', reason: only.reason };
  const warnings = warningsText(all);
  return { verdict: 'pass', reason: `all ${all.length} programs${warnings === '' ? '' : `, ${warnings}`}` };
}

/** "2 warnings"; empty where there are none. */
export function warningsText(all: readonly CheckedProgram[]): string {
  const count = all
    .flatMap(({ findings }) => findings)
    .filter(({ severity }) => severity === 'warning').length;
  return count === 0 ? '' : `${count} warning${count === 1 ? '' : 's'}`;
}

export function exitCodeOfCheck(all: readonly CheckedProgram[], interrupted: boolean): number {
  const { verdict } = overallVerdict(all, interrupted);
  return verdict === 'pass' ? EXIT.agreed : verdict === 'fail' ? EXIT.found : EXIT.incomplete;
}
