/**
 * Functions that stand for others: a dispatcher, as libxdp's, calls a function of its own for each program that may be put there, and
 * whoever loads it replaces these (`freplace`, kernel/bpf/verifier.c, `bpf_check_attach_target`). What one returns until then is said to
 * nobody but the dispatcher.
 */
import type { BpfProgram, Subprogram } from '../../sim/ebpf/bpf-object.ts';
import { BTF_KIND, type Btf } from '../../sim/ebpf/btf.ts';
import { BPF_LDX, BPF_REG_FP, BPF_ST, BPF_STX, CALL, CLASS_MASK, LDDW } from '../../sim/ebpf/instruction.ts';
import type { TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Divergence } from '../report.ts';
import { traceOf } from './probe.ts';
import { readableObject } from './readable-object.ts';

/** As the linkage of a FUNC: what is static, nobody replaces. */
const BTF_FUNC_GLOBAL = 1;
/** Such a function does nothing; one that computes something is no placeholder. */
const MOST_INSTRUCTIONS = 16;

/** The name of the function that returned the action of the case's last packet, where that is one to be replaced. */
export async function placeholderReturning(
  program: Program,
  { case: shown, finding: { got } }: Pick<Divergence, 'case' | 'finding'>,
): Promise<string | undefined> {
  const object = readableObject(program);
  if (object?.btf === undefined || got === undefined) return undefined;
  const trace = await traceOf(program, shown);
  for (const step of trace?.steps ?? []) {
    const own = object.programs.find((one) => one.function === step.program);
    const subprogram = own?.subprograms.find((one) => isIn(one, step.instruction));
    if (own === undefined || subprogram === undefined || !isPlaceholder(own, subprogram, object.btf))
      continue;
    if (returnsAction(step, got.action)) return subprogram.name;
  }
  return undefined;
}

function isIn({ start, count }: Subprogram, slot: number): boolean {
  return slot >= start && slot < start + count;
}

/** Does the step put this number into the register that is returned? */
function returnsAction({ registers }: TraceStep, action: number): boolean {
  return registers.some(
    ({ register, value }) => register === 0 && Number(BigInt.asIntN(32, value)) === action,
  );
}

/**
 * Is it a global function that returns a constant by way of the stack, so that the compiler does not take the constant for the call, and
 * looks at nothing but its own stack and whether there is an argument?
 */
export function isPlaceholder(
  { instructions }: Pick<BpfProgram, 'instructions'>,
  { start, count, typeId }: Pick<Subprogram, 'start' | 'count' | 'typeId'>,
  btf: Btf,
): boolean {
  if (start === 0 || count > MOST_INSTRUCTIONS || typeId === undefined) return false;
  if (btf.kind(typeId) !== BTF_KIND.FUNC || btf.vlen(typeId) !== BTF_FUNC_GLOBAL) return false;
  const { opcode, dst, src } = instructions;
  let isReturned = false;
  for (let slot = start; slot < start + count; slot++) {
    const code = opcode[slot]!;
    const kind = code & CLASS_MASK;
    if (code === CALL || code === LDDW) return false;
    if ((kind === BPF_ST || kind === BPF_STX) && dst[slot] !== BPF_REG_FP) return false;
    if (kind !== BPF_LDX) continue;
    if (src[slot] !== BPF_REG_FP) return false;
    isReturned ||= dst[slot] === 0;
  }
  return isReturned;
}
