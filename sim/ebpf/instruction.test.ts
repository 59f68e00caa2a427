import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../runtime/input-error.ts';
import {
  callTarget,
  decodeInstructions,
  encodeInstructions,
  isConditionalJump,
  JA,
  JA32,
  jumpTarget,
  LDDW,
} from './instruction.ts';

describe('decodeInstructions', () => {
  it('reads the fields of RFC 9669 §3.1, dst in the low four bits', () => {
    const program = decodeInstructions(Uint8Array.of(0x61, 0x12, 0xfc, 0xff, 0x78, 0x56, 0x34, 0x92));
    expect(program.count).toBe(1);
    expect(program.opcode[0]).toBe(0x61);
    expect(program.dst[0]).toBe(2);
    expect(program.src[0]).toBe(1);
    expect(program.offset[0]).toBe(-4);
    expect(program.imm[0]).toBe(0x92345678 | 0);
  });

  it('is undone by encodeInstructions, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (slots) => {
        const bytes = new Uint8Array(Math.floor(slots.length / 8) * 8).map((_, index) => slots[index]!);
        expect(encodeInstructions(decodeInstructions(bytes))).toEqual(bytes);
      }),
    );
  });

  it('refuses bytes that are no whole number of slots', () => {
    expect(() => decodeInstructions(new Uint8Array(12))).toThrow(InputError);
  });
});

describe('jumps', () => {
  it('lead to the next slot plus the offset, or for the long jump the imm', () => {
    const bytes = new Uint8Array(24);
    bytes.set([JA, 0, 0xfe, 0xff], 0);
    bytes.set([JA32, 0, 0, 0, 0x00, 0x00, 0x01, 0x00], 8);
    bytes.set([0x85, 0x10, 0, 0, 0xfb, 0xff, 0xff, 0xff], 16);
    const program = decodeInstructions(bytes);
    expect(jumpTarget(program, 0)).toBe(-1);
    expect(jumpTarget(program, 1)).toBe(65538);
    expect(callTarget(program, 2)).toBe(-2);
  });

  it('are conditional for all but goto, call and exit', () => {
    const conditional = Array.from({ length: 256 }, (_, opcode) => opcode).filter(isConditionalJump);
    expect(conditional).toContain(0x15);
    expect(conditional).toContain(0xde);
    for (const opcode of [JA, JA32, 0x85, 0x95, LDDW, 0x07]) expect(conditional).not.toContain(opcode);
  });
});
