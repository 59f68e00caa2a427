/** Moving an XDP packet's bounds (net/core/filter.c); the arithmetic is `PacketArea`'s. */
import type { Helper } from './helper.ts';

export const XDP_ADJUST_HELPERS: readonly Helper[] = [
  {
    number: 44,
    name: 'bpf_xdp_adjust_head',
    arguments: ['context', 'anything'],
    returns: 'int',
    only: 'xdp',
    movesPacket: true,
    run: (machine, _context, delta) => machine.packet.adjustHead(delta),
  },
  {
    number: 65,
    name: 'bpf_xdp_adjust_tail',
    arguments: ['context', 'anything'],
    returns: 'int',
    only: 'xdp',
    movesPacket: true,
    run: (machine, _context, delta) => machine.packet.adjustTail(delta),
  },
  {
    number: 54,
    name: 'bpf_xdp_adjust_meta',
    between: { xdp: [-4095, 0] },
    arguments: ['context', 'anything'],
    returns: 'int',
    only: 'xdp',
    movesPacket: true,
    run: (machine, _context, delta) => machine.packet.adjustMeta(delta),
  },
];
