/**
 * What the stack would have to hold for a program's own conditions on bytes that it never wrote to go the other way:
 * `kind == 2` is false of zeros and of ones alike.
 */

import { type Assignment, fieldsOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { solveBranch } from '../../sim/ebpf/dataflow/solve.ts';
import { fillWith } from '../../sim/ebpf/stack-fill.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TracedRuns } from '../guide/traced-runs.ts';
import type { Sighting } from './probe.ts';

/** Of a program: each is a world of its own, which takes some milliseconds to open. */
const MAX_FILLS = 16;
/** Packets that one of these is tried on. */
const MAX_PACKETS = 8;

export class StackFills {
  readonly #runs: TracedRuns;
  /** On how many packets each was tried. */
  readonly #tried = new Map<bigint, number>();

  constructor(program: Program) {
    this.#runs = new TracedRuns(program, { followsStack: true });
  }

  /** For one packet, beginning with zeros; what is decided behind such a condition is solved in its turn. */
  *of(sighting: Sighting): Generator<bigint, void, void> {
    const fills = new Set<bigint>([0n]);
    for (const base of fills) {
      for (const fill of this.#others(sighting, base)) {
        if (fills.has(fill) || !this.#count(fill)) continue;
        fills.add(fill);
        yield fill;
      }
    }
  }

  /** Counts a packet; false: there were enough. */
  #count(fill: bigint): boolean {
    const tried = this.#tried.get(fill);
    if (tried === undefined ? this.#tried.size >= MAX_FILLS : tried >= MAX_PACKETS) return false;
    this.#tried.set(fill, (tried ?? 0) + 1);
    return true;
  }

  /** For each condition on such bytes, one that sends the packet the other way, as far as that can be told. */
  *#others({ world, stimulus }: Sighting, base: bigint): Generator<bigint, void, void> {
    const run = this.#runs.run({ world: { ...world, stackFill: base }, stimuli: [stimulus] });
    if (run === undefined) return;
    const { branches } = run.trace;
    for (const [index, branch] of branches.entries()) {
      if (![...fieldsOf(branch.a, fieldsOf(branch.b))].some(isOfStack)) continue;
      const fill = solveBranch(branch, branches.slice(0, index), isOfStack)
        .map((solution) => fillWith(base, bytesOf(solution)))
        .find((one) => one !== undefined);
      if (fill !== undefined) yield fill;
    }
  }
}

function isOfStack({ kind }: InputField): boolean {
  return kind === 'stack';
}

function bytesOf(solution: Assignment): [address: number, byte: number][] {
  return [...solution].flatMap(([field, value]) =>
    field.kind === 'stack' ? [[field.address, Number(value)] as [number, number]] : [],
  );
}
