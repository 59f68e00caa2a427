/** Structs of the kernel's interface that helpers write: types of local variables are in no object's BTF, so that they are named by these. */

import { SOCKET } from '../../sim/ebpf/context/socket.ts';

/** A number in the machine's order, unless it says otherwise. */
export interface StructField {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Of which argument, counted from 0, and what lies behind it. */
interface WrittenStruct {
  readonly argument: number;
  readonly fields: readonly StructField[];
}

function field(name: string, offset: number, size: number): StructField {
  return { name, offset, size };
}

const STRUCTS: ReadonlyMap<string, WrittenStruct> = new Map([
  [
    // struct bpf_fib_lookup: what is asked for is the program's own, and MACs are left to their bytes.
    'bpf_fib_lookup',
    {
      argument: 1,
      fields: [field('mtu_result', 6, 2), field('ifindex', 8, 4), field('rt_metric', 12, 4)],
    },
  ],
  [
    // struct bpf_tunnel_key: addresses of IPv4 are in the machine's order here.
    'bpf_skb_get_tunnel_key',
    {
      argument: 1,
      fields: [
        field('tunnel_id', 0, 4),
        field('remote_ipv4', 4, 4),
        field('tunnel_tos', 20, 1),
        field('tunnel_ttl', 21, 1),
        field('tunnel_ext', 22, 2),
        field('tunnel_label', 24, 4),
        field('local_ipv4', 28, 4),
      ],
    },
  ],
  [
    // struct bpf_xfrm_state: what is in the network's order is left to its bytes.
    'bpf_skb_get_xfrm_state',
    { argument: 2, fields: [field('reqid', 0, 4), field('family', 8, 2)] },
  ],
]);

/** `struct bpf_sock`: addresses, and the other end's port, are in the network's order. */
const SOCKET_FIELDS: readonly (StructField & { readonly isBytes: boolean })[] = [
  ...(
    [
      ['bound_dev_if', SOCKET.boundDevIf],
      ['family', SOCKET.family],
      ['type', SOCKET.type],
      ['protocol', SOCKET.protocol],
      ['mark', SOCKET.mark],
      ['priority', SOCKET.priority],
      ['src_port', SOCKET.srcPort],
      ['state', SOCKET.state],
      ['rx_queue_mapping', SOCKET.rxQueueMapping],
    ] as const
  ).map(([name, offset]) => ({ ...field(name, offset, 4), isBytes: false })),
  ...(
    [
      ['src_ip4', SOCKET.srcIp4, 4],
      ['src_ip6', SOCKET.srcIp6, 16],
      ['dst_port', SOCKET.dstPort, 2],
      ['dst_ip4', SOCKET.dstIp4, 4],
      ['dst_ip6', SOCKET.dstIp6, 16],
    ] as const
  ).map(([name, offset, size]) => ({ ...field(name, offset, size), isBytes: true })),
];

/** The field of a socket that a byte lies in. */
export function socketField(at: number): (StructField & { readonly isBytes: boolean }) | undefined {
  return SOCKET_FIELDS.find(({ offset, size }) => at >= offset && at < offset + size);
}

/** The field that a byte lies in of what a helper wrote behind an argument; undefined: none is known. */
export function writtenField(helper: string, argument: number, at: number): StructField | undefined {
  const known = STRUCTS.get(helper);
  if (known?.argument !== argument) return undefined;
  return known.fields.find(({ offset, size }) => at >= offset && at < offset + size);
}
