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

/** Of `bpf_check_mtu`: longer than the device takes. */
export const BPF_MTU_CHK_RET_FRAG_NEEDED = 1;
export const BPF_MTU_CHK_RET_SEGS_TOOBIG = 2;

/** Table main alone is asked. */
export const BPF_FIB_LOOKUP_DIRECT = 1;
/** The device that is asked about is that of egress. */
export const BPF_FIB_LOOKUP_OUTPUT = 2;
/** Nobody asks for MAC addresses, and none are written. */
export const BPF_FIB_LOOKUP_SKIP_NEIGH = 4;
/** The parameters name a table. */
export const BPF_FIB_LOOKUP_TBID = 8;
/** The source address is asked for. */
export const BPF_FIB_LOOKUP_SRC = 16;
/** The parameters have a mark, for routing rules, of which a world has none. */
export const BPF_FIB_LOOKUP_MARK = 32;

/** Offsets in `struct bpf_fib_lookup` (include/uapi/linux/bpf.h). */
export const FIB_PARAMETER = {
  family: 0,
  l4Protocol: 1,
  /** Network order. */
  sport: 2,
  dport: 4,
  /** In: length for the MTU check; out: the MTU. */
  totalLength: 6,
  ifindex: 8,
  /** In: u8 for IPv4, flow label and class in network order for IPv6. Out: the route's metric. */
  tos: 12,
  source: 16,
  destination: 32,
  vlanProto: 48,
  vlanTci: 50,
  sourceMac: 52,
  destinationMac: 58,
} as const;

/** What a lookup says of routes that let nothing through. */
export const REJECTIONS = {
  blackhole: BPF_FIB_LKUP_RET_BLACKHOLE,
  unreachable: BPF_FIB_LKUP_RET_UNREACHABLE,
  prohibit: BPF_FIB_LKUP_RET_PROHIBIT,
} as const;

/** The type of route that a lookup answers with this result; undefined: none that rejects. */
export function rejectingType(result: number): keyof typeof REJECTIONS | undefined {
  const types = Object.keys(REJECTIONS) as (keyof typeof REJECTIONS)[];
  return types.find((type) => REJECTIONS[type] === result);
}

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
  /** BPF_FIB_LOOKUP_DIRECT: table main alone is asked. Default: no. */
  direct?: boolean;
  /** BPF_FIB_LOOKUP_OUTPUT: `ifindex` is the device of egress that is asked for. Default: no. */
  output?: boolean;
  /** BPF_FIB_LOOKUP_SKIP_NEIGH: nobody asks for MACs, and none are written. Default: no. */
  skipsNeighbour?: boolean;
}
