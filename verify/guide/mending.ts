/**
 * Where a case parts from the path that it was to follow: what was solved for one condition may break those before it. A
 * length that is to be 200 no longer is that of the frame, a byte that is to be '$' no longer fits the sum behind it.
 */
import type { Assignment } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';

/** How often a case is put back on its path: each time, what was changed may break a condition before. */
export const MOST_MENDED = 16;

/** Of the branches of a run, the first that goes the other way than it did on the path; undefined: none does, or the run came elsewhere. */
export function partingOf(path: readonly FlowBranch[], run: readonly FlowBranch[]): number | undefined {
  for (const [index, wanted] of path.entries()) {
    const branch = run[index];
    if (branch === undefined || !isSamePlace(branch, wanted)) return undefined;
    if (branch.taken !== wanted.taken) return index;
  }
  return undefined;
}

function isSamePlace(one: FlowBranch, other: FlowBranch): boolean {
  return one.program === other.program && one.slot === other.slot && one.packet === other.packet;
}

/** Inputs that have their values and keep them: those of another run of the same case are other objects. */
export class HeldFields {
  readonly #names = new Set<string>();

  constructor(assignment: Assignment) {
    this.add(assignment);
  }

  add(assignment: Assignment): void {
    for (const field of assignment.keys()) this.#names.add(nameOf(field));
  }

  has(field: InputField): boolean {
    return this.#names.has(nameOf(field));
  }
}

function nameOf(field: InputField): string {
  switch (field.kind) {
    case 'packet':
      return `packet ${field.packet} ${field.offset}`;
    case 'context':
      return `context ${field.packet} ${field.name}`;
    case 'tunnel':
      return `tunnel ${field.packet} ${field.part} ${field.offset}`;
    case 'map':
      return `map ${field.map} ${field.key.join()} ${field.offset}`;
    case 'stack':
      return `stack ${field.address}`;
    case 'call':
      return `call ${field.call}`;
    default:
      return `${field.kind} ${field.packet}`;
  }
}
