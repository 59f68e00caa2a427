/** What a CO-RE relocation writes into an instruction, and where it does not fit (libbpf, src/relo_core.c). */
import { describe, expect, it } from 'vitest';
import { disassembleInstruction } from '../disassemble.ts';
import { CALL, type Instructions } from '../instruction.ts';
import { assemble } from '../test-support/assemble.ts';
import type { CoreValue } from './core-answer.ts';
import { POISONED_RELOCATION, patch, poison } from './core-patch.ts';

const value = (number: bigint, size?: number, certain: boolean = true): CoreValue => ({
  value: number,
  certain,
  ...(size === undefined ? {} : { field: { typeId: 1, size } }),
});

const texts = (instructions: Instructions, count: number): string[] =>
  Array.from({ length: count }, (_, index) => disassembleInstruction(instructions, index));

/** The text of the first instruction afterwards, or why it was poisoned. */
function patched(text: string, before: CoreValue, after: CoreValue, widthIsSafe: boolean = true): string {
  const instructions = assemble(`${text}\nexit`);
  return patch(instructions, 0, before, after, widthIsSafe, 'here') ?? texts(instructions, 1)[0]!;
}

describe('an instruction that a relocation changes', () => {
  it.each<[text: string, before: bigint, after: bigint, result: string]>([
    ['r1 = 5', 5n, 0x7fff_fffen, 'r1 = 2147483646'],
    ['r1 = -1', 0xffff_ffffn, 0xffff_fffen, 'r1 = -2'],
    ['w3 += 7', 7n, 8n, 'w3 += 8'],
    [
      'r1 = 0x1_2345_6789 ll'.replaceAll('_', ''),
      0x1_2345_6789n,
      0x7654_3210_89ab_cdefn,
      'r1 = 0x7654321089abcdef',
    ],
    ['r1 = 0x8000000080000001 ll', 0x8000_0000_8000_0001n, 0x8000_0002n, 'r1 = 0x80000002'],
    ['r1 = 0x80000001 ll', 0x8000_0001n, -1n, 'r1 = 0xffffffffffffffff'],
    ['r2 = *(u32 *)(r1 + 8)', 8n, 32767n, 'r2 = *(u32 *)(r1 +32767)'],
    ['*(u16 *)(r1 + 8) = 3', 8n, 0n, '*(u16 *)(r1 +0) = 3'],
    ['*(u16 *)(r1 + 8) = r3', 8n, 16n, '*(u16 *)(r1 +16) = r3'],
  ])('%s', (text, before, after, result) => {
    expect(patched(text, value(before), value(after))).toBe(result);
  });

  it.each<[text: string, before: bigint, found: string]>([
    ['r1 = 5', 6n, '5'],
    ['w3 += -7', 7n, '-7'],
    ['r1 = 0x123456789 ll', 0x2345_6789n, '4886718345'],
    ['r1 = 0x123456789 ll', 0x1_2345_6788n, '4886718345'],
    ['r1 = 0x80000001 ll', -0x7fff_ffffn, '2147483649'],
    ['r2 = *(u32 *)(r1 + 8)', 9n, '8'],
    ['*(u16 *)(r1 + 8) = 3', -8n, '8'],
  ])('%s is refused where the compiler should have written %d', (text, before, found) => {
    expect(() => patched(text, value(before), value(0n))).toThrow(
      `here: expected an instruction with the value ${before}, found ${found}`,
    );
    // Not where the compiler's own value says nothing.
    expect(patched(text, value(before, undefined, false), value(0n))).toBe(
      patched(text, value(BigInt(found)), value(0n)),
    );
  });

  it('may have no offset above 32767, and none that CO-RE does not change', () => {
    expect(() => patched('r2 = *(u32 *)(r1 + 8)', value(8n), value(32768n))).toThrow(
      'an offset of at most 32767',
    );
    expect(() => patched('r1 = r2', value(0n), value(1n))).toThrow('opcode 0xbf');
    expect(() => patched('w1 += w2', value(0n), value(1n))).toThrow('opcode 0xc');
    expect(() => patched('r1 = ksym[0]', value(0n), value(1n))).toThrow('opcode 0x18');
    expect(() => patched('goto out\nout:', value(0n), value(1n))).toThrow('opcode 0x5');
  });

  it.each([
    [1, 'u8'],
    [2, 'u16'],
    [4, 'u32'],
    [8, 'u64'],
  ])('loads a field of %d bytes as %s', (size, type) => {
    expect(patched('r2 = *(u32 *)(r1 + 8)', value(8n, 4), value(16n, size))).toBe(
      `r2 = *(${type} *)(r1 +16)`,
    );
    expect(patched('*(u32 *)(r1 + 8) = r2', value(8n, 4), value(16n, size))).toBe(
      `*(${type} *)(r1 +16) = r2`,
    );
  });

  it('keeps its width where nobody knows the field, and takes no other width than the field had', () => {
    expect(patched('r2 = *(u32 *)(r1 + 8)', value(8n), value(16n, 8))).toBe('r2 = *(u32 *)(r1 +16)');
    expect(patched('r2 = *(u32 *)(r1 + 8)', value(8n, 4), value(16n))).toBe('r2 = *(u32 *)(r1 +16)');
    expect(patched('r2 = *(u16 *)(r1 + 8)', value(8n, 4), value(16n, 4))).toBe('r2 = *(u16 *)(r1 +16)');
    expect(() => patched('r2 = *(u16 *)(r1 + 8)', value(8n, 4), value(16n, 8))).toThrow(
      'here: expected an access of 4 bytes, found 2',
    );
    expect(() => patched('r2 = *(u32 *)(r1 + 8)', value(8n, 4), value(16n, 3))).toThrow(
      'here: expected a field of 1, 2, 4 or 8 bytes, found 3',
    );
  });

  it('becomes the call of no helper where another width would give another number', () => {
    const instructions = assemble('r2 = *(u32 *)(r1 + 8)\nexit');
    expect(patch(instructions, 0, value(8n, 4), value(16n, 8), false, 'here')).toBe(
      'the field has another width in the kernel, and is signed or no number',
    );
    expect([
      instructions.opcode[0],
      instructions.imm[0],
      instructions.offset[0],
      instructions.dst[0],
      instructions.src[0],
    ]).toEqual([CALL, POISONED_RELOCATION, 0, 0, 0]);
  });
});

describe('a poisoned instruction', () => {
  it('is one slot, or both of a 16-byte load, and no more', () => {
    for (const [text, slots] of [
      ['r1 = 0x123456789 ll', 2],
      ['r7 = *(u64 *)(r6 + 8)', 1],
    ] as const) {
      const instructions = assemble(`r3 = 1\n${text}\nr5 = 1\nexit`);
      poison(instructions, 1, 77);
      const poisoned = Array.from({ length: instructions.count }, (_, index) => index).filter(
        (index) => instructions.opcode[index] === CALL,
      );
      expect(poisoned).toEqual(slots === 2 ? [1, 2] : [1]);
      for (const index of poisoned)
        expect([
          instructions.dst[index],
          instructions.src[index],
          instructions.offset[index],
          instructions.imm[index],
        ]).toEqual([0, 0, 0, 77]);
      expect(texts(instructions, 1)).toEqual(['r3 = 1']);
      expect(disassembleInstruction(instructions, 1 + slots)).toBe('r5 = 1');
    }
  });
});
