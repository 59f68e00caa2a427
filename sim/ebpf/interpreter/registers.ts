/**
 * The registers of all interpreters: only one of them runs at a time, and arrays that are the same for ever are
 * constants to the compiler of the main loop (`execute.ts`).
 *
 * ```
 *   r0 … r10 │ a gap │ the constants of the interpreter that ran last
 *   0        │ 11    │ FIRST_CONSTANT
 * ```
 */
import { FIRST_CONSTANT } from './operation.ts';

/** `src` of an instruction has 16 bits. */
export const MAX_REGISTERS: number = 1 << 16;

/** Lower and upper halves of the values, and their tags (`provenance.ts`). */
export interface RegisterFile {
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly tag: Int32Array;
}

const REGISTERS: RegisterFile = {
  lo: new Int32Array(MAX_REGISTERS),
  hi: new Int32Array(MAX_REGISTERS),
  tag: new Int32Array(MAX_REGISTERS),
};

/** The same arrays for ever. */
export function registerFile(): RegisterFile {
  return REGISTERS;
}

/** Puts the constants of one interpreter where its instructions name them. */
export function loadConstants({ lo, hi, tag }: RegisterFile): void {
  REGISTERS.lo.set(lo, FIRST_CONSTANT);
  REGISTERS.hi.set(hi, FIRST_CONSTANT);
  REGISTERS.tag.set(tag, FIRST_CONSTANT);
}
