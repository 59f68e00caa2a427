/** One function of a program on its way to WebAssembly: its registers as locals, its frame, its checks. */
import { BPF_REG_FP } from '../instruction.ts';
import { CONTEXT_BASE, STACK_BASE, STACK_SIZE } from '../memory.ts';
import { CodeWriter } from './code-writer.ts';
import { CALL_SITE_OFFSET, CALL_SITE_SHIFT } from './layout.ts';
import { I32, I64, WASM } from './opcodes.ts';

/** Functions of programs take their frame (an i32, what r10 is) and r1 to r5, and return r0. */
export const PARAMETER_TYPES: readonly number[] = [I32, I64, I64, I64, I64, I64];

const FRAME = 0;

/** Added to the slot where an access turns out wrong that was proven right: a fault of the analysis. */
export const DISPROVEN = 0x4000_0000;

/** Functions of the module that programs' functions call; `module-writer.ts` makes them. */
export interface RuntimeFunctions {
  /** (program, slot, frame): notes where, and stops. */
  readonly violate: number;
  /** (address: i64, size: i64) → may be read */
  readonly mayRead: number;
  readonly mayWrite: number;
}

/** Where a function's code stands that is part of another one, once, in the place of a call. */
export interface Enclosure {
  readonly code: CodeWriter;
  /** The local (i64) that takes its result. */
  readonly result: number;
}

export class FunctionWriter {
  readonly code: CodeWriter;
  /** For values that live within one instruction. */
  readonly temporary: number;
  readonly secondTemporary: number;
  readonly wideTemporary: number;
  /** Has it a check that needs the packet's bounds in the machine block? */
  checksMemory = false;
  /** Are accesses that were proven checked all the same? For tests of the proofs. */
  readonly distrustful: boolean;
  readonly #program: number;
  readonly #runtime: RuntimeFunctions;
  readonly #fixedFrame: boolean;
  /** Locals of r0 to r9. */
  readonly #locals: readonly number[];
  #stored: number | undefined;
  readonly #enclosure: (Enclosure & { readonly level: number }) | undefined;

  /**
   * @param fixedFrame does the function always run in the first frame?
   * @param enclosure the block that the function is to be: one that is open now, and ends where the function does. Default: a
   * function of its own
   */
  constructor(
    program: number,
    runtime: RuntimeFunctions,
    fixedFrame: boolean,
    distrustful: boolean,
    enclosure?: Enclosure,
  ) {
    this.distrustful = distrustful;
    this.#enclosure = enclosure && { ...enclosure, level: enclosure.code.depth };
    this.code = enclosure?.code ?? new CodeWriter(PARAMETER_TYPES.length);
    const given = [1, 2, 3, 4, 5].map((parameter) =>
      enclosure === undefined ? parameter : this.code.local(I64),
    );
    this.#program = program;
    this.#runtime = runtime;
    this.#fixedFrame = fixedFrame;
    const r0 = this.code.local(I64);
    const saved = [6, 7, 8, 9].map(() => this.code.local(I64));
    this.#locals = [r0, ...given, ...saved];
    this.temporary = this.code.local(I32);
    this.secondTemporary = this.code.local(I32);
    this.wideTemporary = this.code.local(I64);
  }

  /** For what a store is about to write, while the address is in `wideTemporary`. Few functions need it. */
  get storedTemporary(): number {
    this.#stored ??= this.code.local(I64);
    return this.#stored;
  }

  /** Puts a register on the stack: as i64, or its lower half. */
  push(register: number, wide: boolean = true): void {
    const { code } = this;
    if (register !== BPF_REG_FP) {
      code.get(this.#locals[register]!);
      if (!wide) code.op(WASM.i32_wrap_i64);
      return;
    }
    this.pushFrame();
    if (wide) code.op(WASM.i64_extend_i32_u);
  }

  /** Sets a register from the stack; a 32-bit value is zero-extended. */
  pop(register: number, wide: boolean = true): void {
    if (!wide) this.code.op(WASM.i64_extend_i32_u);
    this.code.set(this.#locals[register]!);
  }

  /** Sets the registers that the program finds its context in, before its code. */
  enter(code: CodeWriter): CodeWriter {
    code.i64(CONTEXT_BASE).set(this.#locals[1]!);
    for (let register = 2; register <= 5; register++) code.i64(0).set(this.#locals[register]!);
    return code;
  }

  /** Ends the function, with the i64 on the stack for its result. */
  leave(): void {
    if (this.#enclosure === undefined) this.code.op(WASM.return);
    else this.code.set(this.#enclosure.result).branch(this.#enclosure.level);
  }

  /** r10 as an address. */
  pushFrame(): void {
    if (this.#fixedFrame) this.code.i32(STACK_BASE + STACK_SIZE);
    else this.code.get(FRAME);
  }

  /** The address of a place in the frame, where it is known now; undefined: it depends on the frame. */
  frameAddress(offset: number): number | undefined {
    return this.#fixedFrame ? STACK_BASE + STACK_SIZE + offset : undefined;
  }

  /** Puts the address `offset` from r10 on the stack. */
  pushFrameAddress(offset: number): void {
    const fixed = this.frameAddress(offset);
    if (fixed !== undefined) this.code.i32(fixed);
    else this.code.get(FRAME).i32(offset).op(WASM.i32_add);
  }

  /** Stops the program here. */
  violate(slot: number): void {
    this.code.i32(this.#program).i32(slot);
    this.pushFrame();
    this.code.call(this.#runtime.violate).op(WASM.unreachable);
  }

  /** Stops the program where the i32 on the stack is 0. */
  require(slot: number): void {
    this.code.op(WASM.i32_eqz);
    this.refuse(slot);
  }

  /** Stops the program where the i32 on the stack is not 0. */
  refuse(slot: number): void {
    this.code.if();
    this.violate(slot);
    this.code.end();
  }

  /** Checks, at run time, the address (i64) and the size (i64) on the stack. */
  checkMemory(slot: number, writes: boolean): void {
    this.checksMemory = true;
    this.pushFrame();
    this.code.call(writes ? this.#runtime.mayWrite : this.#runtime.mayRead);
    this.require(slot);
  }

  /** Adds 1 to the u64 at an address. */
  count(address: number): void {
    this.code.i32(0).i32(0).memory(WASM.i64_load, address).i64(1).op(WASM.i64_add);
    this.code.memory(WASM.i64_store, address);
  }

  /** Notes that this frame is calling, so that a violation further up can be counted here too. */
  noteCallSite(slot: number): void {
    const { code } = this;
    const address = (): void => {
      this.pushFrame();
      code.i32(CALL_SITE_SHIFT).op(WASM.i32_shr_u);
    };
    address();
    code.i32(this.#program).memory(WASM.i32_store, CALL_SITE_OFFSET);
    address();
    code.i32(slot).memory(WASM.i32_store, CALL_SITE_OFFSET + 4);
  }
}
