import { describe, expect, it } from 'vitest';
import { fork, packetRandom, Random, type RandomNumbers, seedFromText } from './random.ts';

const draws = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.bits());

describe('random numbers', () => {
  it('are the same for the same seed and index, on every machine', () => {
    const random = new Random();
    random.start(seedFromText('golden'), 7);
    expect(draws(random, 4)).toMatchInlineSnapshot(`
      [
        -424589143,
        -898901135,
        -66294371,
        -1897341408,
      ]
    `);
  });

  it('are those of the packet that is being made, whatever is asked', () => {
    const seed = seedFromText('packet');
    const list = Uint16Array.of(3, 1, 4, 1, 5, 9, 2, 6);
    const all = (random: RandomNumbers): readonly (number | boolean)[] => {
      const bytes = new Uint8Array(11);
      return [0, 1, 77, 2 ** 31, 2 ** 32 + 5, 2 ** 52, -1].flatMap((index) => {
        random.start(seed, index);
        const drawn = Array.from({ length: 50 }, () => random.bits());
        random.fill(bytes, 1, 11);
        const further = [
          random.word(),
          random.byte(),
          random.below(1000),
          random.chance(100),
          random.pick(list),
        ];
        return [...drawn, ...bytes, ...further, random.bits()];
      });
    };
    expect(all(packetRandom)).toEqual(all(new Random()));
  });

  it('begin anew with start, whatever was drawn before', () => {
    const random = new Random();
    const seed = seedFromText('again');
    random.start(seed, 3);
    const first = draws(random, 10);
    random.start(seed, 4);
    draws(random, 3);
    random.start(seed, 3);
    expect(draws(random, 10)).toEqual(first);
  });

  it('differ between neighbouring indices, far ones, and those that agree in their low 32 bits', () => {
    const random = new Random();
    const seed = seedFromText('indices');
    const seen = new Set<string>();
    const indices = [...Array(10_000).keys(), 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 52, -1, -2];
    for (const index of indices) {
      random.start(seed, index);
      seen.add(draws(random, 2).join());
    }
    expect(seen.size).toBe(indices.length);
  });

  it('differ between seeds of one letter, of none, and of repeated letters', () => {
    const seeds = ['', 'a', 'b', 'aa', 'aaa', 'ab', 'ba', '0', '1', '10', '01'].map(seedFromText);
    for (const word of ['a', 'b', 'c', 'd'] as const) {
      expect(new Set(seeds.map((seed) => seed[word])).size).toBe(seeds.length);
    }
  });

  it('set every bit half of the time, also in the first draw of consecutive streams', () => {
    const random = new Random();
    const seed = seedFromText('bits');
    const ones = new Array<number>(32).fill(0);
    const streams = 20_000;
    for (let index = 0; index < streams; index++) {
      random.start(seed, index);
      const bits = random.bits();
      for (let bit = 0; bit < 32; bit++) ones[bit]! += (bits >>> bit) & 1;
    }
    // Five standard deviations: 5 · √(20000 / 4) = 354.
    for (const count of ones) expect(Math.abs(count - streams / 2)).toBeLessThan(354);
  });

  it('stay below the bound and reach all of it', () => {
    const random = new Random();
    random.start(seedFromText('below'), 0);
    const seen = new Set<number>();
    for (let draw = 0; draw < 1000; draw++) seen.add(random.below(7));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(random.below(1)).toBe(0);
    for (let draw = 0; draw < 1000; draw++) expect(random.below(65536)).toBeLessThan(65536);
  });

  it('fill byte arrays with exactly the bytes asked for, from the stream that bits draws from', () => {
    const random = new Random();
    const seed = seedFromText('fill');
    for (let length = 0; length <= 9; length++) {
      const bytes = new Uint8Array(12);
      random.start(seed, 5);
      random.fill(bytes, 1, 1 + length);
      const after = random.bits();
      random.start(seed, 5);
      const expected = new Uint8Array(12);
      for (let index = 0; index < length; index += 4) {
        const bits = random.bits();
        for (let byte = index; byte < Math.min(length, index + 4); byte++) {
          expected[1 + byte] = bits >>> (8 * (byte - index));
        }
      }
      expect(bytes).toEqual(expected);
      expect(random.bits()).toBe(after);
      const words = new Uint8Array(16);
      packetRandom.start(seed, 5);
      packetRandom.fillWords(new DataView(words.buffer), 1, 1 + length);
      expect(words.subarray(0, 1 + length)).toEqual(expected.subarray(0, 1 + length));
      expect(packetRandom.bits()).toBe(after);
    }
  });

  it('fork into seeds of their own', () => {
    const seed = seedFromText('fork');
    expect(fork(seed, 1)).toEqual(fork(seed, 1));
    expect(fork(seed, 1)).not.toEqual(fork(seed, 2));
    expect(fork(seed, 1)).not.toEqual(seed);
  });
});
