/** Basic blocks of one function of a program, in the order of the bytecode. */
import {
  CALL,
  EXIT,
  type Instructions,
  isConditionalJump,
  JA,
  JA32,
  jumpTarget,
  LDDW,
} from '../instruction.ts';

export interface BasicBlock {
  /** First slot. */
  readonly start: number;
  /** Behind the last slot. */
  readonly end: number;
  /** Slot of the last instruction. */
  readonly last: number;
  /** Block that the jump at the end goes to; -1: there is none. */
  readonly jump: number;
  /** Block that is reached by running on; -1: none. */
  readonly next: number;
}

export interface ControlFlow {
  readonly blocks: readonly BasicBlock[];
  /** Blocks that a jump from behind, or from themselves, goes to, in order. */
  readonly loopHeads: readonly number[];
}

/** Does the instruction end a block whatever comes behind it? */
function isJump(opcode: number): boolean {
  return opcode === JA || opcode === JA32 || isConditionalJump(opcode);
}

/**
 * @param start first slot of the function
 * @param end behind its last slot; jumps stay in between (`checkInstructions` has made sure)
 */
export function controlFlowOf(instructions: Instructions, start: number, end: number): ControlFlow {
  const leaders = new Set([start]);
  for (let slot = start; slot < end; slot++) {
    const opcode = instructions.opcode[slot]!;
    if (isJump(opcode)) {
      leaders.add(jumpTarget(instructions, slot));
      leaders.add(slot + 1);
    } else if (opcode === EXIT) leaders.add(slot + 1);
    if (opcode === LDDW) slot++;
  }
  leaders.delete(end);
  const starts = [...leaders].sort((a, b) => a - b);
  const blockAt = new Map(starts.map((slot, index) => [slot, index]));
  const loopHeads = new Set<number>();
  const blocks = starts.map((first, index): BasicBlock => {
    const behind = starts[index + 1] ?? end;
    let last = first;
    for (let slot = first; slot < behind; slot++) {
      last = slot;
      if (instructions.opcode[slot] === LDDW) slot++;
    }
    const opcode = instructions.opcode[last]!;
    const jump = isJump(opcode) ? blockAt.get(jumpTarget(instructions, last))! : -1;
    if (jump >= 0 && jump <= index) loopHeads.add(jump);
    const runsOn = opcode !== EXIT && opcode !== JA && opcode !== JA32;
    return { start: first, end: behind, last, jump, next: runsOn ? index + 1 : -1 };
  });
  return { blocks, loopHeads: [...loopHeads].sort((a, b) => a - b) };
}

/** Slots that are not only reached from the one before: targets of jumps, and the beginnings of functions. */
export function meetingPoints(
  instructions: Instructions,
  subprograms: readonly { readonly start: number }[],
): Set<number> {
  const meeting = new Set(subprograms.map(({ start }) => start));
  for (let slot = 0; slot < instructions.count; slot++) {
    const code = instructions.opcode[slot]!;
    if (isJump(code)) meeting.add(jumpTarget(instructions, slot));
    if (code === LDDW) slot++;
  }
  return meeting;
}

/** Is the instruction a call of a helper (not of a function of the program or of the kernel)? */
export function isHelperCall(instructions: Instructions, slot: number): boolean {
  return instructions.opcode[slot] === CALL && instructions.src[slot] === 0;
}
