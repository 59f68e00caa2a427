/** What on a path follows from some bytes of the packet: terms of them, entries under keys of them, what helpers answer about them. */
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { unknownsIn } from './asking-anew.ts';

/** Looks for routes by addresses: no rule of a world asks for ports. */
const NOT_ASKING: ReadonlySet<string> = new Set(['bpf_fib_lookup']);

/** What original bytes of the path's entries are called, whatever block holds an entry's value by now. */
function entryNames(inputs: Inputs, state: PathState): string[] {
  const counts = new Map<number, number>();
  return state.entries.map(({ map }) => {
    const ordinal = counts.get(map) ?? 0;
    counts.set(map, ordinal + 1);
    return `${inputs.entryName(map, ordinal)}.`;
  });
}

/** @returns whether a term depends on the bytes; undefined where no decision of the path, and nothing that it comes to, does */
export function dependents(
  inputs: Inputs,
  state: PathState,
  bytes: ReadonlySet<Term>,
): ((term: Term) => boolean) | undefined {
  const depending = new Set(bytes);
  const names = entryNames(inputs, state);
  const entries: string[] = [];
  const depends = (term: Term): boolean => {
    for (const one of unknownsOf(term))
      if (depending.has(one) || entries.some((name) => one.name.startsWith(name))) return true;
    return false;
  };
  // An entry's value may be part of the next key.
  for (let grown = true; grown; ) {
    const before = depending.size + entries.length;
    for (const [position, { key }] of state.entries.entries()) {
      const name = names[position]!;
      if (!entries.includes(name) && key.some(depends)) entries.push(name);
    }
    for (const answer of state.answers) {
      if (NOT_ASKING.has(answer.helper)) continue;
      if (![...answer.read.flat(), ...answer.arguments].some(depends)) continue;
      const { result } = answer;
      for (const one of result === undefined ? [] : unknownsOf(result)) depending.add(one);
      for (const one of unknownsIn(answer).flatMap((term) => [...unknownsOf(term)])) depending.add(one);
    }
    grown = depending.size + entries.length > before;
  }
  return [...state.constraints.map(({ condition }) => condition), ...outcomeOf(state)].some(depends)
    ? depends
    : undefined;
}

/** Unknowns on which anything may depend that the path decides, looks up or asks. */
export function mentioned(state: PathState): ReadonlySet<Term> {
  const all = new Set<Term>();
  const enter = (term: Term): void => {
    for (const one of unknownsOf(term)) all.add(one);
  };
  for (const { condition } of state.constraints) enter(condition);
  for (const { key } of state.entries) key.forEach(enter);
  for (const { read, arguments: given } of state.answers) [...read.flat(), ...given].forEach(enter);
  outcomeOf(state).forEach(enter);
  return all;
}

function outcomeOf({ end, redirect }: PathState): Term[] {
  return [...(end?.kind === 'exit' ? [end.action] : []), ...(redirect === undefined ? [] : [redirect])];
}
