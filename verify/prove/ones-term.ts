/** Forms modulo 65535 as bit vectors, for a solver, and as numbers, for one packet. */
import type { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import type { OnesForm } from './ones-form.ts';

const MODULUS = 65_535n;

/** What a form is worth where its unknowns are known, from 0 to 65534. */
export function formValue(form: OnesForm, evaluator: Evaluator): bigint {
  let sum = form.constant;
  for (const [term, factor] of form.factors) sum += factor * evaluator.value(term);
  return sum % MODULUS;
}

/** The condition that a form is not 0 modulo 65535. */
export function isNotZero({ pool, knowledge }: Pick<PathState, 'pool' | 'knowledge'>, form: OnesForm): Term {
  const parts: (readonly [Term, bigint])[] = [[pool.constant(32, form.constant), 1n]];
  for (const [term, factor] of form.factors) {
    for (const word of wordsOf(pool, term)) {
      const known = knowledge.only(word);
      parts.push([times(pool, known === undefined ? word : pool.constant(16, known), factor), 1n]);
    }
  }
  const sum = fold(pool, pool.sum(32, 0n, parts));
  return pool.not(
    pool.or(pool.equal(sum, pool.constant(32, 0)), pool.equal(sum, pool.constant(32, MODULUS))),
  );
}

/** Words of 16 bits that sum up to a term modulo 65535. */
function wordsOf(pool: TermPool, term: Term): Term[] {
  const words: Term[] = [];
  for (let low = 0; low < term.width; low += 16) {
    words.push(pool.zeroExtend(16, pool.extract(term, low, Math.min(16, term.width - low))));
  }
  return words;
}

/** A word times a factor modulo 65535, in 32 bits of which 17 are used: a power of two turns it, a negative one is taken of its complement. */
function times(pool: TermPool, word: Term, factor: bigint): Term {
  if (factor > MODULUS / 2n) return times(pool, pool.not(word), MODULUS - factor);
  const shift = factor.toString(2).length - 1;
  if (factor === 1n << BigInt(shift)) {
    const turned =
      shift === 0
        ? word
        : pool.concat([pool.extract(word, 0, 16 - shift), pool.extract(word, 16 - shift, shift)]);
    return pool.zeroExtend(32, turned);
  }
  return foldOnce(pool, pool.sum(32, 0n, [[pool.zeroExtend(32, word), factor]]));
}

/** A sum of 32 bits folded into 16. */
export function fold(pool: TermPool, sum: Term): Term {
  return foldOnce(pool, foldOnce(pool, sum));
}

function foldOnce(pool: TermPool, sum: Term): Term {
  const part = (low: number): Term => pool.zeroExtend(32, pool.extract(sum, low, 16));
  return pool.add(part(0), part(16));
}
