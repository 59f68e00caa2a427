/**
 * Ways that hang on numbers which no input can be solved for: how often a loop met something, which flags it set. What a run
 * says is by how much such a number misses (`TracedRun.missed`). So a case is changed, one condition after the other, those of the
 * loop's last rounds first; what comes nearer is changed in turn, until the number is the one that is asked for.
 */

import type { Missed, Sequence, TracedRun, TracedRuns } from './traced-runs.ts';
import { resized } from './world-edits.ts';

export interface ApproachOptions {
  readonly runs: Pick<TracedRuns, 'run' | 'watch'>;
  /** Runs a case, and keeps it if it reaches something new. */
  readonly attempt: (sequence: Sequence, before: Sequence) => TracedRun | undefined;
  /** The case with one of its conditions going the other way, the likeliest first. */
  readonly otherWays: (sequence: Sequence, run: TracedRun, index: number) => Iterable<Sequence>;
  /** Is what may be spent on one goal spent? */
  readonly isOver: () => boolean;
}

/** Conditions of a case that are changed, from its end. */
const MOST_CHANGED = 96;
/** Of a change that leads away from the goal: the conditions at its end that are changed, too, as one round may take two. */
const FURTHER = 2;
/** Conditions at a case's end that may be those of a loop's last round: also of what changes nothing by itself, more is changed. */
const LAST_ROUND = 8;
/** Bytes that a frame gets for what it does not hold yet. */
const ROOM = 64;
/** Ways in which one condition is changed. */
const MOST_WAYS = 2;

/** The case that came nearest to each way that no case has gone. */
export class Nearest {
  readonly #cases = new Map<number, { readonly sequence: Sequence; readonly distance: number }>();

  note({ missed }: TracedRun, sequence: Sequence): void {
    for (const [id, one] of missed) {
      const distance = distanceOf(one);
      if (distance < (this.#cases.get(id)?.distance ?? Number.POSITIVE_INFINITY))
        this.#cases.set(id, { sequence, distance });
    }
  }

  get(id: number): Sequence | undefined {
    return this.#cases.get(id)?.sequence;
  }
}

export class Approach {
  readonly #options: ApproachOptions;
  /** What came nearest to a way when nothing led to it. */
  readonly #failed = new Map<number, Sequence>();

  constructor(options: ApproachOptions) {
    this.#options = options;
  }

  /** Leads to a way, from the case that came nearest to it; and from others, if what it hangs on is to be seen in them alone. */
  lead(goal: number, nearest: Sequence, others: readonly Sequence[]): void {
    const { runs, isOver } = this.#options;
    const run = runs.run(nearest);
    if (run === undefined || this.#failed.get(goal) === nearest || this.#climb(goal, nearest) === 'there')
      return;
    this.#failed.set(goal, nearest);
    // A flag is set or not: nothing comes nearer. Another case may have it, and not come to where it is asked for.
    const gates = run.missed.get(goal)?.behind ?? [];
    for (const gate of gates) runs.watch(gate);
    for (const other of others) {
      if (isOver() || this.#climb(goal, other) === 'there') return;
      let current = other;
      for (const gate of gates) {
        if (isOver()) return;
        const reached = this.#climb(gate, current);
        if (typeof reached === 'object') current = reached;
      }
    }
  }

  /** @returns the case as near as it comes, or that a way is gone which nothing had gone before */
  #climb(goal: number, start: Sequence): Sequence | 'there' {
    let [current, run] = this.#withRoom(goal, start);
    while (run !== undefined && !this.#options.isOver()) {
      const distance = missedBy(run, goal);
      if (distance === 0) return run.fresh.some(({ id }) => id === goal) ? 'there' : current;
      if (distance === Number.POSITIVE_INFINITY) return current;
      const closer = this.#closer(goal, distance, current, run);
      if (closer === undefined) return current;
      [current, run] = closer;
    }
    return current;
  }

  /** With a longer last frame, if that is as near: a list grows more easily where there is room for it. */
  #withRoom(goal: number, start: Sequence): [Sequence, TracedRun | undefined] {
    const { runs, attempt } = this.#options;
    const run = runs.run(start);
    const last = start.stimuli.at(-1);
    const packet = last === undefined ? undefined : resized(last.packet, last.packet.length + ROOM);
    if (run === undefined || last === undefined || packet === undefined) return [start, run];
    const longer = { ...start, stimuli: [...start.stimuli.slice(0, -1), { ...last, packet }] };
    const tried = attempt(longer, start);
    return tried !== undefined && missedBy(tried, goal) <= missedBy(run, goal)
      ? [longer, tried]
      : [start, run];
  }

  #closer(
    goal: number,
    distance: number,
    sequence: Sequence,
    run: TracedRun,
  ): [Sequence, TracedRun] | undefined {
    const count = run.trace.branches.length;
    for (const [changed, tried, index] of this.#changed(sequence, run, MOST_CHANGED)) {
      if (missedBy(tried, goal) < distance) return [changed, tried];
      if (missedBy(tried, goal) !== Number.POSITIVE_INFINITY && index < count - LAST_ROUND) continue;
      for (const [again, further] of this.#changed(changed, tried, FURTHER))
        if (missedBy(further, goal) < distance) return [again, further];
    }
    return undefined;
  }

  /** The case with its last conditions changed, one at a time, from the end. */
  *#changed(sequence: Sequence, run: TracedRun, most: number): Generator<[Sequence, TracedRun, number]> {
    const { attempt, otherWays, isOver } = this.#options;
    const count = run.trace.branches.length;
    for (let index = count - 1; index >= Math.max(0, count - most); index--) {
      let ways = 0;
      for (const changed of otherWays(sequence, run, index)) {
        if (isOver() || ways++ === MOST_WAYS) break;
        const tried = attempt(changed, sequence);
        if (tried !== undefined) yield [changed, tried, index];
      }
    }
  }
}

/** By how much a run misses a way; infinite: it did not come to where it begins. */
function missedBy({ ways, missed }: TracedRun, id: number): number {
  const one = missed.get(id);
  return ways.has(id) ? 0 : one === undefined ? Number.POSITIVE_INFINITY : distanceOf(one);
}

/** Of two that miss it by the same, the one is nearer that came there more often: a loop may end there by itself. */
function distanceOf({ distance, times }: Missed): number {
  return distance + 1 / (1 + times);
}
