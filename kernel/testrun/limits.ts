/** What `BPF_PROG_TEST_RUN` does not take (net/bpf/test_run.c), so that it can be said before it is tried. */
import type { Refusal, RefusalReason } from '../../sim/engines/engine.ts';
import {
  badSkb,
  inPieces,
  longMetadata,
  noSuchEntry,
  noSuchQueue,
  oddMetadata,
  taggedAtIngress,
  tooLong,
  tooShort,
} from '../../sim/engines/refusal-rules.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';

/** `bpf_test_init`: an Ethernet header has to be there. */
export const MIN_FRAME = 14;
/** PAGE_SIZE less headroom (256) and `skb_shared_info` (320): what lies behind is a fragment that most programs cannot see. */
export const MAX_XDP_FRAME = 3520;
/** With fragments a test run takes up to 73,152 bytes, but helpers count in 16 bits. */
export const MAX_FRAGS_FRAME = 65_536;
/** PAGE_SIZE less NET_SKB_PAD, NET_IP_ALIGN and `skb_shared_info`. */
export const MAX_TC_FRAME = 3712;

/**
 * More than any frame with its metadata that can come out: XDP stays within its page, or the page of its last fragment,
 * TC within the loopback device's MTU.
 */
export const XDP_ROOM = 4096;
export const FRAGS_ROOM: number = 65_536 + 8192;
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
export type EntryKind = {
  readonly hook: Hook;
  readonly after?: string | undefined;
  readonly frags?: boolean | undefined;
};

/** @returns undefined, or the first packet that the kernel would refuse, and why */
export function firstRefusal(
  entries: readonly EntryKind[],
  batch: PacketBatch,
  limits: Limits,
): Refusal | undefined {
  for (let packet = 0; packet < batch.count; packet++) {
    const hook = entries[batch.entry[packet]!]?.hook ?? 'xdp';
    const reason = refusalReason(entries, batch, packet, limits) ?? taggedAtIngress(hook, batch, packet);
    if (reason !== undefined) return { packet, ...reason };
  }
  return undefined;
}

/** Why the kernel refuses one packet; undefined where it does not. */
export function refusalReason(
  entries: readonly EntryKind[],
  batch: PacketBatch,
  packet: number,
  limits: Limits,
): RefusalReason | undefined {
  const entry = entries[batch.entry[packet]!];
  const length = batch.length[packet]!;
  const metaLength = batch.metaLength[packet]!;
  if (entry === undefined) return noSuchEntry(batch.entry[packet]!);
  const { hook, after, frags } = entry;
  if (after !== undefined)
    return { rule: 'programs that run one after the other can be tested only with --live' };
  if (length < MIN_FRAME) return tooShort(MIN_FRAME, length);
  // Every device that a world can state has one queue, and so has the loopback device.
  if (batch.rxQueueIndex[packet] !== 0) return noSuchQueue(batch.rxQueueIndex[packet]!);
  if (hook === 'xdp') {
    if (frags !== true && length > MAX_XDP_FRAME) return inPieces(length);
    if (length > MAX_FRAGS_FRAME) return tooLong(MAX_FRAGS_FRAME, length);
    if (metaLength % 4 !== 0) return oddMetadata(metaLength);
    if (metaLength > limits.maxMetadata) return longMetadata(limits.maxMetadata, metaLength);
    return badSkb(hook, batch, packet);
  }
  if (metaLength > 0) return { rule: 'metadata can be tested on TC only with --live' };
  if (length > MAX_TC_FRAME) return tooLong(MAX_TC_FRAME, length);
  const linear = batch.skb.size === 0 ? undefined : batch.skb.get(packet)?.linear;
  if (linear !== undefined && linear < length)
    return { rule: 'a test run gives a TC program frames that are linear as a whole' };
  const at = batch.offset[packet]! + 12;
  const etherType = (batch.bytes[at]! << 8) | batch.bytes[at + 1]!;
  if (etherType === ETH_P_IP && length < MIN_IPV4_FRAME) {
    return truncated('IPv4', length);
  }
  if (etherType === ETH_P_IPV6 && length < MIN_IPV6_FRAME) {
    return truncated('IPv6', length);
  }
  return badSkb(hook, batch, packet);
}

function truncated(protocol: string, length: number): RefusalReason {
  return {
    rule: `truncated ${protocol} headers can be tested on TC only with --live`,
    detail: `this frame has ${length} bytes`,
  };
}
