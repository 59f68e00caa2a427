import { expect, it } from 'vitest';
import { traceText, traceTextOf } from './trace-text.ts';

it('reads UTF-8, and writes out the bytes of what is none', () => {
  for (const [bytes, text] of [
    [Buffer.from('at Zürich'), 'at Zürich'],
    [Uint8Array.of(0x61, 0xe6, 0x62), 'a\\xe6b'],
    // Cut off within a character.
    [Buffer.from('µ').subarray(0, 1), '\\xc2'],
    [Buffer.from('\ufeffx'), '\ufeffx'],
    [Uint8Array.of(1, 0x7f), '\x01\x7f'],
  ] as const) {
    expect(traceText(bytes)).toBe(text);
    expect(traceTextOf(Buffer.from(bytes).toString('latin1'))).toBe(text);
  }
});
