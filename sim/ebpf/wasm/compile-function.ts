/**
 * One function of a program as one WebAssembly function.
 *
 * Blocks stay in the order of the bytecode. Every block that something jumps to is a label: all labels are opened at
 * the begin, nested so that each ends where its block starts, and a jump forwards is a branch out. Jumps backwards
 * go to the one loop around it all, with the block's number in `state`, where a table leads on:
 *
 * ```
 *   loop
 *     block $2
 *       block $1
 *         block $0
 *           state → table of $0, $1, $2
 *         end $0:  code of block 0
 *       end $1:  code of block 1
 *     end $2:  code of block 2       jumps to block 1: state = 1, branch to the loop
 *   end
 * ```
 *
 * Any shape of program fits in, irreducible ones too.
 */

import type { StackFill } from '../../runtime/world.ts';
import { ANY } from '../analysis/abstract-value.ts';
import { type Access, VERDICT } from '../analysis/access.ts';
import type { FunctionFacts, ProgramFacts } from '../analysis/analysis.ts';
import type { BasicBlock } from '../analysis/control-flow.ts';
import type { ContextLayout } from '../context/context-access.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_IMM,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_ST,
  BPF_STX,
  CALL,
  CLASS_MASK,
  callTarget,
  EXIT,
  type Instructions,
  isConditionalJump,
  isMayGoto,
  LDDW,
  MODE_MASK,
} from '../instruction.ts';
import { CALL_COST } from '../limits.ts';
import { KERNEL_VARIABLE_BASE, STACK_LIMIT, STACK_SIZE } from '../memory.ts';
import type { CodeWriter } from './code-writer.ts';
import { compileArithmetic, compileComparison } from './compile-arithmetic.ts';
import { compileAccess, compilePacketLoad } from './compile-memory.ts';
import type { FunctionWriter } from './function-writer.ts';
import { I32, WASM } from './opcodes.ts';

/** What a function needs to know of the module around it. */
export interface FunctionContext {
  readonly instructions: Instructions;
  readonly facts: ProgramFacts;
  readonly layout: ContextLayout;
  readonly maps: readonly { readonly address: number }[];
  /** Address of the first value of a map. */
  readonly valueAddress: (map: number) => number;
  /** WebAssembly's index of the function that starts at a slot. */
  readonly functionAt: (start: number) => number;
  /** Addresses of the counters: of a slot's jumps taken, and of entries into the function that starts there. */
  readonly takenCounter: (slot: number) => number;
  /** Of programs that are over at a slot which is no `exit`. */
  readonly leftCounter: (slot: number) => number;
  readonly enteredCounter: (start: number) => number;
  /** Globals: instructions that the run may still execute, rounds that `may_goto` still allows. */
  readonly budget: number;
  readonly mayGoto: number;
  /** Is it not known where they end (`may-goto.ts`)? Then a run stops there. */
  readonly stopsAtMayGoto: boolean;
  /** What bytes of the stack hold that were never written. */
  readonly stackFill: StackFill;
  /** Compiles a call of a helper or of a kernel function. */
  readonly compileHelper: (writer: FunctionWriter, slot: number) => void;
}

export function compileFunction(
  writer: FunctionWriter,
  context: FunctionContext,
  facts: FunctionFacts,
): CodeWriter {
  new FunctionCompiler(writer, context, facts).compile();
  return writer.code;
}

class FunctionCompiler {
  readonly #writer: FunctionWriter;
  readonly #context: FunctionContext;
  readonly #facts: FunctionFacts;
  readonly #code: CodeWriter;
  /** For each block that is jumped to, the level of its label. */
  readonly #levels = new Map<number, number>();
  #loop = 0;
  #state = 0;

  constructor(writer: FunctionWriter, context: FunctionContext, facts: FunctionFacts) {
    this.#writer = writer;
    this.#context = context;
    this.#facts = facts;
    this.#code = writer.code;
  }

  compile(): void {
    const { blocks, loopHeads } = this.#facts.flow;
    const code = this.#code;
    this.#writer.count(this.#context.enteredCounter(this.#facts.start));
    if (this.#context.facts.readsUnwritten.has(this.#facts.start)) {
      this.#fillStack(this.#context.stackFill);
    }
    const labels = new Set<number>(loopHeads);
    for (const [index, block] of blocks.entries()) if (block.jump > index) labels.add(block.jump);
    if (loopHeads.length > 0) {
      this.#state = code.local(I32);
      // Not by itself where the function is part of a loop.
      code.i32(0).set(this.#state).loop();
      this.#loop = code.depth;
      labels.add(0);
    }
    for (const block of [...labels].sort((a, b) => b - a)) {
      code.block();
      this.#levels.set(block, code.depth);
    }
    if (loopHeads.length > 0) this.#dispatch();
    for (const [index, block] of blocks.entries()) {
      if (labels.has(index)) code.end();
      this.#block(block, index);
    }
    if (loopHeads.length > 0) code.end();
    // No path runs off the end of a function, but WebAssembly's validation cannot see that.
    code.op(WASM.unreachable);
  }

  #fillStack(fill: StackFill): void {
    const code = this.#code;
    if (typeof fill === 'number') {
      this.#writer.pushFrameAddress(-STACK_SIZE);
      code.i32(fill).i32(STACK_SIZE).memoryFill();
      return;
    }
    const low = Number(BigInt.asIntN(32, fill));
    const high = Number(BigInt.asIntN(32, fill >> 32n));
    for (let at = 0; at < STACK_SIZE; at += 8) {
      this.#writer.pushFrameAddress(at - STACK_SIZE);
      code.i64(low, high).memory(WASM.i64_store, 0);
    }
  }

  /** 0 is the function's begin, n the n-th loop head. */
  #dispatch(): void {
    const heads = this.#facts.flow.loopHeads.map((block) => this.#levels.get(block)!);
    this.#code.get(this.#state).branchTable([this.#levels.get(0)!, ...heads, this.#levels.get(0)!]);
  }

  #block(block: BasicBlock, index: number): void {
    const { instructions } = this.#context;
    for (let slot = block.start; slot <= block.last; slot++) {
      const opcode = instructions.opcode[slot]!;
      if (slot < block.last || (block.jump < 0 && opcode !== EXIT)) this.#instruction(slot);
      if (opcode === LDDW) slot++;
    }
    const last = block.last;
    const opcode = instructions.opcode[last]!;
    if (opcode === EXIT) {
      if (this.#stopsUnset(last)) return;
      this.#writer.push(0);
      this.#writer.leave();
      return;
    }
    if (block.jump < 0) return;
    if (!isConditionalJump(opcode)) {
      this.#jump(last, block, index);
      return;
    }
    if (this.#stopsUnset(last)) return;
    this.#condition(last);
    if (isMayGoto(opcode) && this.#context.stopsAtMayGoto) {
      this.#writer.refuse(last);
      return;
    }
    this.#code.if();
    this.#jump(last, block, index);
    this.#code.end();
  }

  #condition(slot: number): void {
    const { instructions, mayGoto } = this.#context;
    if (!isMayGoto(instructions.opcode[slot]!)) {
      compileComparison(this.#writer, instructions, slot);
      return;
    }
    const code = this.#code;
    code.getGlobal(mayGoto).i32(1).op(WASM.i32_sub).setGlobal(mayGoto);
    code.getGlobal(mayGoto).i32(0).op(WASM.i32_lt_s);
  }

  /** A jump that the budget does not allow is not taken: the run ends there. */
  #jump(slot: number, block: BasicBlock, index: number): void {
    const { blocks, loopHeads } = this.#facts.flow;
    const { instructions, takenCounter } = this.#context;
    const code = this.#code;
    if (block.jump > index) {
      // How often an unconditional jump forwards was taken follows from the others (`jump-counts.ts`).
      if (isConditionalJump(instructions.opcode[slot]!)) this.#writer.count(takenCounter(slot));
      code.branch(this.#levels.get(block.jump)!);
      return;
    }
    this.#spend(slot, slot - blocks[block.jump]!.start + 1);
    this.#writer.count(takenCounter(slot));
    code.i32(loopHeads.indexOf(block.jump) + 1).set(this.#state);
    code.branch(this.#loop);
  }

  /** Takes from the budget, and stops the program when it is used up. */
  #spend(slot: number, cost: number): void {
    const code = this.#code;
    const { budget } = this.#context;
    code.getGlobal(budget).i32(cost).op(WASM.i32_sub).tee(this.#writer.temporary).setGlobal(budget);
    code.get(this.#writer.temporary).i32(0).op(WASM.i32_lt_s);
    this.#writer.refuse(slot);
  }

  /** An instruction that reads what was never written stops the program. */
  #stopsUnset(slot: number): boolean {
    if (!this.#context.facts.unset.has(slot)) return false;
    this.#writer.violate(slot);
    return true;
  }

  #instruction(slot: number): void {
    const { instructions, facts, layout, leftCounter } = this.#context;
    const opcode = instructions.opcode[slot]!;
    const writer = this.#writer;
    if (this.#stopsUnset(slot)) return;
    switch (opcode & CLASS_MASK) {
      case BPF_ALU:
      case BPF_ALU64:
        compileArithmetic(writer, instructions, slot);
        return;
      case BPF_LDX:
      case BPF_ST:
      case BPF_STX:
        compileAccess(writer, instructions, slot, facts.accesses.get(slot) ?? NEVER, layout);
        return;
      case BPF_LD:
        if ((opcode & MODE_MASK) === BPF_IMM) this.#constant(slot);
        else compilePacketLoad(writer, instructions, slot, leftCounter(slot));
        return;
      case BPF_JMP:
      case BPF_JMP32:
        if (opcode !== CALL) return;
        if (instructions.src[slot] === BPF_PSEUDO_CALL) this.#callLocal(slot);
        else this.#context.compileHelper(writer, slot);
        return;
      default:
    }
  }

  #constant(slot: number): void {
    const { instructions, maps, valueAddress } = this.#context;
    const low = instructions.imm[slot]!;
    const high = instructions.imm[slot + 1]!;
    switch (instructions.src[slot]) {
      case BPF_PSEUDO_MAP_FD:
        this.#code.i64(maps[low]!.address);
        break;
      case BPF_PSEUDO_MAP_VALUE:
        this.#code.i64(valueAddress(low) + high);
        break;
      case BPF_PSEUDO_BTF_ID:
        this.#code.i64(KERNEL_VARIABLE_BASE + 8 * low);
        break;
      case BPF_PSEUDO_FUNC:
        this.#code.i64(callTarget(instructions, slot));
        break;
      default:
        this.#code.i64(low, high);
    }
    this.#writer.pop(instructions.dst[slot]!);
  }

  #callLocal(slot: number): void {
    const { instructions, functionAt } = this.#context;
    const writer = this.#writer;
    this.#spend(slot, CALL_COST);
    writer.noteCallSite(slot);
    compileFrameAbove(writer, slot);
    for (let register = 1; register <= 5; register++) writer.push(register);
    this.#code.call(functionAt(callTarget(instructions, slot)));
    writer.pop(0);
  }
}

/** Of what is never reached as far as the analysis could see. */
const NEVER: Access = { verdict: VERDICT.violation, pointer: ANY };

/** Puts the frame of a function that is called from here on the stack; there are eight. */
export function compileFrameAbove(writer: FunctionWriter, slot: number): void {
  const { code } = writer;
  writer.pushFrameAddress(0);
  code.i32(STACK_LIMIT).op(WASM.i32_ge_s);
  writer.refuse(slot);
  writer.pushFrameAddress(STACK_SIZE);
}
