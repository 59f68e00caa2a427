/** What live frames cannot be, so that it can be said before it is tried. */
import { liveLimits } from '../corpus/packet-limits.ts';
import type { Refusal } from '../sim/engines/engine.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';

/** `veth_xmit`: an Ethernet header has to be there (drivers/net/veth.c). */
const ETH_HLEN = 14;
const VLAN_HLEN = 4;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
/**
 * `skb_vlan_untag` wants the tag and two bytes behind it, and frees the frame otherwise: before any packet
 * socket has seen it (net/core/dev.c, `__netif_receive_skb_core`).
 */
const MIN_VLAN_FRAME = ETH_HLEN + VLAN_HLEN + 2;

/** @returns undefined, or the first packet that no wire can bring, and why */
export function firstLiveRefusal(program: Program, batch: PacketBatch): Refusal | undefined {
  const longest = liveLimits(program).xdp.maxLength;
  for (let packet = 0; packet < batch.count; packet++) {
    const reason = liveRefusal(program, batch, packet, longest);
    if (reason !== undefined) return { packet, reason };
  }
  return undefined;
}

function liveRefusal(
  program: Program,
  batch: PacketBatch,
  packet: number,
  longest: number,
): string | undefined {
  const entry = program.entries[batch.entry[packet]!];
  const length = batch.length[packet]!;
  if (entry === undefined) return `the program has no entry ${batch.entry[packet]}`;
  if (entry.hook !== 'xdp') return `live frames run through XDP only, not ${entry.hook}`;
  if (length < ETH_HLEN) return `a frame has at least ${ETH_HLEN} bytes, this one has ${length}`;
  if (length > longest) return `a frame has at most ${longest} bytes here, this one has ${length}`;
  if (batch.metaLength[packet] !== 0) return 'a frame brings no metadata from the wire';
  if (batch.rxQueueIndex[packet] !== 0) {
    return `the device has no receive queue ${batch.rxQueueIndex[packet]}`;
  }
  return undefined;
}

/** A frame that runs through XDP like any other, but that no packet socket ever sees, wherever it comes out. */
export function hasCutOffTag(batch: PacketBatch, packet: number): boolean {
  if (batch.length[packet]! >= MIN_VLAN_FRAME) return false;
  const at = batch.offset[packet]! + 12;
  const etherType = (batch.bytes[at]! << 8) | batch.bytes[at + 1]!;
  return etherType === ETH_P_8021Q || etherType === ETH_P_8021AD;
}
