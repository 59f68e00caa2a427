import { describe, expect, it } from 'vitest';
import { indexOf } from './model-map-base.ts';

describe('the number that a key is', () => {
  it('is little-endian and unsigned, whatever stands behind it', () => {
    expect(indexOf(Uint8Array.of(0x12, 0x34, 0x56, 0x78))).toBe(0x7856_3412);
    expect(indexOf(Uint8Array.of(0, 0, 0, 0xff, 9, 9))).toBe(0xff00_0000);
    expect(indexOf(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toBe(0xffff_ffff);
  });
});
