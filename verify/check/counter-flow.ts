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
  BPF_RSH,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  CALL,
  CLASS_MASK,
  MODE_MASK,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import { CpuSlots } from './cpu-slots.ts';

/** A store that puts a sum back. */
export interface StoredSum {
  readonly slot: number;
  /** Is a lock held there, which was not held all the while since the load? */
  readonly isLocked: boolean;
  /** Index of the map. */
  readonly map: number;
}

/** By slot, what a load or store goes through. */
export type Accesses = ReadonlyMap<number, { readonly pointer: Value }>;

/** What a register may hold of a map's value. */
interface Loaded {
  /** The load. */
  readonly from: number;
  readonly map: number;
  /** The register that it was loaded through; since then that is the same. */
  readonly base: number;
  readonly offset: number;
  readonly size: number;
  readonly isAdded: boolean;
  /** Was a lock held at the load, and ever since? */
  readonly isGuarded: boolean;
}

interface State {
  readonly loaded: Map<number, readonly Loaded[]>;
  isLocked: boolean;
}

const SPIN_LOCK = 93;
const SPIN_UNLOCK = 94;
const NONE: readonly Loaded[] = [];

/** In the order of the bytecode. What happens under a lock, from the load to the store, is left out. */
export function storedSums(
  { instructions }: BpfProgram,
  { start, count }: Subprogram,
  accesses: Accesses,
): StoredSum[] {
  return new CounterFlow(instructions, start, start + count, accesses).sums();
}

class CounterFlow {
  readonly #instructions: BpfProgram['instructions'];
  readonly #accesses: Accesses;
  readonly #blocks: ReturnType<typeof controlFlowOf>['blocks'];
  /** Loads from places that are the running CPU's own. */
  readonly #own = new Set<number>();
  /** What may be known where each block begins; undefined: nothing leads there. */
  readonly #before: (State | undefined)[];

  constructor(instructions: BpfProgram['instructions'], start: number, end: number, accesses: Accesses) {
    this.#instructions = instructions;
    this.#accesses = accesses;
    this.#blocks = controlFlowOf(instructions, start, end).blocks;
    this.#before = [{ loaded: new Map(), isLocked: false }];
    const cpu = new CpuSlots(instructions);
    for (let slot = start; slot < end; slot++) {
      // Before the load changes the register that it goes through.
      if (cpu.has(instructions.src[slot]!)) this.#own.add(slot);
      cpu.step(slot);
    }
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
        const joined = known === undefined ? after : join(known, after);
        if (joined === known) continue;
        this.#before[to] = joined;
        todo.push(to);
      }
    }
  }

  /** @returns what may be known behind the block */
  #run(index: number, found: StoredSum[] = []): State {
    const before = this.#before[index]!;
    const state = { loaded: new Map(before.loaded), isLocked: before.isLocked };
    const { start, end } = this.#blocks[index]!;
    for (let slot = start; slot < end; slot++) this.#step(slot, state, found);
    return state;
  }

  #step(slot: number, state: State, found: StoredSum[]): void {
    const { opcode, dst, src, imm } = this.#instructions;
    const { loaded } = state;
    const code = opcode[slot]!;
    if (code === CALL) {
      const number = src[slot] === 0 ? imm[slot] : undefined;
      if (number === SPIN_LOCK || number === SPIN_UNLOCK) {
        state.isLocked = number === SPIN_LOCK;
        for (const [register, all] of loaded) loaded.set(register, unguarded(all));
      }
    }
    if ((code & CLASS_MASK) === BPF_STX && (code & MODE_MASK) === BPF_MEM) {
      const sum = this.#sumIn(slot, state);
      if (sum !== undefined) found.push({ slot, map: sum.map, isLocked: state.isLocked });
      return;
    }
    const register = dst[slot]!;
    // What lies over its own pointer cannot be stored back through it.
    const result = this.#resultOf(slot, state).filter(({ base }) => base !== register);
    for (const written of registersWritten(this.#instructions, slot)) forget(loaded, written);
    if (result.length > 0) loaded.set(register, result);
  }

  /** The sum that is stored where it was loaded from, without a lock that was held all the while. */
  #sumIn(slot: number, { loaded, isLocked }: State): Loaded | undefined {
    const { opcode, dst, src, offset } = this.#instructions;
    return loaded
      .get(src[slot]!)
      ?.find(
        (one) =>
          one.isAdded &&
          !(isLocked && one.isGuarded) &&
          one.base === dst[slot] &&
          one.offset === offset[slot] &&
          one.size === accessSize(opcode[slot]!),
      );
  }

  /** What the register that an instruction writes may hold behind it. */
  #resultOf(slot: number, { loaded, isLocked }: State): readonly Loaded[] {
    const { opcode, dst, src, imm } = this.#instructions;
    const code = opcode[slot]!;
    const kind = code & CLASS_MASK;
    if (kind === BPF_LDX) return this.#loadedAt(slot, isLocked);
    if (kind !== BPF_ALU && kind !== BPF_ALU64) return NONE;
    const own = loaded.get(dst[slot]!) ?? NONE;
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    const other = (isRegister ? loaded.get(src[slot]!) : undefined) ?? NONE;
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

  #loadedAt(slot: number, isGuarded: boolean): readonly Loaded[] {
    const { opcode, src, offset } = this.#instructions;
    const code = opcode[slot]!;
    const pointer = this.#accesses.get(slot)?.pointer;
    if ((code & MODE_MASK) !== BPF_MEM || pointer?.kind !== KIND.mapValue || this.#own.has(slot)) return NONE;
    const place = { base: src[slot]!, offset: offset[slot]!, size: accessSize(code)! };
    return [{ from: slot, map: pointer.map, ...place, isAdded: false, isGuarded }];
  }
}

/** A register that changes holds nothing any more, and is no longer the pointer that something was loaded through. */
function forget(loaded: State['loaded'], register: number): void {
  loaded.delete(register);
  for (const [own, all] of loaded) {
    const kept = all.filter(({ base }) => base !== register);
    if (kept.length === 0) loaded.delete(own);
    else if (kept.length < all.length) loaded.set(own, kept);
  }
}

function added(all: readonly Loaded[]): readonly Loaded[] {
  return union(
    NONE,
    all.map((one) => (one.isAdded ? one : { ...one, isAdded: true })),
  );
}

/** A lock that was taken meanwhile, or given back, has not been held since the load. */
function unguarded(all: readonly Loaded[]): readonly Loaded[] {
  return union(
    NONE,
    all.map((one) => (one.isGuarded ? { ...one, isGuarded: false } : one)),
  );
}

/** @returns `known` itself where the other brings nothing new */
function join(known: State, other: State): State {
  let isNew = other.isLocked && !known.isLocked;
  const loaded = new Map(known.loaded);
  for (const [register, all] of other.loaded) {
    const before = loaded.get(register) ?? NONE;
    const joined = union(before, all);
    if (joined === before) continue;
    loaded.set(register, joined);
    isNew = true;
  }
  return isNew ? { loaded, isLocked: known.isLocked || other.isLocked } : known;
}

/** @returns the first itself where the others bring nothing new */
function union(one: readonly Loaded[], others: readonly Loaded[]): readonly Loaded[] {
  let all = one;
  for (const other of others) {
    const isKnown = all.some(
      ({ from, isAdded, isGuarded }) =>
        from === other.from && isAdded === other.isAdded && isGuarded === other.isGuarded,
    );
    if (!isKnown) all = [...all, other];
  }
  return all;
}
