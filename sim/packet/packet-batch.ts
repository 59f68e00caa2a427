/**
 * Stimuli by the thousand: one arena of bytes and typed arrays beside it.
 *
 * Every packet of a run passes through a batch, so nothing here makes an object per packet. The arrays are
 * public on purpose: generators write them and engines read them directly.
 */

import { ETHERTYPE } from './numbers.ts';

/** A VLAN tag that lies beside a frame and not in its bytes: `skb->vlan_proto` and `skb->vlan_tci`. */
export interface SkbVlan {
  /** 0x8100 or 0x88a8; default 0x8100. */
  readonly proto?: number;
  /** Priority, DEI and VLAN id: 16 bits. */
  readonly tci: number;
}

/** The EtherType of a tag that lies beside a frame. */
export function protoOf({ proto = ETHERTYPE.VLAN }: SkbVlan): number {
  return proto;
}

/**
 * What a tunnel device (VXLAN, GENEVE, GRE … with `external`) has taken off a frame: `skb_tunnel_info`, as
 * `bpf_skb_get_tunnel_key` and `bpf_skb_get_tunnel_opt` show it. Absent numbers are 0.
 */
export interface SkbTunnel {
  /** The VNI, or the key: 32 bits. */
  readonly id?: number;
  /** The address that the outer frame came from, IPv4 or IPv6; default: none, of the family of `local`, or of IPv4. */
  readonly remote?: string;
  /** The address that it came to. */
  readonly local?: string;
  readonly tos?: number;
  readonly ttl?: number;
  /** The flow label, 20 bits; of IPv6 alone. */
  readonly label?: number;
  /**
   * `TUNNEL_*` (linux/if_tunnel.h), as BPF_F_TUNINFO_FLAGS shows them. Default: those that `bpf_skb_set_tunnel_key` leaves, which is
   * what a test run can give a frame.
   */
  readonly flags?: number;
  /** Bytes in hexadecimal, a multiple of 4 and at most 252; absent: there are none, and the flags do not speak of any. */
  readonly options?: string;
}

/** Fields of `__sk_buff` that a TC frame comes with; absent ones are 0. */
export interface SkbInput {
  readonly mark?: number;
  readonly priority?: number;
  /** Of a frame on its way out that came in before, as forwarded ones did: by which device. Default: 0, it is this host's own. */
  readonly ingressIfindex?: number;
  /** `cb[0]` to `cb[4]`; fewer: the rest is 0. */
  readonly cb?: readonly number[];
  /** Nanoseconds. */
  readonly tstamp?: bigint;
  /** At least the frame's length; default: that. */
  readonly wireLen?: number;
  /** At most 65535. */
  readonly gsoSegs?: number;
  /** Not 0: the frame is one that the device cuts into segments of so many bytes of payload. */
  readonly gsoSize?: number;
  /** Nanoseconds. */
  readonly hwtstamp?: bigint;
  /** The tag that the kernel, or the device, took out of the frame (net/core/dev.c), or has yet to put in. */
  readonly vlan?: SkbVlan;
  /** 16 bits, 0xffff excepted, which stands for no queue. */
  readonly queueMapping?: number;
  /** 16 bits. */
  readonly tcIndex?: number;
  /** 16 bits. */
  readonly tcClassid?: number;
  /** The device's hash over the flow; 0: it gave none. */
  readonly hash?: number;
  /** What the tunnel that it came out of is known to have been; absent: it came out of none. */
  readonly tunnel?: SkbTunnel;
  /**
   * Bytes of the frame between `data` and `data_end`: at least its Ethernet header. The rest lies in pages of its own, as the
   * payload of TCP from a local socket does, where only helpers get at it. Default: the whole frame.
   */
  readonly linear?: number;
  /** Has it none, as every frame that came in by a device? Default: that of a test run. */
  readonly noSocket?: boolean;
}

/** The ifindex `BPF_PROG_TEST_RUN` presents when none is given: the loopback device (net/bpf/test_run.c). */
export const DEFAULT_INGRESS_IFINDEX = 1;

export class PacketBatch {
  /** The arena. A packet's metadata lies directly before its frame, as it does in the kernel. */
  bytes: Uint8Array;
  /** Where each frame starts in `bytes` (behind its metadata). */
  readonly offset: Uint32Array;
  /** Length of each frame in bytes, metadata not included. */
  readonly length: Uint32Array;
  /** Bytes of metadata directly before each frame: a multiple of 4, at most 252. */
  readonly metaLength: Uint8Array;
  readonly ingressIfindex: Uint32Array;
  readonly rxQueueIndex: Uint32Array;
  /** Which of the program's entries runs: an index into `Program.entries`. */
  readonly entry: Uint8Array;
  /** What TC frames come with beside their bytes; most packets come with nothing and are absent. */
  readonly skb: Map<number, SkbInput> = new Map();
  /** How many packets the batch holds. */
  count = 0;
  /** How many bytes of the arena are taken. */
  used = 0;

  /**
   * @param capacity how many packets fit at the most
   * @param arenaBytes how large the arena is to begin with; it grows when a packet does not fit
   */
  constructor(capacity: number, arenaBytes: number = capacity * 256) {
    this.bytes = new Uint8Array(arenaBytes);
    this.offset = new Uint32Array(capacity);
    this.length = new Uint32Array(capacity);
    this.metaLength = new Uint8Array(capacity);
    this.ingressIfindex = new Uint32Array(capacity);
    this.rxQueueIndex = new Uint32Array(capacity);
    this.entry = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.offset.length;
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    if (this.skb.size > 0) this.skb.clear();
  }

  /** Makes room for `size` more bytes and returns where they start; nothing is taken before `commit`. */
  reserve(size: number): number {
    this.#grow(this.used + size, this.used);
    return this.used;
  }

  /**
   * Fills in what packets consist of that were committed before their bytes were here, from place `from` of the arena on: the first
   * `length` of these bytes.
   */
  fillIn(from: number, bytes: Uint8Array, length: number): void {
    this.#grow(from + length, from);
    this.bytes.set(bytes.subarray(0, length), from);
  }

  /** Makes the arena at least so large; of what it holds, the first `kept` bytes stay. */
  #grow(needed: number, kept: number): void {
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, kept));
    this.bytes = grown;
  }

  /**
   * Takes the bytes written at `used` as one packet: first `metaLength` bytes of metadata, then `length` bytes
   * of frame. The queue is the default; set it in the array afterwards.
   * @returns the packet's index
   */
  commit(
    length: number,
    metaLength: number = 0,
    ingressIfindex: number = DEFAULT_INGRESS_IFINDEX,
    entry: number = 0,
  ): number {
    const index = this.count;
    if (index >= this.offset.length) throw new RangeError(`a batch of ${this.offset.length} packets is full`);
    this.offset[index] = this.used + metaLength;
    this.length[index] = length;
    this.metaLength[index] = metaLength;
    this.ingressIfindex[index] = ingressIfindex;
    this.rxQueueIndex[index] = 0;
    this.entry[index] = entry;
    this.used += metaLength + length;
    this.count = index + 1;
    return index;
  }

  /** Copies one packet in; returns its index. For captures and single cases: generators use reserve and commit. */
  push(stimulus: Stimulus): number {
    const metadata = stimulus.metadata;
    const metaLength = metadata?.length ?? 0;
    const at = this.reserve(metaLength + stimulus.packet.length);
    if (metadata !== undefined) this.bytes.set(metadata, at);
    this.bytes.set(stimulus.packet, at + metaLength);
    const index = this.commit(stimulus.packet.length, metaLength, stimulus.ingressIfindex, stimulus.entry);
    this.rxQueueIndex[index] = stimulus.rxQueueIndex ?? 0;
    if (stimulus.skb !== undefined) this.skb.set(index, stimulus.skb);
    return index;
  }

  /** Copies metadata and frame of a packet of another batch, the rest being the default; returns its index. */
  pushFrom(from: PacketArena, index: number): number {
    const metaLength = from.metaLength[index]!;
    const length = from.length[index]!;
    const start = from.offset[index]! - metaLength;
    const at = this.reserve(metaLength + length);
    this.bytes.set(from.bytes.subarray(start, start + metaLength + length), at);
    return this.commit(length, metaLength);
  }

  /** One packet as a value of its own, for people, shrinking and saving. */
  stimulus(index: number): Stimulus {
    const offset = this.offset[index]!;
    const metaLength = this.metaLength[index]!;
    const skb = this.skb.get(index);
    return {
      packet: this.bytes.slice(offset, offset + this.length[index]!),
      ...(metaLength > 0 ? { metadata: this.bytes.slice(offset - metaLength, offset) } : {}),
      ingressIfindex: this.ingressIfindex[index]!,
      rxQueueIndex: this.rxQueueIndex[index]!,
      entry: this.entry[index]!,
      ...(skb === undefined ? {} : { skb }),
    };
  }
}

/** Where the packets of a batch lie, of stimuli or of outcomes. */
export type PacketArena = Pick<PacketBatch, 'bytes' | 'offset' | 'length' | 'metaLength'>;

/** One input of a program, as a value. Absent fields have the defaults that `BPF_PROG_TEST_RUN` has. */
export interface Stimulus {
  readonly packet: Uint8Array;
  /** XDP metadata in front of the packet: a multiple of 4 bytes. */
  readonly metadata?: Uint8Array;
  /** Default 1, the loopback device. */
  readonly ingressIfindex?: number;
  /** Default 0. */
  readonly rxQueueIndex?: number;
  /** Which of the program's entries runs; default 0, the first. */
  readonly entry?: number;
  /** TC: what the frame comes with beside its bytes. */
  readonly skb?: SkbInput;
}
