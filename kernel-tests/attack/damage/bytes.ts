/** Changes inputs: bytes as any, text also where its grammar has joints. */
import type { Random } from '../../../corpus/generate/random.ts';
import type { Damage } from './damage.ts';

export const INTERESTING: readonly number[] = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255,
];
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '0',
  '-1',
  '1e999',
  'null',
  'true',
  '9'.repeat(30),
  '"x"',
  '\u0000',
  '\ud800',
];

/** One to eight changes, whatever the bytes mean. */
export const damageBytes: Damage = (random, input, other) => someChanges(random, input, other, false);

/** The same, also with what texts are made of. */
export const damageText: Damage = (random, input, other) => someChanges(random, input, other, true);

function someChanges(random: Random, input: Uint8Array, other: Uint8Array, isText: boolean): Uint8Array {
  let bytes: Uint8Array = input.slice();
  const changes = 1 + random.below(8);
  for (let change = 0; change < changes; change++) bytes = changed(random, bytes, other, isText);
  return bytes;
}

function changed(random: Random, bytes: Uint8Array, other: Uint8Array, isText: boolean): Uint8Array {
  const at = bytes.length === 0 ? 0 : anywhere(random, bytes.length);
  switch (random.below(isText ? 9 : 8)) {
    case 0:
      if (bytes.length > 0) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (bytes.length > 0) bytes[at] = INTERESTING[random.below(INTERESTING.length)]!;
      return bytes;
    case 2: {
      // A number of two, four or eight bytes at its limits, where headers keep sizes and offsets.
      const width = 2 << random.below(3);
      const start = at & ~(width - 1);
      const value = [0, 0xff, 0x7f, 0x80, 1][random.below(5)]!;
      bytes.fill(value === 0x7f || value === 0x80 || value === 1 ? 0 : value, start, start + width);
      if (value === 1 && start < bytes.length) bytes[start] = random.below(256);
      if (value === 0x7f || value === 0x80) bytes.fill(value, start + width - 1, start + width);
      return bytes;
    }
    case 3:
      return bytes.slice(0, at);
    case 4:
      return without(bytes, at, 1 + random.below(16));
    case 5: {
      const from = anywhere(random, Math.max(1, other.length));
      return inserted(bytes, at, other.subarray(from, from + 1 + random.below(64)));
    }
    case 6:
      return inserted(bytes, at, bytes.subarray(at, at + 1 + random.below(128)));
    case 7: {
      const from = anywhere(random, Math.max(1, bytes.length));
      bytes.copyWithin(at, from, from + 1 + random.below(32));
      return bytes;
    }
    default:
      return inserted(bytes, at, new TextEncoder().encode(TOKENS[random.below(TOKENS.length)]));
  }
}

/** 0 to `length` − 1, for lengths of any size. */
export function anywhere(random: Random, length: number): number {
  return (random.bits() >>> 0) % length;
}

function without(bytes: Uint8Array, at: number, count: number): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + count));
  const shorter = new Uint8Array(at + rest.length);
  shorter.set(bytes.subarray(0, at));
  shorter.set(rest, at);
  return shorter;
}

function inserted(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const longer = new Uint8Array(bytes.length + piece.length);
  longer.set(bytes.subarray(0, at));
  longer.set(piece, at);
  longer.set(bytes.subarray(at), at + piece.length);
  return longer;
}
