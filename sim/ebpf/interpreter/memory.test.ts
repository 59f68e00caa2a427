import { describe, expect, it } from 'vitest';
import { testMap } from '../test-support/assemble.ts';
import { runAgain, runText } from '../test-support/run-text.ts';

const VALUE = testMap('value', 'ARRAY', { valueSize: 16, maxEntries: 1 });
const world = (...bytes: number[]): { maps: Record<string, { key: Uint8Array; value: Uint8Array }[]> } => ({
  maps: {
    value: [{ key: new Uint8Array(4), value: Uint8Array.from({ length: 16 }, (_, at) => bytes[at] ?? 0) }],
  },
});
/** r1 = address of the value. */
const value = 'r1 = map[value]+0\n';
const contents = (text: string, ...bytes: number[]): { r0: bigint; bytes: number[] } => {
  const { r0, machine, violation } = runText(value + text, { maps: [VALUE], world: world(...bytes) });
  expect(violation).toBeUndefined();
  return { r0, bytes: [...machine.maps[0]!.snapshot()!.list()[0]!.value] };
};

describe('loads', () => {
  const bytes = [0x88, 0x77, 0x66, 0xf5, 0x44, 0x33, 0x22, 0x91];
  for (const [load, expected] of [
    ['u8', 0x88n],
    ['u16', 0x7788n],
    ['u32', 0xf566_7788n],
    ['u64', 0x9122_3344_f566_7788n],
    ['s8', 0xffff_ffff_ffff_ff88n],
    ['s16', 0x7788n],
    ['s32', 0xffff_ffff_f566_7788n],
  ] as const) {
    it(`${load}, little-endian`, () => {
      expect(contents(`r0 = *(${load} *)(r1 + 0)\nexit`, ...bytes).r0).toBe(expected);
    });
  }

  it('at any alignment', () => {
    expect(contents('r0 = *(u32 *)(r1 + 1)\nexit', 0, 1, 2, 3, 4).r0).toBe(0x0403_0201n);
  });

  it('from the packet, and from the metadata in front of it', () => {
    const text = `r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 8)
      r4 = *(u32 *)(r1 + 4)
      r5 = r3
      r5 += 4
      if r5 > r2 goto out
      r0 = *(u32 *)(r3 + 0)
      r5 = r2
      r5 += 2
      if r5 > r4 goto out
      r6 = *(u16 *)(r2 + 0)
      r0 <<= 16
      r0 |= r6
      exit
      out:
      r0 = 0
      exit`;
    expect(runText(text, { metadata: Uint8Array.of(0xef, 0xbe, 0xad, 0xde) }).r0).toBe(0xdead_beef_0100n);
  });
});

describe('stores', () => {
  it('of every size, from registers and of constants', () => {
    const text = `r2 = 0x1122334455667788 ll
      *(u8 *)(r1 + 0) = r2
      *(u16 *)(r1 + 1) = r2
      *(u32 *)(r1 + 3) = r2
      *(u8 *)(r1 + 7) = -1
      *(u64 *)(r1 + 8) = -2
      r0 = 0
      exit`;
    expect(contents(text).bytes).toEqual([
      0x88, 0x88, 0x77, 0x88, 0x77, 0x66, 0x55, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ]);
  });
});

describe('atomic operations', () => {
  const run = (
    operation: string,
    old: number,
    operand: number,
    bits: 32 | 64 = 64,
  ): { r0: bigint; after: number } => {
    const result = contents(
      `r2 = ${operand}\n${operation.replaceAll('u64', `u${bits}`)}\nr0 = r2\nexit`,
      old,
    );
    return { r0: result.r0, after: result.bytes[0]! };
  };
  for (const [name, operation, expected] of [
    ['add', '+=', 17],
    ['or', '|=', 13],
    ['and', '&=', 4],
    ['xor', '^=', 9],
  ] as const) {
    it(`${name}, without and with fetch`, () => {
      expect(run(`lock *(u64 *)(r1 + 0) ${operation} r2`, 12, 5)).toEqual({ r0: 5n, after: expected });
      expect(run(`r2 = fetch_${name} *(u64 *)(r1 + 0)`, 12, 5)).toEqual({ r0: 12n, after: expected });
      expect(run(`r2 = fetch_${name} *(u64 *)(r1 + 0)`, 12, 5, 32)).toEqual({ r0: 12n, after: expected });
    });
  }

  it('carries a 64-bit addition into the upper half', () => {
    const { bytes } = contents('r2 = 1\nlock *(u64 *)(r1 + 0) += r2\nr0 = 0\nexit', 255, 255, 255, 255, 7);
    expect(bytes.slice(0, 8)).toEqual([0, 0, 0, 0, 8, 0, 0, 0]);
  });

  it('wraps a 32-bit addition, and leaves what is beside it', () => {
    const { bytes } = contents('r2 = 1\nlock *(u32 *)(r1 + 0) += r2\nr0 = 0\nexit', 255, 255, 255, 255, 7);
    expect(bytes.slice(0, 8)).toEqual([0, 0, 0, 0, 7, 0, 0, 0]);
  });

  it('xchg gives what was there', () => {
    expect(run('r2 = xchg *(u64 *)(r1 + 0)', 12, 5)).toEqual({ r0: 12n, after: 5 });
  });

  it('cmpxchg writes only where r0 is what is there, and gives that in r0 either way', () => {
    const text = (expected: number): string => `r0 = ${expected}\nr2 = 9\ncmpxchg *(u64 *)(r1 + 0) r2\nexit`;
    expect(contents(text(12), 12)).toMatchObject({ r0: 12n, bytes: [9, ...new Array(15).fill(0)] });
    expect(contents(text(13), 12)).toMatchObject({ r0: 12n, bytes: [12, ...new Array(15).fill(0)] });
  });

  it('zero-extends what a 32-bit fetch gives', () => {
    expect(contents('r2 = -1\nr2 = xchg *(u32 *)(r1 + 0)\nr0 = r2\nexit', 1, 2, 3, 255).r0).toBe(
      0xff03_0201n,
    );
  });

  it('works on the stack', () => {
    const text = '*(u64 *)(r10 - 8) = 40\nr2 = 2\nlock *(u64 *)(r10 - 8) += r2\nr0 = *(u64 *)(r10 - 8)\nexit';
    expect(runText(text).r0).toBe(42n);
  });
});

describe('the stack', () => {
  it('warns of bytes that were never written, which the kernel lets root read', () => {
    const { violation, warning } = runText('r0 = *(u64 *)(r10 - 8)\nr0 = 2\nexit');
    expect(violation).toBeUndefined();
    expect(warning).toMatchObject({
      instruction: 0,
      message: '8 bytes of stack at fp-8 are read, not all of them written before',
    });
  });

  it('warns of a key that is written in part', () => {
    const text =
      '*(u16 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map[value]\ncall bpf_map_lookup_elem\nr0 = 2\nexit';
    expect(runText(text, { maps: [VALUE] }).warning?.message).toBe(
      '4 bytes of stack at fp-4 are passed on, not all written',
    );
  });

  it('warns of what is read at any address, not written or outside the frame; not of what text does not reach', () => {
    const read = (helper: string, offset: number, size: number): string | undefined =>
      runText(
        `*(u64 *)(r10 - 8) = 0x61\n*(u64 *)(r10 - 64) = 0\nr1 = r10\nr1 += -64\nr2 = ${size}\nr3 = r10\nr3 += ${offset}\ncall ${helper}\nr0 = 2\nexit`,
      ).warning?.message;
    expect(read('bpf_probe_read_kernel', -8, 8)).toBeUndefined();
    expect(read('bpf_probe_read_kernel', -8, 12)).toBe('stack at fp+0 is read, outside the frame');
    expect(read('bpf_probe_read_kernel', -12, 8)).toBe('stack at fp-12 is read, not written before');
    expect(read('bpf_probe_read_kernel_str', -8, 16)).toBeUndefined();
    expect(read('bpf_probe_read_kernel_str', -9, 16)).toBe('stack at fp-9 is read, not written before');
  });

  it('is forgotten between runs', () => {
    const text =
      'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 1\nif r4 > r3 goto out\nr5 = *(u8 *)(r2 + 0)\nif r5 != 0 goto read\n*(u64 *)(r10 - 8) = 7\nout:\nr0 = 2\nexit\nread:\nr0 = *(u64 *)(r10 - 8)\nr0 = 2\nexit';
    const { interpreter, warning } = runText(text, { packet: new Uint8Array(64) });
    expect(warning).toBeUndefined();
    expect(runAgain(interpreter, { packet: new Uint8Array(64).fill(1) }).warning).toBeDefined();
  });
});

describe('pointers that leave the program', () => {
  it('are worth a warning: every run stores another address', () => {
    expect(contentsOfLeak()).toMatch('R10 leaks an address into map_value');
  });
});

function contentsOfLeak(): string | undefined {
  return runText(`${value}*(u64 *)(r1 + 0) = r10\nr0 = 0\nexit`, { maps: [VALUE] }).warning?.message;
}
