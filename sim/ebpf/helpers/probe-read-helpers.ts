/**
 * Reading from any address (kernel/trace/bpf_trace.c, mm/maccess.c, arch/x86/mm/maccess.c). What programs may read without
 * these helpers the machine can read with them: packet, stack, values of maps. Of user space and the null page every kernel
 * answers with an error; of the rest of its memory only the kernel knows.
 */
import { EFAULT, ERANGE } from '../../runtime/errno.ts';
import { type Machine, Unsupported } from '../machine.ts';
import { DESCRIPTOR_SIZE } from '../maps/live-map.ts';
import { HEAP_BASE, NULL_PAGE_END, STACK_BASE, STACK_LIMIT } from '../memory.ts';
import { type Helper, type HelperFunction, type Influence, NO_EFFECTS } from './helper.ts';

/** Upper halves of addresses: those of x86-64's kernel half begin with seventeen ones. */
const KERNEL_HALF = 0xffff_8000;
/** `MAX_ERRNO`: pointers from here on are error numbers, and no kernel maps that page. */
const FIRST_ERROR_POINTER = 0xffff_f001;

/**
 * The address in the machine that an argument is, or the negative errno of a read from there.
 * @param argument of the running helper, counted from 0: its upper half; `low` is its lower half, moved or not
 */
export function readableAddress(machine: Machine, argument: number, low: number, size: number): number {
  const high = machine.high(argument) >>> 0;
  const at = low >>> 0;
  if (high >= KERNEL_HALF) {
    // What reads nothing faults nowhere.
    if (high === 0xffff_ffff && at >= FIRST_ERROR_POINTER) return size === 0 ? 0 : -EFAULT;
    throw new Unsupported('the machine has no kernel memory to read from');
  }
  // Nothing of the machine's is there: a number, which is an address of user space at most.
  if (high !== 0 || at < NULL_PAGE_END || at >= machine.memory.end) return -ERANGE;
  if (isReadable(machine, at, size)) return at;
  throw new Unsupported('the machine reads packets, stacks and values of maps only');
}

function isReadable(machine: Machine, at: number, size: number): boolean {
  const end = at + size;
  if (at >= STACK_BASE && end <= STACK_LIMIT) return true;
  if (at >= machine.packet.dataMeta && end <= machine.packet.frameEnd) return true;
  if (at < HEAP_BASE || end > machine.memory.end) return false;
  return machine.maps.every(({ address }) => end <= address || at >= address + DESCRIPTOR_SIZE);
}

function failed(machine: Machine, to: number, size: number, error: number): number {
  machine.memory.u8.fill(0, to, to + size);
  return error;
}

const readKernel: HelperFunction = (machine, to, size, address) => {
  const from = readableAddress(machine, 2, address, size);
  if (from < 0) return failed(machine, to, size, from);
  machine.memory.u8.copyWithin(to, from, from + size);
  return 0;
};

/** `strncpy_from_kernel_nofault`: the length with its end, which is cut where the text does not fit. */
const readKernelText: HelperFunction = (machine, to, size, address) => {
  if (size === 0) return 0;
  const { u8 } = machine.memory;
  for (let length = 0; length < size; length++) {
    const from = readableAddress(machine, 2, address + length, 1);
    if (from < 0) return failed(machine, to, size, from);
    u8[to + length] = u8[from]!;
    if (u8[from] === 0) return length + 1;
  }
  u8[to + size - 1] = 0;
  return size;
};

/** A frame may come in while no process runs, and then there is no user memory. */
const readUser: HelperFunction = (machine, to, size) => failed(machine, to, size, -EFAULT);

/** The same, but no room for text is no error. */
const readUserText: HelperFunction = (machine, to, size) =>
  size === 0 ? 0 : failed(machine, to, size, -EFAULT);

const OWN = 'packet, stack and values of maps as in the kernel; other kernel addresses stop the machine';
const NO_USER = '`-EFAULT`, as on an idle CPU, in the kernel engines too';

function helper(
  number: number,
  name: string,
  dependsOn: readonly Influence[],
  note: string,
  run: HelperFunction,
): Helper {
  return {
    number,
    name,
    arguments: ['memory_out', 'size_or_zero', 'anything'],
    returns: 'int',
    note,
    ...(run === readKernel || run === readKernelText
      ? { readsAnywhere: { at: 2, count: 1, unit: 1, isText: run === readKernelText } }
      : {}),
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn },
    symbolic: 'any value',
    run,
  };
}

export const PROBE_READ_HELPERS: readonly Helper[] = [
  helper(112, 'bpf_probe_read_user', ['task'], NO_USER, readUser),
  helper(113, 'bpf_probe_read_kernel', [], OWN, readKernel),
  helper(114, 'bpf_probe_read_user_str', ['task'], NO_USER, readUserText),
  helper(115, 'bpf_probe_read_kernel_str', [], OWN, readKernelText),
];
