/**
 * Clock, random numbers, CPU (kernel/bpf/helpers.c, kernel/bpf/core.c). All of the kernel's clocks show the
 * machine's one; it does not tick by itself.
 */
import type { Helper, HelperFunction } from './helper.ts';

const now: HelperFunction = (machine) => machine.result64(machine.time);

/** The kernel's ticks a second (`CONFIG_HZ`), for `bpf_jiffies64`. */
const HZ = 250n;
const NANOSECONDS = 1_000_000_000n;
/** `INITIAL_JIFFIES`: the counter starts five minutes before it wraps (include/linux/jiffies.h); as u32, extended. */
const INITIAL_JIFFIES: bigint = BigInt.asUintN(32, -300n * HZ);

export const CLOCK_HELPERS: readonly Helper[] = [
  { number: 5, name: 'bpf_ktime_get_ns', arguments: [], returns: 'u64', run: now },
  { number: 125, name: 'bpf_ktime_get_boot_ns', arguments: [], returns: 'u64', run: now },
  { number: 160, name: 'bpf_ktime_get_coarse_ns', arguments: [], returns: 'u64', run: now },
  { number: 208, name: 'bpf_ktime_get_tai_ns', arguments: [], returns: 'u64', run: now },
  {
    number: 118,
    name: 'bpf_jiffies64',
    arguments: [],
    returns: 'u64',
    run: (machine) => machine.result64(INITIAL_JIFFIES + (machine.time * HZ) / NANOSECONDS),
  },
  {
    number: 7,
    name: 'bpf_get_prandom_u32',
    arguments: [],
    returns: 'u64',
    run: (machine) => machine.result64(BigInt(machine.nextRandom())),
  },
  {
    number: 8,
    name: 'bpf_get_smp_processor_id',
    arguments: [],
    returns: 'int',
    run: (machine) => machine.cpu,
  },
  { number: 42, name: 'bpf_get_numa_node_id', arguments: [], returns: 'int', run: () => 0 },
];
