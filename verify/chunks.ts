/** How a run is divided among several runners: in pieces that do not depend on how many runners there are. */
import type { BatchRange } from './batch-plan.ts';

/** So many pieces of each size; the size doubles until it is large enough that handing out costs nothing. */
const OF_EACH_SIZE = 8;
const LARGEST = 16;

/** Piece `index` of a run, contiguous and in order: small ones first, so that short runs are divided, too. */
export function chunk(index: number): BatchRange {
  let from = 0;
  let size = 1;
  let left = index;
  while (size < LARGEST && left >= OF_EACH_SIZE) {
    from += size * OF_EACH_SIZE;
    left -= OF_EACH_SIZE;
    size *= 2;
  }
  from += left * size;
  return { from, to: from + size, step: 1 };
}
