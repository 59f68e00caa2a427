/**
 * Inputs for paths that want a helper to answer in a way that no input can choose: what the helper is asked is drawn anew
 * until the machine hears the wanted answer. The number of a text, say, follows from the text, and terms do not say how.
 */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Constraint } from '../../sim/ebpf/symbolic/knowledge.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected, repair } from '../../sim/ebpf/symbolic/repair.ts';
import { type Assignment, allOnes, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { isWitness, type Witness, witnessFor } from './witness.ts';

/** Inputs that are drawn for one path. */
const MOST_DRAWN = 48;
/** Bytes of texts that helpers read: ends, blanks, signs, digits, letters. */
const TEXT = [0, 0x20, 0x2b, 0x2d, 0x30, 0x31, 0x37, 0x39, 0x41, 0x61, 0x66, 0x78, 0x7a, 0xff];

/** @param missed answers that came out otherwise than the path wants them */
export function* askedAnew(
  inputs: Inputs,
  state: PathState,
  values: Assignment,
  missed: readonly Answer[],
): Generator<Witness> {
  const answered = new Set(state.answers.flatMap(unknownsIn));
  const asked = new Set<Term>();
  for (const { read, arguments: given } of missed) {
    for (const term of [...read.flat(), ...given])
      for (const one of unknownsOf(term)) if (!answered.has(one)) asked.add(one);
  }
  // Where entries lie in a hash table follows from their keys.
  if (state.walks > 0)
    for (const { key } of state.entries) for (const one of key) if (isFree(one)) asked.add(one);
  if (asked.size === 0) return;
  const own = state.constraints.filter(({ condition }) =>
    [...unknownsOf(condition)].every((one) => !answered.has(one)),
  );
  const random = randomNumbers();
  for (let attempt = 0; attempt < MOST_DRAWN; attempt++) {
    const changed = new Map(values);
    for (const unknown of asked) if (random() % 2 === 0) changed.set(unknown, drawn(unknown, random));
    const whole = mended(own, changed);
    const witness = whole === undefined ? undefined : witnessFor(inputs, state, whole);
    if (witness !== undefined && isWitness(witness)) yield witness;
  }
}

/** Is it a byte of a key that a walk has met? */
function isFree({ operation, name }: Term): boolean {
  return operation === 'var' && name.includes('.key.');
}

/** What an answer left unknown. */
export function unknownsIn({ open, written }: Answer): Term[] {
  const all = [open.number, open.isNull, ...(open.behind ?? []), ...written.flat()];
  return all.filter((one) => one !== undefined);
}

function drawn({ width }: Term, random: () => number): bigint {
  const number = random() % 2 === 0 ? TEXT[random() % TEXT.length]! : random();
  return BigInt(number) & allOnes(width);
}

/** The values with as much changed as the conditions ask for; undefined: that did not do. */
function mended(conditions: readonly Constraint[], values: Map<Term, bigint>): Assignment | undefined {
  let mending = values;
  for (let round = 0; round < 4; round++) {
    const evaluator = new Evaluator(mending);
    const broken = conditions.find((one) => !evaluator.isTrue(one.condition));
    if (broken === undefined) return mending;
    const next = repair(connected(conditions, broken.condition), broken.condition, mending);
    if (next === undefined) return undefined;
    mending = next;
  }
  return undefined;
}

/** The same numbers each time, of 16 bits. */
function randomNumbers(): () => number {
  let word = 1;
  return () => {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    return (word >>> 16) & 0xffff;
  };
}
