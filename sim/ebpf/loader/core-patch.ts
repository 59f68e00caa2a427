/** Writes the answer to a CO-RE relocation into an instruction (libbpf, src/relo_core.c: `bpf_core_patch_insn`). */
import {
  accessSize,
  BPF_ALU,
  BPF_ALU64,
  BPF_B,
  BPF_DW,
  BPF_H,
  BPF_LDX,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_X,
  CALL,
  CLASS_MASK,
  type Instructions,
  LDDW,
  SIZE_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import type { CoreValue } from './core-answer.ts';

/** The helper number of poisoned instructions: 0xbad2310 reads "bad relo". */
export const POISONED_RELOCATION = 0xbad2310;

/** What the verifier stops at where a program calls a helper of that number, which nobody has. */
export function noSuchHelper(number: number): string {
  return number === POISONED_RELOCATION ? 'a CO-RE relocation failed' : `invalid func unknown#${number}`;
}

/** Turns an instruction into the call of a helper that does not exist; of a 16-byte load, both slots. */
export function poison(
  instructions: Instructions,
  index: number,
  helper: number = POISONED_RELOCATION,
): void {
  const slots = instructions.opcode[index] === LDDW ? 2 : 1;
  for (let slot = index; slot < index + slots; slot++) {
    instructions.opcode[slot] = CALL;
    instructions.dst[slot] = 0;
    instructions.src[slot] = 0;
    instructions.offset[slot] = 0;
    instructions.imm[slot] = helper;
  }
}

/**
 * Patches one instruction.
 * @param before what the compiler should have written there
 * @param widthIsSafe may a load or store take another width?
 * @returns undefined, or why the instruction was poisoned instead
 * @throws {ObjectError} when the instruction is none that the relocation fits
 */
export function patch(
  instructions: Instructions,
  index: number,
  before: CoreValue,
  after: CoreValue,
  widthIsSafe: boolean,
  where: string,
): string | undefined {
  const opcode = instructions.opcode[index]!;
  const expect = (found: bigint, bits: number): void => {
    const expected = BigInt.asIntN(bits, before.value);
    if (before.certain && found !== expected) {
      throw new ObjectError(where, `an instruction with the value ${expected}`, `${found}`);
    }
  };
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if ((opcode & SOURCE_MASK) === BPF_X) break;
      expect(BigInt(instructions.imm[index]!), 32);
      instructions.imm[index] = Number(BigInt.asIntN(32, after.value));
      return undefined;
    case BPF_LDX:
    case BPF_ST:
    case BPF_STX:
      expect(BigInt(instructions.offset[index]!), 64);
      if (after.value > 0x7fffn) throw new ObjectError(where, 'an offset of at most 32767', `${after.value}`);
      if (!widthIsSafe) {
        poison(instructions, index);
        return 'the field has another width in the kernel, and is signed or no number';
      }
      instructions.offset[index] = Number(after.value);
      resize(instructions, index, before, after, where);
      return undefined;
    default:
      if (opcode !== LDDW || instructions.src[index] !== 0) break;
      expect((BigInt(instructions.imm[index + 1]!) << 32n) | BigInt(instructions.imm[index]! >>> 0), 64);
      instructions.imm[index] = Number(BigInt.asIntN(32, after.value));
      instructions.imm[index + 1] = Number(BigInt.asIntN(32, after.value >> 32n));
      return undefined;
  }
  throw new ObjectError(where, 'an instruction that CO-RE can change', `opcode 0x${opcode.toString(16)}`);
}

const SIZES: readonly (readonly [bytes: number, code: number])[] = [
  [1, BPF_B],
  [2, BPF_H],
  [4, BPF_W],
  [8, BPF_DW],
];

function resize(
  instructions: Instructions,
  index: number,
  before: CoreValue,
  after: CoreValue,
  where: string,
): void {
  if (before.field === undefined || after.field === undefined || before.field.size === after.field.size)
    return;
  const opcode = instructions.opcode[index]!;
  const width = accessSize(opcode);
  if (width !== before.field.size)
    throw new ObjectError(where, `an access of ${before.field.size} bytes`, `${width}`);
  const size = SIZES.find(([bytes]) => bytes === after.field!.size);
  if (size === undefined)
    throw new ObjectError(where, 'a field of 1, 2, 4 or 8 bytes', `${after.field.size}`);
  instructions.opcode[index] = (opcode & ~SIZE_MASK) | size[1];
}
