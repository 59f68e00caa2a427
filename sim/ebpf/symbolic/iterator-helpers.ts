/** `bpf_for` and `bpf_repeat` on a path: numeric iterators (kernel/bpf/bpf_iter.c), a round at a time. */
import { E2BIG, EINVAL } from '../../runtime/errno.ts';
import { MAX_LOOPS } from '../limits.ts';
import { load, store } from './access.ts';
import type { Inputs } from './inputs.ts';
import type { PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

/** An int, as 64 bits. */
function int(state: PathState, term: Term): Term {
  return state.pool.signExtend(64, state.pool.extract(term, 0, 32));
}

/** The number before the next one, and the one behind the last. */
function write(state: PathState, at: Value, current: Term, end: Term): void {
  store(state, at, 0, 4, { term: current, region: undefined });
  store(state, at, 4, 4, { term: end, region: undefined });
}

function read(inputs: Inputs, state: PathState, at: Value, offset: number): Term {
  const loaded = load(inputs, state, at, offset, 4);
  return state.pool.signExtend(64, 'operation' in loaded ? loaded : state.pool.extract(loaded.term, 0, 32));
}

const begin: SymbolicHelper = (_inputs, state, [at, first, last]) => {
  const { pool } = state;
  const [start, end] = [int(state, first!.term), int(state, last!.term)];
  const zero = pool.constant(64, 0);
  const refused = state.decide(pool.lessSigned(end, start))
    ? EINVAL
    : state.decide(pool.lessSigned(pool.constant(64, MAX_LOOPS), pool.subtract(end, start)))
      ? E2BIG
      : 0;
  if (refused === 0) write(state, at!, pool.addConst(start, -1), end);
  else write(state, at!, zero, zero);
  return pool.constant(64, -refused >>> 0);
};

/** @returns a pointer to the number, which lies in the iterator itself */
const next: SymbolicHelper = (inputs, state, [at]) => {
  const { pool } = state;
  const zero = pool.constant(64, 0);
  const number = int(state, pool.addConst(read(inputs, state, at!, 0), 1));
  const end = read(inputs, state, at!, 4);
  if (state.decide(pool.lessSigned(number, end))) {
    write(state, at!, number, end);
    return at!;
  }
  write(state, at!, zero, zero);
  return zero;
};

export const ITERATOR_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_iter_num_new: begin,
  bpf_iter_num_next: next,
  bpf_iter_num_destroy: () => undefined,
};
