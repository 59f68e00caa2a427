/**
 * Looks for values under which a checksum breaks, before a solver is asked whether there are any: what left minus what came
 * is a form modulo 65535, and whether values make it other than 0 is quickly seen.
 */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, isConst, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import type { OnesForm } from './ones-form.ts';
import { formValue } from './ones-term.ts';

/** Values that are drawn, and of those that break it, how many are handed out. */
const DRAWS = 200;
const MOST_DRAWN = 3;
/** Terms of few values that are driven to each of them: carries that are left out, or counted twice. */
const MOST_DRIVEN = 6;
const FEW = 3n;

/** Bytes that make words carry, or vanish. */
const TELLING: readonly bigint[] = [0xffn, 0n, 0xffn, 0xfen, 1n, 0x80n];

/** @param form that is 0 where the checksum leaves right */
export async function* suspects(
  state: PathState,
  form: OnesForm,
  feasibility: Feasibility,
): AsyncGenerator<Assignment> {
  const breaks = (values: Assignment): boolean => formValue(form, new Evaluator(values)) !== 0n;
  if (state.values !== undefined) {
    if (breaks(state.values)) yield state.values;
    let drawn = 0;
    for (const values of draws(state, form, state.values)) {
      if (!breaks(values)) continue;
      yield values;
      if (++drawn === MOST_DRAWN) break;
    }
  }
  const { pool, knowledge } = state;
  let driven = 0;
  for (const term of form.factors.keys()) {
    const { min, max } = knowledge.range(term);
    if (max - min > FEW) continue;
    if (++driven > MOST_DRIVEN) return;
    for (let value = max; value >= min; value--) {
      const condition = pool.equal(term, pool.constant(term.width, value));
      if (isConst(knowledge.settle(condition))) continue;
      const feasible = await feasibility.ask(knowledge, condition, state.values);
      if (feasible.answer === 'yes' && breaks(feasible.values)) yield feasible.values;
    }
  }
}

/** Other values of the frame's bytes that a form depends on, with which the path is still taken. */
function* draws(state: PathState, form: OnesForm, from: Assignment): Generator<Assignment> {
  const unknowns = new Set([...form.factors.keys()].flatMap((term) => [...unknownsOf(term)]));
  const bytes = [...unknowns].filter((one) => one.width === 8);
  const asking = state.constraints.filter(({ condition }) =>
    [...unknownsOf(condition)].some((one) => unknowns.has(one)),
  );
  const asked = new Set(asking.flatMap(({ condition }) => [...unknownsOf(condition)]));
  const free = bytes.filter((one) => !asked.has(one));
  const random = new Drawn();
  for (let draw = 0; draw < DRAWS; draw++) {
    // Now all of them, now those that nothing asks for; now any bytes, now telling ones.
    const changing = draw % 2 === 0 && free.length > 0 ? free : bytes;
    if (changing.length === 0) return;
    const values = new Map(from);
    for (const one of changing) {
      const isTelling = draw % 4 > 1 && random.below(4) > 0;
      values.set(one, isTelling ? TELLING[random.below(TELLING.length)]! : BigInt(random.below(256)));
    }
    const evaluator = new Evaluator(values);
    if (asking.every(({ condition }) => evaluator.isTrue(condition))) yield values;
  }
}

/** Numbers that are the same every time. */
class Drawn {
  #state = 1;

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
    return (this.#state >>> 8) % limit;
  }
}
