/** Where compiled programs keep what is theirs alone: the upper part of the machine block (`memory.ts`). */
import { MACHINE_BASE, STACK_BASE, STACK_SIZE } from '../memory.ts';

/** Addresses of words of 32 bits. */
export const WASM_WORD = {
  /** Set before a program is stopped: its unit, the slot, the frame it ran in (its r10). */
  violationProgram: 0x1_0400,
  violationSlot: 0x1_0404,
  violationFrame: 0x1_0408,
  /** The packet of the batch that is running. */
  packet: 0x1_040c,
  /** `bpf_redirect_map` by a hash needs its key in memory. */
  key: 0x1_0410,
  /** Before an imported helper: the unit that calls it, and its frame. */
  helperUnit: 0x1_0414,
  helperFrame: 0x1_0418,
} as const;

/** Addresses of what a batch consists of, as `runBatch` finds them. */
export const BATCH_WORD = {
  /** Not 0: there are bytes between packets that ran. */
  gaps: 0x1_0480,
  /** Arrays with one element for each packet. */
  offset: 0x1_0484,
  length: 0x1_0488,
  metaLength: 0x1_048c,
  ingressIfindex: 0x1_0490,
  rxQueueIndex: 0x1_0494,
  entry: 0x1_0498,
  /** The same for what came out. */
  action: 0x1_049c,
  redirect: 0x1_04a0,
  outOffset: 0x1_04a4,
  outLength: 0x1_04a8,
  outMetaLength: 0x1_04ac,
  mark: 0x1_04b0,
  priority: 0x1_04b4,
  cb: 0x1_04b8,
  /** Where outcomes' bytes go: what their offsets are counted from, how far it is filled, and where it ends. */
  outBase: 0x1_04bc,
  outUsed: 0x1_04c0,
  outEnd: 0x1_04c4,
  tstamp: 0x1_04d0,
  /** The address of each packet's image of what it comes with in its `__sk_buff` (or 0); 0 where no packet has any. */
  skb: 0x1_04d4,
  /** Devices with their MAC, for `pkt_type`: rows of ifindex (u32), MAC (6 bytes), 6 bytes unused. */
  devices: 0x1_04c8,
  deviceCount: 0x1_04cc,
  /** Instructions that the next packet's run may execute. */
  budget: 0x1_04d8,
} as const;

/** For each frame: the unit and the slot of the call that is being made, 8 bytes. */
const CALL_SITES: number = MACHINE_BASE + 0x800;

/** Shift that turns r10 into a call site's address, and what is added then. */
export const CALL_SITE_SHIFT = 6;
export const CALL_SITE_OFFSET: number = CALL_SITES - ((STACK_BASE + STACK_SIZE) >> CALL_SITE_SHIFT);

/** The call site of frame `frame`. */
export function callSiteAddress(frame: number): number {
  return CALL_SITES + 8 * frame;
}
