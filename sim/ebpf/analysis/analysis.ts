/**
 * Proves, before a program runs, what it can of its accesses to memory: what is proven needs no check at run time.
 *
 * Functions are walked block by block until nothing changes; where paths meet, what they disagree on is given up
 * (`abstract-state.ts`). So it proves less than the kernel's verifier, which walks every path by itself; what it
 * does not prove is checked when it happens. What it calls a violation is one on every path that leads there.
 */
import { ACCESS, type ContextLayout } from '../context/context-access.ts';
import type { Helper } from '../helpers/helper.ts';
import {
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
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_REG_FP,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  CALL,
  CLASS_MASK,
  callTarget,
  EXIT,
  type Instructions,
  isConditionalJump,
  LDDW,
  MODE_MASK,
  SIZE_MASK,
} from '../instruction.ts';
import type { BpfMap, BpfProgram } from '../object.ts';
import { applyArithmetic } from './abstract-arithmetic.ts';
import { applyComparison } from './abstract-comparison.ts';
import { AbstractState, joinStates, SLOT_COUNT, sameState } from './abstract-state.ts';
import {
  ANY,
  CONTEXT,
  contextPointer,
  DATA_ID,
  functionPointer,
  isPacket,
  KIND,
  META_ID,
  mapPointer,
  mapValue,
  PACKET_END,
  packetPointer,
  SCALAR,
  SOME_SCALAR,
  samplePointer,
  scalar,
  stackPointer,
  UNSET,
  type Value,
  withId,
} from './abstract-value.ts';
import { type Access, judgeAccess, VERDICT } from './access.ts';
import { type BasicBlock, type ControlFlow, controlFlowOf } from './control-flow.ts';

export interface AnalysisInput {
  readonly program: BpfProgram;
  readonly maps: readonly BpfMap[];
  readonly layout: ContextLayout;
  /** The helper or kernel function that the call at a slot names; undefined: none that may be called. */
  readonly helperAt: (slot: number) => Helper | undefined;
  /** What programs are entered with: the context in r1, or the address and the size of some memory in r1 and r2. */
  readonly enteredWith: 'context' | 'memory';
}

export interface ProgramFacts {
  readonly functions: readonly FunctionFacts[];
  /** Of every load and store. */
  readonly accesses: ReadonlyMap<number, Access>;
  /** Of every call of a helper: what is known before it. */
  readonly calls: ReadonlyMap<number, AbstractState>;
  /** Instructions that read a register which no path has written. */
  readonly unset: ReadonlySet<number>;
}

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
  /** May it write to its callers' frames? */
  writesStack: boolean;
  movesPacket: boolean;
  /** Has it to set r0? The program itself and callbacks have, functions that are called need not. */
  mustReturn: boolean;
}

/** Ids of values: of instructions (slot + 1), of functions' arguments, and from here on of places where paths meet. */
const ARGUMENT_IDS = 2_000_000;
const MEETING_IDS = 3_000_000;
const PLACES = 128;
/** Visits of a block after which intervals that still grow are given up. */
const PATIENCE = 4;

const SIZES: ReadonlyMap<number, number> = new Map([
  [0x00, 4],
  [0x08, 2],
  [0x10, 1],
  [0x18, 8],
]);

export function sizeOf(opcode: number): number {
  return SIZES.get(opcode & SIZE_MASK)!;
}

export function analyse(input: AnalysisInput): ProgramFacts {
  return new Analysis(input).run();
}

class Analysis {
  readonly #input: AnalysisInput;
  readonly #instructions: Instructions;
  readonly #summaries: Summary[];
  readonly #byStart: ReadonlyMap<number, Summary>;
  readonly #accesses = new Map<number, Access>();
  readonly #calls = new Map<number, AbstractState>();
  readonly #unset = new Set<number>();
  /** Functions whose summary changed, so that others have to be looked at again. */
  #changed = false;
  #recording = false;

  constructor(input: AnalysisInput) {
    this.#input = input;
    this.#instructions = input.program.instructions;
    this.#summaries = input.program.subprograms.map(({ start, count }) => ({
      start,
      flow: controlFlowOf(input.program.instructions, start, start + count),
      entry: undefined,
      returns: undefined,
      writesStack: false,
      movesPacket: false,
      mustReturn: start === 0,
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
    const first = this.#summaries[0]!;
    first.entry = main;
    do {
      this.#changed = false;
      for (const summary of this.#summaries) if (summary.entry !== undefined) this.#walk(summary);
    } while (this.#changed);
    this.#recording = true;
    for (const summary of this.#summaries) {
      // Not called as far as could be seen: anything may come in.
      if (summary.entry === undefined) this.#enter(summary, callbackEntry());
      this.#walk(summary);
    }
    return {
      functions: this.#summaries.map(({ start, flow }) => ({ start, flow })),
      accesses: this.#accesses,
      calls: this.#calls,
      unset: this.#unset,
    };
  }

  /** Walks one function's blocks until nothing changes. */
  #walk(summary: Summary): void {
    const { blocks } = summary.flow;
    const entries: (AbstractState | undefined)[] = blocks.map(() => undefined);
    const visits = new Uint32Array(blocks.length);
    entries[0] = summary.entry!;
    // In order of the bytecode, the lowest first: forward jumps then meet before they are followed.
    const pending = new Uint8Array(blocks.length);
    pending[0] = 1;
    let block = 0;
    while (block < blocks.length) {
      if (pending[block] === 0) {
        block++;
        continue;
      }
      pending[block] = 0;
      let next = block + 1;
      this.#walkBlock(summary, blocks[block]!, entries[block]!.copy(), (target, state) => {
        const before = entries[target];
        const id = MEETING_IDS + (summary.start + target) * PLACES;
        const after =
          before === undefined ? state : joinStates(before, state, id, ++visits[target]! > PATIENCE);
        if (before !== undefined && sameState(before, after)) return;
        entries[target] = after;
        pending[target] = 1;
        if (target < next) next = target;
      });
      block = next;
    }
    if (!this.#recording) return;
    for (const [index, one] of blocks.entries()) {
      const entry = entries[index];
      if (entry === undefined) continue;
      this.#walkBlock(summary, one, entry.copy(), () => {}, true);
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
    for (let slot = block.start; slot <= block.last; slot++) {
      this.#step(summary, state, slot, record);
      if (instructions.opcode[slot] === LDDW) slot++;
    }
    const opcode = instructions.opcode[block.last]!;
    if (opcode === EXIT) {
      this.#leave(summary, state.registers[0]!);
      return;
    }
    if (isConditionalJump(opcode)) {
      const taken = state.copy();
      applyComparison(taken, instructions, block.last, true);
      applyComparison(state, instructions, block.last, false);
      arrive(block.next, state);
      arrive(block.jump, taken);
    } else arrive(block.jump >= 0 ? block.jump : block.next, state);
  }

  #leave(summary: Summary, value: Value): void {
    const returned = value.kind === KIND.scalar ? withId(value, 0) : value.kind === KIND.unset ? UNSET : ANY;
    const before = summary.returns;
    if (before === undefined) summary.returns = returned;
    else if (before.kind === KIND.scalar && returned.kind === KIND.scalar) {
      const min = returned.min < before.min ? -Infinity : before.min;
      const max = returned.max > before.max ? Infinity : before.max;
      summary.returns = scalar(min, max, before.unknown && returned.unknown);
    } else if (before.kind !== returned.kind) summary.returns = ANY;
    if (
      before === undefined ||
      before.kind !== summary.returns!.kind ||
      before.min !== summary.returns!.min ||
      before.max !== summary.returns!.max
    ) {
      this.#changed = true;
    }
  }

  #step(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const opcode = instructions.opcode[slot]!;
    const { registers } = state;
    if (record) this.#noteUnset(summary, state, slot);
    switch (opcode & CLASS_MASK) {
      case BPF_ALU:
      case BPF_ALU64:
        applyArithmetic(state, instructions, slot, slot + 1);
        break;
      case BPF_LD:
        if ((opcode & MODE_MASK) === BPF_IMM) registers[instructions.dst[slot]!] = this.#constant(slot);
        else {
          // Out of bounds, the function is left with 0.
          this.#leave(summary, scalar(0, 0));
          registers.fill(UNSET, 1, 6);
          registers[0] = scalar(0, 2 ** (8 * sizeOf(opcode)) - 1, true);
        }
        break;
      case BPF_LDX:
        this.#load(state, slot, instructions.src[slot]!, (opcode & MODE_MASK) === BPF_MEMSX, record);
        break;
      case BPF_ST:
      case BPF_STX:
        if ((opcode & MODE_MASK) === BPF_ATOMIC && instructions.imm[slot] !== BPF_STORE_REL) {
          if (instructions.imm[slot] === BPF_LOAD_ACQ) {
            this.#load(state, slot, instructions.src[slot]!, false, record);
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

  #constant(slot: number): Value {
    const instructions = this.#instructions;
    const low = instructions.imm[slot]!;
    const high = instructions.imm[slot + 1]!;
    switch (instructions.src[slot]) {
      case BPF_PSEUDO_MAP_FD:
        return mapPointer(low);
      case BPF_PSEUDO_MAP_VALUE:
        return mapValue(low, high, 0);
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
    const access = judgeAccess(state, maps, layout, pointer, offset, size, writes, signExtending);
    if (record) this.#accesses.set(slot, access);
    return access;
  }

  #load(state: AbstractState, slot: number, base: number, signExtending: boolean, record: boolean): void {
    const instructions = this.#instructions;
    const size = sizeOf(instructions.opcode[slot]!);
    const offset = instructions.offset[slot]!;
    const pointer = state.registers[base]!;
    const { verdict } = this.#judge(state, slot, pointer, size, false, signExtending, record);
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
        default:
      }
    }
    // Eight bytes from who knows where may be a pointer; from the stack, one that was stored there.
    if (pointer.kind === KIND.any && size === 8) return ANY;
    if (pointer.kind === KIND.any && size === 4 && !signExtending) return ANY;
    if (pointer.kind === KIND.stack && size === 8) {
      return pointer.min === pointer.max ? (state.slots[slotOf(pointer.min + offset)] ?? ANY) : ANY;
    }
    // What was stored on the stack may be known to the kernel's verifier; so are read-only data.
    const unknown =
      pointer.kind !== KIND.stack &&
      !(pointer.kind === KIND.mapValue && this.#input.maps[pointer.map]?.global?.readOnly === true);
    if (size === 8) return unknown ? SCALAR : SOME_SCALAR;
    const limit = 2 ** (8 * size);
    return signExtending ? scalar(-limit / 2, limit / 2 - 1, unknown) : scalar(0, limit - 1, unknown);
  }

  #store(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const opcode = instructions.opcode[slot]!;
    const size = sizeOf(opcode);
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
      if (pointer.min === pointer.max && size === 8) state.setSlots(slotOf(low), slotOf(low) + 1, stored);
      else state.setSlots(slotOf(low), slotOf(high - 1) + 1, ANY);
      return;
    }
    if (verdict === VERDICT.proven) return;
    // Somewhere: it may be on the stack.
    state.forgetSlots();
    this.#flag(summary, true, false);
  }

  #flag(summary: Summary, writesStack: boolean, movesPacket: boolean): void {
    if ((writesStack && !summary.writesStack) || (movesPacket && !summary.movesPacket)) this.#changed = true;
    summary.writesStack ||= writesStack;
    summary.movesPacket ||= movesPacket;
  }

  #atomic(summary: Summary, state: AbstractState, slot: number, record: boolean): void {
    const instructions = this.#instructions;
    const size = sizeOf(instructions.opcode[slot]!);
    const pointer = state.registers[instructions.dst[slot]!]!;
    const offset = instructions.offset[slot]!;
    const misaligned =
      pointer.kind === KIND.mapValue && pointer.min === pointer.max && (pointer.min + offset) % size !== 0;
    let access = this.#judge(state, slot, pointer, size, true, false, record);
    if (pointer.kind === KIND.context || isPacket(pointer) || misaligned) {
      access = { verdict: VERDICT.violation, pointer };
      if (record) this.#accesses.set(slot, access);
    }
    this.#written(summary, state, access, offset, size, SOME_SCALAR);
    const operation = instructions.imm[slot]!;
    if ((operation & BPF_FETCH) === 0) return;
    const wide = (instructions.opcode[slot]! & SIZE_MASK) === BPF_DW;
    const target = operation === BPF_CMPXCHG ? 0 : instructions.src[slot]!;
    state.registers[target] = wide ? SCALAR : scalar(0, 2 ** 32 - 1, true);
  }

  #callLocal(summary: Summary, state: AbstractState, slot: number): void {
    const callee = this.#byStart.get(callTarget(this.#instructions, slot))!;
    this.#enter(callee, calleeEntry(state));
    this.#returned(summary, callee, state);
    state.registers.fill(UNSET, 1, 6);
    state.registers[0] = callee.returns ?? SOME_SCALAR;
  }

  /** What a function of the program may have done meanwhile. */
  #returned(summary: Summary, callee: Summary, state: AbstractState): void {
    if (callee.writesStack) state.forgetSlots();
    if (callee.movesPacket) state.forgetPackets(ANY);
    this.#flag(summary, callee.writesStack, callee.movesPacket);
  }

  #enter(callee: Summary, entry: AbstractState): void {
    if (callee.entry === undefined) {
      callee.entry = entry;
      this.#changed = true;
      return;
    }
    const joined = joinStates(callee.entry, entry, ARGUMENT_IDS + callee.start * PLACES, true);
    if (sameState(joined, callee.entry)) return;
    callee.entry = joined;
    this.#changed = true;
  }

  #callHelper(summary: Summary, state: AbstractState, slot: number): void {
    const { registers } = state;
    const helper = this.#input.helperAt(slot);
    const id = slot + 1;
    const first = registers[1]!;
    const size = registers[2]!;
    let writesStack = false;
    for (const [index, type] of (helper?.arguments ?? []).entries()) {
      const argument = registers[index + 1]!;
      if (type === 'function') {
        this.#callBack(summary, state, argument);
      }
      if (
        type === 'value_out' ||
        type === 'memory_out' ||
        type === 'u64_out' ||
        type === 'u32_inout' ||
        type === 'dynptr_out' ||
        type === 'iterator_out' ||
        type === 'buffer_or_null'
      ) {
        if (argument.kind === KIND.stack) state.forgetSlots();
        else if (argument.kind === KIND.any) writesStack = true;
      }
      // Handed to the kernel to be written now or later.
      if (type === 'dynptr' || type === 'iterator' || type === 'stack_or_null' || type === 'spin_lock') {
        state.forgetSlots();
      }
    }
    if (writesStack) {
      state.forgetSlots();
      this.#flag(summary, true, false);
    }
    if (helper?.arguments[0] === 'sample') {
      state.replace((one) => (one.kind === KIND.sample ? ANY : one));
    }
    if (helper?.movesPacket === true) {
      state.forgetPackets(SOME_SCALAR);
      this.#flag(summary, false, true);
    }
    state.retire(id);
    registers.fill(UNSET, 1, 6);
    registers[0] = this.#result(helper, first, size, id);
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

  #result(helper: Helper | undefined, first: Value, size: Value, id: number): Value {
    switch (helper?.returns) {
      case 'int':
        return scalar(-(2 ** 31), 2 ** 31 - 1, true);
      case 'u64':
        return SCALAR;
      case 'void':
        return UNSET;
      case 'map_value_or_null':
        return this.#lookup(first, id);
      case 'sample_or_null':
        return size.kind === KIND.scalar && size.min === size.max && size.min > 0
          ? samplePointer(size.min, id)
          : ANY;
      default:
        return ANY;
    }
  }

  #lookup(map: Value, id: number): Value {
    const source = map.kind === KIND.map ? this.#input.maps[map.map] : undefined;
    switch (source?.type) {
      case undefined:
        return ANY;
      case 'ARRAY_OF_MAPS':
      case 'HASH_OF_MAPS':
        return mapPointer(-1, id);
      case 'XSKMAP':
        return ANY;
      default:
        return mapValue(map.map, 0, id);
    }
  }
}

/** Index of the stack slot at an offset from r10. */
function slotOf(offset: number): number {
  return SLOT_COUNT + Math.floor(offset / 8);
}

/** What a callback is entered with: nothing that is known. */
function callbackEntry(): AbstractState {
  const entry = AbstractState.atEntry();
  entry.registers.fill(ANY, 1, 6);
  entry.registers[BPF_REG_FP] = stackPointer(0, 0);
  return entry;
}

/** The caller's r1 to r5 as the called function sees them. */
function calleeEntry(caller: AbstractState): AbstractState {
  const entry = AbstractState.atEntry();
  for (let register = 1; register <= 5; register++) {
    const one = caller.registers[register]!;
    entry.registers[register] = argument(caller, entry, one, ARGUMENT_IDS + register);
  }
  const known = caller.ranges.get(DATA_ID);
  if (known !== undefined) entry.ranges.set(DATA_ID, known);
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
      entry.ranges.set(id, caller.range(one));
      return packetPointer(one.kind, id, one.min);
    default:
      // Of another frame's stack, a function knows too little.
      return ANY;
  }
}

/** The registers that an instruction reads; of calls of helpers, those that their signature names are not among them. */
export function registersRead(instructions: Instructions, slot: number): readonly number[] {
  const opcode = instructions.opcode[slot]!;
  const dst = instructions.dst[slot]!;
  const src = instructions.src[slot]!;
  const operation = opcode & 0xf0;
  const fromRegister = (opcode & 0x08) !== 0;
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if (operation === 0xb0) return fromRegister ? [src] : [];
      if (operation === 0xd0 || operation === 0x80) return [dst];
      return fromRegister ? [dst, src] : [dst];
    case BPF_LDX:
      return [src];
    case BPF_ST:
      return [dst];
    case BPF_STX:
      if ((opcode & MODE_MASK) === BPF_ATOMIC) {
        if (instructions.imm[slot] === BPF_LOAD_ACQ) return [src];
        if (instructions.imm[slot] === BPF_CMPXCHG) return [dst, src, 0];
      }
      return [dst, src];
    case BPF_JMP:
    case BPF_JMP32:
      if (opcode === EXIT) return [0];
      if (!isConditionalJump(opcode) || operation === 0xe0) return [];
      return fromRegister ? [dst, src] : [dst];
    default:
      return [];
  }
}
