/**
 * What a model sees while it runs one packet: the counterpart of `struct xdp_md` and `struct __sk_buff` with the
 * eBPF helpers as methods. One context is made per session and reused for every packet.
 */
import type { SkbVlan } from '../packet/packet-batch.ts';
import type { Hook } from './actions.ts';
import type { FibLookup } from './fib.ts';
import type { ModelMap } from './model-map.ts';
import type { World } from './world.ts';

/** The packet under work. `data_meta ≤ data ≤ data_end` are offsets into `bytes`, as they are in the kernel. */
export interface Frame {
  readonly bytes: Uint8Array;
  dataMeta: number;
  data: number;
  dataEnd: number;
}

/** The `__sk_buff` fields that outcomes show. */
export interface SkbOutcome {
  mark: number;
  priority: number;
  /** `cb[0..4]`. */
  readonly cb: Uint32Array;
  /** Nanoseconds: when the frame is to be sent, where somebody said so. */
  tstamp: bigint;
}

/** The `__sk_buff` fields that a TC program can read and change without touching packet bytes; its hash has methods. */
export interface SkbFields extends SkbOutcome {
  /** The device that the frame came in by: at egress that of a forwarded frame, else 0. */
  ingressIfindex: number;
  /** The tag that lies beside the frame (`vlan_present`, `vlan_proto`, `vlan_tci`); undefined: none. */
  vlan: SkbVlan | undefined;
  queueMapping: number;
  tcIndex: number;
  tcClassid: number;
}

export interface ModelContext {
  readonly hook: Hook;
  readonly frame: Frame;
  readonly ingressIfindex: number;
  readonly rxQueueIndex: number;
  /** Meaningful for TC entries only. */
  readonly skb: SkbFields;
  readonly world: World;

  /** @throws {RangeError} when the program declares no map of that name */
  map(name: string): ModelMap;
  /** A little-endian read-only global of the world as a number of at most 32 bits, or `otherwise` where the world sets none. */
  global(name: string, otherwise: number): number;
  /** A read-only global of the world as bytes. */
  globalBytes(name: string): Uint8Array | undefined;

  /**
   * What all of the kernel's clocks show while this packet runs, in nanoseconds (`bpf_ktime_get_ns` and its kin): the
   * world's `time`, moved on by its `tick` from packet to packet.
   */
  readonly time: bigint;
  /** The CPU that the program runs on (`bpf_get_smp_processor_id`). */
  readonly cpu: number;
  /** `bpf_get_prandom_u32`: the next number of the sequence that the world's `randomSeed` gives. */
  random(): number;
  /** TC, `bpf_get_hash_recalc`: the hash that the frame has, or gets; the same for the same flow. */
  flowHash(): number;
  /** TC, `bpf_set_hash`. */
  setHash(hash: number): void;
  /** TC, `bpf_set_hash_invalid`: the next question makes a new one. */
  forgetHash(): void;

  /** One line of `bpf_printk`, without the newline. */
  trace(line: string): void;
  /** `bpf_redirect`: XDP_REDIRECT (TC: TC_ACT_REDIRECT), or XDP_ABORTED for flags that XDP refuses. */
  redirect(ifindex: number, flags?: number): number;
  /** `bpf_redirect_map` on a device map with a u32 key: XDP_REDIRECT, or the low two bits of `flags` on a miss. */
  redirectMap(map: string, key: number, flags?: number): number;
  /** `bpf_fib_lookup`: fills `lookup`, returns BPF_FIB_LKUP_RET_* or a negative errno. */
  fibLookup(lookup: FibLookup): number;
  /** `bpf_xdp_adjust_head`: 0, or -EINVAL with nothing changed. */
  adjustHead(delta: number): number;
  /** `bpf_xdp_adjust_tail`: 0, or -EINVAL with nothing changed. */
  adjustTail(delta: number): number;
  /** `bpf_xdp_adjust_meta`: 0, -EINVAL or -EACCES with nothing changed. */
  adjustMeta(delta: number): number;
}
