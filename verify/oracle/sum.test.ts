import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slowSum } from '../test-support/packets.ts';
import { onesAdd, onesSum, onesSum20 } from './sum.ts';

const view = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);

describe('onesSum', () => {
  it('sums the example of RFC 1071 §3', () => {
    const data = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(onesSum(view(data), 0, 8)).toBe(0xddf2);
  });

  it('equals the byte loop for every range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(69), fc.nat(69), (data, a, b) => {
        const start = Math.min(a, b, data.length);
        const end = Math.min(Math.max(a, b), data.length);
        expect(onesSum(view(data), start, end)).toBe(slowSum(data.subarray(start, end)));
      }),
    );
  });

  it('equals it for 20 bytes anywhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 27 }), (data) => {
        const at = data.length - 20;
        expect(onesSum20(view(data), at)).toBe(slowSum(data.subarray(at)));
      }),
    );
    expect(onesSum20(view(new Uint8Array(20).fill(0xff)), 0)).toBe(0xffff);
    expect(onesSum20(view(new Uint8Array(20)), 0)).toBe(0);
  });

  it('does not lose carries over lengths beyond 64 KiB', () => {
    for (const size of [0xffff, 0x10000, 0x10001, 200_003]) {
      const ones = new Uint8Array(size).fill(0xff);
      expect(onesSum(view(ones), 0, size)).toBe(slowSum(ones));
    }
  });

  it('is 0 only for zeros', () => {
    expect(onesSum(view(new Uint8Array(60)), 0, 60)).toBe(0);
    expect(onesSum(view(Uint8Array.of(0xff, 0xff, 0, 0)), 0, 4)).toBe(0xffff);
    expect(onesAdd(0xffff, 0)).toBe(0xffff);
    expect(onesAdd(0xffff, 0xffff)).toBe(0xffff);
    expect(onesAdd(0xffff, 1)).toBe(1);
  });
});
