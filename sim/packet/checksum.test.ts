import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import './test-support/arbitraries.ts';
import {
  checksum,
  combine,
  finish,
  finishUdp,
  fold,
  pseudoHeader4,
  pseudoHeader6,
  sum,
  swapped,
  update,
  update32,
  updateRfc1141,
  verify,
} from './checksum.ts';

/** RFC 1071 §1 word for word: add 16-bit words, and every carry at once. */
function naiveSum(data: Uint8Array, initial = 0): number {
  let total = initial;
  for (let at = 0; at < data.length; at += 2) {
    total += data[at]! * 256 + (data[at + 1] ?? 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

/** Bytes that carry, vanish and saturate far more often than uniform ones do. */
const corneredBytes = (max: number, min = 0): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.oneof(fc.constantFrom(0x00, 0xff, 0x01, 0xfe), fc.integer({ min: 0, max: 255 })), {
      minLength: min,
      maxLength: max,
      size: 'max',
    })
    .map((bytes) => Uint8Array.from(bytes));

const word = fc.oneof(
  fc.constantFrom(0x0000, 0x0001, 0x00ff, 0x0100, 0xfeff, 0xff00, 0xff01, 0xfffe, 0xffff),
  fc.integer({ min: 0, max: 0xffff }),
);

describe('sum', () => {
  it('gives the example of RFC 1071 §3', () => {
    const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(sum(example, 0, 8)).toBe(0xddf2);
    expect(checksum(example, 0, 8)).toBe(0x220d);
  });

  it('agrees with the naive reference for single packets and arenas, at any place, length and initial sum', () => {
    const arena = new Uint8Array(4096);
    fc.assert(
      fc.property(corneredBytes(200), fc.nat(9), word, (data, at, initial) => {
        const expected = naiveSum(data, initial);
        const small = new Uint8Array(at + data.length + 3).fill(0xa5);
        small.set(data, at);
        expect(sum(small, at, data.length, initial)).toBe(expected);
        arena.fill(0xa5);
        arena.set(data, at);
        expect(sum(arena, at, data.length, initial)).toBe(expected);
      }),
    );
  });

  it('keeps arenas apart when many are used in turn', () => {
    const arenas = [1, 2, 3, 4].map((value) => new Uint8Array(1000).fill(value));
    for (const index of [0, 1, 0, 2, 1, 3, 3, 0, 2, 2, 1]) {
      expect(sum(arenas[index]!, 10, 20)).toBe(naiveSum(arenas[index]!.subarray(10, 30)));
    }
  });

  it('sums arrays that are windows into a larger buffer', () => {
    const buffer = Uint8Array.from({ length: 3000 }, (_, index) => (index * 7) & 0xff);
    const window = buffer.subarray(1001, 2001);
    expect(sum(window, 3, 501)).toBe(naiveSum(window.subarray(3, 504)));
  });

  it('does not overflow on 300000 bytes of 0xff', () => {
    const data = new Uint8Array(300_001).fill(0xff);
    expect(sum(data, 0, 300_000)).toBe(0xffff);
    expect(sum(data, 0, 300_001)).toBe(0xff00);
  });

  it('is zero for nothing but zeros', () => {
    expect(sum(new Uint8Array(600), 0, 600)).toBe(0);
    expect(sum(Uint8Array.of(0xff, 0xff, 0, 0), 0, 4)).toBe(0xffff);
    expect(sum(Uint8Array.of(0xff, 0xfe, 0, 1), 0, 4)).toBe(0xffff);
  });

  it('pads an odd tail with a zero behind it (RFC 1071 §4.1)', () => {
    expect(sum(Uint8Array.of(0x12, 0x34, 0x56), 0, 3)).toBe(0x1234 + 0x5600);
  });
});

describe('fold and combine', () => {
  it('folds twice where one fold carries again', () => {
    expect(fold(0x1_ffff)).toBe(1);
    expect(fold(0xffff_ffff)).toBe(0xffff);
    expect(fold(0x1_0000)).toBe(1);
    expect(fold(0)).toBe(0);
  });

  it('puts two parts together, behind an odd one with bytes swapped', () => {
    fc.assert(
      fc.property(corneredBytes(60), corneredBytes(60), (a, b) => {
        const whole = new Uint8Array([...a, ...b]);
        const second = sum(b, 0, b.length);
        const joined = combine(sum(a, 0, a.length), a.length % 2 === 1 ? swapped(second) : second);
        expect(joined).toBe(naiveSum(whole));
      }),
    );
  });
});

describe('verify', () => {
  it('takes what checksum made, and 0x0000 and 0xffff as the same number', () => {
    fc.assert(
      fc.property(corneredBytes(80), (data) => {
        fc.pre(data.length >= 2);
        data[0] = 0;
        data[1] = 0;
        const value = checksum(data, 0, data.length);
        data[0] = value >>> 8;
        data[1] = value;
        expect(verify(data, 0, data.length)).toBe(true);
        if (value === 0) {
          data[0] = 0xff;
          data[1] = 0xff;
          expect(verify(data, 0, data.length)).toBe(true);
        }
      }),
    );
  });

  it('refuses any change of one bit', () => {
    const data = Uint8Array.from({ length: 40 }, (_, index) => index * 11);
    data.fill(0, 0, 2);
    const value = checksum(data, 0, 40);
    data[0] = value >>> 8;
    data[1] = value;
    for (let bit = 0; bit < 320; bit++) {
      data[bit >> 3]! ^= 1 << (bit & 7);
      expect(verify(data, 0, 40)).toBe(false);
      data[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  it('wants 0xffff and not 0x0000 from a message that is all zero', () => {
    expect(verify(new Uint8Array(8), 0, 8)).toBe(false);
    expect(verify(Uint8Array.of(0, 0, 0xff, 0xff, 0, 0, 0, 0), 0, 8)).toBe(true);
  });
});

describe('pseudo-headers', () => {
  const addresses = corneredBytes(37, 37);

  it('sums both IPv4 addresses, the protocol and the length', () => {
    fc.assert(
      fc.property(addresses, word, fc.nat(255), (bytes, length, protocol) => {
        const header = [...bytes.subarray(1, 5), ...bytes.subarray(9, 13)];
        header.push(0, protocol, length >>> 8, length & 0xff);
        expect(pseudoHeader4(bytes, 1, 9, protocol, length)).toBe(naiveSum(Uint8Array.from(header)));
      }),
    );
  });

  it('sums both IPv6 addresses, a 32-bit length and the next header', () => {
    fc.assert(
      fc.property(addresses, fc.nat(0xffff_ffff), fc.nat(255), (bytes, length, next) => {
        const header = [...bytes.subarray(20, 36), ...bytes.subarray(3, 19)];
        header.push(
          length >>> 24,
          (length >>> 16) & 0xff,
          (length >>> 8) & 0xff,
          length & 0xff,
          0,
          0,
          0,
          next,
        );
        expect(pseudoHeader6(bytes, 20, 3, next, length)).toBe(naiveSum(Uint8Array.from(header)));
      }),
    );
  });
});

describe('update', () => {
  const put = (data: Uint8Array, at: number, value: number): void => {
    data[at] = value >>> 8;
    data[at + 1] = value;
  };

  it('equals recomputing, unless everything new is zero (RFC 1624 §3)', () => {
    fc.assert(
      fc.property(word, word, fc.array(word, { maxLength: 4 }), (from, to, rest) => {
        const others = naiveSum(Uint8Array.from(rest.flatMap((value) => [value >>> 8, value & 0xff])));
        const updated = update(finish(combine(others, from)), from, to);
        const recomputed = finish(combine(others, to));
        if (others === 0 && to === 0) {
          expect([updated, recomputed]).toEqual([0x0000, 0xffff]);
        } else {
          expect(updated).toBe(recomputed);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('gives the example of RFC 1624 §4, where equation 2 gives 0xffff', () => {
    expect(update(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
    expect(updateRfc1141(0xdd2f, 0x5555, 0x3285)).toBe(0xffff);
  });

  it('decrements a time to live across all carries', () => {
    // TTL 1 → 0 in the high byte adds 0x0100 to the checksum, and a carry out of it adds one more.
    expect(update(0xfeff, 0x0106, 0x0006)).toBe(0x0000);
    expect(update(0xff00, 0x0106, 0x0006)).toBe(0x0001);
    expect(update(0x0000, 0x0106, 0x0006)).toBe(0x0100);
  });

  it('leaves a wrong checksum wrong by the same amount', () => {
    fc.assert(
      fc.property(corneredBytes(40), word, word, (data, field, to) => {
        fc.pre(data.length >= 6 && data.length % 2 === 0);
        put(data, 2, field);
        const before = sum(data, 0, data.length);
        put(data, 2, update(field, (data[4]! << 8) | data[5]!, to));
        put(data, 4, to);
        const after = sum(data, 0, data.length);
        // 0 and 0xffff are the same number.
        expect(after % 0xffff).toBe(before % 0xffff);
      }),
    );
  });

  it('changes 32-bit values and sums of ranges as well as single words', () => {
    fc.assert(
      fc.property(word, fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (field, from, to) => {
        const bothWords = update(update(field, from >>> 16, to >>> 16), from & 0xffff, to & 0xffff);
        expect(update32(field, from, to) % 0xffff).toBe(bothWords % 0xffff);
      }),
    );
  });

  it('verifies by RFC 1141 as well, though not canonically', () => {
    fc.assert(
      fc.property(word, word, word, (from, to, rest) => {
        const value = updateRfc1141(finish(combine(rest, from)), from, to);
        expect(combine(combine(rest, to), value)).toBe(0xffff);
      }),
    );
  });
});

describe('finishUdp', () => {
  it('sends a computed zero as all ones (RFC 768)', () => {
    expect(finishUdp(0xffff)).toBe(0xffff);
    expect(finishUdp(0xfffe)).toBe(1);
    expect(finish(0xffff)).toBe(0);
  });
});
