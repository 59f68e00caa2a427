/**
 * Calls of helpers: their arguments checked, then the helper itself, either right here (`inline-helpers.ts`) or as
 * an imported JavaScript function.
 */

import type { AbstractState } from '../analysis/abstract-state.ts';
import { isPacket, KIND, type Value } from '../analysis/abstract-value.ts';
import { judgeMemory, VERDICT } from '../analysis/access.ts';
import type { Helper } from '../helpers/helper.ts';
import type { Instructions } from '../instruction.ts';
import { DESCRIPTOR, type LiveMap } from '../maps/live-map.ts';
import { CONTEXT_BASE, MACHINE_WORD, SOCKET_BASE } from '../memory.ts';
import type { BpfMap } from '../object.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM_WORD } from './layout.ts';
import { WASM } from './opcodes.ts';

/** One call of a helper, as its compilers see it. */
export interface HelperCall {
  readonly writer: FunctionWriter;
  readonly slot: number;
  readonly helper: Helper;
  /** What is known before the call. */
  readonly state: AbstractState;
  /** The map that the first (for tail calls: second) argument certainly is. */
  readonly map: LiveMap | undefined;
}

export interface HelperContext {
  readonly instructions: Instructions;
  readonly maps: readonly LiveMap[];
  readonly sources: readonly BpfMap[];
  readonly states: ReadonlyMap<number, AbstractState>;
  /** Was the call made up by the linker, for what is not there? */
  readonly poisoned: (slot: number) => boolean;
  readonly helperAt: (slot: number) => Helper | undefined;
  readonly unit: number;
  /** Compiles the call without JavaScript and returns true, or writes nothing and returns false. */
  readonly inline: (call: HelperCall) => boolean;
  /** WebAssembly's index of the imported function. */
  readonly importOf: (helper: Helper) => number;
}

/** Bytes of `struct bpf_iter_num`. */
const ITERATOR_SIZE = 8;
/** Bytes of `struct bpf_dynptr`. */
const DYNPTR_SIZE = 16;
/** `bpf_trace_printk`, which takes more arguments than its signature says. */
const TRACE_PRINTK = 6;
/** Kernel and machine agree that nothing is larger. */
const LARGEST_SIZE = 0x7fff_ffff;

export function compileHelperCall(writer: FunctionWriter, slot: number, context: HelperContext): void {
  const helper = context.helperAt(slot);
  const state = context.states.get(slot);
  if (helper === undefined || state === undefined || context.poisoned(slot)) {
    writer.violate(slot);
    return;
  }
  const checker = new ArgumentChecker(writer, slot, helper, state, context);
  if (!checker.check()) {
    writer.violate(slot);
    return;
  }
  const call: HelperCall = { writer, slot, helper, state, map: checker.map };
  if (context.inline(call)) return;
  compileImportedCall(call, context);
}

function compileImportedCall(call: HelperCall, context: HelperContext): void {
  const { writer, slot, helper, state } = call;
  const { code } = writer;
  const count = helper.number === TRACE_PRINTK && helper.arguments.length === 2 ? 5 : helper.arguments.length;
  for (let index = 0; index < count; index++) {
    const type = helper.arguments[index];
    if (type === undefined || type === 'anything') pushHigh(writer, index, state.registers[index + 1]!);
  }
  // For callbacks, and for helpers that cannot do what they are asked: who calls.
  writer.noteCallSite(slot);
  code.storeWord(WASM_WORD.helperUnit, () => code.i32(context.unit));
  code.storeWord(WASM_WORD.helperFrame, () => writer.pushFrame());
  for (let index = 0; index < 5; index++) {
    if (index < count) writer.push(index + 1, false);
    else code.i32(0);
  }
  code.call(context.importOf(helper));
  switch (helper.returns) {
    case 'int':
    case 'void':
      code.op(WASM.i64_extend_i32_s);
      break;
    case 'u64':
      code.op(WASM.i64_extend_i32_u);
      code
        .i32(0)
        .memory(WASM.i64_load32_u, MACHINE_WORD.resultHigh * 4)
        .i64(32)
        .op(WASM.i64_shl);
      code.op(WASM.i64_or);
      break;
    default:
      code.op(WASM.i64_extend_i32_u);
  }
  writer.pop(0);
}

/** Stores the upper half of an argument where helpers look for it. */
function pushHigh(writer: FunctionWriter, index: number, value: Value): void {
  const { code } = writer;
  code.i32(0);
  if (value.kind === KIND.scalar && value.min >= 0 && value.max < 2 ** 32) code.i32(0);
  else {
    writer.push(index + 1);
    code.i64(32).op(WASM.i64_shr_u).op(WASM.i32_wrap_i64);
  }
  code.memory(WASM.i32_store, (MACHINE_WORD.argumentHigh + index) * 4);
}

class ArgumentChecker {
  readonly #writer: FunctionWriter;
  readonly #slot: number;
  readonly #helper: Helper;
  readonly #state: AbstractState;
  readonly #context: HelperContext;
  /** The register that holds the map, and the map if it is certain. */
  #mapRegister = 0;
  map: LiveMap | undefined;

  constructor(
    writer: FunctionWriter,
    slot: number,
    helper: Helper,
    state: AbstractState,
    context: HelperContext,
  ) {
    this.#writer = writer;
    this.#slot = slot;
    this.#helper = helper;
    this.#state = state;
    this.#context = context;
  }

  /** Writes the checks that are left for run time. @returns false where the call is a violation for certain */
  check(): boolean {
    for (let index = 0; index < this.#helper.arguments.length; index++) {
      if (this.#state.registers[index + 1]!.kind === KIND.unset || !this.#checkOne(index)) return false;
    }
    return true;
  }

  #checkOne(index: number): boolean {
    const type = this.#helper.arguments[index]!;
    const register = index + 1;
    const value = this.#state.registers[register]!;
    const { code } = this.#writer;
    switch (type) {
      case 'context':
        if (value.kind === KIND.context) return value.min === 0 && value.max === 0;
        if (value.kind !== KIND.any) return false;
        this.#writer.push(register);
        code.i64(CONTEXT_BASE).op(WASM.i64_eq);
        this.#writer.require(this.#slot);
        return true;
      case 'map':
        return this.#checkMap(register, value);
      case 'key':
        return this.#memory(register, value, this.map?.definition.keySize ?? DESCRIPTOR.keySize, false);
      case 'value':
      case 'value_out': {
        const writes = type === 'value_out';
        return this.#memory(register, value, this.map?.definition.valueSize ?? DESCRIPTOR.valueSize, writes);
      }
      case 'memory':
      case 'memory_out':
        return this.#sized(register, value, type === 'memory_out', false);
      case 'memory_or_null':
        return this.#sized(register, value, false, true);
      case 'u64_out':
        return this.#fixed(register, value, 8, true);
      case 'u32_inout':
        return this.#fixed(register, value, 4, true);
      case 'spin_lock':
        return this.#fixed(register, value, 4, true);
      case 'dynptr':
      case 'dynptr_out':
        return (
          (value.kind === KIND.stack || value.kind === KIND.any) &&
          this.#fixed(register, value, DYNPTR_SIZE, true)
        );
      case 'iterator':
      case 'iterator_out':
        return (
          (value.kind === KIND.stack || value.kind === KIND.any) &&
          this.#fixed(register, value, ITERATOR_SIZE, true)
        );
      case 'buffer_or_null':
        return this.#buffer(register, value);
      case 'function':
        // Callbacks go through a table, which has its own bounds.
        return value.kind === KIND.function || value.kind === KIND.any;
      case 'stack_or_null':
        return (
          value.kind === KIND.stack ||
          value.kind === KIND.any ||
          (value.kind === KIND.scalar && value.min <= 0 && value.max >= 0)
        );
      case 'sample':
        if (value.kind === KIND.sample) {
          return value.min === 0 && value.max === 0 && this.#fixed(register, value, 1, true);
        }
        return value.kind === KIND.any && this.#fixed(register, value, 1, true);
      case 'socket':
        if (value.kind !== KIND.any) return false;
        this.#writer.push(register);
        code.i64(SOCKET_BASE).op(WASM.i64_eq);
        this.#writer.require(this.#slot);
        return true;
      case 'string':
        return value.kind === KIND.mapValue || value.kind === KIND.any
          ? this.#fixed(register, value, 1, false)
          : false;
      case 'anything':
        return true;
      default:
        // Sizes: checked alone, where no memory came before them.
        return this.#checkSize(register, type);
    }
  }

  #checkMap(register: number, value: Value): boolean {
    const { maps } = this.#context;
    this.#mapRegister = register;
    const takes = (map: LiveMap): boolean =>
      this.#helper.maps === undefined || this.#helper.maps.includes(map.definition.type);
    if (value.kind === KIND.map && value.map >= 0) {
      this.map = maps[value.map];
      return this.map !== undefined && takes(this.map);
    }
    if (value.kind !== KIND.any && (value.kind !== KIND.map || value.nullable)) return false;
    // One of those that the helper takes.
    const { code } = this.#writer;
    code.i32(0);
    for (const map of maps) {
      if (!takes(map)) continue;
      this.#writer.push(register);
      code.i64(map.address).op(WASM.i64_eq).op(WASM.i32_or);
    }
    this.#writer.require(this.#slot);
    return true;
  }

  /** Memory of as many bytes as the map's definition says. @param size bytes, or the word of the descriptor that says it */
  #memory(register: number, value: Value, size: number, writes: boolean): boolean {
    if (this.map !== undefined) return this.#fixed(register, value, size, writes);
    if (isPacket(value) && this.#helper.packetAccess !== true) return false;
    const { code } = this.#writer;
    this.#writer.push(register);
    this.#writer.push(this.#mapRegister, false);
    code.memory(WASM.i64_load32_u, 4 * size);
    this.#writer.checkMemory(this.#slot, writes);
    return true;
  }

  #fixed(register: number, value: Value, size: number, writes: boolean): boolean {
    if (isPacket(value) && this.#helper.packetAccess !== true) return false;
    const verdict = judgeMemory(this.#state, this.#context.sources, value, 0, size, writes);
    if (verdict === VERDICT.violation) return false;
    if (verdict === VERDICT.open) {
      this.#writer.push(register);
      this.#writer.code.i64(size);
      this.#writer.checkMemory(this.#slot, writes);
    }
    return true;
  }

  /** Memory whose size is the next argument. */
  #sized(register: number, value: Value, writes: boolean, mayBeNull: boolean): boolean {
    const { code } = this.#writer;
    const size = this.#state.registers[register + 1]!;
    if (size.kind === KIND.unset) return false;
    const isNull = value.kind === KIND.scalar && value.min === 0 && value.max === 0;
    if (mayBeNull && (isNull || value.kind === KIND.scalar || value.kind === KIND.any || value.nullable)) {
      // Either null with size 0, or memory.
      this.#writer.push(register);
      this.#writer.push(register + 1);
      code.op(WASM.i64_or).i64(0).op(WASM.i64_ne).if();
      this.#writer.push(register);
      this.#writer.push(register + 1);
      this.#writer.checkMemory(this.#slot, writes);
      code.end();
      return true;
    }
    if (isPacket(value) && this.#helper.packetAccess !== true) return false;
    if (size.kind === KIND.scalar && size.min >= 0 && size.max <= LARGEST_SIZE) {
      const verdict = judgeMemory(this.#state, this.#context.sources, value, 0, size.max, writes, size.min);
      if (verdict !== VERDICT.open) return verdict === VERDICT.proven;
    } else if (size.kind !== KIND.scalar && size.kind !== KIND.any) return false;
    this.#writer.push(register);
    this.#writer.push(register + 1);
    this.#writer.checkMemory(this.#slot, writes);
    return true;
  }

  /** Writable memory whose size is the next argument, or null with any size. */
  #buffer(register: number, value: Value): boolean {
    if (value.kind === KIND.scalar) return value.min === 0 && value.max === 0;
    if (value.kind !== KIND.any && !value.nullable) return this.#sized(register, value, true, false);
    const { code } = this.#writer;
    this.#writer.push(register);
    code.i64(0).op(WASM.i64_ne).if();
    this.#writer.push(register);
    this.#writer.push(register + 1);
    this.#writer.checkMemory(this.#slot, true);
    code.end();
    return true;
  }

  #checkSize(register: number, type: string): boolean {
    const size = this.#state.registers[register]!;
    if (size.kind !== KIND.scalar && size.kind !== KIND.any) return false;
    const least = type === 'size' ? 1 : 0;
    if (size.kind === KIND.scalar && size.min >= least && size.max <= LARGEST_SIZE) return true;
    const { code } = this.#writer;
    this.#writer.push(register);
    if (least > 0) code.i64(least).op(WASM.i64_sub);
    code.i64(LARGEST_SIZE - least).op(WASM.i64_gt_u);
    this.#writer.refuse(this.#slot);
    return true;
  }
}
