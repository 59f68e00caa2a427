/** Where a program may go on after an instruction, within one of its functions and into those that it calls. */
import {
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  CALL,
  callTarget,
  EXIT,
  type Instructions,
  isConditionalJump,
  JA,
  JA32,
  jumpTarget,
  LDDW,
} from '../instruction.ts';

/** @returns slots: of a conditional jump the one where it is taken comes first; none behind `exit` */
export function nextSlots(instructions: Instructions, slot: number): readonly number[] {
  const opcode = instructions.opcode[slot]!;
  const source = instructions.src[slot]!;
  if (opcode === EXIT) return [];
  if (opcode === LDDW)
    return source === BPF_PSEUDO_FUNC ? [callTarget(instructions, slot), slot + 2] : [slot + 2];
  if (isConditionalJump(opcode)) return [jumpTarget(instructions, slot), slot + 1];
  if (opcode === JA || opcode === JA32) return [jumpTarget(instructions, slot)];
  const isCall = opcode === CALL && source === BPF_PSEUDO_CALL;
  return isCall ? [callTarget(instructions, slot), slot + 1] : [slot + 1];
}
