/** The end of a function, or of the program. */
import { behindVisit } from './element-walk.ts';
import { nextRound } from './flow-helpers.ts';
import { enter } from './frames.ts';
import type { Inputs } from './inputs.ts';
import { type PathState, PathViolation } from './path-state.ts';
import { stackPointer } from './path-value.ts';

/** Returns to the caller: a function of the program, a helper, or the kernel, which is the path's end. */
export function leave(inputs: Inputs, state: PathState): void {
  const frame = state.frames.at(-1);
  const { pool, registers } = state;
  const result = registers[0];
  if (frame === undefined) {
    if (result === undefined) throw new PathViolation('R0 !read_ok');
    state.end = { kind: 'exit', action: pool.extract(result.term, 0, 32) };
    return;
  }
  const { callback } = frame;
  if (callback !== undefined && result === undefined) throw new PathViolation('R0 !read_ok');
  const following =
    callback === undefined
      ? undefined
      : callback.kind === 'round'
        ? nextRound(state, callback)
        : behindVisit(inputs, state, callback);
  state.frames.pop();
  state.stacks.length = state.frames.length + 1;
  for (const [index, value] of frame.saved.entries()) registers[6 + index] = value;
  registers[10] = stackPointer(pool, state.frames.length);
  state.program = frame.program;
  for (let number = 1; number <= 5; number++) registers[number] = undefined;
  if (following !== undefined && 'callback' in following) {
    for (const [number, value] of following.registers.entries()) registers[number + 1] = value;
    enter(state, following.callback.target, frame.returnTo, following.callback);
    return;
  }
  registers[0] = following === undefined ? result : { term: following.result, region: undefined };
  state.slot = frame.returnTo;
}
