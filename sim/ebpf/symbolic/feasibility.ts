/**
 * Whether a path may go on in a certain way: by what it knows, by values found nearby, and last by a solver, which is
 * asked about connected conditions only, and about conditions of one shape only once.
 */
import { letOthersTurn } from '../../runtime/turns.ts';
import { Evaluator } from './evaluate.ts';
import type { Constraint, Knowledge } from './knowledge.ts';
import { connected, repair } from './repair.ts';
import { shapeOf } from './shape.ts';
import { type Solver, type SolverAnswer, TIME_UP } from './solver.ts';
import { type Assignment, isConst, type Term } from './term.ts';

export type Feasible =
  | { readonly answer: 'yes'; readonly values: Assignment }
  | { readonly answer: 'no' }
  | { readonly answer: 'unknown'; readonly reason: string };

export interface FeasibilityCounts {
  /** Questions that what a path knows has decided, values found nearby, an earlier answer, the solver. */
  known: number;
  nearby: number;
  repeated: number;
  queries: number;
  /** Queries that the solver did not decide. */
  unknown: number;
  /** Milliseconds in the solver. */
  solverTime: number;
}

const NO: Feasible = { answer: 'no' };

export class Feasibility {
  readonly counts: FeasibilityCounts = {
    known: 0,
    nearby: 0,
    repeated: 0,
    queries: 0,
    unknown: 0,
    solverTime: 0,
  };
  /** When nobody waits for the solver any more, by the clock that it was made with. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #solver: Solver;
  readonly #now: () => number;
  /** Answers by shape; values in the order of the shape's unknowns. */
  readonly #answers = new Map<
    string,
    { readonly status: SolverAnswer['status']; readonly values: bigint[]; readonly reason: string }
  >();

  /** @param now milliseconds, for the counts and the deadline */
  constructor(solver: Solver, now: () => number = () => 0) {
    this.#solver = solver;
    this.#now = now;
  }

  /** May `condition` hold besides what is known? @param values under which all that is known holds */
  async ask(knowledge: Knowledge, condition: Term, values: Assignment | undefined): Promise<Feasible> {
    const settled = knowledge.settle(condition);
    if (isConst(settled)) {
      this.counts.known++;
      if (settled.value === 0n) return NO;
      if (values !== undefined) return { answer: 'yes', values };
    }
    if (values !== undefined) {
      if (new Evaluator(values).isTrue(condition)) {
        this.counts.nearby++;
        return { answer: 'yes', values };
      }
      const found = repair(connected(knowledge.constraints, condition), condition, values);
      if (found !== undefined) {
        this.counts.nearby++;
        return { answer: 'yes', values: found };
      }
    }
    const group = connected(knowledge.constraints, condition);
    const found = await this.#holding(group, [condition]);
    if (found.answer !== 'yes' || values !== undefined)
      return found.answer === 'yes' ? { ...found, values: new Map([...values!, ...found.values]) } : found;
    return this.#besides(knowledge, group, found.values);
  }

  /**
   * Nobody knows yet whether what the path knows can be met. What has no unknown in common is asked by itself: what the solver
   * does not decide then costs its time once, and not with every question.
   */
  async #besides(
    { constraints }: Knowledge,
    asked: readonly Constraint[],
    values: Assignment,
  ): Promise<Feasible> {
    const all = new Map(values);
    const known = new Set(asked);
    for (const one of constraints) {
      if (known.has(one)) continue;
      const group = connected(constraints, one.condition);
      for (const each of group) known.add(each);
      const found = await this.#holding(group, []);
      if (found.answer !== 'yes') return found;
      for (const [unknown, value] of found.values) all.set(unknown, value);
    }
    return { answer: 'yes', values: all };
  }

  async #holding(group: readonly Constraint[], besides: readonly Term[]): Promise<Feasible> {
    const answer = await this.solve([...group.map((one) => one.condition), ...besides]);
    if (answer.status === 'unsatisfiable') return NO;
    if (answer.status === 'unknown') return { answer: 'unknown', reason: answer.reason };
    return { answer: 'yes', values: answer.values };
  }

  /** Asks the solver, or remembers what it said about conditions of the same shape. */
  async solve(conditions: readonly Term[]): Promise<SolverAnswer> {
    await letOthersTurn();
    const shape = shapeOf(conditions);
    const known = this.#answers.get(shape.key);
    if (known !== undefined) {
      this.counts.repeated++;
      if (known.status === 'unknown') return { status: 'unknown', reason: known.reason };
      if (known.status === 'unsatisfiable') return { status: 'unsatisfiable' };
      return {
        status: 'satisfiable',
        values: new Map(shape.unknowns.map((one, index) => [one, known.values[index] ?? 0n])),
      };
    }
    const start = this.#now();
    if (start >= this.deadline) return { status: 'unknown', reason: TIME_UP };
    this.counts.queries++;
    const answer = await this.#solver.check(conditions, this.deadline - start);
    const end = this.#now();
    this.counts.solverTime += end - start;
    if (answer.status === 'unknown') {
      this.counts.unknown++;
      // Who asks again later may have more time.
      if (end >= this.deadline) return { status: 'unknown', reason: TIME_UP };
    }
    this.#answers.set(shape.key, {
      status: answer.status,
      values:
        answer.status === 'satisfiable' ? shape.unknowns.map((one) => answer.values.get(one) ?? 0n) : [],
      reason: answer.status === 'unknown' ? answer.reason : '',
    });
    return answer;
  }
}
