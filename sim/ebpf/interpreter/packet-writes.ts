/**
 * Who wrote the packet: for each byte the instruction that wrote it last, stores and helpers alike, and the last one
 * that moved the packet's ends.
 */

import type { SourceLine } from '../bpf-object.ts';
import { BPF_PSEUDO_CALL, CALL, storeSize } from '../instruction.ts';
import { MACHINE_WORD } from '../memory.ts';
import { sourceAt } from '../object.ts';
import type { LoadedProgram, State } from './state.ts';
import type { Tracer } from './tracer.ts';

/** One instruction that changed the packet. */
export interface PacketWrite {
  /** Counts the steps of the run: a later write has a higher one. */
  readonly step: number;
  readonly instruction: number;
  /** Where the compiler has merged lines, the last one that the run surely came through. */
  readonly source: SourceLine | undefined;
}

interface Pending {
  readonly instruction: number;
  readonly source: SourceLine | undefined;
  /** A store's address and size; size 0 for a helper call, which may write anywhere. */
  readonly address: number;
  readonly size: number;
}

/**
 * Give it to `Interpreter.tracer` for one run, then call `finish`. Bytes are followed by their addresses: moving the
 * packet's start leaves them where they are.
 */
export class PacketWrites implements Tracer {
  readonly #writes = new Map<number, PacketWrite>();
  #resize: PacketWrite | undefined;
  #step = 0;
  readonly #entered = new Set<SourceLine>();
  #line: SourceLine | undefined;
  #pending: Pending | undefined;
  #state: State | undefined;
  /** Where the packet starts after the run. */
  #data = 0;
  /** The packet before a helper was called, and where it lay. */
  #before: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  before(state: State, pc: number): void {
    this.#state = state;
    this.#complete();
    this.#step++;
    this.#follow(state.program, pc);
    this.#pending = this.#lookAt(state, pc);
  }

  /** To be called when the run has ended, before the packet is taken away. */
  finish(): void {
    this.#complete();
    if (this.#state !== undefined) this.#data = bounds(this.#state).start;
    this.#state = undefined;
  }

  /**
   * The last write to a range of the packet as the run left it.
   * @param from offset from the packet's first byte
   */
  lastIn(from: number, to: number): PacketWrite | undefined {
    let last: PacketWrite | undefined;
    for (let address = this.#data + from; address < this.#data + to; address++) {
      const write = this.#writes.get(address);
      if (write !== undefined && (last === undefined || write.step > last.step)) last = write;
    }
    return last;
  }

  /** The last instruction that moved the packet's start or end. */
  get resize(): PacketWrite | undefined {
    return this.#resize;
  }

  /**
   * Code that two branches share has no line of its own, and seems to belong to the line before it, of one branch. A
   * line counts once the run has come through its first instruction.
   */
  #follow({ source }: LoadedProgram, pc: number): void {
    const line = sourceAt(source, pc);
    if (line === undefined) return;
    if (line.instruction === pc) this.#entered.add(line);
    if (this.#entered.has(line)) this.#line = line;
  }

  #lookAt(state: State, pc: number): Pending | undefined {
    const { instructions } = state.program.source;
    const size = storeSize(instructions.opcode[pc]!);
    const { start, end } = bounds(state);
    if (size !== undefined) {
      const address = (state.lo[instructions.dst[pc]!]! + instructions.offset[pc]!) | 0;
      const isInPacket = address >= start && address < end;
      return isInPacket ? { instruction: pc, source: this.#line, address, size } : undefined;
    }
    const isHelper = instructions.opcode[pc] === CALL && instructions.src[pc] !== BPF_PSEUDO_CALL;
    if (!isHelper) return undefined;
    this.#before = state.machine.memory.read(start, end - start);
    this.#start = start;
    this.#end = end;
    return { instruction: pc, source: this.#line, address: 0, size: 0 };
  }

  #complete(): void {
    const pending = this.#pending;
    const state = this.#state;
    if (pending === undefined || state === undefined) return;
    this.#pending = undefined;
    const { instruction, source, address, size } = pending;
    const write = { step: this.#step, instruction, source };
    if (size > 0) {
      for (let offset = 0; offset < size; offset++) this.#writes.set(address + offset, write);
      return;
    }
    const { start, end } = bounds(state);
    if (start !== this.#start || end !== this.#end) this.#resize = write;
    const { u8 } = state.machine.memory;
    for (let at = start; at < end; at++) {
      const isThere = at >= this.#start && at < this.#end;
      if (!isThere || this.#before[at - this.#start] !== u8[at]) this.#writes.set(at, write);
    }
  }
}

function bounds(state: State): { readonly start: number; readonly end: number } {
  const { i32 } = state.machine.memory;
  return { start: i32[MACHINE_WORD.data]!, end: i32[MACHINE_WORD.frameEnd]! };
}
