/** Helpers on dynptrs, pointers that know their length at run time (kernel/bpf/helpers.c, kernel/bpf/ringbuf.c). */
import { E2BIG, EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { RingBufferMap } from '../maps/ring-buffer-map.ts';
import {
  DYNPTR,
  LARGEST_DYNPTR,
  placeIn,
  reaches,
  readDynptr,
  writeDynptr,
  writeNullDynptr,
} from './dynptr.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

function reserve(machine: Machine, map: number, size: number, flags: number, at: number): number {
  writeNullDynptr(machine, at);
  if (flags !== 0 || machine.high(2) !== 0) return -EINVAL;
  if (size > LARGEST_DYNPTR) return -E2BIG;
  const ring = machine.mapAt(map) as RingBufferMap;
  const sample = ring.reserveFor(machine.world, size);
  if (sample === 0) return -EINVAL;
  writeDynptr(machine, at, { kind: DYNPTR.sample, address: sample, offset: 0, size, readOnly: false });
  return 0;
}

function release(machine: Machine, at: number, discard: boolean): number {
  const dynptr = readDynptr(machine, at);
  if (dynptr?.kind === DYNPTR.sample) {
    for (const map of machine.maps) {
      const inside = map instanceof RingBufferMap && dynptr.address >= map.storage;
      if (inside && dynptr.address < map.storage + map.size) map.commit(dynptr.address, discard);
    }
  }
  writeNullDynptr(machine, at);
  return 0;
}

export const DYNPTR_HELPERS: readonly Helper[] = [
  {
    number: 197,
    name: 'bpf_dynptr_from_mem',
    arguments: ['memory_out', 'size_or_zero', 'anything', 'dynptr_out'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, data, size, flags, at) => {
      writeNullDynptr(machine, at);
      if (size >>> 0 > LARGEST_DYNPTR) return -E2BIG;
      if (flags !== 0 || machine.high(2) !== 0) return -EINVAL;
      writeDynptr(machine, at, { kind: DYNPTR.memory, address: data, offset: 0, size, readOnly: false });
      return 0;
    },
  },
  {
    number: 198,
    name: 'bpf_ringbuf_reserve_dynptr',
    arguments: ['map', 'anything', 'anything', 'dynptr_out'],
    returns: 'int',
    maps: ['RINGBUF'],
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires' },
    symbolic: 'exact',
    run: (machine, map, size, flags, at) => reserve(machine, map, size >>> 0, flags, at),
  },
  {
    number: 199,
    name: 'bpf_ringbuf_submit_dynptr',
    arguments: ['dynptr', 'anything'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases' },
    symbolic: 'exact',
    run: (machine, at) => release(machine, at, false),
  },
  {
    number: 200,
    name: 'bpf_ringbuf_discard_dynptr',
    arguments: ['dynptr', 'anything'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases' },
    symbolic: 'exact',
    run: (machine, at) => release(machine, at, true),
  },
  {
    number: 201,
    name: 'bpf_dynptr_read',
    arguments: ['memory_out', 'size_or_zero', 'dynptr', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    run: (machine, to, size, at, offset, flags) => {
      const dynptr = readDynptr(machine, at)!;
      if (dynptr.kind === DYNPTR.null || flags !== 0 || machine.high(4) !== 0) return -EINVAL;
      if (!reaches(dynptr, offset >>> 0, size)) return -E2BIG;
      const from = placeIn(machine, dynptr, offset >>> 0, size);
      if (from < 0) {
        // What an skb's own helper leaves when it fails.
        if (machine.hook !== 'xdp') machine.memory.u8.fill(0, to, to + size);
        return from;
      }
      machine.memory.u8.copyWithin(to, from, from + size);
      return 0;
    },
  },
  {
    number: 202,
    name: 'bpf_dynptr_write',
    arguments: ['dynptr', 'anything', 'memory', 'size_or_zero', 'anything'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine, at, offset, from, size, flags) => {
      const dynptr = readDynptr(machine, at)!;
      if (dynptr.kind === DYNPTR.null || dynptr.readOnly) return -EINVAL;
      if (!reaches(dynptr, offset >>> 0, size)) return -E2BIG;
      const isSkb = dynptr.kind === DYNPTR.packet && machine.hook !== 'xdp';
      // Writing to an skb takes the flags of bpf_skb_store_bytes.
      if (machine.high(4) !== 0 || (flags & ~(isSkb ? 3 : 0)) !== 0) return -EINVAL;
      const to = placeIn(machine, dynptr, offset >>> 0, size, isSkb);
      if (to < 0) return to;
      machine.memory.u8.copyWithin(to, from, from + size);
      machine.packetMoved = isSkb;
      return 0;
    },
  },
  {
    number: 203,
    name: 'bpf_dynptr_data',
    arguments: ['dynptr', 'anything', 'constant_size'],
    returns: 'slice_or_null',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, at, offset, size) => {
      const dynptr = readDynptr(machine, at)!;
      machine.sliceSize = size;
      machine.sliceWritable = true;
      if (dynptr.kind === DYNPTR.null || dynptr.kind === DYNPTR.packet || dynptr.readOnly) return 0;
      return reaches(dynptr, offset >>> 0, size) ? placeIn(machine, dynptr, offset >>> 0, size) : 0;
    },
  },
];
