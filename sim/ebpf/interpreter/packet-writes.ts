/**
 * Who wrote the packet: for each byte the instruction that wrote it last, stores and helpers alike, and the last one
 * that moved the packet's ends.
 */

import type { SourceLine } from '../bpf-object.ts';
import { ARGUMENT_TYPES, type ArgumentType } from '../helpers/argument-types.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { BPF_PSEUDO_CALL, CALL, storeSize } from '../instruction.ts';
import { MACHINE_WORD } from '../memory.ts';
import { sourceAt } from '../object.ts';
import { MetadataRoom } from './metadata-room.ts';
import type { LoadedProgram, State } from './state.ts';
import type { Tracer } from './tracer.ts';

/** `bpf_xdp_store_bytes`, which is told an offset and no pointer. */
const XDP_STORE_BYTES = 190;

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
  readonly #metadata = new MetadataRoom();
  readonly #writes = new Map<number, PacketWrite>();
  /** Addresses that a helper put in front of the packet and that nothing has written yet. */
  readonly #unwritten = new Set<number>();
  /** The lowest address that ever belonged to the packet. */
  #lowest = Number.POSITIVE_INFINITY;
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
    this.#metadata.before(state, pc);
    this.#step++;
    this.#follow(state.program, pc);
    this.#pending = this.#lookAt(state, pc);
  }

  /** To be called when the run has ended, before the packet is taken away. */
  finish(): void {
    this.#complete();
    if (this.#state !== undefined) {
      this.#data = bounds(this.#state).start;
      this.#metadata.follow(this.#state);
    }
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

  /**
   * The first byte of the packet that a helper brought into it at its head and that nothing has written since; undefined
   * where there is none. What is appended at the tail is zeroed by the kernel (net/core/filter.c `bpf_xdp_adjust_tail`).
   * @param length of the packet as the run left it
   */
  firstUnwritten(length: number): number | undefined {
    for (let at = 0; at < length; at++) {
      if (this.#unwritten.has(this.#data + at)) return at;
    }
    return undefined;
  }

  /** For each byte of the metadata that the run left: does it lie in room that a helper made, and has nothing written it? */
  unwrittenMetadata(): readonly boolean[] {
    return this.#metadata.unwritten();
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
    if (this.#lowest > start) this.#lowest = start;
    if (size !== undefined) {
      const address = (state.lo[instructions.dst[pc]!]! + instructions.offset[pc]!) | 0;
      const isInPacket = address >= start && address < end;
      return isInPacket ? { instruction: pc, source: this.#line, address, size } : undefined;
    }
    const isHelper = instructions.opcode[pc] === CALL && instructions.src[pc] !== BPF_PSEUDO_CALL;
    if (!isHelper) return undefined;
    this.#forgetReachedBy(state, pc, start, end);
    this.#before = state.machine.memory.read(start, end - start);
    this.#start = start;
    this.#end = end;
    return { instruction: pc, source: this.#line, address: 0, size: 0 };
  }

  /** A helper may write whatever it is given a pointer to that it does not only read, zeros over zeros included. */
  #forgetReachedBy(state: State, pc: number, start: number, end: number): void {
    if (this.#unwritten.size === 0) return;
    const { lo, machine } = state;
    const types = helperAt(machine.object, state.program.source, pc)?.arguments;
    // Where a dynptr lies shows in no register.
    if (types?.some((type) => type === 'dynptr') === true) this.#unwritten.clear();
    if (state.program.source.instructions.imm[pc] === XDP_STORE_BYTES) {
      const from = start + lo[2]!;
      for (let at = from; at < from + lo[4]!; at++) this.#unwritten.delete(at);
    }
    for (let register = 1; register <= 5; register++) {
      const address = lo[register]!;
      if (address < start || address >= end) continue;
      if (types !== undefined && !mayWrite(types[register - 1])) continue;
      for (const at of this.#unwritten) if (at >= address) this.#unwritten.delete(at);
    }
  }

  #complete(): void {
    const pending = this.#pending;
    const state = this.#state;
    if (pending === undefined || state === undefined) return;
    this.#pending = undefined;
    const { instruction, source, address, size } = pending;
    const write = { step: this.#step, instruction, source };
    if (size > 0) {
      for (let offset = 0; offset < size; offset++) {
        this.#writes.set(address + offset, write);
        this.#unwritten.delete(address + offset);
      }
      return;
    }
    const { start, end } = bounds(state);
    if (start !== this.#start || end !== this.#end) this.#resize = write;
    const { u8 } = state.machine.memory;
    for (let at = start; at < end; at++) {
      const isThere = at >= this.#start && at < this.#end;
      if (!isThere || this.#before[at - this.#start] !== u8[at]) this.#writes.set(at, write);
      // What lay in front of the packet as it came is garbage; what the program gave up and took back is not.
      if (at < this.#lowest) this.#unwritten.add(at);
    }
    this.#lowest = Math.min(this.#lowest, start);
  }
}

/** Through a pointer of this type? A register that is no argument may hold one from before. */
function mayWrite(type: ArgumentType | undefined): boolean {
  return type !== undefined && ARGUMENT_TYPES[type].memory?.access !== 'read';
}

function bounds(state: State): { readonly start: number; readonly end: number } {
  const { i32 } = state.machine.memory;
  return { start: i32[MACHINE_WORD.data]!, end: i32[MACHINE_WORD.frameEnd]! };
}
