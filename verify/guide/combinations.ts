/**
 * Ways that packets went together: one at a branch that hangs on what the world holds (an entry of a map, a route), or of a
 * redirect through a map, and each other one of the same packet. A program that finds an entry for TCP alone was not seen to
 * find one for UDP, though every branch of it was gone both ways.
 */
import { fieldsOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch, FlowCall, FlowTrace } from '../../sim/ebpf/dataflow/flow-trace.ts';
import { edgeId, type TracedRun } from './traced-runs.ts';

/** Pairs that are told apart. */
const MAX_PAIRS = 200_000;
/** Ways that are told apart, so that two of them make one number. */
const MAX_WAYS = 2 ** 16;
const REDIRECT = 'bpf_redirect_map';

export class Combinations {
  /** Does a branch hang on the world? By its place. */
  readonly #hangs = new Map<number, boolean>();
  readonly #numbers = new Map<number, number>();
  readonly #pairs = new Set<number>();

  /** Has any run met a branch that hangs on the world? */
  get hasAny(): boolean {
    return this.#pairs.size > 0;
  }

  /** Enters a run of one packet. @returns whether two of its ways went together for the first time */
  enter({ trace, ways }: Pick<TracedRun, 'trace' | 'ways'>): boolean {
    const before = this.#pairs.size;
    for (const branch of trace.branches)
      if (this.#hangsOnWorld(branch, trace)) this.#pair(edgeId(branch), ways);
    // No branch need ask whether the slot holds anything: the program returns what the helper did.
    for (const call of trace.calls) if (call.helper === REDIRECT) this.#pair(callId(call), ways);
    return this.#pairs.size > before;
  }

  #pair(id: number, ways: ReadonlySet<number>): void {
    const own = this.#numberOf(id) * MAX_WAYS;
    for (const way of ways) {
      if (this.#pairs.size >= MAX_PAIRS) break;
      this.#pairs.add(own + this.#numberOf(way));
    }
  }

  #hangsOnWorld(branch: FlowBranch, { calls }: FlowTrace): boolean {
    const place = edgeId({ ...branch, taken: false });
    const known = this.#hangs.get(place);
    if (known !== undefined) return known;
    const fields = fieldsOf(branch.b, fieldsOf(branch.a));
    const hangs = [...fields].some(
      (field) => field.kind === 'map' || (field.kind === 'call' && calls[field.call]?.needs === 0),
    );
    this.#hangs.set(place, hangs);
    return hangs;
  }

  #numberOf(way: number): number {
    const known = this.#numbers.get(way) ?? this.#numbers.size % MAX_WAYS;
    this.#numbers.set(way, known);
    return known;
  }
}

/** Whether a call found something, as a number that is no branch's. */
function callId({ program, slot, found }: FlowCall): number {
  return -1 - edgeId({ program, slot, taken: found });
}
