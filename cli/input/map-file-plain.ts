/**
 * Reads the rows of a `--map` file that are written in the plain ways, without an object for each step: a file may
 * have millions. The schema (`mapFileShape`) stays the rule; it reads whatever is not plain, and says what is wrong.
 */
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { MapEntry } from '../../sim/runtime/world.ts';

/** Rows share memory in pieces of about so many bytes. */
const PIECE = 1 << 20;

/** @returns undefined where a row is not plain */
export function plainEntries(
  json: unknown,
  { keySize, valueSize }: Pick<MapDefinition, 'keySize' | 'valueSize'>,
): MapEntry[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const size = keySize + valueSize;
  const entries: MapEntry[] = [];
  let piece = new Uint8Array(0);
  let at = 0;
  for (let row = 0; row < json.length; row++) {
    const { key, value } = (json[row] ?? {}) as Record<string, unknown>;
    if (at + size > piece.length) {
      piece = new Uint8Array(size * Math.max(1, Math.min(json.length - row, Math.floor(PIECE / size))));
      at = 0;
    }
    if (!writePlain(key, piece, at, keySize) || !writePlain(value, piece, at + keySize, valueSize)) {
      return undefined;
    }
    entries.push({ key: piece.subarray(at, at + keySize), value: piece.subarray(at + keySize, at + size) });
    at += size;
  }
  return entries;
}

function writePlain(form: unknown, to: Uint8Array, at: number, size: number): boolean {
  if (typeof form === 'string') return writeDigits(form, form.startsWith('0x') ? 2 : 0, to, at, size);
  if (typeof form === 'number') return writeNumber(form, to, at, size);
  return Array.isArray(form) && writeBytes(form, to, at, size);
}

/** By character code: the value of a hexadecimal digit, or 16. */
const DIGITS = new Uint8Array(128).fill(16);
for (let digit = 0; digit < 16; digit++) {
  DIGITS[digit.toString(16).charCodeAt(0)] = digit;
  DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** "0a000001", from the character `start` on. */
function writeDigits(text: string, start: number, to: Uint8Array, at: number, size: number): boolean {
  if (text.length - start !== 2 * size) return false;
  for (let byte = 0; byte < size; byte++) {
    const high = DIGITS[text.charCodeAt(start + 2 * byte)] ?? 16;
    const low = DIGITS[text.charCodeAt(start + 2 * byte + 1)] ?? 16;
    if (high > 15 || low > 15) return false;
    to[at + byte] = high * 16 + low;
  }
  return true;
}

/** Whole numbers from 0 on, the low byte first. */
function writeNumber(number: number, to: Uint8Array, at: number, size: number): boolean {
  if (!Number.isSafeInteger(number) || number < 0) return false;
  let rest = number;
  for (let byte = 0; byte < size; byte++) {
    to[at + byte] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return rest === 0;
}

/** [10, "0x00", …] */
function writeBytes(list: readonly unknown[], to: Uint8Array, at: number, size: number): boolean {
  if (list.length !== size) return false;
  for (let byte = 0; byte < size; byte++) {
    const item = list[byte];
    if (typeof item === 'number') {
      if (!Number.isInteger(item) || item < 0 || item > 255) return false;
      to[at + byte] = item;
    } else if (
      typeof item !== 'string' ||
      !item.startsWith('0x') ||
      !writeDigits(item, 2, to, at + byte, 1)
    ) {
      return false;
    }
  }
  return true;
}
