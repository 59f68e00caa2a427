/** What a program may come to from certain places on: every instruction behind them, whatever the conditions say. */

import { nextSlots } from '../../sim/ebpf/analysis/next-slots.ts';
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import {
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  CALL,
  callTarget,
  EXIT,
  isConditionalJump,
  LDDW,
} from '../../sim/ebpf/instruction.ts';
import { type Cut, jumpKey } from '../../sim/ebpf/symbolic/explore.ts';

/** An instruction of one of the object's programs. */
export interface Place {
  readonly program: number;
  readonly slot: number;
}

/** @returns the instructions, by `jumpKey` */
export function behind(object: BpfObject, cuts: readonly Cut[]): ReadonlySet<string> {
  const waiting: Place[] = [];
  for (const { program, slot, holds } of cuts) {
    const { instructions } = object.programs[program]!;
    const isJump = isConditionalJump(instructions.opcode[slot]!);
    if (isJump) waiting.push({ program, slot: nextSlots(instructions, slot)[holds ? 0 : 1]! });
    else waiting.push(...after(object, program, slot));
  }
  return reachedFrom(object, waiting);
}

/** @returns the instructions that the program may come to from these, which are among them, by `jumpKey` */
export function reachedFrom(object: BpfObject, places: readonly Place[]): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [...places];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const key = jumpKey(next.program, next.slot);
    if (found.has(key) || next.slot >= object.programs[next.program]!.instructions.count) continue;
    found.add(key);
    waiting.push(...after(object, next.program, next.slot));
  }
  return found;
}

/** Where the program may be after an instruction. */
function after(object: BpfObject, program: number, slot: number): Place[] {
  const own = object.programs[program]!;
  const { instructions } = own;
  const opcode = instructions.opcode[slot]!;
  const slots = opcode === EXIT ? returnsOf(own, slot) : nextSlots(instructions, slot);
  const places = slots.map((one) => ({ program, slot: one }));
  const helper = opcode === CALL ? helperAt(object, own, slot) : undefined;
  if (helper?.arguments.includes('function') === true)
    places.push(...callbacks(own).map((one) => ({ program, slot: one })));
  // Any program may stand in the map of a tail call.
  if (helper?.effects.leavesProgram !== true) return places;
  return [...places, ...object.programs.map((_, index) => ({ program: index, slot: 0 }))];
}

/** Where the functions begin that are given to helpers. */
function callbacks({ instructions }: BpfProgram): number[] {
  const found: number[] = [];
  for (let at = 0; at < instructions.count; at++) {
    if (instructions.opcode[at] !== LDDW) continue;
    if (instructions.src[at] === BPF_PSEUDO_FUNC) found.push(callTarget(instructions, at));
    at++;
  }
  return found;
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
