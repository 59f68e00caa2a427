/** Why an engine does not take a packet, for what more than one engine refuses. */
import { XDP_LINEAR_LIMIT } from '../ebpf/memory.ts';
import { isTunnelOverIpv6, MOST_OPTIONS } from '../ebpf/tunnel-info.ts';
import { isTag } from '../packet/numbers.ts';
import type { PacketBatch, SkbInput, SkbTunnel } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import type { RefusalReason } from './engine.ts';

export function noSuchEntry(entry: number): RefusalReason {
  return { rule: 'the program has no such entry', detail: `the packet names entry ${entry}` };
}

/** @param least bytes */
export function tooShort(least: number, length: number): RefusalReason {
  return { rule: `a frame needs at least ${least} bytes`, detail: `this one has ${length}` };
}

/** @param most bytes */
export function tooLong(most: number, length: number): RefusalReason {
  return { rule: `a frame has at most ${most} bytes here`, detail: `this one has ${length}` };
}

/** What no driver hands to a program that has not asked for frames in several buffers. */
export function inPieces(length: number): RefusalReason {
  return {
    rule: `frames of more than ${XDP_LINEAR_LIMIT} bytes go only to programs in section xdp.frags`,
    detail: `this one has ${length}`,
  };
}

export function oddMetadata(length: number): RefusalReason {
  return { rule: 'metadata comes in multiples of 4 bytes', detail: `this packet has ${length}` };
}

export function longMetadata(most: number, length: number): RefusalReason {
  return { rule: `metadata has at most ${most} bytes here`, detail: `this packet has ${length}` };
}

/** `GSO_LEGACY_MAX_SIZE` and `GSO_MAX_SEGS` (include/linux/netdevice.h). */
export const MAX_WIRE_LENGTH = 65_536;
const MAX_SEGMENTS = 65_535;
/** The kernel's are of type `int`, and begin with 1. */
const MAX_IFINDEX = 0x7fff_ffff;

/** What `convert___skb_to_skb` refuses (net/bpf/test_run.c). */
export function badSkb(hook: Hook, batch: PacketBatch, packet: number): RefusalReason | undefined {
  const skb = batch.skb.size === 0 ? undefined : batch.skb.get(packet);
  if (skb === undefined) return undefined;
  if (hook === 'xdp') return { rule: 'frames have no fields of __sk_buff at XDP' };
  const { wireLen = 0, gsoSegs = 0, ingressIfindex = 0, linear } = skb;
  if (hook === 'tc-ingress' && ingressIfindex !== 0)
    return {
      rule: 'at TC ingress, frames came in by the device that they are on',
      detail: `this one is to have come in by ${ingressIfindex}`,
    };
  if (ingressIfindex > MAX_IFINDEX)
    return {
      rule: `an ifindex is at most ${MAX_IFINDEX}`,
      detail: `this frame came in by ${ingressIfindex}`,
    };
  if (wireLen !== 0 && (wireLen < batch.length[packet]! || wireLen > MAX_WIRE_LENGTH)) {
    return {
      rule: `wire_len is from the frame’s length to ${MAX_WIRE_LENGTH}`,
      detail: `this frame has ${batch.length[packet]} bytes and a wire_len of ${wireLen}`,
    };
  }
  if (gsoSegs > MAX_SEGMENTS)
    return { rule: `gso_segs is at most ${MAX_SEGMENTS}`, detail: `this frame has ${gsoSegs}` };
  const length = batch.length[packet]!;
  if (linear !== undefined && (linear < ETH_HLEN || linear > length))
    return {
      rule: 'of a frame, at least the Ethernet header is linear, and at most all of it',
      detail: `this one has ${length} bytes and ${linear} linear ones`,
    };
  return badMetadata(skb);
}

const ETH_HLEN = 14;

/** `NO_QUEUE_MAPPING` (net/core/filter.c): what says that there is no queue. */
const NO_QUEUE_MAPPING = 0xffff;

/** What no device and no program gives a frame. */
function badMetadata(skb: SkbInput): RefusalReason | undefined {
  const { vlan, queueMapping = 0, tcIndex = 0, tcClassid = 0, tunnel } = skb;
  if (queueMapping >= NO_QUEUE_MAPPING)
    return { rule: `queue_mapping is below ${NO_QUEUE_MAPPING}`, detail: `this frame has ${queueMapping}` };
  for (const [name, value] of [
    ['tc_index', tcIndex],
    ['tc_classid', tcClassid],
    ['vlan_tci', vlan?.tci ?? 0],
  ] as const) {
    if (value > 0xffff) return { rule: `${name} has 16 bits`, detail: `this frame has ${value}` };
  }
  if (vlan?.proto !== undefined && !isTag(vlan.proto))
    return {
      rule: 'a tag beside a frame is of type 0x8100 or 0x88a8',
      detail: `this one is of type 0x${vlan.proto.toString(16)}`,
    };
  return tunnel === undefined ? undefined : badTunnel(tunnel);
}

/** What no tunnel device finds out about a frame. */
function badTunnel(tunnel: SkbTunnel): RefusalReason | undefined {
  const { remote, local, label = 0, options = '' } = tunnel;
  const [from, to] = [remote, local].map((text) => text?.includes(':'));
  if (from !== undefined && to !== undefined && from !== to)
    return {
      rule: 'both ends of a tunnel have addresses of one family',
      detail: `this one goes from ${remote} to ${local}`,
    };
  if (label !== 0 && !isTunnelOverIpv6(tunnel))
    return { rule: 'only tunnels over IPv6 have a flow label', detail: `this one has ${label}` };
  const bytes = options.length / 2;
  if (bytes % 4 !== 0 || bytes > MOST_OPTIONS)
    return {
      rule: `options of a tunnel have a multiple of 4 bytes, and at most ${MOST_OPTIONS}`,
      detail: `this one has ${bytes}`,
    };
  return undefined;
}

export function noSuchQueue(queue: number): RefusalReason {
  return { rule: 'the device has one receive queue', detail: `the packet names queue ${queue}` };
}

/**
 * A VLAN tag in front of a frame that comes in: the kernel takes it out and puts it into the sk_buff, so that TC sees
 * the frame without it (net/core/dev.c, `__netif_receive_skb_core`), and the next tag, if there is one, in the bytes. A
 * test run leaves it in the bytes, where a program that relies on the kernel goes wrong; so nobody's outcome is a promise.
 */
export function taggedAtIngress(hook: Hook, batch: PacketBatch, packet: number): RefusalReason | undefined {
  if (hook !== 'tc-ingress' || batch.length[packet]! < 14) return undefined;
  const at = batch.offset[packet]! + 12;
  if (!isTag((batch.bytes[at]! << 8) | batch.bytes[at + 1]!)) return undefined;
  if (batch.skb.size > 0 && batch.skb.get(packet)?.vlan !== undefined) return undefined;
  return { rule: 'the kernel takes the VLAN tag out of a frame before TC ingress sees it' };
}
