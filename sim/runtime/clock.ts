/** The kernel's second clock, as `bpf_jiffies64` shows it: for the machine, and for the copies of programs in the kernel. */

/** With `CONFIG_HZ=250`. */
export const NANOSECONDS_PER_JIFFY = 4_000_000;

/** `INITIAL_JIFFIES`: the counter starts five minutes before it wraps (include/linux/jiffies.h); as u32, extended. */
export const INITIAL_JIFFIES: bigint = BigInt.asUintN(32, -300n * 250n);
