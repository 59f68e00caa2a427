/** What of a program has been executed: counted by machines, merged and reported elsewhere. */

/** Counts of one object's code, over all runs since the session was opened. */
export interface Coverage {
  /** One row per program function (entries and subprograms). */
  readonly functions: readonly FunctionCoverage[];
}

export interface FunctionCoverage {
  readonly function: string;
  /** How often each instruction ran; a 16-byte instruction counts at its first slot, the second holds NaN. */
  readonly instructions: Float64Array;
  /** 1 for each instruction that no input leads to: it counts for nothing. */
  readonly unreachable: Uint8Array;
  readonly branches: readonly BranchCoverage[];
  /** For every instruction with line info: where in the C source it came from. */
  readonly lines: readonly { readonly instruction: number; readonly file: string; readonly line: number }[];
}

/**
 * A conditional jump, or a tail call, which is taken where it leads into another program: its instruction index, and how
 * often it was and was not taken.
 */
export interface BranchCoverage {
  readonly instruction: number;
  readonly taken: number;
  readonly notTaken: number;
  /**
   * Is there no input that takes it, or that does not? So it is where a lookup in an array is compared with null
   * although its index is in range, where constants are compared, or variables in `.rodata`, or what was compared before.
   */
  readonly takenImpossible: boolean;
  readonly notTakenImpossible: boolean;
}
