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
  if (end - start < 4) return shortSum(view, start, end);
  let low = 0;
  let high = 0;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    const word = view.getInt32(at, true);
    const next = view.getInt32(at + 4, true);
    low += (word & 0xffff) + (next & 0xffff);
    high += (word >>> 16) + (next >>> 16);
  }
  // Up to 7 bytes are left, any number of them as likely as another: branches on it would be guessed wrong. So a word is
  // read in any case, and counts where there is one; of the last word of all, what has been summed is shifted out.
  const rest = end - at;
  const over = rest - 4;
  const word = view.getInt32(at + (over & (over >> 31)), true) & ~(over >> 31);
  const last = (view.getInt32(end - 4, true) >>> 1) >>> (31 - 8 * (rest & 3));
  low += (word & 0xffff) + (last & 0xffff);
  high += (word >>> 16) + (last >>> 16);
  let sum = low + high;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The same over 20 bytes: an IPv4 header without options, as nearly all are. */
export function onesSum20(view: DataView, at: number): number {
  const a = view.getInt32(at);
  const b = view.getInt32(at + 4);
  const c = view.getInt32(at + 8);
  const d = view.getInt32(at + 12);
  const e = view.getInt32(at + 16);
  const low = (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff) + (e & 0xffff);
  return onesFold(low + (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16) + (e >>> 16));
}

function shortSum(view: DataView, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum += view.getUint8(at) << (((at - start) & 1) === 0 ? 8 : 0);
  return onesFold(sum);
}

/** Adds two 16-bit words with end-around carry. */
export function onesAdd(a: number, b: number): number {
  const sum = a + b;
  // No branch: whether there is a carry cannot be guessed.
  return (sum & 0xffff) + (sum >>> 16);
}

/** Adds the carries of a sum of up to 65,536 words back in. */
export function onesFold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Made when it is first needed: few packets are SCTP. */
let tableOfCrc32c: Int32Array | undefined;

function crc32cTable(): Int32Array {
  tableOfCrc32c ??= Int32Array.from({ length: 256 }, (_, index) => {
    let rest = index;
    for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 0 ? rest >>> 1 : (rest >>> 1) ^ 0x82f63b78;
    return rest;
  });
  return tableOfCrc32c;
}

/**
 * The checksum of an SCTP packet as its four bytes stand on the wire, read as a big-endian number; the field at byte 8
 * counts as zero (RFC 9260 §6.8, appendix A).
 */
export function crcOfSctp(bytes: Uint8Array, start: number, end: number): number {
  const table = crc32cTable();
  let crc = -1;
  for (let at = start; at < end; at++) {
    const isField = at >= start + 8 && at < start + 12;
    crc = table[(crc ^ (isField ? 0 : bytes[at]!)) & 0xff]! ^ (crc >>> 8);
  }
  const value = ~crc;
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
