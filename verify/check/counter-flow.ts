/**
 * Which stores put back what was loaded from the same place of a map's value, and added to, on any way that leads there: what
 * branches come together on may hold the sum of one of them. A clamp is such a branch, and a window that begins anew.
 */
import { KIND, type Value } from '../../sim/ebpf/analysis/abstract-value.ts';
import { controlFlowOf } from '../../sim/ebpf/analysis/control-flow.ts';
import type { BpfProgram, Subprogram } from '../../sim/ebpf/bpf-object.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_LDX,
  BPF_LSH,
  BPF_MEM,
  BPF_MOV,
  BPF_PSEUDO_MAP_VALUE,
  BPF_REG_FP,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  CALL,
  CLASS_MASK,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import {
  added,
  CounterState,
  constantOf,
  type Loaded,
  madeBy,
  type Name,
  NONE,
  union,
} from './counter-state.ts';
import { OwnSlots } from './own-slots.ts';

/** A store that puts a sum back. */
export interface StoredSum {
  readonly slot: number;
  /** Is a lock held there, which was not held all the while since the load? */
  readonly isLocked: boolean;
  /** Has each receive queue such a place of its own? One CPU at a time serves a queue of a device. */
  readonly isOfQueue: boolean;
  /** Index of the map. */
  readonly map: number;
}

/** By slot, what a load or store goes through. */
export type Accesses = ReadonlyMap<number, { readonly pointer: Value }>;

const GET_SMP_PROCESSOR_ID = 8;
const SPIN_LOCK = 93;
const SPIN_UNLOCK = 94;

/**
 * In the order of the bytecode. What happens under a lock, from the load to the store, is left out, and so are places that are the
 * running CPU's own.
 * @param queueAt where in the context the number of the receive queue is; undefined: it has none, or one that several CPUs serve
 */
export function storedSums(
  { instructions }: BpfProgram,
  { start, count }: Subprogram,
  accesses: Accesses,
  queueAt?: number,
): StoredSum[] {
  return new CounterFlow(instructions, start, start + count, accesses, queueAt).sums();
}

class CounterFlow {
  readonly #instructions: BpfProgram['instructions'];
  readonly #accesses: Accesses;
  readonly #blocks: ReturnType<typeof controlFlowOf>['blocks'];
  /** Loads from places that are the running CPU's own. */
  readonly #own: ReadonlySet<number>;
  /** Loads from places that are the receive queue's own. */
  readonly #ofQueue: ReadonlySet<number>;
  /** What may be known where each block begins; undefined: nothing leads there. */
  readonly #before: (CounterState | undefined)[];

  constructor(
    instructions: BpfProgram['instructions'],
    start: number,
    end: number,
    accesses: Accesses,
    queueAt: number | undefined,
  ) {
    const { opcode, src, offset, imm } = instructions;
    this.#instructions = instructions;
    this.#accesses = accesses;
    this.#blocks = controlFlowOf(instructions, start, end).blocks;
    this.#before = [CounterState.entered()];
    const asksCpu = (slot: number): boolean =>
      opcode[slot] === CALL && src[slot] === 0 && imm[slot] === GET_SMP_PROCESSOR_ID;
    const asksQueue = (slot: number): boolean => {
      const pointer = (opcode[slot]! & CLASS_MASK) === BPF_LDX ? accesses.get(slot)?.pointer : undefined;
      return pointer?.kind === KIND.context && pointer.min + offset[slot]! === queueAt;
    };
    this.#own = ownLoads(instructions, start, end, asksCpu);
    this.#ofQueue = queueAt === undefined ? new Set() : ownLoads(instructions, start, end, asksQueue);
  }

  sums(): StoredSum[] {
    this.#settle();
    const found: StoredSum[] = [];
    for (const index of this.#blocks.keys()) if (this.#before[index] !== undefined) this.#run(index, found);
    return found;
  }

  /** Goes round until no way brings anything new anywhere. */
  #settle(): void {
    const todo = [0];
    for (let index = todo.pop(); index !== undefined; index = todo.pop()) {
      const after = this.#run(index);
      const { jump, next } = this.#blocks[index]!;
      for (const to of [jump, next]) {
        if (to < 0 || to >= this.#blocks.length) continue;
        const known = this.#before[to];
        if (known === undefined) this.#before[to] = after.copy();
        else if (!known.join(after, to)) continue;
        todo.push(to);
      }
    }
  }

  /** @returns what may be known behind the block */
  #run(index: number, found: StoredSum[] = []): CounterState {
    const state = this.#before[index]!.copy();
    const { start, end } = this.#blocks[index]!;
    for (let slot = start; slot < end; slot++) this.#step(slot, state, found);
    return state;
  }

  #step(slot: number, state: CounterState, found: StoredSum[]): void {
    const { opcode, dst, src, imm } = this.#instructions;
    const code = opcode[slot]!;
    if (code === CALL) {
      const number = src[slot] === 0 ? imm[slot] : undefined;
      if (number === SPIN_LOCK || number === SPIN_UNLOCK) state.lock(number === SPIN_LOCK);
    }
    const kind = code & CLASS_MASK;
    if (kind === BPF_STX || kind === BPF_ST) this.#store(slot, state, found);
    const register = dst[slot]!;
    const loaded = this.#resultOf(slot, state);
    const name = this.#nameOf(slot, state);
    for (const written of registersWritten(this.#instructions, slot)) {
      const value = madeBy(slot, written);
      state.begin(value);
      const isResult = written === register && code !== CALL && kind !== BPF_STX;
      // What lies over its own pointer cannot be stored back through it.
      const left = isResult ? loaded.filter(({ base }) => base !== value) : NONE;
      state.set(written, left, (isResult ? name : undefined) ?? { value, plus: 0 });
    }
  }

  #store(slot: number, state: CounterState, found: StoredSum[]): void {
    const { opcode, dst, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    const size = accessSize(code)!;
    const isRegister = (code & CLASS_MASK) === BPF_STX && (code & MODE_MASK) === BPF_MEM;
    const sum = isRegister ? this.#sumIn(slot, state) : undefined;
    if (sum !== undefined)
      found.push({ slot, map: sum.map, isLocked: state.isLocked, isOfQueue: sum.isOfQueue });
    const pointer = this.#accesses.get(slot)?.pointer;
    if (pointer?.kind !== KIND.stack) return;
    state.forget(pointer.min + offset[slot]!, pointer.max + offset[slot]! + size);
    if (isRegister && dst[slot] === BPF_REG_FP) state.spill(src[slot]!, offset[slot]!, size);
  }

  /** The sum that is stored where it was loaded from, without a lock that was held all the while. */
  #sumIn(slot: number, state: CounterState): Loaded | undefined {
    const { opcode, dst, src, offset } = this.#instructions;
    const name = state.nameOf(dst[slot]!);
    if (name === undefined) return undefined;
    return state.loaded
      .get(src[slot]!)
      ?.find(
        (one) =>
          one.isAdded &&
          !(state.isLocked && one.isGuarded) &&
          one.base === name.value &&
          one.offset === name.plus + offset[slot]! &&
          one.size === accessSize(opcode[slot]!),
      );
  }

  /** What the register that an instruction writes may hold behind it. */
  #resultOf(slot: number, state: CounterState): readonly Loaded[] {
    const { opcode, dst, src, imm } = this.#instructions;
    const code = opcode[slot]!;
    const kind = code & CLASS_MASK;
    if (kind === BPF_LDX) return this.#loadedAt(slot, state);
    if (kind !== BPF_ALU && kind !== BPF_ALU64) return NONE;
    const own = state.loaded.get(dst[slot]!) ?? NONE;
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    const other = (isRegister ? state.loaded.get(src[slot]!) : undefined) ?? NONE;
    switch (code & OPERATION_MASK) {
      case BPF_MOV:
        return other;
      case BPF_ADD:
        return union(added(own), added(other));
      case BPF_SUB:
        return added(own);
      case BPF_LSH:
      case BPF_RSH:
        // So compilers clear the upper half, of which nothing is stored, to compare the sum.
        return !isRegister && imm[slot] === 32 ? own.filter(({ size }) => size <= 4) : NONE;
      default:
        return NONE;
    }
  }

  #loadedAt(slot: number, state: CounterState): readonly Loaded[] {
    const { opcode, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    if ((code & MODE_MASK) !== BPF_MEM) return NONE;
    const size = accessSize(code)!;
    if (src[slot] === BPF_REG_FP)
      return (state.loaded.get(offset[slot]!) ?? NONE).filter((one) => one.size <= size);
    const pointer = this.#accesses.get(slot)?.pointer;
    const name = state.nameOf(src[slot]!);
    if (pointer?.kind !== KIND.mapValue || name === undefined || this.#own.has(slot)) return NONE;
    const place = { base: name.value, offset: name.plus + offset[slot]!, size };
    const isOfQueue = this.#ofQueue.has(slot);
    return [{ from: slot, map: pointer.map, ...place, isAdded: false, isGuarded: state.isLocked, isOfQueue }];
  }

  /** What it is called that the register holds then; undefined: a new value. */
  #nameOf(slot: number, state: CounterState): Name | undefined {
    const { opcode, dst, src, offset, imm } = this.#instructions;
    const code = opcode[slot]!;
    if (code === LDDW && src[slot] === BPF_PSEUDO_MAP_VALUE)
      return { value: constantOf(imm[slot]!), plus: imm[slot + 1]! };
    if ((code & CLASS_MASK) === BPF_LDX) {
      const isFilled = src[slot] === BPF_REG_FP && accessSize(code) === 8;
      return isFilled ? state.nameOf(offset[slot]!) : undefined;
    }
    if ((code & CLASS_MASK) !== BPF_ALU64) return undefined;
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    switch (code & OPERATION_MASK) {
      case BPF_MOV:
        return isRegister && offset[slot] === 0 ? state.nameOf(src[slot]!) : undefined;
      case BPF_ADD: {
        const name = isRegister ? undefined : state.nameOf(dst[slot]!);
        return name && { ...name, plus: name.plus + imm[slot]! };
      }
      default:
        return undefined;
    }
  }
}

/** Loads from places that are the own ones of whoever has a number. */
function ownLoads(
  instructions: BpfProgram['instructions'],
  start: number,
  end: number,
  asksNumber: (slot: number) => boolean,
): ReadonlySet<number> {
  const slots = new OwnSlots(instructions, asksNumber);
  const loads = new Set<number>();
  for (let slot = start; slot < end; slot++) {
    // Before the load changes the register that it goes through.
    if (slots.has(instructions.src[slot]!)) loads.add(slot);
    slots.step(slot);
  }
  return loads;
}
