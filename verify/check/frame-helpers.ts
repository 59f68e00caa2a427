/** Helpers by the names that traces call them, and those that move bytes between the frame and the program's memory as they are. */
import type { Helper } from '../../sim/ebpf/helpers/helper.ts';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../../sim/ebpf/helpers/kernel-functions.ts';

export const BY_NAME: ReadonlyMap<string, Helper> = new Map(
  [...HELPERS.values(), ...KERNEL_FUNCTIONS.values()].map((helper) => [helper.name, helper]),
);

/** From the frame, at their second argument, to the third one. */
export const LOADS: ReadonlySet<string> = new Set(['bpf_skb_load_bytes', 'bpf_xdp_load_bytes']);

/** From their third argument to the frame, at the second one. */
export const STORES: ReadonlySet<string> = new Set(['bpf_skb_store_bytes', 'bpf_xdp_store_bytes']);
