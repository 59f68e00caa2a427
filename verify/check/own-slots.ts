/**
 * Which registers hold what is somebody's own, who has a number (the running CPU, or the receive queue that it serves): the number, what
 * is computed of it, and pointers to where it leads, by an index or a key. XDP and TC programs are not moved to another CPU while they
 * run, so that nobody else is at such a place.
 */
import { ARGUMENT_TYPES } from '../../sim/ebpf/helpers/argument-types.ts';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import type { Instructions } from '../../sim/ebpf/instruction.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_LDX,
  BPF_MOV,
  BPF_OR,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  isAtomic,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';

const MAP_LOOKUP_ELEM = 1;

interface Result {
  readonly register: number;
  /** Where on the stack it points, from the frame's end; absent: it is the owner's. */
  readonly at?: number;
}

/** Follows one function from its first instruction to its last; what branches come together on is as the last of them left it. */
export class OwnSlots {
  readonly #instructions: Instructions;
  readonly #asksNumber: (slot: number) => boolean;
  readonly #own = new Set<number>();
  /** Where on the stack a number of the owner lies, from the frame's end, and how many bytes of it. */
  readonly #spilled = new Map<number, number>();
  /** Registers that point to the stack, from the frame's end. */
  readonly #frame = new Map<number, number>([[BPF_REG_FP, 0]]);

  /** @param asksNumber does an instruction leave the number of the owner in the register that it writes? */
  constructor(instructions: Instructions, asksNumber: (slot: number) => boolean) {
    this.#instructions = instructions;
    this.#asksNumber = asksNumber;
  }

  /** Does the register hold, or point to, what is the owner's? */
  has(register: number): boolean {
    return this.#own.has(register);
  }

  /** Takes the next instruction. */
  step(slot: number): void {
    const result = this.#resultOf(slot);
    this.#noteStored(slot);
    this.#noteFilled(slot);
    for (const register of registersWritten(this.#instructions, slot)) {
      this.#own.delete(register);
      this.#frame.delete(register);
    }
    if (result === undefined) return;
    const { register, at } = result;
    if (at === undefined) this.#own.add(register);
    else this.#frame.set(register, at);
  }

  /** The register that is the owner's behind the instruction, or that points to the stack there. */
  #resultOf(slot: number): Result | undefined {
    const { opcode, dst, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    const register = dst[slot]!;
    const kind = code & CLASS_MASK;
    if (this.#asksNumber(slot)) return { register: code === CALL ? 0 : register };
    if (code === CALL) return this.#findsOwn(slot) ? { register: 0 } : undefined;
    if (kind === BPF_ALU || kind === BPF_ALU64) return this.#computed(slot);
    if (kind !== BPF_LDX) return undefined;
    const at = this.#frame.get(src[slot]!);
    return at !== undefined && this.#spilled.has(at + offset[slot]!) ? { register } : undefined;
  }

  #findsOwn(slot: number): boolean {
    const { src, imm } = this.#instructions;
    if (src[slot] !== 0) return false;
    const key = this.#frame.get(2);
    // Of a table that is the owner's, from a map of maps, every value is.
    const isOwn = this.#own.has(1) || (key !== undefined && this.#spilled.has(key));
    return imm[slot] === MAP_LOOKUP_ELEM && isOwn;
  }

  #computed(slot: number): Result | undefined {
    const { opcode, dst, src, imm } = this.#instructions;
    const register = dst[slot]!;
    const operation = opcode[slot]! & OPERATION_MASK;
    const other = (opcode[slot]! & SOURCE_MASK) === BPF_X ? src[slot]! : undefined;
    if (operation === BPF_MOV) {
      const at = other === undefined ? undefined : this.#frame.get(other);
      if (at !== undefined) return { register, at };
      return other !== undefined && this.#own.has(other) ? { register } : undefined;
    }
    if (other !== undefined) {
      // A row of the owner's in a table; otherwise two may come to the same.
      const isJoined = operation === BPF_ADD || operation === BPF_OR;
      return isJoined && (this.#own.has(register) || this.#own.has(other)) ? { register } : undefined;
    }
    const at = this.#frame.get(register);
    if (at !== undefined) return operation === BPF_ADD ? { register, at: at + imm[slot]! } : undefined;
    return this.#own.has(register) ? { register } : undefined;
  }

  #noteStored(slot: number): void {
    const { opcode, dst, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    const kind = code & CLASS_MASK;
    const frame = this.#frame.get(dst[slot]!);
    if (frame === undefined || (kind !== BPF_STX && kind !== BPF_ST)) return;
    const at = frame + offset[slot]!;
    this.#forget(at, accessSize(code));
    if (kind === BPF_STX && !isAtomic(code) && this.#own.has(src[slot]!))
      this.#spilled.set(at, accessSize(code));
  }

  /** What a helper fills holds no number of the owner any more; of a size that a register says, the first byte is certain. */
  #noteFilled(slot: number): void {
    const { opcode, src, imm } = this.#instructions;
    if (opcode[slot] !== CALL || src[slot] !== 0) return;
    for (const [index, type] of (HELPERS.get(imm[slot]!)?.arguments ?? []).entries()) {
      const { memory } = ARGUMENT_TYPES[type];
      const at = this.#frame.get(index + 1);
      if (at === undefined || memory === undefined || memory.access === 'read') continue;
      this.#forget(at, typeof memory.size === 'number' ? memory.size : 1);
    }
  }

  #forget(from: number, size: number): void {
    for (const [at, bytes] of this.#spilled)
      if (at < from + size && at + bytes > from) this.#spilled.delete(at);
  }
}
