/**
 * Words in byte arrays. Network order unless the name ends in `le`; any alignment; nothing is allocated.
 *
 * Reading behind the end of an array reads zeros and writing there does nothing, as typed arrays have it: who
 * calls these has checked the length before.
 */

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readU24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function readU64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at)) << 32n) | BigInt(readU32(bytes, at + 4));
}

export function readU16le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function readU32le(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function readU64le(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32le(bytes, at + 4)) << 32n) | BigInt(readU32le(bytes, at));
}

/** Writes the low 16 bits of `value`. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes the low 24 bits of `value`. */
export function writeU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value;
}

/** Writes the low 32 bits of `value`. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function writeU16le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function writeU32le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function writeU64le(bytes: Uint8Array, at: number, value: bigint): void {
  writeU32le(bytes, at, Number(value & 0xffff_ffffn));
  writeU32le(bytes, at + 4, Number((value >> 32n) & 0xffff_ffffn));
}

/**
 * Copies `length` bytes between arrays, or within one where the ranges do not overlap. A loop: for the few bytes
 * of an address it is faster than `set(subarray(…))`, which makes an object.
 */
export function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  for (let index = 0; index < length; index++) to[toAt + index] = from[fromAt + index]!;
}

/** Copies `length` bytes between different arrays, four at a time: for whole packets. */
export function copyWords(from: DataView, fromAt: number, to: DataView, toAt: number, length: number): void {
  const last = length - 4;
  if (last < 0) {
    for (let at = 0; at < length; at++) to.setUint8(toAt + at, from.getUint8(fromAt + at));
    return;
  }
  for (let at = 0; at < last; at += 4) to.setInt32(toAt + at, from.getInt32(fromAt + at, true), true);
  // The last word overlaps the one before it where the length is no multiple of four.
  to.setInt32(toAt + last, from.getInt32(fromAt + last, true), true);
}

/** Are `length` bytes the same in both? Sixteen at a time: for whole packets. */
export function equalWords(a: DataView, aAt: number, b: DataView, bAt: number, length: number): boolean {
  const last = length - 16;
  if (last < 0) {
    for (let at = 0; at < length; at++) if (a.getUint8(aAt + at) !== b.getUint8(bAt + at)) return false;
    return true;
  }
  for (let at = 0; at < last; at += 16) if (differInSixteen(a, aAt + at, b, bAt + at)) return false;
  return !differInSixteen(a, aAt + last, b, bAt + last);
}

function differInSixteen(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  const difference =
    (a.getInt32(aAt, true) ^ b.getInt32(bAt, true)) |
    (a.getInt32(aAt + 4, true) ^ b.getInt32(bAt + 4, true)) |
    (a.getInt32(aAt + 8, true) ^ b.getInt32(bAt + 8, true)) |
    (a.getInt32(aAt + 12, true) ^ b.getInt32(bAt + 12, true));
  return difference !== 0;
}

/** Exchanges two ranges of `length` bytes that do not overlap. */
export function swap(bytes: Uint8Array, a: number, b: number, length: number): void {
  for (let index = 0; index < length; index++) {
    const byte = bytes[a + index]!;
    bytes[a + index] = bytes[b + index]!;
    bytes[b + index] = byte;
  }
}

/** Are `length` bytes the same in both? */
export function equal(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (a[aAt + index] !== b[bAt + index]) return false;
  }
  return true;
}

/** Are they as long as each other, and equal in every byte? */
export function equalWhole(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equal(a, 0, b, 0, a.length);
}

/** Are all `length` bytes zero? */
export function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  for (let index = 0; index < length; index++) {
    if (bytes[at + index] !== 0) return false;
  }
  return true;
}

/** Lower-case hexadecimal digits without separators: `0a1b2c`. */
export function toHex(bytes: Uint8Array, at: number = 0, length: number = bytes.length - at): string {
  let text = '';
  for (let index = at; index < at + length; index++) text += bytes[index]!.toString(16).padStart(2, '0');
  return text;
}

/**
 * Bytes from hexadecimal digits; white space between bytes and an `0x` in front are allowed.
 * @throws {SyntaxError} naming the place
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/^\s*0x/i, '').replace(/\s+/g, '');
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad !== null) throw new SyntaxError(`not a hexadecimal digit at digit ${bad.index + 1}: "${bad[0]}"`);
  if (digits.length % 2 !== 0) throw new SyntaxError(`an odd number of hexadecimal digits: ${digits.length}`);
  const bytes = new Uint8Array(digits.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

/** What a view looks at before it is set upon anything. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
