import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatValue, toJson } from './btf-value.ts';
import { checkInstructions } from './check-instructions.ts';
import { disassemble } from './disassemble.ts';
import { InstructionError } from './instruction-error.ts';
import { loadObject, ObjectError, setGlobal } from './object.ts';
import { mutate, randomFrom } from './test-support/mutate.ts';

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`./test-support/${name}`, import.meta.url)));
const FIXTURES = ['linking.o', 'core.o', 'legacy-maps.o', 'iproute2-maps.o'];

/** Everything that anybody does with an object. @returns whether it could be loaded */
function use(bytes: Uint8Array): boolean {
  try {
    const object = loadObject(bytes);
    for (const program of object.programs) {
      disassemble(object, program);
      try {
        checkInstructions(program.instructions);
      } catch (error) {
        if (!(error instanceof InstructionError)) throw error;
      }
    }
    for (const map of object.maps) {
      // A variable outside of its section would throw a RangeError here.
      for (const [name, { size }] of map.global?.variables ?? [])
        setGlobal(object, name, new Uint8Array(size));
      if (map.valueType === undefined || map.valueSize > 4096) continue;
      const value = map.global?.bytes ?? new Uint8Array(map.valueSize);
      formatValue(object.btf!, map.valueType, value);
      toJson(object.btf!, map.valueType, value);
    }
    return true;
  } catch (error) {
    if (error instanceof ObjectError) {
      expect(error.message).toMatch(/^[^\n]+: expected [^\n]+, found [^\n]+$/);
      return false;
    }
    throw error;
  }
}

describe('spoilt objects', () => {
  it.each(FIXTURES)('cut off anywhere end in a clear error: %s', (name) => {
    const bytes = fixture(name);
    // The section table lies at the end: no part of the file is an object.
    for (let length = 0; length < bytes.length; length += 7)
      expect(use(bytes.subarray(0, length))).toBe(false);
  });

  it.each(FIXTURES)('with bytes changed end in a clear error, or are objects: %s', (name) => {
    const bytes = fixture(name);
    const random = randomFrom(20260101);
    let loaded = 0;
    for (let run = 0; run < 1500; run++) loaded += use(mutate(bytes, random)) ? 1 : 0;
    // If all were refused, or none, the changes would test nothing.
    expect(loaded).toBeGreaterThan(50);
    expect(loaded).toBeLessThan(1450);
  });

  it('put no control characters into messages', () => {
    const bytes = fixture('linking.o');
    const name = bytes.findIndex(
      (_, at) => String.fromCharCode(...bytes.subarray(at, at + 11)) === 'max_entries',
    );
    bytes.set([0x0a, 0x1b], name);
    expect(() => loadObject(bytes)).toThrow('a field \\n\\x1bx_entries');
  });

  it('with every word of the file replaced by a large number end in a clear error, or are objects', () => {
    const bytes = fixture('legacy-maps.o');
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      for (const word of [0xffff_ffff, 0x7fff_ffff, 0x0100_0000]) {
        const spoilt = bytes.slice();
        new DataView(spoilt.buffer).setUint32(at, word, true);
        use(spoilt);
      }
    }
  });
});
