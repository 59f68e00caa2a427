/**
 * `struct bpf_dynptr` as the machine keeps it, in the program's 16 bytes (kernel/bpf/helpers.c):
 *
 * ```
 *   0                4                8                12
 *   ┌────────────────┬────────────────┬────────────────┬────────────────┐
 *   │ address        │ offset         │ size           │ kind and seal  │
 *   └────────────────┴────────────────┴────────────────┴────────────────┘
 * ```
 *
 * The seal depends on where the struct lies, so that bytes which no helper made are not taken for a dynptr. A
 * dynptr on the packet has no address: its offset counts from wherever the packet begins.
 */
import { EFAULT } from '../../runtime/errno.ts';
import { type Machine, Unsupported } from '../machine.ts';
import { locate } from './xdp-bytes-helpers.ts';

export const DYNPTR = { null: 0, memory: 1, sample: 2, packet: 3 } as const;
export type DynptrKind = (typeof DYNPTR)[keyof typeof DYNPTR];

const BEHIND_LINEAR =
  'a slice without a buffer that begins behind what is linear is not modelled: the kernel gives a pointer to whatever lies there';

const READ_ONLY = 8;
const SEAL = 0x5d1a_5700;

export interface Dynptr {
  kind: DynptrKind;
  address: number;
  offset: number;
  size: number;
  readOnly: boolean;
}

/** `DYNPTR_MAX_SIZE` (include/linux/bpf.h): its length shares 32 bits with its kind. */
export const LARGEST_DYNPTR = 0xff_ffff;

/** What tells a dynptr that a helper made at `at` from other bytes: all of its last four but the lowest. */
export function dynptrSeal(at: number): number {
  return SEAL ^ (at << 8);
}

export function writeDynptr(machine: Machine, at: number, dynptr: Dynptr): void {
  const { memory } = machine;
  memory.setU32(at, dynptr.address);
  memory.setU32(at + 4, dynptr.offset);
  memory.setU32(at + 8, dynptr.size);
  memory.setU32(at + 12, dynptrSeal(at) | dynptr.kind | (dynptr.readOnly ? READ_ONLY : 0));
}

/** A dynptr that leads nowhere: what a failing helper leaves. */
export function writeNullDynptr(machine: Machine, at: number): void {
  writeDynptr(machine, at, { kind: DYNPTR.null, address: 0, offset: 0, size: 0, readOnly: false });
}

/** Undefined where no helper has made one. */
export function readDynptr(machine: Machine, at: number): Dynptr | undefined {
  const { memory } = machine;
  const last = memory.u32(at + 12) | 0;
  if ((last & ~0xff) !== dynptrSeal(at)) return undefined;
  return {
    kind: (last & 7) as DynptrKind,
    address: memory.u32(at),
    offset: memory.u32(at + 4),
    size: memory.u32(at + 8),
    readOnly: (last & READ_ONLY) !== 0,
  };
}

/** `bpf_dynptr_check_off_len`: does `length` from `offset` lie in it? Both unsigned. */
export function reaches(dynptr: Dynptr, offset: number, length: number): boolean {
  return length <= dynptr.size && offset <= dynptr.size - length;
}

/**
 * The address of a place in it, or the negative errno with which the packet's own helpers refuse it: it may have shrunk.
 * @param writes at TC: what is written to becomes linear first
 */
export function placeIn(
  machine: Machine,
  dynptr: Dynptr,
  offset: number,
  length: number,
  writes: boolean = false,
): number {
  const at = dynptr.offset + offset;
  if (dynptr.kind !== DYNPTR.packet) return dynptr.address + at;
  if (machine.hook === 'xdp') return locate(machine, at, length);
  const { packet } = machine;
  const isThere = writes ? packet.mayPull(at + length) : at + length <= packet.length;
  return isThere ? packet.data + at : -EFAULT;
}

/**
 * `bpf_dynptr_slice`: the address of `length` bytes of it, or where they are in more than one of the frame's buffers,
 * of `buffer`, with a copy of them; 0 where there is neither.
 */
export function sliceOf(
  machine: Machine,
  dynptr: Dynptr,
  offset: number,
  length: number,
  buffer: number,
): number {
  const from = placeIn(machine, dynptr, offset, length);
  if (dynptr.kind !== DYNPTR.packet) return from;
  const { packet, memory } = machine;
  if (machine.hook !== 'xdp') {
    if (from < 0 || from + length <= packet.dataEnd) return from < 0 ? 0 : from;
    if (buffer !== 0) memory.u8.copyWithin(buffer, from, from + length);
    // `skb_pointer_if_linear` takes its offset from what is linear as unsigned: behind the end there is always enough.
    else if (from > packet.dataEnd) throw new Unsupported(BEHIND_LINEAR);
    return buffer;
  }
  if (from >= 0 && packet.isContiguous(from - packet.data, length)) return from;
  if (buffer === 0) return 0;
  // Of a packet that has shrunk since, what is left (`bpf_xdp_copy_buf`).
  const start = packet.data + dynptr.offset + offset;
  memory.u8.copyWithin(buffer, start, Math.max(start, Math.min(start + length, packet.frameEnd)));
  return buffer;
}
