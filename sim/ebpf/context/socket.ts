/**
 * `struct bpf_sock` (include/uapi/linux/bpf.h), with the rules of `bpf_sock_is_valid_access` and
 * `bpf_sock_common_is_valid_access` (net/core/filter.c).
 *
 * The socket that `skb->sk` leads to is the one of a test run (net/bpf/test_run.c, `bpf_prog_test_run_skb`): of no
 * protocol, closed, bound to no device, with the family and the addresses of the frame as it came.
 *
 * Sockets lie in rows from `SOCKET_BASE` on: the frame's own, then those of the world. In a row, what a program sees of
 * a socket has one address for each of its forms:
 *
 * ```
 *     0  struct bpf_sock
 *    80  struct bpf_tcp_sock
 *   192  the kernel's own structure (`bpf_skc_to_tcp_sock`): nothing to read
 * ```
 */

import type { BpfProgram } from '../bpf-object.ts';
import { BPF_DW, BPF_LDX, BPF_MEM } from '../instruction.ts';
import { type LinearMemory, SOCKET_BASE, SOCKET_LIMIT } from '../memory.ts';
import { SK_BUFF } from './sk-buff.ts';

/** Bytes from row to row, and where in them the other two forms are. */
export const SOCKET_ROW = 256;
export const TCP_FORM = 80;
export const KERNEL_FORM = 192;
/** How many sockets a world may have: the first row is the frame's, and the last is none of a socket. */
export const MAX_SOCKETS: number = (SOCKET_LIMIT - SOCKET_BASE) / SOCKET_ROW - 2;
/** The root control group, another of the kernel's own structures. */
export const ROOT_CGROUP_ADDRESS: number = SOCKET_LIMIT - SOCKET_ROW + KERNEL_FORM;

/** The row that an address is in; 0: the frame's own socket, others: the world's, counted from 1. */
export function socketRow(address: number): number {
  return Math.floor((address - SOCKET_BASE) / SOCKET_ROW);
}

/** Bytes. */
export const SOCKET_SIZE = 80;

export const SOCKET = {
  boundDevIf: 0,
  family: 4,
  type: 8,
  protocol: 12,
  mark: 16,
  priority: 20,
  srcIp4: 24,
  srcIp6: 28,
  /** Host order. */
  srcPort: 44,
  /** Network order, two bytes. */
  dstPort: 48,
  dstIp4: 52,
  dstIp6: 56,
  state: 72,
  rxQueueMapping: 76,
} as const;

const TCP_CLOSE = 7;

/** What a frame of one family makes of its socket. */
interface SocketFamily {
  /** The frame's type, as it lies in memory. */
  readonly type: number;
  /** Bytes of the header that have to be there. */
  readonly header: number;
  readonly family: number;
  /** Bytes of an address, where the source's lies in the header (the destination's follows), and where both go. */
  readonly size: number;
  readonly source: number;
  readonly to: readonly [source: number, destination: number];
}

export const SOCKET_FAMILIES: readonly SocketFamily[] = [
  { type: 0x0008, header: 20, family: 2, size: 4, source: 12, to: [SOCKET.srcIp4, SOCKET.dstIp4] },
  { type: 0xdd86, header: 40, family: 10, size: 16, source: 8, to: [SOCKET.srcIp6, SOCKET.dstIp6] },
];

/** Fills in what depends on the frame. @param at address of the frame */
export function fillSocket(memory: LinearMemory, at: number, length: number): void {
  const { u8, view } = memory;
  u8.fill(0, SOCKET_BASE, SOCKET_BASE + SOCKET.state);
  const type = view.getUint16(at + 12, true);
  for (const { type: wanted, header, family, size, source, to } of SOCKET_FAMILIES) {
    if (type !== wanted) continue;
    memory.setU32(SOCKET_BASE + SOCKET.family, family);
    if (length < 14 + header) return;
    u8.copyWithin(SOCKET_BASE + to[0], at + 14 + source, at + 14 + source + size);
    u8.copyWithin(SOCKET_BASE + to[1], at + 14 + source + size, at + 14 + source + 2 * size);
  }
}

/** Does a program load eight bytes from where `sk` is in the context? Only then the socket is worth filling in. */
export function looksAtSocket({ instructions }: BpfProgram): boolean {
  return instructions.opcode.some(
    (opcode, slot) => opcode === (BPF_LDX | BPF_MEM | BPF_DW) && instructions.offset[slot] === SK_BUFF.sk,
  );
}

/**
 * May `size` bytes at `offset` be read?
 * @param full of any socket; `skb->sk` as it is may be one in the making, of which only the common fields are there
 */
export function maySocketBeRead(offset: number, size: number, full: boolean): boolean {
  if (offset < 0 || offset + size > SOCKET_SIZE || offset % size !== 0) return false;
  if (!full && offset >= SOCKET.type && offset < SOCKET.srcIp4) return false;
  if (offset >= SOCKET.dstPort && offset < SOCKET.dstIp4) {
    // Two bytes in the struct, but once four: programs of that time still read four.
    return offset + size <= SOCKET.dstPort + 2 || (offset === SOCKET.dstPort && size === 4);
  }
  const field = offset & ~3;
  if (field === SOCKET.boundDevIf || field === SOCKET.mark || field === SOCKET.priority) return size === 4;
  // Of addresses any part may be read, of numbers the lowest bytes (`bpf_ctx_narrow_access_ok`).
  const isAddress = field >= SOCKET.srcIp4 && field < SOCKET.state && field !== SOCKET.srcPort;
  return size <= 4 && (isAddress || offset === field);
}

/** `struct bpf_tcp_sock`. */
export const TCP_SOCKET = {
  sndCwnd: 0,
  rttMin: 8,
  sndSsthresh: 12,
  mssCache: 28,
  /** u64. */
  bytesReceived: 80,
  bytesAcked: 88,
  size: 112,
} as const;

/** `bpf_tcp_sock_is_valid_access` */
export function mayTcpSocketBeRead(offset: number, size: number): boolean {
  if (offset < 0 || offset + size > TCP_SOCKET.size || offset % size !== 0) return false;
  const wide = offset >= TCP_SOCKET.bytesReceived && offset < TCP_SOCKET.bytesAcked + 8;
  return size === (wide ? 8 : 4);
}

/** Why a program stops that reads one of the kernel's own structures: `Unsupported`. */
export const NO_KERNEL_STRUCTS =
  "the machine does not have the kernel's own structures, one of which is read here";

/** Is it the address, or behind it, of a socket as the kernel's own structure? */
export function isKernelForm(address: number): boolean {
  return (
    address >= SOCKET_BASE && address < SOCKET_LIMIT && (address - SOCKET_BASE) % SOCKET_ROW >= KERNEL_FORM
  );
}

/** May so much be read at an address among the sockets, whichever form of which socket it is? */
export function isSocketFormReadable(address: number, size: number): boolean {
  const offset = (address - SOCKET_BASE) % SOCKET_ROW;
  return offset < TCP_FORM
    ? maySocketBeRead(offset, size, true)
    : offset < KERNEL_FORM && mayTcpSocketBeRead(offset - TCP_FORM, size);
}

/** Fills in what is the same for every frame. */
export function writeSocket(memory: LinearMemory): void {
  memory.setU32(SOCKET_BASE + SOCKET.state, TCP_CLOSE);
  memory.setU32(SOCKET_BASE + SOCKET.rxQueueMapping, 0xffff_ffff);
}
