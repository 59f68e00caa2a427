/**
 * The oracle's own ones' complement sum (RFC 1071 §1): plain, from scratch, and shared with nothing that it judges.
 */

/**
 * The sum of the big-endian 16-bit words in `[start, end)`, carries added in: 0…0xFFFF. An odd last byte is the
 * high half of a word (RFC 1071 §4.1). 0 comes out only where every byte is zero.
 *
 * The sum does not care about byte order as long as it is turned round at the end (RFC 1071 §2 B), so the words
 * are read in the machine's order, four bytes at a time.
 */
export function onesSum(view: DataView, start: number, end: number): number {
  // Beyond this the accumulators would leave 32 bits.
  if (end - start > 0x10000) {
    return onesAdd(onesSum(view, start, start + 0x10000), onesSum(view, start + 0x10000, end));
  }
  let low = 0;
  let high = 0;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    const word = view.getInt32(at, true);
    const next = view.getInt32(at + 4, true);
    low += (word & 0xffff) + (next & 0xffff);
    high += (word >>> 16) + (next >>> 16);
  }
  if (end - at >= 4) {
    const word = view.getInt32(at, true);
    low += word & 0xffff;
    high += word >>> 16;
    at += 4;
  }
  if (end - at >= 2) {
    low += view.getUint16(at, true);
    at += 2;
  }
  if (at < end) low += view.getUint8(at);
  let sum = low + high;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** Adds two 16-bit words with end-around carry. */
export function onesAdd(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? sum - 0xffff : sum;
}

const CRC32C: Int32Array = Int32Array.from({ length: 256 }, (_, index) => {
  let rest = index;
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 0 ? rest >>> 1 : (rest >>> 1) ^ 0x82f63b78;
  return rest;
});

/**
 * The checksum of an SCTP packet as its four bytes stand on the wire, read as a big-endian number; the field at byte 8
 * counts as zero (RFC 9260 §6.8, appendix A).
 */
export function crcOfSctp(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  for (let at = start; at < end; at++) {
    const isField = at >= start + 8 && at < start + 12;
    crc = CRC32C[(crc ^ (isField ? 0 : bytes[at]!)) & 0xff]! ^ (crc >>> 8);
  }
  const value = ~crc;
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
