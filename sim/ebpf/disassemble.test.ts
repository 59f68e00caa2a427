import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { disassemble, disassembleInstruction } from './disassemble.ts';
import { decodeInstructions } from './instruction.ts';
import { loadObject } from './object.ts';

function text(opcode: number, dst = 0, src = 0, offset = 0, imm = 0, second = 0): string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes.set([opcode, (src << 4) | dst]);
  view.setInt16(2, offset, true);
  view.setInt32(4, imm, true);
  view.setInt32(12, second, true);
  return disassembleInstruction(decodeInstructions(bytes), 0);
}

describe('disassembleInstruction', () => {
  it.each([
    ['r0 = 2', [0xb7, 0, 0, 0, 2]],
    ['w0 = -1', [0xb4, 0, 0, 0, -1]],
    ['r1 = r2', [0xbf, 1, 2]],
    ['r1 = (s8)r2', [0xbf, 1, 2, 8]],
    ['w1 = (s16)w2', [0xbc, 1, 2, 16]],
    ['r1 += 14', [0x07, 1, 0, 0, 14]],
    ['w5 <<= 8', [0x64, 5, 0, 0, 8]],
    ['r1 s>>= r2', [0xcf, 1, 2]],
    ['r1 /= 3', [0x37, 1, 0, 0, 3]],
    ['r1 s/= 3', [0x37, 1, 0, 1, 3]],
    ['w1 s%= w2', [0x9c, 1, 2, 1]],
    ['r3 = -r3', [0x87, 3]],
    ['w3 = -w3', [0x84, 3]],
    ['r2 = be16 r2', [0xdc, 2, 0, 0, 16]],
    ['r2 = le64 r2', [0xd4, 2, 0, 0, 64]],
    ['r2 = bswap32 r2', [0xd7, 2, 0, 0, 32]],
    ['r1 = *(u32 *)(r1 +4)', [0x61, 1, 1, 4]],
    ['r1 = *(s16 *)(r2 -2)', [0x89, 1, 2, -2]],
    ['*(u64 *)(r10 -8) = r1', [0x7b, 10, 1, -8]],
    ['*(u8 *)(r10 -1) = 7', [0x72, 10, 0, -1, 7]],
    ['lock *(u64 *)(r1 +0) += r2', [0xdb, 1, 2]],
    ['lock *(u32 *)(r1 +4) ^= r2', [0xc3, 1, 2, 4, 0xa0]],
    ['r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)', [0xdb, 1, 2, 0, 1]],
    ['r2 = atomic_fetch_or((u32 *)(r1 +0), r2)', [0xc3, 1, 2, 0, 0x41]],
    ['r2 = atomic64_xchg((u64 *)(r1 +8), r2)', [0xdb, 1, 2, 8, 0xe1]],
    ['r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)', [0xdb, 1, 2, 0, 0xf1]],
    ['r1 = load_acquire((u16 *)(r2 +0))', [0xcb, 1, 2, 0, 0x100]],
    ['store_release((u32 *)(r1 +0), r2)', [0xc3, 1, 2, 0, 0x110]],
    ['r0 = *(u16 *)skb[12]', [0x28, 0, 0, 0, 12]],
    ['r0 = *(u8 *)skb[r7 + 14]', [0x50, 0, 7, 0, 14]],
    ['r1 = 0x100000002', [0x18, 1, 0, 0, 2, 1]],
    ['r1 = 0xffffffffffffffff', [0x18, 1, 0, 0, -1, -1]],
    ['if r2 > r3 goto pc+12', [0x2d, 2, 3, 12]],
    ['if w2 s<= 0xffffffff goto pc-3', [0xd6, 2, 0, -3, -1]],
    ['if r1 & 0x80 goto pc+1', [0x45, 1, 0, 1, 0x80]],
    ['goto pc+0', [0x05]],
    ['gotol pc+70000', [0x06, 0, 0, 0, 70000]],
    ['may_goto pc+2', [0xe5, 0, 0, 2]],
    ['call bpf_map_lookup_elem#1', [0x85, 0, 0, 0, 1]],
    ['call unknown#195896080', [0x85, 0, 0, 0, 0xbad2310]],
    ['call pc+5', [0x85, 0, 1, 0, 5]],
    ['exit', [0x95]],
    ['BUG_ff', [0xff]],
    ['BUG_8d', [0x8d, 1]],
  ] as const)('writes %s', (expected, [opcode, dst, src, offset, imm, second]: readonly number[]) => {
    expect(text(opcode!, dst, src, offset, imm, second)).toBe(expected);
  });
});

describe('disassemble', () => {
  const object = loadObject(
    new Uint8Array(readFileSync(new URL('./test-support/linking.o', import.meta.url))),
  );

  it('shows functions, source lines, and names of maps, functions and kernel functions', () => {
    const listing = disassemble(object, object.programs[1]!);
    for (const line of [
      'count:',
      '; bpf_rcu_read_unlock(); @ linking.bpf.c:99',
      '   0: (bf) r6 = r1',
      '   1: (18) r1 = map[.data][0]+4',
      '  24: (18) r1 = map[total]',
      '  57: (85) call bpf_rcu_read_unlock#1',
      'twice:',
    ]) {
      expect(listing.split('\n')).toContain(line);
    }
    expect(listing).toMatch(/\(18\) r2 = subprog\[\+\d+\]#add_one\n/);
    expect(listing).toMatch(/\(85\) call pc\+\d+#thrice\n/);
  });

  it('shows each instruction once, and no second slots', () => {
    const [program] = object.programs;
    const numbers = [...disassemble(object, program!).matchAll(/^ *(\d+): /gm)].map((match) =>
      Number(match[1]),
    );
    expect(numbers).toEqual([0, 2, 3, 4, 5, 6]);
  });
});
