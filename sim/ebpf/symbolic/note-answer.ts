/**
 * Notes that a helper was called whose effect is stated, with what of it stays unknown: those who listen to a machine tell the
 * calls of one helper apart by their order, so each is noted, or none.
 */
import type { Inputs } from './inputs.ts';
import type { OpenAnswer, PathState } from './path-state.ts';
import type { Term } from './term.ts';

/** How the unknowns of the next answer are called. */
export function nextAnswerName(inputs: Inputs, state: PathState, helper: string): string {
  return `${inputs.isSecond ? 'second.' : ''}${helper}.${state.answers.length}`;
}

export function noteAnswer(
  inputs: Inputs,
  state: PathState,
  helper: string,
  open: Omit<OpenAnswer, 'through'> = {},
  result?: Term,
): void {
  const name = nextAnswerName(inputs, state, helper);
  const answer = {
    helper,
    name,
    // Nobody else's question.
    question: { shape: name, numbers: [], read: [] },
    ordinal: state.answers.length,
    result,
    read: [],
    written: [],
    arguments: [],
    open: { ...open, through: [] },
  };
  state.answers = [...state.answers, answer];
}
