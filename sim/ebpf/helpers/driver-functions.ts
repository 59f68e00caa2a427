/**
 * Kernel functions that read what a driver knows of a frame (net/core/xdp.c). The kernel takes programs that call them only
 * for a device (BPF_F_XDP_DEV_BOUND_ONLY); where its driver has nothing to say, they are as they are here.
 */
import { EOPNOTSUPP } from '../../runtime/errno.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

function define(name: string, ...results: Helper['arguments']): Helper {
  return {
    number: 0,
    name,
    arguments: ['context', ...results],
    returns: 'word',
    note: '`-EOPNOTSUPP`, as with a driver that has nothing to say; the kernel takes it only from programs bound to a device',
    // What they say may go right into the metadata in front of the frame, as of all kernel functions (kernel/bpf/verifier.c, `check_mem_reg`).
    rules: { hooks: 'xdp', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: () => -EOPNOTSUPP,
  };
}

export const DRIVER_FUNCTIONS: readonly Helper[] = [
  define('bpf_xdp_metadata_rx_timestamp', 'u64_inout'),
  define('bpf_xdp_metadata_rx_hash', 'u32_inout', 'u32_inout'),
  define('bpf_xdp_metadata_rx_vlan_tag', 'u16_inout', 'u16_inout'),
];
