/** A solver that gives up when the user does: its answer to everything is then that it does not know. */
import type { Solver, SolverAnswer } from '../../sim/ebpf/symbolic/solver.ts';

const INTERRUPTED: SolverAnswer = { status: 'unknown', reason: 'it was interrupted' };

export function interruptible(solver: Solver, signal: AbortSignal): Solver {
  const ended = new Promise<SolverAnswer>((resolve) => {
    if (signal.aborted) resolve(INTERRUPTED);
    else signal.addEventListener('abort', () => resolve(INTERRUPTED), { once: true });
  });
  return {
    check: (conditions, most) =>
      signal.aborted ? ended : Promise.race([solver.check(conditions, most), ended]),
  };
}
