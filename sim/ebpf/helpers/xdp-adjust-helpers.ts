/** Moving an XDP packet's bounds (net/core/filter.c); the arithmetic is `PacketArea`'s. */
import { type Helper, NO_EFFECTS } from './helper.ts';

export const XDP_ADJUST_HELPERS: readonly Helper[] = [
  {
    number: 44,
    name: 'bpf_xdp_adjust_head',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, delta) => machine.packet.adjustHead(delta),
  },
  {
    number: 65,
    name: 'bpf_xdp_adjust_tail',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, delta) => machine.packet.adjustTail(delta),
  },
  {
    number: 54,
    name: 'bpf_xdp_adjust_meta',
    between: { xdp: [-4095, 0] },
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', adjustsMetadata: true },
    symbolic: 'exact',
    run: (machine, _context, delta) => machine.packet.adjustMeta(delta),
  },
];
