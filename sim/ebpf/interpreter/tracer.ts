/** Who wants to be told of every step. */
import type { State } from './state.ts';

export interface Tracer {
  /** Called before the instruction at `pc` of `state.program` runs. */
  before(state: State, pc: number): void;
}
