/** What arithmetic may have pointers for operands (kernel/bpf/verifier.c, `adjust_ptr_min_max_vals`, with the rights of root). */
import { describe, expect, it } from 'vitest';
import { runText } from '../test-support/run-text.ts';

const BITWISE = ['|=', '&=', '^='];
const OTHERS = ['*=', '/=', 's/=', '%=', 's%=', '<<=', '>>=', 's>>='];

/** r6 and r8 point into the packet, r7 is a number. */
function reason(instruction: string, after = ''): string | undefined {
  return runText(`r6 = *(u32 *)(r1 + 0)\nr8 = r6\nr7 = 4\n${instruction}\n${after}\nout:\nr0 = 0\nexit`)
    .violation?.reason;
}

describe('64-bit arithmetic with a pointer', () => {
  it.each(BITWISE)('%s is refused', (operator) => {
    expect(reason(`r6 ${operator} r7`)).toBe(`R6 bitwise operator ${operator} on pointer prohibited`);
    expect(reason(`r6 ${operator} 4`)).toBe(`R6 bitwise operator ${operator} on pointer prohibited`);
    expect(reason(`r7 ${operator} r6`)).toBe(`R6 bitwise operator ${operator} on pointer prohibited`);
    expect(reason(`r6 ${operator} r8`)).toBe(`R6 pointer ${operator} pointer prohibited`);
  });

  it.each(OTHERS)('%s is refused', (operator) => {
    expect(reason(`r6 ${operator} r7`)).toBe(`R6 pointer arithmetic with ${operator} operator prohibited`);
    expect(reason(`r6 ${operator} 4`)).toBe(`R6 pointer arithmetic with ${operator} operator prohibited`);
    expect(reason(`r7 ${operator} r6`)).toBe(`R6 pointer arithmetic with ${operator} operator prohibited`);
    expect(reason(`r6 ${operator} r8`)).toBe(`R6 pointer ${operator} pointer prohibited`);
  });

  it('adds numbers to pointers, from either side, and takes them off', () => {
    const isStill = 'r9 = *(u32 *)(r1 + 4)\nif r6 > r9 goto out';
    for (const move of ['r6 += r7', 'r6 += 4', 'r7 += r6\nr6 = r7', 'r6 -= r7', 'r6 += -4'])
      expect(reason(move, isStill)).toBeUndefined();
  });

  it('adds no pointers, and takes none off a number', () => {
    expect(reason('r6 += r8')).toBe('R6 pointer += pointer prohibited');
    expect(reason('r7 -= r6')).toBe('R7 tried to subtract pointer from scalar');
  });

  it('makes a number of the difference of two pointers, and of a negated one', () => {
    for (const make of ['r6 -= r8', 'r6 = -r6']) {
      expect(reason(make, 'r6 *= 3')).toBeUndefined();
      expect(reason(make, 'r0 = *(u8 *)(r6 + 0)')).toMatch(/^R6 invalid mem access 'scalar'/);
    }
  });

  it('takes nothing off the pointer to the stack', () => {
    const from = (instruction: string): string | undefined =>
      runText(`r6 = r10\nr7 = 8\n${instruction}\nr0 = 0\nexit`).violation?.reason;
    expect(from('r6 -= r7')).toBe('R6 subtraction from stack pointer prohibited');
    expect(from('r6 += -8')).toBeUndefined();
    expect(from('r6 += r7')).toBeUndefined();
  });
});

describe('32-bit arithmetic with a pointer', () => {
  it.each(['+=', ...BITWISE, ...OTHERS])('%s is refused', (operator) => {
    expect(reason(`w6 ${operator} w7`)).toBe('R6 32-bit pointer arithmetic prohibited');
    expect(reason(`w7 ${operator} w6`)).toBe('R6 32-bit pointer arithmetic prohibited');
    expect(reason(`w6 ${operator} w8`)).toBe('R6 32-bit pointer arithmetic prohibited');
  });

  it('makes a number of a difference, and of a negated one', () => {
    for (const make of ['w6 -= w8', 'w6 -= w7', 'w6 = -w6']) expect(reason(make, 'r6 *= 3')).toBeUndefined();
  });
});

describe('numbers that are too large to move a pointer by', () => {
  /** r7 is a number from the packet, which is 0, and what is added to it. */
  const unknown = (added: number, sign = '+='): string | undefined =>
    runText(
      `r6 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r6\nr9 += 1\nr7 = 0\nif r9 > r8 goto out
       r7 = *(u8 *)(r6 + 0)\nr7 += ${added}\nr6 ${sign} r7\nout:\nr0 = 0\nexit`,
    ).violation?.reason;

  it('are those beyond BPF_MAX_VAR_OFF, of unknown numbers the negative ones', () => {
    const tooLow = 'math between pkt pointer and a number as low as it is here is not allowed';
    expect(unknown(-0x2000_0000)).toBe(tooLow);
    expect(unknown(-0x2000_0001)).toBe(tooLow);
    expect(unknown(-0x1fff_ffff)).toBeUndefined();
    expect(unknown(0x2000_0000)).toBeUndefined();
    expect(unknown(-0x2000_0000, '-=')).toBe(tooLow);
  });
});
