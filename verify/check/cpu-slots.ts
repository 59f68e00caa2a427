/**
 * Which registers hold what is the running CPU's own: its number, what is computed of it, and pointers to where it leads, by an
 * index or a key. XDP and TC programs are not moved to another CPU while they run, so that nobody else is at such a place.
 */
import type { Instructions } from '../../sim/ebpf/instruction.ts';
import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_LDX,
  BPF_MOV,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  LDDW,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';

const MAP_LOOKUP_ELEM = 1;
const GET_SMP_PROCESSOR_ID = 8;

/** Follows one function from its first instruction to its last; what branches come together on is as the last of them left it. */
export class CpuSlots {
  readonly #instructions: Instructions;
  readonly #own = new Set<number>();
  /** Where on the stack a number of the CPU lies, from the frame's end. */
  readonly #spilled = new Set<number>();
  /** Registers that point to the stack, from the frame's end. */
  readonly #frame = new Map<number, number>([[BPF_REG_FP, 0]]);

  constructor(instructions: Instructions) {
    this.#instructions = instructions;
  }

  /** Does the register hold, or point to, what is the CPU's own? */
  has(register: number): boolean {
    return this.#own.has(register);
  }

  /** Takes the next instruction. */
  step(slot: number): void {
    const { opcode, dst, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    const register = dst[slot]!;
    const kind = code & CLASS_MASK;
    if (code === CALL) this.#call(slot);
    else if (kind === BPF_ALU || kind === BPF_ALU64) this.#compute(slot);
    else if (kind === BPF_LDX) {
      const at = this.#frame.get(src[slot]!);
      this.#set(register, at !== undefined && this.#spilled.has(at + offset[slot]!));
    } else if (code === LDDW) this.#set(register, false);
    else if ((kind === BPF_STX || kind === BPF_ST) && this.#frame.has(register)) {
      const at = this.#frame.get(register)! + offset[slot]!;
      if (kind === BPF_STX && this.#own.has(src[slot]!)) this.#spilled.add(at);
      else this.#spilled.delete(at);
    }
  }

  #call(slot: number): void {
    const { src, imm } = this.#instructions;
    const helper = src[slot] === 0 ? imm[slot] : undefined;
    const key = this.#frame.get(2);
    const isOwn =
      helper === GET_SMP_PROCESSOR_ID ||
      (helper === MAP_LOOKUP_ELEM && key !== undefined && this.#spilled.has(key));
    for (let register = 0; register <= 5; register++) this.#set(register, false);
    this.#set(0, isOwn);
  }

  #compute(slot: number): void {
    const { opcode, dst, src, imm } = this.#instructions;
    const register = dst[slot]!;
    const operation = opcode[slot]! & OPERATION_MASK;
    const other = (opcode[slot]! & SOURCE_MASK) === BPF_X ? src[slot]! : undefined;
    if (operation === BPF_MOV) {
      const at = other === undefined ? undefined : this.#frame.get(other);
      this.#set(register, other !== undefined && this.#own.has(other));
      if (at !== undefined) this.#frame.set(register, at);
      return;
    }
    const at = this.#frame.get(register);
    this.#set(register, this.#own.has(register) || (other !== undefined && this.#own.has(other)));
    if (at !== undefined && operation === BPF_ADD && other === undefined)
      this.#frame.set(register, at + imm[slot]!);
  }

  #set(register: number, isOwn: boolean): void {
    this.#frame.delete(register);
    if (isOwn) this.#own.add(register);
    else this.#own.delete(register);
  }
}
