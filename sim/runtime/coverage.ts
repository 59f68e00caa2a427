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
  /** For every conditional jump: its instruction index, and how often it was and was not taken. */
  readonly branches: readonly {
    readonly instruction: number;
    readonly taken: number;
    readonly notTaken: number;
  }[];
  /** For every instruction with line info: where in the C source it came from. */
  readonly lines: readonly { readonly instruction: number; readonly file: string; readonly line: number }[];
}
