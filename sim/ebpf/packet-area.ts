/**
 * The packet under work: its bounds in the machine block, the copies of them that the context shows, and the
 * moves that helpers make (net/core/filter.c, `bpf_xdp_adjust_head` and its neighbours).
 */

import { EACCES, EINVAL } from '../runtime/errno.ts';
import type { ContextLayout } from './context/context-access.ts';
import { NEW_FRONT } from './helpers/buffer-front.ts';
import { behaviourOf, type KernelBehaviour } from './kernel-versions.ts';
import {
  CONTEXT_BASE,
  FRAGMENT_SIZE,
  type LinearMemory,
  MACHINE_WORD,
  PACKET_BASE,
  PACKET_LIMIT,
  SKB_DATA,
  XDP_DATA,
  XDP_FRAME_SIZE,
  XDP_LINEAR_LIMIT,
} from './memory.ts';

/** `ETH_HLEN`. */
export const ETHERNET_HEADER = 14;
/** The longest metadata, and the longest that older kernels allow (`longMetadata`). */
export const MAX_METADATA = 252;
export const OLD_MAX_METADATA = 32;

/** From here on the processor's own copy wins over a loop. */
const LARGE = 400;

export class PacketArea {
  readonly #memory: LinearMemory;
  readonly #kernel: KernelBehaviour;
  #layout: ContextLayout;
  /** The arenas that packets came from and went to last. */
  readonly #source = new ArenaView();
  readonly #target = new ArenaView();

  constructor(memory: LinearMemory, layout: ContextLayout, kernel: KernelBehaviour = behaviourOf()) {
    this.#kernel = kernel;
    this.#memory = memory;
    this.#layout = layout;
  }

  get data(): number {
    return this.#memory.i32[MACHINE_WORD.data]!;
  }

  get dataEnd(): number {
    return this.#memory.i32[MACHINE_WORD.dataEnd]!;
  }

  get dataMeta(): number {
    return this.#memory.i32[MACHINE_WORD.dataMeta]!;
  }

  /** End of the frame with its fragments. */
  get frameEnd(): number {
    return this.#memory.i32[MACHINE_WORD.frameEnd]!;
  }

  /** Length of the frame with its fragments. */
  get length(): number {
    return this.frameEnd - this.data;
  }

  /**
   * Places an XDP frame with its metadata; what exceeds the linear part is there, but not between `data` and
   * `data_end`.
   * @param bytes an arena; metadata lies directly before `offset`
   */
  placeXdp(bytes: Uint8Array, offset: number, length: number, metaLength: number): void {
    const words = this.#memory.i32;
    const start = XDP_DATA - metaLength;
    // A fresh page: what adjust_head and adjust_meta bring to light is zero, as in a test run.
    const lowest = words[MACHINE_WORD.lowest]!;
    if (lowest !== 0 && lowest < start) this.#memory.u8.fill(0, lowest, start);
    words[MACHINE_WORD.lowest] = start;
    copyBytes(
      this.#memory.view,
      start,
      bytes,
      this.#source.of(bytes),
      offset - metaLength,
      metaLength + length,
    );
    words[MACHINE_WORD.hardStart] = PACKET_BASE;
    words[MACHINE_WORD.hardEnd] = XDP_DATA + XDP_LINEAR_LIMIT;
    words[MACHINE_WORD.frameEnd] = XDP_DATA + length;
    words[MACHINE_WORD.fragmentSkip] = 0;
    this.setBounds(XDP_DATA - metaLength, XDP_DATA, XDP_DATA + Math.min(length, XDP_LINEAR_LIMIT));
  }

  /** Places a TC frame. */
  placeSkb(bytes: Uint8Array, offset: number, length: number, metaLength: number): void {
    const start = SKB_DATA - metaLength;
    copyBytes(
      this.#memory.view,
      start,
      bytes,
      this.#source.of(bytes),
      offset - metaLength,
      metaLength + length,
    );
    const words = this.#memory.i32;
    words[MACHINE_WORD.hardStart] = PACKET_BASE;
    words[MACHINE_WORD.hardEnd] = PACKET_LIMIT;
    words[MACHINE_WORD.frameEnd] = SKB_DATA + length;
    words[MACHINE_WORD.networkHeader] = SKB_DATA + ETHERNET_HEADER;
    words[MACHINE_WORD.macLength] = 0;
    words[MACHINE_WORD.frontRoom] = NEW_FRONT.room;
    words[MACHINE_WORD.transportHeader] = NEW_FRONT.transport;
    words[MACHINE_WORD.largerBuffer] = 0;
    words[MACHINE_WORD.encapsulated] = 0;
    words[MACHINE_WORD.checkedSums] = 0;
    words[MACHINE_WORD.tunnel] = 0;
    words[MACHINE_WORD.storageKept] = 0;
    this.setBounds(SKB_DATA - metaLength, SKB_DATA, SKB_DATA + length);
  }

  /** Copies metadata and frame out to where `at` says. */
  copyOut(to: Uint8Array, at: number): void {
    const { dataMeta, frameEnd } = this;
    const { u8, view } = this.#memory;
    copyBytes(this.#target.of(to), at, u8, view, dataMeta, frameEnd - dataMeta);
  }

  /** Sets the three pointers, here and in the context. */
  setBounds(dataMeta: number, data: number, dataEnd: number): void {
    const words = this.#memory.i32;
    if (dataMeta < words[MACHINE_WORD.lowest]!) words[MACHINE_WORD.lowest] = dataMeta;
    words[MACHINE_WORD.dataMeta] = dataMeta;
    words[MACHINE_WORD.data] = data;
    words[MACHINE_WORD.dataEnd] = dataEnd;
    const context = CONTEXT_BASE >> 2;
    words[context + (this.#layout.dataMeta >> 2)] = dataMeta;
    words[context + (this.#layout.data >> 2)] = data;
    words[context + (this.#layout.dataEnd >> 2)] = dataEnd;
  }

  /** Bytes of the frame that lie between `data` and `data_end`. */
  get linear(): number {
    return this.dataEnd - this.data;
  }

  /** TC: of the frame that was placed, only the first `length` bytes are linear. */
  setLinear(length: number): void {
    this.setBounds(this.dataMeta, this.data, this.data + length);
  }

  /** `pskb_may_pull`: makes the first `length` bytes of a TC frame linear. @returns false where it has fewer */
  mayPull(length: number): boolean {
    if (length > this.length) return false;
    if (length > this.linear) this.setLinear(length);
    return true;
  }

  setFrameEnd(end: number): void {
    this.#memory.i32[MACHINE_WORD.frameEnd] = end;
  }

  useLayout(layout: ContextLayout): void {
    this.#layout = layout;
  }

  /** `bpf_xdp_adjust_head`: metadata moves along. */
  adjustHead(delta: number): number {
    const { data, dataEnd, dataMeta } = this;
    const metaLength = data - dataMeta;
    const moved = data + delta;
    if (moved < PACKET_BASE + XDP_FRAME_SIZE + metaLength || moved > dataEnd - ETHERNET_HEADER)
      return -EINVAL;
    if (metaLength > 0) this.#memory.u8.copyWithin(dataMeta + delta, dataMeta, data);
    this.setBounds(dataMeta + delta, moved, dataEnd);
    return 0;
  }

  /** `bpf_xdp_adjust_tail`: what is gained is zeroed. */
  adjustTail(delta: number): number {
    const { data, dataEnd, dataMeta, frameEnd } = this;
    if (delta >= 0 && !this.#kernel.adjustTailGrows) return -EINVAL;
    if (frameEnd > dataEnd) return delta < 0 ? this.#shrinkFragments(delta) : this.#growFragment(delta);
    const moved = dataEnd + delta;
    if (moved > this.#memory.i32[MACHINE_WORD.hardEnd]! || moved < data + ETHERNET_HEADER) return -EINVAL;
    if (delta > 0) this.#memory.u8.fill(0, dataEnd, moved);
    this.setFrameEnd(moved);
    this.setBounds(dataMeta, data, moved);
    return 0;
  }

  /** `bpf_xdp_frags_shrink_tail`: from the last fragment forward, and then off the linear part. */
  #shrinkFragments(delta: number): number {
    const { data, dataEnd, dataMeta, frameEnd } = this;
    // The kernel negates an int, and this one stays negative: nothing is taken away, and nothing is wrong.
    if (delta === -0x8000_0000) return 0;
    if (-delta > frameEnd - data - ETHERNET_HEADER) return -EINVAL;
    const end = frameEnd + delta;
    this.setFrameEnd(end);
    if (end < dataEnd) this.setBounds(dataMeta, data, end);
    return 0;
  }

  /** `bpf_xdp_frags_increase_tail`: as far as the last fragment's page reaches. */
  #growFragment(delta: number): number {
    const { dataEnd, frameEnd } = this;
    const used = this.#memory.i32[MACHINE_WORD.fragmentSkip]! + frameEnd - dataEnd;
    if (delta > (-used & (FRAGMENT_SIZE - 1))) return -EINVAL;
    this.#memory.u8.fill(0, frameEnd, frameEnd + delta);
    this.setFrameEnd(frameEnd + delta);
    return 0;
  }

  /** `bpf_xdp_pull_data`: makes the first `length` bytes linear, moving what is linear forward where room is short. */
  pull(length: number): number {
    const { data, dataEnd, dataMeta, frameEnd } = this;
    const wanted = length >>> 0;
    if (wanted <= dataEnd - data) return 0;
    if (wanted > frameEnd - data) return -EINVAL;
    const words = this.#memory.i32;
    const delta = wanted - (dataEnd - data);
    const tailroom = words[MACHINE_WORD.hardEnd]! - dataEnd;
    if (delta > tailroom + dataMeta - PACKET_BASE - XDP_FRAME_SIZE) return -EINVAL;
    const shift = Math.max(0, delta - tailroom);
    if (shift > 0) {
      this.#memory.u8.copyWithin(dataMeta - shift, dataMeta, frameEnd);
      this.setFrameEnd(frameEnd - shift);
    }
    words[MACHINE_WORD.fragmentSkip] = (words[MACHINE_WORD.fragmentSkip]! + delta) & (FRAGMENT_SIZE - 1);
    this.setBounds(dataMeta - shift, data - shift, dataEnd - shift + delta);
    return 0;
  }

  /** Do `size` bytes at `offset` of the frame lie in the linear part, or in one fragment? Both unsigned and inside. */
  isContiguous(offset: number, size: number): boolean {
    const { linear } = this;
    if (offset < linear) return offset + size <= linear;
    const at = offset - linear + this.#memory.i32[MACHINE_WORD.fragmentSkip]!;
    return (at & (FRAGMENT_SIZE - 1)) + size <= FRAGMENT_SIZE;
  }

  /** `bpf_xdp_adjust_meta`: what is gained is what was there. */
  adjustMeta(delta: number): number {
    const { data, dataEnd, dataMeta } = this;
    const moved = dataMeta + delta;
    if (moved < PACKET_BASE + XDP_FRAME_SIZE || moved > data) return -EINVAL;
    const length = data - moved;
    if (length % 4 !== 0 || length > (this.#kernel.longMetadata ? MAX_METADATA : OLD_MAX_METADATA))
      return -EACCES;
    this.setBounds(moved, data, dataEnd);
    return 0;
  }
}

/** The view of an arena, kept as long as it is the same one. */
class ArenaView {
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#bytes.buffer);

  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }
}

/**
 * Copies a frame. Word by word for small ones: `set(subarray(…))` makes objects, which cost more than the copy.
 * @param view of all of `from`
 */
function copyBytes(
  to: DataView,
  toAt: number,
  from: Uint8Array,
  view: DataView,
  fromAt: number,
  length: number,
): void {
  if (length > LARGE) {
    new Uint8Array(to.buffer, to.byteOffset).set(from.subarray(fromAt, fromAt + length), toAt);
    return;
  }
  let index = 0;
  for (; index + 4 <= length; index += 4)
    to.setInt32(toAt + index, view.getInt32(fromAt + index, true), true);
  for (; index < length; index++) to.setUint8(toAt + index, view.getUint8(fromAt + index));
}
