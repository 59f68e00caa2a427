/** May a program lower a packet's TTL on a way that a run did not take? */
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_MEM,
  BPF_REG_FP,
  BPF_STX,
  BPF_SUB,
  CLASS_MASK,
  type Instructions,
  MODE_MASK,
  OPERATION_MASK,
  registersWritten,
} from '../../sim/ebpf/instruction.ts';
import type { RunTrace } from '../../sim/ebpf/interpreter/trace.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TracedInstructions } from './traced-instructions.ts';

/**
 * Does the text of what ran store a byte that something was added to or taken from, where the run did not come to, and that may be
 * the one at this offset? Headers begin at even offsets, wherever a pointer leads: the hop limit of IPv6 is not the TTL of IPv4. What
 * lies on the stack may be for a helper to put anywhere.
 * @throws {ObjectError} where the program cannot be read
 */
export function lowersElsewhere(program: Program, { steps }: Pick<RunTrace, 'steps'>, at: number): boolean {
  const texts = new TracedInstructions(program);
  const ran = new Map<string, Set<number>>();
  for (const { program: name, instruction } of steps) {
    const seen = ran.get(name) ?? new Set();
    ran.set(name, seen.add(instruction));
  }
  return [...ran].some(([name, seen]) => {
    const text = texts.of(name);
    return text !== undefined && lowersIn(text, seen, at);
  });
}

function lowersIn(text: Instructions, ran: ReadonlySet<number>, at: number): boolean {
  for (let slot = 0; slot < text.count; slot++) {
    if (ran.has(slot) || !isByteStore(text.opcode[slot]!)) continue;
    const isInPlace = text.dst[slot] === BPF_REG_FP || ((text.offset[slot]! ^ at) & 1) === 0;
    if (isInPlace && isSum(text, slot, text.src[slot]!)) return true;
  }
  return false;
}

function isByteStore(opcode: number): boolean {
  return (opcode & CLASS_MASK) === BPF_STX && (opcode & MODE_MASK) === BPF_MEM && accessSize(opcode) === 1;
}

/** Was a register last added to, or taken from, in the text before a slot? */
function isSum(text: Instructions, slot: number, register: number): boolean {
  for (let before = slot - 1; before >= 0; before--) {
    if (!registersWritten(text, before).includes(register)) continue;
    const code = text.opcode[before]!;
    const operation = code & OPERATION_MASK;
    const kind = code & CLASS_MASK;
    return (kind === BPF_ALU || kind === BPF_ALU64) && (operation === BPF_ADD || operation === BPF_SUB);
  }
  return false;
}
