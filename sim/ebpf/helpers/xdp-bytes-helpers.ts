/** Reading and writing an XDP frame through helpers, fragments included (net/core/filter.c). */
import { EFAULT, EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** The kernel keeps offsets and sizes in 16 bits. */
const LARGEST = 0xffff;

/** Address of `size` bytes at `offset` of the frame, or a negative errno (`bpf_xdp_pointer`). */
export function locate(machine: Machine, offset: number, size: number): number {
  const at = offset >>> 0;
  if (at > LARGEST || size > LARGEST) return -EFAULT;
  return at + size > machine.packet.length ? -EINVAL : machine.packet.data + at;
}

export const XDP_BYTES_HELPERS: readonly Helper[] = [
  {
    number: 188,
    name: 'bpf_xdp_get_buff_len',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    run: (machine) => machine.packet.length,
  },
  {
    number: 189,
    name: 'bpf_xdp_load_bytes',
    arguments: ['context', 'anything', 'memory_out', 'size'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'exact',
    run: (machine, _context, offset, to, size) => {
      const from = locate(machine, offset, size);
      if (from < 0) return from;
      machine.memory.u8.copyWithin(to, from, from + size);
      return 0;
    },
  },
  {
    number: 190,
    name: 'bpf_xdp_store_bytes',
    arguments: ['context', 'anything', 'memory', 'size'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine, _context, offset, from, size) => {
      const to = locate(machine, offset, size);
      if (to < 0) return to;
      machine.memory.u8.copyWithin(to, from, from + size);
      return 0;
    },
  },
];
