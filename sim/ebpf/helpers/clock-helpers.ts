/**
 * Clock, random numbers, CPU (kernel/bpf/helpers.c, kernel/bpf/core.c). All of the kernel's clocks show the
 * machine's one, which stands still while a packet runs.
 */
import { INITIAL_JIFFIES, NANOSECONDS_PER_JIFFY } from '../../runtime/clock.ts';
import { type Helper, type HelperFunction, NO_EFFECTS } from './helper.ts';

const now: HelperFunction = (machine) => machine.result64(machine.time);

export const CLOCK_HELPERS: readonly Helper[] = [
  {
    number: 5,
    name: 'bpf_ktime_get_ns',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['clock'] },
    symbolic: 'any value',
    run: now,
  },
  {
    number: 125,
    name: 'bpf_ktime_get_boot_ns',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['clock'] },
    symbolic: 'any value',
    run: now,
  },
  {
    number: 160,
    name: 'bpf_ktime_get_coarse_ns',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['clock'] },
    symbolic: 'any value',
    run: now,
  },
  {
    number: 208,
    name: 'bpf_ktime_get_tai_ns',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['clock'] },
    symbolic: 'any value',
    run: now,
  },
  {
    number: 118,
    name: 'bpf_jiffies64',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['clock'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(INITIAL_JIFFIES + machine.time / BigInt(NANOSECONDS_PER_JIFFY)),
  },
  {
    number: 7,
    name: 'bpf_get_prandom_u32',
    arguments: [],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['chance'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(BigInt(machine.nextRandom())),
  },
  {
    number: 8,
    name: 'bpf_get_smp_processor_id',
    arguments: [],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['cpu'] },
    symbolic: 'any value',
    run: (machine) => machine.cpu,
  },
  {
    number: 42,
    name: 'bpf_get_numa_node_id',
    arguments: [],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['cpu'] },
    symbolic: 'any value',
    run: () => 0,
  },
];
