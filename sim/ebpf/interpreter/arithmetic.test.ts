import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expected, OPERATORS } from '../test-support/arithmetic.ts';
import { onOperands } from '../test-support/run-text.ts';

const U64 = (1n << 64n) - 1n;
const u64 = (value: bigint): bigint => value & U64;
const u32 = (value: bigint): bigint => value & 0xffff_ffffn;

const corners = [0n, 1n, 2n, 31n, 32n, 33n, 63n, 64n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 32n];
const wide = fc.oneof(
  fc.constantFrom(...corners, U64, 1n << 63n, (1n << 63n) - 1n),
  fc.bigInt({ min: 0n, max: U64 }),
);
const immediate = fc.oneof(fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31)), fc.integer());

describe('64-bit arithmetic', () => {
  for (const operator of OPERATORS) {
    it(`r1 ${operator} r2 is what big integers give`, () => {
      const run = onOperands(`r0 ${operator} r2`);
      fc.assert(
        fc.property(wide, wide, (a, b) => {
          const { r0, violation } = run(a, b);
          expect(violation).toBeUndefined();
          expect(r0).toBe(expected(operator, a, b, 64));
        }),
        { numRuns: 150 },
      );
    });
  }

  it('extends the sign of an immediate', () => {
    fc.assert(
      fc.property(
        fc.array(wide, { minLength: 10, maxLength: 10 }),
        immediate,
        fc.constantFrom('+=', '-=', '*=', '|=', '&=', '^=', '='),
        (values, b, operator) => {
          const run = onOperands(`r0 ${operator} ${b}`);
          for (const a of values) expect(run(a).r0).toBe(expected(operator, a, u64(BigInt(b)), 64));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('negates', () => {
    const run = onOperands('r0 = -r0');
    fc.assert(
      fc.property(wide, (a) => {
        expect(run(a).r0).toBe(u64(-a));
      }),
    );
  });
});

describe('32-bit arithmetic', () => {
  for (const operator of OPERATORS) {
    it(`w1 ${operator} w2 is what big integers give, with the upper half zero`, () => {
      const run = onOperands(`w0 ${operator} w2`);
      fc.assert(
        fc.property(wide, wide, (a, b) => {
          const { r0 } = run(a, b);
          expect(r0).toBe(expected(operator, u32(a), u32(b), 32));
        }),
        { numRuns: 150 },
      );
    });
  }

  it('takes immediates', () => {
    fc.assert(
      fc.property(
        fc.array(wide, { minLength: 10, maxLength: 10 }),
        immediate,
        fc.constantFrom('+=', '-=', '*=', '|=', '&=', '^=', '='),
        (values, b, operator) => {
          const run = onOperands(`w0 ${operator} ${b}`);
          for (const a of values) expect(run(a).r0).toBe(expected(operator, u32(a), u32(BigInt(b)), 32));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('negates', () => {
    const run = onOperands('w0 = -w0');
    fc.assert(
      fc.property(wide, (a) => {
        expect(run(a).r0).toBe(u32(-a));
      }),
    );
  });
});

describe('moves that extend the sign', () => {
  for (const bits of [8, 16, 32]) {
    it(`r0 = (s${bits})r1`, () => {
      const run = onOperands(`r0 = (s${bits})r0`);
      fc.assert(
        fc.property(wide, (a) => {
          const { r0 } = run(a);
          expect(r0).toBe(u64(BigInt.asIntN(bits, a)));
        }),
      );
    });
  }
  for (const bits of [8, 16]) {
    it(`w0 = (s${bits})w1`, () => {
      const run = onOperands(`w0 = (s${bits})w0`);
      fc.assert(
        fc.property(wide, (a) => {
          const { r0 } = run(a);
          expect(r0).toBe(u32(BigInt.asIntN(bits, a)));
        }),
      );
    });
  }
});

describe('byte swaps', () => {
  const swapped = (value: bigint, bits: number): bigint => {
    let result = 0n;
    for (let at = 0; at < bits; at += 8) result = (result << 8n) | ((value >> BigInt(at)) & 0xffn);
    return result;
  };
  for (const bits of [16, 32, 64]) {
    it(`of ${bits} bits: be and bswap reverse, le cuts off`, () => {
      const [be, bswap, le] = ['be', 'bswap', 'le'].map((kind) => onOperands(`r0 = ${kind}${bits} r0`));
      fc.assert(
        fc.property(wide, (a) => {
          expect(be!(a).r0).toBe(swapped(a, bits));
          expect(bswap!(a).r0).toBe(swapped(a, bits));
          expect(le!(a).r0).toBe(BigInt.asUintN(bits, a));
        }),
      );
    });
  }
});
