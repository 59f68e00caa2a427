/** Which helper, or function of the kernel, does a call in a program name? */

import type { BpfObject, BpfProgram } from '../bpf-object.ts';
import { BPF_PSEUDO_KFUNC_CALL } from '../instruction.ts';
import type { Helper } from './helper.ts';
import { HELPERS } from './index.ts';
import { KERNEL_FUNCTIONS } from './kernel-functions.ts';

/** @returns undefined for what the machine lacks, and for calls that the linker made up for what is not there */
export function helperAt(object: BpfObject, program: BpfProgram, slot: number): Helper | undefined {
  if (program.poisoned.has(slot)) return undefined;
  const number = program.instructions.imm[slot]!;
  if (program.instructions.src[slot] === BPF_PSEUDO_KFUNC_CALL) {
    return KERNEL_FUNCTIONS.get(object.kfuncs[number] ?? '');
  }
  return HELPERS.get(number);
}
