/** The timers of a map's values. The 16 bytes of `struct bpf_timer` are zeros to user space, and to programs no memory. */

/** Bytes of `struct bpf_timer` (linux/bpf.h). */
export const TIMER_SIZE = 16;

/** What a timer has: nothing more, a callback, a time at which to run it. */
export const TIMER = { made: 1, ready: 2, armed: 3 } as const;

/** By address; a timer that no `bpf_timer_init` has made is not in it. */
export type Timers = Map<number, (typeof TIMER)[keyof typeof TIMER]>;
