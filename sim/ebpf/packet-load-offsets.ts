/** Offsets of the packet loads of classic BPF: negative ones count from a header (net/core/filter.c, Linux 2.6 and later). */
import type { Machine } from './machine.ts';
import { MACHINE_WORD } from './memory.ts';

/** Offsets from here on count from the network header (include/uapi/linux/filter.h, `SKF_NET_OFF`). */
export const SKF_NET_OFF: number = -0x10_0000;
/** Those from here on, up to `SKF_NET_OFF`, count from the MAC header: TC frames begin with it. Before, there is nothing. */
export const SKF_LL_OFF: number = -0x20_0000;

/** Where a packet load begins (`bpf_internal_load_pointer_neg_helper`); undefined where its offset means nothing. */
export function packetLoadAddress({ packet, memory }: Machine, offset: number): number | undefined {
  if (offset >= 0) return packet.data + offset;
  if (offset >= SKF_NET_OFF) return memory.i32[MACHINE_WORD.networkHeader]! + offset - SKF_NET_OFF;
  return offset >= SKF_LL_OFF ? packet.data + offset - SKF_LL_OFF : undefined;
}
