/** Limits on what one run may do: the kernel's, and the machine's own. */

/** Rounds of `bpf_loop`, of a numeric iterator and of `may_goto` (include/linux/bpf.h, `BPF_MAX_LOOPS`). */
export const MAX_LOOPS: number = 8 * 1024 * 1024;
/** Tail calls (include/linux/bpf.h, `MAX_TAIL_CALL_CNT`). */
export const MAX_TAIL_CALLS = 33;
/** Instructions: the kernel's verifier walks as many (`BPF_COMPLEXITY_LIMIT_INSNS`), callbacks more. */
export const DEFAULT_BUDGET = 64_000_000;
/** What a call takes from the budget: callbacks have no backward jump that would. */
export const CALL_COST = 4;
