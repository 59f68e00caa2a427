/**
 * Kernel functions that look for what a network has learned or been told: connections (net/netfilter/nf_conntrack_bpf.c),
 * flows (net/netfilter/nf_flow_table_bpf.c), IPsec states (net/xfrm/xfrm_state_bpf.c). In a network of a run's own there are
 * none, so each finds nothing, and says so in its options as the kernel does.
 */
import { EAFNOSUPPORT, EINVAL, ENOENT, ENONET, EPROTO } from '../../runtime/errno.ts';
import { AF_INET, AF_INET6 } from '../../runtime/fib.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/** `struct bpf_ct_opts`, as it is and as it was without zones. */
const CT = {
  netnsId: 0,
  error: 4,
  l4Protocol: 8,
  zoneId: 10,
  reserved: 13,
  size: 16,
  shortSize: 12,
} as const;
/** `struct bpf_sock_tuple`: the halves for IPv4 and IPv6. */
const TUPLE_SIZES: readonly number[] = [12, 36];
/** `struct bpf_xfrm_state_opts` */
const XFRM = { error: 0, netnsId: 4, size: 36 } as const;
/** `BPF_F_CURRENT_NETNS` */
const CURRENT_NETNS = -1;

/** Why there is no connection, as a negative errno. */
function connectionError(machine: Machine, tupleSize: number, options: number, size: number): number {
  const { view, u8 } = machine.memory;
  if (size !== CT.size && size !== CT.shortSize) return -EINVAL;
  if (size === CT.size && (u8[options + CT.reserved]! | view.getUint16(options + CT.reserved + 1)) !== 0)
    return -EINVAL;
  if (size === CT.shortSize && view.getUint16(options + CT.zoneId) !== 0) return -EINVAL;
  const protocol = u8[options + CT.l4Protocol]!;
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return -EPROTO;
  const netns = view.getInt32(options + CT.netnsId, true);
  if (netns < CURRENT_NETNS) return -EINVAL;
  if (!TUPLE_SIZES.includes(tupleSize)) return -EAFNOSUPPORT;
  // No namespace has been given a number here.
  return netns >= 0 ? -ENONET : -ENOENT;
}

/** The kernel has each of both for XDP and TC, and refuses the wrong one for its context. */
function connectionLookup(name: string): Helper {
  return {
    number: 0,
    name,
    arguments: ['context', 'memory_inout', 'size', 'memory_inout', 'size'],
    returns: 'kernel_struct_or_null',
    note: 'finds no connection',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null', dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, _tuple, tupleSize, options, size) => {
      if (size >= CT.error + 4) {
        machine.memory.setU32(options + CT.error, connectionError(machine, tupleSize, options, size));
      }
      return 0;
    },
  };
}

function release(name: string, hooks: Helper['rules']['hooks']): Helper {
  return {
    number: 0,
    name,
    arguments: ['socket_or_struct'],
    returns: 'void',
    rules: { hooks, license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases pointer' },
    symbolic: 'exact',
    run: () => 0,
  };
}

/** `bpf_xdp_get_xfrm_state` */
function stateError(machine: Machine, options: number, size: number): number {
  if (size !== XFRM.size) return -EINVAL;
  const netns = machine.memory.view.getInt32(options + XFRM.netnsId, true);
  if (netns < CURRENT_NETNS) return -EINVAL;
  return netns >= 0 ? -ENONET : -ENOENT;
}

export const CONNECTION_FUNCTIONS: readonly Helper[] = [
  connectionLookup('bpf_xdp_ct_lookup'),
  connectionLookup('bpf_skb_ct_lookup'),
  release('bpf_ct_release', 'both'),
  {
    number: 0,
    name: 'bpf_xdp_get_xfrm_state',
    arguments: ['context', 'memory_inout', 'size'],
    returns: 'kernel_struct_or_null',
    note: 'finds no state',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null', dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, options, size) => {
      if (size >= XFRM.error + 4)
        machine.memory.setU32(options + XFRM.error, stateError(machine, options, size));
      return 0;
    },
  },
  release('bpf_xdp_xfrm_state_release', 'xdp'),
  {
    number: 0,
    name: 'bpf_xdp_flow_lookup',
    arguments: ['context', 'fib_tuple', 'u32_inout', 'anything'],
    returns: 'kernel_struct_or_null',
    note: 'finds no flow',
    rules: { hooks: 'xdp', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, tuple, options, size) => {
      const family = machine.memory.u8[tuple]!;
      const known = family === AF_INET || family === AF_INET6;
      // `struct bpf_flowtable_opts` is its error alone.
      const error = size !== 4 ? -EINVAL : known ? -ENOENT : -EAFNOSUPPORT;
      machine.memory.setU32(options, error);
      return 0;
    },
  },
];
