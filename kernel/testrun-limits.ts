/** What `BPF_PROG_TEST_RUN` does not take (net/bpf/test_run.c), so that it can be said before it is tried. */
import type { Refusal } from '../sim/engines/engine.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';

/** `bpf_test_init`: an Ethernet header has to be there. */
export const MIN_FRAME = 14;
/** PAGE_SIZE less headroom (256) and `skb_shared_info` (320): what lies behind is a fragment that most programs cannot see. */
export const MAX_XDP_FRAME = 3520;
/** PAGE_SIZE less NET_SKB_PAD, NET_IP_ALIGN and `skb_shared_info`. */
export const MAX_TC_FRAME = 3712;

/** More than any frame with its metadata that can come out: XDP stays within its page, TC within the loopback device's MTU. */
export const XDP_ROOM = 4096;
export const TC_ROOM: number = 65_536 + 256;

/** `bpf_prog_test_run_skb` sets the network header up and insists on a whole fixed header behind these EtherTypes. */
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const MIN_IPV4_FRAME = 34;
const MIN_IPV6_FRAME = 54;

export interface Limits {
  /** Bytes; depends on the kernel: 32 on Linux 6.1, 216 on 6.12. */
  readonly maxMetadata: number;
}

/** All that decides of an entry. */
export type EntryKind = { readonly hook: Hook; readonly after?: string | undefined };

/** @returns undefined, or the first packet that the kernel would refuse, and why */
export function firstRefusal(
  entries: readonly EntryKind[],
  batch: PacketBatch,
  limits: Limits,
): Refusal | undefined {
  for (let packet = 0; packet < batch.count; packet++) {
    const reason = refusalReason(entries, batch, packet, limits);
    if (reason !== undefined) return { packet, reason };
  }
  return undefined;
}

/** Why the kernel refuses one packet; undefined where it does not. */
export function refusalReason(
  entries: readonly EntryKind[],
  batch: PacketBatch,
  packet: number,
  limits: Limits,
): string | undefined {
  const entry = entries[batch.entry[packet]!];
  const length = batch.length[packet]!;
  const metaLength = batch.metaLength[packet]!;
  if (entry === undefined) return `the program has no entry ${batch.entry[packet]}`;
  const { hook, after } = entry;
  if (after !== undefined) return 'a test run cannot hand on what XDP leaves for TC: only live frames can';
  if (length < MIN_FRAME) return `a frame has at least ${MIN_FRAME} bytes, this one has ${length}`;
  // Every device that a world can state has one queue, and so has the loopback device.
  if (batch.rxQueueIndex[packet] !== 0)
    return `the device has no receive queue ${batch.rxQueueIndex[packet]}`;
  if (hook === 'xdp') {
    if (length > MAX_XDP_FRAME)
      return `an XDP frame has at most ${MAX_XDP_FRAME} bytes, this one has ${length}`;
    if (metaLength % 4 !== 0) return `metadata comes in multiples of 4 bytes, not ${metaLength}`;
    if (metaLength > limits.maxMetadata) {
      return `this kernel takes at most ${limits.maxMetadata} bytes of metadata, not ${metaLength}`;
    }
    return undefined;
  }
  if (metaLength > 0) return 'a TC program gets no metadata from a test run, only live';
  if (length > MAX_TC_FRAME) return `a TC frame has at most ${MAX_TC_FRAME} bytes, this one has ${length}`;
  const at = batch.offset[packet]! + 12;
  const etherType = (batch.bytes[at]! << 8) | batch.bytes[at + 1]!;
  if (etherType === ETH_P_IP && length < MIN_IPV4_FRAME) {
    return `a cut-off IPv4 header (a frame of ${length} bytes) reaches a TC program only live`;
  }
  if (etherType === ETH_P_IPV6 && length < MIN_IPV6_FRAME) {
    return `a cut-off IPv6 header (a frame of ${length} bytes) reaches a TC program only live`;
  }
  return undefined;
}
