/** Addresses and keys, whether they are put together in one piece or byte by byte. */
import { expect, it } from 'vitest';
import { byteOf, bytes, input, type Operand, swap } from './expression.ts';
import type { InputField } from './inputs.ts';
import type { Choosable } from './solve.ts';
import { solveBytes } from './solve-bytes.ts';

const entry = (offset: number): InputField => ({ kind: 'map', map: 0, key: new Uint8Array(4), offset });
const packet = (offset: number): InputField => ({ kind: 'packet', packet: 0, offset });
const FIELDS = [...[0, 1, 2, 3].map(packet), ...[0, 1, 2, 3].map(entry)];
const [P0, P1, P2, P3, M0, M1, M2, M3] = FIELDS.map((field) => input(field, 0n)) as [
  ...[Operand, Operand, Operand, Operand],
  ...[Operand, Operand, Operand, Operand],
];

/** What the packet's bytes, and then the map's, become. */
function solved(parts: readonly Operand[], wanted: readonly number[], choosable: Choosable = () => true) {
  const found = solveBytes(parts, Uint8Array.from(wanted), choosable);
  return found && FIELDS.map((field) => Number(found.get(field) ?? 0));
}

it('solves copies of packets and of maps, side by side', () => {
  expect(solved([P0, M1, P2, M3], [1, 2, 3, 4])).toEqual([1, 0, 3, 0, 0, 2, 0, 4]);
  expect(solved([P0, 7n, P2], [1, 7, 3])).toEqual([1, 0, 3, 0, 0, 0, 0, 0]);
  expect(solved([], [])).toEqual(new Array(8).fill(0));
});

it('solves numbers that were turned, beside bytes that were not', () => {
  const turned = swap(32, bytes([M0, M1, M2, M3]));
  const parts = [0, 1, 2, 3].map((index) => byteOf(turned, index));
  expect(solved([P3, ...parts, P1], [9, 1, 2, 3, 4, 8])).toEqual([0, 8, 0, 9, 4, 3, 2, 1]);
});

it('solves nothing that contradicts itself, is a constant, or is not to be chosen', () => {
  expect(solved([P0, P0], [1, 1])).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  expect(solved([P0, 7n, P0], [1, 7, 2])).toBeUndefined();
  expect(solved([P0, 7n], [1, 8])).toBeUndefined();
  expect(solved([P0, M1], [1, 2], ({ kind }) => kind === 'packet')).toBeUndefined();
  expect(solved([P0, M1], [1, 0], ({ kind }) => kind === 'packet')).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  expect(solved([P0], [1, 2])).toBeUndefined();
});
