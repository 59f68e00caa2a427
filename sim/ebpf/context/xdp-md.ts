/**
 * `struct xdp_md` (include/uapi/linux/bpf.h), with the rules of `xdp_is_valid_access` (net/core/filter.c).
 *
 * ```
 *   0 data │ 4 data_end │ 8 data_meta │ 12 ingress_ifindex │ 16 rx_queue_index │ 20 egress_ifindex
 * ```
 */
import { CONTEXT_BASE, type LinearMemory } from '../memory.ts';
import { ACCESS, type Access, type ContextLayout } from './context-access.ts';

export const XDP_MD = {
  data: 0,
  dataEnd: 4,
  dataMeta: 8,
  ingressIfindex: 12,
  rxQueueIndex: 16,
  egressIfindex: 20,
} as const;

const FIELDS = ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'];

/** @param readable bytes of the struct that programs may read */
function layoutOf(readable: number): ContextLayout {
  return {
    name: 'xdp_md',
    size: 24,
    data: XDP_MD.data,
    dataEnd: XDP_MD.dataEnd,
    dataMeta: XDP_MD.dataMeta,

    /** Whole, aligned u32 fields only. */
    read(offset: number, size: number, signExtending: boolean): Access {
      if (size !== 4 || offset % 4 !== 0 || offset < 0 || offset >= readable) return ACCESS.refused;
      if (offset === XDP_MD.data) return signExtending ? ACCESS.refused : ACCESS.data;
      if (offset === XDP_MD.dataEnd) return signExtending ? ACCESS.refused : ACCESS.dataEnd;
      if (offset === XDP_MD.dataMeta) return signExtending ? ACCESS.refused : ACCESS.dataMeta;
      return ACCESS.scalar;
    },

    write(): boolean {
      return false;
    },

    field(offset: number): string {
      return FIELDS[offset >> 2] ?? `offset ${offset}`;
    },

    writeMask(): number {
      return -1;
    },

    writeLimit(): number {
      return Number.POSITIVE_INFINITY;
    },
  };
}

export const XDP_LAYOUT: ContextLayout = layoutOf(XDP_MD.egressIfindex);

/** Programs in a device map may read `egress_ifindex`, too. */
export const XDP_DEVMAP_LAYOUT: ContextLayout = layoutOf(XDP_MD.egressIfindex + 4);

/** Writes the fields that do not move with the packet. */
export function writeXdpMd(
  memory: LinearMemory,
  ingressIfindex: number,
  rxQueueIndex: number,
  egressIfindex: number,
): void {
  const words = memory.i32;
  const base = CONTEXT_BASE >> 2;
  words[base + 3] = ingressIfindex;
  words[base + 4] = rxQueueIndex;
  words[base + 5] = egressIfindex;
}
