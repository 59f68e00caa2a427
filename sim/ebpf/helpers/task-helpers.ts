/**
 * Helpers on the task that a frame interrupts (kernel/bpf/helpers.c, kernel/trace/bpf_trace.c). Which one that is depends
 * on chance; the machine says what an idle CPU does: `swapper`, task 0, which takes no signals. In the kernel's engines the
 * calls are given the same answers (`kernel/pin/substitutes.ts`), so that no test run signals the process that runs it.
 */
import { EINVAL, EPERM } from '../../runtime/errno.ts';
import { type Helper, type HelperFunction, NO_EFFECTS } from './helper.ts';

/** Bytes of `task->comm` (include/linux/sched.h). */
export const TASK_COMM_LEN = 16;

const IDLE = 'as on an idle CPU, in the kernel engines too';

/** What the idle task of a CPU is called. */
export function idleTaskName(cpu: number): string {
  return `swapper/${cpu}`.slice(0, TASK_COMM_LEN - 1);
}

const signal: HelperFunction = () => -EPERM;

export const TASK_HELPERS: readonly Helper[] = [
  {
    number: 14,
    name: 'bpf_get_current_pid_tgid',
    arguments: [],
    returns: 'u64',
    note: `0, ${IDLE}`,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(0n),
  },
  {
    number: 15,
    name: 'bpf_get_current_uid_gid',
    arguments: [],
    returns: 'u64',
    note: `0, ${IDLE}`,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(0n),
  },
  {
    number: 16,
    name: 'bpf_get_current_comm',
    arguments: ['memory_out', 'size'],
    returns: 'int',
    note: `\`swapper/N\`, ${IDLE}`,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine, to, size) => {
      const { u8 } = machine.memory;
      const name = idleTaskName(machine.cpu);
      u8.fill(0, to, to + size);
      for (let index = 0; index < Math.min(name.length, size - 1); index++)
        u8[to + index] = name.charCodeAt(index);
      return 0;
    },
  },
  {
    number: 109,
    name: 'bpf_send_signal',
    arguments: ['anything'],
    returns: 'int',
    note: `\`-EPERM\`, ${IDLE}: no process is signalled`,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'], leaves: 'outside' },
    symbolic: 'any value',
    run: signal,
  },
  {
    number: 117,
    name: 'bpf_send_signal_thread',
    arguments: ['anything'],
    returns: 'int',
    note: `\`-EPERM\`, ${IDLE}: no thread is signalled`,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'], leaves: 'outside' },
    symbolic: 'any value',
    run: signal,
  },
  {
    number: 120,
    name: 'bpf_get_ns_current_pid_tgid',
    arguments: ['anything', 'anything', 'memory_out', 'size'],
    returns: 'int',
    note: '`-EINVAL`: no namespace has that number, in the kernel engines too',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine, _device, _inode, to, size) => {
      machine.memory.u8.fill(0, to, to + size);
      return -EINVAL;
    },
  },
];
