/** Functions of a program that call each other: each has registers r6 to r9 and a stack of its own. */
import { MAX_CALL_FRAMES } from '../instruction.ts';
import { PathMemory } from './path-memory.ts';
import { type ElementVisit, type LoopRound, type PathState, PathViolation } from './path-state.ts';
import { stackPointer, type Value } from './path-value.ts';
import type { Term } from './term.ts';

/** What happens when a function returns to the helper that called it: the next call, or the helper's result. */
export type Following =
  | { readonly callback: LoopRound | ElementVisit; readonly registers: readonly Value[] }
  | { readonly result: Term };

/** Enters a function in a frame of its own; its arguments are in r1 to r5. */
export function enter(
  state: PathState,
  target: number,
  returnTo: number,
  callback: PathState['frames'][number]['callback'],
): void {
  if (state.frames.length + 1 >= MAX_CALL_FRAMES) throw new PathViolation('the call stack is too deep');
  state.frames.push({ program: state.program, returnTo, saved: state.registers.slice(6, 10), callback });
  state.stacks[state.frames.length] = new PathMemory();
  for (let number = 6; number < 10; number++) state.registers[number] = undefined;
  state.registers[0] = undefined;
  state.registers[10] = stackPointer(state.pool, state.frames.length);
  state.slot = target;
}
