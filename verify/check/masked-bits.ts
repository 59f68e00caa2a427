/** Does a program mask what it takes from somewhere? Two runs tell, which differ in nothing but that number. */
import { BPF_ALU, BPF_ALU64, BPF_AND, CLASS_MASK, OPERATION_MASK } from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import type { TracedInstructions } from './traced-instructions.ts';

/**
 * Is there an AND that lets some of the bits pass in which the runs differ, and others not? Whoever masks a number says which
 * bits of it count; where a shift loses some, or they meet bits that are set, nobody has said anything.
 */
export function masksBits(
  instructions: TracedInstructions,
  one: Pick<RunTrace, 'steps'>,
  other: Pick<RunTrace, 'steps'>,
): boolean {
  const a = new Registers();
  const b = new Registers();
  for (const [at, step] of one.steps.entries()) {
    const twin = other.steps[at];
    // From here on they do different things.
    if (twin?.instruction !== step.instruction || twin.program !== step.program) return false;
    const { code, dst } = instructions.at(step);
    const before = a.at(dst) ^ b.at(dst);
    a.change(step);
    b.change(twin);
    if (!isAnd(code)) continue;
    const after = a.at(dst) ^ b.at(dst);
    if (after !== 0n && after !== before) return true;
  }
  return false;
}

function isAnd(code: number): boolean {
  const kind = code & CLASS_MASK;
  return (kind === BPF_ALU || kind === BPF_ALU64) && (code & OPERATION_MASK) === BPF_AND;
}

/** What registers hold, as far as steps have told. */
class Registers {
  readonly #values = new Map<number, bigint>();

  at(register: number): bigint {
    return this.#values.get(register) ?? 0n;
  }

  change({ registers }: TraceStep): void {
    for (const { register, value } of registers) this.#values.set(register, value);
  }
}
