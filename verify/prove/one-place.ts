/**
 * A path that has read at places that it does not know, narrowed to one of them: behind headers of one length it is what it
 * would have been if it had asked for that length.
 */
import { candidates } from '../../sim/ebpf/symbolic/candidates.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { follow } from '../../sim/ebpf/symbolic/explore.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { namePlaces } from '../../sim/ebpf/symbolic/open-places.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { repair } from '../../sim/ebpf/symbolic/repair.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';

/** Of each header behind which a path reads, the places that are shown: all that IPv4 options leave. */
const MOST_SHOWN = 12;

/** The path on which `condition`, which says where something lies, holds; undefined where no input takes it. */
export async function narrowedTo(
  inputs: Inputs,
  state: PathState,
  condition: Term,
  feasibility: Feasibility,
): Promise<PathState | undefined> {
  if (state.knowledge.settle(condition) === state.pool.false) return undefined;
  const moved = state.values === undefined ? undefined : movedTo(inputs, state, condition, state.values);
  const near = moved === undefined ? state : state.copy();
  near.values = moved ?? state.values;
  const child = await follow(near, condition, feasibility);
  if (child === undefined) return undefined;
  child.end = state.end;
  namePlaces(child);
  return child;
}

/** The path for each of the places where it may have read, as they follow each other, or for some of them where that are many. */
export async function* atEachPlace(
  inputs: Inputs,
  state: PathState,
  feasibility: Feasibility,
): AsyncGenerator<PathState, void, undefined> {
  const { pool, knowledge } = state;
  const starts = new Set(state.open.map(({ address }) => pool.addConst(address, -address.value)));
  for (const start of starts) {
    const { min, max } = knowledge.range(start);
    const places = evenly(candidates(start, min, max) ?? [], MOST_SHOWN);
    for (const place of places) {
      const isThere = pool.equal(start, pool.constant(start.width, place));
      const child = await narrowedTo(inputs, state, isThere, feasibility);
      if (child !== undefined) yield child;
    }
  }
}

/** So many of them, the first and the last among them. */
function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from(
    { length: most },
    (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))]!,
  );
}

/** Values of the same packet where `condition` holds: what was read lies elsewhere, and the frame is as much longer. */
function movedTo(
  inputs: Inputs,
  state: PathState,
  condition: Term,
  values: Assignment,
): Assignment | undefined {
  const there = repair([], condition, values);
  if (there === undefined) return undefined;
  const before = new Evaluator(values);
  const moved = new Map(there);
  let farther = 0n;
  for (const { address, byte } of state.open) {
    // Where it lies may be said by one that was moved before.
    const to = new Evaluator(moved).value(address);
    moved.set(inputs.packetByte(Number(to)), before.value(byte));
    const by = to - before.value(address);
    if (by > farther) farther = by;
  }
  moved.set(inputs.length, before.value(inputs.length) + farther);
  const after = new Evaluator(moved);
  const holds = after.isTrue(condition) && state.constraints.every((one) => after.isTrue(one.condition));
  return holds ? moved : undefined;
}
