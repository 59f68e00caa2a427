/** One line on a divergence: what was expected, what came, and what is likely to have caused it. */
import type { Case } from '../../corpus/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Finding } from '../finding.ts';

export function summarize(program: Program, _shown: Case, finding: Finding): string {
  return `${program.name}: ${finding.engines.join(' and ')} differ in ${finding.field}`;
}
