import { describe, expect, it } from 'vitest';
import { frameUseOf } from './frame-use.ts';
import { assemble } from './test-support/assemble.ts';

function bytesOf(...lines: string[]): number {
  const instructions = assemble(lines.join('\n'));
  return frameUseOf(instructions, 0, instructions.count).bytes;
}

const END = ['r0 = 0', 'exit'];

describe('how much of its frame a function uses', () => {
  it('a register that is used again for a number is no address any more', () => {
    const key = ['r2 = r10', 'r2 += -4'];
    expect(bytesOf(...key, 'call bpf_map_lookup_elem', 'r2 = 600', 'r2 += -700', 'r1 = r2', ...END)).toBe(4);
    expect(bytesOf(...key, 'r2 = *(u64 *)(r1 + 0)', 'r2 += -700', 'call bpf_redirect', ...END)).toBe(0);
    expect(bytesOf(...key, 'r2 = 0xdeadbeef ll', 'r2 += -559038737', 'call bpf_redirect', ...END)).toBe(0);
    expect(bytesOf(...key, 'r2 *= 3', 'r2 += -700', 'call bpf_redirect', ...END)).toBe(0);
    expect(bytesOf(...key, 'w2 += -700', 'call bpf_redirect', ...END)).toBe(0);
  });

  it('what a call leaves behind in its registers is no address either', () => {
    expect(bytesOf('r3 = r10', 'call bpf_ktime_get_ns', 'r3 += -700', 'call bpf_redirect', ...END)).toBe(0);
    expect(
      bytesOf('r6 = r10', 'call bpf_ktime_get_ns', 'r6 += -72', 'r1 = r6', 'call bpf_redirect', ...END),
    ).toBe(72);
  });

  it('addresses are followed through copies of copies, to what reads, writes, is called and is kept', () => {
    const copy = ['r6 = r10', 'r6 += -40', 'r7 = r6', 'r7 -= 60'];
    expect(bytesOf(...copy, '*(u8 *)(r7 + 4) = 1', ...END)).toBe(96);
    expect(bytesOf(...copy, 'r1 = *(u8 *)(r7 + 4)', ...END)).toBe(96);
    expect(bytesOf(...copy, 'r1 = load_acquire((u32 *)(r7 + 0))', ...END)).toBe(100);
    expect(bytesOf(...copy, 'r2 = r7', 'call bpf_redirect', ...END)).toBe(100);
    expect(bytesOf(...copy, '*(u64 *)(r10 - 8) = r7', ...END)).toBe(100);
    // Computed and not used: a loop may begin before the first place that it writes to.
    expect(bytesOf(...copy, '*(u64 *)(r10 - 8) = 1', ...END)).toBe(8);
  });

  it('what lies behind a jump begins with what the jump brings along, not with the line above', () => {
    const text = (first: string): string[] => [
      'if r1 == 0 goto far',
      first,
      'r2 += -80',
      'r1 = r2',
      'call bpf_redirect',
      'exit',
      'far:',
      'r2 += -700',
      'call bpf_redirect',
      ...END,
    ];
    expect(bytesOf('r2 = 900', ...text('r2 = r10'))).toBe(80);
    expect(bytesOf('r2 = r10', ...text('r2 = 5'))).toBe(700);
  });

  it('loops end, however an address moves in them', () => {
    const loop = ['r6 = r10', 'r6 += -64', 'again:', '*(u64 *)(r6 + 0) = 1', 'r6 += -8'];
    expect(bytesOf(...loop, 'if r6 != r1 goto again', ...END)).toBe(64);
  });
});
