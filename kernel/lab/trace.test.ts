import { expect, it } from 'vitest';
import { parseTraceLine, patternOf, textsIn } from './trace.ts';

it('finds the formats in read-only data, and no bytes that are no text', () => {
  const data = new Uint8Array([80, 0, 0, 0, ...Buffer.from('[XDP] metadata = %u\0'), 1, 2, 3, 0, 65, 0]);
  expect(textsIn(data)).toEqual(['[XDP] metadata = %u']);
});

it('recognises what a format prints, and nothing else', () => {
  const pattern = patternOf('[XDP] metadata = %u (%-08llx)\n');
  expect(pattern.test('[XDP] metadata = 42 (0000002a)')).toBe(true);
  expect(pattern.test('[TC] metadata = 42 (0000002a)')).toBe(false);
  expect(pattern.test('x [XDP] metadata = 42 (0000002a)')).toBe(false);
});

it('takes characters of a format for themselves that mean something in patterns', () => {
  expect(patternOf('a.b').test('axb')).toBe(false);
  expect(patternOf('100%% of %pI4').test('100% of 10.0.0.1')).toBe(true);
  expect(patternOf('(a|b)*').test('(a|b)*')).toBe(true);
});

it('parts a line from what the kernel writes before it', () => {
  const line = '            ping-812     [001] b.s31  5123.000001: bpf_trace_printk: You Shall Not Pass!!';
  expect(parseTraceLine(line)).toEqual({
    prefix: '            ping-812     [001] b.s31  5123.000001: bpf_trace_printk: ',
    text: 'You Shall Not Pass!!',
  });
  expect(parseTraceLine('CPU:1 [LOST 12 EVENTS]')).toBeUndefined();
});
