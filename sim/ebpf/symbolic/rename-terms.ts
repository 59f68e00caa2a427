/** Other terms in the place of some, wherever a path has them: who puts in what is worth the same changes nothing. */
import type { PathMemory } from './path-memory.ts';
import type { Answer, CallFrame, PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

type Rename = (term: Term) => Term;

/**
 * @param instead what each is replaced by
 * @param prepare fills `instead`, the terms made first before those that are made of them
 */
export function renameTerms(
  state: PathState,
  instead: ReadonlyMap<Term, Term>,
  prepare: (rename: Rename) => void,
): void {
  prepare((term) => renaming(state.pool, instead)(term));
  const rename = renaming(state.pool, instead);
  const value = (one: Value): Value => ({ ...one, term: rename(one.term) });
  const values = (all: (Value | undefined)[]): void => {
    for (const [index, one] of all.entries()) if (one !== undefined) all[index] = value(one);
  };
  const memory = (one: PathMemory): void => one.rename(rename);
  values(state.registers);
  for (const [index, frame] of state.frames.entries())
    state.frames[index] = renamedFrame(frame, rename, value);
  state.stacks.forEach(memory);
  memory(state.context);
  for (const block of state.blocks) memory(block.memory);
  state.entries = state.entries.map((entry) => ({
    ...entry,
    key: entry.key.map(rename),
    wasThere: rename(entry.wasThere),
    isThere: rename(entry.isThere),
  }));
  state.answers = state.answers.map((one) => renamedAnswer(one, rename));
  state.foretold = state.foretold?.map((one) => renamedAnswer(one, rename));
  state.acts = state.acts.map((act) => ({ ...act, terms: act.terms.map(rename) }));
  for (const [map, pushed] of state.pushed)
    state.pushed.set(
      map,
      pushed.map((one) => one.map(rename)),
    );
  for (const [map, bytes] of state.rings) state.rings.set(map, rename(bytes));
  if (state.redirect !== undefined) state.redirect = rename(state.redirect);
  if (state.via !== undefined) {
    const { flags, next } = state.via;
    const renamed = next === undefined ? {} : { next: next.map(rename) };
    state.via = { ...state.via, flags: flags && rename(flags), ...renamed };
  }
  if (state.end?.kind === 'exit') state.end = { ...state.end, action: rename(state.end.action) };
  state.knowledge = state.knowledge.rename(rename);
  state.unlimited = state.unlimited?.rename(rename);
}

function renamedFrame(frame: CallFrame, rename: Rename, value: (one: Value) => Value): CallFrame {
  const saved = frame.saved.map((one) => one && value(one));
  const { callback } = frame;
  if (callback === undefined) return { ...frame, saved };
  const context = value(callback.context);
  if (callback.kind === 'element') return { ...frame, saved, callback: { ...callback, context } };
  return { ...frame, saved, callback: { ...callback, context, rounds: rename(callback.rounds) } };
}

function renamedAnswer(answer: Answer, rename: Rename): Answer {
  const { question, read, written } = answer;
  const rows = (all: readonly (readonly Term[])[]): Term[][] => all.map((one) => one.map(rename));
  return {
    ...answer,
    question: { ...question, numbers: question.numbers.map(rename), read: rows(question.read) },
    read: rows(read),
    written: rows(written),
    arguments: answer.arguments.map(rename),
    result: answer.result && rename(answer.result),
  };
}

/** Terms that were made before the first that is replaced have none of them in them. */
function renaming(pool: TermPool, instead: ReadonlyMap<Term, Term>): Rename {
  const renamed = new Map(instead);
  const first = Math.min(...[...instead.keys()].map((one) => one.id));
  const rename = (term: Term): Term => {
    if (term.id < first) return term;
    let found = renamed.get(term);
    if (found === undefined) {
      const operands = term.operands.map(rename);
      const isSame = operands.every((one, index) => one === term.operands[index]);
      found = isSame ? term : pool.rebuild(term, operands);
      renamed.set(term, found);
    }
    return found;
  };
  return rename;
}
