/** What is kept of solved conditions: bytes that lie side by side in one packet, with their place. */
import { expect, it } from 'vitest';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { Learned } from './learned.ts';

const byte = (offset: number, packet = 0): InputField => ({ kind: 'packet', packet, offset });

/** `12=8` for a byte of the first packet, `1:12=8` for one of the second, `length=8` for the length. */
function assignment(text: string): ReadonlyMap<InputField, bigint> {
  return new Map(
    text.split(' ').map((one) => {
      const [, packet = '0', place, value] = /^(?:(\d+):)?(-?\w+)=(\d+)$/.exec(one)!;
      const field: InputField =
        place === 'length' ? { kind: 'length', packet: Number(packet) } : byte(Number(place), Number(packet));
      return [field, BigInt(value!)];
    }),
  );
}

it.each([
  ['12=8', [[12, 8]]],
  ['0=8', [[0, 8]]],
  ['12=8 13=0', [[12, 8, 0]]],
  // In whatever order they were solved.
  ['14=3 12=1 13=2', [[12, 1, 2, 3]]],
  ['1:12=8 1:13=9', [[12, 8, 9]]],
  ['length=70 12=8', [[12, 8]]],
  ['length=70', []],
  // A hole, another packet, metadata.
  ['12=8 14=9', []],
  ['12=8 1:13=9', []],
  ['-1=8', []],
  ['-1=8 0=9', []],
])('of %s: %j', (text, expected) => {
  const learned = new Learned();
  learned.add(assignment(text));
  const entries = [...learned.entries()].map(({ bytes, offset }) => [offset, ...bytes]);
  expect(entries).toEqual(expected);
});

it('is told apart by place and bytes', () => {
  const learned = new Learned();
  for (const text of ['12=8', '12=8', '13=8', '12=9', '12=8 13=8', '12=1 13=18', '12=11 13=8'])
    learned.add(assignment(text));
  expect([...learned.entries()]).toHaveLength(6);
});

it('is no more than 256 pieces', () => {
  const learned = new Learned();
  for (let offset = 0; offset < 256; offset++) learned.add(new Map([[byte(offset), 1n]]));
  expect([...learned.entries()]).toHaveLength(256);
  learned.add(new Map([[byte(300), 1n]]));
  expect([...learned.entries()].map(({ offset }) => offset)).toEqual([...Array(256).keys()]);
});
