/** eBPF instructions as the kernel takes them, for the few functions that are written here and not compiled. */
import { helperNumber } from '../../sim/ebpf/helper-names.ts';

/** `struct bpf_insn`, eight bytes each. */
export const INSN_SIZE = 8;

export interface Insn {
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
}

export function insn(opcode: number, dst: number, src: number, off: number, imm: number): Insn {
  return { opcode, dst, src, off, imm };
}

export function encode(insns: readonly Insn[]): Uint8Array {
  const bytes = new Uint8Array(insns.length * INSN_SIZE);
  const view = new DataView(bytes.buffer);
  for (const [index, { opcode, dst, src, off, imm }] of insns.entries()) {
    const at = index * INSN_SIZE;
    bytes[at] = opcode;
    bytes[at + 1] = (src << 4) | dst;
    view.setInt16(at + 2, off, true);
    view.setInt32(at + 4, imm | 0, true);
  }
  return bytes;
}

// 64-bit arithmetic is class 7, 32-bit class 4, whose results have an upper half of zero; bit 3 takes a register.
export const mov = (dst: number, src: number): Insn => insn(0xbf, dst, src, 0, 0);
export const movImm = (dst: number, imm: number): Insn => insn(0xb7, dst, 0, 0, imm);
export const add = (dst: number, src: number): Insn => insn(0x0f, dst, src, 0, 0);
export const addImm = (dst: number, imm: number): Insn => insn(0x07, dst, 0, 0, imm);
export const or = (dst: number, src: number): Insn => insn(0x4f, dst, src, 0, 0);
export const andImm = (dst: number, imm: number): Insn => insn(0x57, dst, 0, 0, imm);
export const lshImm = (dst: number, imm: number): Insn => insn(0x67, dst, 0, 0, imm);
export const rshImm = (dst: number, imm: number): Insn => insn(0x77, dst, 0, 0, imm);
export const divImm = (dst: number, imm: number): Insn => insn(0x37, dst, 0, 0, imm);
export const mov32 = (dst: number, src: number): Insn => insn(0xbc, dst, src, 0, 0);
export const mov32Imm = (dst: number, imm: number): Insn => insn(0xb4, dst, 0, 0, imm);
export const add32 = (dst: number, src: number): Insn => insn(0x0c, dst, src, 0, 0);
export const add32Imm = (dst: number, imm: number): Insn => insn(0x04, dst, 0, 0, imm);
export const mul32Imm = (dst: number, imm: number): Insn => insn(0x24, dst, 0, 0, imm);
export const sub32 = (dst: number, src: number): Insn => insn(0x1c, dst, src, 0, 0);
export const xor32 = (dst: number, src: number): Insn => insn(0xac, dst, src, 0, 0);
export const rsh32Imm = (dst: number, imm: number): Insn => insn(0x74, dst, 0, 0, imm);

/** From network order. */
export const swap32 = (dst: number): Insn => insn(0xdc, dst, 0, 0, 32);

export const load8 = (dst: number, src: number, off: number): Insn => insn(0x71, dst, src, off, 0);
export const load16 = (dst: number, src: number, off: number): Insn => insn(0x69, dst, src, off, 0);
export const load32 = (dst: number, src: number, off: number): Insn => insn(0x61, dst, src, off, 0);
export const load64 = (dst: number, src: number, off: number): Insn => insn(0x79, dst, src, off, 0);
export const store32 = (dst: number, off: number, src: number): Insn => insn(0x63, dst, src, off, 0);
export const store64 = (dst: number, off: number, src: number): Insn => insn(0x7b, dst, src, off, 0);
export const storeImm8 = (dst: number, off: number, imm: number): Insn => insn(0x72, dst, 0, off, imm);
export const storeImm64 = (dst: number, off: number, imm: number): Insn => insn(0x7a, dst, 0, off, imm);

/** Jumps over `off` instructions. */
export const jump = (off: number): Insn => insn(0x05, 0, 0, off, 0);
/** Goes on for as long as the kernel lets a loop run, then jumps over `off` instructions (Linux 6.9). */
export const mayGoto = (off: number): Insn => insn(0xe5, 0, 0, off, 0);
export const jumpIfEqual = (dst: number, imm: number, off: number): Insn => insn(0x15, dst, 0, off, imm);
export const jumpIfNotEqual = (dst: number, imm: number, off: number): Insn => insn(0x55, dst, 0, off, imm);
export const jumpIfAtMost = (dst: number, imm: number, off: number): Insn => insn(0xb5, dst, 0, off, imm);
export const jumpIfAbove = (dst: number, imm: number, off: number): Insn => insn(0x25, dst, 0, off, imm);
export const jumpIfNegative = (dst: number, off: number): Insn => insn(0xc5, dst, 0, off, 0);
export const jumpIfBelow = (dst: number, imm: number, off: number): Insn => insn(0xa5, dst, 0, off, imm);

/** @throws {RangeError} for a name that is none of a helper's */
export function helperCall(name: string): Insn {
  const number = helperNumber(name);
  if (number === undefined) throw new RangeError(`no helper is called ${name}`);
  return insn(0x85, 0, 0, 0, number);
}

export const exit = (): Insn => insn(0x95, 0, 0, 0, 0);

/** A 64-bit constant: two slots. */
export function loadImm64(dst: number, value: bigint): Insn[] {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return [insn(0x18, dst, 0, 0, low), insn(0, 0, 0, 0, high)];
}

const BPF_PSEUDO_MAP_FD = 1;
const BPF_PSEUDO_MAP_VALUE = 2;

/** A map, as helpers take it: two slots. */
export function loadMap(dst: number, mapFd: number): Insn[] {
  return [insn(0x18, dst, BPF_PSEUDO_MAP_FD, 0, mapFd), insn(0, 0, 0, 0, 0)];
}

/** An address in the first value of a map with one entry: two slots. */
export function loadMapValue(dst: number, mapFd: number, offset: number = 0): Insn[] {
  return [insn(0x18, dst, BPF_PSEUDO_MAP_VALUE, 0, mapFd), insn(0, 0, 0, 0, offset)];
}
