/** Events for user space: ring buffers (kernel/bpf/ringbuf.c) and perf events (net/core/filter.c, bpf_trace.c). */
import { E2BIG, EFAULT, EINVAL, ENOENT } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { RingBufferMap } from '../maps/ring-buffer-map.ts';
import { SlotMap } from '../maps/slot-map.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const RINGS: Helper['maps'] = ['RINGBUF'];
/** BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. */
const WAKEUP_FLAGS = 3;
const BPF_F_CURRENT_CPU = 0xffff_ffff;
/** BPF_F_CTXLEN_MASK: bits 32 to 51, how much of the packet goes with the event. */
const CONTEXT_LENGTH_MASK = 0xf_ffff;

function ringAt(machine: Machine, map: number): RingBufferMap {
  return machine.mapAt(map) as RingBufferMap;
}

/** The ring that a sample is in. */
function ringOf(machine: Machine, sample: number): RingBufferMap | undefined {
  for (const map of machine.maps) {
    if (map instanceof RingBufferMap && sample >= map.storage && sample < map.storage + map.size) return map;
  }
  return undefined;
}

/** A call that ends a sample's reservation: its record, but for number and name. */
function committing(isDiscarded: boolean): Omit<Helper, 'number' | 'name'> {
  return {
    arguments: ['sample', 'anything'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases pointer', leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, sample) => {
      ringOf(machine, sample)?.commit(sample, isDiscarded);
      return 0;
    },
  };
}

function perfEventOutput(machine: Machine, mapAddress: number, flags: number): number {
  const high = machine.high(2);
  if ((high & ~CONTEXT_LENGTH_MASK) !== 0) return -EINVAL;
  if (high > machine.packet.length) return -EFAULT;
  const map = machine.mapAt(mapAddress);
  const index = flags >>> 0 === BPF_F_CURRENT_CPU ? machine.cpu : flags >>> 0;
  if (index >= map.definition.maxEntries) return -E2BIG;
  // Nobody has opened an event, unless the world says so.
  return map instanceof SlotMap && map.lookupIndex(index) !== 0 ? 0 : -ENOENT;
}

export const EVENT_HELPERS: readonly Helper[] = [
  {
    number: 25,
    name: 'bpf_perf_event_output',
    arguments: ['context', 'map', 'anything', 'memory', 'size_or_zero'],
    returns: 'int',
    maps: ['PERF_EVENT_ARRAY'],
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read', leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, _context, map, flags) => perfEventOutput(machine, map, flags),
  },
  {
    number: 130,
    name: 'bpf_ringbuf_output',
    arguments: ['map', 'memory', 'size_or_zero', 'anything'],
    returns: 'int',
    maps: RINGS,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, map, data, size, flags) =>
      (flags & ~WAKEUP_FLAGS) !== 0 || machine.high(3) !== 0
        ? -EINVAL
        : ringAt(machine, map).output(data, size),
  },
  {
    number: 131,
    name: 'bpf_ringbuf_reserve',
    arguments: ['map', 'constant_size', 'anything'],
    returns: 'sample_or_null',
    maps: RINGS,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null' },
    symbolic: 'any value',
    run: (machine, map, size, flags) =>
      flags !== 0 || machine.high(2) !== 0 ? 0 : ringAt(machine, map).reserveFor(machine.world, size),
  },
  {
    number: 132,
    name: 'bpf_ringbuf_submit',
    ...committing(false),
  },
  {
    number: 133,
    name: 'bpf_ringbuf_discard',
    ...committing(true),
  },
  {
    number: 134,
    name: 'bpf_ringbuf_query',
    arguments: ['map', 'anything'],
    returns: 'u64',
    maps: RINGS,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, map, what) =>
      machine.high(1) !== 0 ? 0 : machine.result64(BigInt(ringAt(machine, map).query(what))),
  },
];
