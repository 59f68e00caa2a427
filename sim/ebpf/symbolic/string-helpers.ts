/** Comparison of strings, byte by byte. */
import { readBytes, readString } from './access.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';

const compare: SymbolicHelper = (inputs, state, [text, size, other]) => {
  const { pool } = state;
  const length = Number(state.number(size!.term));
  const mine = readBytes(inputs, state, text!, length);
  // Ended by its zero, which the first string cannot pass without being found different.
  const theirs = readString(inputs, state, other!).slice(0, length);
  for (const [at, byte] of theirs.entries()) {
    if (state.decide(pool.equal(mine[at]!, byte))) {
      if (state.decide(pool.equal(byte, pool.constant(8, 0)))) break;
    } else return pool.constant(64, state.decide(pool.less(mine[at]!, byte)) ? -1 : 1);
  }
  return pool.constant(64, 0);
};

export const STRING_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_strncmp: compare,
};
