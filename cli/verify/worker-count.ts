/** How many worker processes `xdpsim verify` starts where the user does not say. */
import { availableParallelism } from 'node:os';

/** More than any machine that this is for has use of. */
export const MAX_WORKERS = 64;
/** Above so many packets of each program, or from so many seconds on, all cores work. */
export const LONG_RUN = 100_000;
const LONG_SECONDS = 5;

/** A second process takes as long to start as some ten thousand packets. Who names a time means a long run. */
export function usualWorkers({ runs = 0, seconds = 0 }: { runs?: number; seconds?: number }): number {
  const isLong = runs > LONG_RUN || seconds >= LONG_SECONDS;
  return isLong ? Math.min(availableParallelism(), MAX_WORKERS) : 1;
}
