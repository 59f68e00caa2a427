import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInstructions } from './check-instructions.ts';
import { decodeInstructions, encodeInstructions, type Instructions } from './instruction.ts';
import { InstructionError } from './instruction-error.ts';
import { formAt, formsOf } from './instruction-table.ts';

/** Slots as opcode, dst, src, offset, imm. */
type Slot = readonly [opcode: number, dst?: number, src?: number, offset?: number, imm?: number];

function assemble(...slots: readonly Slot[]): Instructions {
  const bytes = new Uint8Array(slots.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [opcode, dst = 0, src = 0, offset = 0, imm = 0]] of slots.entries()) {
    bytes[index * 8] = opcode;
    bytes[index * 8 + 1] = (src << 4) | dst;
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, imm, true);
  }
  return decodeInstructions(bytes);
}

const EXIT: Slot = [0x95];
const ZERO: Slot = [0xb7];

/** What is said to the first instruction of a program that ends properly. */
function verdict(slot: Slot, options = {}): string {
  try {
    checkInstructions(assemble(slot, ZERO, ZERO, EXIT), options);
    return 'valid';
  } catch (error) {
    expect(error).toBeInstanceOf(InstructionError);
    return (error as InstructionError).message;
  }
}

describe('the table of instructions', () => {
  it('has the 128 opcodes that the kernel takes', () => {
    const opcodes = Array.from({ length: 256 }, (_, opcode) => opcode).filter(
      (opcode) => formsOf(opcode).length > 0,
    );
    // kernel/bpf/core.c BPF_INSN_MAP and may_goto: 24 of each ALU class, 2 negations, 3 swaps, 22 of each jump class,
    // goto twice, call, exit, 12 plain accesses, 3 sign-extending loads, 4 atomics, 6 packet loads, the wide load.
    expect(opcodes.length).toBe(2 * 24 + 2 + 3 + 2 * 22 + 4 + 12 + 3 + 4 + 6 + 1 + 1);
    expect(opcodes.length).toBe(128);
  });

  it.each([
    ['r1 += r2', [0x0f, 1, 2], 1],
    ['r1 s/= r2', [0x3f, 1, 2, 1], 4],
    ['w1 = (s16)w2', [0xbc, 1, 2, 16], 4],
    ['r1 = bswap32 r1', [0xd7, 1, 0, 0, 32], 4],
    ['if r1 < r2', [0xad, 1, 2], 2],
    ['if w1 == 5', [0x16, 1, 0, 0, 5], 3],
    ['lock *(u64 *)(r1 +0) += r2', [0xdb, 1, 2], 1],
    ['r2 = atomic64_fetch_add', [0xdb, 1, 2, 0, 1], 3],
    ['atomic64_cmpxchg', [0xdb, 1, 2, 0, 0xf1], 3],
    ['r1 = *(s8 *)(r2 +0)', [0x91, 1, 2], 4],
    ['gotol', [0x06, 0, 0, 0, 1], 4],
  ] as const)('knows since which version there is %s', (_, slot, version) => {
    expect(formAt(assemble(slot), 0)?.version).toBe(version);
  });

  it('says which registers an instruction reads and writes', () => {
    expect(formAt(assemble([0xdb, 1, 2, 0, 1]), 0)).toMatchObject({
      dst: 'read',
      src: 'read-write',
      r0: 'none',
    });
    expect(formAt(assemble([0xdb, 1, 2, 0, 0xf1]), 0)).toMatchObject({
      dst: 'read',
      src: 'read',
      r0: 'read-write',
    });
    expect(formAt(assemble([0xb7, 1]), 0)).toMatchObject({ dst: 'write', src: 'none' });
  });
});

describe('checkInstructions', () => {
  it.each([
    ['an unknown opcode', [0xff], 'unknown opcode ff'],
    ['an indirect call, as the kernel does', [0x8d, 1], 'unknown opcode 8d (callx'],
    ['a call with a register', [0x85, 1], 'BPF_CALL uses reserved fields'],
    ['an offset in an addition', [0x07, 1, 0, 4, 1], 'BPF_ALU uses reserved fields'],
    ['an imm beside a source register', [0x0f, 1, 2, 0, 1], 'BPF_ALU uses reserved fields'],
    ['a sign extension of 24 bits', [0xbf, 1, 2, 24], 'BPF_MOV uses reserved fields'],
    ['a sign extension of 32 bits in 32', [0xbc, 1, 2, 32], 'BPF_MOV uses reserved fields'],
    ['a swap of 8 bits', [0xdc, 1, 0, 0, 8], 'BPF_END uses reserved fields'],
    ['an imm in a negation', [0x87, 1, 0, 0, 1], 'BPF_NEG uses reserved fields'],
    ['an imm in a load', [0x61, 1, 2, 0, 1], 'BPF_LDX uses reserved fields'],
    ['an imm in a store', [0x63, 10, 2, -4, 1], 'BPF_STX uses reserved fields'],
    ['a register in a store of a constant', [0x62, 10, 2, -4, 1], 'BPF_ST uses reserved fields'],
    ['an unknown atomic operation', [0xdb, 1, 2, 0, 0x21], 'BPF_ATOMIC uses invalid atomic opcode'],
    ['an atomic byte', [0xd3, 1, 2, 0, 0], 'BPF_ATOMIC uses invalid atomic opcode'],
    ['an imm in a comparison of registers', [0x1d, 1, 2, 0, 1], 'BPF_JMP/JMP32 uses reserved fields'],
    ['an imm in a goto', [0x05, 0, 0, 0, 1], 'BPF_JA uses reserved fields'],
    ['an offset in a long goto', [0x06, 0, 0, 1, 0], 'BPF_JA uses reserved fields'],
    ['an imm in an exit', [0x95, 0, 0, 0, 1], 'BPF_EXIT uses reserved fields'],
    ['a division by a constant zero', [0x37, 1], 'div by zero'],
    ['a signed remainder by a constant zero', [0x94, 1, 0, 1], 'div by zero'],
    ['a shift by the whole width', [0x67, 1, 0, 0, 64], 'invalid shift 64'],
    ['a shift by the whole narrow width', [0xc4, 1, 0, 0, 32], 'invalid shift 32'],
    ['a negative shift', [0x77, 1, 0, 0, -1], 'invalid shift -1'],
    ['register 11', [0xb7, 11], 'R11 is invalid'],
    ['source register 15', [0xbf, 1, 15], 'R15 is invalid'],
    ['a write to r10', [0xb7, 10], 'frame pointer is read only'],
    ['a fetch into r10', [0xdb, 1, 10, 0, 1], 'frame pointer is read only'],
    ['a wide load without its second slot', [0x18, 1], 'invalid bpf_ld_imm64 insn'],
    ['a wide load of an unknown kind', [0x18, 1, 7], 'invalid bpf_ld_imm64 insn'],
  ] as const)('refuses %s', (_, slot, message) => {
    expect(verdict(slot)).toContain(`instruction 0: ${message}`);
  });

  it.each([
    ['a shift by 0', [0x67, 1, 0, 0, 0]],
    ['a shift by 63', [0x67, 1, 0, 0, 63]],
    ['a store to the stack through r10', [0x7b, 10, 1, -8]],
    ['a division by a register', [0x3f, 1, 2]],
    ['an exchange', [0xdb, 1, 2, 0, 0xe1]],
    ['a call of a kernel function of a module', [0x85, 0, 2, 3, 9]],
    ['may_goto', [0xe5]],
  ] as const)('accepts %s', (_, slot) => {
    expect(verdict(slot)).toBe('valid');
  });

  it('takes packet loads from TC programs and not from XDP programs', () => {
    expect(verdict([0x30, 0, 0, 0, 12])).toBe('valid');
    expect(verdict([0x30, 0, 0, 0, 12], { packetLoads: false })).toContain(
      'BPF_LD_[ABS|IND] instructions not allowed',
    );
    expect(verdict([0x38, 0, 0, 0, 12])).toContain('unknown opcode 38');
  });

  it.each([
    ['nothing', [], 'instruction 0: the program is empty'],
    [
      'a jump out of the program',
      [[0x05, 0, 0, 1], EXIT],
      'instruction 0: jump out of range from insn 0 to 2',
    ],
    [
      'a jump before the program',
      [[0x15, 1, 0, -2], EXIT],
      'instruction 0: jump out of range from insn 0 to -1',
    ],
    ['a fall through the end', [EXIT, ZERO], 'instruction 1: last insn is not an exit or jmp'],
    [
      'a conditional jump as the end',
      [ZERO, [0x15, 0, 0, -2]],
      'instruction 1: last insn is not an exit or jmp',
    ],
    ['what no path leads to', [EXIT, ZERO, EXIT], 'instruction 1: unreachable insn 1'],
    [
      'a jump into a wide load',
      [[0x15, 1, 0, 1], [0x18], [0], EXIT],
      'instruction 1: jump into the middle of ldimm64 insn 1',
    ],
    ['a wide load as the end', [[0x18], [0]], 'last insn is not an exit or jmp'],
    ['a call out of the program', [[0x85, 0, 1, 0, 5], EXIT], 'instruction 0: call to invalid destination 6'],
    [
      'a fall from one function into the next',
      [[0x85, 0, 1, 0, 1], ZERO, ZERO, EXIT],
      'instruction 1: last insn is not an exit or jmp',
    ],
    [
      'a jump into another function',
      [[0x85, 0, 1, 0, 1], [0x05, 0, 0, 0], ZERO, EXIT],
      'instruction 1: jump out of range from insn 1 to 2',
    ],
  ] as const)('refuses %s', (_, slots, message) => {
    expect(() => checkInstructions(assemble(...slots))).toThrow(message);
  });

  it('accepts loops, calls and addresses of functions', () => {
    checkInstructions(assemble(ZERO, [0x05, 0, 0, -2]));
    checkInstructions(assemble([0x85, 0, 1, 0, 1], EXIT, ZERO, EXIT));
    checkInstructions(assemble([0x18, 2, 4, 0, 2], [0], EXIT, ZERO, EXIT));
  });

  it('ends with a verdict on any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { maxLength: 12 }), (slots) => {
        const program = decodeInstructions(Uint8Array.from(slots.flatMap((slot) => [...slot])));
        try {
          checkInstructions(program);
        } catch (error) {
          expect(error).toBeInstanceOf(InstructionError);
        }
        expect(encodeInstructions(program).length).toBe(slots.length * 8);
      }),
      { numRuns: 500 },
    );
  });
});
