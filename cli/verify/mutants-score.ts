/** The mutants of one program, and its score. */
import type { Program } from '../../sim/runtime/program.ts';
import type { MutantResult, MutantVerdict } from '../../verify/mutants/judge-mutants.ts';

export interface Scored {
  readonly program: Program;
  /** `differs from its model`: the program as it is; which mutants are noticed means nothing then. */
  readonly status: 'judged' | 'differs from its model' | 'no object';
  /** Why it was not judged. */
  readonly reason?: string;
  /** In the order of the instructions. */
  readonly results: readonly MutantResult[];
  /** How many mutants there are, tried or not. */
  readonly of: number;
  /** Packets that a mutant which nothing told apart has run. */
  readonly packets: number;
}

export function countOf({ results }: Scored, verdict: MutantVerdict): number {
  return results.filter((one) => one.verdict === verdict).length;
}

/** In percent of those that can be told apart; undefined where there are none. */
export function scoreOf(one: Scored): number | undefined {
  const killed = countOf(one, 'killed');
  const all = killed + countOf(one, 'survived');
  return all === 0 ? undefined : (100 * killed) / all;
}
