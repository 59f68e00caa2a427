/** What the kernel did with a program that the machine stopped, in words. */
import type { KernelVerdict } from '../kernel-verdict.ts';

/** The verifier's log says last why it refuses a program. */
const MAX_LOG_LINES = 12;

/** Half a sentence: "this kernel refuses to load the program". */
export function kernelClause(verdict: KernelVerdict): string {
  switch (verdict.did) {
    case 'ran':
      return 'this kernel runs the program to its end';
    case 'accepted':
      return `this kernel accepts the program, but did not run this packet (${verdict.why})`;
    case 'refused':
      return 'this kernel refuses to load the program';
    case 'not asked':
      return `the kernel was not asked (${verdict.why})`;
  }
}

/** Lines for a report, with the end of the verifier's log. */
export function kernelLines(verdict: KernelVerdict): string[] {
  const clause = kernelClause(verdict);
  const sentence = `${clause[0]!.toUpperCase()}${clause.slice(1)}`;
  if (verdict.did !== 'refused') return [`${sentence}.`];
  const log = verdict.log === undefined ? [] : endOfLog(verdict.log, '--json has all');
  return [`${sentence}: ${verdict.message}`, ...log.map((line) => `  ${line}`)];
}

/**
 * The last lines of a verifier's log, and how many are before them.
 * @param whereAll who has all of them: "--json has all"
 */
export function endOfLog(log: string, whereAll: string): string[] {
  const lines = log.trimEnd().split('\n');
  const shown = lines.slice(-MAX_LOG_LINES);
  const left = lines.length - shown.length;
  return [...(left > 0 ? [`… ${left} lines of its log before these (${whereAll})`] : []), ...shown];
}
