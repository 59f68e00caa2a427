/** What one function of a program does with its stack frame, read off its instructions. */
import { controlFlowOf } from './analysis/control-flow.ts';
import { helperNumber } from './helper-names.ts';
import {
  BPF_ADD,
  BPF_ALU64,
  BPF_K,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MOV,
  BPF_PSEUDO_FUNC,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  CALL,
  CLASS_MASK,
  callTarget,
  type Instructions,
  isAtomic,
  LDDW,
  REGISTER_COUNT,
  registersWritten,
} from './instruction.ts';

export interface FrameUse {
  /** Bytes below r10 that it reaches, or hands to others. */
  readonly bytes: number;
  /** First slots of the functions that it sets as callbacks which run later, on a stack of their own. */
  readonly runLater: ReadonlySet<number>;
}

/** What a register certainly is: an address in the frame, by its distance from r10, or a function's, by its first slot. */
interface Known {
  readonly is: 'frame' | 'function';
  readonly at: number;
}

type Registers = (Known | undefined)[];

const SET_TIMER_CALLBACK = helperNumber('bpf_timer_set_callback');

/**
 * Follows the function along its jumps, since a register that held an address may hold a number later: what ways that
 * meet disagree on is given up there. So it may count too little, and never what no way uses.
 * @param start first slot of the function
 * @param isReached may leave slots out that no input leads to: the kernel's verifier never comes there either
 */
export function frameUseOf(
  instructions: Instructions,
  start: number,
  count: number,
  isReached: (slot: number) => boolean = () => true,
): FrameUse {
  const { blocks } = controlFlowOf(instructions, start, start + count);
  const reader = new FrameReader(instructions);
  const arrivals: (Registers | undefined)[] = [atEntry()];
  for (let index = 0, next = 0; index < blocks.length; index = next) {
    next = index + 1;
    const { start: first, last, ...ways } = blocks[index]!;
    const arrived = arrivals[index];
    if (arrived === undefined || reader.hasRead(index, arrived) || !isReached(first)) continue;
    const registers = arrived.slice();
    for (let slot = first; slot <= last; slot++) reader.step(slot, registers);
    for (const target of [ways.jump, ways.next]) {
      if (target < 0) continue;
      const met = meet(arrivals[target], registers);
      // The order is that of the bytecode; what changes further up is read again from there.
      if (met !== arrivals[target]) next = Math.min(next, target);
      arrivals[target] = met;
    }
  }
  return reader;
}

function atEntry(): Registers {
  const registers: Registers = new Array(REGISTER_COUNT).fill(undefined);
  registers[BPF_REG_FP] = { is: 'frame', at: 0 };
  return registers;
}

/** What is known on both ways; the first of them itself where the second takes nothing away. */
function meet(a: Registers | undefined, b: Registers): Registers {
  if (a === undefined) return b.slice();
  const same = (index: number): boolean => a[index]?.is === b[index]?.is && a[index]?.at === b[index]?.at;
  if (a.every((one, index) => one === undefined || same(index))) return a;
  return a.map((one, index) => (same(index) ? one : undefined));
}

class FrameReader implements FrameUse {
  readonly #instructions: Instructions;
  /** By block: what it was entered with when it was read. */
  readonly #read = new Map<number, Registers>();
  readonly runLater = new Set<number>();
  bytes = 0;

  constructor(instructions: Instructions) {
    this.#instructions = instructions;
  }

  /** Was the block read with these? If not, it is going to be. */
  hasRead(block: number, registers: Registers): boolean {
    if (this.#read.get(block) === registers) return true;
    this.#read.set(block, registers);
    return false;
  }

  step(slot: number, registers: Registers): void {
    this.#noteAccess(slot, registers);
    if (this.#instructions.opcode[slot] === CALL) this.#noteCall(slot, registers);
    const result = this.#resultOf(slot, registers);
    for (const register of registersWritten(this.#instructions, slot)) registers[register] = undefined;
    if (result !== undefined) registers[this.#instructions.dst[slot]!] = result;
  }

  #noteAccess(slot: number, registers: Registers): void {
    const { opcode, dst, src, offset, imm } = this.#instructions;
    const kind = opcode[slot]! & CLASS_MASK;
    if (kind !== BPF_LDX && kind !== BPF_ST && kind !== BPF_STX) return;
    const loads = kind === BPF_LDX || (isAtomic(opcode[slot]!) && imm[slot] === BPF_LOAD_ACQ);
    this.#noteUse(registers[loads ? src[slot]! : dst[slot]!], offset[slot]!);
    // An address that is kept in memory comes back from there unseen.
    if (kind === BPF_STX && !loads) this.#noteUse(registers[src[slot]!], 0);
  }

  #noteCall(slot: number, registers: Registers): void {
    const { src, imm } = this.#instructions;
    for (let argument = 1; argument <= 5; argument++) this.#noteUse(registers[argument], 0);
    const callback = registers[2];
    if (src[slot] === 0 && imm[slot] === SET_TIMER_CALLBACK && callback?.is === 'function')
      this.runLater.add(callback.at);
  }

  #noteUse(address: Known | undefined, offset: number): void {
    if (address?.is === 'frame') this.bytes = Math.max(this.bytes, -(address.at + offset));
  }

  #resultOf(slot: number, registers: Registers): Known | undefined {
    const { opcode, dst, src, offset, imm } = this.#instructions;
    const code = opcode[slot]!;
    if (code === LDDW && src[slot] === BPF_PSEUDO_FUNC)
      return { is: 'function', at: callTarget(this.#instructions, slot) };
    // With an offset it extends the sign of a part.
    if (code === (BPF_ALU64 | BPF_MOV | BPF_X)) return offset[slot] === 0 ? registers[src[slot]!] : undefined;
    const before = registers[dst[slot]!];
    if (before?.is !== 'frame') return undefined;
    if (code === (BPF_ALU64 | BPF_ADD | BPF_K)) return { is: 'frame', at: before.at + imm[slot]! };
    if (code === (BPF_ALU64 | BPF_SUB | BPF_K)) return { is: 'frame', at: before.at - imm[slot]! };
    return undefined;
  }
}
