/** Counts that compiled programs do not keep, since they follow from the others. */
import { EXIT, JA, JA32, jumpTarget, LDDW } from '../instruction.ts';
import type { ExecutionCounts } from '../interpreter/coverage.ts';

/** Fills in how often each unconditional jump forwards was taken: as often as it was reached. */
export function forwardJumps(counts: ExecutionCounts): void {
  const { source, taken, entered, left } = counts;
  const { instructions } = source;
  const { count, opcode } = instructions;
  const arriving = entered.slice();
  // Jumps backwards are all counted, so they can be added beforehand.
  for (let slot = 0; slot < count; slot++) {
    if (taken[slot]! > 0) arriving[jumpTarget(instructions, slot)]! += taken[slot]!;
  }
  let flow = 0;
  for (let slot = 0; slot < count; slot++) {
    flow += arriving[slot]!;
    const code = opcode[slot]!;
    if (code === JA || code === JA32) {
      const target = jumpTarget(instructions, slot);
      if (target > slot) {
        taken[slot] = flow;
        arriving[target]! += flow;
      }
      flow = 0;
    } else flow = code === EXIT ? 0 : flow - taken[slot]! - left[slot]!;
    if (code === LDDW) slot++;
  }
}
