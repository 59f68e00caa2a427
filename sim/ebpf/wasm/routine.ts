/**
 * The body of a WebAssembly function as nested expressions and blocks of 32-bit numbers, for code that is longer than what is
 * readable as a list of instructions. `CodeWriter` writes what is described here.
 */
import { CodeWriter } from './code-writer.ts';
import { I32, I64, SIMD, V128, WASM } from './opcodes.ts';

/** Leaves one number on the stack. */
export type Expression = (code: CodeWriter) => void;
export type Value = Expression | number;

/** A local: as an expression its value. */
export interface Variable extends Expression {
  readonly index: number;
}

/** A block that is open: branching to it leaves it, or goes to the start of a loop. */
export interface Label {
  readonly depth: number;
}

const push = (value: Value, code: CodeWriter): void => {
  if (typeof value === 'number') code.i32(value);
  else value(code);
};

const binary =
  (opcode: number) =>
  (left: Value, right: Value): Expression =>
  (code) => {
    push(left, code);
    push(right, code);
    code.op(opcode);
  };

export const sum = (first: Value, ...others: readonly Value[]): Expression =>
  others.reduce<Expression>(
    (left, right) => binary(WASM.i32_add)(left, right),
    (code) => push(first, code),
  );
export const difference = binary(WASM.i32_sub);
/** Modulo 2³², as all of them are. */
export const product = binary(WASM.i32_mul);
export const quotient = binary(WASM.i32_div_u);
export const and = binary(WASM.i32_and);
export const or = binary(WASM.i32_or);
export const exclusiveOr = binary(WASM.i32_xor);
export const shiftLeft = binary(WASM.i32_shl);
export const shiftRight = binary(WASM.i32_shr_u);

// Comparisons are signed, unless their name says otherwise: 1 or 0.
export const equal = binary(WASM.i32_eq);
export const notEqual = binary(WASM.i32_ne);
export const less = binary(WASM.i32_lt_s);
export const greater = binary(WASM.i32_gt_s);
export const lessUnsigned = binary(WASM.i32_lt_u);

export const isZero =
  (value: Value): Expression =>
  (code) => {
    push(value, code);
    code.op(WASM.i32_eqz);
  };

export const anyOf = (first: Value, ...others: readonly Value[]): Expression =>
  others.reduce<Expression>(or, (code) => push(first, code));

/** Both are computed. */
export const choose =
  (condition: Value, yes: Value, no: Value): Expression =>
  (code) => {
    push(yes, code);
    push(no, code);
    push(condition, code);
    code.op(WASM.select);
  };

const load =
  (opcode: number) =>
  (address: Value, offset: number = 0): Expression =>
  (code) => {
    push(address, code);
    code.memory(opcode, offset);
  };

export const byteAt = load(WASM.i32_load8_u);
/** In the machine's order: little-endian. */
export const halfAt = load(WASM.i32_load16_u);
export const wordAt = load(WASM.i32_load);

/** The same, as a number of 64 bits. */
export const wideWordAt = load(WASM.i64_load32_u);

const wideSumOfTwo = binary(WASM.i64_add);

/** Of 64-bit numbers. */
export const wideSum = (first: Expression, ...others: readonly Expression[]): Expression =>
  others.reduce<Expression>((left, right) => wideSumOfTwo(left, right), first);

/** A 32-bit number, taken as unsigned, as one of 64 bits. */
export const widened =
  (value: Value): Expression =>
  (code) => {
    push(value, code);
    code.op(WASM.i64_extend_i32_u);
  };

/**
 * The ones' complement sum of the four 16-bit numbers of a 64-bit one (RFC 1071 §1): 0xFFFF rather than 0 for multiples of 0xFFFF that
 * are not 0. Adding the halves to each other crosswise carries around the end by itself.
 */
export const foldedWide =
  (value: Variable, scratch: Variable): Expression =>
  (code) => {
    value(code);
    value(code);
    code.i64(32).op(WASM.i64_rotl).op(WASM.i64_add).i64(32).op(WASM.i64_shr_u).op(WASM.i32_wrap_i64);
    code.tee(scratch.index);
    scratch(code);
    code.i32(16).op(WASM.i32_rotl).op(WASM.i32_add).i32(16).op(WASM.i32_shr_u);
  };

/** Calls a function of the module that returns a number. */
export const called =
  (index: number, ...values: readonly Value[]): Expression =>
  (code) => {
    for (const value of values) push(value, code);
    code.call(index);
  };

/** A big-endian 16-bit number. */
export const networkHalf = (address: Value, offset: number = 0): Expression =>
  or(shiftLeft(byteAt(address, offset), 8), byteAt(address, offset + 1));

export class Routine {
  readonly code: CodeWriter;
  readonly parameters: readonly Variable[];

  constructor(parameters: number) {
    this.code = new CodeWriter(parameters);
    this.parameters = Array.from({ length: parameters }, (_, index) => variableOf(index));
  }

  /** A new 32-bit local, 0 at first. */
  variable(): Variable {
    return variableOf(this.code.local(I32));
  }

  /** A new 64-bit local, 0 at first. */
  wideVariable(): Variable {
    return variableOf(this.code.local(I64));
  }

  set(variable: Variable, value: Value): void {
    push(value, this.code);
    this.code.set(variable.index);
  }

  increase(variable: Variable, by: Value = 1): void {
    this.set(variable, sum(variable, by));
  }

  store(address: Value, offset: number, value: Value): void {
    push(address, this.code);
    push(value, this.code);
    this.code.memory(WASM.i32_store, offset);
  }

  storeByte(address: Value, offset: number, value: Value): void {
    push(address, this.code);
    push(value, this.code);
    this.code.memory(WASM.i32_store8, offset);
  }

  /** The body branches to its label to leave the block. */
  block(body: (end: Label) => void): void {
    this.code.block();
    body({ depth: this.code.depth });
    this.code.end();
  }

  /** The body branches to its label to run again. */
  loop(body: (again: Label) => void): void {
    this.code.loop();
    body({ depth: this.code.depth });
    this.code.end();
  }

  while(condition: Value, body: () => void): void {
    this.block((end) =>
      this.loop((again) => {
        this.branchIf(isZero(condition), end);
        body();
        this.branch(again);
      }),
    );
  }

  if(condition: Value, yes: () => void, no?: () => void): void {
    push(condition, this.code);
    this.code.if();
    yes();
    if (no !== undefined) {
      this.code.else();
      no();
    }
    this.code.end();
  }

  branch(label: Label): void {
    this.code.branch(label.depth);
  }

  branchIf(condition: Value, label: Label): void {
    push(condition, this.code);
    this.code.branchIf(label.depth);
  }

  result(value: Value): void {
    push(value, this.code);
  }
}

function variableOf(index: number): Variable {
  return Object.assign((code: CodeWriter): void => void code.get(index), { index });
}

/** Adds up the 16-bit numbers of a stretch of bytes, 16 bytes at a time. */
export class VectorSum {
  readonly #code: CodeWriter;
  readonly #vector: number;
  /** Never written. */
  readonly #zero: number;

  constructor({ code }: Routine) {
    this.#code = code;
    this.#vector = code.local(V128);
    this.#zero = code.local(V128);
  }

  clear(): void {
    this.#code.get(this.#zero).set(this.#vector);
  }

  /** Adds the 16 bytes at an address. */
  add(address: Value, offset: number = 0): void {
    push(address, this.#code);
    this.#code.vector(offset);
    this.#addTop();
  }

  /** Adds those of the 16 bytes at an address where the mask at another has ones; `offset` is added to both addresses. */
  addMasked(address: Value, mask: Value, offset: number = 0): void {
    push(address, this.#code);
    this.#code.vector(offset);
    push(mask, this.#code);
    this.#code.vector(offset).simd(SIMD.v128_and);
    this.#addTop();
  }

  /** Modulo 2³². */
  readonly total: Expression = (code) => {
    for (const lane of [0, 1, 2, 3]) {
      code.get(this.#vector).lane(lane);
      if (lane > 0) code.op(WASM.i32_add);
    }
  };

  /** A 64-bit number whose ones' complement sum is the vector's, of fewer than 2¹⁴ additions. */
  readonly wideTotal: Expression = (code) => {
    code.get(this.#vector).wideLane(0).get(this.#vector).wideLane(1).op(WASM.i64_add);
  };

  #addTop(): void {
    const code = this.#code;
    code.simd(SIMD.i32x4_extadd_pairwise_i16x8_u).get(this.#vector).simd(SIMD.i32x4_add).set(this.#vector);
  }
}
