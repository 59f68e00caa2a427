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
  registersWritten,
} from './instruction.ts';
import { testObject } from './test-support/assemble.ts';

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

it.each([
  ['r2 = 5', [2]],
  ['w2 = w3', [2]],
  ['r2 += r3', [2]],
  ['r2 = -r2', [2]],
  ['r2 = be16 r2', [2]],
  ['r2 = 7 ll', [2]],
  ['r2 = *(u8 *)(r3 + 0)', [2]],
  ['r2 = load_acquire((u32 *)(r3 + 0))', [2]],
  ['r2 = fetch_add *(u64 *)(r3 + 0)', [2]],
  ['r2 = xchg *(u64 *)(r3 + 0)', [2]],
  ['cmpxchg *(u64 *)(r3 + 0) r2', [0]],
  ['lock *(u64 *)(r3 + 0) += r2', []],
  ['store_release((u32 *)(r3 + 0), r2)', []],
  ['*(u8 *)(r3 + 0) = r2', []],
  ['*(u8 *)(r3 + 0) = 1', []],
  ['if r2 > r3 goto out', []],
  ['goto out', []],
  ['call bpf_ktime_get_ns', [0, 1, 2, 3, 4, 5]],
  ['r0 = *skb(u16)(12)', [0, 1, 2, 3, 4, 5]],
] as const)('%s writes the registers %j', (text, registers) => {
  const { instructions } = testObject({ main: `${text}\nout:\nexit` }).programs[0]!;
  expect(registersWritten(instructions, 0)).toEqual(registers);
  for (let slot = 1; slot < instructions.count; slot++)
    expect(registersWritten(instructions, slot)).toEqual([]);
});
