/** How a helper is stated for a symbolic reader. */
import type { Inputs } from './inputs.ts';
import type { PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';

/** What a helper does on a path: the result in r0, as 64 bits; undefined: nothing that a program may read. */
export type SymbolicHelper = (
  inputs: Inputs,
  state: PathState,
  args: readonly Value[],
) => Value | Term | undefined;
