/** `bpf_fib_lookup` as models use it: parameters, results (include/uapi/linux/bpf.h, `struct bpf_fib_lookup`). */

export const AF_INET = 2;
export const AF_INET6 = 10;

export const BPF_FIB_LKUP_RET_SUCCESS = 0;
export const BPF_FIB_LKUP_RET_BLACKHOLE = 1;
export const BPF_FIB_LKUP_RET_UNREACHABLE = 2;
export const BPF_FIB_LKUP_RET_PROHIBIT = 3;
export const BPF_FIB_LKUP_RET_NOT_FWDED = 4;
export const BPF_FIB_LKUP_RET_FWD_DISABLED = 5;
export const BPF_FIB_LKUP_RET_UNSUPP_LWT = 6;
export const BPF_FIB_LKUP_RET_NO_NEIGH = 7;
export const BPF_FIB_LKUP_RET_FRAG_NEEDED = 8;
export const BPF_FIB_LKUP_RET_NO_SRC_ADDR = 9;

/** The in and out parameters of one lookup; reused from call to call. */
export interface FibLookup {
  family: typeof AF_INET | typeof AF_INET6;
  l4Protocol: number;
  sport: number;
  dport: number;
  /** Total length of the packet at layer 3, in bytes; 0: no MTU check. */
  totalLength: number;
  /** In: the ingress ifindex. Out: the egress ifindex of the route that is taken. */
  ifindex: number;
  /** IPv4 TOS, or the IPv6 flow information. */
  tos: number;
  /** 4 or 16 bytes in network order. */
  readonly source: Uint8Array;
  /** In: 4 or 16 bytes in network order. Out: the gateway of the route that is taken, where it has one. */
  readonly destination: Uint8Array;
  /** Out, where a route is taken, but with NO_NEIGH: the MACs to write. */
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
  /** Out, with SUCCESS and FRAG_NEEDED: the MTU. */
  mtu: number;
  /** Out: the metric of the route that is taken; −1 where none is, and `ifindex` and `destination` are as they were. */
  metric: number;
}
