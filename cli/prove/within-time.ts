/** A solver whose questions end when the time for all of them is over. */
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';

/** Milliseconds for a question that comes late: most are answered in a few. */
const LEAST = 20;

/** @param time milliseconds from now on */
export function withinTime(
  solver: Solver,
  time: number,
  now: () => number = () => performance.now(),
): Solver {
  const end = now() + time;
  return {
    check: (conditions, most = Number.POSITIVE_INFINITY) =>
      solver.check(conditions, Math.min(most, Math.max(LEAST, Math.ceil(end - now())))),
  };
}
