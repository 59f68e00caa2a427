/** What a program may come to from certain places on: every instruction behind them, whatever the conditions say. */
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import {
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  CALL,
  callTarget,
  EXIT,
  isConditionalJump,
  JA,
  JA32,
  jumpTarget,
  LDDW,
} from '../../sim/ebpf/instruction.ts';
import { type Cut, jumpKey } from '../../sim/ebpf/symbolic/explore.ts';

/** @returns the instructions, by `jumpKey` */
export function behind(object: BpfObject, cuts: readonly Cut[]): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting: { readonly program: number; readonly slot: number }[] = [];
  for (const { program, slot, holds } of cuts) {
    const { instructions } = object.programs[program]!;
    const isJump = isConditionalJump(instructions.opcode[slot]!);
    if (isJump) waiting.push({ program, slot: holds ? jumpTarget(instructions, slot) : slot + 1 });
    else for (const next of after(object, program, slot)) waiting.push(next);
  }
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const key = jumpKey(next.program, next.slot);
    if (found.has(key) || next.slot >= object.programs[next.program]!.instructions.count) continue;
    found.add(key);
    waiting.push(...after(object, next.program, next.slot));
  }
  return found;
}

type Place = { readonly program: number; readonly slot: number };

/** Where the program may be after an instruction. */
function after(object: BpfObject, program: number, slot: number): Place[] {
  const own = object.programs[program]!;
  const { instructions } = own;
  const opcode = instructions.opcode[slot]!;
  const at = (slots: readonly number[]): Place[] => slots.map((one) => ({ program, slot: one }));
  if (opcode === EXIT) return at(returnsOf(own, slot));
  if (opcode === LDDW) {
    const isFunction = instructions.src[slot] === BPF_PSEUDO_FUNC;
    return at(isFunction ? [callTarget(instructions, slot), slot + 2] : [slot + 2]);
  }
  if (isConditionalJump(opcode)) return at([jumpTarget(instructions, slot), slot + 1]);
  if (opcode === JA || opcode === JA32) return at([jumpTarget(instructions, slot)]);
  if (opcode !== CALL) return at([slot + 1]);
  if (instructions.src[slot] === BPF_PSEUDO_CALL) return at([callTarget(instructions, slot), slot + 1]);
  // Any program may stand in the map.
  const isTailCall = helperAt(object, own, slot)?.effects.leavesProgram === true;
  const others = isTailCall ? object.programs.map((_, index) => ({ program: index, slot: 0 })) : [];
  return [...at([slot + 1]), ...others];
}

/** Where a function that ends here goes on: behind the calls of it, and behind what gives it to a helper. */
function returnsOf({ instructions, subprograms }: BpfProgram, slot: number): number[] {
  const start = subprograms.findLast((one) => one.start <= slot)?.start;
  const found: number[] = [];
  for (let at = 0; at < instructions.count; at++) {
    const opcode = instructions.opcode[at]!;
    const isCall = opcode === CALL && instructions.src[at] === BPF_PSEUDO_CALL;
    const isGiven = opcode === LDDW && instructions.src[at] === BPF_PSEUDO_FUNC;
    if ((isCall || isGiven) && callTarget(instructions, at) === start) found.push(at + (isGiven ? 2 : 1));
    if (opcode === LDDW) at++;
  }
  return found;
}
