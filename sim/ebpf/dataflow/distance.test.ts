/** By how much numbers miss a comparison. */
import { describe, expect, it } from 'vitest';
import { distanceTo } from './distance.ts';

describe('how far numbers are from a comparison', () => {
  it('is 0 where it holds', () => {
    expect(distanceTo('eq', 32, 5n, 5n)).toBe(0);
    expect(distanceTo('sgt', 64, 5n, -1n)).toBe(0);
  });

  it('is what is missing', () => {
    expect(distanceTo('eq', 64, 3n, 5n)).toBe(2);
    expect(distanceTo('eq', 64, 7n, 5n)).toBe(2);
    expect(distanceTo('gt', 64, 3n, 5n)).toBe(3);
    expect(distanceTo('ge', 64, 3n, 5n)).toBe(2);
    expect(distanceTo('lt', 64, 9n, 5n)).toBe(5);
    expect(distanceTo('le', 64, 9n, 5n)).toBe(4);
    expect(distanceTo('slt', 32, 1n, 0xffff_fffen)).toBe(4);
    expect(distanceTo('sge', 64, 1n, 4n)).toBe(3);
    expect(distanceTo('ne', 64, 4n, 4n)).toBe(1);
    expect(distanceTo('set', 64, 4n, 3n)).toBe(1);
    expect(distanceTo('clear', 64, 7n, 0xfen)).toBe(2);
  });

  it('goes round: a range is compared as a difference that is small enough', () => {
    // n - 5 < 2, of n = 3 and of n = 9
    expect(distanceTo('lt', 32, 0xffff_fffen, 2n)).toBe(2);
    expect(distanceTo('lt', 32, 4n, 2n)).toBe(3);
    expect(distanceTo('eq', 64, -1n, 1n)).toBe(2);
    // A counter at 0 is not one below the largest number.
    expect(distanceTo('gt', 32, 0n, 38n)).toBe(39);
  });
});
