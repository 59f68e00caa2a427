/** What a term is written with: a byte of the frame is one thing, wherever it may lie. */
import { addressOf } from '../../sim/ebpf/symbolic/byte-anywhere.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';

const sizes = new WeakMap<Term, number>();

/** How many terms a term is written out, where each stands for itself wherever it occurs: far more than there are. */
export function writtenSize(term: Term): number {
  const operands = writtenOperands(term);
  if (operands.length === 0) return 1;
  const known = sizes.get(term);
  if (known !== undefined) return known;
  let size = 1;
  for (const operand of operands) size += writtenSize(operand);
  sizes.set(term, size);
  return size;
}

/** What is named in a term: unknowns, and bytes of the frame that lie anywhere, in the order in which it is written. */
export function namedIn(term: Term): ReadonlySet<Term> {
  const found = new Set<Term>();
  const seen = new Set<Term>();
  const look = (one: Term): void => {
    if (seen.has(one)) return;
    seen.add(one);
    if (one.operation === 'var' || addressOf(one) !== undefined) found.add(one);
    else one.operands.forEach(look);
  };
  look(term);
  return found;
}

function writtenOperands(term: Term): readonly Term[] {
  const address = addressOf(term);
  return address === undefined ? term.operands : [address];
}
