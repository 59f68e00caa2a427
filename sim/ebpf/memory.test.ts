import { describe, expect, it } from 'vitest';
import { MACHINE_WORD } from './memory.ts';

/** How many words each takes, where it is not one. */
const WORDS: Readonly<Partial<Record<keyof typeof MACHINE_WORD, number>>> = {
  argumentHigh: 5,
  time: 2,
  tick: 2,
};

describe('the machine block', () => {
  it('has a word of its own for everything in it', () => {
    const owners = new Map<number, string>();
    for (const [name, first] of Object.entries(MACHINE_WORD)) {
      const words = WORDS[name as keyof typeof MACHINE_WORD] ?? 1;
      for (let word = first; word < first + words; word++) {
        expect(owners.get(word), `${name} lies where another word does`).toBeUndefined();
        owners.set(word, name);
      }
    }
  });

  it('holds 64-bit words at even places, as they are loaded', () => {
    expect(MACHINE_WORD.time % 2).toBe(0);
    expect(MACHINE_WORD.tick % 2).toBe(0);
  });
});
