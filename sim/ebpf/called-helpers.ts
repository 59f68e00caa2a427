/** Which of the kernel's helpers a program calls. */
import { BPF_CALL, BPF_JMP, type Instructions } from './instruction.ts';

const CALL = BPF_JMP | BPF_CALL;

/** Numbers of the helpers that a linked program and its subprograms call. */
export function calledHelpers(instructions: Instructions): Set<number> {
  const helpers = new Set<number>();
  for (let slot = 0; slot < instructions.count; slot++) {
    // The source register tells helpers (0) from subprograms and kernel functions.
    if (instructions.opcode[slot] === CALL && instructions.src[slot] === 0)
      helpers.add(instructions.imm[slot]!);
  }
  return helpers;
}
