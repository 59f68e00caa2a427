/** Where fields lie: bit fields that share bytes are read and written through the word that holds them all. */
import { readU16, readU24, readU32, writeU16, writeU24, writeU32 } from '../bytes.ts';

/** A field's place in its header. Fields that fill their bytes have a word of their own: shift 0. */
export interface Place {
  /** Bytes from the start of the header to the word. */
  readonly at: number;
  /** Bytes of the word; of the field itself, where it is longer than a number can be. */
  readonly size: number;
  /** How far the field's lowest bit is from the word's lowest. */
  readonly shift: number;
  readonly bits: number;
}

/**
 * Lays fields out one behind the other. Fields that do not fill bytes are gathered into words of 1 to 4 bytes.
 * @param widths bits of each field, in order
 * @param start bytes before the first field
 * @throws {RangeError} where bit fields do not add up to whole bytes, or to more than four: the declaration is wrong
 */
export function layOut(widths: readonly number[], start: number = 0): Place[] {
  const places: Place[] = [];
  let at = start;
  let word: number[] = [];
  let gathered = 0;
  for (const bits of widths) {
    if (gathered === 0 && bits % 8 === 0) {
      places.push({ at, size: bits / 8, shift: 0, bits });
      at += bits / 8;
      continue;
    }
    word.push(bits);
    gathered += bits;
    if (gathered > 32) throw new RangeError(`bit fields of ${gathered} bits share a word: 32 are possible`);
    if (gathered % 8 !== 0) continue;
    let shift = gathered;
    for (const width of word) {
      shift -= width;
      places.push({ at, size: gathered / 8, shift, bits: width });
    }
    at += gathered / 8;
    word = [];
    gathered = 0;
  }
  if (gathered !== 0) throw new RangeError(`the last ${gathered} bits of a header fill no byte`);
  return places;
}

/** Bytes from the start of the header to the end of the last field. */
export function endOf(places: readonly Place[], start: number = 0): number {
  const last = places.at(-1);
  return last === undefined ? start : last.at + last.size;
}

export function readWord(bytes: Uint8Array, at: number, size: number): number {
  switch (size) {
    case 1:
      return bytes[at]!;
    case 2:
      return readU16(bytes, at);
    case 3:
      return readU24(bytes, at);
    case 4:
      return readU32(bytes, at);
    default:
      throw new RangeError(`a field of ${size} bytes is no number`);
  }
}

function writeWord(bytes: Uint8Array, at: number, size: number, value: number): void {
  switch (size) {
    case 1:
      bytes[at] = value;
      return;
    case 2:
      writeU16(bytes, at, value);
      return;
    case 3:
      writeU24(bytes, at, value);
      return;
    case 4:
      writeU32(bytes, at, value);
      return;
    default:
      throw new RangeError(`a field of ${size} bytes is no number`);
  }
}

/** @param start where the header starts in `bytes` */
export function readNumber(bytes: Uint8Array, start: number, { at, size, shift, bits }: Place): number {
  const word = readWord(bytes, start + at, size);
  if (bits === size * 8) return word;
  return (word >>> shift) & (2 ** bits - 1);
}

/** Writes the low bits of `value`, and nothing beside them. */
export function writeNumber(bytes: Uint8Array, start: number, place: Place, value: number): void {
  const { at, size, shift, bits } = place;
  if (bits === size * 8) {
    writeWord(bytes, start + at, size, value);
    return;
  }
  const mask = 2 ** bits - 1;
  const word = readWord(bytes, start + at, size);
  writeWord(bytes, start + at, size, (word & ~(mask << shift)) | ((value & mask) << shift));
}

/** The bits of a field, as they lie in its word: `0x2000` for IPv4's "more fragments". */
export function maskOf({ shift, bits }: Place): number {
  return ((2 ** bits - 1) * 2 ** shift) >>> 0;
}
