/** Writes the body of one WebAssembly function, instruction by instruction. */
import { ByteWriter } from './byte-writer.ts';
import { BULK_PREFIX, EMPTY_BLOCK, MEMORY_COPY, MEMORY_FILL, SIMD, SIMD_PREFIX, WASM } from './opcodes.ts';

export class CodeWriter {
  readonly #code: ByteWriter = new ByteWriter();
  /** Types of the locals behind the parameters. */
  readonly #locals: number[];
  readonly #parameters: number;
  /** Blocks that are open: the depth from which branches count. */
  #depth = 0;

  /** @param locals shared with the function that this is to be a part of */
  constructor(parameters: number, locals: number[] = []) {
    this.#parameters = parameters;
    this.#locals = locals;
  }

  /** A part of this function that is written by itself; its branches stay inside. */
  part(): CodeWriter {
    return new CodeWriter(this.#parameters, this.#locals);
  }

  /** Puts a part here, whose blocks are all closed. */
  append(part: CodeWriter): this {
    this.#code.append(part.#code.bytes);
    return this;
  }

  get depth(): number {
    return this.#depth;
  }

  /** Declares a local, 0 at first; returns its index. */
  local(type: number): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }

  /** Any instruction without immediates. */
  op(opcode: number): this {
    this.#code.byte(opcode);
    return this;
  }

  get(local: number): this {
    this.#code.byte(WASM.local_get);
    this.#code.unsigned(local);
    return this;
  }

  set(local: number): this {
    this.#code.byte(WASM.local_set);
    this.#code.unsigned(local);
    return this;
  }

  tee(local: number): this {
    this.#code.byte(WASM.local_tee);
    this.#code.unsigned(local);
    return this;
  }

  getGlobal(index: number): this {
    this.#code.byte(WASM.global_get);
    this.#code.unsigned(index);
    return this;
  }

  setGlobal(index: number): this {
    this.#code.byte(WASM.global_set);
    this.#code.unsigned(index);
    return this;
  }

  i32(value: number): this {
    this.#code.byte(WASM.i32_const);
    this.#code.signed(value);
    return this;
  }

  /** A 64-bit constant; without `high`, `low` with its sign extended. */
  i64(low: number, high: number = low >> 31): this {
    this.#code.byte(WASM.i64_const);
    this.#code.signed64(low, high);
    return this;
  }

  /** A load or store at the address on the stack plus `offset` (unsigned). No alignment is promised. */
  memory(opcode: number, offset: number): this {
    this.#code.byte(opcode);
    this.#code.unsigned(0);
    this.#code.unsigned(offset);
    return this;
  }

  /** Loads an i32 from a fixed address. */
  word(address: number): this {
    return this.i32(0).memory(WASM.i32_load, address);
  }

  /** Stores what `value` leaves on the stack as an i32 at a fixed address. */
  storeWord(address: number, value: () => void): this {
    this.i32(0);
    value();
    return this.memory(WASM.i32_store, address);
  }

  block(): this {
    return this.#open(WASM.block);
  }

  loop(): this {
    return this.#open(WASM.loop);
  }

  if(): this {
    return this.#open(WASM.if);
  }

  else(): this {
    return this.op(WASM.else);
  }

  end(): this {
    this.#depth--;
    return this.op(WASM.end);
  }

  /** Branches to the block that was open as the `level`-th, counting from 1: `depth` right after opening it. */
  branch(level: number): this {
    this.#code.byte(WASM.br);
    this.#code.unsigned(this.#depth - level);
    return this;
  }

  branchIf(level: number): this {
    this.#code.byte(WASM.br_if);
    this.#code.unsigned(this.#depth - level);
    return this;
  }

  /** The last level is the default. */
  branchTable(levels: readonly number[]): this {
    this.#code.byte(WASM.br_table);
    this.#code.unsigned(levels.length - 1);
    for (const level of levels) this.#code.unsigned(this.#depth - level);
    return this;
  }

  call(index: number): this {
    this.#code.byte(WASM.call);
    this.#code.unsigned(index);
    return this;
  }

  callIndirect(type: number): this {
    this.#code.byte(WASM.call_indirect);
    this.#code.unsigned(type);
    this.#code.byte(0x00);
    return this;
  }

  /** An instruction on vectors without immediates. */
  simd(opcode: number): this {
    this.#code.byte(SIMD_PREFIX);
    this.#code.unsigned(opcode);
    return this;
  }

  /** Loads 16 bytes from the address on the stack plus `offset`. No alignment is promised. */
  vector(offset: number): this {
    this.simd(SIMD.v128_load);
    this.#code.unsigned(0);
    this.#code.unsigned(offset);
    return this;
  }

  /** Takes one of four 32-bit numbers out of the vector on the stack. */
  lane(index: number): this {
    this.simd(SIMD.i32x4_extract_lane);
    this.#code.byte(index);
    return this;
  }

  /** Takes one of two 64-bit numbers out of the vector on the stack. */
  wideLane(index: number): this {
    this.simd(SIMD.i64x2_extract_lane);
    this.#code.byte(index);
    return this;
  }

  /** Destination, source and length are on the stack. */
  memoryCopy(): this {
    for (const byte of [BULK_PREFIX, MEMORY_COPY, 0x00, 0x00]) this.#code.byte(byte);
    return this;
  }

  /** Destination, value and length are on the stack. */
  memoryFill(): this {
    for (const byte of [BULK_PREFIX, MEMORY_FILL, 0x00]) this.#code.byte(byte);
    return this;
  }

  /** The whole body: locals, code, end. */
  body(): Uint8Array {
    const out = new ByteWriter();
    out.unsigned(this.#locals.length);
    for (const type of this.#locals) {
      out.unsigned(1);
      out.byte(type);
    }
    out.append(this.#code.bytes);
    out.byte(WASM.end);
    return out.bytes.slice();
  }

  #open(opcode: number): this {
    this.#code.byte(opcode);
    this.#code.byte(EMPTY_BLOCK);
    this.#depth++;
    return this;
  }
}
