/** Limits on what one run may do: the kernel's, and the machine's own. */

/** Rounds of `bpf_loop`, of a numeric iterator and of `may_goto` (include/linux/bpf.h, `BPF_MAX_LOOPS`). */
export const MAX_LOOPS: number = 8 * 1024 * 1024;
/** Tail calls (include/linux/bpf.h, `MAX_TAIL_CALL_CNT`). */
export const MAX_TAIL_CALLS = 33;
/** Instructions: the kernel's verifier walks as many (`BPF_COMPLEXITY_LIMIT_INSNS`), callbacks more. */
export const DEFAULT_BUDGET = 64_000_000;
/** Runs of a batch that may use the whole budget up (`batch-budget.ts`). */
export const PATIENT_RUNS = 4;
/** Instructions that each run behind these may execute: far more than a run takes that comes to its end, but for very long loops. */
export const SHORT_BUDGET = 65_536;
/** What a call takes from the budget: callbacks have no backward jump that would. */
export const CALL_COST = 4;
