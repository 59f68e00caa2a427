/**
 * The register of kernel functions (kfuncs), by name: dynptrs on packets and numeric iterators here, more by topic
 * (kernel/bpf/helpers.c, kernel/bpf/bpf_iter.c, net/core/filter.c), and the topics of other files.
 */
import { E2BIG, EINVAL, ERANGE } from '../../runtime/errno.ts';
import { MAX_LOOPS } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { HashMap } from '../maps/hash-map.ts';
import { BITS_FUNCTIONS } from './bits-functions.ts';
import { CGROUP_FUNCTIONS } from './cgroup-functions.ts';
import { CONNECTION_FUNCTIONS } from './connection-functions.ts';
import { DRIVER_FUNCTIONS } from './driver-functions.ts';
import { DYNPTR, reaches, readDynptr, sliceOf, writeDynptr, writeNullDynptr } from './dynptr.ts';
import { DYNPTR_COPY_FUNCTIONS } from './dynptr-copy-functions.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import { LOCK_FUNCTIONS } from './lock-helpers.ts';
import { SECTION_FUNCTIONS } from './section-functions.ts';
import { STRING_FUNCTIONS } from './string-functions.ts';

function onPacket(machine: Machine, flags: number, at: number): number {
  writeNullDynptr(machine, at);
  if (flags !== 0 || machine.high(1) !== 0) return -EINVAL;
  const size = machine.packet.length;
  writeDynptr(machine, at, { kind: DYNPTR.packet, address: 0, offset: 0, size, readOnly: false });
  return 0;
}

/** A pointer to `size` bytes of it, or to the buffer with a copy of them (`sliceOf`). */
function slice(
  machine: Machine,
  at: number,
  offset: number,
  buffer: number,
  size: number,
  writes: boolean,
): number {
  const dynptr = readDynptr(machine, at)!;
  machine.sliceSize = size;
  machine.sliceWritable = writes;
  machine.sliceOnPacket = dynptr.kind === DYNPTR.packet;
  if (dynptr.kind === DYNPTR.null || (writes && dynptr.readOnly)) return 0;
  return reaches(dynptr, offset >>> 0, size) ? sliceOf(machine, dynptr, offset >>> 0, size, buffer) : 0;
}

function adjust(machine: Machine, at: number, start: number, end: number): number {
  const dynptr = readDynptr(machine, at)!;
  if (dynptr.kind === DYNPTR.null || start >>> 0 > end >>> 0) return -EINVAL;
  if (start >>> 0 > dynptr.size || end >>> 0 > dynptr.size) return -ERANGE;
  const offset = dynptr.offset + (start >>> 0);
  writeDynptr(machine, at, { ...dynptr, offset, size: (end >>> 0) - (start >>> 0) });
  return 0;
}

const SLICE_NOTE =
  'as in the kernel; without a buffer, a slice that begins behind what is linear of a TC frame stops the machine, since the kernel gives a pointer to whatever lies there';

const FUNCTIONS: readonly Helper[] = [
  {
    number: 0,
    name: 'bpf_dynptr_from_xdp',
    arguments: ['context', 'anything', 'dynptr_out'],
    returns: 'word',
    failsByFlags: true,
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, _context, flags, at) => onPacket(machine, flags, at),
  },
  {
    number: 0,
    name: 'bpf_dynptr_from_skb',
    arguments: ['context', 'anything', 'dynptr_out'],
    returns: 'word',
    failsByFlags: true,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, _context, flags, at) => onPacket(machine, flags, at),
  },
  {
    number: 0,
    name: 'bpf_xdp_pull_data',
    arguments: ['context', 'anything'],
    returns: 'word',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'unsupported',
    run: (machine, _context, length) => machine.packet.pull(length),
  },
  {
    number: 0,
    name: 'bpf_dynptr_slice',
    arguments: ['dynptr', 'anything', 'buffer_or_null', 'constant_size'],
    returns: 'slice_or_null',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    note: SLICE_NOTE,
    run: (machine, at, offset, buffer, size) => slice(machine, at, offset, buffer, size, false),
  },
  {
    number: 0,
    name: 'bpf_dynptr_slice_rdwr',
    arguments: ['dynptr', 'anything', 'buffer_or_null', 'constant_size'],
    returns: 'slice_or_null',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    note: SLICE_NOTE,
    run: (machine, at, offset, buffer, size) => slice(machine, at, offset, buffer, size, true),
  },
  {
    number: 0,
    name: 'bpf_dynptr_adjust',
    arguments: ['dynptr', 'anything', 'anything'],
    returns: 'word',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: adjust,
  },
  {
    number: 0,
    name: 'bpf_dynptr_is_null',
    arguments: ['dynptr'],
    returns: 'word',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at) => (readDynptr(machine, at)!.kind === DYNPTR.null ? 1 : 0),
  },
  {
    number: 0,
    name: 'bpf_dynptr_is_rdonly',
    arguments: ['dynptr'],
    returns: 'word',
    // Of what XDP and TC programs get, every one may be written to.
    between: { xdp: [0, 0], tc: [0, 0] },
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at) => (readDynptr(machine, at)!.readOnly ? 1 : 0),
  },
  {
    number: 0,
    name: 'bpf_dynptr_size',
    arguments: ['dynptr'],
    returns: 'word',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at) => {
      const dynptr = readDynptr(machine, at)!;
      return dynptr.kind === DYNPTR.null ? -EINVAL : dynptr.size;
    },
  },
  {
    number: 0,
    name: 'bpf_dynptr_clone',
    arguments: ['dynptr', 'dynptr_out'],
    returns: 'word',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at, copy) => {
      const dynptr = readDynptr(machine, at)!;
      writeDynptr(machine, copy, dynptr);
      return dynptr.kind === DYNPTR.null ? -EINVAL : 0;
    },
  },
  {
    number: 0,
    name: 'bpf_iter_num_new',
    arguments: ['iterator_out', 'anything', 'anything'],
    returns: 'word',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires' },
    symbolic: 'exact',
    // struct bpf_iter_num: the current number and the one behind the last.
    run: (machine, at, start, end) => {
      machine.memory.setU64(at, 0n);
      if (start > end) return -EINVAL;
      if (end - start > MAX_LOOPS) return -E2BIG;
      machine.memory.setU32(at, start - 1);
      machine.memory.setU32(at + 4, end);
      return 0;
    },
  },
  {
    number: 0,
    name: 'bpf_iter_num_next',
    arguments: ['iterator'],
    returns: 'slice_or_null',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at) => {
      const { view } = machine.memory;
      machine.sliceSize = 4;
      machine.sliceWritable = false;
      // Of 32 bits: before the lowest number comes the highest.
      const next = (view.getInt32(at, true) + 1) | 0;
      if (next >= view.getInt32(at + 4, true)) {
        machine.memory.setU64(at, 0n);
        return 0;
      }
      view.setInt32(at, next, true);
      return at;
    },
  },
  {
    number: 0,
    name: 'bpf_iter_num_destroy',
    arguments: ['iterator'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases' },
    symbolic: 'exact',
    run: (machine, at) => {
      machine.memory.setU64(at, 0n);
      return 0;
    },
  },
  {
    number: 0,
    name: 'bpf_map_sum_elem_count',
    arguments: ['map'],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'unsupported',
    // Only hash tables count.
    run: (machine, address) => {
      const map = machine.mapAt(address);
      return machine.result64(BigInt(map instanceof HashMap ? map.table.count : 0));
    },
  },
];

export const KERNEL_FUNCTIONS: ReadonlyMap<string, Helper> = new Map(
  [
    ...FUNCTIONS,
    ...BITS_FUNCTIONS,
    ...CGROUP_FUNCTIONS,
    ...CONNECTION_FUNCTIONS,
    ...DRIVER_FUNCTIONS,
    ...DYNPTR_COPY_FUNCTIONS,
    ...LOCK_FUNCTIONS,
    ...SECTION_FUNCTIONS,
    ...STRING_FUNCTIONS,
  ].map((each) => [each.name, each]),
);
