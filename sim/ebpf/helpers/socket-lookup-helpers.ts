/**
 * Lookups of sockets (net/core/filter.c, `__bpf_skc_lookup`): they find those of the world, in the program's own
 * network namespace; it knows no other by a number.
 */
import { IPPROTO_TCP, IPPROTO_UDP } from '../../runtime/sockets.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { XDP_MD } from '../context/xdp-md.ts';
import type { Machine } from '../machine.ts';
import { CONTEXT_BASE } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import type { ReturnType } from './return-types.ts';

/** Bytes of the two forms of `struct bpf_sock_tuple`: source, destination, and their ports. */
const IPV4_TUPLE = 12;
const IPV6_TUPLE = 36;

function find(
  machine: Machine,
  protocol: typeof IPPROTO_TCP | typeof IPPROTO_UDP,
  tuple: number,
  size: number,
  netns: number,
  flags: number,
): number {
  if ((size !== IPV4_TUPLE && size !== IPV6_TUPLE) || (flags | machine.high(4)) !== 0) return 0;
  // A number that is negative as an int means the own namespace, whatever its upper half: others have no number here.
  if (netns >= 0) return 0;
  const { u8, view } = machine.memory;
  const length = size === IPV4_TUPLE ? 4 : 16;
  const ifindex = machine.hook === 'xdp' ? XDP_MD.ingressIfindex : SK_BUFF.ifindex;
  const found = machine.sockets.table.find({
    protocol,
    source: u8.subarray(tuple, tuple + length),
    destination: u8.subarray(tuple + length, tuple + 2 * length),
    sport: view.getUint16(tuple + 2 * length),
    dport: view.getUint16(tuple + 2 * length + 2),
    ifindex: machine.memory.u32(CONTEXT_BASE + ifindex),
  });
  return found < 0 ? 0 : machine.sockets.addressOf(found);
}

function lookup(
  number: number,
  name: string,
  protocol: typeof IPPROTO_TCP | typeof IPPROTO_UDP,
  returns: ReturnType,
): Helper {
  return {
    number,
    name,
    arguments: ['context', 'memory', 'size_or_zero', 'anything', 'anything'],
    returns,
    note: 'finds the sockets of the world, which are open in the kernel engines',
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null', dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, tuple, size, netns, flags) => find(machine, protocol, tuple, size, netns, flags),
  };
}

export const SOCKET_LOOKUP_HELPERS: readonly Helper[] = [
  lookup(84, 'bpf_sk_lookup_tcp', IPPROTO_TCP, 'socket_or_null'),
  lookup(85, 'bpf_sk_lookup_udp', IPPROTO_UDP, 'socket_or_null'),
  lookup(99, 'bpf_skc_lookup_tcp', IPPROTO_TCP, 'common_socket_or_null'),
];
