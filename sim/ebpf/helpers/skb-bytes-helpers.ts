/** Reading and writing a TC frame through helpers (net/core/filter.c). */
import { EFAULT, EINVAL, ENOMEM } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { MACHINE_WORD } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import { forgetHash } from './skb-meta-helpers.ts';

const BPF_F_RECOMPUTE_CSUM = 1;
const BPF_F_INVALIDATE_HASH = 2;
const BPF_HDR_START_MAC = 0;
const BPF_HDR_START_NET = 1;

/** Copies out, or fills with zeros and refuses. */
function load(machine: Machine, from: number, offset: number, to: number, size: number): number {
  const { u8 } = machine.memory;
  const at = offset >>> 0;
  if (at > 0x7fff_ffff || from + at + size > machine.packet.frameEnd) {
    u8.fill(0, to, to + size);
    return -EFAULT;
  }
  u8.copyWithin(to, from + at, from + at + size);
  return 0;
}

export const SKB_BYTES_HELPERS: readonly Helper[] = [
  {
    number: 26,
    name: 'bpf_skb_load_bytes',
    arguments: ['context', 'anything', 'memory_out', 'size'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    run: (machine, _context, offset, to, size) => load(machine, machine.packet.data, offset, to, size),
  },
  {
    number: 68,
    name: 'bpf_skb_load_bytes_relative',
    arguments: ['context', 'anything', 'memory_out', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    run: (machine, _context, offset, to, size, start) => {
      const known = start === BPF_HDR_START_MAC || start === BPF_HDR_START_NET;
      if (!known || offset >>> 0 > 0xffff) {
        machine.memory.u8.fill(0, to, to + size);
        return -EFAULT;
      }
      const network = machine.memory.i32[MACHINE_WORD.networkHeader]!;
      const from = start === BPF_HDR_START_MAC ? machine.packet.data : network;
      return load(machine, from, offset, to, size);
    },
  },
  {
    number: 9,
    name: 'bpf_skb_store_bytes',
    arguments: ['context', 'anything', 'memory', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', leaves: 'frame' },
    symbolic: 'exact',
    run: (machine, _context, offset, from, size, flags) => {
      if ((flags & ~(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH)) !== 0 || machine.high(4) !== 0) {
        return -EINVAL;
      }
      const at = offset >>> 0;
      const to = machine.packet.data + at;
      if (at > 0x7fff_ffff || !machine.packet.mayPull(at + size)) return -EFAULT;
      machine.memory.u8.copyWithin(to, from, from + size);
      if ((flags & BPF_F_INVALIDATE_HASH) !== 0) forgetHash(machine);
      return 0;
    },
  },
  {
    number: 39,
    name: 'bpf_skb_pull_data',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, length) => (machine.packet.mayPull(length >>> 0) ? 0 : -ENOMEM),
  },
];
