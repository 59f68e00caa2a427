import { expect, it } from 'vitest';
import { EngineError } from '../../sim/engines/engine.ts';
import { requireBpfElf } from './elf.ts';

/** An ELF header, one section of 8 bytes at offset 64, and the table of one row behind it. */
function smallest(): Uint8Array {
  const bytes = new Uint8Array(64 + 8 + 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, 247, true);
  view.setBigUint64(40, 72n, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 1, true);
  view.setUint32(72 + 4, 1, true);
  view.setBigUint64(72 + 24, 64n, true);
  view.setBigUint64(72 + 32, 8n, true);
  return bytes;
}

function patched(at: number, ...values: number[]): Uint8Array {
  const bytes = smallest();
  bytes.set(values, at);
  return bytes;
}

it('takes a little-endian 64-bit BPF object', () => {
  expect(() => requireBpfElf(smallest(), 'x.o')).not.toThrow();
});

it.each([
  ['an empty file', new Uint8Array(), 'x.o: at offset 0: expected an ELF file, found an empty file'],
  ['text', new TextEncoder().encode('hello'), 'x.o: at offset 0: expected an ELF file, found 68 65 6c 6c'],
  ['half a header', smallest().subarray(0, 40), 'x.o: at offset 40: expected 64 bytes of ELF header'],
  ['a 32-bit file', patched(4, 1), 'x.o: at offset 4: expected a 64-bit ELF file'],
  ['a big-endian object', patched(5, 2), 'x.o: at offset 5: expected a little-endian object'],
  [
    'a program for x86-64',
    patched(18, 62, 0),
    'x.o: at offset 18: expected machine 247 (BPF), found machine 62',
  ],
  ['an object without sections', patched(60, 0), 'expected a section table, found none'],
  [
    'a cut-off section table',
    smallest().subarray(0, 100),
    'x.o: at offset 100: expected a section table of 1 rows',
  ],
  [
    'a section table beyond all memory',
    patched(40, ...Array(8).fill(0xff)),
    'expected a section table of 1 rows',
  ],
  ['a section behind the end', patched(72 + 32, 0xff), 'expected section 0, 255 bytes at offset 64'],
])('refuses %s, and says what is where', (_, bytes, message) => {
  let caught: unknown;
  try {
    requireBpfElf(bytes, 'x.o');
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(EngineError);
  expect((caught as EngineError).kind).toBe('input');
  expect((caught as EngineError).message).toContain(message);
});
