import { expect, it } from 'vitest';
import { PackedArguments } from './packed-arguments.ts';

it('numbers begin at multiples of four bytes, texts and characters anywhere', () => {
  const packed = new PackedArguments();
  packed.addText('ab');
  packed.addByte(0x63);
  packed.addNumber(-2n, false);
  packed.addByte(0x64);
  packed.addNumber(-3n, true);
  expect(packed.left).toBe(512 - 20);
  packed.rewind();
  expect([packed.readText(), packed.readByte(), packed.readNumber(false)]).toEqual([
    'ab',
    0x63,
    0xffff_fffen,
  ]);
  expect([packed.readByte(), packed.readNumber(true)]).toEqual([0x64, 0xffff_ffff_ffff_fffdn]);
});

it('texts are cut at 512 bytes, and nothing has room behind them', () => {
  const packed = new PackedArguments();
  expect([packed.addText('x'.repeat(300)), packed.addText('y'.repeat(300)), packed.left]).toEqual([
    true,
    true,
    0,
  ]);
  expect([packed.addText(''), packed.addByte(1), packed.addNumber(1n, false)]).toEqual([false, false, false]);
  packed.rewind();
  expect([packed.readText().length, packed.readText().length, packed.readText()]).toEqual([300, 210, '']);
});
