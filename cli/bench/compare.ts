/** `bench --compare`: figures against those of an earlier run, in the light of how far either of them spread. */

import type { Result } from './measure.ts';

export interface Compared {
  readonly name: string;
  /** How fast it is now, over how fast it was: the quotient of the medians. Above 1 is faster, whatever the figure. */
  readonly change: number;
  /** The same of the worst round now and the best before, and the other way round: what the spread allows for. */
  readonly least: number;
  readonly most: number;
  readonly verdict: 'same' | 'faster' | 'slower' | 'not judged';
}

/** Figures of time: the smaller, the better. */
const isTime = ({ of }: Result): boolean => of.startsWith('nanoseconds');

/**
 * Slower is what was slower in each of its rounds than in the slowest round before: of five rounds and five, chance alone
 * does that to one figure in 252.
 */
export function compareResult(now: Result, before: Result): Compared {
  const { name } = now;
  const [fast, was] = [speedOf(now), speedOf(before)];
  const [change, least, most] = [
    quotient(fast.median, was.median),
    quotient(fast.worst, was.best),
    quotient(fast.best, was.worst),
  ];
  const comparable = now.of === before.of && (now.ratio === undefined) === (before.ratio === undefined);
  const verdict = !comparable ? 'not judged' : most < 1 ? 'slower' : least > 1 ? 'faster' : 'same';
  return { name, change, least, most, verdict };
}

function speedOf(result: Result): { readonly median: number; readonly worst: number; readonly best: number } {
  const middle = result.ratio ?? result.value ?? 0;
  const { min, max } = result;
  return isTime(result)
    ? { median: 1 / middle, worst: 1 / max, best: 1 / min }
    : { median: middle, worst: min, best: max };
}

function quotient(now: number, before: number): number {
  const value = now / before;
  return Number.isFinite(value) ? value : 0;
}
