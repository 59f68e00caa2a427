/** Performance counters (kernel/trace/bpf_trace.c). Nobody has opened any: a world can fill no perf event array. */
import { E2BIG, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { type Machine, Unsupported } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const EVENTS: Helper['maps'] = ['PERF_EVENT_ARRAY'];
const BPF_F_CURRENT_CPU = 0xffff_ffff;
/** Bytes of `struct bpf_perf_event_value` (linux/bpf.h). */
const VALUE_SIZE = 24;
const NO_COUNTER = 'no counter is open: errors as in the kernel';

/** `get_map_perf_counter` */
function counter(machine: Machine, mapAddress: number, flags: number): number {
  // The index is the lower half, and nothing is above it.
  if (machine.high(1) !== 0) return -EINVAL;
  const map = machine.mapAt(mapAddress);
  const index = flags >>> 0 === BPF_F_CURRENT_CPU ? machine.cpu : flags >>> 0;
  if (index >= map.definition.maxEntries) return -E2BIG;
  if (machine.memory.u32(map.firstValue + 8 * index) !== 0)
    throw new Unsupported('the machine has no performance counters');
  return -ENOENT;
}

export const PERF_HELPERS: readonly Helper[] = [
  {
    number: 22,
    name: 'bpf_perf_event_read',
    arguments: ['map', 'anything'],
    returns: 'u64',
    maps: EVENTS,
    note: NO_COUNTER,
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, map, flags) => machine.result64(BigInt(counter(machine, map, flags))),
  },
  {
    number: 55,
    name: 'bpf_perf_event_read_value',
    arguments: ['map', 'anything', 'memory_out', 'size'],
    returns: 'int',
    maps: EVENTS,
    note: NO_COUNTER,
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, map, flags, to, size) => {
      const result = size === VALUE_SIZE ? counter(machine, map, flags) : -EINVAL;
      machine.memory.u8.fill(0, to, to + size);
      return result;
    },
  },
  {
    number: 176,
    name: 'bpf_get_branch_snapshot',
    arguments: ['memory_out', 'size_or_zero', 'anything'],
    returns: 'int',
    note: '`-ENOENT`: the CPU records no branches',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _to, _size, flags) => (flags !== 0 || machine.high(2) !== 0 ? -EINVAL : -ENOENT),
  },
];
