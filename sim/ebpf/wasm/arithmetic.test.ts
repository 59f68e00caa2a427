import { describe, expect, it } from 'vitest';
import { expected, OPERATORS } from '../test-support/arithmetic.ts';
import { assemble } from '../test-support/assemble.ts';
import { type BytecodeRunner, compileBytecode } from './bytecode.ts';

const CORNERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  31n,
  32n,
  33n,
  63n,
  64n,
  0x7fn,
  0x80n,
  0xffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x0123_4567_89ab_cdefn,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];
const IMMEDIATES = [0, 1, -1, 2, 7, 31, 63, 0x7fff_ffff, -0x8000_0000, 0x1234];

/** The operands in memory, so that one compiled program serves for all of them. */
function runner(body: string): (a: bigint, b: bigint) => bigint {
  const run: BytecodeRunner = compileBytecode(
    assemble(`r3 = *(u64 *)(r1 + 0)\nr2 = *(u64 *)(r1 + 8)\nr0 = r3\n${body}\nexit`),
  );
  const memory = new Uint8Array(16);
  const view = new DataView(memory.buffer);
  return (a, b) => {
    view.setBigUint64(0, a, true);
    view.setBigUint64(8, b, true);
    const result = run(memory);
    if (!('r0' in result)) throw new Error(`stopped at ${result.stoppedAt}`);
    return result.r0;
  };
}

function forAllPairs(check: (a: bigint, b: bigint) => void): void {
  for (const a of CORNERS) for (const b of CORNERS) check(a, b);
}

describe('arithmetic in WebAssembly', () => {
  for (const operator of OPERATORS) {
    it(`r0 ${operator} r2 and w0 ${operator} w2 give what RFC 9669 says`, () => {
      const wide = runner(`r0 ${operator} r2`);
      const narrow = runner(`w0 ${operator} w2`);
      forAllPairs((a, b) => {
        expect(wide(a, b)).toBe(expected(operator, a, b, 64));
        const [low, other] = [BigInt.asUintN(32, a), BigInt.asUintN(32, b)];
        expect(narrow(a, b)).toBe(expected(operator, low, other, 32));
      });
    });

    it(`${operator} takes immediates with their sign extended`, () => {
      for (const immediate of IMMEDIATES) {
        for (const bits of [64, 32] as const) {
          if (immediate === 0 && /[/%]/.test(operator)) continue;
          if (/<<|>>/.test(operator) && (immediate < 0 || immediate >= bits)) continue;
          const run = runner(`${bits === 64 ? 'r' : 'w'}0 ${operator} ${immediate}`);
          const b = BigInt.asUintN(bits, BigInt(immediate));
          for (const a of CORNERS)
            expect(run(a, 0n)).toBe(expected(operator, BigInt.asUintN(bits, a), b, bits));
        }
      }
    });
  }

  it('negates, in both widths', () => {
    const [wide, narrow] = [runner('r0 = -r0'), runner('w0 = -w0')];
    for (const a of CORNERS) {
      expect(wide(a, 0n)).toBe(BigInt.asUintN(64, -a));
      expect(narrow(a, 0n)).toBe(BigInt.asUintN(32, -a));
    }
  });

  it('moves with the sign of 8, 16 and 32 bits', () => {
    for (const bits of [8, 16, 32]) {
      const wide = runner(`r0 = (s${bits})r3`);
      for (const a of CORNERS) expect(wide(a, 0n)).toBe(BigInt.asUintN(64, BigInt.asIntN(bits, a)));
      if (bits === 32) continue;
      const narrow = runner(`w0 = (s${bits})w3`);
      for (const a of CORNERS) expect(narrow(a, 0n)).toBe(BigInt.asUintN(32, BigInt.asIntN(bits, a)));
    }
  });

  it('swaps and truncates bytes', () => {
    const reversed = (value: bigint, bits: number): bigint => {
      let result = 0n;
      for (let at = 0n; at < bits; at += 8n) result = (result << 8n) | ((value >> at) & 0xffn);
      return result;
    };
    for (const bits of [16, 32, 64]) {
      const [be, le, bswap] = ['be', 'le', 'bswap'].map((kind) => runner(`r0 = ${kind}${bits} r0`));
      for (const a of CORNERS) {
        expect(be!(a, 0n)).toBe(reversed(a, bits));
        expect(bswap!(a, 0n)).toBe(reversed(a, bits));
        expect(le!(a, 0n)).toBe(BigInt.asUintN(bits, a));
      }
    }
  });

  it('loads 64-bit constants whole', () => {
    for (const a of CORNERS) expect(runner(`r0 = ${a} ll`)(0n, 0n)).toBe(a);
  });
});

const CONDITIONS: Readonly<Record<string, (a: bigint, b: bigint, bits: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '&': (a, b) => (a & b) !== 0n,
  's>': (a, b, bits) => BigInt.asIntN(bits, a) > BigInt.asIntN(bits, b),
  's>=': (a, b, bits) => BigInt.asIntN(bits, a) >= BigInt.asIntN(bits, b),
  's<': (a, b, bits) => BigInt.asIntN(bits, a) < BigInt.asIntN(bits, b),
  's<=': (a, b, bits) => BigInt.asIntN(bits, a) <= BigInt.asIntN(bits, b),
};

describe('comparisons in WebAssembly', () => {
  for (const [operator, holds] of Object.entries(CONDITIONS)) {
    it(`if r3 ${operator} r2 and if w3 ${operator} w2 jump when they hold`, () => {
      const wide = runner(`r0 = 1\nif r3 ${operator} r2 goto out\nr0 = 0\nout:`);
      const narrow = runner(`r0 = 1\nif w3 ${operator} w2 goto out\nr0 = 0\nout:`);
      forAllPairs((a, b) => {
        expect(wide(a, b)).toBe(holds(a, b, 64) ? 1n : 0n);
        const [low, other] = [BigInt.asUintN(32, a), BigInt.asUintN(32, b)];
        expect(narrow(a, b)).toBe(holds(low, other, 32) ? 1n : 0n);
      });
      for (const immediate of IMMEDIATES) {
        const fixed = runner(`r0 = 1\nif r3 ${operator} ${immediate} goto out\nr0 = 0\nout:`);
        const b = BigInt.asUintN(64, BigInt(immediate));
        for (const a of CORNERS) expect(fixed(a, 0n)).toBe(holds(a, b, 64) ? 1n : 0n);
      }
    });
  }
});

describe('memory in WebAssembly', () => {
  it('loads each size, with zeros or with the sign', () => {
    for (const bits of [8, 16, 32, 64]) {
      const plain = runner(`r0 = *(u${bits} *)(r1 + 0)`);
      for (const a of CORNERS) expect(plain(a, 0n)).toBe(BigInt.asUintN(bits, a));
      if (bits === 64) continue;
      const signed = runner(`r0 = *(s${bits} *)(r1 + 0)`);
      for (const a of CORNERS) expect(signed(a, 0n)).toBe(BigInt.asUintN(64, BigInt.asIntN(bits, a)));
    }
  });

  it('stores each size and nothing beside it', () => {
    for (const bits of [8, 16, 32, 64]) {
      const mask = (1n << BigInt(bits)) - 1n;
      const register = runner(`*(u${bits} *)(r1 + 0) = r2\nr0 = *(u64 *)(r1 + 0)`);
      const fixed = runner(`*(u${bits} *)(r1 + 0) = -2\nr0 = *(u64 *)(r1 + 0)`);
      forAllPairs((a, b) => expect(register(a, b)).toBe((a & ~mask) | (b & mask)));
      for (const a of CORNERS) {
        expect(fixed(a, 0n)).toBe((a & ~mask) | (BigInt.asUintN(64, -2n) & mask));
      }
    }
  });

  const ATOMICS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
    fetch_add: (a, b) => a + b,
    fetch_or: (a, b) => a | b,
    fetch_and: (a, b) => a & b,
    fetch_xor: (a, b) => a ^ b,
    xchg: (_, b) => b,
  };
  for (const [operation, change] of Object.entries(ATOMICS)) {
    it(`${operation} gives the old number and leaves the new one`, () => {
      for (const bits of [32, 64] as const) {
        const old = runner(`r2 = ${operation} *(u${bits} *)(r1 + 0)\nr0 = r2`);
        const left = runner(`r2 = ${operation} *(u${bits} *)(r1 + 0)\nr0 = *(u${bits} *)(r1 + 0)`);
        forAllPairs((a, b) => {
          expect(old(a, b)).toBe(BigInt.asUintN(bits, a));
          expect(left(a, b)).toBe(BigInt.asUintN(bits, change(a, b)));
        });
      }
    });
  }

  it('adds, ors, ands and xors without fetching', () => {
    for (const [operator, change] of [
      ['+=', ATOMICS.fetch_add!],
      ['|=', ATOMICS.fetch_or!],
      ['&=', ATOMICS.fetch_and!],
      ['^=', ATOMICS.fetch_xor!],
    ] as const) {
      for (const bits of [32, 64]) {
        const run = runner(`lock *(u${bits} *)(r1 + 0) ${operator} r2\nr0 = *(u${bits} *)(r1 + 0)`);
        forAllPairs((a, b) => expect(run(a, b)).toBe(BigInt.asUintN(bits, change(a, b))));
      }
    }
  });

  it('compares and exchanges: r0 is the old number, stored is r2 where r0 was equal', () => {
    for (const bits of [32, 64] as const) {
      for (const guess of [0n, 0xffff_ffffn, 0x8000_0000_0000_0000n, 0x0123_4567_89ab_cdefn]) {
        const old = runner(`r0 = ${guess} ll\ncmpxchg *(u${bits} *)(r1 + 0) r2`);
        const left = runner(`r0 = ${guess} ll\ncmpxchg *(u${bits} *)(r1 + 0) r2\nr0 = *(u${bits} *)(r1 + 0)`);
        forAllPairs((a, b) => {
          const equal = BigInt.asUintN(bits, a) === BigInt.asUintN(bits, guess);
          expect(old(a, b)).toBe(BigInt.asUintN(bits, a));
          expect(left(a, b)).toBe(BigInt.asUintN(bits, equal ? b : a));
        });
      }
    }
  });

  it('stops what reaches outside of the memory it was given', () => {
    const read = compileBytecode(assemble('r0 = *(u64 *)(r1 + 9)\nexit'));
    expect(read(new Uint8Array(16))).toEqual({ stoppedAt: 0 });
    expect(read(new Uint8Array(17))).toMatchObject({ r0: 0n });
    expect(
      compileBytecode(assemble('r0 = 0\nr1 += -1\n*(u8 *)(r1 + 0) = 1\nexit'))(new Uint8Array(16)),
    ).toEqual({
      stoppedAt: 2,
    });
  });
});
