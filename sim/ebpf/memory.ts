/**
 * The machine's linear memory, and where everything lies in it.
 *
 * Interpreter and compiled programs share this layout, so that a pointer is the same number in both: an address
 * below 2 GiB. It fits in the u32 that `ctx->data` is loaded with, and is never negative as an i32.
 *
 * ```
 *   0x0000_0000 ┌──────────────────────────────────┐
 *               │ null page, 64 KiB                │  no access: what a null pointer and small offsets from it hit
 *   0x0001_0000 ├──────────────────────────────────┤
 *               │ machine block, 4 KiB             │  no access for programs: `MACHINE_WORD`
 *   0x0001_1000 ├──────────────────────────────────┤
 *               │ context                          │  struct xdp_md (24 bytes) or __sk_buff (192 bytes)
 *   0x0001_2000 ├──────────────────────────────────┤
 *               │ stacks: frame 0 … frame 7        │  8 × 512 bytes; r10 of frame k = STACK_BASE + 512 × (k + 1)
 *   0x0001_3000 ├──────────────────────────────────┤
 *               │ kernel variables                 │  no access: what stands for them, 8 bytes each (`KernelVariables`)
 *   0x0001_4000 ├──────────────────────────────────┤
 *               │ sockets                          │  the frame's own, then those of the world: `context/socket.ts`
 *   0x0001_c000 ├──────────────────────────────────┤
 *               │ gap                              │  no access
 *   0x0002_0000 ├──────────────────────────────────┤  PACKET_BASE
 *               │ headroom │ frame      │ tailroom │  XDP: 256 bytes before the frame, TC: 64 KiB, for
 *               │          ↑ data       ↑ data_end │  bpf_skb_change_head; frames of up to MAX_FRAME bytes
 *   0x0005_0000 ├──────────────────────────────────┤  HEAP_BASE
 *               │ map descriptors, map storage,    │  handed out by `allocate`, 8-byte aligned, never given back;
 *               │ global data, scratch space       │  all of it before the first packet runs
 *               └──────────────────────────────────┘
 * ```
 *
 * Everything is little-endian, as eBPF is on the machines that we speak of.
 */

export const NULL_PAGE_END = 0x1_0000;
export const MACHINE_BASE = 0x1_0000;
export const CONTEXT_BASE = 0x1_1000;
export const CONTEXT_LIMIT = 0x1_2000;
export const STACK_BASE = 0x1_2000;
export const STACK_LIMIT = 0x1_3000;
/** Addresses that stand for variables of the kernel: nothing lies there, as nothing lies at a per-CPU address. */
export const KERNEL_VARIABLE_BASE = 0x1_3000;
export const KERNEL_VARIABLE_LIMIT = 0x1_4000;
/** How many there may be. */
export const KERNEL_VARIABLES: number = (KERNEL_VARIABLE_LIMIT - KERNEL_VARIABLE_BASE) / 8;
/** The socket that a TC frame belongs to, and behind it those of the world. */
export const SOCKET_BASE = 0x1_4000;
export const SOCKET_LIMIT = 0x1_c000;
export const PACKET_BASE = 0x2_0000;
export const PACKET_LIMIT = 0x5_0000;
export const HEAP_BASE = 0x5_0000;

/** Bytes of one frame's stack, and how many frames there are (include/linux/filter.h, bpf_verifier.h). */
export const STACK_SIZE = 512;
export const STACK_FRAMES = 8;

/** Bytes before an XDP frame (include/uapi/linux/bpf.h, `XDP_PACKET_HEADROOM`). */
export const XDP_HEADROOM = 256;
/** `struct xdp_frame` lies at the begin of the headroom, so that much of it is not to be had (include/net/xdp.h). */
export const XDP_FRAME_SIZE = 40;
/** A page without headroom and `skb_shared_info`: the linear part of a frame in `BPF_PROG_TEST_RUN`. */
export const XDP_LINEAR_LIMIT = 3520;
/**
 * What lies behind the linear part comes in fragments of a page each (net/bpf/test_run.c, `bpf_prog_test_run_xdp`). In
 * this memory they follow the linear part without a gap, the first one beginning at `data_end`.
 */
export const FRAGMENT_SIZE = 4096;
/** Where XDP frames begin before the program moves anything. */
export const XDP_DATA: number = PACKET_BASE + XDP_HEADROOM;

/** Where TC frames begin: they may grow to 64 KiB in front as well as behind. */
export const SKB_DATA: number = PACKET_BASE + 0x1_0000;

/** The longest frame, growth not included. */
export const MAX_FRAME = 0x1_0000;

/**
 * Words (of 32 bits) of the machine block, as indices into `LinearMemory.i32` (`MACHINE_BASE / 4` and up). What the engines and helpers keep
 * here instead of in variables, compiled programs can read and write without leaving WebAssembly.
 */
export const MACHINE_WORD = {
  /** The packet's bounds, addresses; `ctx` shows copies of the first three. */
  data: 0x4000,
  dataEnd: 0x4001,
  dataMeta: 0x4002,
  /** Nothing before this address belongs to the packet's buffer. */
  hardStart: 0x4003,
  /** Nothing from this address on. */
  hardEnd: 0x4004,
  /** End of the frame with its fragments: `dataEnd` unless the frame is longer than its linear part. */
  frameEnd: 0x4005,
  /** XDP: how many bytes of the first fragment's page `bpf_xdp_pull_data` has taken: `FRAGMENT_SIZE`. */
  fragmentSkip: 0x401c,
  /** TC: address of the network header. */
  networkHeader: 0x4006,
  /** TC: what the kernel takes the MAC header's length to be (`skb->mac_len`): 0 until a helper says how long it is. */
  macLength: 0x401b,
  /** TC: what lies in front of the frame (`BufferFront`). */
  frontRoom: 0x401d,
  transportHeader: 0x401e,
  largerBuffer: 0x401f,
  /** TC: has the frame been wrapped into a tunnel by `bpf_skb_adjust_room`? */
  encapsulated: 0x4007,
  /** TC: how many checksums count as checked: 0, or one more than `skb->csum_level`. */
  checkedSums: 0x4021,
  /** TC: what of `Machine.tunnel` is this frame's (`TUNNEL`): 0: nothing. */
  tunnel: 0x400e,
  /** TC: 1 once what storages keep for the frame's own socket is this frame's, and not the last one's. */
  storageKept: 0x400f,
  /** XDP: the lowest address that ever belonged to this packet; below it the headroom is zero. */
  lowest: 0x4017,
  /** Upper halves of a helper's five arguments; the lower ones travel as parameters. */
  argumentHigh: 0x4008,
  /** Upper half of a helper's result, where it is wider than 32 bits (`HelperSignature.returns`). */
  resultHigh: 0x400d,
  /** 1 where the verifier has put instructions in the place of the call that runs (`Helper.inlinedBy`); engines say so before it. */
  inlined: 0x4022,
  /** Nanoseconds of the clock, u64. */
  time: 0x4010,
  /** By how many it moves on when a packet begins, u64. */
  tick: 0x4018,
  /** TC: is the hash valid, though it may be 0? */
  hashKnown: 0x401a,
  /** State of the random numbers (`nextRandom`). */
  random: 0x4012,
  /** The CPU that programs run on. */
  cpu: 0x4013,
  /** XDP in a device map: the device whose entry the program stands in. */
  egress: 0x4020,
  /** Where a redirect goes: ifindex, CPU or queue; 0: none. */
  redirectTarget: 0x4014,
  /** Flags of the redirect, as given. */
  redirectFlags: 0x4015,
  /** Tail calls made in this run. */
  tailCalls: 0x4016,
} as const;

const WASM_PAGE = 0x1_0000;
/** Bytes that every machine has besides what was asked for: scratch space, and counters of compiled programs. */
const ROOM_FOR_EVERY_MACHINE = WASM_PAGE;
/**
 * Room for most programs' batches, in bytes, besides that for their maps. Growing detaches the buffer, and from the first
 * detached buffer on V8 checks every access to every typed array of the process for that: long runs take 1 to 3 % more
 * time. Pages that nobody touches cost no memory, but V8 counts them, and collects all garbage once 64 MiB have come
 * anew: what machines that are made for a single packet, or run for a fraction of a second, would notice.
 */
export const ROOM_FOR_BATCHES = 0x10_0000;
/** Addresses stay positive as i32. */
const MAX_PAGES = 0x8000;

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  /** Views of the whole memory. `allocate` replaces them: do not keep them across it. */
  u8: Uint8Array;
  i32: Int32Array;
  view: DataView;
  /** The first byte not handed out yet. */
  #end: number = HEAP_BASE;

  /** @param room bytes that can be handed out before it grows */
  constructor(room: number = 0) {
    const initial = Math.ceil((HEAP_BASE + ROOM_FOR_EVERY_MACHINE + room) / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial, maximum: MAX_PAGES });
    this.u8 = new Uint8Array(this.memory.buffer);
    this.i32 = new Int32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
  }

  /** Bytes handed out so far: every address below is inside the memory. */
  get end(): number {
    return this.#end;
  }

  /**
   * Hands out `size` zeroed bytes at an address that is a multiple of 8.
   * @throws {RangeError} when memory is used up (2 GiB)
   */
  allocate(size: number): number {
    const address = this.#end;
    const end = address + Math.ceil(size / 8) * 8;
    const pages = Math.ceil(end / WASM_PAGE);
    const present = this.memory.buffer.byteLength / WASM_PAGE;
    if (pages > MAX_PAGES) throw new RangeError(`${size} bytes more do not fit into 2 GiB of linear memory`);
    if (pages > present) {
      this.memory.grow(pages - present);
      this.u8 = new Uint8Array(this.memory.buffer);
      this.i32 = new Int32Array(this.memory.buffer);
      this.view = new DataView(this.memory.buffer);
    }
    this.#end = end;
    return address;
  }

  /** Reads an unsigned little-endian word at any alignment. */
  u32(address: number): number {
    return this.view.getUint32(address, true);
  }

  setU32(address: number, value: number): void {
    this.view.setInt32(address, value, true);
  }

  u64(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  setU64(address: number, value: bigint): void {
    this.view.setBigUint64(address, value, true);
  }

  /** A copy of `size` bytes. */
  read(address: number, size: number): Uint8Array {
    return this.u8.slice(address, address + size);
  }
}

/** The next multiple of 8. */
export function roundUp8(size: number): number {
  return (size + 7) & ~7;
}
