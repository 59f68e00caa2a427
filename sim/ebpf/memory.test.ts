import { describe, expect, it } from 'vitest';
import { HEAP_BASE, LinearMemory, MACHINE_WORD } from './memory.ts';

/** Of WebAssembly's memory, in bytes. */
const WASM_PAGE = 2 ** 16;

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

describe('linear memory', () => {
  it('hands out zeroed bytes one behind the other, at multiples of 8, and grows as it is used up', () => {
    const memory = new LinearMemory();
    const present = memory.u8.length;
    const first = memory.allocate(1);
    const second = memory.allocate(9);
    expect(first % 8).toBe(0);
    expect([second - first, memory.end - second]).toEqual([8, 16]);
    memory.allocate(present - memory.end);
    expect([memory.end, memory.u8.length]).toEqual([present, present]);
    const behind = memory.allocate(1);
    expect([behind, memory.u8.length]).toEqual([present, present + WASM_PAGE]);
    memory.setU32(behind, 0xfffe_fdfc);
    expect([memory.u32(behind), memory.i32[behind / 4], memory.u8[behind + 3]]).toEqual([
      0xfffe_fdfc, -66_052, 0xff,
    ]);
  });

  it('begins with the room that is asked for', () => {
    const memory = new LinearMemory(16 * 2 ** 20 + 1);
    const { length } = memory.u8;
    // And a page for what every machine has.
    expect(length).toBe(HEAP_BASE + 16 * 2 ** 20 + 2 * WASM_PAGE);
    memory.allocate(16 * 2 ** 20 + 1);
    expect(memory.u8.length).toBe(length);
    expect(new LinearMemory().u8.length).toBe(HEAP_BASE + WASM_PAGE);
  });

  it('refuses what 2 GiB do not hold, and stays as it is', () => {
    const memory = new LinearMemory();
    const { end } = memory;
    const { length } = memory.u8;
    expect(() => memory.allocate(2 ** 31 - end + 1)).toThrow(
      new RangeError(`${2 ** 31 - end + 1} bytes more do not fit into 2 GiB of linear memory`),
    );
    expect([memory.end, memory.u8.length, memory.allocate(8)]).toEqual([end, length, end]);
  });
});
