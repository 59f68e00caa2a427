/**
 * Redirects (net/core/filter.c). A helper only notes where to; what becomes of the frame is decided by the action
 * that the program returns.
 */
import { TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_ABORTED, XDP_REDIRECT } from '../../runtime/actions.ts';
import { EBADMSG, EINVAL } from '../../runtime/errno.ts';
import { mtuOf } from '../../runtime/route-entry.ts';
import { isGso } from '../context/sk-buff.ts';
import type { Machine } from '../machine.ts';
import { DeviceHashMap } from '../maps/device-hash-map.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { SlotMap } from '../maps/slot-map.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** The lower bits of the flags of `bpf_redirect_map`: what is returned on a miss. */
const ACTION_MASK = 3;
const BPF_F_BROADCAST = 8;
const BPF_F_EXCLUDE_INGRESS = 16;
/** The only flag of `bpf_redirect` that users may set. */
const BPF_F_INGRESS = 1;

const LOOPBACK_IFINDEX = 1;
/** What a frame may have beyond the MTU: an Ethernet header with a tag (net/core/dev.c, `is_skb_forwardable`). */
const LINK_HEADER = 14 + 4;
/** include/linux/netdevice.h */
const NET_XMIT_DROP = 1;

/** `bpf_xdp_redirect`: XDP knows no flags. */
function redirectXdp(machine: Machine, ifindex: number, flags: number): number {
  if (flags !== 0 || machine.high(1) !== 0) return XDP_ABORTED;
  machine.redirect(ifindex, 0);
  return XDP_REDIRECT;
}

/** `bpf_redirect` of TC. */
function redirectTc(machine: Machine, ifindex: number, flags: number): number {
  if ((flags & ~BPF_F_INGRESS) !== 0 || machine.high(1) !== 0) return TC_ACT_SHOT;
  machine.redirect(ifindex, flags);
  return TC_ACT_REDIRECT;
}

/** What a map of targets says of a key: the ifindex, the CPU, the queue; undefined: nothing. */
function target(machine: Machine, map: LiveMap, key: number): number | undefined {
  if (map instanceof SlotMap) {
    const slot = map.lookupIndex(key >>> 0);
    if (slot === 0) return undefined;
    // CPU maps and socket maps lead to the key itself: the CPU, the queue.
    return map.definition.type === 'DEVMAP' ? machine.memory.u32(slot) : key >>> 0;
  }
  if (map instanceof DeviceHashMap) {
    const value = map.lookupKey(key);
    return value === 0 ? undefined : machine.memory.u32(value);
  }
  return undefined;
}

/** `__bpf_xdp_redirect_map`. */
function redirectMap(machine: Machine, mapAddress: number, key: number, flags: number): number {
  const map = machine.mapAt(mapAddress);
  const isDevices = map.definition.type === 'DEVMAP' || map.definition.type === 'DEVMAP_HASH';
  const known =
    ACTION_MASK |
    (isDevices && machine.kernel.redirectMapBroadcasts ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0);
  if ((flags & ~known) !== 0 || machine.high(2) !== 0) return XDP_ABORTED;
  // A key is 64 bits wide for the helper, 32 for the map.
  const found = target(machine, map, key);
  const broadcast = (flags & BPF_F_BROADCAST) !== 0;
  if (found === undefined && !broadcast) {
    machine.redirect(0, 0);
    return flags & ACTION_MASK;
  }
  machine.redirect(broadcast ? 0 : found!, flags);
  return XDP_REDIRECT;
}

/** What becomes of a copy that is to go to a device (`bpf_clone_redirect`). */
function copyResult(machine: Machine, ifindex: number, flags: number): number {
  if (ifindex === LOOPBACK_IFINDEX) return 0;
  const device = machine.world.devices?.find((one) => one.ifindex === ifindex);
  if (device === undefined) return -EINVAL;
  // Devices are veths: a frame too long for its peer is dropped while it is sent (drivers/net/veth.c, veth_xmit).
  const most = mtuOf(device) + LINK_HEADER;
  return (flags & BPF_F_INGRESS) === 0 && machine.packet.length > most ? NET_XMIT_DROP : 0;
}

export const REDIRECT_HELPERS: readonly Helper[] = [
  {
    number: 23,
    name: 'bpf_redirect',
    arguments: ['anything', 'anything'],
    returns: 'int',
    between: { xdp: [XDP_ABORTED, XDP_REDIRECT], tc: [TC_ACT_SHOT, TC_ACT_REDIRECT] },
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, redirects: true },
    symbolic: 'exact',
    run: (machine, ifindex, flags) =>
      machine.hook === 'xdp' ? redirectXdp(machine, ifindex, flags) : redirectTc(machine, ifindex, flags),
  },
  {
    number: 51,
    name: 'bpf_redirect_map',
    arguments: ['map', 'anything', 'anything'],
    returns: 'int',
    between: { xdp: [XDP_ABORTED, XDP_REDIRECT] },
    maps: ['DEVMAP', 'DEVMAP_HASH', 'CPUMAP', 'XSKMAP'],
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, redirects: true },
    symbolic: 'exact',
    run: redirectMap,
  },
  {
    number: 155,
    name: 'bpf_redirect_peer',
    arguments: ['anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, redirects: true },
    symbolic: 'exact',
    run: (machine, ifindex, flags) => {
      if (flags !== 0 || machine.high(1) !== 0) return TC_ACT_SHOT;
      machine.redirect(ifindex, 0);
      return TC_ACT_REDIRECT;
    },
  },
  {
    number: 152,
    name: 'bpf_redirect_neigh',
    arguments: ['anything', 'memory_or_null', 'size_or_zero', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, redirects: true },
    symbolic: 'exact',
    run: (machine, ifindex, _parameters, size, flags) => {
      // struct bpf_redir_neigh has 20 bytes.
      if ((size !== 0 && size < 20) || flags !== 0 || machine.high(3) !== 0) return TC_ACT_SHOT;
      machine.redirect(ifindex, 0);
      return TC_ACT_REDIRECT;
    },
  },
  {
    number: 13,
    name: 'bpf_clone_redirect',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', dependsOn: ['network'], redirects: true, leaves: 'copy' },
    symbolic: 'any value',
    run: (machine, _context, ifindex, flags) => {
      if ((flags & ~BPF_F_INGRESS) !== 0 || machine.high(2) !== 0) return -EINVAL;
      if (isGso(machine.memory)) return -EBADMSG;
      machine.sendCopy(ifindex, flags);
      return copyResult(machine, ifindex, flags);
    },
  },
];
