/** Which numbers a term may be, as far as its own bits and its bounds say. */
import { allOnes, type Term } from './term.ts';

/** More are not tried one by one. */
export const MOST_CANDIDATES = 4096n;

/**
 * Numbers from `min` to `max` that bits and bounds leave for a term: all that it can be are among them.
 * @returns undefined: too many to try each
 */
export function candidates(term: Term, min: bigint, max: bigint): bigint[] | undefined {
  let step = 1n;
  // All numbers that the term may be leave this when they are divided by `step`.
  let rest = 0n;
  while (step < max - min) {
    const mask = step * 2n - 1n;
    if ((term.maybe & mask) === 0n) rest = 0n;
    else if (isMultiple(term, mask)) rest = term.value & mask;
    else break;
    step *= 2n;
  }
  if ((max - min) / step > MOST_CANDIDATES) return undefined;
  const left: bigint[] = [];
  // A bound need not be a number that the term may be.
  for (let value = min + ((rest - min) & (step - 1n)); value <= max; value += step) {
    const fixed = (value & term.ones) === term.ones && (value & ~term.maybe & allOnes(term.width)) === 0n;
    if (fixed) left.push(value);
  }
  return left;
}

/** Is a sum, without its constant, always a multiple of the power of two above `mask`? */
function isMultiple(term: Term, mask: bigint): boolean {
  if (term.operation !== 'sum') return false;
  return term.operands.every(
    (one, index) => ((one.maybe * (term.factors[index]! & 0xffff_ffffn)) & mask) === 0n,
  );
}
