import { describe, expect, it } from 'vitest';
import { flowHash, HASHED_BYTES, HASHED_FROM } from './chance.ts';

const bytes = Uint8Array.from({ length: 200 }, (_, at) => (at * 73 + 5) & 0xff);

function hashOf(frame: Uint8Array, start: number, end: number, seed = 1): number {
  return flowHash(new DataView(frame.buffer), start, end, seed);
}

describe('the flow hash', () => {
  it('is over the bytes behind the MAC addresses, and over no others', () => {
    for (const length of [0, 5, 12, 13, 14, 15, 16, 60, 76, 77, 120]) {
      const start = 7;
      const hash = hashOf(bytes, start, start + length);
      for (let at = 0; at < bytes.length; at++) {
        const changed = bytes.slice();
        changed[at]! ^= 0x81;
        const counts = at >= start + HASHED_FROM && at < start + Math.min(length, HASHED_FROM + HASHED_BYTES);
        const same = hashOf(changed, start, start + length) === hash;
        expect(same, `byte ${at} of a frame of ${length} bytes`).toBe(!counts);
      }
    }
  });

  it('differs with the seed, and is never 0', () => {
    const hash = hashOf(bytes, 0, 60, 0);
    expect(hashOf(bytes, 0, 60, 5)).not.toBe(hash);
    expect(hashOf(bytes, 0, 60, hash)).toBe(1);
  });
});
