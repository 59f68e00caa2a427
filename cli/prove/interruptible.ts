/** A solver that gives up when the user does: its answer to everything is then that it does not know. */
import type { Solver, SolverAnswer } from '../../sim/ebpf/symbolic/solver.ts';

const INTERRUPTED: SolverAnswer = { status: 'unknown', reason: 'it was interrupted' };

/** One listener for each signal, however many programs are proved. */
const endings = new WeakMap<AbortSignal, Promise<SolverAnswer>>();

function endingOf(signal: AbortSignal): Promise<SolverAnswer> {
  const known = endings.get(signal);
  if (known !== undefined) return known;
  const ending = new Promise<SolverAnswer>((resolve) => {
    if (signal.aborted) resolve(INTERRUPTED);
    else signal.addEventListener('abort', () => resolve(INTERRUPTED), { once: true });
  });
  endings.set(signal, ending);
  return ending;
}

/** The same solver, which answers at once when the signal comes. */
export function interruptible(solver: Solver, signal: AbortSignal): Solver {
  const ended = endingOf(signal);
  return {
    check: (conditions, most) =>
      signal.aborted ? ended : Promise.race([solver.check(conditions, most), ended]),
  };
}
