/** The packet loads of classic BPF in both machines (net/core/filter.c, `bpf_skb_load_helper_*`; kernel/bpf/verifier.c, `check_ld_abs`). */
import { describe, expect, it } from 'vitest';
import { action, violation } from '../test-support/both.ts';

/** All bytes have their highest bit set, and none is like another. */
const PACKET = Uint8Array.from({ length: 20 }, (_, at) => 0x80 + at);
const DETAILS = { hook: 'tc-ingress', packets: [PACKET] } as const;
const LENGTH = PACKET.length;

/** 1 where r0 is `expected` as 64 bits, 2 where it is something else, 0 where the load ended the program. */
const loads = (load: string, expected: bigint): number =>
  action(
    `r6 = r1\n${load}\nr1 = 0x${expected.toString(16)} ll\nif r0 == r1 goto same\nr0 = 2\nexit\nsame:\nr0 = 1\nexit`,
    DETAILS,
  );

const bytesAt = (at: number, size: number): bigint =>
  PACKET.subarray(at, at + size).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

describe.each([1, 2, 4])('loads of %i bytes', (size) => {
  const type = `u${8 * size}`;

  it('bring bytes in network order, without a sign', () => {
    for (const at of [0, 5, LENGTH - size]) {
      expect(loads(`r0 = *skb(${type})(${at})`, bytesAt(at, size))).toBe(1);
      expect(loads(`r2 = ${at}\nr0 = *skb(${type})(r2 + 0)`, bytesAt(at, size))).toBe(1);
    }
    expect(loads(`r2 = -3\nr0 = *skb(${type})(r2 + 7)`, bytesAt(4, size))).toBe(1);
    expect(loads(`r2 = 0x100000003 ll\nr0 = *skb(${type})(r2 + 2)`, bytesAt(5, size))).toBe(1);
  });

  it('end the program with 0 where a byte of theirs is outside', () => {
    for (const load of [
      `r0 = *skb(${type})(${LENGTH - size + 1})`,
      `r0 = *skb(${type})(${LENGTH})`,
      `r2 = ${LENGTH - size}\nr0 = *skb(${type})(r2 + 1)`,
      `r2 = -1\nr0 = *skb(${type})(r2 + 0)`,
    ])
      expect(loads(load, 0n), load).toBe(0);
  });
});

describe('offsets that count from a header', () => {
  const LONG = Uint8Array.from({ length: 40 }, (_, at) => 0x80 + at);
  const [NET, MAC] = [-0x10_0000, -0x20_0000];

  /** The byte that a load finds, as text and through a register; 0 where the load ended the program. */
  function byteAt(offset: number, packets = [LONG], before = ''): number[] {
    return [`*skb(u8)(${offset})`, '*skb(u8)(r2 + 0)', '*skb(u8)(r2 + -7)'].map((load, index) => {
      const moved = index === 2 ? offset + 7 : offset;
      return action(`r6 = r1\n${before}r2 = ${moved}\nr0 = ${load}\nexit`, { hook: 'tc-ingress', packets });
    });
  }
  const all = (value: number): number[] => [value, value, value];

  it.each([
    ['the first of the network header', NET, 0x80 + 14],
    ['the last of the frame', NET + 25, 0x80 + 39],
    ['behind the frame', NET + 26, 0],
    ['the most from the network header', -1, 0],
    ['the first of the MAC header', MAC, 0x80],
    ['the last of the frame, from the MAC header', MAC + 39, 0x80 + 39],
    ['behind the frame, from the MAC header', MAC + 40, 0],
    ['the most from the MAC header', NET - 1, 0],
    ['before both', MAC - 1, 0],
    ['far before both', -0x7fff_fff0, 0],
  ])('find %s', (_, offset, expected) => {
    expect(byteAt(offset)).toEqual(all(expected));
  });

  it('follow the network header where it moves', () => {
    const changed = 'r1 = r6\nr2 = 4\nr3 = 0\ncall 43\nr1 = r6\n';
    expect(byteAt(NET, [LONG], changed)).toEqual(all(0x80 + 14));
    expect(byteAt(MAC, [LONG], changed)).toEqual(all(0));
  });

  it('are whole words, too', () => {
    const text = `r6 = r1\nr0 = *skb(u32)(${NET + 22})\nr0 >>= 24\nexit`;
    expect(action(text, { hook: 'tc-ingress', packets: [LONG] })).toBe(0x80 + 36);
    const behind = `r6 = r1\nr0 = *skb(u32)(${NET + 23})\nr0 >>= 24\nexit`;
    expect(action(behind, { hook: 'tc-ingress', packets: [LONG] })).toBe(0);
  });
});

describe('packet loads', () => {
  const LOAD = 'r0 = *skb(u8)(3)';

  it.each([1, 2, 3, 4, 5])('forget r%i, as calls do', (register) => {
    expect(violation(`r6 = r1\nr${register} = 1\n${LOAD}\nr0 = r${register}\nexit`, DETAILS)).toBe(
      `R${register} !read_ok`,
    );
  });

  it.each([7, 8, 9])('leave r%i as it is', (register) => {
    expect(action(`r6 = r1\nr${register} = 2\n${LOAD}\nr0 = r${register}\nexit`, DETAILS)).toBe(2);
  });

  it('leave the context in r6 for the next', () => {
    expect(action(`r6 = r1\n${LOAD}\n${LOAD}\nr0 = 2\nexit`, DETAILS)).toBe(2);
  });

  it('want a register that was written, and the context in r6', () => {
    expect(violation('r6 = r1\nr0 = *skb(u8)(r2 + 0)\nexit', DETAILS)).toBe('R2 !read_ok');
    for (const six of ['r6 = 1', 'r6 = r10', 'r7 = 1'])
      expect(violation(`${six}\n${LOAD}\nexit`, DETAILS)).toBe(
        'at the time of BPF_LD_ABS|IND R6 != pointer to skb',
      );
  });
});
