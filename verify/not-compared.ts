/** What no comparison looked at, as data: reports count and print it, nobody takes sentences apart. */
import type { EngineName } from '../sim/engines/register.ts';

export interface NotCompared {
  /** The part of an outcome, the map, or the rule by which packets were left out: "redirect target". */
  readonly what: string;
  /** Which engine cannot show it, or does not take such packets. */
  readonly engine: EngineName;
  /** How many packets it is about; absent where it is about all of them. */
  readonly packets?: number;
}

/** The same gaps added up: one entry for each `what` and engine, in order of first appearance. */
export function sumNotCompared(gaps: Iterable<NotCompared>): NotCompared[] {
  const sums = new Map<string, NotCompared>();
  for (const gap of gaps) {
    const key = `${gap.engine} ${gap.what}`;
    const sum = sums.get(key);
    if (sum === undefined || sum.packets === undefined) sums.set(key, sum ?? gap);
    else if (gap.packets === undefined) sums.set(key, gap);
    else sums.set(key, { ...gap, packets: sum.packets + gap.packets });
  }
  return [...sums.values()];
}
