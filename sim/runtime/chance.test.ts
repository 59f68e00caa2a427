import { describe, expect, it } from 'vitest';
import {
  flowHash,
  HASHED_BYTES,
  HASHED_FROM,
  hashBytes,
  nextRandomState,
  randomOf,
  randomSeedFor,
} from './chance.ts';

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

describe('random numbers', () => {
  it('are those of a scrambler without collisions: each number is that of one seed', () => {
    const numbers = (seed: number): number[] => {
      let state = seed;
      return [1, 2, 3].map(() => {
        state = nextRandomState(state);
        return randomOf(state);
      });
    };
    for (const number of [0, 1, 77, 1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1234_5678])
      for (const draws of [0, 1, 2]) expect(numbers(randomSeedFor(number, draws))[draws]).toBe(number);
  });

  it('are spread evenly', () => {
    const counts = new Array<number>(16).fill(0);
    let state = 1;
    for (let draw = 0; draw < 16_000; draw++) {
      state = nextRandomState(state);
      counts[randomOf(state) % 16]!++;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });

  it('go on from a state that is a signed number', () => {
    expect(nextRandomState(-1)).toBe(0x6d2b_79f4);
    expect(nextRandomState(0x6d2b_79f5)).toBe(-0x25a9_0c16);
  });
});

describe('a hash of bytes', () => {
  /** As its definition says it, in numbers without a limit. */
  function plain(data: Uint8Array): number {
    const mask = 0xffff_ffffn;
    let hash = BigInt(data.length);
    for (let at = 0; at < data.length; at += 4) {
      let word = 0n;
      for (const [index, byte] of data.subarray(at, at + 4).entries())
        word |= BigInt(byte) << BigInt(8 * index);
      hash = ((hash ^ word) * 0x9e37_79b1n) & mask;
      hash ^= hash >> 15n;
    }
    return Number(hash);
  }

  it('is as its definition says it, of any length and at any place', () => {
    for (let length = 0; length <= 20; length++)
      for (const at of [0, 1, 3]) {
        const view = new DataView(bytes.buffer);
        expect(hashBytes(view, at, length)).toBe(plain(bytes.subarray(at, at + length)));
      }
  });
});
