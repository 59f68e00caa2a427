import { describe, expect, it } from 'vitest';
import { swapped } from '../../sim/packet/checksum.ts';
import { add, complement, folded, foldedOnce, hex16, sameOnes } from './ones.ts';

/** Boundaries, and some between. */
const WORDS = [0, 1, 2, 0x7fff, 0x8000, 0xabcd, 0xfffe, 0xffff];

describe('sixteen-bit arithmetic', () => {
  it('adds with the carry brought around, and makes 0 of zeros only (RFC 1071 §2)', () => {
    for (const a of WORDS)
      for (const b of WORDS) {
        expect(add(a, b) % 0xffff).toBe((a + b) % 0xffff);
        expect(add(a, b) === 0).toBe(a === 0 && b === 0);
        expect(add(a, b)).toBeLessThanOrEqual(0xffff);
      }
  });

  it('folds until nothing is left to fold, or once', () => {
    for (const [sum, once, all] of [
      [0, 0, 0],
      [0xffff, 0xffff, 0xffff],
      [0x1_0000, 1, 1],
      [0x1_fffe, 0xffff, 0xffff],
      [0x1_ffff, 0x1_0000, 1],
      [0xffff_ffff, 0x1_fffe, 0xffff],
      [2 ** 40, 2 ** 24, 2 ** 8],
    ] as const) {
      expect(foldedOnce(sum)).toBe(once);
      expect(folded(sum)).toBe(all);
    }
  });

  it('takes 0x0000 and 0xFFFF for the same number, and no others', () => {
    for (const a of WORDS)
      for (const b of WORDS) expect(sameOnes(a, b)).toBe(a === b || (a % 0xffff === 0 && b % 0xffff === 0));
  });

  it('complements, swaps and writes words', () => {
    for (const word of WORDS) {
      expect(add(word, complement(word))).toBe(0xffff);
      expect(swapped(swapped(word))).toBe(word);
      expect(hex16(word)).toMatch(/^0x[0-9a-f]{4}$/);
    }
    expect(complement(0x1234)).toBe(0xedcb);
    expect(swapped(0x1234)).toBe(0x3412);
    expect(hex16(0xab)).toBe('0x00ab');
  });
});
