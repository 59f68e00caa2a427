/**
 * Who wrote the metadata: bytes of the room that `bpf_xdp_adjust_meta` makes in front of the frame, which the kernel does not
 * clear (net/core/filter.c), and that nothing has written since.
 */
import { ARGUMENT_TYPES } from '../helpers/argument-types.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { BPF_PSEUDO_CALL, CALL, storeSize } from '../instruction.ts';
import { MACHINE_WORD } from '../memory.ts';
import type { State } from './state.ts';

/** Bytes are named by how far in front of the frame they lie, from 1 on: moving the frame's start takes metadata along. */
export class MetadataRoom {
  readonly #unwritten = new Set<number>();
  #length = 0;
  /** The most bytes that metadata ever had. */
  #longest: number | undefined;
  /** The lowest address that ever belonged to the frame: what lies behind it came with the packet. */
  #lowest = Number.POSITIVE_INFINITY;

  /** To be called before each instruction. */
  before(state: State, pc: number): void {
    this.follow(state);
    if (this.#unwritten.size === 0) return;
    const { instructions } = state.program.source;
    const size = storeSize(instructions.opcode[pc]!);
    if (size !== undefined) {
      const address = (state.lo[instructions.dst[pc]!]! + instructions.offset[pc]!) | 0;
      this.#forget(state, address, address + size);
    } else if (instructions.opcode[pc] === CALL && instructions.src[pc] !== BPF_PSEUDO_CALL)
      this.#forgetReachedBy(state, pc);
  }

  /** Looks how much there is now: to be called once more when the run has ended. */
  follow(state: State): void {
    const { i32 } = state.machine.memory;
    const data = i32[MACHINE_WORD.data]!;
    this.#lowest = Math.min(this.#lowest, data);
    this.#length = Math.max(0, data - i32[MACHINE_WORD.dataMeta]!);
    // What a packet came with is somebody's; what a program gave up and took back is its own.
    const longest = this.#longest ?? this.#length;
    for (let distance = longest + 1; distance <= this.#length; distance++)
      if (data - distance < this.#lowest) this.#unwritten.add(distance);
    this.#longest = Math.max(longest, this.#length);
  }

  /** For each byte of the metadata that the run left, whether it was never written. */
  unwritten(): boolean[] {
    return Array.from({ length: this.#length }, (_, at) => this.#unwritten.has(this.#length - at));
  }

  #forget({ machine }: State, from: number, to: number): void {
    const data = machine.memory.i32[MACHINE_WORD.data]!;
    for (let address = from; address < to; address++) this.#unwritten.delete(data - address);
  }

  /** A helper may write whatever it is given a pointer to that it does not only read. */
  #forgetReachedBy(state: State, pc: number): void {
    const types = helperAt(state.machine.object, state.program.source, pc)?.arguments;
    const data = state.machine.memory.i32[MACHINE_WORD.data]!;
    // Where a dynptr lies shows in no register.
    if (types === undefined || types.includes('dynptr')) {
      this.#unwritten.clear();
      return;
    }
    for (const [index, type] of types.entries()) {
      const address = state.lo[index + 1]!;
      const access = ARGUMENT_TYPES[type].memory?.access;
      if (access === undefined || access === 'read' || address >= data) continue;
      if (address >= data - this.#length) this.#forget(state, address, data);
    }
  }
}
