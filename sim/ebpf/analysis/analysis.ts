/**
 * Proves, before a program runs, what it can of its accesses to memory: what is proven needs no check at run time.
 *
 * Functions are walked block by block until nothing changes; where paths meet, what they disagree on is given up
 * (`abstract-state.ts`). So it proves less than the kernel's verifier, which walks every path by itself; what it
 * does not prove is checked when it happens. What it calls a violation is one on every path that leads there.
 */

import type { BpfMap, BpfProgram } from '../bpf-object.ts';
import { areWellFormed } from '../check-instructions.ts';
import { ACCESS, type ContextLayout } from '../context/context-access.ts';
import type { Helper } from '../helpers/helper.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_FETCH,
  BPF_IMM,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MEMSX,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_REG_FP,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  CALL,
  CLASS_MASK,
  callTarget,
  EXIT,
  type Instructions,
  isAtomic,
  isConditionalJump,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  registersRead,
  SIZE_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { applyArithmetic, converted, moved } from './abstract-arithmetic.ts';
import { applyComparison } from './abstract-comparison.ts';
import { AbstractState, joinStates, sameState } from './abstract-state.ts';
import {
  ANY,
  ARGUMENT_IDS,
  CONTEXT,
  contextPointer,
  DATA_ID,
  functionPointer,
  isConstant,
  isPacket,
  KIND,
  loaded,
  MEETING_IDS,
  META_ID,
  mapPointer,
  mapValue,
  PACKET_END,
  PLACES,
  packetPointer,
  SCALAR,
  SOME_SCALAR,
  SOMEWHERE,
  sameValue,
  scalar,
  stackPointer,
  UNSET,
  type Value,
  withId,
} from './abstract-value.ts';
import { type Access, judgeAccess, VERDICT } from './access.ts';
import { applyArguments } from './argument-effects.ts';
import { type BasicBlock, type ControlFlow, controlFlowOf } from './control-flow.ts';
import { INDEXED, indexGiven } from './given-index.ts';
import { resultOf } from './results.ts';

export interface AnalysisInput {
  readonly program: BpfProgram;
  readonly maps: readonly BpfMap[];
  readonly layout: ContextLayout;
  /** The helper or kernel function that the call at a slot names; undefined: none that may be called. */
  readonly helperAt: (slot: number) => Helper | undefined;
  /** What programs are entered with: the context in r1, or the address and the size of some memory in r1 and r2. */
  readonly enteredWith: 'context' | 'memory';
  /** The bytes of a map that nothing changes any more (`.rodata`); undefined: they are not known. Default: none are. */
  readonly frozen?: (map: number) => Uint8Array | undefined;
  /**
   * The map that stands for all of those in a map of maps, both by their indices. Default: nothing is known of these, as it has to be
   * where accesses are left unchecked for what the analysis says.
   */
  readonly inside?: (outer: number) => number | undefined;
  /**
   * How many ways that lead to the same place are told apart before what they disagree on is given up. More is
   * slower and sees more, and says nothing of accesses, calls and single instructions: these need the default, 1.
   */
  readonly paths?: number;
}

export interface ProgramFacts {
  readonly functions: readonly FunctionFacts[];
  /** Of every load and store. */
  readonly accesses: ReadonlyMap<number, Access>;
  /** Of every call of a helper: what is known before it. */
  readonly calls: ReadonlyMap<number, AbstractState>;
  /** Of calls with a key, or an index, of an array: those whose index is surely beyond it, with the least that it may be. */
  readonly beyond: ReadonlyMap<number, BeyondArray>;
  /** Instructions that read a register which no path has written. */
  readonly unset: ReadonlySet<number>;
  /** Of each slot with a conditional jump: `WAY.notTaken` and `WAY.taken` where some input may lead that way. */
  readonly ways: Uint8Array;
  /** First slots of the functions that may read bytes of their frames which they never wrote. */
  readonly readsUnwritten: ReadonlySet<number>;
  /** Of each sum of a packet pointer and a number that varies: 1 where the kernel's verifier may know the number. */
  readonly doubtful: Uint8Array;
  /** Slots that some input may lead to: 1. */
  readonly reached: Uint8Array;
}

/** An index that an array does not have. */
export interface BeyondArray {
  readonly map: number;
  readonly least: number;
}

/** Bits of `ProgramFacts.ways`. */
export const WAY = { notTaken: 1, taken: 2 } as const;

export interface FunctionFacts {
  readonly start: number;
  readonly flow: ControlFlow;
}

/** What callers need to know of a function. */
interface Summary {
  readonly start: number;
  readonly flow: ControlFlow;
  /** What it is entered with, over all calls found so far. */
  entry: AbstractState | undefined;
  returns: Value | undefined;
  /** How often that has grown. */
  grown: number;
  /** May it write to its callers' frames? */
  writesStack: boolean;
  movesPacket: boolean;
  /** May it compare packets with their ends? To the kernel's verifier its callers' pointers reach as far, too. */
  provesPackets: boolean;
  /** Has it to set r0? The program itself and callbacks have, functions that are called need not. */
  mustReturn: boolean;
  /** Has something changed since it was walked that it depends on: what it is entered with, or a function that it calls? */
  isStale: boolean;
  readonly callers: Set<Summary>;
  /** In what states its blocks were entered when it was walked last. */
  arrivals: readonly Arrivals[];
}

/** Visits of a block after which intervals that still grow are given up. */
const PATIENCE = 4;

/** Of instructions that cannot be followed, nothing is known: anything may happen in them. */
export function analyse(input: AnalysisInput): ProgramFacts {
  return areWellFormed(input.program.instructions) ? new Analysis(input).run() : nothingKnown(input);
}

function nothingKnown({ program: { instructions, subprograms } }: AnalysisInput): ProgramFacts {
  const each = (value: number): Uint8Array => new Uint8Array(instructions.count).fill(value);
  return {
    functions: [],
    accesses: new Map(),
    calls: new Map(),
    beyond: new Map(),
    unset: new Set(),
    ways: each(WAY.notTaken | WAY.taken),
    readsUnwritten: new Set(subprograms.map(({ start }) => start)),
    doubtful: each(1),
    reached: each(1),
  };
}

class Analysis {
  readonly #input: AnalysisInput;
  readonly #instructions: Instructions;
  readonly #summaries: Summary[];
  readonly #byStart: ReadonlyMap<number, Summary>;
  readonly #accesses = new Map<number, Access>();
  readonly #calls = new Map<number, AbstractState>();
  readonly #beyond = new Map<number, BeyondArray>();
  /** Calls whose index may be within. */
  readonly #within = new Set<number>();
  readonly #unset = new Set<number>();
  readonly #ways: Uint8Array;
  readonly #reached: Uint8Array;
  readonly #doubtful: Uint8Array;
  readonly #readsUnwritten = new Set<number>();
  readonly #paths: number;
  readonly #hook: 'xdp' | 'tc';

  constructor(input: AnalysisInput) {
    this.#input = input;
    this.#instructions = input.program.instructions;
    this.#ways = new Uint8Array(this.#instructions.count);
    this.#reached = new Uint8Array(this.#instructions.count);
    this.#doubtful = new Uint8Array(this.#instructions.count);
    this.#paths = input.paths ?? 1;
    this.#hook = input.layout.name === 'xdp_md' ? 'xdp' : 'tc';
    this.#summaries = input.program.subprograms.map(({ start, count }) => ({
      start,
      flow: controlFlowOf(input.program.instructions, start, start + count),
      entry: undefined,
      returns: undefined,
      grown: 0,
      writesStack: false,
      movesPacket: false,
      provesPackets: false,
      mustReturn: start === 0,
      isStale: true,
      callers: new Set(),
      arrivals: [],
    }));
    this.#byStart = new Map(this.#summaries.map((summary) => [summary.start, summary]));
  }

  run(): ProgramFacts {
    const main = AbstractState.atEntry();
    if (this.#input.enteredWith === 'context') main.registers[1] = CONTEXT;
    else {
      main.registers[1] = ANY;
      main.registers[2] = SCALAR;
    }
    main.registers[BPF_REG_FP] = stackPointer(0, 0);
    if (this.#paths > 1) main.origins = new Map();
    const first = this.#summaries[0]!;
    first.entry = main;
    this.#settle();
    for (const summary of this.#summaries) {
      if (summary.entry !== undefined) continue;
      // Not called as far as could be seen: anything may come in.
      this.#enter(summary, callbackEntry());
      this.#settle();
    }
    // What is reached was noted on the way.
    if (this.#paths === 1) for (const summary of this.#summaries) this.#record(summary);
    return {
      functions: this.#summaries.map(({ start, flow }) => ({ start, flow })),
      accesses: this.#accesses,
      calls: this.#calls,
      beyond: this.#beyond,
      unset: this.#unset,
      ways: this.#ways,
      reached: this.#reached,
      doubtful: this.#doubtful,
      readsUnwritten: this.#readsUnwritten,
    };
  }

  /** Walks functions until none depends on anything that has changed. */
  #settle(): void {
    for (let again = true; again; ) {
      again = false;
      for (const summary of this.#summaries) {
        if (!summary.isStale || summary.entry === undefined) continue;
        summary.isStale = false;
        this.#walk(summary);
        again = true;
      }
    }
  }

  /** Something of a function changed that its callers look at. */
  #changed(summary: Summary): void {
    for (const caller of summary.callers) caller.isStale = true;
  }

  /** Walks one function's blocks until nothing changes. */
  #walk(summary: Summary): void {
    const { blocks } = summary.flow;
    const arrivals = blocks.map(() => new Arrivals());
    // Only the last walk counts: the ones before knew less of other functions.
    for (const { start, end } of blocks) {
      this.#reached.fill(0, start, end);
      this.#ways.fill(0, start, end);
    }
    // Every circle leads through one of these, so that nothing grows for ever if it stops growing there.
    const heads = new Set(summary.flow.loopHeads);
    arrivals[0]!.add(summary.entry!.copy(), this.#paths, 0, false);
    // In order of the bytecode, the lowest first: forward jumps then meet before they are followed.
    for (let index = 0; index < blocks.length; ) {
      const state = arrivals[index]!.pending.pop();
      if (state === undefined) {
        index++;
        continue;
      }
      let next = index;
      this.#walkBlock(summary, blocks[index]!, state.copy(), (target, arriving) => {
        const meeting = MEETING_IDS + (summary.start + target) * PLACES;
        if (arrivals[target]!.add(arriving, this.#paths, meeting, heads.has(target)))
          next = Math.min(next, target);
      });
      index = next;
    }
    summary.arrivals = arrivals;
  }

  /** Notes what is known at each instruction, from the states of the last walk. */
  #record(summary: Summary): void {
    for (const [index, one] of summary.flow.blocks.entries()) {
      for (const state of summary.arrivals[index]!.states) {
        this.#walkBlock(summary, one, state.copy(), () => {}, true);
      }
    }
  }

  #walkBlock(
    summary: Summary,
    block: BasicBlock,
    state: AbstractState,
    arrive: (target: number, state: AbstractState) => void,
    record: boolean = false,
  ): void {
    const instructions = this.#instructions;
    // A state that was joined with others since leads nowhere that the joined one does not lead.
    const notes = record || this.#paths > 1;
    for (let slot = block.start; slot <= block.last; slot++) {
      if (notes) this.#reached[slot] = 1;
      this.#step(summary, state, slot, record);
      if (instructions.opcode[slot] === LDDW) slot++;
    }
    const { last } = block;
    const opcode = instructions.opcode[last]!;
    if (opcode === EXIT) {
      if (!summary.provesPackets && provesMore(state, summary.entry!)) {
        summary.provesPackets = true;
        this.#changed(summary);
      }
      this.#leave(summary, state.registers[0]!);
      return;
    }
    if (!isConditionalJump(opcode)) {
      arrive(block.jump >= 0 ? block.jump : block.next, state);
      return;
    }
    const taken = state.copy();
    const mayJump = applyComparison(taken, instructions, last, true);
    if (applyComparison(state, instructions, last, false)) {
      if (notes) this.#ways[last]! |= WAY.notTaken;
      arrive(block.next, state);
    }
    if (!mayJump) return;
    if (notes) this.#ways[last]! |= WAY.taken;
    arrive(block.jump, taken);
  }

  #leave(summary: Summary, value: Value): void {
    const returned = value.kind === KIND.scalar ? withId(value, 0) : value.kind === KIND.unset ? UNSET : ANY;
    const before = summary.returns;
    if (before !== undefined && sameValue(before, returned)) return;
    if (before === undefined) summary.returns = returned;
    else if (before.kind === KIND.scalar && returned.kind === KIND.scalar) {
      const widen = summary.grown > PATIENCE;
      const min = returned.min >= before.min ? before.min : widen ? -Infinity : returned.min;
      const max = returned.max <= before.max ? before.max : widen ? Infinity : returned.max;
      const unknown = before.unknown !== 0n && returned.unknown !== 0n ? SOMEWHERE : 0n;
      summary.returns = scalar(min, max, unknown);
    } else if (before.kind !== returned.kind) summary.returns = ANY;
    if (before !== undefined && sameValue(before, summary.returns!)) return;
    summary.grown++;
    this.#changed(summary);
  }

  #step(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const opcode = instructions.opcode[slot]!;
    const { registers } = state;
    if (record) this.#noteUnset(summary, state, slot);
    switch (opcode & CLASS_MASK) {
      case BPF_ALU:
      case BPF_ALU64:
        if (record) this.#noteDoubt(state, slot);
        applyArithmetic(state, instructions, slot, slot + 1);
        break;
      case BPF_LD:
        if ((opcode & MODE_MASK) === BPF_IMM) registers[instructions.dst[slot]!] = this.#constant(slot);
        else {
          // Out of bounds, the function is left with 0.
          this.#leave(summary, scalar(0, 0));
          registers.fill(UNSET, 1, 6);
          registers[0] = loaded(8 * accessSize(opcode), false, true);
        }
        break;
      case BPF_LDX:
        this.#load(summary, state, slot, instructions.src[slot]!, (opcode & MODE_MASK) === BPF_MEMSX, record);
        break;
      case BPF_ST:
      case BPF_STX:
        if ((opcode & MODE_MASK) === BPF_ATOMIC && instructions.imm[slot] !== BPF_STORE_REL) {
          if (instructions.imm[slot] === BPF_LOAD_ACQ) {
            this.#load(summary, state, slot, instructions.src[slot]!, false, record);
          } else this.#atomic(summary, state, slot, record);
        } else this.#store(summary, state, slot, record);
        break;
      case BPF_JMP:
      case BPF_JMP32:
        if (opcode !== CALL) break;
        if (instructions.src[slot] === BPF_PSEUDO_CALL) this.#callLocal(summary, state, slot);
        else {
          if (record) this.#calls.set(slot, state.copy());
          this.#callHelper(summary, state, slot);
        }
        break;
      default:
    }
  }

  /** Registers that an instruction reads although nothing was ever written to them. */
  #noteUnset(summary: Summary, state: AbstractState, slot: number): void {
    if (this.#instructions.opcode[slot] === EXIT && !summary.mustReturn) return;
    for (const register of registersRead(this.#instructions, slot)) {
      if (state.registers[register]!.kind === KIND.unset) this.#unset.add(slot);
    }
  }

  /** Sums and differences that may move a packet pointer by what the kernel's verifier knows, but the interpreter does not. */
  #noteDoubt(state: AbstractState, slot: number): void {
    const instructions = this.#instructions;
    const operation = instructions.opcode[slot]! & OPERATION_MASK;
    if (operation !== BPF_ADD && operation !== BPF_SUB) return;
    if ((instructions.opcode[slot]! & SOURCE_MASK) !== BPF_X) return;
    const operands = [instructions.dst[slot]!, instructions.src[slot]!].map((one) => state.registers[one]!);
    if (operands.every((one) => one.unknown === 0n)) this.#doubtful[slot] = 1;
  }

  #constant(slot: number): Value {
    const instructions = this.#instructions;
    const low = instructions.imm[slot]!;
    const high = instructions.imm[slot + 1]!;
    switch (instructions.src[slot]) {
      case BPF_PSEUDO_MAP_FD:
        return mapPointer(low);
      case BPF_PSEUDO_MAP_VALUE:
        return mapValue(low, high, 0);
      case BPF_PSEUDO_BTF_ID:
        return ANY;
      case BPF_PSEUDO_FUNC:
        return functionPointer(callTarget(instructions, slot));
      default: {
        const number = Number(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0)));
        return Number.isSafeInteger(number) ? scalar(number, number) : SOME_SCALAR;
      }
    }
  }

  #judge(
    state: AbstractState,
    slot: number,
    pointer: Value,
    size: number,
    writes: boolean,
    signExtending: boolean,
    record: boolean,
  ): Access {
    const { maps, layout } = this.#input;
    const offset = this.#instructions.offset[slot]!;
    let access = judgeAccess(state, maps, layout, pointer, offset, size, writes, signExtending);
    if (isAtomic(this.#instructions.opcode[slot]!) && isNoAtomicPlace(pointer, offset, size))
      access = { verdict: VERDICT.violation, pointer };
    if (record) this.#accesses.set(slot, access);
    return access;
  }

  #load(
    summary: Summary,
    state: AbstractState,
    slot: number,
    base: number,
    signExtending: boolean,
    record: boolean,
  ): void {
    const instructions = this.#instructions;
    const size = accessSize(instructions.opcode[slot]!);
    const offset = instructions.offset[slot]!;
    const pointer = state.registers[base]!;
    const { verdict } = this.#judge(state, slot, pointer, size, false, signExtending, record);
    this.#read(summary, state, pointer, offset, size);
    const dst = instructions.dst[slot]!;
    state.registers[dst] =
      verdict === VERDICT.violation ? ANY : this.#loaded(state, pointer, offset, size, signExtending);
  }

  #loaded(state: AbstractState, pointer: Value, offset: number, size: number, signExtending: boolean): Value {
    if (pointer.kind === KIND.context) {
      // Moved by who knows how much: it may be any field.
      if (pointer.min !== pointer.max) return ANY;
      switch (this.#input.layout.read(offset, size, signExtending)) {
        case ACCESS.data:
          return packetPointer(KIND.packet, DATA_ID, 0);
        case ACCESS.dataMeta:
          return packetPointer(KIND.packetMeta, META_ID, 0);
        case ACCESS.dataEnd:
          return PACKET_END;
        case ACCESS.socket:
          return ANY;
        default:
      }
    }
    // Eight bytes from who knows where may be a pointer; from the stack, one that was stored there.
    if (pointer.kind === KIND.any && size === 8) return ANY;
    if (pointer.kind === KIND.any && size === 4 && !signExtending) return ANY;
    if (pointer.kind === KIND.stack) return fromStack(state, pointer, offset, size, signExtending);
    const frozen = pointer.kind === KIND.mapValue && this.#input.maps[pointer.map]?.global?.readOnly === true;
    if (frozen && pointer.min === pointer.max) {
      const bytes = this.#input.frozen?.(pointer.map);
      const at = pointer.min + offset;
      if (bytes !== undefined && at >= 0 && at + size <= bytes.length) {
        return constantOf(bytes, at, size, signExtending);
      }
    }
    // Read-only data are known to the kernel's verifier.
    return loaded(8 * size, signExtending, !frozen);
  }

  /** Notes a read of the frame that may come before any write. @param size undefined: nobody knows how much */
  #read(
    summary: Summary,
    state: AbstractState,
    pointer: Value,
    offset: number,
    size: number | undefined,
  ): void {
    if (pointer.kind !== KIND.stack || this.#readsUnwritten.has(summary.start)) return;
    const low = pointer.min + offset;
    const unwritten = size === undefined || state.mayBeUnwritten(low, pointer.max - pointer.min + size);
    if (unwritten) this.#readsUnwritten.add(summary.start);
  }

  #store(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const opcode = instructions.opcode[slot]!;
    const size = accessSize(opcode);
    const pointer = state.registers[instructions.dst[slot]!]!;
    const access = this.#judge(state, slot, pointer, size, true, false, record);
    const stored =
      (opcode & CLASS_MASK) === BPF_ST
        ? scalar(instructions.imm[slot]!, instructions.imm[slot]!)
        : state.registers[instructions.src[slot]!]!;
    this.#written(summary, state, access, instructions.offset[slot]!, size, stored);
  }

  /** Notes what a store does to the stack slots that are known. */
  #written(
    summary: Summary,
    state: AbstractState,
    access: Access,
    offset: number,
    size: number,
    stored: Value,
  ): void {
    const { pointer, verdict } = access;
    if (verdict === VERDICT.violation) return;
    if (pointer.kind === KIND.stack && verdict === VERDICT.proven) {
      const low = pointer.min + offset;
      const high = pointer.max + offset + size;
      if (pointer.min === pointer.max) state.initialise(low, size);
      if (pointer.min === pointer.max) state.store(low, size, size === 8 ? stored : truncated(stored, size));
      else state.store(low, high - low, undefined);
      return;
    }
    if (verdict === VERDICT.proven) return;
    // Somewhere: it may be on the stack.
    state.forgetCells();
    this.#flag(summary, true, false);
  }

  #flag(summary: Summary, writesStack: boolean, movesPacket: boolean): void {
    if ((!writesStack || summary.writesStack) && (!movesPacket || summary.movesPacket)) return;
    summary.writesStack ||= writesStack;
    summary.movesPacket ||= movesPacket;
    this.#changed(summary);
  }

  #atomic(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const size = accessSize(instructions.opcode[slot]!);
    const pointer = state.registers[instructions.dst[slot]!]!;
    const offset = instructions.offset[slot]!;
    const access = this.#judge(state, slot, pointer, size, true, false, record);
    this.#read(summary, state, pointer, offset, size);
    this.#written(summary, state, access, offset, size, SOME_SCALAR);
    const operation = instructions.imm[slot]!;
    if ((operation & BPF_FETCH) === 0) return;
    const wide = (instructions.opcode[slot]! & SIZE_MASK) === BPF_DW;
    const target = operation === BPF_CMPXCHG ? 0 : instructions.src[slot]!;
    state.registers[target] = loaded(wide ? 64 : 32, false, true);
  }

  #callLocal(summary: Summary, state: AbstractState, slot: number): void {
    const callee = this.#byStart.get(callTarget(this.#instructions, slot))!;
    // What the function reads of this frame is not followed.
    for (let one = 1; one <= 5; one++) this.#read(summary, state, state.registers[one]!, 0, undefined);
    this.#enter(callee, calleeEntry(state));
    this.#returned(summary, callee, state);
    forgetNullable(state, state.registers.slice(1, 6));
    state.registers.fill(UNSET, 1, 6);
    state.registers[0] = callee.returns ?? SOME_SCALAR;
  }

  /** What a function of the program may have done meanwhile. */
  #returned(summary: Summary, callee: Summary, state: AbstractState): void {
    callee.callers.add(summary);
    if (callee.writesStack) state.forgetCells();
    if (callee.movesPacket) state.forgetPackets(ANY);
    // Which path it took, and so how far, is not followed (kernel/bpf/verifier.c, `find_good_pkt_pointers`: in all frames).
    if (callee.provesPackets) state.open = true;
    this.#flag(summary, callee.writesStack, callee.movesPacket);
  }

  #enter(callee: Summary, entry: AbstractState): void {
    if (callee.entry === undefined) {
      callee.entry = entry;
      callee.isStale = true;
      return;
    }
    const joined = joinStates(callee.entry, entry, ARGUMENT_IDS + callee.start * PLACES, true);
    if (sameState(joined, callee.entry)) return;
    callee.entry = joined;
    callee.isStale = true;
  }

  #callHelper(summary: Summary, state: AbstractState, slot: number): void {
    const { registers } = state;
    const helper = this.#input.helperAt(slot);
    const id = slot + 1;
    const first = registers[1]!;
    const second = registers[2]!;
    let result = ANY;
    if (helper !== undefined) {
      const key = helper.arguments[1] === 'key' ? this.#indexAt(state, second) : undefined;
      this.#noteIndexOf(helper, slot, registers, key);
      this.#enterEffects(summary, state, helper);
      const { maps, inside } = this.#input;
      result = resultOf({ helper, hook: this.#hook, first, second, key, maps, id, inside });
    }
    state.adjusted = undefined;
    state.retire(id);
    registers.fill(UNSET, 1, 6);
    registers[0] = result;
    if (this.#paths > 1 && helper?.effects.adjustsMetadata === true && isConstant(second)) {
      // The helper takes an int.
      registers[0] = withId(registers[0]!, id);
      state.adjusted = { id, bytes: -(second.min | 0) };
    }
  }

  #noteIndexOf(
    helper: Helper,
    slot: number,
    registers: AbstractState['registers'],
    key: Value | undefined,
  ): void {
    if (helper.arguments[1] === 'key') this.#noteIndex(slot, registers[1]!, key);
    const given = indexGiven(helper.name, registers);
    if (given !== undefined) this.#noteIndex(slot, given.map, given.index);
  }

  /** What is known of an index grows less from visit to visit: one that may be within is so for good. */
  #noteIndex(slot: number, first: Value, key: Value | undefined): void {
    const map = first.kind === KIND.map ? this.#input.maps[first.map] : undefined;
    if (
      map === undefined ||
      !INDEXED.has(map.type) ||
      key?.kind !== KIND.scalar ||
      key.min < map.maxEntries
    ) {
      this.#within.add(slot);
      this.#beyond.delete(slot);
      return;
    }
    const before = this.#beyond.get(slot);
    const isOther = before !== undefined && before.map !== first.map;
    if (isOther) this.#within.add(slot);
    if (this.#within.has(slot)) this.#beyond.delete(slot);
    else this.#beyond.set(slot, { map: first.map, least: Math.min(key.min, before?.least ?? key.min) });
  }

  /** What a helper does to the frame and to packet pointers. */
  #enterEffects(summary: Summary, state: AbstractState, helper: Helper): void {
    const position = helper.arguments.indexOf('map');
    const map = position < 0 ? UNSET : state.registers[position + 1]!;
    let writesStack = false;
    applyArguments({
      helper,
      state,
      map: map.kind === KIND.map ? this.#input.maps[map.map] : undefined,
      read: (pointer, size) => this.#read(summary, state, pointer, 0, size),
      callBack: (target) => this.#callBack(summary, state, target),
      writesSomewhere: () => {
        writesStack = true;
      },
    });
    if (writesStack) {
      state.forgetCells();
      this.#flag(summary, true, false);
    }
    if (helper.effects.packet === 'moved') {
      state.forgetPackets(SOME_SCALAR);
      this.#flag(summary, false, true);
    }
  }

  /** The index at which a lookup looks. */
  #indexAt(state: AbstractState, pointer: Value): Value | undefined {
    if (pointer.kind === KIND.context) return undefined;
    return this.#loaded(state, pointer, 0, 4, false);
  }

  #callBack(caller: Summary, state: AbstractState, target: Value): void {
    for (const summary of this.#summaries) {
      const named = target.kind === KIND.function ? target.map === summary.start : summary.start > 0;
      if (!named) continue;
      // A function whose address is taken may never be called back; then it does no harm to ask it for a result.
      summary.mustReturn = true;
      this.#enter(summary, callbackEntry());
      this.#returned(caller, summary, state);
    }
  }
}

/** The states in which a block is entered. */
class Arrivals {
  states: AbstractState[] = [];
  /** Those that have not been followed yet. */
  pending: AbstractState[] = [];
  #merged: AbstractState | undefined;
  #merges = 0;

  /**
   * @param paths how many states are kept before they are joined
   * @param meeting ids for what they disagree on
   * @param isHead does a loop begin here? Then intervals that go on growing are given up
   * @returns whether there is something new to follow
   */
  add(state: AbstractState, paths: number, meeting: number, isHead: boolean): boolean {
    if (this.states.some((one) => sameState(one, state))) return false;
    if (this.#merged === undefined && this.states.length < paths) {
      this.states.push(state);
      this.pending.push(state);
      return true;
    }
    let merged = this.#merged ?? this.states[0]!;
    for (const one of this.#merged === undefined ? this.states.slice(1) : []) {
      merged = joinStates(merged, one, meeting, false);
    }
    merged = joinStates(merged, state, meeting, isHead && ++this.#merges > PATIENCE);
    if (this.states.length === 1 && sameState(this.states[0]!, merged)) return false;
    this.#merged = merged;
    this.states = [merged];
    this.pending = [merged];
    return true;
  }
}

/** What a load of `size` bytes from the frame gives: something that was stored there as a whole, or part of a constant. */
function fromStack(
  state: AbstractState,
  pointer: Value,
  offset: number,
  size: number,
  signExtending: boolean,
): Value {
  const nothing = size === 8 ? ANY : loaded(8 * size, signExtending, false);
  if (pointer.min !== pointer.max) return nothing;
  const at = pointer.min + offset;
  const cell = state.cells.get(at);
  if (cell?.size === size) {
    if (size === 8 || cell.value.kind === KIND.scalar) {
      return signExtending ? moved(cell.value, true, 8 * size) : cell.value;
    }
    return nothing;
  }
  for (const [start, { size: held, value }] of state.cells) {
    if (start > at || at + size > start + held) continue;
    if (start === at && value.kind === KIND.scalar) {
      const low = converted(value, 8 * size, true);
      return signExtending ? moved(low, true, 8 * size) : low;
    }
    if (!isConstant(value) || !Number.isFinite(value.min)) return nothing;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, BigInt(value.min), true);
    return constantOf(bytes, at - start, size, signExtending);
  }
  return nothing;
}

/** The number that lies in some bytes. */
function constantOf(bytes: Uint8Array, at: number, size: number, signExtending: boolean): Value {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[at + index]!);
  if (signExtending) value = BigInt.asIntN(8 * size, value);
  const signed = Number(BigInt.asIntN(64, value));
  return Number.isSafeInteger(signed) ? scalar(signed, signed) : SOME_SCALAR;
}

/** What is left of a register that is stored in fewer than eight bytes; of a pointer, a number. */
function truncated(one: Value, size: number): Value {
  return one.kind === KIND.scalar ? converted(one, 8 * size, true) : loaded(8 * size, false, false);
}

/** What a callback is entered with: nothing that is known. */
function callbackEntry(): AbstractState {
  const entry = AbstractState.atEntry();
  entry.registers.fill(ANY, 1, 6);
  entry.registers[BPF_REG_FP] = stackPointer(0, 0);
  return entry;
}

/** Does any packet reach further at a function's end than it did where it was entered? */
function provesMore(end: AbstractState, entry: AbstractState): boolean {
  if (end.open) return true;
  for (const [id, { max }] of end.ranges) if (max > (entry.ranges.get(id)?.max ?? 0)) return true;
  return false;
}

/**
 * What a function compares with null, the verifier holds good for its callers' copies as well (kernel/bpf/verifier.c,
 * `mark_ptr_or_null_regs`: in all frames): what it was given, or may find on their stacks, need not be null any more.
 */
function forgetNullable(state: AbstractState, given: readonly Value[]): void {
  const seesStack = given.some(({ kind }) => kind === KIND.stack || kind === KIND.any);
  const ids = given.filter(({ nullable }) => nullable).map(({ id }) => id);
  if (!seesStack && ids.length === 0) return;
  state.replace((one) => (one.nullable && (seesStack || ids.includes(one.id)) ? ANY : one));
}

/** The caller's r1 to r5 as the called function sees them. */
function calleeEntry(caller: AbstractState): AbstractState {
  const entry = AbstractState.atEntry();
  entry.open = caller.open;
  for (let register = 1; register <= 5; register++) {
    const one = caller.registers[register]!;
    entry.registers[register] = argument(caller, entry, one, ARGUMENT_IDS + register);
  }
  const known = caller.ranges.get(DATA_ID);
  if (known !== undefined) entry.setRange(DATA_ID, known);
  entry.registers[BPF_REG_FP] = stackPointer(0, 0);
  return entry;
}

function argument(caller: AbstractState, entry: AbstractState, one: Value, id: number): Value {
  switch (one.kind) {
    case KIND.unset:
    case KIND.packetEnd:
    case KIND.function:
      return one;
    case KIND.scalar:
      return withId(one, 0);
    case KIND.context:
      return contextPointer(one.min);
    case KIND.map:
    case KIND.mapValue:
    case KIND.sample:
      return one.nullable ? ANY : one;
    case KIND.packet:
      if (one.id === DATA_ID) return one;
      entry.setRange(id, caller.range(one));
      return packetPointer(one.kind, id, one.min);
    default:
      // Of another frame's stack, a function knows too little.
      return ANY;
  }
}

/** Context and packet, and what is known not to be aligned (kernel/bpf/verifier.c, `atomic_ptr_type_ok`). */
function isNoAtomicPlace(pointer: Value, offset: number, size: number): boolean {
  if (pointer.kind === KIND.context || isPacket(pointer)) return true;
  return pointer.kind === KIND.mapValue && pointer.min === pointer.max && (pointer.min + offset) % size !== 0;
}
