/** Which packets an engine takes: the generator keeps within these. */
import { isTag } from '../../sim/packet/numbers.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';

/** All lengths in bytes, Ethernet header included, metadata not. */
export interface PacketLimits {
  readonly minLength: number;
  readonly maxLength: number;
  /** The least length of frames whose first EtherType says IPv4. */
  readonly minLengthIpv4: number;
  /** The least length of frames whose first EtherType says IPv6. */
  readonly minLengthIpv6: number;
  /** Metadata in front of the frame; a multiple of 4. */
  readonly maxMetadata: number;
  /**
   * Do frames of more than one buffer come often (`drawLength` in `long-frames.ts`)? Otherwise every frame is one that
   * an Ethernet brings, and only now and then as long as the limit.
   */
  readonly long?: boolean;
  /**
   * Where VLAN tags are. The kernel takes the first one out before TC ingress sees a frame: it is beside the bytes then
   * (`SkbInput.vlan`), or there is none at all. Default: inside.
   */
  readonly tags?: 'inside' | 'beside' | 'none';
}

export type LimitsByHook = Readonly<Record<Hook, PacketLimits>>;

/**
 * Older kernels (6.1 is one) allow 32 bytes of metadata in all (xdp_metalen_invalid() in include/net/xdp.h). Half of
 * them are left to what the program itself adds: with all 32 taken, its end would depend on the kernel's version.
 */
const MAX_METADATA = 16;

const XDP_TEST_RUN: PacketLimits = {
  minLength: 14,
  maxLength: 3520,
  minLengthIpv4: 14,
  minLengthIpv6: 14,
  maxMetadata: MAX_METADATA,
};

const TC_TEST_RUN: PacketLimits = {
  minLength: 14,
  maxLength: 3712,
  // Shorter ones are refused with EINVAL (bpf_prog_test_run_skb() in net/bpf/test_run.c).
  minLengthIpv4: 34,
  minLengthIpv6: 54,
  maxMetadata: 0,
};

/** What `BPF_PROG_TEST_RUN` takes (net/bpf/test_run.c). */
export const TEST_RUN_LIMITS: LimitsByHook = {
  xdp: XDP_TEST_RUN,
  'tc-ingress': { ...TC_TEST_RUN, tags: 'beside' },
  'tc-egress': TC_TEST_RUN,
};

/** The same for XDP programs that take frames in several buffers: often such frames, up to 64 KiB. */
export const LONG_FRAMES: LimitsByHook = {
  ...TEST_RUN_LIMITS,
  xdp: { ...XDP_TEST_RUN, maxLength: 65_536, long: true },
};

/** `ETH_HLEN`: what a frame has beyond its device's MTU. */
const ETH_HLEN = 14;

/**
 * The largest MTU with which veth runs native XDP: a page less headroom (256), `skb_shared_info` (320) and the
 * Ethernet header (drivers/net/veth.c, `veth_xdp_set`).
 */
export const MAX_XDP_MTU = 3506;

/**
 * What a veth brings to a program in all of its worlds. A device takes what its MTU allows; which device it is
 * depends on the packet and the world, so the smallest counts. No wire carries metadata.
 */
export function liveLimits(program: Program): LimitsByHook {
  const worlds = program.definition?.worlds ?? [];
  const mtus = worlds.flatMap(({ world }) => (world.devices ?? []).map(({ mtu }) => mtu ?? 1500));
  const maxLength = Math.min(MAX_XDP_MTU, ...mtus) + ETH_HLEN;
  const tc = { ...TC_TEST_RUN, maxLength };
  return {
    xdp: { ...XDP_TEST_RUN, maxLength, maxMetadata: 0 },
    'tc-ingress': { ...tc, tags: 'none' },
    'tc-egress': tc,
  };
}

const ANYTHING: PacketLimits = {
  minLength: 0,
  maxLength: 3712,
  minLengthIpv4: 0,
  minLengthIpv6: 0,
  maxMetadata: MAX_METADATA,
};

/** For engines that run anything: frames of no byte at all upward. XDP has longer ones in several buffers. */
export const NO_LIMITS: LimitsByHook = {
  xdp: { ...ANYTHING, maxLength: 3520 },
  'tc-ingress': { ...ANYTHING, tags: 'beside' },
  'tc-egress': ANYTHING,
};

/** The least length that the limits allow a frame with this first EtherType. */
export function minLengthOf(limits: PacketLimits, etherType: number): number {
  if (etherType === 0x0800) return Math.max(limits.minLength, limits.minLengthIpv4);
  if (etherType === 0x86dd) return Math.max(limits.minLength, limits.minLengthIpv6);
  return limits.minLength;
}

/** Does an engine with these limits take the frame? A second tag lies in its bytes where the first one lies beside them. */
export function withinLimits(
  limits: PacketLimits,
  { packet, skb }: Pick<Stimulus, 'packet' | 'skb'>,
): boolean {
  if (packet.length < limits.minLength || packet.length > limits.maxLength) return false;
  if (packet.length < 14) return true;
  const etherType = (packet[12]! << 8) | packet[13]!;
  const { tags = 'inside' } = limits;
  if (tags !== 'inside' && isTag(etherType) && !(tags === 'beside' && skb?.vlan !== undefined)) return false;
  return packet.length >= minLengthOf(limits, etherType);
}
